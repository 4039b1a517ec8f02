#include "api/insights/insight_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <ranges>
#include <utility>

#include "base/json.h"
#include "base/json_tree.h"
#include "base/log.h"
#include "base/thread_name.h"
#include "base/uuid.h"
#include "rollup/sample.h"

namespace fluoro::api::insights {
namespace {

using analysis::AnomalyDetector;
using analysis::GraphMinute;
using analysis::Insight;
using analysis::InsightState;

constexpr std::int64_t kMinuteNs = AnomalyDetector::kMinuteNs;
constexpr std::int64_t kHourNs = 60 * kMinuteNs;
constexpr std::int64_t kDayNs = 24 * kHourNs;
constexpr std::chrono::seconds kLookEvery{5};
/// So much of the past is asked of the store at once.
constexpr std::int64_t kPieceNs = 15 * kMinuteNs;
constexpr std::int64_t kSeasonPieceNs = 6 * kHourNs;
constexpr std::int64_t kSeasonsNs = 7 * kDayNs;
constexpr std::int64_t kGraphDeadlineNs = 30 * kNsPerSecond;
/// Of all searches that replay the past of a filtered group.
constexpr std::int64_t kReplayNsMax = 60 * kNsPerSecond;
/// Who is told later learns nothing new.
constexpr std::int64_t kNotifyNsMax = 15 * kMinuteNs;

/// How far a group was looked at: {"EvaluatedUntilNs"}, by the group's ARN.
constexpr std::string_view kStateKind = "insight-state";

std::int64_t MinuteBefore(std::int64_t ns) { return ns - ns % kMinuteNs; }

std::optional<std::int64_t> EvaluatedUntil(const control::Snapshot& snapshot,
                                           std::string_view group_arn) {
  const control::Record* record = snapshot.Find(kStateKind, group_arn);
  if (record == nullptr) return std::nullopt;
  const auto tree = JsonTree::Parse(record->body);
  return tree ? tree->root()["EvaluatedUntilNs"].Int() : std::nullopt;
}

std::string StateBody(std::int64_t until_ns) {
  JsonWriter out;
  out.BeginObject().Key("EvaluatedUntilNs").Int(until_ns).EndObject();
  return out.Take();
}

/// Old ones, and the oldest beyond the bound; active ones stay. Unless there are too many, to look
/// at the beginning of each hour is enough.
Result<void> Prune(control::Transaction& change, std::int64_t now_ns) {
  FLUORO_TRY(const std::vector<control::Record> records, change.List(kInsightKind));
  if (records.size() <= kInsightsMax && now_ns % kHourNs >= kPieceNs) return {};
  struct Closed {
    std::int64_t update_ns;
    std::string_view name;
  };
  std::vector<Closed> closed;
  for (const control::Record& record : records) {
    const auto stored = ParseInsight(record.name, record.body);
    if (stored && stored->insight.state == InsightState::kActive) continue;
    closed.push_back({stored ? stored->insight.update_ns : 0, record.name});
  }
  std::ranges::sort(closed, {}, &Closed::update_ns);
  std::size_t left = records.size();
  for (const Closed& one : closed) {
    if (left <= kInsightsMax && now_ns - one.update_ns <= kRetentionNs) break;
    FLUORO_CHECK_OK(change.Delete(kInsightKind, one.name));
    --left;
  }
  return {};
}

}  // namespace

struct InsightService::GroupState {
  GroupState(std::string its_filter, std::vector<Insight> active)
      : filter(std::move(its_filter)), tracker(std::move(active), NewUuid) {}
  std::string filter;
  AnomalyDetector detector;
  analysis::InsightTracker tracker;
  std::int64_t until_ns = 0;               ///< minutes before were seen
  std::int64_t recorded_ns = 0;            ///< and this is recorded
  std::map<std::string, Insight> changed;  ///< since then, by id
  std::uint64_t crowded_out = 0;           ///< told to the metrics
};

InsightService::InsightService(store::TraceStore& store, control::Repository& control,
                               const Clock& clock, Metrics& metrics, const InsightOptions& options)
    : store_(store),
      control_(control),
      clock_(clock),
      metrics_(metrics),
      options_(options),
      webhook_(options.webhook, metrics) {
  CountActive();
}

InsightService::~InsightService() { Stop(); }

void InsightService::Start() {
  thread_ = std::jthread([this](const std::stop_token& stop) {
    NameThread("insights");
    stop_ = stop;
    std::mutex mutex;
    std::condition_variable_any stopping;
    std::unique_lock lock(mutex);
    do {
      Look();
    } while (!stopping.wait_for(lock, stop, kLookEvery, [&] { return stop.stop_requested(); }));
  });
}

void InsightService::Stop() {
  if (thread_.joinable()) {
    thread_.request_stop();
    thread_.join();
  }
  webhook_.Stop();
}

void InsightService::Look() {
  const auto snapshot = control_.Read();
  std::vector<control::Group> enabled;
  for (control::Group& group : control::ReadGroups(*snapshot, options_.place)) {
    if (group.insights_enabled) enabled.push_back(std::move(group));
  }
  std::erase_if(groups_, [&](const auto& entry) {
    return std::ranges::none_of(enabled, [&](const control::Group& group) {
      return group.arn == entry.first && group.filter == entry.second->filter;
    });
  });
  if (snapshot->generation() != closed_generation_) {
    closed_generation_ = snapshot->generation();
    if (const auto closed = CloseOrphans(enabled, *snapshot); !closed)
      log::Error("insights", {{"error", closed.error().message}});
  }
  for (const control::Group& group : enabled) {
    if (stop_.stop_requested()) return;
    LookAt(group, *snapshot);
  }
  CountActive();
}

void InsightService::LookAt(const control::Group& group, const control::Snapshot& snapshot) {
  const std::int64_t until_ns = MinuteBefore(clock_.UnixNs() - options_.settle_ns);
  auto& state = groups_[group.arn];
  if (state == nullptr) state = Begin(group, snapshot, until_ns);
  while (state->until_ns < until_ns && !stop_.stop_requested()) {
    const std::int64_t piece_ns = std::min(until_ns, state->until_ns + kPieceNs);
    const auto seen = See(*state, group, state->until_ns, piece_ns);
    if (!seen) {
      metrics_
          .GetCounter("fluoro_insight_failures_total",
                      "Looks at a group's minutes that failed and will be made again")
          .Add();
      log::Warn("insights", {{"group", group.name}, {"error", seen.error().message}});
      return;
    }
  }
  const std::uint64_t crowded_out = state->detector.crowded_out() + state->tracker.crowded_out();
  metrics_
      .GetCounter("fluoro_insight_crowded_out_total",
                  "Sums of services and calls, and anomalies, for which insights had no room")
      .Add(static_cast<double>(crowded_out - state->crowded_out));
  state->crowded_out = crowded_out;
}

std::unique_ptr<InsightService::GroupState> InsightService::Begin(const control::Group& group,
                                                                  const control::Snapshot& snapshot,
                                                                  std::int64_t until_ns) {
  std::vector<Insight> active;
  for (StoredInsight& stored : ReadInsights(snapshot)) {
    if (stored.group_arn == group.arn && stored.insight.state == InsightState::kActive)
      active.push_back(std::move(stored.insight));
  }
  auto state = std::make_unique<GroupState>(group.filter, std::move(active));
  const std::int64_t begin_ns =
      until_ns - (group.filter.empty() ? analysis::kBaselineHistoryNs : kFilteredHistoryNs);
  const std::int64_t evaluated_ns =
      std::clamp(EvaluatedUntil(snapshot, group.arn).value_or(begin_ns), begin_ns, until_ns);
  const std::int64_t started_ns = clock_.MonotonicNs();
  if (group.filter.empty()) LearnSeasons(*state, begin_ns);
  if (const auto replayed = Replay(*state, group, begin_ns, evaluated_ns); !replayed)
    log::Warn("insights: the past could not be read whole",
              {{"group", group.name}, {"error", replayed.error().message}});
  state->until_ns = evaluated_ns;
  state->recorded_ns = evaluated_ns;
  log::Info("insights on",
            {{"group", group.name},
             {"learnt_in_ms", fmt::format("{}", (clock_.MonotonicNs() - started_ns) / kNsPerMs)}});
  return state;
}

Result<std::vector<GraphMinute>> InsightService::MinutesIn(const control::Group& group,
                                                           std::int64_t from_ns,
                                                           std::int64_t until_ns) {
  if (group.filter.empty()) {
    FLUORO_TRY(const store::GraphResult found,
               store_.Graph({.from_ns = from_ns,
                             .until_ns = until_ns,
                             .period_ns = kMinuteNs,
                             .deadline_ns = clock_.MonotonicNs() + kGraphDeadlineNs,
                             .stop = stop_}));
    if (!found.complete) return Fail(ErrorCode::kDeadlineExceeded, "the sums are not whole");
    return analysis::MinutesOf(found.rollup);
  }
  FLUORO_TRY(const query::Filter filter,
             query::Filter::Parse(group.filter,
                                  {.groups = control::LookupIn(control_.Read(), options_.place)}));
  rollup::Rollup sums{kMinuteNs};
  rollup::KeyTable keys;
  const rollup::RollupWindow window{.from_ns = from_ns, .until_ns = until_ns};
  rollup::Rollup::Sink sink(sums, keys);
  sink.set_windows({&window, 1});
  const auto minutes = static_cast<std::uint64_t>((until_ns - from_ns) / kMinuteNs);
  query::Plan plan;
  plan.from_ns = from_ns;
  plan.until_ns = until_ns;
  plan.time_range = query::TimeRange::kService;
  plan.filter = filter;
  plan.scan_max = kTracesMax * minutes;
  plan.deadline_ns = clock_.MonotonicNs() + kSearchNsMax;
  plan.stop = stop_;
  FLUORO_TRY(const store::SearchResult found, store_.Search(plan, [&](const store::Match& match) {
    const double probability = match.trace.trace->kept.probability;
    sink.set_sign(probability > 0 ? std::llround(1 / probability) : 1);
    rollup::SampleTrace(match.trace, keys, sink);
    return true;
  }));
  if (!found.complete) {
    metrics_
        .GetCounter("fluoro_insight_cut_searches_total",
                    "Searches of groups with a filter that did not see all of their minutes")
        .Add();
    if (stop_.stop_requested()) return Fail(ErrorCode::kCancelled, "stopping");
  }
  return analysis::MinutesOf(sums);
}

Result<void> InsightService::Replay(GroupState& state, const control::Group& group,
                                    std::int64_t from_ns, std::int64_t until_ns) {
  // Of a filtered group what there is time for, the newest first.
  std::vector<std::vector<GraphMinute>> pieces;
  const std::int64_t deadline_ns = clock_.MonotonicNs() + kReplayNsMax;
  if (!group.filter.empty()) {
    for (std::int64_t end_ns = until_ns; end_ns > from_ns && clock_.MonotonicNs() < deadline_ns;
         end_ns -= kPieceNs) {
      FLUORO_TRY(auto minutes, MinutesIn(group, std::max(from_ns, end_ns - kPieceNs), end_ns));
      pieces.push_back(std::move(minutes));
    }
    for (const auto& minutes : std::views::reverse(pieces)) {
      for (const GraphMinute& minute : minutes) state.detector.Observe(minute);
    }
    return {};
  }
  for (std::int64_t begin_ns = from_ns; begin_ns < until_ns; begin_ns += kPieceNs) {
    FLUORO_TRY(const auto minutes,
               MinutesIn(group, begin_ns, std::min(until_ns, begin_ns + kPieceNs)));
    for (const GraphMinute& minute : minutes) state.detector.Observe(minute);
  }
  return {};
}

void InsightService::LearnSeasons(GroupState& state, std::int64_t until_ns) {
  const std::int64_t end_ns = until_ns - until_ns % AnomalyDetector::kSeasonNs;
  for (std::int64_t begin_ns = end_ns - (kSeasonsNs - kDayNs);
       begin_ns < end_ns && !stop_.stop_requested(); begin_ns += kSeasonPieceNs) {
    const auto found = store_.Graph({.from_ns = begin_ns,
                                     .until_ns = std::min(end_ns, begin_ns + kSeasonPieceNs),
                                     .period_ns = AnomalyDetector::kSeasonNs,
                                     .deadline_ns = clock_.MonotonicNs() + kGraphDeadlineNs,
                                     .stop = stop_});
    if (!found) continue;
    for (const GraphMinute& period : analysis::MinutesOf(found->rollup))
      state.detector.LearnSeason(period);
  }
}

Result<void> InsightService::See(GroupState& state, const control::Group& group,
                                 std::int64_t from_ns, std::int64_t until_ns) {
  FLUORO_TRY(auto minutes, MinutesIn(group, from_ns, until_ns));
  // The last minute is told even if nothing happened in it: then anomalies end.
  if (minutes.empty() || minutes.back().start_ns < until_ns - kMinuteNs)
    minutes.push_back({.start_ns = until_ns - kMinuteNs, .services = {}, .calls = {}});
  for (const GraphMinute& minute : minutes) {
    if (minute.start_ns < from_ns) continue;
    state.detector.Observe(minute);
    std::vector<Insight> now = state.tracker.Update(state.detector, minute);
    Notify(group, now);
    for (Insight& insight : now) state.changed.insert_or_assign(insight.id, std::move(insight));
  }
  state.until_ns = until_ns;
  const std::int64_t minutes_count = (until_ns - from_ns) / kMinuteNs;
  metrics_.GetCounter("fluoro_insight_minutes_total", "Minutes of groups that insights looked at")
      .Add(static_cast<double>(minutes_count));
  // Where nothing changes it is enough to know it now and then.
  if (state.changed.empty() && until_ns - state.recorded_ns < kPieceNs) return {};
  if (const auto recorded = Record(group, until_ns, state.changed); !recorded) {
    // They stay to be recorded with the next minute.
    log::Error("insights cannot be recorded",
               {{"group", group.name}, {"error", recorded.error().message}});
    return {};
  }
  state.changed.clear();
  state.recorded_ns = until_ns;
  return {};
}

Result<void> InsightService::Record(const control::Group& group, std::int64_t until_ns,
                                    const std::map<std::string, Insight>& changed) {
  return control_.Write("", [&](control::Transaction& change) -> Result<void> {
    for (const auto& [id, insight] : changed) {
      FLUORO_CHECK_OK(change.Put(
          kInsightKind, insight.id,
          InsightBody({.group_name = group.name, .group_arn = group.arn, .insight = insight})));
    }
    FLUORO_CHECK_OK(change.Put(kStateKind, group.arn, StateBody(until_ns)));
    return Prune(change, clock_.UnixNs());
  });
}

void InsightService::Notify(const control::Group& group, const std::vector<Insight>& changed) {
  for (const Insight& insight : changed) {
    if (insight.events.size() == 1 && insight.events.front().time_ns == insight.update_ns) {
      metrics_
          .GetCounter("fluoro_insights_opened_total", "Insights that were opened, by category",
                      {{"category", std::string(CategoryName(insight.category))}})
          .Add();
    }
    const bool is_event = insight.events.back().time_ns == insight.update_ns;
    if (!is_event || !group.notifications_enabled || !webhook_.enabled() ||
        clock_.UnixNs() - insight.update_ns > kNotifyNsMax)
      continue;
    webhook_.Send(
        NotificationBody({.group_name = group.name, .group_arn = group.arn, .insight = insight},
                         NewUuid(), options_.place));
  }
}

Result<void> InsightService::CloseOrphans(const std::vector<control::Group>& enabled,
                                          const control::Snapshot& snapshot) {
  std::vector<StoredInsight> orphans;
  for (StoredInsight& stored : ReadInsights(snapshot)) {
    if (stored.insight.state == InsightState::kActive &&
        std::ranges::find(enabled, stored.group_arn, &control::Group::arn) == enabled.end())
      orphans.push_back(std::move(stored));
  }
  if (orphans.empty()) return {};
  return control_.Write("", [&](control::Transaction& change) -> Result<void> {
    for (StoredInsight& stored : orphans) {
      stored.insight.state = InsightState::kClosed;
      stored.insight.summary = "Nobody watches any more. Insights of group " + stored.group_name +
                               " were switched off, or the group was deleted.";
      FLUORO_CHECK_OK(change.Put(kInsightKind, stored.insight.id, InsightBody(stored)));
      FLUORO_CHECK_OK(change.Delete(kStateKind, stored.group_arn));
    }
    return {};
  });
}

void InsightService::CountActive() {
  for (const analysis::AnomalyCategory category : analysis::kAnomalyCategories) {
    std::size_t active = 0;
    for (const auto& [arn, state] : groups_) {
      active += static_cast<std::size_t>(
          std::ranges::count(state->tracker.active(), category, &Insight::category));
    }
    metrics_
        .GetGauge("fluoro_insights_active", "Insights that are active, by category",
                  {{"category", std::string(CategoryName(category))}})
        .Set(static_cast<double>(active));
  }
}

}  // namespace fluoro::api::insights
