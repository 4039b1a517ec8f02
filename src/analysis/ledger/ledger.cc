#include "analysis/ledger/ledger.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "analysis/ledger/bills.h"
#include "analysis/ledger/field.h"

namespace fluoro::analysis {
namespace {

using genai::Label;
using genai::StepKind;
using model::AssembledTrace;
using model::Entity;

// Finds the line of each owner; entities of one owner share it.
class Lines {
 public:
  explicit Lines(const TraceView& view) : view_(view), line_of_(view.steps.size(), kNone) {}

  LedgerLine& Of(std::int32_t owner) {
    std::size_t& at = line_of_[static_cast<std::size_t>(owner)];
    if (at == kNone) at = Find(owner, LineOf(view_, owner).model);
    return lines_[at];
  }
  /// Of an agent or a chain that pays itself, under the model it names.
  LedgerLine& Of(std::int32_t owner, const std::string& model) {
    return CallsModel(StepAt(owner).kind) || model.empty() ? Of(owner) : lines_[Find(owner, model)];
  }
  std::vector<LedgerLine> Take() { return std::move(lines_); }

 private:
  static constexpr std::size_t kNone = SIZE_MAX;
  using Key = std::tuple<StepKind, std::string, std::string, std::string, std::string, std::string>;

  [[nodiscard]] const Step& StepAt(std::int32_t i) const {
    return view_.steps[static_cast<std::size_t>(i)];
  }
  std::size_t Find(std::int32_t owner, std::string model) {
    LedgerLine line = LineOf(view_, owner);
    line.model = std::move(model);
    const auto [at, is_new] = places_.try_emplace(
        Key{line.owner, line.sub_kind, line.tool, line.model, line.tenant, line.route},
        lines_.size());
    if (is_new) lines_.push_back(std::move(line));
    return at->second;
  }

  const TraceView& view_;
  std::vector<std::size_t> line_of_;
  std::map<Key, std::size_t> places_;
  std::vector<LedgerLine> lines_;
};

// The first token of the last streamed answer on the path.
std::optional<std::int64_t> FirstToken(const TraceView& view) {
  for (auto at = view.path.rbegin(); at != view.path.rend(); ++at) {
    const std::int32_t owner = view.steps[static_cast<std::size_t>(at->entity)].owner;
    // An engine tells of its own view; the client's is above it.
    for (std::int32_t i = owner; i >= 0;
         i = view.trace.entities[static_cast<std::size_t>(i)].parent) {
      const Step& step = view.steps[static_cast<std::size_t>(i)];
      if (step.kind != StepKind::kLlm || !step.is_work || step.sub_kind == "engine") continue;
      const Entity& entity = view.trace.entities[static_cast<std::size_t>(i)];
      const auto ttft_ns = MillisecondsField(*entity.span, "ttft_ms");
      if (!ttft_ns) break;
      const Entity& root = *view.trace.Root();
      return std::clamp<std::int64_t>(entity.start_ns - root.start_ns + *ttft_ns, 0,
                                      std::max<std::int64_t>(root.duration_ns(), 0));
    }
  }
  return std::nullopt;
}

LedgerFlags FlagsOf(const TraceView& view) {
  LedgerFlags flags;
  const AssembledTrace& trace = view.trace;
  flags.root_in_progress = trace.Root() != nullptr && trace.Root()->in_progress;
  flags.incomplete = trace.trace->limit_exceeded || trace.trace->IsPart();
  for (std::size_t i = 0; i < trace.entities.size(); ++i) {
    const Entity& entity = trace.entities[i];
    if (!view.steps[i].is_work) continue;
    flags.in_progress += entity.in_progress;
    if (entity.parent >= 0) {
      const Entity& parent = trace.entities[static_cast<std::size_t>(entity.parent)];
      flags.outside_parent += !parent.in_progress &&
                              (entity.start_ns < parent.start_ns || entity.end_ns > parent.end_ns);
    } else if (!entity.parent_id.IsZero()) {
      const bool is_root = static_cast<std::int32_t>(i) == trace.root;
      if (trace.Find(entity.parent_id) >= 0) {
        ++flags.cycles_cut;
      } else if (!is_root) {
        ++flags.missing_parents;
      }
    }
  }
  return flags;
}

}  // namespace

TraceView TraceView::Of(const AssembledTrace& trace, const genai::TraceCost& cost,
                        const genai::TraceLabels& labels) {
  return {.trace = trace,
          .cost = cost,
          .labels = labels,
          .steps = StepsOf(trace),
          .path = CriticalPath(trace)};
}

LedgerLine LineOf(const TraceView& view, std::int32_t owner) {
  const auto at = [&](std::int32_t i) -> const Step& {
    return view.steps[static_cast<std::size_t>(i)];
  };
  const Step& step = at(owner);
  return {.owner = step.kind,
          .sub_kind = step.sub_kind,
          .tool = step.tool_owner < 0 ? std::string() : at(step.tool_owner).tool,
          .model = step.model_owner < 0 ? std::string() : at(step.model_owner).model,
          .tenant = std::string(view.labels.Get(owner, Label::kTenant)),
          .route = std::string(view.labels.Get(owner, Label::kRoute))};
}

Ledger LedgerOf(const TraceView& view, const Waste& waste, LedgerClock clock) {
  Ledger ledger;
  ledger.flags = FlagsOf(view);
  ledger.possibly_billed_attempts = view.cost.possibly_billed_attempts;
  Lines lines(view);
  std::int64_t until_ns = INT64_MAX;
  if (const Entity* root = view.trace.Root()) {
    ledger.root_ns = std::max<std::int64_t>(root->duration_ns(), 0);
    ledger.first_token_ns = FirstToken(view);
    if (clock == LedgerClock::kFirstToken && ledger.first_token_ns) {
      ledger.root_ns = *ledger.first_token_ns;
      until_ns = root->start_ns + ledger.root_ns;
    }
  }
  for (const PathInterval& part : view.path) {
    const std::int64_t ns = std::min(part.end_ns, until_ns) - part.start_ns;
    if (ns > 0) lines.Of(view.steps[static_cast<std::size_t>(part.entity)].owner).path_ns += ns;
  }
  const std::vector<bool> lost = LostEntities(view.trace, waste);
  ForEachBill(view.cost, [&](const genai::PricedStep& step, std::int64_t nano_usd) {
    const auto entity = static_cast<std::size_t>(step.entity);
    LedgerLine& line = lines.Of(view.steps[entity].owner, step.model);
    line.cost_nano_usd += nano_usd;
    ledger.cost_nano_usd += nano_usd;
    if (!lost[entity]) return;
    line.waste_nano_usd += nano_usd;
    ledger.waste_nano_usd += nano_usd;
  });
  for (const genai::PricedStep& step : view.cost.steps) {
    if (step.role != genai::UsageRole::kBillable || step.cost_nano_usd ||
        step.source != genai::CostSource::kUnpriced)
      continue;
    LedgerLine& line =
        lines.Of(view.steps[static_cast<std::size_t>(step.entity)].owner, step.model);
    line.unpriced_steps += 1;
    line.unpriced_tokens += step.tokens();
    ledger.unpriced_steps += 1;
    ledger.unpriced_tokens += step.tokens();
  }
  for (const LostWork& work : waste.lost) {
    lines.Of(work.owner).waste_ns += work.waste_ns();
    ledger.waste_ns += work.waste_ns();
  }
  ledger.lines = lines.Take();
  std::ranges::stable_sort(ledger.lines, [](const LedgerLine& a, const LedgerLine& b) {
    return std::tuple(-a.path_ns, -a.cost_nano_usd, a.owner) <
           std::tuple(-b.path_ns, -b.cost_nano_usd, b.owner);
  });
  return ledger;
}

Ledger LedgerOf(const AssembledTrace& trace, const genai::TraceCost& cost,
                const genai::TraceLabels& labels) {
  const TraceView view = TraceView::Of(trace, cost, labels);
  return LedgerOf(view,
                  WasteOf(trace, view.steps, cost, {.recoverable = false, .repeated = false}));
}

}  // namespace fluoro::analysis
