#include "analysis/insight.h"

#include <algorithm>
#include <map>
#include <optional>

#include "analysis/insight_text.h"

namespace fluoro::analysis {
namespace {

/// So much of an excess must a callee explain to be where it comes from.
constexpr double kExplains = 0.4;
/// The same of one that cannot be judged: too few requests, or too new.
constexpr double kExplainsUnjudged = 0.6;
constexpr int kMinutesMin = 3;
constexpr int kMinutesMax = 15;
/// Faults of clients that make an event of their own: by so much more than in the last one.
constexpr double kImpactGrowth = 1.1;

int MinutesOfWatch(const Watch& watch, std::int64_t now_ns) {
  const std::int64_t minutes = (now_ns - watch.start_ns) / AnomalyDetector::kMinuteNs + 1;
  return static_cast<int>(std::clamp<std::int64_t>(minutes, kMinutesMin, kMinutesMax));
}

/// The one of these that stands out most, or nothing.
std::optional<ServiceNumber> Worst(const AnomalyDetector& detector,
                                   const std::set<model::ServiceKey>& keys,
                                   AnomalyCategory category) {
  std::optional<ServiceNumber> worst;
  double most = 0;
  for (const model::ServiceKey& key : keys) {
    const auto service = detector.Find(key);
    if (!service || !detector.WatchOf(*service, category).open) continue;
    const double excess = detector.ExcessOf(*service, category, kMinutesMax);
    if (worst && excess <= most) continue;
    worst = service;
    most = excess;
  }
  return worst;
}

InsightEvent EventOf(const Insight& insight) {
  return {.time_ns = insight.update_ns,
          .summary = insight.summary,
          .clients = insight.clients,
          .root_cause = insight.root_cause_counts,
          .top_services = insight.top_services};
}

void AddEvent(Insight& insight) {
  if (insight.events.size() >= Insight::kEventsMax)
    insight.events.erase(insight.events.begin() + 1);
  insight.events.push_back(EventOf(insight));
}

/// Index of the service, which is added if there is room; -1 if there is none.
std::int32_t PlaceOf(ImpactGraph& graph, const model::ServiceKey& key, bool client,
                     std::int64_t now_ns) {
  for (std::size_t i = 0; i < graph.services.size(); ++i) {
    ImpactGraph::Service& service = graph.services[i];
    if (service.client != client || service.key != key) continue;
    service.last_ns = now_ns;
    return static_cast<std::int32_t>(i);
  }
  if (graph.services.size() >= ImpactGraph::kServicesMax) return -1;
  graph.services.push_back({.key = key, .client = client, .first_ns = now_ns, .last_ns = now_ns});
  return static_cast<std::int32_t>(graph.services.size()) - 1;
}

void AddCall(ImpactGraph& graph, std::int32_t from, std::int32_t to) {
  if (from >= 0 && to >= 0) graph.calls.emplace(from, to);
}

GraphMinute WithoutTimes(GraphMinute minute) {
  const auto strip = [](auto& parts) {
    for (auto& part : parts)
      std::vector<rollup::DurationCounts::Bucket>().swap(part.requests.times);
  };
  strip(minute.services);
  strip(minute.calls);
  return minute;
}

}  // namespace

void ImpactCounts::Add(const RequestSums& sums) {
  fault += sums.fault;
  ok += sums.ok;
  total += sums.total;
}

ServiceNumber RootCauseOf(const AnomalyDetector& detector, ServiceNumber service,
                          AnomalyCategory category) {
  const Watch& first = detector.WatchOf(service, category);
  const int minutes = MinutesOfWatch(first, first.last_above_ns);
  std::set<ServiceNumber> visited{service};
  for (;;) {
    const double excess = detector.ExcessOf(service, category, minutes);
    std::optional<ServiceNumber> next;
    double most = 0;
    for (const ServiceNumber callee : detector.CalleesOf(service)) {
      if (visited.contains(callee)) continue;
      const Watch& watch = detector.WatchOf(callee, category);
      const bool unjudged = !watch.IsSuspect() && watch.inside == 0;
      if (!watch.IsSuspect() && !unjudged) continue;
      const double part = detector.CallExcess(service, callee, category, minutes);
      const double wanted = excess * (unjudged ? kExplainsUnjudged : kExplains);
      if (part <= 0 || part < wanted || part <= most) continue;
      next = callee;
      most = part;
    }
    if (!next) return service;
    service = *next;
    visited.insert(service);
  }
}

namespace {

/// What the root cause is now, judged from the service that stands out most; a root cause that is
/// still suspect and has the greater part of its own stays, since minutes are noisy.
model::ServiceKey RootNow(const AnomalyDetector& detector, const Insight& insight) {
  const auto worst = Worst(detector, insight.affected, insight.category);
  if (!worst) return insight.root_cause;
  const ServiceNumber root = RootCauseOf(detector, *worst, insight.category);
  const auto old = detector.Find(insight.root_cause);
  const bool stays = old && detector.WatchOf(*old, insight.category).IsSuspect() &&
                     detector.OwnExcess(root, insight.category, kMinutesMax) <=
                         detector.OwnExcess(*old, insight.category, kMinutesMax);
  return stays ? insight.root_cause : detector.KeyOf(root);
}

void DrawGraph(const AnomalyDetector& detector, Insight& insight, const GraphMinute& minute) {
  ImpactGraph& graph = insight.graph;
  std::set<model::ServiceKey> keys = insight.affected;
  keys.insert(insight.root_cause);
  std::map<ServiceNumber, std::int32_t> places;
  for (const model::ServiceKey& key : keys) {
    const std::int32_t place = PlaceOf(graph, key, false, minute.start_ns);
    if (const auto number = detector.Find(key); number && place >= 0)
      places.emplace(*number, place);
  }
  for (const auto& [number, place] : places) {
    for (const ServiceNumber callee : detector.CalleesOf(number)) {
      if (const auto found = places.find(callee); found != places.end())
        AddCall(graph, place, found->second);
    }
  }
  for (const auto& call : minute.calls) {
    if (call.from != GraphMinute::kClient) continue;
    const model::ServiceKey& key = minute.services[static_cast<std::size_t>(call.to)].key;
    if (!keys.contains(key)) continue;
    AddCall(graph, PlaceOf(graph, key, true, minute.start_ns),
            PlaceOf(graph, key, false, minute.start_ns));
  }
}

/// Whether it says something else than its last event.
bool HasNews(const Insight& insight) {
  if (insight.events.empty()) return true;
  const InsightEvent& last = insight.events.back();
  const std::set now(insight.top_services.begin(), insight.top_services.end());
  return insight.top_services.front() != last.top_services.front() ||
         now != std::set(last.top_services.begin(), last.top_services.end()) ||
         insight.clients.fault > last.clients.fault * kImpactGrowth ||
         insight.root_cause_counts.fault > last.root_cause.fault * kImpactGrowth;
}

}  // namespace

InsightTracker::InsightTracker(std::vector<Insight> active, std::function<std::string()> new_id)
    : active_(std::move(active)), new_id_(std::move(new_id)) {}

void InsightTracker::Attribute(const AnomalyDetector& detector, AnomalyCategory category) {
  for (ServiceNumber service = 0; service < detector.services_end(); ++service) {
    if (!detector.Has(service)) continue;
    const Watch& watch = detector.WatchOf(service, category);
    const model::ServiceKey& key = detector.KeyOf(service);
    const auto explains = [&](const Insight& insight) {
      return insight.category == category && insight.affected.contains(key);
    };
    const auto known = std::ranges::find_if(active_, explains);
    if (!watch.open) {
      if (known != active_.end()) known->affected.erase(key);
      continue;
    }
    if (known != active_.end()) continue;
    const ServiceNumber root = RootCauseOf(detector, service, category);
    const model::ServiceKey& root_key = detector.KeyOf(root);
    const auto same = std::ranges::find_if(active_, [&](const Insight& insight) {
      return insight.category == category &&
             (insight.root_cause == root_key || insight.affected.contains(root_key));
    });
    if (same != active_.end()) {
      same->affected.insert(key);
      continue;
    }
    if (active_.size() >= kActiveMax) {
      ++crowded_out_;
      continue;
    }
    Insight& insight = active_.emplace_back();
    insight.id = new_id_();
    insight.category = category;
    insight.root_cause = root_key;
    insight.start_ns = watch.start_ns;
    insight.affected.insert(key);
  }
}

void InsightTracker::FindRoots(const AnomalyDetector& detector, std::size_t known) {
  for (std::size_t i = 0; i < known; ++i) {
    Insight& insight = active_[i];
    model::ServiceKey root = RootNow(detector, insight);
    if (root == insight.root_cause) continue;
    insight.root_cause = std::move(root);
    Count(insight, insight.start_ns);
  }
  // Two that turn out to be one: the older goes on.
  for (std::size_t i = 0; i < active_.size(); ++i) {
    for (std::size_t j = i + 1; j < active_.size(); ++j) {
      if (active_[i].category != active_[j].category ||
          active_[i].root_cause != active_[j].root_cause)
        continue;
      active_[i].affected.merge(active_[j].affected);
      active_[j].affected.clear();
      active_[j].merged_into = active_[i].id;
    }
  }
}

void InsightTracker::Count(Insight& insight, std::int64_t from_ns) const {
  const bool is_new = insight.clients.total == 0;
  insight.root_cause_counts = {};
  for (const GraphMinute& minute : recent_) {
    if (minute.start_ns < from_ns) continue;
    for (const auto& call : minute.calls) {
      if (is_new && call.from == GraphMinute::kClient) insight.clients.Add(call.requests);
    }
    for (const auto& service : minute.services) {
      if (service.key == insight.root_cause) insight.root_cause_counts.Add(service.requests);
    }
  }
}

void InsightTracker::Refresh(const AnomalyDetector& detector, Insight& insight,
                             const GraphMinute& minute) {
  struct Part {
    double excess = 0;
    const model::ServiceKey* key = nullptr;
  };
  std::vector<Part> parts;
  for (const model::ServiceKey& key : insight.affected) {
    const auto service = detector.Find(key);
    if (!service || key == insight.root_cause) continue;
    const Watch& watch = detector.WatchOf(*service, insight.category);
    parts.push_back({.excess = detector.OwnExcess(*service, insight.category,
                                                  MinutesOfWatch(watch, minute.start_ns)),
                     .key = &key});
  }
  std::ranges::stable_sort(parts, std::greater<>(), &Part::excess);
  insight.top_services = {insight.root_cause};
  for (const Part& part : parts) {
    if (insight.top_services.size() < Insight::kTopServicesMax)
      insight.top_services.push_back(*part.key);
  }
  // The root cause speaks for itself where it can be judged.
  std::optional<ServiceNumber> shown = detector.Find(insight.root_cause);
  if (!shown || !detector.WatchOf(*shown, insight.category).IsSuspect())
    shown = Worst(detector, insight.affected, insight.category);
  if (shown) {
    const Watch& watch = detector.WatchOf(*shown, insight.category);
    if (watch.seen >= insight.seen) insight.seen = watch.seen;
    insight.usual_max = watch.usual_max;
    insight.end_ns = std::max(insight.end_ns, watch.last_above_ns + AnomalyDetector::kMinuteNs);
  }
  DrawGraph(detector, insight, minute);
}

std::vector<Insight> InsightTracker::Update(const AnomalyDetector& detector,
                                            const GraphMinute& minute) {
  for (Insight& insight : active_) {
    for (const auto& call : minute.calls) {
      if (call.from == GraphMinute::kClient) insight.clients.Add(call.requests);
    }
    for (const auto& service : minute.services) {
      if (service.key == insight.root_cause) insight.root_cause_counts.Add(service.requests);
    }
  }
  recent_.push_back(WithoutTimes(minute));
  if (recent_.size() > static_cast<std::size_t>(kMinutesMax)) recent_.pop_front();

  const std::size_t known = active_.size();
  for (const AnomalyCategory category : kAnomalyCategories) Attribute(detector, category);
  for (std::size_t i = known; i < active_.size(); ++i) Count(active_[i], active_[i].start_ns);
  FindRoots(detector, known);

  std::vector<Insight> changed;
  for (Insight& insight : active_) {
    insight.update_ns = minute.start_ns + AnomalyDetector::kMinuteNs;
    if (insight.affected.empty()) {
      insight.state = InsightState::kClosed;
      insight.summary = SummaryOf(insight);
      AddEvent(insight);
    } else {
      Refresh(detector, insight, minute);
      insight.summary = SummaryOf(insight);
      if (HasNews(insight)) AddEvent(insight);
    }
    changed.push_back(insight);
  }
  std::erase_if(active_,
                [](const Insight& insight) { return insight.state == InsightState::kClosed; });
  return changed;
}

}  // namespace fluoro::analysis
