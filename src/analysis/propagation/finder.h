// Finds the edges on which trace context is lost, why, and what to do: docs/propagation.md,
// "Finding where it breaks".
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/propagation/tables.h"
#include "model/assembly.h"

namespace fluoro::analysis::propagation {

enum class CauseKind : std::uint8_t {
  kHeaderStripped,       ///< something between takes the header away
  kDifferentPropagator,  ///< the callee does not read what the caller writes, or one writes nothing
  kIdTruncated,          ///< the trace id arrives with 64 of its 128 bits
  kTraceIdChanged,       ///< the parent arrives, the trace id is another
  kParentRewritten,      ///< a hop between puts itself in as parent and sends no span
  kSpansDropped,         ///< the context arrives, spans between do not
  kSamplingDiffers,      ///< each side decides for itself whether to record
  kQueue,                ///< messages without context, or consumers that do not read it
  kAsync,                ///< work handed to another task, thread or coroutine without it
  kClock,                ///< nothing is lost: the hosts' clocks differ
};
/// "header_stripped", ...
std::string_view CauseName(CauseKind kind);

enum class Confidence : std::uint8_t { kLow, kMedium, kHigh };
std::string_view ConfidenceName(Confidence confidence);

/// Both sides of one request. The spans of `suggested_link`s are never joined by themselves.
struct Example {
  model::TraceId caller_trace;
  model::SpanId caller_span;
  model::TraceId callee_trace;
  model::SpanId callee_span;
};

struct Cause {
  CauseKind kind = CauseKind::kHeaderStripped;
  Confidence confidence = Confidence::kLow;
  double calls = 0;                     ///< weighted: lost this way
  std::vector<std::string> evidence{};  ///< sentences
  std::string fix{};
  std::vector<Example> examples{};  ///< at most 5
  std::int64_t skew_ns = 0;         ///< clock only: the callee's less the caller's
};

struct BrokenEdge {
  static constexpr std::size_t kExamplesMax = 5;
  std::string caller;
  std::string callee;
  EdgeKind kind = EdgeKind::kCall;
  std::string via;  ///< host addressed, queue, or name of the inner step; "" if several
  /// Weighted by 1 / kept probability. Calls that never reached the callee are not counted.
  double calls = 0;
  double survived = 0;
  double share = 1;  ///< survived / calls
  double share_low = 0;
  double share_high = 1;      ///< 95 %
  std::vector<Cause> causes;  ///< by calls lost; empty: nothing is known to be lost
};

struct PropagationReport {
  static constexpr std::size_t kEdgesMax = 1'000;
  /// Broken ones first, most lost calls first, then those without fault.
  std::vector<BrokenEdge> edges{};
  std::uint64_t edges_left_out = 0;
  std::uint64_t traces = 0;     ///< looked at
  std::uint64_t cut = 0;        ///< of them passed over: spans are missing in the store
  std::uint64_t unsettled = 0;  ///< passed over: they ended too short a time ago
  std::uint64_t left_out = 0;   ///< spans and names for which there was no room
  /// Calls without callee of which nothing proves that context was lost: the callee sends no spans,
  /// was not sampled, or its spans did not come.
  double calls_without_callee = 0;
};

/// Add every trace, in any order, then Find once. Memory: at most Tables::kRowsMax rows of each
/// kind, about 120 MB; usually some hundred bytes a call that has no callee. Pure; not thread-safe.
class PropagationFinder {
 public:
  /// A trace that ends later than `settled_ns` (Unix) is passed over: spans of it may be under way.
  explicit PropagationFinder(std::int64_t settled_ns = INT64_MAX);
  void Add(const model::AssembledTrace& trace);
  [[nodiscard]] PropagationReport Find();

 private:
  Tables tables_;
  std::int64_t settled_ns_;
};

}  // namespace fluoro::analysis::propagation
