#include "cost/meter.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "cost/records.h"

namespace fluoro::cost {
namespace {

using analysis::Day;
using analysis::DayOf;
using analysis::kDayNs;

constexpr std::int64_t kStepNs = kNsPerSecond / 2;
// What is not counted yet is counted anew for who asks again later.
constexpr std::int64_t kSeenForNs = 5 * kNsPerSecond;
constexpr std::int64_t kNotCountedNs = 20 * kNsPerSecond;

std::int64_t StartOf(Day day) { return std::int64_t{day} * kDayNs; }

std::vector<analysis::UsageOfDay> InOrder(std::map<Day, analysis::UsageDay> days) {
  std::vector<analysis::UsageOfDay> out;
  for (auto& [day, usage] : days) {
    if (!usage.IsZero()) out.push_back({.day = day, .usage = std::move(usage)});
  }
  return out;
}

}  // namespace

CostMeter::CostMeter(store::TraceStore& store, control::Repository& control, Fs& fs,
                     const Clock& clock, Metrics& metrics, MeterOptions options)
    : store_(store),
      control_(control),
      clock_(clock),
      options_(std::move(options)),
      files_(fs, options_.folder),
      failures_(metrics.GetCounter("fluoro_cost_failures_total",
                                   "Windows that could not be counted and files not written, "
                                   "tried again later.")),
      estimated_(metrics.GetCounter("fluoro_cost_estimated_windows_total",
                                    "Windows with more traces than are read: their parts are "
                                    "estimated.")),
      counted_until_(metrics.GetGauge("fluoro_cost_counted_until_seconds",
                                      "Traces that started before this time are counted.")),
      usd_month_(metrics.GetGauge("fluoro_cost_month_usd",
                                  "The month's bill so far, of meters that have a price.")),
      metrics_(metrics) {
  Load();
}

// Goes on where the files end; without any, where this month begins, or yesterday.
void CostMeter::Load() {
  const std::int64_t now_ns = clock_.UnixNs();
  const Day today = DayOf(now_ns);
  std::int64_t until_ns = INT64_MIN;
  const auto days = files_.Days();
  if (!days) log::Warn("cost: the files of usage are not seen", {{"why", days.error().message}});
  // A younger file was begun when those before were complete; but the last may be of a day that is
  // only counted by reads.
  const std::vector<Day> known = days ? *days : std::vector<Day>();
  for (std::size_t i = known.size() - std::min<std::size_t>(known.size(), 2); i < known.size();
       ++i) {
    const Day day = known[i];
    const auto file = files_.Read(day);
    if (file && *file) {
      until_ns = std::max(until_ns, (*file)->counted_until_ns);
      continue;
    }
    failures_.Add(1);
    log::Error("cost: a day of usage cannot be read and begins anew",
               {{"day", analysis::DayText(day)}, {"why", file ? "" : file.error().message}});
    if (!options_.read_only) log::WarnIfFailed("cost: setting it aside", files_.SetAside(day));
  }
  if (until_ns == INT64_MIN) {
    // Whatever is stored by now: what comes may have begun before.
    until_ns = StartOf(std::min(analysis::MonthStart(today), today - 1));
    until_ns -= until_ns % options_.window_ns;
  }
  MutexLock lock(mutex_);
  counted_until_ns_ = until_ns;
  counted_until_.Set(static_cast<double>(until_ns) / 1e9);
}

Result<void> CostMeter::OpenDay(Day day) {
  {
    MutexLock lock(mutex_);
    if (open_.contains(day)) return {};
  }
  FLUORO_TRY(auto file, files_.Read(day));
  MutexLock lock(mutex_);
  open_[day] =
      file ? *std::move(file) : analysis::UsageFile{.day = day, .counted_until_ns = 0, .usage = {}};
  return {};
}

std::int64_t CostMeter::counted_until_ns() const {
  MutexLock lock(mutex_);
  return counted_until_ns_;
}

std::map<std::string, analysis::BudgetState> CostMeter::budget_states() const {
  MutexLock lock(mutex_);
  return states_;
}

void CostMeter::Step(const std::stop_token& stop) {
  if (options_.read_only) return;
  CountSettled(stop);
  const std::int64_t now_ns = clock_.MonotonicNs();
  if (now_ns - saved_at_ns_ >= options_.save_every_ns) {
    saved_at_ns_ = now_ns;
    if (const auto saved = Save(); !saved) {
      failures_.Add(1);
      log::Warn("cost: usage is not saved", {{"why", saved.error().message}});
    }
  }
  if (now_ns - watched_at_ns_ >= options_.watch_every_ns) {
    watched_at_ns_ = now_ns;
    Watch();
  }
}

void CostMeter::CountSettled(const std::stop_token& stop) {
  const std::int64_t begin_ns = clock_.MonotonicNs();
  const Groups groups = GroupsOf(control_.Read(), options_.place);
  for (;;) {
    const std::int64_t from_ns = counted_until_ns();
    const std::int64_t until_ns = from_ns + options_.window_ns;
    if (until_ns + options_.settle_ns > clock_.UnixNs() || stop.stop_requested()) return;
    const Day day = DayOf(from_ns);
    const auto count = [&]() -> Result<cost::Counted> {
      FLUORO_CHECK_OK(OpenDay(day));
      return CountTraces(store_, groups, {.from_ns = from_ns, .until_ns = until_ns, .stop = stop});
    };
    const auto counted = count();
    if (!counted) {
      failures_.Add(1);
      log::Warn("cost: traces are not counted", {{"why", counted.error().message}});
      return;
    }
    if (stop.stop_requested()) return;
    if (counted->traces - counted->dropped > counted->read) estimated_.Add(1);
    {
      MutexLock lock(mutex_);
      analysis::UsageFile& file = open_[day];
      file.usage.Merge(counted->usage);
      file.counted_until_ns = until_ns;
      counted_until_ns_ = until_ns;
      is_dirty_ = true;
    }
    counted_until_.Set(static_cast<double>(until_ns) / 1e9);
    if (clock_.MonotonicNs() - begin_ns > kStepNs) return;
  }
}

Result<void> CostMeter::Save() {
  const Day today = DayOf(clock_.UnixNs());
  FLUORO_CHECK_OK(OpenDay(today));
  const analysis::UsageDay counted = counters_.Take();
  std::vector<analysis::UsageFile> files;
  {
    MutexLock lock(mutex_);
    if (!counted.IsZero()) {
      analysis::UsageFile& file = open_[today];
      file.usage.Merge(counted);
      // Of a day of which no window is counted yet: where counting stands.
      file.counted_until_ns = std::max(file.counted_until_ns, counted_until_ns_);
      is_dirty_ = true;
    }
    if (!is_dirty_) return {};
    for (const auto& [day, file] : open_) {
      if (!file.usage.IsZero() || file.counted_until_ns > 0) files.push_back(file);
    }
  }
  for (const analysis::UsageFile& file : files) FLUORO_CHECK_OK(files_.Write(file));
  bool is_new_day = false;
  {
    MutexLock lock(mutex_);
    // One thread writes; what requests counted meanwhile is in the counters.
    is_dirty_ = false;
    const Day counting = std::min(today, DayOf(counted_until_ns_));
    is_new_day =
        std::erase_if(open_, [&](const auto& day) { return day.first < counting - 1; }) > 0;
  }
  return is_new_day ? files_.Forget(today - kUsageDaysKept) : Result<void>();
}

Result<void> CostMeter::Close() {
  if (options_.read_only) return {};
  return Save();
}

Result<CostMeter::Seen> CostMeter::NotCounted() {
  std::int64_t since_ns = 0;
  {
    MutexLock lock(mutex_);
    since_ns = counted_until_ns_;
    if (seen_.since_ns == since_ns && seen_.at_ns != INT64_MIN &&
        clock_.MonotonicNs() - seen_.at_ns < kSeenForNs)
      return seen_;
  }
  const Groups groups = GroupsOf(control_.Read(), options_.place);
  const Day today = DayOf(clock_.UnixNs());
  const std::int64_t deadline_ns = clock_.MonotonicNs() + kNotCountedNs;
  Seen seen;
  seen.since_ns = since_ns;
  // A little ahead: clocks of clients are.
  const std::int64_t end_ns = std::max(clock_.UnixNs() + 60 * kNsPerSecond, since_ns);
  for (std::int64_t from_ns = since_ns; from_ns < end_ns;) {
    const Day day = DayOf(from_ns);
    const std::int64_t until_ns = std::min(StartOf(day + 1), end_ns);
    FLUORO_TRY(const cost::Counted counted,
               CountTraces(store_, groups,
                           {.from_ns = from_ns, .until_ns = until_ns, .deadline_ns = deadline_ns}));
    // What seems to start tomorrow is of a clock that is ahead.
    seen.days[std::min(day, today)].Merge(counted.usage);
    seen.complete = seen.complete && counted.complete;
    from_ns = until_ns;
  }
  seen.at_ns = clock_.MonotonicNs();
  MutexLock lock(mutex_);
  seen_ = seen;
  return seen;
}

Result<CostMeter::Days> CostMeter::Counted(Day from, Day until) {
  Days days;
  FLUORO_TRY(const std::vector<Day> files, files_.Days());
  std::map<Day, analysis::UsageFile> open;
  {
    MutexLock lock(mutex_);
    open = open_;
  }
  for (const Day day : files) {
    if (day < from || day >= until || open.contains(day)) continue;
    FLUORO_TRY(auto file, files_.Read(day));
    if (file) days[day] = std::move(file->usage);
  }
  for (auto& [day, file] : open) {
    if (day >= from && day < until) days[day] = std::move(file.usage);
  }
  const Day today = DayOf(clock_.UnixNs());
  if (today >= from && today < until) days[today].Merge(counters_.Peek());
  return days;
}

Result<CostMeter::Answer> CostMeter::Usage(Day from, Day until) {
  FLUORO_TRY(const Seen not_counted, NotCounted());
  FLUORO_TRY(Days days, Counted(from, until));
  for (const auto& [day, usage] : not_counted.days) {
    if (day >= from && day < until) days[day].Merge(usage);
  }
  return Answer{.days = InOrder(std::move(days)), .complete = not_counted.complete};
}

void CostMeter::Watch() {
  const std::int64_t now_ns = clock_.UnixNs();
  const Day today = DayOf(now_ns);
  const auto records = control_.Read();
  // What is not counted yet is not worth a search every minute.
  auto counted = Counted(today - static_cast<Day>(analysis::kForecastDaysMax), today + 1);
  if (!counted) {
    failures_.Add(1);
    log::Warn("cost: budgets are not watched", {{"why", counted.error().message}});
    return;
  }
  const std::vector<analysis::UsageOfDay> days = InOrder(*std::move(counted));
  const analysis::PriceTable prices = PricesOf(*records);
  const std::string& region = options_.place.region;
  usd_month_.Set(ReportOf(prices, region, days, analysis::MonthStart(today), today + 1, {}).usd);
  std::map<std::string, analysis::BudgetState> before = budget_states();
  std::map<std::string, analysis::BudgetState> after;
  for (const analysis::Budget& budget : BudgetsOf(*records)) {
    const double usd = BudgetUsd(budget, prices, region, days, now_ns);
    const analysis::BudgetState& old = before[budget.name];
    const analysis::BudgetState state = NextState(budget, old, analysis::MonthStart(today), usd);
    after[budget.name] = state;
    const Labels labels{{"budget", budget.name}};
    metrics_
        .GetGauge("fluoro_budget_used_share", "Of a budget, what was used or is foreseen.", labels)
        .Set(state.Share(budget));
    metrics_.GetGauge("fluoro_budget_alerts", "Thresholds of a budget that are reached.", labels)
        .Set(static_cast<double>(state.level));
    const std::size_t held = old.month == state.month ? old.level : 0;
    if (state.level == held) continue;
    const bool is_raised = state.level > held;
    (is_raised ? log::Warn : log::Info)(
        is_raised ? "cost: a budget has reached a threshold" : "cost: a budget is below again",
        {{"budget", budget.name},
         {"state", std::string(BudgetStateName(budget, state))},
         {"used_usd", std::to_string(state.used_usd)},
         {"usd_month", std::to_string(budget.usd_month)}});
    if (is_raised && options_.on_alert) options_.on_alert({.budget = budget, .state = state});
  }
  for (const auto& [name, state] : before) {
    // Deleted: nothing of it is reached any more.
    if (after.contains(name)) continue;
    metrics_.GetGauge("fluoro_budget_used_share", "", {{"budget", name}}).Set(0);
    metrics_.GetGauge("fluoro_budget_alerts", "", {{"budget", name}}).Set(0);
  }
  MutexLock lock(mutex_);
  states_ = std::move(after);
}

}  // namespace fluoro::cost
