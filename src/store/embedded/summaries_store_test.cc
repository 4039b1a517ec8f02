// Summaries of the traces that a store seals and merges, against the traces themselves.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "model/summary_testing.h"
#include "query/random_for_test.h"
#include "rollup/testing.h"
#include "store/embedded/block.h"
#include "store/embedded/reference_reader_for_test.h"
#include "store/embedded/sums_store_for_test.h"

namespace fluoro::store {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the suite of this module

class SummariesStoreTest : public SumsStoreTest {
 protected:
  static void LeaveKeysOnce(std::vector<model::Attribute>& attributes) {
    std::set<std::string> seen;
    std::erase_if(attributes, [&](const auto& a) { return !seen.insert(a.key).second; });
  }
  // Nearly everything that a trace may be, most of it seldom.
  std::vector<model::Span> RandomTrace(const model::TraceId& id) {
    std::vector<model::Span> spans;
    if (rng_.Chance(0.5)) {
      spans = query::testing::RandomTrace(rng_, id, 1'700'000'000'000);
    } else {
      spans = rollup::testing::RandomGraphTrace(rng_, id);
    }
    for (model::Span& span : spans) {
      // A key that stands twice is left to those who read spans.
      if (rng_.Chance(0.0005)) continue;
      LeaveKeysOnce(span.attributes);
      auto resource = std::make_shared<model::Resource>(*span.resource);
      LeaveKeysOnce(resource->attributes);
      span.resource = std::move(resource);
    }
    return spans;
  }
  void AppendTraces(std::uint64_t count) {
    std::vector<model::Span> spans;
    for (; count > 0; --count) {
      // Some go on that began in earlier blocks.
      const std::uint64_t number = rng_.Chance(0.05) ? rng_.Below(traces_ + 1) : ++traces_;
      const auto trace = RandomTrace(MakeTraceId(number));
      spans.insert(spans.end(), trace.begin(), trace.end());
    }
    ASSERT_TRUE(store_->Append(MakeBatch(spans), Durability::kSynced));
    clock_.Advance(kNsPerSecond);
  }
  std::vector<std::uint64_t> BlockIds() {
    std::vector<std::uint64_t> ids;
    const auto names = fs_.List("data/blocks");
    for (const std::string& name : *names) {
      std::uint64_t id = 0;
      if (ParseBlockFileName(name, id)) ids.push_back(id);
    }
    return ids;
  }
  // Counts entries with a summary, each of which is what the entry's spans say.
  std::uint64_t CheckBlock(std::uint64_t id) {
    const auto slow = reference::ReadBlock(*ReadFile(fs_, PathOf(id)));
    EXPECT_TRUE(slow) << slow.error().message;
    const auto block = OpenBlock(id);
    if (!slow || block == nullptr) return 0;
    const auto table = block->Table();
    EXPECT_TRUE(table);
    const auto summaries = block->Summaries(**table);
    EXPECT_TRUE(summaries) << summaries.error().message;
    std::uint64_t known = 0;
    for (std::size_t i = 0; i < slow->traces.size(); ++i) {
      const reference::Trace& entry = slow->traces[i];
      if (slow->summaries[i].empty()) {
        EXPECT_TRUE(*summaries == nullptr || !(*summaries)->traces[i].is_known());
        continue;
      }
      ++known;
      EXPECT_EQ(slow->summaries[i],
                model::testing::Print((*summaries)->traces[i], (*summaries)->texts));
      auto trace = std::make_shared<model::Trace>();
      trace->id = entry.id;
      trace->spans = entry.spans;
      model::SummaryTexts texts;
      const auto wanted = model::testing::SummaryOf(model::Assemble(trace), texts);
      EXPECT_TRUE(wanted) << entry.id.ToHex();
      if (!wanted) continue;
      EXPECT_EQ(slow->summaries[i], model::testing::Print(*wanted, texts)) << entry.id.ToHex();
    }
    return known;
  }
  std::uint64_t CheckBlocks() {
    std::uint64_t known = 0;
    for (const std::uint64_t id : BlockIds()) known += CheckBlock(id);
    return known;
  }
  std::vector<Outline> List(const query::Plan& plan) {
    std::vector<Outline> outlines;
    const auto result = store_->List(plan, [&](const Outline& outline) {
      outlines.push_back(outline);
      return true;
    });
    EXPECT_TRUE(result);
    if (result) result_ = *result;
    return outlines;
  }
  // The same by reading every trace.
  std::vector<Outline> ListBySpans(const query::Plan& plan) {
    query::Plan everything = plan;
    everything.filter.reset();
    std::vector<Outline> outlines;
    EXPECT_TRUE(store_->Search(everything, [&](const Match& match) {
      if (!plan.filter || plan.filter->Matches(match.view))
        outlines.push_back(OutlineOf(match.trace, match.view.summary()));
      return true;
    }));
    return outlines;
  }

  std::uint64_t traces_ = 0;
  SearchResult result_;
};

TEST_F(SummariesStoreTest, SayWhatTheTracesSay) {
  for (int block = 0; block < 12; ++block) {
    AppendTraces(60);
    ASSERT_TRUE(store_->SealAll());
    if (HasFailure()) return;
  }
  const std::uint64_t sealed = CheckBlocks();
  EXPECT_GT(sealed, 300U);
  ASSERT_TRUE(store_->Delete(std::vector{MakeTraceId(3), MakeTraceId(77)}));
  // Some row groups are copied, others written anew.
  options_.merge.copy_spans = 200;
  MergeBlocks(6);
  EXPECT_LT(BlockIds().size(), 12U);
  const std::uint64_t merged = CheckBlocks();
  EXPECT_GT(merged, sealed - 60);
  MergeBlocks(2);
  EXPECT_GT(CheckBlocks(), sealed - 60);
}

TEST_F(SummariesStoreTest, RowGroupsThatAreCopiedBringTheirs) {
  options_.merge.copy_spans = 1;
  for (int block = 0; block < 4; ++block) {
    AppendTraces(40);
    ASSERT_TRUE(store_->SealAll());
  }
  const std::uint64_t sealed = CheckBlocks();
  MergeBlocks(4);
  EXPECT_EQ(BlockIds().size(), 1U);
  EXPECT_EQ(CheckBlocks(), sealed);
}

TEST_F(SummariesStoreTest, ListsAreWhatSearchesFind) {
  std::uint64_t by_summaries = 0;
  std::uint64_t listed = 0;
  for (int round = 0; round < 8; ++round) {
    AppendTraces(50);
    if (round < 7) {
      ASSERT_TRUE(store_->SealAll());
    }
    if (round == 4) MergeBlocks(4);
  }
  ASSERT_TRUE(store_->Delete(std::vector{MakeTraceId(5)}));
  for (int i = 0; i < 300; ++i) {
    query::Plan plan;
    const std::string text = i == 0 ? "" : query::testing::RandomExpression(rng_).Make();
    plan.filter = *query::Filter::Parse(text);
    plan.time_range = static_cast<query::TimeRange>(rng_.Below(3));
    plan.use_index = rng_.Chance(0.9);
    if (rng_.Chance(0.5)) {
      plan.from_ns =
          1'700'000'000'000'000'000 + static_cast<std::int64_t>(rng_.Below(2)) * 500'000'000;
      plan.until_ns = plan.from_ns + static_cast<std::int64_t>(rng_.Below(1'000)) * kNsPerSecond;
    }
    const auto outlines = List(plan);
    EXPECT_TRUE(result_.complete);
    by_summaries += result_.by_summaries;
    EXPECT_EQ(plan.use_index ? 0U : result_.by_summaries, 0U);
    listed += outlines.size();
    ASSERT_EQ(outlines, ListBySpans(plan)) << text;
  }
  EXPECT_GT(by_summaries, 10'000U);
  EXPECT_GT(listed, 3'000U);
}

TEST_F(SummariesStoreTest, WhatTheyDecideIsNotRead) {
  AppendTraces(200);
  ASSERT_TRUE(store_->SealAll());
  query::Plan plan;
  plan.filter = *query::Filter::Parse("duration > 100000");
  EXPECT_TRUE(List(plan).empty());
  EXPECT_GT(result_.by_summaries, 100U);
  plan.filter = *query::Filter::Parse("!(duration > 100000)");
  EXPECT_EQ(List(plan), ListBySpans(plan));
  EXPECT_GT(result_.by_summaries, 100U);
  // A search reads those that match, and no others.
  plan.filter = *query::Filter::Parse("ok AND http.status = 77");
  const auto result = store_->Search(plan, [](const Match&) { return true; });
  ASSERT_TRUE(result);
  EXPECT_LT(result->spans_read, 100U);
  EXPECT_GT(result->by_summaries, 100U);
}

TEST_F(SummariesStoreTest, DamageIsNamedAndSpansAreReadInstead) {
  AppendTraces(700);
  ASSERT_TRUE(store_->SealAll());
  query::Plan plan;
  plan.filter = *query::Filter::Parse("fault OR duration < 1");
  const auto wanted = ListBySpans(plan);
  ASSERT_FALSE(wanted.empty());
  const std::uint64_t id = BlockIds().front();
  for (const std::uint32_t part : {2U, 1U, 0U}) {
    Damage(id, SectionType::kSummaries, part);
    Open();
    EXPECT_EQ(List(plan), wanted);
    ASSERT_EQ(result_.damaged.size(), 1U);
    EXPECT_NE(result_.damaged.front().find("section type 17"), std::string::npos)
        << result_.damaged.front();
    EXPECT_EQ(result_.by_summaries, 0U);
    const auto report = VerifyFolder(fs_, "data");
    ASSERT_TRUE(report);
    EXPECT_FALSE(report->ok());
    Damage(id, SectionType::kSummaries, part);  // back again
  }
  Open();
  EXPECT_EQ(List(plan), wanted);
  EXPECT_TRUE(result_.damaged.empty());
}

}  // namespace
}  // namespace fluoro::store
