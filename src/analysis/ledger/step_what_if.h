// What if some steps were faster, cached, or ran beside their siblings.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/ledger/ledger.h"
#include "base/error.h"
#include "model/ids.h"

namespace fluoro::analysis {

/// Steps by exactly one of these.
struct StepSelector {
  std::optional<model::SpanId> span;
  std::optional<genai::StepKind> kind;
  std::string tool;
  std::string model;
};

enum class StepChangeKind : std::uint8_t {
  kFaster,    ///< runs `factor` times as fast, with all below it
  kCached,    ///< takes no time and costs nothing, nor does what is below it
  kParallel,  ///< starts with the first of its neighbours of the same kind; the first of them lets
              ///< the next one start with it
};

struct StepWhatIf {
  StepSelector steps;
  StepChangeKind change = StepChangeKind::kFaster;
  double factor = 1;  ///< 1 .. kFactorMax
};
inline constexpr double kFactorMax = 1e6;

/// "tool=search:2x", "model=gpt-5:cached", "kind=retriever:parallel", "span=00f067aa0ba902b7:1.5x".
/// Errors: kInvalidArgument saying what is wanted.
Result<StepWhatIf> ParseStepWhatIf(std::string_view text);

struct StepWhatIfResult {
  std::int64_t steps = 0;  ///< that were changed; those inside of another one are not counted
  std::int64_t root_ns = 0;
  std::int64_t new_root_ns = 0;  ///< never more
  std::int64_t cost_nano_usd = 0;
  std::int64_t new_cost_nano_usd = 0;
  std::vector<PathInterval> path;  ///< as it would be
};

/// Runs the trace again (replay.h). Pure.
StepWhatIfResult ReplayWith(const TraceView& view, const StepWhatIf& what_if);

}  // namespace fluoro::analysis
