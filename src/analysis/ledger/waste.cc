#include "analysis/ledger/waste.h"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "analysis/ledger/bills.h"
#include "analysis/ledger/field.h"
#include "analysis/ledger/repeated.h"
#include "analysis/ledger/replay.h"
#include "analysis/step_time.h"

namespace fluoro::analysis {
namespace {

using genai::StepKind;
using model::AssembledTrace;
using model::Entity;

constexpr std::int64_t kPauseNsMax = 60'000'000'000;
constexpr std::int64_t kFallbackNsMax = 2'000'000'000;

std::int64_t DurationOf(const Entity& entity) {
  return std::max<std::int64_t>(entity.duration_ns(), 0);
}

WasteCause CauseOf(const Step& step) {
  return step.timeout     ? WasteCause::kTimeout
         : step.throttled ? WasteCause::kThrottled
         : step.cancelled ? WasteCause::kCancelled
                          : WasteCause::kError;
}

class Finder {
 public:
  Finder(const AssembledTrace& trace, std::span<const Step> steps) : trace_(trace), steps_(steps) {}

  // From the roots down, so that what failed inside of a failed attempt is not counted again.
  std::vector<LostWork> Find() {
    std::vector<LostWork> lost;
    inside_.assign(trace_.entities.size(), false);
    for (const std::int32_t place : ParentsFirst(trace_)) {
      const auto i = static_cast<std::size_t>(place);
      const Entity& entity = trace_.entities[i];
      if (entity.parent >= 0 && inside_[static_cast<std::size_t>(entity.parent)]) inside_[i] = true;
      if (inside_[i]) continue;
      if (entity.parent < 0) FindAmong({place}, lost);
      FindAmong(entity.children, lost);
    }
    std::ranges::stable_sort(
        lost, {}, [this](const LostWork& work) { return At(work.failed.front()).start_ns; });
    return lost;
  }

 private:
  [[nodiscard]] const Entity& At(std::int32_t i) const {
    return trace_.entities[static_cast<std::size_t>(i)];
  }
  [[nodiscard]] const Step& StepAt(std::int32_t i) const {
    return steps_[static_cast<std::size_t>(i)];
  }

  // What two attempts at one thing have in common.
  [[nodiscard]] std::string NameOf(std::int32_t i) const {
    const Step& step = StepAt(i);
    if (!step.tool.empty()) return step.tool;
    if (!step.model.empty()) return step.model;
    const model::Span& span = *At(i).span;
    std::string route = TextField(span, "route");
    return route.empty() ? span.name : route;
  }

  // Whether `next` is `last` tried again.
  [[nodiscard]] bool IsNextAttempt(std::int32_t last, std::int32_t next) const {
    if (!StepAt(last).failed) return false;
    const std::int64_t pause_ns = At(next).start_ns - At(last).end_ns;
    if (pause_ns < 0 || pause_ns > kPauseNsMax) return false;
    const std::string id = TextField(*At(last).span, "tool_call_id");
    const std::string next_id = TextField(*At(next).span, "tool_call_id");
    return id.empty() || next_id.empty() || id == next_id;
  }

  [[nodiscard]] bool IsFallback(std::int32_t last, std::int32_t next) const {
    if (StepAt(next).kind != StepKind::kLlm || StepAt(last).kind != StepKind::kLlm) return false;
    const std::int64_t pause_ns = At(next).start_ns - At(last).end_ns;
    return StepAt(last).failed && pause_ns >= 0 && pause_ns <= kFallbackNsMax;
  }

  using Attempts = std::vector<std::int32_t>;
  void FindAmong(const std::vector<std::int32_t>& siblings, std::vector<LostWork>& lost) {
    Attempts order;
    for (const std::int32_t child : siblings) {
      if (StepAt(child).is_work && !StepAt(child).in_progress) order.push_back(child);
    }
    if (std::ranges::none_of(order, [this](std::int32_t child) { return StepAt(child).failed; }))
      return;
    std::ranges::stable_sort(order, {}, [this](std::int32_t child) { return At(child).start_ns; });
    // Chains of attempts, by what was tried. What a model decided in between ends them: it asked
    // anew, nobody tried again.
    std::map<std::pair<StepKind, std::string>, Attempts> open;
    std::int32_t before = -1;
    for (const std::int32_t child : order) {
      const Step& step = StepAt(child);
      auto key = std::pair(step.kind, NameOf(child));
      auto at = open.find(key);
      if (at == open.end() && step.attempt.value_or(0) > 0) {
        // A later attempt may be named otherwise, but says that it is one.
        at = std::ranges::find_if(open, [&](const auto& entry) {
          return entry.first.first == step.kind && StepAt(entry.second.back()).failed;
        });
      }
      if (at == open.end() && before >= 0 && IsFallback(before, child)) {
        at = std::ranges::find_if(open,
                                  [&](const auto& entry) { return entry.second.back() == before; });
      }
      if (at != open.end() && IsNextAttempt(at->second.back(), child)) {
        Attempts attempts = std::move(at->second);
        open.erase(at);
        attempts.push_back(child);
        Close(open, key, lost);
        open[std::move(key)] = std::move(attempts);
      } else {
        if (step.kind == StepKind::kLlm) {
          for (auto entry = open.begin(); entry != open.end();) {
            const bool ends =
                (entry->first.first == StepKind::kTool || entry->first.first == StepKind::kLlm) &&
                At(entry->second.back()).end_ns <= At(child).start_ns;
            if (ends) Judge(entry->second, lost);
            entry = ends ? open.erase(entry) : std::next(entry);
          }
        }
        Close(open, key, lost);
        open[std::move(key)] = {child};
      }
      before = child;
    }
    for (const auto& [key, attempts] : open) Judge(attempts, lost);
  }

  void Close(std::map<std::pair<StepKind, std::string>, Attempts>& open,
             const std::pair<StepKind, std::string>& key, std::vector<LostWork>& lost) {
    const auto at = open.find(key);
    if (at == open.end()) return;
    Judge(at->second, lost);
    open.erase(at);
  }

  // Of a request that failed below a step that did well, only a limit says that it was in vain: a
  // missing page may be an answer.
  [[nodiscard]] bool IsLostAlone(std::int32_t i) const {
    const Step& step = StepAt(i);
    if (!step.failed) return false;
    if (IsCall(step.kind) || step.attempt || step.sub_kind == "attempt") return true;
    return IsTransport(step.kind) && (step.timeout || step.throttled || step.cancelled);
  }

  void Judge(const Attempts& attempts, std::vector<LostWork>& lost) {
    if (attempts.size() == 1 && !IsLostAlone(attempts.front())) return;
    LostWork work;
    for (const std::int32_t attempt : attempts) {
      if (StepAt(attempt).failed) {
        work.failed.push_back(attempt);
        work.failed_ns += DurationOf(At(attempt));
        inside_[static_cast<std::size_t>(attempt)] = true;
      } else {
        work.stood = attempt;
      }
    }
    if (work.failed.empty()) return;
    for (std::size_t i = 1; i < attempts.size(); ++i)
      work.backoff_ns += At(attempts[i]).start_ns - At(attempts[i - 1]).end_ns;
    const std::int32_t first = work.failed.front();
    const std::int32_t parent = At(first).parent;
    work.cause = CauseOf(StepAt(first));
    work.owner = StepAt(first).owner;
    // Attempts that are steps of the kind that they are attempts of.
    if (work.owner == first && parent >= 0 && StepAt(parent).kind == StepAt(first).kind &&
        !StepAt(first).tool.empty() && StepAt(parent).tool == StepAt(first).tool)
      work.owner = parent;
    work.fallback = work.stood >= 0 && StepAt(first).kind == StepKind::kLlm &&
                    StepAt(first).model != StepAt(work.stood).model;
    lost.push_back(std::move(work));
  }

  const AssembledTrace& trace_;
  std::span<const Step> steps_;
  std::vector<bool> inside_;  ///< an attempt that failed, or below one
};

// Without the attempts that failed; what stood starts where the first of them did.
void LeaveOut(const LostWork& work, std::vector<StepChange>& changes) {
  const std::int32_t first = work.failed.front();
  for (const std::int32_t attempt : work.failed) {
    auto& change = changes[static_cast<std::size_t>(attempt)];
    change.speed = StepChange::kTakesNoTime;
    if (attempt != first) change.starts_with = first;
  }
  if (work.stood >= 0) changes[static_cast<std::size_t>(work.stood)].starts_with = first;
}

void FindRecoverable(const AssembledTrace& trace, Waste& waste) {
  std::vector<StepChange> all(trace.entities.size());
  for (const LostWork& work : waste.lost) LeaveOut(work, all);
  waste.recoverable_ns = waste.root_ns - ReplayTrace(trace, all).root_ns;
  if (waste.lost.size() == 1) {
    waste.lost.front().recoverable_ns = waste.recoverable_ns;
    return;
  }
  std::vector<LostWork*> by_time;
  for (LostWork& work : waste.lost) by_time.push_back(&work);
  std::ranges::stable_sort(by_time, std::greater(), &LostWork::waste_ns);
  for (std::size_t i = 0; i < by_time.size(); ++i) {
    LostWork& work = *by_time[i];
    work.recoverable_known = i < kRecoverableMax;
    if (!work.recoverable_known) continue;
    std::vector<StepChange> changes(trace.entities.size());
    LeaveOut(work, changes);
    work.recoverable_ns = waste.root_ns - ReplayTrace(trace, changes).root_ns;
  }
}

// By entity, of it and all below it.
void AddCosts(const AssembledTrace& trace, const genai::TraceCost& cost, Waste& waste) {
  std::vector<std::int32_t> of(trace.entities.size(), -1);
  for (std::size_t i = 0; i < waste.lost.size(); ++i) {
    for (const std::int32_t attempt : waste.lost[i].failed)
      of[static_cast<std::size_t>(attempt)] = static_cast<std::int32_t>(i);
  }
  for (const std::int32_t place : ParentsFirst(trace)) {
    const Entity& entity = trace.entities[static_cast<std::size_t>(place)];
    auto& mine = of[static_cast<std::size_t>(place)];
    if (mine < 0 && entity.parent >= 0) mine = of[static_cast<std::size_t>(entity.parent)];
  }
  ForEachBill(cost, [&](const genai::PricedStep& step, std::int64_t nano_usd) {
    const std::int32_t work = of[static_cast<std::size_t>(step.entity)];
    if (work < 0) return;
    waste.lost[static_cast<std::size_t>(work)].cost_nano_usd += nano_usd;
    waste.cost_nano_usd += nano_usd;
  });
}

std::vector<StepEnding> EndingsOf(const AssembledTrace& trace, std::span<const Step> steps,
                                  const std::vector<LostWork>& lost) {
  std::map<std::int32_t, StepEnding> endings;
  const auto of = [&](std::int32_t step) -> StepEnding& {
    StepEnding& ending = endings[step];
    ending.step = step;
    return ending;
  };
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    if (!step.is_work) continue;
    const auto place = static_cast<std::int32_t>(i);
    if (step.retries > 0) {
      StepEnding& ending = of(place);
      ending.retries = std::max(ending.retries, step.retries);
    }
    if (step.timeout) of(place).timeout = true;
    if (step.throttled) of(place).throttled = true;
    if (step.cancelled) of(place).cancelled = true;
    // Requests sent again by what the step uses.
    if (step.owner == place && !step.attempt) continue;
    if (const std::int64_t again = std::min<std::int64_t>(step.attempt.value_or(0), 1'000'000);
        again > 0) {
      StepEnding& ending = of(step.owner);
      ending.retries = std::max(ending.retries, again);
    }
    if (step.owner == place) continue;
    const Step& owner = steps[static_cast<std::size_t>(step.owner)];
    if (step.timeout && !owner.timeout && !owner.failed) of(step.owner).timeout_partial = true;
    if (step.throttled) of(step.owner).throttled = true;
  }
  for (const LostWork& work : lost) {
    const auto attempts = work.failed.size() + (work.stood >= 0 ? 1 : 0);
    if (attempts < 2) continue;
    // Attempts with a step of their own above them are its retries; else the last is the step.
    const std::int32_t last = work.stood >= 0 ? work.stood : work.failed.back();
    StepEnding& ending = of(work.owner == work.failed.front() ? last : work.owner);
    ending.retries = std::max(ending.retries, static_cast<std::int64_t>(attempts) - 1);
  }
  std::vector<StepEnding> result;
  for (auto& [step, ending] : endings) result.push_back(ending);
  std::ranges::stable_sort(result, {}, [&](const StepEnding& ending) {
    return trace.entities[static_cast<std::size_t>(ending.step)].start_ns;
  });
  return result;
}

}  // namespace

std::string_view WasteCauseName(WasteCause cause) {
  static constexpr std::array<std::string_view, kWasteCauses> kNames = {"timeout", "throttled",
                                                                        "cancelled", "error"};
  return kNames[static_cast<std::size_t>(cause)];
}

std::vector<bool> LostEntities(const AssembledTrace& trace, const Waste& waste) {
  std::vector<bool> lost(trace.entities.size(), false);
  for (const LostWork& work : waste.lost) {
    for (const std::int32_t attempt : work.failed) lost[static_cast<std::size_t>(attempt)] = true;
  }
  for (const std::int32_t place : ParentsFirst(trace)) {
    const Entity& entity = trace.entities[static_cast<std::size_t>(place)];
    if (entity.parent >= 0 && lost[static_cast<std::size_t>(entity.parent)])
      lost[static_cast<std::size_t>(place)] = true;
  }
  return lost;
}

Waste WasteOf(const AssembledTrace& trace, std::span<const Step> steps,
              const genai::TraceCost& cost, const WasteOptions& options) {
  Waste waste;
  waste.root_ns = trace.Root() == nullptr ? 0 : DurationOf(*trace.Root());
  waste.lost = Finder(trace, steps).Find();
  for (const LostWork& work : waste.lost) waste.waste_ns += work.waste_ns();
  waste.possibly_billed = cost.possibly_billed_attempts;
  if (!waste.lost.empty()) {
    AddCosts(trace, cost, waste);
    if (options.recoverable) FindRecoverable(trace, waste);
  }
  waste.endings = EndingsOf(trace, steps, waste.lost);
  if (options.repeated) waste.repeated = FindRepeated(trace, steps, waste.lost, cost);
  return waste;
}

}  // namespace fluoro::analysis
