#include "traffic.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "base/clock.h"

namespace fluoro::judge {
namespace {

using model::AssembledTrace;
using model::Entity;

constexpr std::int64_t kMinuteNs = rollup::kMinuteNs;
constexpr std::int64_t kDayNs = 24 * 60 * kMinuteNs;
/// A drift of minutes: what is left of it after one.
constexpr double kDriftKept = 0.9;
constexpr double kPassedOn = 0.8;

std::size_t At(std::int32_t index) { return static_cast<std::size_t>(index); }

/// Where a moment of a segment hangs: behind the call that ended last before it.
struct Anchor {
  std::int32_t call = -1;
  std::int64_t gap_ns = 0;
};

struct RecordedCall {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  std::int32_t callee = 0;  ///< entity
};

Anchor AnchorOf(std::int64_t at_ns, std::int64_t segment_start_ns,
                const std::vector<RecordedCall>& calls, std::size_t calls_count) {
  Anchor anchor{.call = -1, .gap_ns = std::max<std::int64_t>(at_ns - segment_start_ns, 0)};
  for (std::size_t i = 0; i < calls_count; ++i) {
    if (calls[i].end_ns > at_ns) continue;
    if (const std::int64_t gap = at_ns - calls[i].end_ns; gap < anchor.gap_ns)
      anchor = {.call = static_cast<std::int32_t>(i), .gap_ns = gap};
  }
  return anchor;
}

}  // namespace

std::string_view FaultKindName(FaultKind kind) {
  switch (kind) {
    case FaultKind::kDelay:
      return "delay";
    case FaultKind::kCpu:
      return "cpu";
    case FaultKind::kNetwork:
      return "network";
    case FaultKind::kErrors:
      return "errors";
  }
  return "";
}

std::int32_t Traffic::ServiceAt(const model::ServiceKey& key) {
  const auto found = std::ranges::find(services, key);
  if (found != services.end()) return static_cast<std::int32_t>(found - services.begin());
  services.push_back(key);
  return static_cast<std::int32_t>(services.size()) - 1;
}

void Traffic::Add(const AssembledTrace& trace) {
  Plan plan;
  std::map<std::int32_t, std::int32_t> segment_of;  // by entity
  std::map<std::int32_t, std::vector<RecordedCall>> calls_of;
  std::map<std::int32_t, bool> called;
  for (std::size_t i = 0; i < trace.entities.size(); ++i) {
    const Entity& entity = trace.entities[i];
    if (!entity.IsSegment() || entity.service < 0) continue;
    segment_of.emplace(static_cast<std::int32_t>(i),
                       static_cast<std::int32_t>(plan.segments.size()));
    plan.segments.push_back({.service = ServiceAt(trace.services[At(entity.service)].key),
                             .inferred = entity.role == model::EntityRole::kInferred,
                             .calls = {}});
  }
  std::map<std::int32_t, bool> from_client;
  for (const model::Call& call : trace.calls) {
    if (call.link || call.callee_entity < 0) continue;
    if (trace.services[At(call.from)].client) {
      from_client[call.callee_entity] = true;
      continue;
    }
    const Entity& callee = trace.entities[At(call.callee_entity)];
    const bool direct = call.caller_entity == call.callee_entity || call.caller_entity < 0;
    const std::int32_t caller = direct ? callee.parent : call.caller_entity;
    if (caller < 0) continue;
    const Entity& timed = direct ? callee : trace.entities[At(call.caller_entity)];
    calls_of[trace.entities[At(caller)].segment].push_back(
        {.start_ns = timed.start_ns, .end_ns = timed.end_ns, .callee = call.callee_entity});
    called[call.callee_entity] = true;
  }
  for (const auto& [index, segment] : segment_of) {
    const Entity& entity = trace.entities[At(index)];
    auto& calls = calls_of[index];
    std::ranges::sort(calls, {}, &RecordedCall::start_ns);
    Plan::Segment& planned = plan.segments[At(segment)];
    for (std::size_t i = 0; i < calls.size(); ++i) {
      const Entity& callee = trace.entities[At(calls[i].callee)];
      const Anchor anchor = AnchorOf(calls[i].start_ns, entity.start_ns, calls, i);
      planned.calls.push_back(
          {.after = anchor.call,
           .gap_ns = anchor.gap_ns,
           .there_ns = std::max<std::int64_t>(callee.start_ns - calls[i].start_ns, 0),
           .back_ns = std::max<std::int64_t>(calls[i].end_ns - callee.end_ns, 0),
           .callee = segment_of.at(calls[i].callee)});
    }
    const Anchor end = AnchorOf(entity.end_ns, entity.start_ns, calls, calls.size());
    planned.end_after = end.call;
    planned.end_gap_ns = end.gap_ns;
    if (!called.contains(index))
      plan.roots.push_back({.segment = segment,
                            .start_ns = entity.start_ns - trace.start_ns,
                            .client = from_client.contains(index)});
  }
  if (!plan.roots.empty()) plans.push_back(std::move(plan));
}

Traffic MadeUpTraffic(std::uint64_t seed) {
  Rng rng(seed);
  Traffic traffic{.name = "made up"};
  traffic.traces_per_minute = 200;
  const std::vector<std::string> names{"gateway", "catalogue", "cart",      "checkout", "payment",
                                       "users",   "shipping",  "discounts", "search",   "mail"};
  for (const std::string& name : names)
    traffic.ServiceAt({.name = name, .type = "", .account_id = ""});
  const std::int32_t orders_db = traffic.ServiceAt({"orders-db", "Database::SQL", ""});
  const std::int32_t goods_db = traffic.ServiceAt({"goods-db", "Database::SQL", ""});
  // Who calls whom, and how often.
  struct Way {
    std::int32_t to;
    double chance;
  };
  const std::vector<std::vector<Way>> ways{{{1, 0.7}, {2, 0.4}, {3, 0.25}, {5, 0.5}, {8, 0.3}},
                                           {{goods_db, 0.9}, {7, 0.4}},
                                           {{1, 0.5}, {goods_db, 0.3}},
                                           {{2, 0.9}, {4, 0.9}, {6, 0.8}, {5, 0.9}, {9, 0.6}},
                                           {{orders_db, 1}},
                                           {{orders_db, 0.8}},
                                           {{7, 0.5}},
                                           {},
                                           {{1, 0.8}, {goods_db, 0.5}},
                                           {}};
  const auto work = [&](double ms) {
    return static_cast<std::int64_t>(ms * -std::log(1 - rng.Unit()) * 1e6) + 50'000;
  };
  for (int i = 0; i < 400; ++i) {
    Plan plan;
    const auto add = [&](auto& self, std::int32_t service) -> std::int32_t {
      const auto number = static_cast<std::int32_t>(plan.segments.size());
      plan.segments.push_back(
          {.service = service, .inferred = At(service) >= names.size(), .calls = {}});
      std::vector<Plan::Call> calls;
      if (At(service) < ways.size()) {
        for (const Way& way : ways[At(service)]) {
          if (!rng.Chance(way.chance)) continue;
          // A third of the calls run beside the one before.
          const bool parallel = !calls.empty() && rng.Chance(0.33);
          const auto before = static_cast<std::int32_t>(calls.size()) - 1;
          calls.push_back({.after = parallel ? calls.back().after : before,
                           .gap_ns = work(1.5),
                           .there_ns = work(0.5),
                           .back_ns = work(0.3),
                           .callee = self(self, way.to)});
        }
      }
      Plan::Segment& segment = plan.segments[At(number)];
      segment.end_after = static_cast<std::int32_t>(calls.size()) - 1;
      segment.end_gap_ns = work(4);
      segment.calls = std::move(calls);
      return number;
    };
    add(add, 0);
    plan.roots.push_back({.segment = 0, .start_ns = 0, .client = true});
    traffic.plans.push_back(std::move(plan));
  }
  return traffic;
}

Replay::Replay(const Traffic& traffic, const Noise& noise, std::uint64_t seed)
    : traffic_(traffic), noise_(noise), rng_(seed), drift_(traffic.services.size()) {
  for (const model::ServiceKey& key : traffic.services) {
    key_ids_.push_back(keys_.Find(key));
    client_ids_.push_back(keys_.Client(key_ids_.back()));
    usual_faults_.push_back(noise.faults * (1.0 / 3 + 4.0 / 3 * rng_.Unit()));
  }
  slower_.assign(traffic.services.size(), 1);
  failing_ = usual_faults_;
  sink_.emplace(sums_, keys_);
}

double Replay::Normal() {
  return std::sqrt(-2 * std::log(1 - rng_.Unit())) * std::cos(2 * std::numbers::pi * rng_.Unit());
}

double Replay::Exponential() { return -std::log(1 - rng_.Unit()); }

void Replay::NextMinute(std::int64_t minute_ns) {
  const double of_day = static_cast<double>(minute_ns % kDayNs) / static_cast<double>(kDayNs);
  const double load = std::sin(2 * std::numbers::pi * of_day);
  for (std::size_t i = 0; i < drift_.size(); ++i) {
    drift_[i] =
        kDriftKept * drift_[i] + std::sqrt(1 - kDriftKept * kDriftKept) * noise_.drift * Normal();
    slower_[i] = std::exp(drift_[i] + noise_.daily_times * load);
    failing_[i] = usual_faults_[i];
    if (rng_.Chance(noise_.bad_minutes_per_day / (24 * 60))) {
      if (rng_.Chance(0.5)) {
        slower_[i] *= 2 + 4 * rng_.Unit();
      } else {
        failing_[i] += 0.1;
      }
    }
  }
}

void Replay::Run(std::int64_t from_ns, std::int64_t until_ns,
                 const std::optional<InjectedFault>& fault) {
  fault_ = fault;
  for (std::int64_t minute_ns = from_ns; minute_ns < until_ns; minute_ns += kMinuteNs) {
    NextMinute(minute_ns);
    const double of_day = static_cast<double>(minute_ns % kDayNs) / static_cast<double>(kDayNs);
    const double traces = traffic_.traces_per_minute *
                          (1 + noise_.daily_traffic * std::sin(2 * std::numbers::pi * of_day));
    // Arrivals of a Poisson process.
    for (double at = Exponential() / traces; at < 1; at += Exponential() / traces) {
      const auto start_ns =
          minute_ns + static_cast<std::int64_t>(at * static_cast<double>(kMinuteNs));
      RunPlan(traffic_.plans[rng_.Below(traffic_.plans.size())], start_ns);
    }
  }
}

rollup::Rollup Replay::TakeUntil(std::int64_t until_ns) {
  rollup::Rollup taken{rollup::kMinuteNs};
  rollup::Rollup left{rollup::kMinuteNs};
  taken.Merge(sums_, {.from_ns = INT64_MIN, .until_ns = until_ns});
  left.Merge(sums_, {.from_ns = until_ns, .until_ns = INT64_MAX});
  sink_.reset();
  sums_ = std::move(left);
  sink_.emplace(sums_, keys_);
  return taken;
}

void Replay::RunPlan(const Plan& plan, std::int64_t start_ns) {
  fault_now_ = fault_ && start_ns >= fault_->from_ns && start_ns < fault_->until_ns;
  for (const Plan::Root& root : plan.roots) {
    const std::int64_t root_ns = start_ns + root.start_ns;
    const Ended ended = RunSegment(plan, root.segment, root_ns);
    if (!root.client) continue;
    const std::size_t service = At(plan.segments[At(root.segment)].service);
    sink_->Add(rollup::EdgeSample{
        .from = client_ids_[service],
        .to = key_ids_[service],
        .from_client = true,
        .measured = {.start_ns = root_ns,
                     .end_ns = ended.end_ns,
                     .outcome = ended.fault ? model::Outcome::kFault : model::Outcome::kOk}});
  }
}

std::int64_t Replay::Work(std::int64_t gap_ns, std::int32_t service) {
  double factor = slower_[At(service)];
  if (noise_.request > 0) factor *= std::exp(noise_.request * Normal());
  if (fault_now_ && fault_->kind == FaultKind::kCpu && fault_->service == service)
    factor *= 1 + (fault_->slower - 1) * rng_.Unit();
  return static_cast<std::int64_t>(static_cast<double>(gap_ns) * factor);
}

Replay::Ended Replay::RunSegment(const Plan& plan, std::int32_t segment, std::int64_t start_ns) {
  const Plan::Segment& planned = plan.segments[At(segment)];
  const std::int32_t service = planned.service;
  const bool hit = fault_now_ && fault_->service == service &&
                   (fault_->share >= 1 || rng_.Chance(fault_->share));
  std::int64_t begin_ns = start_ns;
  if (hit && fault_->kind == FaultKind::kDelay) {
    begin_ns +=
        static_cast<std::int64_t>(static_cast<double>(fault_->delay_ns) * (0.5 + rng_.Unit()));
  }
  if (hit && fault_->kind == FaultKind::kCpu)
    begin_ns += static_cast<std::int64_t>(static_cast<double>(fault_->delay_ns) * Exponential());
  bool fault = rng_.Chance(failing_[At(service)]) || (hit && fault_->kind == FaultKind::kErrors);

  std::vector<std::int64_t> ends;
  ends.reserve(planned.calls.size());
  const auto after = [&](std::int32_t call) { return call < 0 ? begin_ns : ends[At(call)]; };
  for (const Plan::Call& call : planned.calls) {
    const std::int64_t call_ns = after(call.after) + Work(call.gap_ns, service);
    const Plan::Segment& callee = plan.segments[At(call.callee)];
    std::int64_t there_ns = Work(call.there_ns, callee.service);
    std::int64_t back_ns = Work(call.back_ns, callee.service);
    if (fault_now_ && fault_->kind == FaultKind::kNetwork && fault_->service == callee.service) {
      // Both ways, and sometimes a packet more.
      there_ns += fault_->delay_ns * (rng_.Chance(0.3) ? 2 : 1) / 2;
      back_ns += fault_->delay_ns / 2;
    }
    const Ended ended = RunSegment(plan, call.callee, call_ns + there_ns);
    ends.push_back(ended.end_ns + back_ns);
    fault = fault || (ended.fault && rng_.Chance(kPassedOn));
    sink_->Add(rollup::EdgeSample{
        .from = key_ids_[At(service)],
        .to = key_ids_[At(callee.service)],
        .to_inferred = callee.inferred,
        .measured = {.start_ns = call_ns,
                     .end_ns = ends.back(),
                     .outcome = ended.fault ? model::Outcome::kFault : model::Outcome::kOk}});
  }
  const std::int64_t end_ns = after(planned.end_after) + Work(planned.end_gap_ns, service);
  sink_->Add(rollup::NodeSample{
      .key = key_ids_[At(service)],
      .inferred = planned.inferred,
      .measured = {.start_ns = start_ns,
                   .end_ns = end_ns,
                   .outcome = fault ? model::Outcome::kFault : model::Outcome::kOk}});
  return {.end_ns = end_ns, .fault = fault};
}

rollup::Rollup SumsOf(const Traffic& traffic, const Plan& plan, std::int64_t start_ns) {
  Traffic one{.name = traffic.name, .services = traffic.services, .plans = {plan}};
  Replay replay(one,
                {.request = 0,
                 .drift = 0,
                 .daily_times = 0,
                 .daily_traffic = 0,
                 .faults = 0,
                 .bad_minutes_per_day = 0},
                1);
  replay.RunOnce(start_ns);
  return replay.TakeUntil(INT64_MAX);
}

}  // namespace fluoro::judge
