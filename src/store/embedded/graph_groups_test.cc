// Row groups of many traces by columns: the same as span by span, and safe if they are damaged.
#include "store/embedded/graph_columns.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "rollup/testing.h"
#include "store/embedded/row_group_for_test.h"
#include "store/testing.h"

namespace fluoro::store {
namespace {

using model::Span;

struct Group {
  std::vector<EncodedColumn> columns;
  std::vector<TraceRun> runs;

  [[nodiscard]] std::map<std::uint32_t, std::string_view> Views() const {
    std::map<std::uint32_t, std::string_view> views;
    for (const EncodedColumn& column : columns) views[column.id] = column.bytes;
    return views;
  }
};

// Attributes that all spans of a row group have.
struct Common {
  std::string key;
  bool is_number = false;
  std::uint64_t values = 1;  // different ones
};

std::vector<Common> RandomCommon(Rng& rng) {
  std::vector<Common> common;
  const auto& keys = rollup::testing::FactKeys();
  std::size_t at = rng.Below(keys.size() / 4);
  for (std::uint64_t left = rng.Below(6); left > 0 && at < keys.size();
       --left, at += 1 + rng.Below(12)) {
    const std::uint64_t values = std::array<std::uint64_t, 4>{1, 3, 200, 100'000}[rng.Below(4)];
    common.push_back({.key = keys[at], .is_number = rng.Chance(0.3), .values = values});
  }
  return common;
}

void SetCommon(Rng& rng, const std::vector<Common>& common, Span& span) {
  span.attributes.clear();
  for (const Common& one : common) {
    const auto value = static_cast<std::int64_t>(rng.Below(one.values));
    if (one.is_number) {
      span.attributes.push_back({one.key, {value}, {}});
    } else {
      span.attributes.push_back({one.key, {"v" + std::to_string(value)}, {}});
    }
  }
}

Group MakeGroup(Rng& rng, bool has_one_shape) {
  Group group;
  RowGroupBuilder builder;
  std::vector<std::unique_ptr<model::SpanBatch>> batches;
  const std::vector<Common> common = RandomCommon(rng);
  const bool is_plain = rng.Chance(0.5);  // no flags
  rollup::testing::TraceShape shape;
  for (std::uint64_t left = 1 + rng.Below(60); left > 0; --left) {
    shape.spans_max = 1 + rng.Below(40);
    const model::TraceId id = testing::MakeTraceId(left);
    std::vector<Span> spans;
    for (std::uint64_t number = 1; number <= shape.spans_max; ++number) {
      Span& span = spans.emplace_back(rollup::testing::RandomGraphSpan(rng, id, number, shape));
      if (has_one_shape) SetCommon(rng, common, span);
      if (is_plain) span.flags = span.otel_flags = 0;
    }
    batches.push_back(std::make_unique<model::SpanBatch>(testing::MakeBatch(spans)));
    std::vector<RowRef> rows;
    std::int64_t start_ns = INT64_MAX;
    for (std::uint32_t i = 0; i < spans.size(); ++i) {
      start_ns = std::min(start_ns, spans[i].start_ns);
      rows.push_back({batches.back().get(), i});
    }
    builder.AddTrace(start_ns, rows);
    group.runs.push_back(
        {.id = id, .start_ns = start_ns, .rows = static_cast<std::uint32_t>(spans.size())});
  }
  group.columns = testing::FinishInMemory(builder);
  return group;
}

ColumnReader ReaderOf(const std::map<std::uint32_t, std::string_view>& views) {
  return [&views](std::uint32_t id) -> Result<std::string_view> {
    const auto at = views.find(id);
    return at == views.end() ? std::string_view() : at->second;
  };
}

TEST(GraphGroups, SayOfSpansWhatTheirBatchDoes) {
  rollup::FactsTable table;
  GraphColumns columns(table);
  int covered = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    if (table.IsFull()) table.Clear();
    const Group group = MakeGroup(rng, seed % 4 != 0);
    const auto views = group.Views();
    const auto is_read = columns.Read(ReaderOf(views), group.runs, GraphColumns::Ids::kNone);
    ASSERT_TRUE(is_read) << is_read.error().message;
    // A key that stands twice is left to those who read spans.
    if (!*is_read) continue;
    ++covered;
    const std::vector<rollup::JoinSpan> got(columns.spans().begin(), columns.spans().end());
    const auto batch = DecodeRowGroup(views, group.runs);
    ASSERT_TRUE(batch) << batch.error().message;
    rollup::BatchDescriber describer(table);
    columns.ReadBatch(*batch, group.runs, describer);
    const auto wanted = columns.spans();
    ASSERT_EQ(got.size(), wanted.size());
    for (std::size_t row = 0; row < got.size(); ++row) {
      ASSERT_EQ(got[row].start_ns, wanted[row].start_ns) << row;
      ASSERT_EQ(got[row].end_ns, wanted[row].end_ns) << row;
      ASSERT_EQ(got[row].parent, wanted[row].parent) << row;
      ASSERT_EQ(got[row].facts, wanted[row].facts) << row;
    }
  }
  EXPECT_GE(covered, 225);
}

TEST(GraphGroups, RefuseWhatIsDamagedOrStaySafe) {
  std::uint64_t refused = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Rng rng(seed);
    Group group = MakeGroup(rng, true);
    rollup::FactsTable table;
    GraphColumns columns(table);
    for (int flip = 0; flip < 300; ++flip) {
      EncodedColumn& column = group.columns[rng.Below(group.columns.size())];
      if (column.bytes.empty()) continue;
      const std::string before = column.bytes;
      if (rng.Chance(0.2)) {
        column.bytes.resize(rng.Below(column.bytes.size()));
      } else {
        column.bytes[rng.Below(std::min<std::size_t>(column.bytes.size(), 200))] ^=
            static_cast<char>(1U << rng.Below(8));
      }
      const auto views = group.Views();
      const auto is_read = columns.Read(ReaderOf(views), group.runs, GraphColumns::Ids::kWanted);
      refused += is_read ? 0U : 1U;
      if (is_read && *is_read) {
        for (const rollup::JoinSpan& span : columns.spans()) {
          ASSERT_GE(span.parent, rollup::kAbsentParent);
          (void)table.At(span.facts);
        }
      }
      column.bytes = before;
    }
  }
  EXPECT_GT(refused, 500U);
}

}  // namespace
}  // namespace fluoro::store
