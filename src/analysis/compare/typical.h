// The typical trace of many: one merged tree of their steps, with what is usual for each.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "analysis/compare/trace_shape.h"

namespace fluoro::analysis::compare {

/// Memory: 32 bytes a step of each trace that found room, so 40 MB at most. Not thread-safe.
class TypicalTrace {
 public:
  static constexpr std::size_t kTracesMax = 300;
  static constexpr std::size_t kNodesMax = 4'000;

  /// Later traces than kTracesMax are not taken. @param weight  1/probability, > 0.
  void Add(const TraceShape& trace, double weight);
  [[nodiscard]] std::size_t traces() const { return traces_.size(); }
  /// Steps of traces for which there was no room.
  [[nodiscard]] std::uint64_t steps_left_out() const { return steps_left_out_; }

  /// The trace of median duration; nullopt if there is none.
  [[nodiscard]] std::optional<model::TraceId> Median() const;
  /// Steps with the medians of those traces that have them, the share of traces that have them, and
  /// as usual durations those between the 5th and the 95th percentile; outcomes are the most
  /// frequent. No attributes, no tokens, and no steps that less than a twentieth of the traces
  /// have.
  [[nodiscard]] TraceShape Shape() const;

 private:
  struct Seen {
    std::int64_t start_ns = 0, duration_ns = 0, self_ns = 0, path_ns = 0;
    double weight = 0;
  };
  struct Node {
    StepName step;
    std::int32_t parent = -1;
    std::vector<Seen> seen;
    std::array<double, 4> outcomes{};  ///< weight, by Outcome
  };
  struct Whole {
    model::TraceId id;
    std::int64_t duration_ns = 0, root_ns = 0;
    double weight = 0;
  };

  std::vector<Node> nodes_;
  std::map<std::pair<std::int32_t, StepName>, std::int32_t> index_;  ///< by parent and step
  std::vector<Whole> traces_;
  std::uint64_t steps_left_out_ = 0;
};

}  // namespace fluoro::analysis::compare
