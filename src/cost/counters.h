// What is counted while requests are answered: reads, bytes that came in, processor time. The
// meter (meter.h) takes it over from time to time.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "analysis/usage.h"
#include "base/mutex.h"
#include "query/root_request.h"

namespace fluoro::cost {

/// Thread-safe.
class Counters {
 public:
  /// A trace whose body was returned.
  void Retrieved(const query::RootRequest& root);
  /// A search for summaries that examined so many traces, of a group (empty: of none).
  void Scanned(double traces, std::string_view group);
  void BytesIn(std::uint64_t bytes) { bytes_in_.fetch_add(bytes, std::memory_order_relaxed); }
  void QueryCpu(std::int64_t ns) { query_cpu_ns_.fetch_add(ns, std::memory_order_relaxed); }

  /// What was counted since the last time.
  analysis::UsageDay Take();
  /// The same, which stays to be taken.
  [[nodiscard]] analysis::UsageDay Peek() const;

 private:
  // Sums without order: no other memory hangs on them.
  std::atomic<std::uint64_t> bytes_in_{0};
  std::atomic<std::int64_t> query_cpu_ns_{0};
  mutable Mutex mutex_;
  analysis::UsageDay day_ FLUORO_GUARDED_BY(mutex_);
};

/// Adds the thread's processor time while it lives to `counters` (null: to nobody).
class QueryCpuTimer {
 public:
  explicit QueryCpuTimer(Counters* counters);
  ~QueryCpuTimer();
  QueryCpuTimer(const QueryCpuTimer&) = delete;
  QueryCpuTimer& operator=(const QueryCpuTimer&) = delete;

 private:
  Counters* counters_;
  std::int64_t begin_ns_ = 0;
};

}  // namespace fluoro::cost
