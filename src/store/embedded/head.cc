#include "store/embedded/head.h"

#include <algorithm>
#include <unordered_set>

#include "base/assert.h"

namespace fluoro::store {
namespace {

// A slot of the table with its node, and a row in its list (grown by doubling).
constexpr std::uint64_t kSlotBytes = 160;
constexpr std::uint64_t kRowBytes = 24;

// How many rows from this one on are of its trace.
std::size_t RunOf(const std::vector<model::TraceId>& ids, std::size_t row) {
  std::size_t end = row + 1;
  while (end < ids.size() && ids[end] == ids[row]) ++end;
  return end - row;
}

// At once for all that are known to come, and still by doubling.
template <class Row>
void MakeRoom(std::vector<Row>& rows, std::size_t count) {
  if (rows.size() + count > rows.capacity())
    rows.reserve(std::max(rows.size() + count, 2 * rows.capacity()));
}

}  // namespace

void Head::Widen(Slot& slot, const Row& row) {
  const model::SpanBatch& batch = *row.batch->commit.batch;
  if (slot.rows.empty()) {
    slot.start_ns = batch.start_ns[row.row];
    slot.end_ns = batch.end_ns[row.row];
  }
  slot.start_ns = std::min(slot.start_ns, batch.start_ns[row.row]);
  slot.end_ns = std::max(slot.end_ns, batch.end_ns[row.row]);
  slot.last_arrival_ns = std::max(slot.last_arrival_ns, row.batch->commit.arrival_ns);
  if (slot.last_lsn != row.batch->commit.lsn) {
    slot.last_lsn = row.batch->commit.lsn;
    ++slot.appends;
  }
  slot.rows.push_back(row);
  // Replay may meet a rewritten record after younger ones.
  for (std::size_t i = slot.rows.size() - 1;
       i > 0 && slot.rows[i - 1].batch->commit.lsn > slot.rows[i].batch->commit.lsn; --i) {
    std::swap(slot.rows[i - 1], slot.rows[i]);
  }
  slot.first_arrival_ns = slot.rows.front().batch->commit.arrival_ns;
}

std::uint64_t Head::Add(const Commit& commit, const Skip& skip) {
  const model::SpanBatch& spans = *commit.batch;
  if (spans.empty()) return 0;
  const auto [position, is_new] = batches_.try_emplace(commit.lsn);
  FLUORO_ASSERT(is_new);
  Batch& batch = position->second;
  batch.commit = commit;
  batch.bytes = spans.MemoryBytes();
  bytes_ += batch.bytes;
  std::uint64_t dropped = 0;
  Slot* slot = nullptr;
  bool skipped = false;
  const std::uint64_t span_bytes = batch.bytes / spans.size();
  for (std::uint32_t row = 0; row < spans.size(); ++row) {
    const model::TraceId& id = spans.trace_ids[row];
    if (row == 0 || id != spans.trace_ids[row - 1]) {  // runs of one trace are the rule
      skipped = skip && skip(id);
      slot = nullptr;
    }
    if (skipped) continue;
    if (slot == nullptr) {
      const auto [at, added] = traces_.try_emplace(id);
      slot = &at->second;
      if (added) bytes_ += kSlotBytes;
      MakeRoom(slot->rows, RunOf(spans.trace_ids, row));
    }
    slot->text_bytes += span_bytes;
    if (slot->rows.size() >= kTraceSpansMax || slot->text_bytes > kTraceBytesMax) {
      slot->limit_exceeded = true;
      ++dropped;
      continue;
    }
    Widen(*slot, {&batch, row});
    ++batch.live_rows;
    ++spans_;
    bytes_ += kRowBytes;
  }
  if (batch.live_rows == 0) Release(batch);
  return dropped;
}

void Head::Release(Batch& batch) {
  bytes_ -= batch.bytes;
  batches_.erase(batch.commit.lsn);
}

bool Head::Remove(const model::TraceId& id, std::uint64_t upto_lsn) {
  const auto at = traces_.find(id);
  if (at == traces_.end()) return false;
  std::vector<Row> rows = std::move(at->second.rows);
  Slot rest;
  bool removed = false;
  for (const Row& row : rows) {
    if (row.batch->commit.lsn > upto_lsn) {
      Widen(rest, row);
      continue;
    }
    removed = true;
    --spans_;
    bytes_ -= kRowBytes;
    if (--row.batch->live_rows == 0) Release(*row.batch);
  }
  if (rest.rows.empty()) {
    traces_.erase(at);
    bytes_ -= kSlotBytes;
  } else {
    at->second = std::move(rest);
  }
  return removed;
}

std::unique_ptr<TraceRows> Head::Find(const model::TraceId& id, std::uint64_t upto_lsn) const {
  const auto at = traces_.find(id);
  if (at == traces_.end()) return nullptr;
  Slot older;
  const bool is_whole =
      at->second.rows.empty() || at->second.rows.back().batch->commit.lsn <= upto_lsn;
  if (!is_whole) {
    older.limit_exceeded = at->second.limit_exceeded;
    for (const Row& row : at->second.rows) {
      if (row.batch->commit.lsn > upto_lsn) break;
      Widen(older, row);
    }
    if (older.rows.empty()) return nullptr;
  }
  const Slot& slot = is_whole ? at->second : older;
  auto found = std::make_unique<TraceRows>();
  found->id = id;
  found->start_ns = slot.start_ns;
  found->end_ns = slot.end_ns;
  found->first_arrival_ns = slot.first_arrival_ns;
  found->last_arrival_ns = slot.last_arrival_ns;
  found->appends = slot.appends;
  found->limit_exceeded = slot.limit_exceeded;
  found->rows.reserve(slot.rows.size());
  const Batch* before = nullptr;
  for (const Row& row : slot.rows) {
    if (row.batch != before) found->batches.push_back(row.batch->commit.batch);
    before = row.batch;
    found->rows.push_back({row.batch->commit.batch.get(), row.row});
  }
  return found;
}

std::vector<TraceTimes> Head::Times() const {
  std::vector<TraceTimes> times;
  times.reserve(traces_.size());
  for (const auto& [id, slot] : traces_) times.push_back({id, slot.start_ns, slot.end_ns});
  return times;
}

// By way of the batches: those that came since cannot hold the first rows of a trace that is due.
std::vector<model::TraceId> Head::Due(std::int64_t idle_before_ns,
                                      std::int64_t begun_before_ns) const {
  std::vector<model::TraceId> due;
  for (const auto& [lsn, batch] : batches_) {
    if (batch.commit.arrival_ns > std::max(idle_before_ns, begun_before_ns)) continue;
    const std::vector<model::TraceId>& ids = batch.commit.batch->trace_ids;
    for (std::size_t row = 0; row < ids.size(); ++row) {
      if (row > 0 && ids[row] == ids[row - 1]) continue;
      const auto at = traces_.find(ids[row]);
      if (at == traces_.end()) continue;
      const Slot& slot = at->second;
      if (slot.last_arrival_ns <= idle_before_ns || slot.first_arrival_ns <= begun_before_ns)
        due.push_back(ids[row]);
    }
  }
  std::ranges::sort(due);
  due.erase(std::ranges::unique(due).begin(), due.end());
  return due;
}

std::vector<model::TraceId> Head::Oldest(std::uint64_t bytes) const {
  std::unordered_set<model::TraceId> ids;
  std::uint64_t held = 0;
  for (const auto& [lsn, batch] : batches_) {
    if (held >= bytes) break;
    held += batch.bytes + batch.live_rows * kRowBytes;
    for (const model::TraceId& id : batch.commit.batch->trace_ids) {
      if (traces_.contains(id)) ids.insert(id);
    }
  }
  return {ids.begin(), ids.end()};
}

std::vector<model::TraceId> Head::All() const {
  std::vector<model::TraceId> ids;
  ids.reserve(traces_.size());
  for (const auto& [id, slot] : traces_) ids.push_back(id);
  return ids;
}

std::uint64_t Head::CountRows(const std::vector<model::TraceId>& ids) const {
  std::uint64_t rows = 0;
  for (const model::TraceId& id : ids) {
    if (const auto at = traces_.find(id); at != traces_.end()) rows += at->second.rows.size();
  }
  return rows;
}

std::vector<Commit> Head::BatchesIn(std::uint64_t wal_file) const {
  std::vector<Commit> found;
  for (const auto& [lsn, batch] : batches_) {
    if (batch.commit.wal_file == wal_file) found.push_back(batch.commit);
  }
  return found;
}

void Head::Move(std::uint64_t lsn, std::uint64_t wal_file) {
  if (const auto at = batches_.find(lsn); at != batches_.end()) {
    at->second.commit.wal_file = wal_file;
  }
}

std::uint64_t Head::OldestWalFile() const {
  std::uint64_t oldest = UINT64_MAX;
  for (const auto& [lsn, batch] : batches_) oldest = std::min(oldest, batch.commit.wal_file);
  return oldest;
}

std::int64_t Head::OldestStart() const {
  std::int64_t oldest = INT64_MAX;
  for (const auto& [id, slot] : traces_) oldest = std::min(oldest, slot.start_ns);
  return oldest;
}

std::vector<std::shared_ptr<const model::SpanBatch>> Head::Batches() const {
  std::vector<std::shared_ptr<const model::SpanBatch>> batches;
  batches.reserve(batches_.size());
  for (const auto& [lsn, batch] : batches_) batches.push_back(batch.commit.batch);
  return batches;
}

}  // namespace fluoro::store
