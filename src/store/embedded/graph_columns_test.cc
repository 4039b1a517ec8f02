// What columns say of spans is what a look at each span says.
#include "store/embedded/graph_columns.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "rollup/testing.h"
#include "store/embedded/row_group_for_test.h"
#include "store/testing.h"

namespace fluoro::store {
namespace {

using model::Span;
using rollup::testing::FactKeys;
using rollup::testing::RandomFact;

class GraphColumnsTest : public ::testing::Test {
 protected:
  // Of one trace, in one row group. False: columns do not say it.
  bool ExpectFactsOf(const std::vector<Span>& spans) {
    const model::SpanBatch batch = testing::MakeBatch(spans);
    std::vector<RowRef> rows;
    std::int64_t start_ns = INT64_MAX;
    for (std::uint32_t row = 0; row < batch.size(); ++row) {
      rows.push_back({.batch = &batch, .row = row});
      start_ns = std::min(start_ns, batch.start_ns[row]);
    }
    RowGroupBuilder builder;
    builder.AddTrace(start_ns, rows);
    std::map<std::uint32_t, std::string> encoded;
    for (EncodedColumn& column : testing::FinishInMemory(builder))
      encoded[column.id] = std::move(column.bytes);
    const auto column = [&encoded](std::uint32_t id) -> Result<std::string_view> {
      const auto at = encoded.find(id);
      return at == encoded.end() ? std::string_view() : std::string_view(at->second);
    };
    const TraceRun run{.id = spans.front().trace_id,
                       .start_ns = start_ns,
                       .rows = static_cast<std::uint32_t>(batch.size())};
    const auto read = columns_.Read(column, {&run, 1}, GraphColumns::Ids::kWanted);
    EXPECT_TRUE(read) << read.error().message;
    if (!read || !*read) return false;
    EXPECT_EQ(columns_.spans().size(), spans.size());
    for (std::uint32_t row = 0; row < batch.size(); ++row) {
      const rollup::JoinSpan& span = columns_.spans()[row];
      EXPECT_EQ(span.facts, describer_.Describe(batch, row)) << row;
      EXPECT_EQ(span.start_ns, batch.start_ns[row]);
      EXPECT_EQ(span.end_ns, batch.end_ns[row]);
      EXPECT_EQ(columns_.ids()[row], rollup::IdIndex::Word(batch.span_ids[row]));
      EXPECT_EQ(columns_.parent_ids()[row], rollup::IdIndex::Word(batch.parent_ids[row]));
    }
    describer_.Forget();
    if (table_.IsFull()) table_.Clear();
    return true;
  }
  // Spans without attributes.
  std::vector<Span> Bare(std::size_t count) {
    std::vector<Span> spans;
    while (spans.size() < count) {
      spans.push_back(
          rollup::testing::RandomGraphSpan(rng_, testing::MakeTraceId(1), spans.size() + 1));
      spans.back().attributes.clear();
    }
    return spans;
  }
  // A key stands twice, of which facts are read.
  static bool Repeats(const Span& span) {
    std::set<std::pair<std::string_view, model::AttributeType>> seen;
    return std::ranges::any_of(span.attributes, [&seen](const model::Attribute& attribute) {
      return rollup::Description::KeyOf(attribute.key) &&
             attribute.role == model::AttributeRole::kPlain &&
             !seen.emplace(attribute.key, attribute.value.type()).second;
    });
  }
  void Set(Span& span, std::string key, model::AttributeValue value) {
    span.attributes.push_back({std::move(key), std::move(value), model::AttributeRole::kPlain});
  }

  Rng rng_{23};
  rollup::FactsTable table_;
  GraphColumns columns_{table_};
  rollup::BatchDescriber describer_{table_};
};

TEST_F(GraphColumnsTest, SpansOfAnyShape) {
  int covered = 0;
  for (int round = 0; round < 200; ++round) {
    SCOPED_TRACE(round);
    std::vector<Span> spans;
    for (std::uint64_t i = 1 + rng_.Below(80); i > 0; --i)
      spans.push_back(rollup::testing::RandomGraphSpan(rng_, testing::MakeTraceId(1), i));
    const bool is_covered = ExpectFactsOf(spans);
    EXPECT_EQ(is_covered, std::ranges::none_of(spans, Repeats));
    covered += is_covered ? 1 : 0;
    if (HasFailure()) return;
  }
  EXPECT_GT(covered, 20);
}

TEST_F(GraphColumnsTest, SpansOfOneShape) {
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE(round);
    std::vector<Span> spans = Bare(1 + rng_.Below(80));
    for (std::uint64_t i = rng_.Below(4); i > 0; --i) {
      const std::string& key =
          FactKeys()[(i * 13 + static_cast<std::uint64_t>(round)) % FactKeys().size()];
      for (Span& span : spans) Set(span, key, {"value-" + std::to_string(rng_.Below(5))});
    }
    EXPECT_TRUE(ExpectFactsOf(spans));
    if (HasFailure()) return;
  }
}

// Few columns, so that all that a span is fits into one number, in every order and choice.
TEST_F(GraphColumnsTest, SpansOfFewNarrowShapes) {
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE(round);
    std::vector<Span> spans = Bare(100);
    for (Span& span : spans) {
      std::vector<std::string> keys = {"db.system", "peer.service", "http.response.status_code"};
      for (std::uint64_t i = rng_.Below(4); i > 0; --i) {
        const auto key = keys.begin() + static_cast<std::ptrdiff_t>(rng_.Below(keys.size()));
        if (*key == "http.response.status_code") {
          Set(span, *key, {static_cast<std::int64_t>(rng_.Chance(0.5) ? 200 : 503)});
        } else {
          Set(span, *key, {rng_.Chance(0.5) ? std::string("mysql") : std::string("cart")});
        }
        keys.erase(key);
      }
    }
    EXPECT_TRUE(ExpectFactsOf(spans));
    if (HasFailure()) return;
  }
}

// So many and so different values that no number holds them.
TEST_F(GraphColumnsTest, SpansOfWideShapes) {
  std::vector<Span> spans = Bare(400);
  for (Span& span : spans) {
    for (std::size_t i = 0; i < FactKeys().size(); i += 3 + rng_.Below(3))
      Set(span, FactKeys()[i], {"value-" + std::to_string(rng_.Below(100))});
  }
  EXPECT_TRUE(ExpectFactsOf(spans));
}

// No protocol means it, but documents and imported traces may say so.
TEST_F(GraphColumnsTest, AKeyThatStandsTwiceIsLeftToThoseWhoReadSpans) {
  std::vector<Span> spans = Bare(20);
  for (Span& span : spans) {
    for (const char* const value : {"first", "second"})
      Set(span, "peer.service", {std::string(value)});
  }
  EXPECT_FALSE(ExpectFactsOf(spans));
  // Facts are not read from this one.
  spans = Bare(20);
  for (Span& span : spans) {
    for (const char* const value : {"first", "second"}) Set(span, "user.id", {std::string(value)});
  }
  EXPECT_TRUE(ExpectFactsOf(spans));
}

}  // namespace
}  // namespace fluoro::store
