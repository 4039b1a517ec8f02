// What no block holds yet: the committed batches, and a table of their rows by trace.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "model/ids.h"
#include "model/span_batch.h"
#include "store/embedded/log.h"

namespace fluoro::store {

/// A trace outgrows the store beyond either of these; further spans are dropped and counted.
inline constexpr std::uint64_t kTraceSpansMax = 1'000'000;
inline constexpr std::uint64_t kTraceBytesMax = std::uint64_t{1} << 30;

/// One span in a batch.
struct RowRef {
  const model::SpanBatch* batch = nullptr;
  std::uint32_t row = 0;
};

/// The rows of one trace, in order of arrival, with what keeps them alive.
struct TraceRows {
  model::TraceId id;
  std::int64_t start_ns = 0;  ///< earliest start
  std::int64_t end_ns = 0;    ///< latest end
  std::int64_t first_arrival_ns = 0;
  std::int64_t last_arrival_ns = 0;
  std::uint32_t appends = 0;  ///< batches that brought spans
  bool limit_exceeded = false;
  std::vector<RowRef> rows;
  std::vector<std::shared_ptr<const model::SpanBatch>> batches;
};

struct TraceTimes {
  model::TraceId id;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
};

/// Not thread-safe: the store's state mutex guards it.
class Head {
 public:
  /// Rows for which `skip` (optional) answers true are already in a block or deleted.
  using Skip = std::function<bool(const model::TraceId&)>;
  /// Returns how many rows were dropped because their trace is too large.
  std::uint64_t Add(const Commit& commit, const Skip& skip);
  /// Forgets rows of this trace up to an LSN. True if there were any.
  bool Remove(const model::TraceId& id, std::uint64_t upto_lsn);

  [[nodiscard]] bool Contains(const model::TraceId& id) const { return traces_.contains(id); }
  /// Its rows up to an LSN. Null if there are none.
  [[nodiscard]] std::unique_ptr<TraceRows> Find(const model::TraceId& id,
                                                std::uint64_t upto_lsn = UINT64_MAX) const;
  [[nodiscard]] std::vector<TraceTimes> Times() const;

  /// Traces idle since or begun before the given arrival times.
  [[nodiscard]] std::vector<model::TraceId> Due(std::int64_t idle_before_ns,
                                                std::int64_t begun_before_ns) const;
  /// Traces with rows in the oldest batches, until those batches hold `bytes`.
  [[nodiscard]] std::vector<model::TraceId> Oldest(std::uint64_t bytes) const;
  [[nodiscard]] std::vector<model::TraceId> All() const;
  /// Spans of these traces.
  [[nodiscard]] std::uint64_t CountRows(const std::vector<model::TraceId>& ids) const;

  /// Batches with live rows in that file, in order of LSN.
  [[nodiscard]] std::vector<Commit> BatchesIn(std::uint64_t wal_file) const;
  void Move(std::uint64_t lsn, std::uint64_t wal_file);
  /// Whether there are live rows with LSNs between these two.
  [[nodiscard]] bool HasBetween(std::uint64_t lsn, std::uint64_t end_lsn) const {
    const auto next = batches_.upper_bound(lsn);
    return next != batches_.end() && next->first < end_lsn;
  }
  /// Lowest file with live rows; UINT64_MAX if none.
  [[nodiscard]] std::uint64_t OldestWalFile() const;

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t spans() const { return spans_; }
  [[nodiscard]] std::size_t traces() const { return traces_.size(); }
  [[nodiscard]] std::size_t batches() const { return batches_.size(); }
  [[nodiscard]] std::int64_t OldestStart() const;

  /// Every batch with live rows.
  [[nodiscard]] std::vector<std::shared_ptr<const model::SpanBatch>> Batches() const;

 private:
  struct Batch {
    Commit commit;
    std::uint64_t live_rows = 0;
    std::uint64_t bytes = 0;
  };
  struct Row {
    Batch* batch;
    std::uint32_t row;
  };
  struct Slot {
    std::int64_t start_ns = 0;
    std::int64_t end_ns = 0;
    std::int64_t first_arrival_ns = 0;
    std::int64_t last_arrival_ns = 0;
    std::uint64_t last_lsn = 0;
    std::uint64_t text_bytes = 0;
    std::uint32_t appends = 0;
    bool limit_exceeded = false;
    std::vector<Row> rows;
  };
  void Release(Batch& batch);
  static void Widen(Slot& slot, const Row& row);

  std::map<std::uint64_t, Batch> batches_;  ///< by LSN
  std::unordered_map<model::TraceId, Slot> traces_;
  std::uint64_t bytes_ = 0;
  std::uint64_t spans_ = 0;
};

}  // namespace fluoro::store
