#include "store/embedded/snapshot.h"

#include <algorithm>

#include "store/embedded/store_impl.h"

namespace fluoro::store {

using rollup::RollupWindow;

namespace {

constexpr std::size_t kHeadTracesAtOnce = 1'024;
constexpr int kAttemptsMax = 4;

}  // namespace

// What is in the head is taken bit by bit, so that writers need not wait; anew if rows moved
// meanwhile.
Snapshot EmbeddedStoreImpl::TakeSnapshot() {
  Snapshot taken;
  for (int attempt = 1;; ++attempt) {
    const bool at_once = attempt == kAttemptsMax;
    taken.head.clear();
    MutexLock lock(state_mutex_);
    taken.damaged = damaged_;
    taken.blocks = blocks_;
    taken.folded = folded_;
    const std::vector<TraceTimes> times = head_.Times();
    bool moved = false;
    for (std::size_t i = 0; i < times.size() && !moved; ++i) {
      if (i % kHeadTracesAtOnce == kHeadTracesAtOnce - 1 && !at_once) {
        lock.unlock();
        lock.lock();
        moved = blocks_ != taken.blocks;
        if (moved) break;
      }
      if (auto trace = head_.Find(times[i].id)) taken.head.push_back(std::move(trace));
    }
    if (!moved) break;
  }
  for (const auto& trace : taken.head) taken.in_head.insert(trace->id);
  return taken;
}

SumWindows WindowFromSpans(const RollupWindow& asked) {
  SumWindows windows;
  windows.all = windows.rest = {asked};
  return windows;
}

SumWindows SplitWindow(const RollupWindow& asked, std::int64_t first_ns, std::int64_t last_ns) {
  const RollupWindow minutes{
      .from_ns = first_ns >= asked.from_ns ? INT64_MIN
                                           : rollup::PeriodAfter(asked.from_ns, rollup::kMinuteNs),
      .until_ns = last_ns < asked.until_ns
                      ? INT64_MAX
                      : rollup::PeriodStart(asked.until_ns, rollup::kMinuteNs)};
  if (minutes.from_ns >= minutes.until_ns) return WindowFromSpans(asked);
  SumWindows windows{.minutes = minutes, .all = {asked}, .whole = {}, .rest = {}};
  windows.whole = {{.from_ns = std::max(minutes.from_ns, asked.from_ns),
                    .until_ns = std::min(minutes.until_ns, asked.until_ns)}};
  if (asked.from_ns < minutes.from_ns)
    windows.rest.push_back(
        {.from_ns = asked.from_ns, .until_ns = std::min(minutes.from_ns, asked.until_ns)});
  if (minutes.until_ns < asked.until_ns)
    windows.rest.push_back(
        {.from_ns = std::max(minutes.until_ns, asked.from_ns), .until_ns = asked.until_ns});
  return windows;
}

bool Touches(std::int64_t start_ns, std::int64_t end_ns, std::span<const RollupWindow> windows) {
  return std::ranges::any_of(windows, [=](const RollupWindow& window) {
    return start_ns < window.until_ns && end_ns >= window.from_ns;
  });
}

}  // namespace fluoro::store
