// The head against a list of rows that is looked through from end to end.
#include "store/embedded/head.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/rng.h"
#include "store/testing.h"

namespace fluoro::store {
namespace {

using testing::MakeBatch;
using testing::MakeTraceId;

struct Row {
  std::uint64_t lsn = 0;
  std::int64_t arrival_ns = 0;
  model::TraceId id;
};

class NaiveHead {
 public:
  void Add(const Commit& commit) {
    for (const model::TraceId& id : commit.batch->trace_ids)
      rows_.push_back({.lsn = commit.lsn, .arrival_ns = commit.arrival_ns, .id = id});
    std::ranges::stable_sort(rows_, {}, &Row::lsn);
  }
  bool Remove(const model::TraceId& id, std::uint64_t upto_lsn) {
    return std::erase_if(rows_,
                         [&](const Row& row) { return row.id == id && row.lsn <= upto_lsn; }) > 0;
  }
  /// Begun: when the row with the lowest LSN arrived. Idle since: when the last one did.
  [[nodiscard]] std::vector<model::TraceId> Due(std::int64_t idle_before_ns,
                                                std::int64_t begun_before_ns) const {
    std::vector<model::TraceId> due;
    for (const auto& [id, times] : Times()) {
      if (times.second <= idle_before_ns || times.first <= begun_before_ns) due.push_back(id);
    }
    return due;
  }
  [[nodiscard]] std::map<model::TraceId, std::pair<std::int64_t, std::int64_t>> Times() const {
    std::map<model::TraceId, std::pair<std::int64_t, std::int64_t>> times;
    for (const Row& row : rows_) {
      const auto at = times.try_emplace(row.id, row.arrival_ns, row.arrival_ns).first;
      at->second.second = std::max(at->second.second, row.arrival_ns);
    }
    return times;
  }
  [[nodiscard]] std::size_t rows() const { return rows_.size(); }

 private:
  std::vector<Row> rows_;
};

// A commit of spans of several traces, some in several runs.
Commit RandomCommit(Rng& rng, std::uint64_t lsn, std::int64_t arrival_ns) {
  std::vector<model::Span> spans;
  for (std::uint64_t i = 1 + rng.Below(6); i > 0; --i) {
    const model::TraceId id = MakeTraceId(rng.Below(12));
    for (std::uint64_t row = 1 + rng.Below(3); row > 0; --row)
      spans.push_back(testing::RandomSpan(rng, id, rng.Next()));
  }
  return {.lsn = lsn,
          .wal_file = 1,
          .arrival_ns = arrival_ns,
          .batch = std::make_shared<const model::SpanBatch>(MakeBatch(spans)),
          .tombstone = nullptr};
}

TEST(Head, SaysOfTracesWhatALookAtEveryRowSays) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    Head head;
    NaiveHead naive;
    std::int64_t now_ns = 1'000;
    std::uint64_t lsn = 0;
    // Replay may meet a record that was written again behind younger ones.
    std::vector<Commit> late;
    for (int step = 0; step < 60; ++step) {
      // The clock may go back, too.
      now_ns += static_cast<std::int64_t>(rng.Below(100)) - (rng.Chance(0.1) ? 150 : 0);
      if (rng.Chance(0.7)) {
        Commit commit = RandomCommit(rng, ++lsn, now_ns);
        if (rng.Chance(0.15)) {
          late.push_back(std::move(commit));
        } else {
          naive.Add(commit);
          EXPECT_EQ(head.Add(commit, {}), 0U);
        }
      } else if (!late.empty() && rng.Chance(0.3)) {
        naive.Add(late.back());
        EXPECT_EQ(head.Add(late.back(), {}), 0U);
        late.pop_back();
      } else {
        const model::TraceId id = MakeTraceId(rng.Below(12));
        const std::uint64_t upto = rng.Chance(0.5) ? lsn : rng.Below(lsn + 1);
        EXPECT_EQ(head.Remove(id, upto), naive.Remove(id, upto));
      }
      const auto times = naive.Times();
      ASSERT_EQ(head.spans(), naive.rows());
      ASSERT_EQ(head.traces(), times.size());
      for (const auto& [id, arrivals] : times) {
        const auto found = head.Find(id);
        ASSERT_NE(found, nullptr);
        EXPECT_EQ(found->first_arrival_ns, arrivals.first);
        EXPECT_EQ(found->last_arrival_ns, arrivals.second);
      }
      const auto before = [&] { return now_ns - static_cast<std::int64_t>(rng.Below(2'000)); };
      for (int i = 0; i < 4; ++i) {
        const std::int64_t idle = rng.Chance(0.2) ? INT64_MIN : before();
        const std::int64_t begun = rng.Chance(0.2) ? INT64_MIN : before();
        ASSERT_EQ(head.Due(idle, begun), naive.Due(idle, begun)) << idle << " " << begun;
      }
    }
  }
}

}  // namespace
}  // namespace fluoro::store
