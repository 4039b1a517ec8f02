#include "analysis/anomaly.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/assert.h"

namespace fluoro::analysis {
namespace {

constexpr std::size_t kRecentMinutes = 15;
/// A service with few requests is judged by the least of these that holds enough.
constexpr std::array<std::size_t, 4> kWindows{1, 2, 5, 15};
constexpr double kJudgedRequests = 10;
/// A quantile of fewer says little about how steady a service is.
constexpr double kSpreadRequests = 100;
/// One fault is no series of faults.
constexpr double kHitsMin = 2;
/// A p95 that rises by less, in buckets of 4 %, is nobody's trouble: 27 %.
constexpr double kSlowerBuckets = 6;
/// Nor one within so many of its usual spreads.
constexpr double kSlowerSpreads = 4;
/// So long without a request and an anomaly is over.
constexpr int kSilentMinutes = 15;
constexpr std::int64_t kForgetNs = 2 * kBaselineHistoryNs;
constexpr std::int64_t kDayNs = kBaselineHistoryNs;
constexpr std::size_t kSeasons = kDayNs / AnomalyDetector::kSeasonNs;
/// Quarters of an hour that wait until they count as of an earlier day.
constexpr std::size_t kSeasonsPending = 3;
/// Of the newest day in what is usual at a time of day.
constexpr double kSeasonWeight = 0.4;

/// The last minutes, newest first.
template <class Sums>
class Recent {
 public:
  void Push() { minutes_[at_ = (at_ + kRecentMinutes - 1) % kRecentMinutes] = Sums{}; }
  Sums& Now() { return minutes_[at_]; }
  [[nodiscard]] const Sums& Now() const { return minutes_[at_]; }
  [[nodiscard]] Sums Last(std::size_t minutes) const {
    Sums sums = minutes_[at_];
    for (std::size_t i = 1; i < std::min(minutes, kRecentMinutes); ++i)
      sums.Add(minutes_[(at_ + i) % kRecentMinutes]);
    return sums;
  }
  /// A minute of the past; 0: the last one.
  [[nodiscard]] const Sums& Ago(std::size_t minutes) const {
    return minutes_[(at_ + minutes) % kRecentMinutes];
  }
  /// Minutes of the shortest window that holds enough requests; 0: none does.
  [[nodiscard]] std::size_t WindowOf(double requests) const {
    double total = 0;
    std::size_t minutes = 0;
    for (const std::size_t window : kWindows) {
      for (; minutes < window; ++minutes) total += Ago(minutes).total;
      if (total >= requests) return window;
    }
    return 0;
  }

 private:
  std::array<Sums, kRecentMinutes> minutes_{};
  std::size_t at_ = 0;
};

/// Means that fade as baselines do.
struct UsualMeans {
  std::int64_t last_ns = INT64_MIN;
  double total = 0;
  double sum = 0;
  void Learn(std::int64_t start_ns, double added, double requests) {
    if (last_ns != INT64_MIN) {
      const double factor = std::exp2(-static_cast<double>(start_ns - last_ns) /
                                      static_cast<double>(kBaselineHalfLifeNs));
      total *= factor;
      sum *= factor;
    }
    last_ns = start_ns;
    total += requests;
    sum += added;
  }
  [[nodiscard]] double Excess(double seen, double requests) const {
    return total > 0 ? seen - requests * sum / total : 0;
  }
};

struct CallSums {
  double total = 0;
  double fault = 0;
  double seconds = 0;
  void Add(const CallSums& other) {
    total += other.total;
    fault += other.fault;
    seconds += other.seconds;
  }
};

using Buckets = std::array<std::int16_t, TimesBaseline::kQuantiles.size()>;

/// What a service did at one time of day.
struct Season {
  float requests = 0;
  float faults = 0;
  Buckets slow{-1, -1};
  Buckets slow_arrivals{-1, -1};
};

struct Quarter {
  std::int64_t start_ns = INT64_MIN;
  RequestSums requests;
  RequestSums arrivals;
};

std::size_t SeasonAt(std::int64_t ns) {
  const std::int64_t of_day = ((ns % kDayNs) + kDayNs) % kDayNs;
  return static_cast<std::size_t>(of_day / AnomalyDetector::kSeasonNs);
}

std::int16_t Mixed(std::int16_t known, std::int16_t added) {
  if (known < 0) return added;
  if (added < 0) return known;
  return static_cast<std::int16_t>(
      std::lround((1 - kSeasonWeight) * known + kSeasonWeight * added));
}

class Seasons {
 public:
  /// Quarters of earlier days at this time, and the ones beside them: the worst of them.
  [[nodiscard]] Season At(std::int64_t ns) const {
    Season worst;
    double share = -1;
    if (seasons_.empty()) return worst;
    for (const std::size_t step : {kSeasons - 1, std::size_t{0}, std::size_t{1}}) {
      const Season& season = seasons_[(SeasonAt(ns) + step) % kSeasons];
      if (season.requests < kTrainingRequests) continue;
      if (const double its = season.faults / season.requests; its > share) {
        share = its;
        worst.requests = season.requests;
        worst.faults = season.faults;
      }
      for (std::size_t i = 0; i < worst.slow.size(); ++i) {
        worst.slow[i] = std::max(worst.slow[i], season.slow[i]);
        worst.slow_arrivals[i] = std::max(worst.slow_arrivals[i], season.slow_arrivals[i]);
      }
    }
    return worst;
  }

  void Learn(std::int64_t start_ns, const RequestSums* requests, const RequestSums* arrivals) {
    const std::int64_t quarter_ns =
        start_ns - (((start_ns % kQuarterNs) + kQuarterNs) % kQuarterNs);
    if (pending_.empty() || pending_.back().start_ns != quarter_ns) {
      pending_.emplace_back().start_ns = quarter_ns;
      if (pending_.size() > kSeasonsPending) {
        Fold(pending_.front());
        pending_.pop_front();
      }
    }
    if (requests != nullptr) pending_.back().requests.Add(*requests);
    if (arrivals != nullptr) pending_.back().arrivals.Add(*arrivals);
  }

 private:
  static constexpr std::int64_t kQuarterNs = AnomalyDetector::kSeasonNs;

  void Fold(const Quarter& quarter) {
    if (seasons_.empty()) seasons_.resize(kSeasons);
    Season& season = seasons_[SeasonAt(quarter.start_ns)];
    const bool is_first = season.requests == 0;
    const double weight = is_first ? 1 : kSeasonWeight;
    const auto mix = [&](float& known, double added) {
      known = static_cast<float>((1 - weight) * static_cast<double>(known) + weight * added);
    };
    mix(season.requests, quarter.requests.total);
    mix(season.faults, quarter.requests.fault);
    for (std::size_t i = 0; i < season.slow.size(); ++i) {
      const double quantile = TimesBaseline::kQuantiles[i];
      season.slow[i] = Mixed(season.slow[i], QuantileBucket(quarter.requests.times, quantile));
      season.slow_arrivals[i] =
          Mixed(season.slow_arrivals[i], QuantileBucket(quarter.arrivals.times, quantile));
    }
  }

  std::vector<Season> seasons_;  ///< empty until the first day is folded
  std::deque<Quarter> pending_;
};

}  // namespace

struct AnomalyDetector::Service {
  model::ServiceKey key;
  std::int64_t last_seen_ns = 0;
  Recent<RequestSums> requests;
  Recent<RequestSums> arrivals;  ///< the same in the view of callers that are services
  ShareBaseline faults;
  TimesBaseline times;
  TimesBaseline arrival_times;
  UsualMeans mean_faults;
  UsualMeans mean_seconds;
  UsualMeans mean_arrival_faults;
  UsualMeans mean_arrival_seconds;
  Seasons seasons;
  std::array<Watch, kAnomalyCategories.size()> watches;
  [[nodiscard]] Watch& Of(AnomalyCategory category) {
    return watches[static_cast<std::size_t>(category)];
  }
  [[nodiscard]] const Watch& Of(AnomalyCategory category) const {
    return watches[static_cast<std::size_t>(category)];
  }
};

struct AnomalyDetector::Calls {
  std::int64_t last_seen_ns = 0;
  Recent<CallSums> recent;
  UsualMeans faults;
  UsualMeans seconds;
};

/// What one minute says of one category.
struct AnomalyDetector::Judgement {
  enum class Kind : std::uint8_t { kUnknown, kInside, kAbove };
  Kind kind = Kind::kUnknown;
  double seen = 0;
  double usual_max = 0;
};

AnomalyDetector::AnomalyDetector(const AnomalyOptions& options) : options_(options) {}
AnomalyDetector::~AnomalyDetector() = default;
AnomalyDetector::AnomalyDetector(AnomalyDetector&&) noexcept = default;

ServiceNumber AnomalyDetector::services_end() const {
  return static_cast<ServiceNumber>(services_.size());
}

bool AnomalyDetector::Has(ServiceNumber service) const {
  return service >= 0 && service < services_end() &&
         services_[static_cast<std::size_t>(service)] != nullptr;
}

const AnomalyDetector::Service& AnomalyDetector::At(ServiceNumber service) const {
  FLUORO_ASSERT(Has(service));
  return *services_[static_cast<std::size_t>(service)];
}

AnomalyDetector::Service& AnomalyDetector::At(ServiceNumber service) {
  FLUORO_ASSERT(Has(service));
  return *services_[static_cast<std::size_t>(service)];
}

std::optional<ServiceNumber> AnomalyDetector::Find(const model::ServiceKey& key) const {
  const auto found = numbers_.find(key);
  if (found == numbers_.end()) return std::nullopt;
  return found->second;
}

const model::ServiceKey& AnomalyDetector::KeyOf(ServiceNumber service) const {
  return At(service).key;
}

const Watch& AnomalyDetector::WatchOf(ServiceNumber service, AnomalyCategory category) const {
  return At(service).Of(category);
}

std::optional<ServiceNumber> AnomalyDetector::NumberOf(const model::ServiceKey& key,
                                                       std::int64_t now_ns) {
  if (const auto known = Find(key)) {
    At(*known).last_seen_ns = now_ns;
    return known;
  }
  if (numbers_.size() >= options_.services_max) {
    ++crowded_out_;
    return std::nullopt;
  }
  ServiceNumber number = services_end();
  if (free_.empty()) {
    services_.emplace_back();
  } else {
    number = free_.back();
    free_.pop_back();
  }
  auto& service = services_[static_cast<std::size_t>(number)] = std::make_unique<Service>();
  service->key = key;
  service->last_seen_ns = now_ns;
  numbers_.emplace(key, number);
  return number;
}

void AnomalyDetector::Forget(std::int64_t now_ns) {
  std::erase_if(calls_, [&](const auto& entry) {
    return now_ns - entry.second->last_seen_ns > kForgetNs ||
           now_ns - At(entry.first.first).last_seen_ns > kForgetNs ||
           now_ns - At(entry.first.second).last_seen_ns > kForgetNs;
  });
  std::erase_if(numbers_, [&](const auto& entry) {
    auto& service = services_[static_cast<std::size_t>(entry.second)];
    if (now_ns - service->last_seen_ns <= kForgetNs) return false;
    service.reset();
    free_.push_back(entry.second);
    return true;
  });
}

void AnomalyDetector::Advance(std::int64_t start_ns) {
  FLUORO_ASSERT(start_ns > last_ns_);
  const std::int64_t gap = last_ns_ == INT64_MIN ? 1 : (start_ns - last_ns_) / kMinuteNs;
  const auto steps = std::clamp<std::int64_t>(gap, 1, kRecentMinutes);
  for (std::int64_t i = 0; i < steps; ++i) {
    for (const auto& service : services_) {
      if (service == nullptr) continue;
      service->requests.Push();
      service->arrivals.Push();
    }
    for (const auto& [key, calls] : calls_) calls->recent.Push();
  }
  last_ns_ = start_ns;
}

void AnomalyDetector::Observe(const GraphMinute& minute) {
  // Minutes that did not come were silent ones; no more of them need be told than end everything.
  if (last_ns_ != INT64_MIN) {
    const std::int64_t oldest_ns = minute.start_ns - (kSilentMinutes + 1) * kMinuteNs;
    for (std::int64_t silent_ns = std::max(last_ns_ + kMinuteNs, oldest_ns);
         silent_ns < minute.start_ns; silent_ns += kMinuteNs) {
      Advance(silent_ns);
      for (const auto& service : services_) {
        if (service != nullptr) Judge(*service, silent_ns);
      }
    }
  }
  Advance(minute.start_ns);
  std::vector<std::optional<ServiceNumber>> numbers;
  numbers.reserve(minute.services.size());
  for (const GraphMinute::Service& service : minute.services) {
    numbers.push_back(NumberOf(service.key, minute.start_ns));
    if (numbers.back()) At(*numbers.back()).requests.Now() = service.requests;
  }
  for (const GraphMinute::Call& call : minute.calls) {
    const auto to = numbers[static_cast<std::size_t>(call.to)];
    if (call.from == GraphMinute::kClient || !to) continue;
    At(*to).arrivals.Now().Add(call.requests);
    const auto from = numbers[static_cast<std::size_t>(call.from)];
    if (!from) continue;
    auto found = calls_.find({*from, *to});
    if (found == calls_.end()) {
      if (calls_.size() >= options_.calls_max) {
        ++crowded_out_;
        continue;
      }
      found = calls_.emplace(CallKey{*from, *to}, std::make_unique<Calls>()).first;
    }
    found->second->last_seen_ns = minute.start_ns;
    found->second->recent.Now().Add({.total = call.requests.total,
                                     .fault = call.requests.fault,
                                     .seconds = call.requests.seconds});
  }
  for (const auto& service : services_) {
    if (service != nullptr) Judge(*service, minute.start_ns);
  }
  LearnCalls(minute.start_ns);
  if (forgot_ns_ == INT64_MIN) forgot_ns_ = minute.start_ns;
  if (minute.start_ns - forgot_ns_ >= kSeasonNs) {
    Forget(minute.start_ns);
    forgot_ns_ = minute.start_ns;
  }
}

void AnomalyDetector::LearnSeason(const GraphMinute& period) {
  std::vector<std::optional<ServiceNumber>> numbers;
  std::vector<RequestSums> arrivals(period.services.size());
  for (const GraphMinute::Call& call : period.calls) {
    if (call.from != GraphMinute::kClient)
      arrivals[static_cast<std::size_t>(call.to)].Add(call.requests);
  }
  for (std::size_t i = 0; i < period.services.size(); ++i) {
    if (const auto number = NumberOf(period.services[i].key, period.start_ns))
      At(*number).seasons.Learn(period.start_ns, &period.services[i].requests, &arrivals[i]);
  }
}

namespace {

/// Whether the last minutes hold more hits than usual. A window of one minute is a minute. One of
/// several must show it without its worst minute, too, and in the last one: otherwise it would tell
/// of one bad minute several times.
template <class Hits>
bool IsAbove(const Recent<RequestSums>& recent, std::size_t window, const UsualShare& usual,
             const Hits& hits) {
  double all_hits = 0;
  double total = 0;
  double worst_hits = 0;
  double worst_total = 0;
  for (std::size_t i = 0; i < window; ++i) {
    const RequestSums& minute = recent.Ago(i);
    const double its = hits(minute);
    all_hits += its;
    total += minute.total;
    if (its - minute.total * usual.share <= worst_hits - worst_total * usual.share) continue;
    worst_hits = its;
    worst_total = minute.total;
  }
  const auto leaves = [&](double count, double requests) {
    return count >= kHitsMin && count > BandOf(usual, requests).high;
  };
  if (!leaves(all_hits, total)) return false;
  if (window == 1) return true;
  const RequestSums& now = recent.Now();
  return hits(now) > now.total * usual.share && leaves(all_hits - worst_hits, total - worst_total);
}

struct Slowness {
  bool above = false;
  std::int16_t seen = 0;
  std::int16_t usual = 0;
};
/// Whether requests take longer than usual. Nothing: that cannot be said.
std::optional<Slowness> SlownessOf(const Recent<RequestSums>& recent, const TimesBaseline& baseline,
                                   const Buckets& season, std::int64_t start_ns) {
  if (recent.Now().times.empty() || !baseline.IsReady(start_ns)) return std::nullopt;
  const std::size_t window = recent.WindowOf(kJudgedRequests);
  if (window == 0) return std::nullopt;
  const RequestSums sums = recent.Last(window);
  std::optional<Slowness> slowness;
  for (std::size_t i = 0; i < TimesBaseline::kQuantiles.size(); ++i) {
    const double quantile = TimesBaseline::kQuantiles[i];
    Slowness here{.seen = QuantileBucket(sums.times, quantile),
                  .usual = std::max(baseline.SlowBucket(i), season[i])};
    UsualShare usual = baseline.UsualAbove(here.usual, i);
    if (season[i] >= baseline.SlowBucket(i)) usual.share = std::max(usual.share, 1 - quantile);
    here.above =
        here.seen - here.usual >= std::max(kSlowerBuckets, kSlowerSpreads * baseline.Spread(i)) &&
        IsAbove(recent, window, usual,
                [&](const RequestSums& minute) { return CountAbove(minute.times, here.usual); });
    if (!slowness || (here.above && !slowness->above)) slowness = here;
  }
  return slowness;
}

}  // namespace

AnomalyDetector::Judgement AnomalyDetector::JudgeFaults(const Service& service,
                                                        std::int64_t start_ns) const {
  if (service.requests.Now().total <= 0 || !service.faults.IsReady(start_ns)) return {};
  const std::size_t window = service.requests.WindowOf(kJudgedRequests);
  if (window == 0) return {};
  UsualShare usual = service.faults.Usual();
  const Season season = service.seasons.At(start_ns);
  if (season.requests > 0)
    usual.share = std::max(usual.share, (season.faults + 0.5) / (season.requests + 1.0));
  const RequestSums sums = service.requests.Last(window);
  const bool above = IsAbove(service.requests, window, usual,
                             [](const RequestSums& minute) { return minute.fault; });
  return {.kind = above ? Judgement::Kind::kAbove : Judgement::Kind::kInside,
          .seen = sums.fault / sums.total,
          .usual_max = BandOf(usual, sums.total).high / sums.total};
}

AnomalyDetector::Judgement AnomalyDetector::JudgeTimes(const Service& service,
                                                       std::int64_t start_ns) const {
  const Season season = service.seasons.At(start_ns);
  const auto own = SlownessOf(service.requests, service.times, season.slow, start_ns);
  const auto arrivals =
      SlownessOf(service.arrivals, service.arrival_times, season.slow_arrivals, start_ns);
  if (!own && !arrivals) return {};
  // What callers see tells of the way there; the service itself, of the service.
  const bool by_callers = !own || (!own->above && arrivals && arrivals->above);
  const Slowness& shown = by_callers ? *arrivals : *own;
  return {.kind = shown.above ? Judgement::Kind::kAbove : Judgement::Kind::kInside,
          .seen = BucketSeconds(shown.seen),
          .usual_max = BucketSeconds(shown.usual)};
}

void AnomalyDetector::Follow(Watch& watch, const Judgement& judgement,
                             std::int64_t start_ns) const {
  switch (judgement.kind) {
    case Judgement::Kind::kUnknown:
      if (++watch.unknown >= kSilentMinutes) watch = {};
      return;
    case Judgement::Kind::kInside:
      watch.unknown = 0;
      watch.above = 0;
      ++watch.inside;
      if (watch.open && watch.inside >= options_.close_minutes) watch = {};
      return;
    case Judgement::Kind::kAbove:
      watch.unknown = 0;
      watch.inside = 0;
      if (!watch.open && watch.above == 0) watch.start_ns = start_ns;
      ++watch.above;
      watch.last_above_ns = start_ns;
      watch.seen = judgement.seen;
      watch.usual_max = judgement.usual_max;
      watch.open = watch.open || watch.above >= options_.open_minutes;
      return;
  }
}

void AnomalyDetector::Judge(Service& service, std::int64_t start_ns) {
  const RequestSums& now = service.requests.Now();
  const RequestSums& arrivals = service.arrivals.Now();
  Watch& faults = service.Of(AnomalyCategory::kFault);
  Watch& times = service.Of(AnomalyCategory::kLatency);
  const auto forget_if_long = [&](Watch& watch) {
    if (!watch.open || start_ns - watch.start_ns < options_.anomaly_ns_max) return;
    watch = {};
    service.faults = {};
    service.times = {};
    service.arrival_times = {};
    service.seasons = {};
  };
  Follow(faults, JudgeFaults(service, start_ns), start_ns);
  Follow(times, JudgeTimes(service, start_ns), start_ns);
  forget_if_long(faults);
  forget_if_long(times);

  // What is not usual is not learnt.
  if (!faults.IsSuspect()) {
    service.faults.Learn(start_ns, now.fault, now.total);
    service.mean_faults.Learn(start_ns, now.fault, now.total);
    service.mean_arrival_faults.Learn(start_ns, arrivals.fault, arrivals.total);
  }
  if (!times.IsSuspect()) {
    const auto window_of = [](const Recent<RequestSums>& recent) {
      const std::size_t window = recent.WindowOf(kSpreadRequests);
      return window == 0 ? RequestSums{} : recent.Last(window);
    };
    service.times.Learn(start_ns, now.times, window_of(service.requests).times);
    service.arrival_times.Learn(start_ns, arrivals.times, window_of(service.arrivals).times);
    service.mean_seconds.Learn(start_ns, now.seconds, now.total);
    service.mean_arrival_seconds.Learn(start_ns, arrivals.seconds, arrivals.total);
  }
  if (!faults.IsSuspect() && !times.IsSuspect() && now.total > 0)
    service.seasons.Learn(start_ns, &now, &arrivals);
}

void AnomalyDetector::LearnCalls(std::int64_t start_ns) {
  for (const auto& [key, calls] : calls_) {
    const Service& from = At(key.first);
    const Service& to = At(key.second);
    const CallSums& now = calls->recent.Now();
    const auto is_usual = [&](AnomalyCategory category) {
      return !from.Of(category).IsSuspect() && !to.Of(category).IsSuspect();
    };
    if (is_usual(AnomalyCategory::kFault)) calls->faults.Learn(start_ns, now.fault, now.total);
    if (is_usual(AnomalyCategory::kLatency)) calls->seconds.Learn(start_ns, now.seconds, now.total);
  }
}

std::vector<ServiceNumber> AnomalyDetector::CalleesOf(ServiceNumber service) const {
  std::vector<ServiceNumber> callees;
  for (auto at = calls_.lower_bound({service, 0}); at != calls_.end() && at->first.first == service;
       ++at) {
    if (last_ns_ - at->second->last_seen_ns < static_cast<std::int64_t>(kRecentMinutes) * kMinuteNs)
      callees.push_back(at->first.second);
  }
  return callees;
}

double AnomalyDetector::ExcessOf(ServiceNumber service, AnomalyCategory category,
                                 int minutes) const {
  const Service& at = At(service);
  const auto window = static_cast<std::size_t>(minutes);
  const RequestSums own = at.requests.Last(window);
  const RequestSums arrivals = at.arrivals.Last(window);
  if (category == AnomalyCategory::kFault) {
    return std::max(at.mean_faults.Excess(own.fault, own.total),
                    at.mean_arrival_faults.Excess(arrivals.fault, arrivals.total));
  }
  return std::max(at.mean_seconds.Excess(own.seconds, own.total),
                  at.mean_arrival_seconds.Excess(arrivals.seconds, arrivals.total));
}

double AnomalyDetector::CallExcess(ServiceNumber from, ServiceNumber to, AnomalyCategory category,
                                   int minutes) const {
  const auto found = calls_.find({from, to});
  if (found == calls_.end()) return 0;
  const CallSums sums = found->second->recent.Last(static_cast<std::size_t>(minutes));
  return category == AnomalyCategory::kFault
             ? found->second->faults.Excess(sums.fault, sums.total)
             : found->second->seconds.Excess(sums.seconds, sums.total);
}

double AnomalyDetector::OwnExcess(ServiceNumber service, AnomalyCategory category,
                                  int minutes) const {
  double excess = ExcessOf(service, category, minutes);
  for (const ServiceNumber callee : CalleesOf(service))
    excess -= CallExcess(service, callee, category, minutes);
  return excess;
}

}  // namespace fluoro::analysis
