#include "store/embedded/read_budget.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <set>

#include "base/mutex.h"

namespace fluoro::store {
namespace {

constexpr std::chrono::seconds kWaitMax{20};

}  // namespace

struct ReadBudget::Lease::State {
  State(Metrics& metrics, std::uint64_t max)
      : bytes_max(max),
        bytes_gauge(
            metrics.GetGauge("fluoro_store_read_bytes", "Memory that traces being read may take.")),
        waits(metrics.GetCounter("fluoro_store_read_waits_total",
                                 "Reads that waited for the memory of other reads.")),
        refused(metrics.GetCounter("fluoro_store_read_refused_total",
                                   "Reads that waited for memory in vain.")) {}

  [[nodiscard]] bool Fits(std::uint64_t ticket, std::uint64_t bytes) const FLUORO_REQUIRES(mutex) {
    return *waiting.begin() == ticket && used + bytes <= bytes_max;
  }
  void Set(std::uint64_t bytes) FLUORO_REQUIRES(mutex) {
    used = bytes;
    bytes_gauge.Set(static_cast<double>(bytes));
  }

  const std::uint64_t bytes_max;
  Mutex mutex;
  std::condition_variable_any freed;
  std::uint64_t used FLUORO_GUARDED_BY(mutex) = 0;
  std::uint64_t next_ticket FLUORO_GUARDED_BY(mutex) = 0;
  std::set<std::uint64_t> waiting FLUORO_GUARDED_BY(mutex);  ///< tickets; bounded by the readers
  Gauge bytes_gauge;
  Counter waits, refused;
};

ReadBudget::ReadBudget(Metrics& metrics, std::uint64_t bytes_max)
    : state_(std::make_shared<Lease::State>(metrics, bytes_max)), part_bytes_(bytes_max / 2) {}

ReadBudget::Lease& ReadBudget::Lease::operator=(Lease&& other) noexcept {
  std::swap(state_, other.state_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

ReadBudget::Lease::~Lease() {
  if (!state_) return;
  {
    MutexLock lock(state_->mutex);
    state_->Set(state_->used - bytes_);
  }
  state_->freed.notify_all();
}

Result<ReadBudget::Lease> ReadBudget::Take(std::uint64_t bytes) {
  Lease::State& state = *state_;
  bytes = std::min(bytes, state.bytes_max);
  bool fits = false;
  {
    MutexLock lock(state.mutex);
    const std::uint64_t ticket = state.next_ticket++;
    state.waiting.insert(ticket);
    fits = state.Fits(ticket, bytes);
    if (!fits) {
      state.waits.Add();
      fits = state.freed.wait_for(lock, kWaitMax, [&]() FLUORO_NO_THREAD_SAFETY_ANALYSIS {
        return state.Fits(ticket, bytes);
      });
    }
    state.waiting.erase(ticket);
    if (fits) state.Set(state.used + bytes);
  }
  state.freed.notify_all();  // the next in turn may fit as well
  if (!fits) {
    state.refused.Add();
    return Fail(ErrorCode::kUnavailable,
                "other questions hold the memory for reading traces: try again later");
  }
  return Lease(state_, bytes);
}

}  // namespace fluoro::store
