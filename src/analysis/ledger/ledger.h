// Where the time and the money of one trace went, and how much of both was lost.
// Source of the rules: docs/genai.md, "The ledger".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "analysis/critical_path.h"
#include "analysis/ledger/steps.h"
#include "analysis/ledger/waste.h"
#include "genai/labels.h"
#include "genai/trace_cost.h"
#include "model/assembly.h"

namespace fluoro::analysis {

/// What has the same owner kind, finer class, tool, model, tenant and route. Texts are "" where
/// there is none.
struct LedgerLine {
  genai::StepKind owner = genai::StepKind::kChain;
  std::string sub_kind = {};  ///< of the owner: "cold_start", "engine", ...
  std::string tool = {};      ///< of the nearest tool step, itself included: who it was done for
  std::string model = {};     ///< of steps that call one
  std::string tenant = {}, route = {};
  std::int64_t path_ns = 0;  ///< on the critical path
  std::int64_t cost_nano_usd = 0;
  std::int64_t unpriced_steps = 0;  ///< whose cost is not known, and not in cost_nano_usd
  std::int64_t unpriced_tokens = 0;
  std::int64_t waste_ns = 0;  ///< on the critical path or not
  std::int64_t waste_nano_usd = 0;
};

/// Which instant ends the time that is told of.
enum class LedgerClock : std::uint8_t {
  kLastToken,   ///< the root's end
  kFirstToken,  ///< the first token of the last streamed answer on the critical path; the root's
                ///< end where nothing is streamed
};

/// What makes the figures less than they could be; all 0 for a sound trace.
struct LedgerFlags {
  bool root_in_progress = false;    ///< no end: its time is 0 so far
  bool incomplete = false;          ///< spans of the trace are missing: it outgrew its bound, or is
                                    ///< a part
  std::int64_t in_progress = 0;     ///< steps without an end, which have no time
  std::int64_t outside_parent = 0;  ///< steps that run beyond their parent: clipped. Clocks differ,
                                    ///< or nobody waited
  std::int64_t missing_parents = 0;  ///< steps whose parent never came: not on the path
  std::int64_t cycles_cut = 0;       ///< steps that were each other's ancestors
  [[nodiscard]] bool empty() const {
    return !root_in_progress && !incomplete && in_progress == 0 && outside_parent == 0 &&
           missing_parents == 0 && cycles_cut == 0;
  }
};

/// Of `lines`, path_ns sum to root_ns, and all other figures to theirs, exactly.
struct Ledger {
  std::vector<LedgerLine> lines;  ///< most time on the path first
  std::int64_t root_ns = 0;       ///< duration of the root, or up to the first token; >= 0
  std::int64_t cost_nano_usd = 0;
  std::int64_t waste_ns = 0;
  std::int64_t waste_nano_usd = 0;
  /// From the root's start, where an answer is streamed.
  std::optional<std::int64_t> first_token_ns;
  std::int64_t unpriced_steps = 0;
  std::int64_t unpriced_tokens = 0;
  std::int64_t possibly_billed_attempts = 0;
  LedgerFlags flags;
};

/// All that the questions about one trace share. Borrows from what it was made of.
struct TraceView {
  const model::AssembledTrace& trace;
  const genai::TraceCost& cost;
  const genai::TraceLabels& labels;
  std::vector<Step> steps;
  std::vector<PathInterval> path;
  static TraceView Of(const model::AssembledTrace& trace, const genai::TraceCost& cost,
                      const genai::TraceLabels& labels);
};

/// The line that an entity's time and cost go to, if it answers for itself; without figures.
LedgerLine LineOf(const TraceView& view, std::int32_t owner);

/// Pure. Holds on any input: what does not fit is clipped and flagged.
Ledger LedgerOf(const TraceView& view, const Waste& waste,
                LedgerClock clock = LedgerClock::kLastToken);
/// The same from the beginning.
Ledger LedgerOf(const model::AssembledTrace& trace, const genai::TraceCost& cost,
                const genai::TraceLabels& labels);

}  // namespace fluoro::analysis
