#include "insight_judge.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>

#include "base/clock.h"
#include "codec/csv/csv.h"

namespace fluoro::judge {
namespace {

using analysis::AnomalyCategory;
using analysis::AnomalyDetector;
using analysis::GraphMinute;
using analysis::Insight;
using analysis::InsightTracker;

constexpr std::int64_t kMinuteNs = rollup::kMinuteNs;
constexpr std::int64_t kHourNs = 60 * kMinuteNs;
/// A time of day at which load is as it is on average.
constexpr std::int64_t kBeginNs = 1'700'006'400'000'000'000;
constexpr std::int64_t kQuietNs = kHourNs;
constexpr std::int64_t kFaultNs = 10 * kMinuteNs;
constexpr int kLookMinutes = 6;
/// Services with fewer requests a minute are not judged within the time of a fault.
constexpr double kRequestsMin = 2;

std::function<std::string()> Ids() {
  return [number = 0]() mutable { return std::to_string(++number); };
}

/// Minutes in, insights out; also for minutes without any request.
class Watcher {
 public:
  std::vector<Insight> See(const GraphMinute& minute) {
    detector_.Observe(minute);
    return tracker_.Update(detector_, minute);
  }
  [[nodiscard]] const std::vector<Insight>& active() const { return tracker_.active(); }

 private:
  AnomalyDetector detector_;
  InsightTracker tracker_{{}, Ids()};
};

/// What insights are compared with: mean and deviation of the share of faults and of p95 of each
/// service, exponentially weighted minute by minute; open after three minutes above three
/// deviations, closed after five inside.
class PlainRule {
 public:
  /// How many openings, of any service.
  std::size_t See(const GraphMinute& minute) {
    std::size_t opened = 0;
    for (const GraphMinute::Service& service : minute.services) {
      const analysis::RequestSums& requests = service.requests;
      if (requests.total <= 0) continue;
      auto& [faults, times] = series_[service.key.name];
      if (faults.See(requests.fault / requests.total, requests.total)) ++opened;
      const double p95 = analysis::BucketSeconds(analysis::QuantileBucket(requests.times, 0.95));
      if (times.See(p95, requests.total)) ++opened;
    }
    return opened;
  }
  [[nodiscard]] bool IsOpen(const std::string& service) const {
    const auto found = series_.find(service);
    return found != series_.end() && (found->second.first.open || found->second.second.open);
  }

 private:
  struct Series {
    static constexpr double kWeight = 0.05;
    double mean = 0;
    double variance = 0;
    double requests = 0;
    int minutes = 0;
    int above = 0;
    int inside = 0;
    bool open = false;
    bool See(double value, double total) {
      const bool ready = minutes >= 30 && requests >= 20;
      const bool is_above = ready && value > mean + 3 * std::sqrt(variance);
      ++minutes;
      requests += total;
      // As ours it does not learn what it complains of.
      if (!is_above) {
        const double step = value - mean;
        mean += minutes == 1 ? step : kWeight * step;
        if (minutes > 1) variance = (1 - kWeight) * (variance + kWeight * step * step);
      }
      above = is_above ? above + 1 : 0;
      inside = is_above ? 0 : inside + 1;
      if (open && inside >= 5) open = false;
      if (open || above < 3) return false;
      return open = true;
    }
  };
  std::map<std::string, std::pair<Series, Series>> series_;
};

std::size_t SizeOf(const Insight& insight) { return insight.affected.size(); }

/// What was found at the end of a minute: of the active insights that opened since the fault the
/// one that explains most services.
void Look(const std::vector<Insight>& active, std::int64_t fault_ns, const std::string& service,
          Outcome& outcome) {
  const Insight* largest = nullptr;
  for (const Insight& insight : active) {
    if (insight.start_ns < fault_ns - kMinuteNs) continue;
    if (largest == nullptr || SizeOf(insight) > SizeOf(*largest)) largest = &insight;
  }
  if (largest == nullptr) return;
  outcome.found = true;
  outcome.named = largest->root_cause.name;
  outcome.rank.reset();
  const auto& top = largest->top_services;
  const auto found = std::ranges::find(top, service, &model::ServiceKey::name);
  if (found != top.end()) outcome.rank = static_cast<int>(found - top.begin()) + 1;
}

Outcome JudgeOne(const Traffic& traffic, const InjectedFault& fault, std::uint64_t seed) {
  Outcome outcome{.fault = fault,
                  .service = traffic.services[static_cast<std::size_t>(fault.service)].name,
                  .rank = {},
                  .named = {}};
  Replay replay(traffic, {}, seed);
  const std::int64_t end_ns = fault.until_ns;
  replay.Run(fault.from_ns - kQuietNs, end_ns, fault);
  Watcher watcher;
  PlainRule plain;
  std::optional<std::int64_t> opened_ns;
  for (const GraphMinute& minute : analysis::MinutesOf(replay.TakeUntil(end_ns))) {
    (void)plain.See(minute);
    (void)watcher.See(minute);
    if (minute.start_ns < fault.from_ns) continue;
    outcome.plain_found = outcome.plain_found || plain.IsOpen(outcome.service);
    if (opened_ns && minute.start_ns - *opened_ns >= kLookMinutes * kMinuteNs) continue;
    Look(watcher.active(), fault.from_ns, outcome.service, outcome);
    if (outcome.found && !opened_ns) {
      opened_ns = minute.start_ns;
      outcome.delay_minutes =
          static_cast<int>((minute.start_ns + kMinuteNs - fault.from_ns) / kMinuteNs);
    }
  }
  return outcome;
}

/// Requests a minute by service.
std::vector<double> RatesOf(const Traffic& traffic) {
  std::vector<double> rates(traffic.services.size());
  for (const Plan& plan : traffic.plans) {
    for (const Plan::Segment& segment : plan.segments)
      rates[static_cast<std::size_t>(segment.service)] +=
          traffic.traces_per_minute / static_cast<double>(traffic.plans.size());
  }
  return rates;
}

InjectedFault FaultOf(FaultKind kind, std::int32_t service, Rng& rng) {
  InjectedFault fault{.service = service,
                      .kind = kind,
                      .from_ns = kBeginNs + kQuietNs,
                      .until_ns = kBeginNs + kQuietNs + kFaultNs};
  switch (kind) {
    case FaultKind::kDelay:
    case FaultKind::kNetwork:
      fault.delay_ns = static_cast<std::int64_t>(100 + rng.Below(400)) * kNsPerMs;
      break;
    case FaultKind::kCpu:
      fault.slower = 4 + 4 * rng.Unit();
      fault.delay_ns = 40 * kNsPerMs;
      break;
    case FaultKind::kErrors:
      fault.share = 0.2 + 0.4 * rng.Unit();
      break;
  }
  return fault;
}

bool IsCalled(const Traffic& traffic, std::int32_t service) {
  for (const Plan& plan : traffic.plans) {
    for (const Plan::Segment& segment : plan.segments) {
      for (const Plan::Call& call : segment.calls) {
        if (plan.segments[static_cast<std::size_t>(call.callee)].service == service) return true;
      }
    }
  }
  return false;
}

std::string Gunzip(const std::filesystem::path& path) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  std::string bytes;
  std::vector<char> piece(1 << 20);
  for (int got = 0; file != nullptr && (got = gzread(file.get(), piece.data(), 1 << 20)) > 0;)
    bytes.append(piece.data(), static_cast<std::size_t>(got));
  return bytes;
}

/// Passes samples on as if they had happened later.
class Later final : public rollup::SampleSink {
 public:
  Later(rollup::SampleSink& sink, std::int64_t by_ns) : sink_(sink), by_ns_(by_ns) {}
  void Add(const rollup::NodeSample& sample) override {
    rollup::NodeSample moved = sample;
    Move(moved.measured);
    if (moved.last_end_ns != INT64_MIN) moved.last_end_ns += by_ns_;
    sink_.Add(moved);
  }
  void Add(const rollup::EdgeSample& sample) override {
    rollup::EdgeSample moved = sample;
    Move(moved.measured);
    sink_.Add(moved);
  }

 private:
  void Move(rollup::Measured& measured) const {
    measured.start_ns += by_ns_;
    measured.end_ns += by_ns_;
  }
  rollup::SampleSink& sink_;
  std::int64_t by_ns_;
};

}  // namespace

std::size_t FaultReport::CountFound() const {
  return static_cast<std::size_t>(std::ranges::count(outcomes, true, &Outcome::found));
}

std::size_t FaultReport::CountInTop(int places) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      outcomes, [&](const Outcome& outcome) { return outcome.rank && *outcome.rank <= places; }));
}

double FaultReport::MeanDelay() const {
  double sum = 0;
  for (const Outcome& outcome : outcomes) sum += outcome.found ? outcome.delay_minutes : 0;
  return CountFound() == 0 ? 0 : sum / static_cast<double>(CountFound());
}

FaultReport JudgeFaults(const Traffic& traffic, std::uint64_t seed, std::size_t faults_max) {
  FaultReport report{.traffic = traffic.name, .outcomes = {}};
  const std::vector<double> rates = RatesOf(traffic);
  Rng rng(seed);
  for (const FaultKind kind :
       {FaultKind::kDelay, FaultKind::kErrors, FaultKind::kCpu, FaultKind::kNetwork}) {
    for (std::size_t service = 0; service < traffic.services.size(); ++service) {
      const auto number = static_cast<std::int32_t>(service);
      if (rates[service] < kRequestsMin) continue;
      // Nobody waits on the way to a service that is called by clients alone.
      if (kind == FaultKind::kNetwork && !IsCalled(traffic, number)) continue;
      if (report.outcomes.size() >= faults_max) return report;
      report.outcomes.push_back(JudgeOne(traffic, FaultOf(kind, number, rng), rng.Next()));
    }
  }
  return report;
}

QuietReport JudgeQuiet(const Traffic& traffic, std::uint64_t seed, int days) {
  QuietReport report{.traffic = traffic.name, .services = traffic.services.size()};
  Replay replay(traffic, {}, seed);
  Watcher watcher;
  PlainRule plain;
  std::set<std::string> ids;
  for (int hour = 0; hour < 24 * days; ++hour) {
    const std::int64_t from_ns = kBeginNs + hour * kHourNs;
    replay.Run(from_ns, from_ns + kHourNs, {});
    for (const GraphMinute& minute : analysis::MinutesOf(replay.TakeUntil(from_ns + kHourNs))) {
      const std::size_t plain_openings = plain.See(minute);
      if (hour >= 2) report.plain_openings += plain_openings;
      for (const Insight& insight : watcher.See(minute)) {
        if (hour < 2) continue;
        if (insight.state == analysis::InsightState::kClosed)
          report.insights.push_back(insight.summary);
        if (!ids.insert(insight.id).second) continue;
        ++(insight.category == AnomalyCategory::kFault ? report.fault_insights
                                                       : report.latency_insights);
      }
    }
  }
  report.days = days - 2.0 / 24;
  return report;
}

Result<std::vector<model::AssembledTrace>> ReadTraces(
    const std::vector<std::filesystem::path>& files) {
  std::map<model::TraceId, std::shared_ptr<model::Trace>> traces;
  for (const auto& file : files) {
    model::DecodeStats stats;
    FLUORO_TRY(const auto batch, codec::csv::DecodeSpans(Gunzip(file), {}, stats));
    model::SpanReader reader(batch);
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      model::Span span = reader.Read(i);
      auto& trace = traces[span.trace_id];
      if (trace == nullptr) trace = std::make_shared<model::Trace>();
      trace->id = span.trace_id;
      trace->spans.push_back(std::move(span));
    }
  }
  std::vector<model::AssembledTrace> assembled;
  for (auto& [id, trace] : traces) {
    model::Deduplicate(trace->spans);
    assembled.push_back(model::Assemble(std::move(trace)));
  }
  return assembled;
}

std::optional<std::filesystem::path> WorkloadsFolder() {
  std::filesystem::path folder = "../shared/data/workloads";
  if (!std::filesystem::exists(folder)) return std::nullopt;
  return folder;
}

Result<Traffic> OnlineBoutique(const std::filesystem::path& folder) {
  Traffic traffic{.name = "Online Boutique"};
  traffic.traces_per_minute = 120;
  FLUORO_TRY(const auto traces,
             ReadTraces({folder / "nezha-onlineboutique-2022-08-23-12_02.csv.gz",
                         folder / "nezha-onlineboutique-2022-08-23-12_03.csv.gz"}));
  for (const auto& trace : traces) traffic.Add(trace);
  return traffic;
}

namespace {

constexpr std::int64_t kInjectedNs = 1'675'079'506 * kNsPerSecond;

Result<std::vector<model::AssembledTrace>> TrainTicketTraces(const std::filesystem::path& folder) {
  return ReadTraces({folder / "nezha-trainticket-2023-01-30-11_51.csv.gz",
                     folder / "nezha-trainticket-2023-01-30-11_52.csv.gz",
                     folder / "nezha-trainticket-2023-01-30-11_53.csv.gz"});
}

}  // namespace

Result<Traffic> TrainTicket(const std::filesystem::path& folder) {
  Traffic traffic{.name = "Train Ticket"};
  traffic.traces_per_minute = 100;
  FLUORO_TRY(const auto traces, TrainTicketTraces(folder));
  for (const auto& trace : traces) {
    if (trace.end_ns < kInjectedNs) traffic.Add(trace);
  }
  return traffic;
}

Result<Outcome> JudgeRecordedFault(const std::filesystem::path& folder, std::uint64_t seed) {
  FLUORO_TRY(const auto traces, TrainTicketTraces(folder));
  FLUORO_TRY(Traffic usual, TrainTicket(folder));
  usual.traces_per_minute = 50;  // as recorded
  Outcome outcome{.fault = {.kind = FaultKind::kNetwork, .from_ns = kInjectedNs},
                  .service = "ts-contacts-service",
                  .rank = {},
                  .named = {}};
  // What was recorded of the fault lasts two minutes; it comes three times, behind an hour of usual
  // traffic that ends with a minute.
  const std::int64_t begin_ns = kInjectedNs - kInjectedNs % kMinuteNs;
  constexpr std::int64_t kRecordedNs = 2 * kMinuteNs;
  Replay replay(usual, {}, seed);
  replay.Run(begin_ns - kHourNs, begin_ns, {});
  rollup::Rollup sums = replay.TakeUntil(begin_ns);
  rollup::KeyTable keys;
  rollup::Rollup::Sink sink(sums, keys);
  for (int round = 0; round < 3; ++round) {
    Later later(sink, begin_ns - kInjectedNs + round * kRecordedNs);
    for (const auto& trace : traces) {
      if (trace.start_ns >= kInjectedNs) rollup::SampleTrace(trace, keys, later);
    }
  }
  Watcher watcher;
  for (const GraphMinute& minute : analysis::MinutesOf(sums)) {
    (void)watcher.See(minute);
    Look(watcher.active(), begin_ns, outcome.service, outcome);
    if (outcome.found && outcome.delay_minutes == 0) {
      outcome.delay_minutes =
          static_cast<int>((minute.start_ns + kMinuteNs - begin_ns) / kMinuteNs);
    }
  }
  return outcome;
}

}  // namespace fluoro::judge
