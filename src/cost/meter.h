// The meter: counts what is recorded and read, keeps it by day, and watches budgets. docs/cost.md.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "analysis/budgets.h"
#include "analysis/cost_report.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "control/place.h"
#include "control/repository.h"
#include "cost/count_traces.h"
#include "cost/counters.h"
#include "cost/usage_files.h"
#include "store/trace_store.h"

namespace fluoro::cost {

/// Told once for each threshold that a budget reaches.
struct BudgetAlert {
  analysis::Budget budget;
  analysis::BudgetState state;
};

struct MeterOptions {
  std::string folder;      ///< of the files by day
  control::Place place{};  ///< prices are those of its region
  bool read_only = false;  ///< nothing is written or watched
  /// Traces are counted by when they started, in windows of this length. Divides a day.
  std::int64_t window_ns = 300 * kNsPerSecond;
  /// So long after its end: what comes later is not counted.
  std::int64_t settle_ns = 900 * kNsPerSecond;
  std::int64_t save_every_ns = 30 * kNsPerSecond;
  std::int64_t watch_every_ns = 60 * kNsPerSecond;
  /// Called on the thread of Step.
  std::function<void(const BudgetAlert&)> on_alert = {};
};

/// Usage(), Budgets() and counters() are thread-safe; Step() and Close() are for one thread.
class CostMeter {
 public:
  CostMeter(store::TraceStore& store, control::Repository& control, Fs& fs, const Clock& clock,
            Metrics& metrics, MeterOptions options);

  Counters& counters() { return counters_; }

  /// Counts windows that have settled, for at most half a second, and saves and watches where it is
  /// time. A failure is logged and tried again the next time.
  void Step(const std::stop_token& stop);
  /// Saves what was counted.
  Result<void> Close();

  /// Days [from, until) with something in them, ascending; with what is not counted or saved yet.
  struct Answer {
    std::vector<analysis::UsageOfDay> days;
    bool complete = true;  ///< false: of what is not counted yet, as much as was found in 20 s
  };
  /// Errors: kIo, kCorruption, those of the store.
  Result<Answer> Usage(analysis::Day from, analysis::Day until);

  /// Traces that started before are counted for good; Usage adds the others as they are.
  [[nodiscard]] std::int64_t counted_until_ns() const;
  /// Of each budget as it was watched last, by name.
  [[nodiscard]] std::map<std::string, analysis::BudgetState> budget_states() const;
  [[nodiscard]] const MeterOptions& options() const { return options_; }

 private:
  void Load();
  void CountSettled(const std::stop_token& stop);
  Result<void> Save();
  void Watch();
  using Days = std::map<analysis::Day, analysis::UsageDay>;
  /// What is counted for good, saved or not.
  Result<Days> Counted(analysis::Day from, analysis::Day until);
  /// What started since counted_until, by day; remembered for some seconds.
  struct Seen {
    std::int64_t at_ns = INT64_MIN;  ///< monotonic
    std::int64_t since_ns = 0;
    Days days;
    bool complete = true;
  };
  Result<Seen> NotCounted();
  /// What the file of a day holds is in open_ before it is added to.
  Result<void> OpenDay(analysis::Day day);

  store::TraceStore& store_;
  control::Repository& control_;
  const Clock& clock_;
  const MeterOptions options_;
  UsageFiles files_;
  Counters counters_;
  Counter failures_;
  Counter estimated_;
  Gauge counted_until_;
  Gauge usd_month_;
  Metrics& metrics_;
  std::int64_t saved_at_ns_ = 0;
  std::int64_t watched_at_ns_ = 0;
  mutable Mutex mutex_;
  std::int64_t counted_until_ns_ FLUORO_GUARDED_BY(mutex_) = 0;
  /// Days that are being added to: newer than their files.
  std::map<analysis::Day, analysis::UsageFile> open_ FLUORO_GUARDED_BY(mutex_);
  bool is_dirty_ FLUORO_GUARDED_BY(mutex_) = false;
  std::map<std::string, analysis::BudgetState> states_ FLUORO_GUARDED_BY(mutex_);
  Seen seen_ FLUORO_GUARDED_BY(mutex_);
};

}  // namespace fluoro::cost
