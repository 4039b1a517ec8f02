// Keeps the insights of every group that has them switched on: looks at each minute once it is
// over, records what it finds, tells the webhook.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "api/insights/insight_record.h"
#include "api/insights/webhook.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "control/groups.h"
#include "control/repository.h"
#include "store/trace_store.h"

namespace fluoro::api::insights {

struct InsightOptions {
  control::Place place;
  /// A minute is looked at so long after its end: spans come late.
  std::int64_t settle_ns = 30LL * 1'000'000'000;
  WebhookOptions webhook{};
};

/// The store and the repository must outlive it.
///
/// The group Default is summed from the store's rollups. A group with a filter is searched: at most
/// kTracesMax traces a minute of traffic, within kSearchNsMax. What a start, or switching insights
/// on, finds of the past day is replayed; minutes that were looked at before only teach.
class InsightService {
 public:
  static constexpr std::uint64_t kTracesMax = 20'000;
  static constexpr std::int64_t kSearchNsMax = 10LL * 1'000'000'000;
  /// Of a filtered group that is replayed; of Default a day.
  static constexpr std::int64_t kFilteredHistoryNs = 6LL * 3600 * 1'000'000'000;

  InsightService(store::TraceStore& store, control::Repository& control, const Clock& clock,
                 Metrics& metrics, const InsightOptions& options);
  ~InsightService();
  /// Looks every few seconds, on a thread of its own.
  void Start();
  void Stop();
  /// One more notification for the webhook, whatever it is about; dropped where there is none.
  /// Thread-safe.
  void Tell(std::string body) { webhook_.Send(std::move(body)); }
  /// One look: everything that is due. Not beside another one.
  void Look();

 private:
  struct GroupState;

  void LookAt(const control::Group& group, const control::Snapshot& snapshot);
  std::unique_ptr<GroupState> Begin(const control::Group& group, const control::Snapshot& snapshot,
                                    std::int64_t until_ns);
  Result<std::vector<analysis::GraphMinute>> MinutesIn(const control::Group& group,
                                                       std::int64_t from_ns, std::int64_t until_ns);
  Result<void> Replay(GroupState& state, const control::Group& group, std::int64_t from_ns,
                      std::int64_t until_ns);
  void LearnSeasons(GroupState& state, std::int64_t until_ns);
  Result<void> See(GroupState& state, const control::Group& group, std::int64_t from_ns,
                   std::int64_t until_ns);
  Result<void> Record(const control::Group& group, std::int64_t until_ns,
                      const std::map<std::string, analysis::Insight>& changed);
  void Notify(const control::Group& group, const std::vector<analysis::Insight>& changed);
  Result<void> CloseOrphans(const std::vector<control::Group>& enabled,
                            const control::Snapshot& snapshot);
  void CountActive();

  store::TraceStore& store_;
  control::Repository& control_;
  const Clock& clock_;
  Metrics& metrics_;
  InsightOptions options_;
  Webhook webhook_;
  std::map<std::string, std::unique_ptr<GroupState>, std::less<>> groups_;  ///< by ARN
  std::uint64_t closed_generation_ = UINT64_MAX;
  std::stop_token stop_;
  std::jthread thread_;
};

}  // namespace fluoro::api::insights
