// Sums of calls inside blocks: as bytes, and through seals, merges, retention, crashes and damage.
#include <gtest/gtest.h>

#include <map>

#include "rollup/call_testing.h"
#include "store/embedded/call_section.h"
#include "store/embedded/sums_store_for_test.h"

namespace fluoro::store {
namespace {

using rollup::CallSums;
using rollup::kMinuteNs;
using rollup::RollupWindow;
using testing::DecodeSums;
using testing::EncodedSums;
using testing::EncodeSums;
using testing::MakeTraceId;

using Printed = std::map<std::string, std::string>;

CallSums RandomSums(Rng& rng, std::uint64_t minutes, int calls) {
  CallSums sums(kMinuteNs);
  for (int i = 0; i < calls; ++i) {
    const std::string model = "m" + std::to_string(rng.Below(9));
    genai::Call call{.kind = static_cast<genai::StepKind>(rng.Below(12)),
                     .provider = {},
                     .model = model,
                     .tool = {},
                     .tenant = {},
                     .route = {},
                     .cost_nano_usd = std::nullopt};
    call.end_ns = static_cast<std::int64_t>(rng.Below(minutes)) * kMinuteNs;
    call.start_ns = call.end_ns - static_cast<std::int64_t>(rng.Next() >> rng.Below(64));
    call.prompt_tokens = static_cast<std::int64_t>(rng.Next() >> rng.Below(64));
    if (rng.Chance(0.4)) call.cost_nano_usd = static_cast<std::int64_t>(rng.Below(90'000));
    sums.Add(call, rng.Chance(0.2) ? -1 : 1);
  }
  return sums;
}

TEST(CallSection, GivesBackWhatWasEncoded) {
  Rng rng(5);
  for (int i = 0; i < 20; ++i) {
    const CallSums sums = RandomSums(rng, rng.Chance(0.4) ? 10'000 : 3, 3'000);
    const EncodedSums encoded = EncodeSums(sums);
    const auto table = DecodeMinuteTable<CallSums>(encoded.header);
    ASSERT_TRUE(table) << table.error().message;
    ASSERT_EQ(table->chunks.size(), encoded.chunks.size());
    EXPECT_EQ(table->first_ns, sums.first_ns());
    EXPECT_EQ(table->last_ns, sums.last_ns());
    CallSums total(0);
    total.Merge(sums);
    EXPECT_EQ(rollup::testing::Print(table->total), rollup::testing::Print(total));
    for (const MinuteChunk& chunk : table->chunks) EXPECT_LE(chunk.rows, kMinuteChunkRowsMax);
    EXPECT_EQ(rollup::testing::Print(DecodeSums(encoded, *table)), rollup::testing::Print(sums));
    const RollupWindow window{.from_ns = kMinuteNs, .until_ns = 2 * kMinuteNs};
    CallSums wanted(kMinuteNs);
    for (const CallSums::Row& row : sums.Rows()) {
      if (row.period_ns == kMinuteNs) wanted.Merge(sums, row.series, row.period_ns, *row.cell);
    }
    EXPECT_EQ(rollup::testing::Print(DecodeSums(encoded, *table, window)),
              rollup::testing::Print(wanted));
  }
}

// Beyond as many as a reader takes: the rest is summed as other, and what was written is readable.
TEST(CallSection, SeriesWithoutEndAreSummedAsOther) {
  CallSums sums(kMinuteNs, rollup::kByAllDimensions,
                {.series_per_period_max = SIZE_MAX, .cells_max = SIZE_MAX, .series_max = SIZE_MAX});
  for (std::size_t i = 0; i < kMinuteSeriesMax + 10; ++i) {
    const std::string tenant = std::to_string(i);
    sums.Add({.provider = {},
              .model = {},
              .tool = {},
              .tenant = tenant,
              .route = {},
              .cost_nano_usd = std::nullopt});
  }
  const auto table = DecodeMinuteTable<CallSums>(EncodeSums(sums).header);
  ASSERT_TRUE(table) << table.error().message;
  std::size_t calls = 0;
  for (const CallSums::Row& row : table->total.Rows())
    calls += static_cast<std::size_t>(row.cell->calls);
  EXPECT_EQ(calls, kMinuteSeriesMax + 10);
}

TEST(CallSection, DamageIsRefusedOrHarmless) {
  Rng rng(6);
  const EncodedSums encoded = EncodeSums(RandomSums(rng, 3, 200));
  for (int i = 0; i < 3'000; ++i) {
    std::string header = encoded.header;
    std::string chunk = encoded.chunks.front();
    std::string& damaged = rng.Chance(0.5) ? header : chunk;
    if (rng.Chance(0.2)) {
      damaged.resize(rng.Below(damaged.size()));
    } else {
      damaged[rng.Below(damaged.size())] ^= static_cast<char>(1U << rng.Below(8));
    }
    const auto table = DecodeMinuteTable<CallSums>(header);
    if (!table || table->chunks.empty()) continue;
    CallSums to(kMinuteNs);
    std::vector<std::uint32_t> numbers;
    (void)AddMinuteChunk(chunk, *table, 0, {}, numbers, to);
    (void)to.Rows();
  }
}

class CallsStoreTest : public testing::SumsStoreTest {
 protected:
  void Append(std::uint64_t trace, std::uint64_t spans) {
    std::vector<model::Span> made;
    for (; spans > 0; --spans)
      made.push_back(rollup::testing::RandomCallSpan(rng_, MakeTraceId(trace), 1 + rng_.Below(12)));
    AppendSpans(made);
  }
  [[nodiscard]] Printed Naive(const CallsPlan& plan = {}) const {
    CallSums naive(plan.period_ns, plan.dimensions);
    for (const model::TraceId& id : model_.Ids()) {
      rollup::testing::AddCalls(model_.Trace(id),
                                {.from_ns = plan.from_ns, .until_ns = plan.until_ns}, naive);
    }
    return rollup::testing::Print(naive);
  }
  Printed Stored(const CallsPlan& plan = {}) {
    const auto result = store_->Calls(plan);
    EXPECT_TRUE(result);
    if (!result) return {};
    EXPECT_TRUE(result->complete);
    last_ = {.summed_blocks = result->summed_blocks,
             .traces_read = result->traces_read,
             .damaged = result->damaged};
    return rollup::testing::Print(result->sums);
  }

  CallsResult last_;
};

TEST_F(CallsStoreTest, WholeMinutesComeFromSumsWithoutReadingSpans) {
  for (std::uint64_t trace = 0; trace < 30; ++trace) Append(trace, 6);
  ASSERT_TRUE(store_->SealAll());
  ASSERT_FALSE(Naive().empty());
  EXPECT_EQ(Stored(), Naive());
  EXPECT_EQ(last_.summed_blocks, 1U);
  EXPECT_EQ(last_.traces_read, 0U);
  const std::int64_t minute = rollup::testing::TraceShape().from_ns + kMinuteNs;
  const CallsPlan one{.from_ns = minute, .until_ns = minute + kMinuteNs, .period_ns = kMinuteNs};
  EXPECT_EQ(Stored(one), Naive(one));
  EXPECT_EQ(last_.traces_read, 0U);
  const CallsPlan part{.from_ns = minute + 7, .until_ns = minute + 2 * kMinuteNs + 9};
  EXPECT_EQ(Stored(part), Naive(part));
  EXPECT_GT(last_.traces_read, 0U);
}

TEST_F(CallsStoreTest, PiecesMergesRetentionAndStartsLeaveTheSumsExact) {
  options_.merge.fan_in = 3;
  Open();
  for (int round = 0; round < 12; ++round) {
    for (int i = 0; i < 10; ++i)
      Append(rng_.Below(8) + static_cast<std::uint64_t>(round / 4) * 8, 2);
    ASSERT_TRUE(store_->SealAll());
    clock_.Advance(kNsPerSecond);
    if (round % 3 == 2) {
      ASSERT_TRUE(store_->RunMaintenance());
    }
    // Traces of earlier rounds get no more spans.
    if (round == 7) {
      ASSERT_TRUE(store_->DropBefore(kNow + 3 * kNsPerSecond));
    }
    if (round % 4 == 3) Open();
    ASSERT_EQ(Stored(), Naive()) << "round " << round;
    EXPECT_EQ(last_.traces_read, 0U);
    const CallsPlan minutes{.period_ns = kMinuteNs, .dimensions = rollup::kByTool};
    ASSERT_EQ(Stored(minutes), Naive(minutes)) << "round " << round;
  }
  EXPECT_TRUE(VerifyFolder(fs_, "data")->ok());
  ASSERT_TRUE(store_->Delete(std::vector{MakeTraceId(3), MakeTraceId(17)}));
  EXPECT_EQ(Stored(), Naive());  // as in the graph
  ASSERT_TRUE(store_->DropBefore(INT64_MAX));
  Open();
  EXPECT_EQ(store_->GetUsage().spans, 0U);
  EXPECT_EQ(Stored(), Naive());
}

// Of merged blocks, and of those merged from them.
class CallHoursTest : public CallsStoreTest {
 protected:
  static constexpr std::int64_t kHours = 6;

  void AppendHours() {
    for (int i = 0; i < 40; ++i) {
      model::Span span =
          rollup::testing::RandomCallSpan(rng_, MakeTraceId(rng_.Below(60)), ++number_);
      const auto later = static_cast<std::int64_t>(rng_.Below(kHours)) * rollup::kHourNs;
      span.start_ns += later;
      span.end_ns += later;
      for (const char* const key : {"tenant.id", "experiment_id", "gen_ai.prompt.name"}) {
        if (rng_.Chance(0.3))
          span.attributes.push_back(
              {key, {"v" + std::to_string(rng_.Below(3))}, model::AttributeRole::kPlain});
      }
      AppendSpans({span});
    }
    ASSERT_TRUE(store_->SealAll());
  }
  std::int64_t RandomEdge() {
    const std::int64_t start = rollup::testing::TraceShape().from_ns;
    const std::int64_t unit = rng_.Chance(0.5) ? rollup::kHourNs : rng_.Chance(0.5) ? kMinuteNs : 7;
    return start - start % unit +
           static_cast<std::int64_t>(
               rng_.Below(static_cast<std::uint64_t>((kHours + 1) * rollup::kHourNs / unit))) *
               unit;
  }
  void ExpectEveryFacetIsRight() {
    for (const std::uint16_t facet : rollup::kCallFacets) {
      for (const std::int64_t period : {std::int64_t{0}, rollup::kHourNs, 3 * rollup::kHourNs}) {
        for (int i = 0; i < 6; ++i) {
          CallsPlan plan{.period_ns = period, .dimensions = facet};
          if (i > 0) {
            plan.from_ns = RandomEdge();
            plan.until_ns = std::max(plan.from_ns + 1, RandomEdge());
          }
          if (i % 2 == 1) plan.dimensions = static_cast<std::uint16_t>(facet & ~rollup::kByPriced);
          ASSERT_EQ(Stored(plan), Naive(plan)) << facet << " " << period << " " << i;
        }
      }
    }
  }
};

TEST_F(CallHoursTest, AreTheSumsOfTheirMinutes) {
  for (int round = 0; round < 2; ++round) AppendHours();
  MergeBlocks(2);
  options_.merge.fan_in = 1'000;
  Open();
  ExpectEveryFacetIsRight();
  EXPECT_EQ(last_.damaged.size(), 0U);
  for (int round = 0; round < 2; ++round) AppendHours();
  ExpectEveryFacetIsRight();
  MergeBlocks(3);
  ASSERT_EQ(fs_.List("data/blocks")->size(), 1U);
  ExpectEveryFacetIsRight();
  EXPECT_TRUE(VerifyFolder(fs_, "data")->ok());
  ASSERT_TRUE(store_->DropBefore(INT64_MAX));
  Open();
  const CallsPlan whole{.period_ns = rollup::kHourNs, .dimensions = rollup::kByTenant};
  EXPECT_EQ(Stored(whole), Naive(whole));
}

TEST_F(CallHoursTest, DamagedOnesAreNamedAndTheMinutesTell) {
  for (const std::uint32_t part : {CallPart(1, 0), CallPart(1, 1)}) {
    for (int round = 0; round < 2; ++round) AppendHours();
    MergeBlocks(2);
    options_.merge.fan_in = 1'000;
    Open();
    const auto names = *fs_.List("data/blocks");
    std::uint64_t merged = 0;
    for (const std::string& name : names) (void)ParseBlockFileName(name, merged);
    Damage(merged, SectionType::kCallHours, part);
    Open();
    const CallsPlan hours{.period_ns = rollup::kHourNs, .dimensions = rollup::kByTenant};
    EXPECT_EQ(Stored(hours), Naive(hours));
    EXPECT_EQ(last_.damaged.size(), 1U);
    EXPECT_EQ(last_.traces_read, 0U);
    EXPECT_FALSE(VerifyFolder(fs_, "data")->ok());
  }
}

TEST_F(CallsStoreTest, BlocksWithoutCallsHaveNoSection) {
  std::vector<model::Span> spans;
  for (std::uint64_t i = 0; i < 30; ++i)
    spans.push_back(rollup::testing::RandomGraphSpan(rng_, MakeTraceId(i), 1));
  AppendSpans(spans);
  ASSERT_TRUE(store_->SealAll());
  const auto block = OpenBlock(1);
  EXPECT_TRUE(block->meta().calls_summed);
  EXPECT_FALSE(block->MayHoldCalls());
  EXPECT_TRUE(Stored().empty());
}

TEST_F(CallsStoreTest, ALaterPieceThatNamesTheTenantMovesEarlierCalls) {
  const auto span = [](std::uint64_t number, std::uint64_t parent) {
    model::Span made;
    made.trace_id = MakeTraceId(1);
    made.span_id = testing::MakeSpanId(number);
    if (parent != 0) made.parent_id = testing::MakeSpanId(parent);
    made.start_ns = kNow;
    made.end_ns = kNow + 1'000;
    made.resource = std::make_shared<const model::Resource>();
    made.scope = std::make_shared<const model::Scope>();
    return made;
  };
  model::Span call = span(2, 1);
  call.attributes.push_back(
      {"gen_ai.operation.name", {std::string("chat")}, model::AttributeRole::kPlain});
  AppendSpans({call});
  ASSERT_TRUE(store_->SealAll());
  EXPECT_EQ(Stored(), Naive());
  model::Span root = span(1, 0);
  root.attributes.push_back({"tenant.id", {std::string("acme")}, model::AttributeRole::kPlain});
  AppendSpans({root});
  for (int step = 0; step < 2; ++step) {
    const Printed calls = Stored();
    EXPECT_EQ(calls, Naive());
    ASSERT_EQ(calls.size(), 2U);  // with the request
    for (const auto& [name, values] : calls) EXPECT_NE(name.find("acme"), std::string::npos);
    ASSERT_TRUE(store_->SealAll());
  }
}

TEST_F(CallsStoreTest, SeriesBeyondTheLimitAreOtherAndCounted) {
  std::vector<model::Span> spans;
  for (std::uint64_t i = 0; i < 10'100; ++i) {
    model::Span span;
    span.trace_id = MakeTraceId(i);
    span.span_id = testing::MakeSpanId(1);
    span.start_ns = span.end_ns = kNow;
    span.resource = std::make_shared<const model::Resource>();
    span.scope = std::make_shared<const model::Scope>();
    span.attributes.push_back(
        {"gen_ai.operation.name", {std::string("chat")}, model::AttributeRole::kPlain});
    span.attributes.push_back(
        {"tenant.id", {"t" + std::to_string(i)}, model::AttributeRole::kPlain});
    spans.push_back(span);
  }
  AppendSpans(spans);
  ASSERT_TRUE(store_->SealAll());
  const auto calls = store_->Calls({.dimensions = rollup::kByTenant});
  ASSERT_TRUE(calls);
  std::int64_t all = 0;
  std::int64_t other = 0;
  for (const CallSums::Row& row : calls->sums.Rows()) {
    all += row.cell->calls;
    if (calls->sums.series()[row.series].kind == rollup::CallSeries::kOther)
      other += row.cell->calls;
  }
  EXPECT_EQ(all, 20'200);  // with the requests
  EXPECT_EQ(other, 10'200);
  EXPECT_NE(metrics_.Render().find("fluoro_store_calls_other_total 10200"), std::string::npos);
}

class DamagedCallsTest : public CallsStoreTest,
                         public ::testing::WithParamInterface<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Parts, DamagedCallsTest, ::testing::Values(0U, 1U));

TEST_P(DamagedCallsTest, AreNamedAndTheSpansOfTheirBlockTell) {
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t i = 0; i < 10; ++i) Append(i, 3);
    ASSERT_TRUE(store_->SealAll());
  }
  Damage(2, SectionType::kCalls, GetParam());
  Open();
  const CallsPlan minutes{.period_ns = kMinuteNs};
  EXPECT_EQ(Stored(minutes), Naive(minutes));
  EXPECT_EQ(last_.damaged.size(), 1U);
  EXPECT_FALSE(VerifyFolder(fs_, "data")->ok());
  // A merge does not carry it on.
  MergeBlocks(3);
  EXPECT_EQ(Stored(minutes), Naive(minutes));
  EXPECT_TRUE(last_.damaged.empty());
}

// By then it has written a chunk of the sum, to which no header comes any more.
TEST_F(CallsStoreTest, DamageThatAMergeMeetsLateIsNotCarriedOnEither) {
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t hour = 0; hour < 8; hour += 2) {
      std::vector<model::Span> spans;
      for (std::uint64_t i = 1; i <= 12; ++i) {
        model::Span& span =
            spans.emplace_back(rollup::testing::RandomCallSpan(rng_, MakeTraceId(hour), ++number_));
        span.parent_id = {};
        span.end_ns += static_cast<std::int64_t>(hour) * 60 * kMinuteNs;
      }
      AppendSpans(spans);
    }
    ASSERT_TRUE(store_->SealAll());
  }
  Damage(3, SectionType::kCalls, 3);
  MergeBlocks(3);
  EXPECT_EQ(fs_.List("data/blocks")->size(), 1U);
  EXPECT_TRUE(VerifyFolder(fs_, "data")->ok());
  EXPECT_EQ(Stored(), Naive());
  EXPECT_TRUE(last_.damaged.empty());
}

}  // namespace
}  // namespace fluoro::store
