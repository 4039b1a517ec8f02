// Work of one trace that was lost: attempts that failed, the pauses after them, what was done
// twice. Source of the rules: docs/genai.md, "Waste".
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/ledger/steps.h"
#include "genai/trace_cost.h"
#include "model/assembly.h"

namespace fluoro::analysis {

enum class WasteCause : std::uint8_t { kTimeout, kThrottled, kCancelled, kError };
inline constexpr std::size_t kWasteCauses = 4;
/// "timeout", "throttled", "cancelled", "error".
std::string_view WasteCauseName(WasteCause cause);

/// Attempts at one piece of work, of which some failed.
struct LostWork {
  std::int32_t owner = -1;                ///< entity that answers for the attempts' time
  WasteCause cause = WasteCause::kError;  ///< of the first that failed
  std::vector<std::int32_t> failed = {};  ///< entities, in order
  std::int32_t stood = -1;                ///< the attempt that succeeded after them; -1: none
  bool fallback = false;                  ///< to another model
  std::int64_t failed_ns = 0;             ///< time in them
  std::int64_t backoff_ns = 0;            ///< between them, and before the one that stood
  /// By which the root would have ended earlier without them; waste off the critical path, or with
  /// other work beside it, is waste all the same. Only the kRecoverableMax with most time are
  /// asked.
  std::int64_t recoverable_ns = 0;
  bool recoverable_known = true;
  std::int64_t cost_nano_usd = 0;  ///< what is known to be paid for them
  [[nodiscard]] std::int64_t waste_ns() const { return failed_ns + backoff_ns; }
};
inline constexpr std::size_t kRecoverableMax = 64;

/// A step with more than one attempt, or that ran into a limit.
struct StepEnding {
  std::int32_t step = -1;
  std::int64_t retries = 0;      ///< the most that any source tells
  bool timeout = false;          ///< of the step itself
  bool timeout_partial = false;  ///< of an attempt of it; the step came to an end in time
  bool throttled = false;        ///< it or an attempt of it
  bool cancelled = false;
};

/// The same work done again. A suspicion: it is in no sum of waste.
struct RepeatedWork {
  enum class Kind : std::uint8_t {
    kLoop,       ///< a tool called with equal arguments, kLoopCalls times or more
    kDuplicate,  ///< a model that gave an answer asked the same again
  };
  Kind kind = Kind::kLoop;
  std::string name;                 ///< tool or model
  std::vector<std::int32_t> steps;  ///< in order of start
  std::int64_t again_ns = 0;        ///< time of all but the first
  std::int64_t again_nano_usd = 0;
};
inline constexpr std::size_t kLoopCalls = 3;
/// Findings of a trace, those with most time.
inline constexpr std::size_t kRepeatedMax = 100;

struct Waste {
  std::vector<LostWork> lost;  ///< in order of start; none lies inside another
  std::vector<RepeatedWork> repeated;
  std::vector<StepEnding> endings;
  std::int64_t waste_ns = 0;         ///< sum over `lost`
  std::int64_t cost_nano_usd = 0;    ///< likewise
  std::int64_t recoverable_ns = 0;   ///< by leaving out all of `lost` at once
  std::int64_t root_ns = 0;          ///< as it was
  std::int64_t possibly_billed = 0;  ///< attempts that may have been billed, unknown for how much
};

struct WasteOptions {
  bool recoverable = true;  ///< find recoverable_ns
  bool repeated = true;     ///< find repeated work
};

/// `steps`: StepsOf(trace). Pure.
Waste WasteOf(const model::AssembledTrace& trace, std::span<const Step> steps,
              const genai::TraceCost& cost, const WasteOptions& options = {});

/// Whether an entity is one of the attempts that failed, or below one: by entity.
std::vector<bool> LostEntities(const model::AssembledTrace& trace, const Waste& waste);

}  // namespace fluoro::analysis
