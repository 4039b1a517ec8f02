#include "analysis/ledger/step_what_if.h"

#include <algorithm>
#include <charconv>

#include "analysis/ledger/bills.h"
#include "analysis/ledger/replay.h"
#include "genai/classify.h"

namespace fluoro::analysis {
namespace {

using model::AssembledTrace;

bool Selects(const StepSelector& selector, const model::Entity& entity, const Step& step) {
  if (!step.is_work) return false;
  if (selector.span) return entity.id == *selector.span;
  if (selector.kind) return step.kind == *selector.kind;
  if (!selector.tool.empty()) return step.tool == selector.tool;
  return !selector.model.empty() && step.model == selector.model;
}

// Outermost ones, in order of start within each parent.
std::vector<std::int32_t> Selected(const TraceView& view, const StepSelector& selector) {
  std::vector<std::int32_t> selected;
  std::vector<bool> inside(view.steps.size(), false);
  for (const std::int32_t place : ParentsFirst(view.trace)) {
    const auto i = static_cast<std::size_t>(place);
    const model::Entity& entity = view.trace.entities[i];
    inside[i] = entity.parent >= 0 && inside[static_cast<std::size_t>(entity.parent)];
    if (inside[i] || !Selects(selector, entity, view.steps[i])) continue;
    inside[i] = true;
    selected.push_back(place);
  }
  return selected;
}

// Neighbours of one kind among a parent's children, with no other kind between.
using Row = std::vector<std::int32_t>;
std::vector<Row> RowsOf(const TraceView& view, std::int32_t parent) {
  std::vector<std::int32_t> children;
  for (const std::int32_t child : view.trace.entities[static_cast<std::size_t>(parent)].children) {
    if (view.steps[static_cast<std::size_t>(child)].is_work) children.push_back(child);
  }
  std::ranges::stable_sort(children, {}, [&](std::int32_t child) {
    return view.trace.entities[static_cast<std::size_t>(child)].start_ns;
  });
  std::vector<Row> rows;
  for (const std::int32_t child : children) {
    const auto kind = view.steps[static_cast<std::size_t>(child)].kind;
    if (rows.empty() || view.steps[static_cast<std::size_t>(rows.back().front())].kind != kind)
      rows.emplace_back();
    rows.back().push_back(child);
  }
  return rows;
}

std::int64_t PutBeside(const TraceView& view, const std::vector<std::int32_t>& selected,
                       std::vector<StepChange>& changes) {
  std::vector<bool> is_selected(view.steps.size(), false);
  std::vector<std::int32_t> parents;
  for (const std::int32_t step : selected) {
    is_selected[static_cast<std::size_t>(step)] = true;
    const std::int32_t parent = view.trace.entities[static_cast<std::size_t>(step)].parent;
    if (parent >= 0) parents.push_back(parent);
  }
  std::ranges::sort(parents);
  parents.erase(std::ranges::unique(parents).begin(), parents.end());
  std::int64_t changed = 0;
  for (const std::int32_t parent : parents) {
    for (const Row& row : RowsOf(view, parent)) {
      for (std::size_t i = 0; i < row.size() && row.size() > 1; ++i) {
        if (!is_selected[static_cast<std::size_t>(row[i])]) continue;
        changes[static_cast<std::size_t>(row[std::max<std::size_t>(i, 1)])].starts_with =
            row.front();
        ++changed;
      }
    }
  }
  return changed;
}

std::unexpected<Error> Wrong(std::string_view text) {
  return Fail(ErrorCode::kInvalidArgument,
              "what if: \"" + std::string(text) +
                  "\"; wanted kind=, tool=, model= or span=, then :2x (any factor from 1 on), "
                  ":cached or :parallel");
}

}  // namespace

Result<StepWhatIf> ParseStepWhatIf(std::string_view text) {
  const std::size_t equals = text.find('=');
  const std::size_t colon = text.rfind(':');  // names of models may hold one
  if (equals == std::string_view::npos || colon == std::string_view::npos || colon < equals)
    return Wrong(text);
  const std::string_view by = text.substr(0, equals);
  const std::string_view value = text.substr(equals + 1, colon - equals - 1);
  std::string_view change = text.substr(colon + 1);
  StepWhatIf what_if;
  if (value.empty()) return Wrong(text);
  if (by == "tool") {
    what_if.steps.tool = value;
  } else if (by == "model") {
    what_if.steps.model = value;
  } else if (by == "kind") {
    what_if.steps.kind = genai::ParseStepKind(value);
    if (!what_if.steps.kind) return Wrong(text);
  } else if (by == "span") {
    const auto id = model::SpanId::Parse(value);
    if (!id) return Wrong(text);
    what_if.steps.span = *id;
  } else {
    return Wrong(text);
  }
  if (change == "cached") {
    what_if.change = StepChangeKind::kCached;
  } else if (change == "parallel") {
    what_if.change = StepChangeKind::kParallel;
  } else {
    if (!change.ends_with('x')) return Wrong(text);
    change.remove_suffix(1);
    const auto [end, error] =
        std::from_chars(change.data(), change.data() + change.size(), what_if.factor);
    if (error != std::errc() || end != change.data() + change.size() ||
        !(what_if.factor >= 1 && what_if.factor <= kFactorMax))
      return Wrong(text);
  }
  return what_if;
}

StepWhatIfResult ReplayWith(const TraceView& view, const StepWhatIf& what_if) {
  StepWhatIfResult result;
  const model::Entity* root = view.trace.Root();
  result.root_ns = root == nullptr ? 0 : std::max<std::int64_t>(root->duration_ns(), 0);
  result.cost_nano_usd = view.cost.cost_nano_usd;
  result.new_cost_nano_usd = result.cost_nano_usd;
  const std::vector<std::int32_t> selected = Selected(view, what_if.steps);
  result.steps = static_cast<std::int64_t>(selected.size());
  std::vector<StepChange> changes(view.steps.size());
  if (what_if.change == StepChangeKind::kParallel) {
    result.steps = PutBeside(view, selected, changes);
  } else {
    const bool cached = what_if.change == StepChangeKind::kCached;
    for (const std::int32_t step : selected)
      changes[static_cast<std::size_t>(step)].speed =
          cached ? StepChange::kTakesNoTime : what_if.factor;
    if (cached && !selected.empty()) {
      const std::vector<std::int64_t> costs = CostsWithBelow(view.trace, view.cost);
      for (const std::int32_t step : selected)
        result.new_cost_nano_usd -= costs[static_cast<std::size_t>(step)];
    }
  }
  const Replay replay = ReplayTrace(view.trace, changes);
  result.new_root_ns = std::max<std::int64_t>(replay.root_ns, 0);
  result.path = CriticalPath(view.trace, replay.times);
  return result;
}

}  // namespace fluoro::analysis
