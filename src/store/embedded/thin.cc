// Thinning as the store sees it: what a merge needs to judge traces, and what follows from it.
#include <algorithm>

#include "base/log.h"
#include "store/embedded/skeleton.h"
#include "store/embedded/store_impl.h"

namespace fluoro::store {
namespace {

// Of a record in the log.
constexpr std::size_t kIdsInTombstoneMax = 100'000;
// Skeletons that are read to know the traffic before the first merge after a start.
constexpr std::uint64_t kSeedMax = 1'000'000;

}  // namespace

void EmbeddedStoreImpl::SetTailPolicies(std::shared_ptr<const query::TailFilters> policies) {
  MutexLock lock(state_mutex_);
  tail_policies_ = std::move(policies);
}

// Not while files are locked for want of a key: they may hold pieces of any trace.
bool EmbeddedStoreImpl::HasTailPolicies() {
  MutexLock lock(state_mutex_);
  return tail_policies_ != nullptr && !tail_policies_->policies().empty() && locked_.empty() &&
         left_out_.empty();
}

std::unique_ptr<Thinning> EmbeddedStoreImpl::PrepareThinning(const BlockList& list,
                                                             std::size_t first, std::size_t count) {
  auto thinning = std::make_unique<Thinning>(Thinning{.filters = {},
                                                      .traffic = traffic_,
                                                      .before = {},
                                                      .after = {},
                                                      .in_head = {},
                                                      .live_since_ns = 0,
                                                      .now_ns = clock_.UnixNs(),
                                                      .whole_bytes_max = 0});
  thinning->live_since_ns = WrapSub(thinning->now_ns, options_.live_window_ns);
  thinning->whole_bytes_max = options_.memory_bytes / 64;
  std::int64_t oldest_ns = INT64_MAX;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i < first) {
      thinning->before.push_back(list[i]);
    } else if (i >= first + count) {
      thinning->after.push_back(list[i]);
    } else {
      if (list[i]->meta().arrival_ns_max >= thinning->live_since_ns) return nullptr;
      oldest_ns = std::min(oldest_ns, list[i]->meta().arrival_ns_min);
    }
  }
  {
    MutexLock lock(state_mutex_);
    thinning->filters = tail_policies_;
    if (thinning->filters == nullptr || thinning->filters->policies().empty() || !locked_.empty() ||
        !left_out_.empty())
      return nullptr;
    for (const TraceTimes& trace : head_.Times()) thinning->in_head.insert(trace.id);
  }
  if (!traffic_is_seeded_) SeedTraffic(list, oldest_ns);
  traffic_is_seeded_ = true;
  return thinning;
}

// After a start nothing is known of the hour before but the traces that were dropped. They are most
// of it; without the others more is called slow and rare, which keeps more.
void EmbeddedStoreImpl::SeedTraffic(const BlockList& list, std::int64_t before_ns) {
  const std::int64_t since_ns = WrapSub(before_ns, sampling::TailTraffic::kHourNs);
  std::uint64_t left = kSeedMax;
  for (auto block = list.rbegin(); block != list.rend() && left > 0; ++block) {
    const BlockMeta& meta = (*block)->meta();
    if (meta.skeletons == 0 || meta.arrival_ns_max < since_ns || meta.arrival_ns_min >= before_ns)
      continue;
    const auto read = (*block)->ReadSkeletons([&](std::string_view chunk) {
      return DecodeSkeletons(chunk, [&](const DroppedTrace& trace) {
        if (left == 0 || trace.arrival_ns < since_ns) return;
        --left;
        traffic_.Add(
            query::FactsOfDropped(trace.route, trace.shape, trace.duration_ns, trace.arrival_ns));
      });
    });
    log::WarnIfFailed("store: reading what is known of dropped traces", read);
  }
}

// Replay must not bring back what the log still holds of them. Should the merge not be committed,
// they are in its inputs, and nothing of them is in the head.
Result<void> EmbeddedStoreImpl::ForgetDropped(const Thinned& thinned) {
  for (const auto& [upto_lsn, ids] : thinned.dropped) {
    if (upto_lsn < log_->FirstLsn()) continue;
    for (std::size_t begin = 0; begin < ids.size(); begin += kIdsInTombstoneMax) {
      auto tombstone = std::make_shared<Tombstone>();
      tombstone->upto_lsn = upto_lsn;
      tombstone->head_only = true;
      const auto first = ids.begin() + static_cast<std::ptrdiff_t>(begin);
      tombstone->ids.assign(first, first + static_cast<std::ptrdiff_t>(
                                               std::min(kIdsInTombstoneMax, ids.size() - begin)));
      FLUORO_CHECK_OK(Record(std::move(tombstone)));
    }
  }
  return {};
}

// Pieces of dropped traces in blocks that were judged before, when those had pieces in the live
// window. Should this not reach the disk, a later merge judges what is left by itself.
void EmbeddedStoreImpl::DropLeftBehind(const Thinned& thinned) {
  std::map<std::shared_ptr<Block>, std::vector<model::TraceId>> by_block;
  for (const auto& [block, id] : thinned.left_behind) by_block[block].push_back(id);
  const auto list = blocks();
  for (auto& [block, gone] : by_block) {
    if (std::ranges::find(*list, block) == list->end()) continue;
    if (const auto before = block->deleted())
      gone.insert(gone.end(), before->begin(), before->end());
    std::ranges::sort(gone);
    gone.erase(std::ranges::unique(gone).begin(), gone.end());
    block->SetDeleted(std::move(gone));
    if (auto saved = SaveDeletions(*block); !saved) {
      unsaved_deletions_.push_back(block);
      log::Warn("store: pieces of dropped traces stay for now", {{"why", saved.error().message}});
    }
  }
}

void EmbeddedStoreImpl::CountThinned(const Thinned& thinned, std::uint64_t bytes_before,
                                     std::uint64_t bytes_after) {
  std::uint64_t dropped = 0;
  const auto count = [&](std::string_view decision, const std::string& reason,
                         std::uint64_t traces) {
    if (traces == 0) return;
    metrics_
        .GetCounter("fluoro_store_thinned_traces_total", "Traces judged by tail policies.",
                    {{"decision", std::string(decision)}, {"reason", reason}})
        .Add(static_cast<double>(traces));
  };
  for (const auto& [reason, traces] : thinned.by_reason) {
    count("kept", reason, traces.kept);
    count("dropped", reason, traces.dropped);
    dropped += traces.dropped;
  }
  if (thinned.rootless > 0) {
    metrics_
        .GetCounter("fluoro_store_thinning_rootless_total",
                    "Dropped traces of whose requests nothing is kept, for want of room.")
        .Add(static_cast<double>(thinned.rootless));
  }
  thinning_waits_.Add(static_cast<double>(thinned.waiting));
  thinning_crowded_out_.Set(static_cast<double>(traffic_.crowded_out()));
  if (dropped > 0 && bytes_before > bytes_after)
    thinned_bytes_.Add(static_cast<double>(bytes_before - bytes_after));
}

Result<void> EmbeddedStoreImpl::VisitDropped(
    std::int64_t from_ns, std::int64_t until_ns,
    const std::function<bool(const DroppedTrace&)>& visit) {
  const auto list = blocks();
  bool go_on = true;
  for (const auto& block : *list) {
    if (!go_on) break;
    if (block->meta().skeletons == 0) continue;
    FLUORO_CHECK_OK(block->ReadSkeletons([&](std::string_view chunk) -> Result<void> {
      if (!go_on) return {};
      return DecodeSkeletons(chunk, [&](const DroppedTrace& trace) {
        if (go_on && trace.start_ns >= from_ns && trace.start_ns < until_ns) go_on = visit(trace);
      });
    }));
  }
  return {};
}

}  // namespace fluoro::store
