#include "cost/counters.h"

#include <ctime>
#include <utility>

#include "base/clock.h"

namespace fluoro::cost {
namespace {

using analysis::Dimension;
using analysis::Meter;

std::int64_t ThreadCpuNs() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::int64_t{time.tv_sec} * kNsPerSecond + time.tv_nsec;
}

void AddAtomics(analysis::UsageDay& day, std::uint64_t bytes_in, std::int64_t query_cpu_ns) {
  day.Add(Meter::kSpanBytesIn, static_cast<double>(bytes_in));
  day.Add(Meter::kQueryCpuSeconds, static_cast<double>(query_cpu_ns) / 1e9);
}

}  // namespace

void Counters::Retrieved(const query::RootRequest& root) {
  MutexLock lock(mutex_);
  day_.Add(Meter::kTracesRetrieved, 1);
  day_.AddTo(Dimension::kService, root.service, Meter::kTracesRetrieved, 1);
  day_.AddTo(Dimension::kTenant, root.tenant, Meter::kTracesRetrieved, 1);
  day_.AddTo(Dimension::kRule, root.rule, Meter::kTracesRetrieved, 1);
}

void Counters::Scanned(double traces, std::string_view group) {
  if (traces <= 0) return;
  MutexLock lock(mutex_);
  day_.Add(Meter::kTracesScanned, traces);
  if (!group.empty()) day_.AddTo(Dimension::kGroup, group, Meter::kTracesScanned, traces);
}

analysis::UsageDay Counters::Take() {
  analysis::UsageDay taken;
  {
    MutexLock lock(mutex_);
    taken = std::exchange(day_, {});
  }
  AddAtomics(taken, bytes_in_.exchange(0, std::memory_order_relaxed),
             query_cpu_ns_.exchange(0, std::memory_order_relaxed));
  return taken;
}

analysis::UsageDay Counters::Peek() const {
  analysis::UsageDay seen;
  {
    MutexLock lock(mutex_);
    seen = day_;
  }
  AddAtomics(seen, bytes_in_.load(std::memory_order_relaxed),
             query_cpu_ns_.load(std::memory_order_relaxed));
  return seen;
}

QueryCpuTimer::QueryCpuTimer(Counters* counters) : counters_(counters) {
  if (counters_ != nullptr) begin_ns_ = ThreadCpuNs();
}

QueryCpuTimer::~QueryCpuTimer() {
  if (counters_ != nullptr) counters_->QueryCpu(ThreadCpuNs() - begin_ns_);
}

}  // namespace fluoro::cost
