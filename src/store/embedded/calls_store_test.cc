// Sums of calls inside blocks: as bytes, and through seals, merges, retention, crashes and damage.
#include <gmock/gmock.h>

#include <map>

#include "base/clock.h"
#include "base/memory_fs.h"
#include "base/metrics.h"
#include "rollup/call_testing.h"
#include "store/embedded/block_writer.h"
#include "store/embedded/call_section.h"
#include "store/embedded/embedded_store.h"
#include "store/testing.h"

namespace fluoro::store {
namespace {

using rollup::CallSums;
using rollup::kMinuteNs;
using rollup::RollupWindow;
using testing::MakeBatch;
using testing::MakeTraceId;

using Printed = std::map<std::string, std::string>;

struct Encoded {
  std::string header;
  std::vector<std::string> chunks;
};

Encoded Encode(const CallSums& sums) {
  Encoded out;
  CallEncoder encoder([&](std::uint32_t chunk, std::string_view bytes) -> Result<void> {
    EXPECT_EQ(chunk, out.chunks.size());
    out.chunks.emplace_back(bytes);
    return {};
  });
  EXPECT_TRUE(encoder.Add(sums));
  out.header = *encoder.Finish();
  return out;
}

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
    const Encoded encoded = Encode(sums);
    const auto table = DecodeCallTable(encoded.header);
    ASSERT_TRUE(table) << table.error().message;
    ASSERT_EQ(table->chunks.size(), encoded.chunks.size());
    EXPECT_EQ(table->first_ns, sums.first_ns());
    CallSums total(0);
    total.Merge(sums);
    EXPECT_EQ(rollup::testing::Print(table->total), rollup::testing::Print(total));
    CallSums back(kMinuteNs);
    CallSums part(kMinuteNs);
    const RollupWindow window{.from_ns = kMinuteNs, .until_ns = 2 * kMinuteNs};
    for (std::size_t chunk = 0; chunk < encoded.chunks.size(); ++chunk) {
      EXPECT_LE(table->chunks[chunk].rows, kCallChunkRowsMax);
      ASSERT_TRUE(AddCallChunk(encoded.chunks[chunk], *table, chunk, {}, back));
      ASSERT_TRUE(AddCallChunk(encoded.chunks[chunk], *table, chunk, window, part));
    }
    EXPECT_EQ(rollup::testing::Print(back), rollup::testing::Print(sums));
    for (const CallSums::Row& row : part.Rows()) EXPECT_EQ(row.period_ns, kMinuteNs);
  }
}

TEST(CallSection, DamageIsRefusedOrHarmless) {
  Rng rng(6);
  const Encoded encoded = Encode(RandomSums(rng, 3, 200));
  for (int i = 0; i < 3'000; ++i) {
    std::string header = encoded.header;
    std::string chunk = encoded.chunks.front();
    std::string& damaged = rng.Chance(0.5) ? header : chunk;
    if (rng.Chance(0.2)) {
      damaged.resize(rng.Below(damaged.size()));
    } else {
      damaged[rng.Below(damaged.size())] ^= static_cast<char>(1U << rng.Below(8));
    }
    const auto table = DecodeCallTable(header);
    if (!table || table->chunks.empty()) continue;
    CallSums to(kMinuteNs);
    (void)AddCallChunk(chunk, *table, 0, {}, to);
    (void)to.Rows();
  }
}

constexpr std::int64_t kNow = 1'700'000'000'000'000'000;

class CallsStoreTest : public ::testing::Test {
 protected:
  CallsStoreTest() {
    options_.folder = "data";
    options_.background_thread = false;
    options_.wal_allocate_bytes = 4096;
    options_.merge.fan_in = 1'000;
    options_.merge.window_ns[0] = options_.merge.window_ns[1] = 365LL * 86'400 * kNsPerSecond;
    Open();
  }
  void Open() {
    store_.reset();
    auto opened = OpenEmbeddedStore(fs_, clock_, metrics_, options_);
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = *std::move(opened);
  }
  void Append(const std::vector<model::Span>& spans) {
    ASSERT_TRUE(store_->Append(MakeBatch(spans), Durability::kSynced));
    model_.Append(spans);
  }
  void Append(std::uint64_t trace, std::uint64_t spans) {
    std::vector<model::Span> made;
    for (; spans > 0; --spans)
      made.push_back(rollup::testing::RandomCallSpan(rng_, MakeTraceId(trace), 1 + rng_.Below(12)));
    Append(made);
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
  std::shared_ptr<Block> OpenBlock(const std::string& path, std::uint64_t id) {
    auto opened = Block::Open(fs_, cache_, path, id);
    EXPECT_TRUE(opened);
    return *opened;
  }

  MemoryFs fs_;
  ManualClock clock_{kNow};
  Metrics metrics_;
  BlockCache cache_{metrics_, "test", 1 << 20};
  EmbeddedOptions options_;
  Rng rng_{17};
  testing::StoreModel model_;
  CallsResult last_;
  std::unique_ptr<EmbeddedStore> store_;
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

TEST_F(CallsStoreTest, BlocksWithoutCallsHaveNoSection) {
  std::vector<model::Span> spans;
  for (std::uint64_t i = 0; i < 30; ++i)
    spans.push_back(rollup::testing::RandomGraphSpan(rng_, MakeTraceId(i), 1));
  Append(spans);
  ASSERT_TRUE(store_->SealAll());
  const auto block = OpenBlock("data/blocks/" + BlockFileName(1), 1);
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
  Append({call});
  ASSERT_TRUE(store_->SealAll());
  EXPECT_EQ(Stored(), Naive());
  model::Span root = span(1, 0);
  root.attributes.push_back({"tenant.id", {std::string("acme")}, model::AttributeRole::kPlain});
  Append({root});
  for (int step = 0; step < 2; ++step) {
    const Printed calls = Stored();
    EXPECT_EQ(calls, Naive());
    ASSERT_EQ(calls.size(), 1U);
    EXPECT_NE(calls.begin()->first.find("acme"), std::string::npos);
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
  Append(spans);
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
  EXPECT_EQ(all, 10'100);
  EXPECT_EQ(other, 100);
  EXPECT_NE(metrics_.Render().find("fluoro_store_calls_other_total 100"), std::string::npos);
}

class DamagedCallsTest : public CallsStoreTest,
                         public ::testing::WithParamInterface<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Parts, DamagedCallsTest, ::testing::Values(0U, 1U));

TEST_P(DamagedCallsTest, AreNamedAndTheSpansOfTheirBlockTell) {
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t i = 0; i < 10; ++i) Append(i, 3);
    ASSERT_TRUE(store_->SealAll());
  }
  const std::string path = "data/blocks/" + BlockFileName(2);
  bool damaged = false;
  for (const Section& section : OpenBlock(path, 2)->meta().sections) {
    if (section.type != SectionType::kCalls || section.column != GetParam()) continue;
    const auto file = fs_.Open(path, Fs::OpenMode::kReadWrite);
    std::string byte = *(*file)->ReadAt(section.offset + section.stored / 2, 1);
    byte[0] = static_cast<char>(byte[0] ^ 4);
    ASSERT_TRUE((*file)->WriteAt(section.offset + section.stored / 2, byte));
    damaged = true;
  }
  ASSERT_TRUE(damaged);
  Open();
  const CallsPlan minutes{.period_ns = kMinuteNs};
  EXPECT_EQ(Stored(minutes), Naive(minutes));
  EXPECT_EQ(last_.damaged.size(), 1U);
  EXPECT_FALSE(VerifyFolder(fs_, "data")->ok());
  // A merge does not carry it on.
  options_.merge.fan_in = 3;
  Open();
  ASSERT_TRUE(store_->RunMaintenance());
  EXPECT_EQ(Stored(minutes), Naive(minutes));
  EXPECT_TRUE(last_.damaged.empty());
}

}  // namespace
}  // namespace fluoro::store
