#include "api/ui/tail.h"

#include <thread>

#include "api/ui/request.h"
#include "api/ui/trace_json.h"

namespace fluoro::api::ui {

TailHub::TailHub(store::TraceStore& store, const Clock& clock, Metrics& metrics)
    : store_(store),
      clock_(clock),
      dropped_(metrics.GetCounter("fluoro_tail_dropped_traces_total",
                                  "Traces that a live tail's bound kept from it")),
      subscribers_gauge_(metrics.GetGauge("fluoro_tail_subscribers", "Open live tails")) {}

void TailHub::OnCommit(const model::SpanBatch& batch) {
  const std::int64_t now = clock_.MonotonicNs();
  MutexLock lock(mutex_);
  for (const auto& subscriber : subscribers_) {
    MutexLock inner(subscriber->mutex);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (i > 0 && batch.trace_ids[i] == batch.trace_ids[i - 1]) continue;
      if (auto it = subscriber->pending.find(batch.trace_ids[i]); it != subscriber->pending.end()) {
        it->second = now;
      } else if (subscriber->pending.size() < kPendingTracesMax) {
        subscriber->pending.emplace(batch.trace_ids[i], now);
      } else {
        ++subscriber->dropped;
        dropped_.Add();
      }
    }
  }
}

std::vector<model::TraceId> TailHub::TakeQuiet(Subscriber& subscriber, std::uint64_t& dropped) {
  const std::int64_t now = clock_.MonotonicNs();
  std::vector<model::TraceId> ids;
  MutexLock lock(subscriber.mutex);
  dropped = std::exchange(subscriber.dropped, 0);
  for (auto it = subscriber.pending.begin(); it != subscriber.pending.end();) {
    if (now - it->second >= kQuietNs) {
      ids.push_back(it->first);
      it = subscriber.pending.erase(it);
    } else {
      ++it;
    }
  }
  return ids;
}

void TailHub::Run(Subscriber& subscriber, const query::Filter& filter,
                  const net::StreamWriter& write) {
  std::unordered_set<model::TraceId> shown;
  std::deque<model::TraceId> shown_order;
  std::unordered_map<model::TraceId, std::int64_t> waiting;  // in progress -> first seen
  std::int64_t last_write_ns = clock_.MonotonicNs();
  bool open = write(": fluoro tail\n\n");
  while (open && !stopping_.load(std::memory_order_relaxed)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    std::uint64_t dropped = 0;
    std::string out;
    for (const auto& id : TakeQuiet(subscriber, dropped)) {
      if (shown.contains(id)) continue;
      auto found = store_.ReadTrace(id);
      if (!found || !*found) continue;
      const auto trace = model::Assemble(*std::move(found));
      const std::int64_t now = clock_.MonotonicNs();
      if (trace.in_progress) {
        if (waiting.size() >= kPendingTracesMax) waiting.clear();
        if (now - waiting.emplace(id, now).first->second < kInProgressWaitNs) continue;
      }
      waiting.erase(id);
      const query::TraceView view(trace);
      if (!filter.Matches(view)) continue;
      shown.insert(id);
      shown_order.push_back(id);
      if (shown_order.size() > kShownTracesMax) {
        shown.erase(shown_order.front());
        shown_order.pop_front();
      }
      out += "data: " + SummaryJson(trace, view.summary()) + "\n\n";
    }
    if (dropped > 0)
      out += "event: dropped\ndata: {\"traces\":" + std::to_string(dropped) + "}\n\n";
    const std::int64_t now = clock_.MonotonicNs();
    // A comment now and then finds out that the reader left.
    if (out.empty() && now - last_write_ns > 5 * kNsPerSecond) out = ":\n\n";
    if (out.empty()) continue;
    last_write_ns = now;
    open = write(out);
  }
}

net::HttpResponse TailHub::Subscribe(const query::Filter& filter) {
  auto subscriber = std::make_shared<Subscriber>();
  {
    MutexLock lock(mutex_);
    if (subscribers_.size() >= kSubscribersMax) {
      return ErrorAnswer(Error{ErrorCode::kUnavailable, "tail: 32 are open, which is the limit"});
    }
    subscribers_.push_back(subscriber);
    subscribers_gauge_.Set(static_cast<double>(subscribers_.size()));
  }
  net::HttpResponse answer;
  answer.headers["content-type"] = "text/event-stream";
  answer.headers["cache-control"] = "no-store";
  // The guard takes the subscriber off the list when the stream ends, and also when it never
  // starts.
  const std::shared_ptr<void> guard(nullptr, [this, subscriber](void*) {
    MutexLock lock(mutex_);
    subscribers_.remove(subscriber);
    subscribers_gauge_.Set(static_cast<double>(subscribers_.size()));
  });
  answer.stream = [this, subscriber, filter, guard](const net::StreamWriter& write) {
    Run(*subscriber, filter, write);
    return true;
  };
  return answer;
}

void TailHub::Stop() { stopping_.store(true, std::memory_order_relaxed); }

}  // namespace fluoro::api::ui
