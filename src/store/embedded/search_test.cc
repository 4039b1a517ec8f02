// Search with a filter gives what a naive evaluator finds in a full export: whatever the sieve
// passes over and zones and filters leave out, wherever the fragments of a trace stand.
#include <gtest/gtest.h>

#include "base/memory_fs.h"
#include "query/random_for_test.h"
#include "store/embedded/column_sieve.h"
#include "store/embedded/embedded_store.h"
#include "store/embedded/row_group_for_test.h"
#include "store/embedded/row_group_index.h"
#include "store/testing.h"

namespace fluoro::store {
namespace {

using model::TraceId;
using query::Filter;

constexpr std::int64_t kNow = 1'700'010'000'000'000'000;

class SearchTest : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  SearchTest() {
    EmbeddedOptions options;
    options.folder = "data";
    options.background_thread = false;
    options.wal_allocate_bytes = 4096;
    options.merge.window_ns[0] = 5 * kNsPerSecond;
    options.merge.window_ns[1] = 15 * kNsPerSecond;
    options.merge.fan_in = 3;
    options.merge.copy_spans = GetParam() % 3 == 0 ? 4'096 : 1 + GetParam() % 16;
    auto opened = OpenEmbeddedStore(fs_, clock_, metrics_, options);
    EXPECT_TRUE(opened) << opened.error().message;
    store_ = *std::move(opened);
  }

  // Sends traces in pieces, several at once, and seals, merges and deletes in between.
  void Fill(std::size_t traces) {
    std::vector<std::vector<model::Span>> open;
    std::vector<TraceId> ids;
    for (std::size_t sent = 0; sent < traces || !open.empty();) {
      while (open.size() < 8 && sent < traces) {
        ids.push_back(testing::MakeTraceId(++sent));
        const auto start_ms = kNow / kNsPerMs - static_cast<std::int64_t>(rng_.Below(30'000));
        open.push_back(query::testing::RandomTrace(rng_, ids.back(), start_ms));
        // Nearly all differ: of these a row group keeps a filter.
        for (model::Span& span : open.back()) {
          requests_.push_back(testing::MakeTraceId(rng_.Next()).ToHex());
          span.attributes.push_back({"request", {requests_.back()}});
        }
      }
      model::SpanBatch batch;
      for (std::uint64_t i = 1 + rng_.Below(6); i > 0 && !open.empty(); --i) {
        const std::size_t at = rng_.Below(open.size());
        batch.AppendSpan(open[at].back());
        open[at].pop_back();
        if (open[at].empty()) open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
      }
      if (batch.empty()) continue;
      ASSERT_TRUE(store_->Append(std::move(batch), Durability::kSynced));
      clock_.Advance(100 * kNsPerMs);
      if (rng_.Chance(0.05)) {
        ASSERT_TRUE(store_->SealAll());
      }
      if (rng_.Chance(0.05)) {
        ASSERT_TRUE(store_->RunMaintenance());
      }
      if (rng_.Chance(0.01)) {
        ASSERT_TRUE(store_->Delete(std::vector{ids[rng_.Below(ids.size())]}));
      }
    }
  }

  std::vector<TraceId> Search(const query::Plan& plan) {
    std::vector<TraceId> ids;
    const auto result = store_->Search(plan, [&](const Match& match) {
      ids.push_back(match.trace.trace->id);
      return true;
    });
    EXPECT_TRUE(result);
    if (!result) return ids;
    EXPECT_TRUE(result->complete);
    EXPECT_TRUE(result->damaged.empty());
    passed_over_ += result->passed_over;
    pruned_by_filters_ += result->pruned_by_filters;
    scanned_ = result->scanned_traces;
    return ids;
  }

  // The same, a few matches at a time.
  std::vector<TraceId> SearchInPages(query::Plan plan) {
    std::vector<TraceId> ids;
    for (;;) {
      std::uint64_t left = 1 + rng_.Below(3);
      const auto result = store_->Search(plan, [&](const Match& match) {
        ids.push_back(match.trace.trace->id);
        return --left > 0;
      });
      EXPECT_TRUE(result);
      if (!result || result->complete) return ids;
      plan.after = result->last;
    }
  }

  // Every trace in the window, and of them those that match.
  std::vector<TraceId> SearchNaively(const query::Plan& plan) {
    query::Plan everything = plan;
    everything.filter.reset();
    std::vector<TraceId> ids;
    const auto result = store_->Search(everything, [&](const Match& match) {
      if (plan.filter->Matches(match.view)) ids.push_back(match.trace.trace->id);
      return true;
    });
    EXPECT_TRUE(result);
    if (result) everything_ = result->scanned_traces;
    return ids;
  }

  MemoryFs fs_;
  ManualClock clock_{kNow};
  Metrics metrics_;
  Rng rng_{GetParam()};
  std::unique_ptr<EmbeddedStore> store_;
  std::vector<std::string> requests_;
  std::uint64_t passed_over_ = 0;
  std::uint64_t pruned_by_filters_ = 0;
  std::uint64_t scanned_ = 0;
  std::uint64_t everything_ = 0;
};

TEST_P(SearchTest, FindsWhatANaiveEvaluatorFinds) {
  Fill(150);
  for (int i = 0; i < 40; ++i) {
    const std::string text = query::testing::RandomExpression(rng_).Make();
    query::Plan plan;
    plan.filter = *Filter::Parse(text);
    plan.time_range = static_cast<query::TimeRange>(rng_.Below(3));
    if (rng_.Chance(0.5)) plan.from_ns = kNow - 20 * kNsPerSecond;
    if (rng_.Chance(0.5)) plan.until_ns = kNow - 5 * kNsPerSecond;
    const auto expected = SearchNaively(plan);
    EXPECT_EQ(Search(plan), expected) << text;
    EXPECT_EQ(scanned_, everything_) << text;
    EXPECT_EQ(SearchInPages(plan), expected) << text;
    plan.use_index = false;
    EXPECT_EQ(Search(plan), expected) << text;
    EXPECT_EQ(scanned_, everything_) << text;
  }
  EXPECT_GT(passed_over_, 200U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SearchTest, ::testing::Range<std::uint64_t>(1, 21));

// More than one row group, and a trace that stands in two.
class LargeSearchTest : public SearchTest {};

TEST_P(LargeSearchTest, FindsWhatANaiveEvaluatorFindsInSeveralRowGroups) {
  Fill(3'000);
  model::SpanBatch large;
  for (std::uint64_t i = 0; i < 9'000; ++i) {
    model::Span span = model::testing::SpanBuilder(i + 1, "loop")
                           .InTrace(testing::MakeTraceId(1'000'000))
                           .BetweenNs(kNow - kNsPerSecond, kNow)
                           .Service("big");
    if (i == 8'500) span.attributes.push_back({"needle", {std::string("here")}});
    large.AppendSpan(span);
  }
  ASSERT_TRUE(store_->Append(std::move(large), Durability::kSynced));
  ASSERT_TRUE(store_->SealAll());
  for (int i = 0; i < 30; ++i) {
    query::Plan plan;
    std::string text =
        i == 0 ? "annotation.needle = \"here\"" : query::testing::RandomExpression(rng_).Make(1);
    if (i % 3 == 1)
      text = "annotation.request = \"" + requests_[rng_.Below(requests_.size())] + "\"";
    if (i % 6 == 2)
      text = "annotation.request = \"" + testing::MakeTraceId(rng_.Next()).ToHex() + "\"";
    plan.filter = *Filter::Parse(text);
    const auto expected = SearchNaively(plan);
    EXPECT_EQ(Search(plan), expected) << plan.filter->text();
    if (i == 0) {
      EXPECT_EQ(expected.size(), 1U);
    }
  }
  EXPECT_GT(passed_over_, 5'000U);
  EXPECT_GT(pruned_by_filters_, 5U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, LargeSearchTest, ::testing::Values(99U));

// Sieves on columns and on batches are two programs for one rule.
TEST(ColumnSieve, SaysOfARowGroupWhatTheBatchSieveSaysOfItsBatch) {
  std::uint64_t held_back = 0;
  std::uint64_t none_passes = 0;
  std::uint64_t templated = 0;
  std::map<Pruning, int> prunings;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Rng rng(seed);
    model::SpanBatch batch;
    std::vector<TraceRun> runs;
    std::vector<std::string> urls;  // all differ, so that they are cut into patterns and numbers
    std::vector<std::string> requests;
    for (std::uint64_t trace = seed % 6 == 0 ? 500 : 30; trace > 0; --trace) {
      TraceRun run{.id = testing::MakeTraceId(trace), .start_ns = INT64_MAX, .end_ns = INT64_MIN};
      for (model::Span& span : query::testing::RandomTrace(rng, run.id, 1'000)) {
        if (rng.Chance(0.7)) {
          urls.push_back("/items/" + std::to_string(rng.Below(1'000'000)) +
                         "?page=" + std::to_string(rng.Below(9)));
          span.attributes.push_back({"item.url", {urls.back()}});
        }
        requests.push_back(testing::MakeTraceId(rng.Next()).ToHex());
        span.attributes.push_back({"request", {requests.back()}});
        if (seed % 4 == 0)
          span.attributes.push_back({"size", {static_cast<std::int64_t>(rng.Below(1'000)) - 500}});
        if (seed % 5 == 0)
          span.attributes.push_back({"share", {static_cast<double>(rng.Below(1'000)) / 1e3}});
        batch.AppendSpan(span);
        run.start_ns = std::min(run.start_ns, span.start_ns);
        run.end_ns = std::max(run.end_ns, span.end_ns);
        ++run.rows;
      }
      runs.push_back(run);
    }
    RowGroupBuilder builder;
    std::uint32_t row = 0;
    for (const TraceRun& run : runs) {
      std::vector<RowRef> rows;
      for (std::uint32_t i = 0; i < run.rows; ++i) rows.push_back({&batch, row++});
      builder.AddTrace(run.start_ns, rows);
    }
    const std::vector<EncodedColumn> columns = testing::FinishInMemory(builder);
    for (const EncodedColumn& column : columns) templated += column.bytes[0] == 2 ? 1U : 0U;
    const ColumnReader read = [&](std::uint32_t id) -> Result<std::string_view> {
      for (const EncodedColumn& column : columns) {
        if (column.id == id) return column.bytes;
      }
      return std::string_view();
    };
    for (int i = 0; i < 60; ++i) {
      std::string text = query::testing::RandomExpression(rng).Make();
      if (i % 12 == 1)
        text = "annotation.request = \"" + requests[rng.Below(requests.size())] + "\"";
      if (i % 12 == 2 || i % 12 == 7) {
        text = "annotation.request = \"" + testing::MakeTraceId(rng.Next()).ToHex() + "\"" +
               (i % 12 == 2 ? "" : " OR " + text);
      }
      if (i % 12 == 4 || i % 12 == 5) {
        const char* const operators[] = {"=", "<", "<=", ">", ">="};
        text =
            std::string("annotation.") + (i % 12 == 4 ? "size " : "share ") +
            operators[rng.Below(5)] + " " +
            std::to_string((static_cast<double>(rng.Below(1'400)) - 700) / (i % 12 == 4 ? 1 : 500));
      }
      if (i % 3 == 0) {
        const std::string& url = urls[rng.Below(urls.size())];
        const std::size_t begin = rng.Below(url.size());
        text = i % 2 == 0 ? "annotation.item.url = \"" + url + "\""
                          : "annotation.item.url CONTAINS \"" +
                                url.substr(begin, 1 + rng.Below(url.size() - begin)) + "\"";
      }
      const query::Sieve sieve = query::Sieve::Of(*Filter::Parse(text));
      auto passes = SieveRowGroup(sieve, [&] { return std::span<const TraceRun>(runs); }, read);
      ASSERT_TRUE(passes) << passes.error().message;
      none_passes += passes->empty() ? 1U : 0U;
      if (passes->empty()) passes->resize(runs.size());
      query::BatchSieve on_batch(sieve, batch);
      const auto pruning = PruneRowGroup(
          sieve, *read(static_cast<std::uint32_t>(RowColumn::kZones)), [&](std::uint32_t column) {
            return read(static_cast<std::uint32_t>(RowColumn::kFilters) + column);
          });
      ASSERT_TRUE(pruning) << pruning.error().message;
      ++prunings[*pruning];
      std::uint32_t next = 0;
      for (std::size_t run = 0; run < runs.size(); ++run) {
        std::vector<bool> holds(sieve.probes().size());
        HoldByExtent(sieve, runs[run].start_ns, runs[run].end_ns, holds);
        for (std::uint32_t n = 0; n < runs[run].rows; ++n) on_batch.Hold(next++, holds);
        ASSERT_EQ((*passes)[run], sieve.Passes(holds))
            << "seed " << seed << ", trace " << run << ": " << text << "\n"
            << sieve.Print();
        ASSERT_TRUE(!(*passes)[run] || *pruning == Pruning::kNone)
            << "seed " << seed << ": " << text;
        held_back += (*passes)[run] ? 0U : 1U;
      }
    }
  }
  EXPECT_GT(held_back, 10'000U);
  EXPECT_GT(none_passes, 100U);
  EXPECT_GT(templated, 5U);
  EXPECT_GT(prunings[Pruning::kNone], 500);
  EXPECT_GT(prunings[Pruning::kByZones], 300);
  EXPECT_GT(prunings[Pruning::kByFilters], 10);
}

}  // namespace
}  // namespace fluoro::store
