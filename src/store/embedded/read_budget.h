// The memory that traces may take while questions hold them, shared by all readers.
#pragma once

#include <cstdint>
#include <memory>

#include "base/error.h"
#include "base/metrics.h"

namespace fluoro::store {

/// Thread-safe. Waiters are served in the order they came, so that a large request is not starved
/// by small ones. A thread that waits should hold no lease: two that do could wait for each other
/// until both are refused.
class ReadBudget {
 public:
  ReadBudget(Metrics& metrics, std::uint64_t bytes_max);

  /// What was taken; given back by the destructor, which may outlive the budget.
  class Lease {
   public:
    Lease() = default;
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&& other) noexcept;
    ~Lease();

   private:
    friend class ReadBudget;
    struct State;
    Lease(std::shared_ptr<State> state, std::uint64_t bytes)
        : state_(std::move(state)), bytes_(bytes) {}
    std::shared_ptr<State> state_;
    std::uint64_t bytes_ = 0;
  };

  /// Waits until so much is free; more than there is at all is cut to all of it. Errors:
  /// kUnavailable after 20 s.
  Result<Lease> Take(std::uint64_t bytes);

  /// The most that one part of a trace may take.
  [[nodiscard]] std::uint64_t part_bytes() const { return part_bytes_; }

 private:
  std::shared_ptr<Lease::State> state_;
  std::uint64_t part_bytes_;
};

}  // namespace fluoro::store
