// A shared bound on bytes held for requests: bodies being read, waiting, being handled.
#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

namespace fluoro::net {

/// Thread-safe.
class ByteBudget {
 public:
  explicit ByteBudget(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  [[nodiscard]] std::size_t used_bytes() const { return used_.load(std::memory_order_relaxed); }

 private:
  friend class ByteCharge;

  /// `own_bytes`: what the asker holds already. Whoever is alone is always let in, so that one
  /// large request cannot be refused for ever.
  bool TryTake(std::size_t bytes, std::size_t own_bytes) {
    // Only the number matters; no other memory is published through it.
    std::size_t used = used_.load(std::memory_order_relaxed);
    do {
      if (used + bytes > bytes_max_ && used != own_bytes) return false;
    } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
    return true;
  }
  void Release(std::size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

  const std::size_t bytes_max_;
  std::atomic<std::size_t> used_ = 0;
};

/// The part of a budget that one request holds; given back by destruction. Not thread-safe.
class ByteCharge {
 public:
  ByteCharge() = default;
  explicit ByteCharge(ByteBudget& budget) : budget_(&budget) {}
  ByteCharge(ByteCharge&& other) noexcept
      : budget_(std::exchange(other.budget_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  ByteCharge& operator=(ByteCharge&& other) noexcept {
    if (this != &other) {
      Clear();
      budget_ = std::exchange(other.budget_, nullptr);
      bytes_ = std::exchange(other.bytes_, 0);
    }
    return *this;
  }
  ~ByteCharge() { Clear(); }

  /// Takes more; false when the budget is used up. Without a budget everything is granted.
  [[nodiscard]] bool Grow(std::size_t bytes) {
    if (budget_ == nullptr) return true;
    if (!budget_->TryTake(bytes, bytes_)) return false;
    bytes_ += bytes;
    return true;
  }
  void Clear() {
    if (budget_ != nullptr && bytes_ > 0) budget_->Release(bytes_);
    bytes_ = 0;
  }

 private:
  ByteBudget* budget_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace fluoro::net
