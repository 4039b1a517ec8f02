// Live tail: traces that match an expression, as they complete. Bounded and lossy: what a slow
// reader misses is counted.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "model/span_batch.h"
#include "net/http.h"
#include "query/filter.h"
#include "store/trace_store.h"

namespace fluoro::api::ui {

/// A trace counts as complete when nothing in it is in progress and nothing arrived for kQuietNs.
/// Thread-safe. OnCommit runs on the store's thread and only notes ids.
class TailHub {
 public:
  static constexpr std::int64_t kQuietNs = kNsPerSecond;
  static constexpr std::int64_t kInProgressWaitNs = 300 * kNsPerSecond;
  static constexpr std::size_t kPendingTracesMax = 10'000;
  static constexpr std::size_t kShownTracesMax = 10'000;
  static constexpr std::size_t kSubscribersMax = 32;

  TailHub(store::TraceStore& store, const Clock& clock, Metrics& metrics);
  void OnCommit(const model::SpanBatch& batch);
  /// A streamed answer of server-sent events: `data:` lines hold one summary each, `event: dropped`
  /// tells how many were missed.
  net::HttpResponse Subscribe(const query::Filter& filter);
  /// Ends every stream soon.
  void Stop();

 private:
  struct Subscriber {
    Mutex mutex;
    std::unordered_map<model::TraceId, std::int64_t> pending
        FLUORO_GUARDED_BY(mutex);  ///< id -> last arrival
    std::uint64_t dropped FLUORO_GUARDED_BY(mutex) = 0;
  };
  void Run(Subscriber& subscriber, const query::Filter& filter, const net::StreamWriter& write);
  std::vector<model::TraceId> TakeQuiet(Subscriber& subscriber, std::uint64_t& dropped);

  store::TraceStore& store_;
  const Clock& clock_;
  Counter dropped_;
  Gauge subscribers_gauge_;
  std::atomic<bool> stopping_{false};  ///< set by Stop, read by Run; no other memory hangs on it
  Mutex mutex_;
  std::list<std::shared_ptr<Subscriber>> subscribers_ FLUORO_GUARDED_BY(mutex_);
};

}  // namespace fluoro::api::ui
