#include "rollup/join.h"

#include <gtest/gtest.h>

#include <string>

#include "base/rng.h"
#include "model/testing.h"
#include "rollup/rollup.h"
#include "rollup/testing.h"
#include "rollup/trace_sampler.h"

namespace fluoro::rollup {
namespace {

using model::Span;
using model::SpanFlag;
using model::SpanKind;
using model::SpanSource;
using model::testing::MakeTrace;
using model::testing::OtelSpan;
using model::testing::XRaySegment;
using model::testing::XRaySubsegment;

std::vector<TraceSampler::Row> RowsOf(const model::SpanBatch& batch) {
  std::vector<TraceSampler::Row> rows(batch.size());
  for (std::uint32_t i = 0; i < rows.size(); ++i) rows[i] = {.batch = &batch, .row = i};
  return rows;
}

model::SpanBatch BatchOf(const std::vector<Span>& spans) {
  model::SpanBatch batch;
  for (const Span& span : spans) batch.AppendSpan(span);
  return batch;
}

void AddAssembled(const std::shared_ptr<const model::Trace>& trace, Rollup& rollup) {
  KeyTable keys;
  Rollup::Sink sink(rollup, keys);
  SampleTrace(model::Assemble(trace), keys, sink);
}

TEST(TraceJoin, GivesWhatAssembledTracesGive) {
  FactsTable table;
  TraceSampler sampler(table);
  std::uint64_t traces = 0;
  for (std::uint64_t seed = 1; seed <= 6'000; ++seed) {
    Rng rng(seed);
    testing::TraceShape shape;
    shape.spans_max = rng.Chance(0.1) ? 60 : 12;
    const auto trace =
        MakeTrace(testing::RandomGraphTrace(rng, model::testing::TestTraceId(), shape));
    const model::SpanBatch batch = BatchOf(trace->spans);
    Rollup wanted(kMinuteNs);
    AddAssembled(trace, wanted);
    Rollup got(kMinuteNs);
    Rollup::Sink sink(got, table.keys());
    sampler.Forget();
    sampler.Sample(RowsOf(batch), sink);
    ASSERT_EQ(testing::Print(got), testing::Print(wanted)) << "seed " << seed;
    ++traces;
    if (table.IsFull()) table.Clear();
  }
  // The way round by assembling is for oddities.
  EXPECT_LT(sampler.assembled_traces(), traces / 3);
}

TEST(TraceJoin, TakesAwayWhatItGave) {
  FactsTable table;
  TraceSampler sampler(table);
  Rollup rollup(kMinuteNs);
  Rollup::Sink sink(rollup, table.keys());
  for (const std::int64_t sign : {1, -1}) {
    sink.set_sign(sign);
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
      Rng rng(seed);
      const auto trace = MakeTrace(testing::RandomGraphTrace(rng, model::testing::TestTraceId()));
      const model::SpanBatch batch = BatchOf(trace->spans);
      sampler.Forget();
      sampler.Sample(RowsOf(batch), sink);
    }
    EXPECT_EQ(rollup.Rows().empty(), sign < 0);
  }
}

struct Case {
  std::string name;
  std::vector<Span> spans;
};

TEST(TraceJoin, NeedsNoAssemblyForUsualTraces) {
  const std::vector<Case> cases = {
      {"calls between services",
       {OtelSpan(1, SpanKind::kServer, "GET /").Service("web").Between(0, 90),
        OtelSpan(2, SpanKind::kClient, "call").Service("web").Parent(1).Between(10, 80),
        OtelSpan(3, SpanKind::kServer, "POST").Service("cart").Parent(2).Between(20, 70)}},
      {"a callee that sent nothing",
       {OtelSpan(1, SpanKind::kServer, "GET /").Service("web").Between(0, 90),
        OtelSpan(2, SpanKind::kClient, "SELECT")
            .Service("web")
            .Set("db.system", "mysql")
            .Set("db.name", "orders")
            .Parent(1)
            .Between(10, 80)}},
      {"a root that calls", {OtelSpan(1, SpanKind::kClient, "job").Service("cron").Between(0, 9)}},
      {"entering a service by an internal span",
       {OtelSpan(1, SpanKind::kServer, "GET /").Service("web").Between(0, 90),
        OtelSpan(2, SpanKind::kInternal, "run").Service("cart").Parent(1).Between(10, 80)}},
      {"messages and links",
       {OtelSpan(1, SpanKind::kServer, "GET /").Service("web").Between(0, 90),
        OtelSpan(2, SpanKind::kProducer, "send").Service("web").Parent(1).Between(10, 20),
        OtelSpan(3, SpanKind::kConsumer, "take").Service("cart").LinkTo(2).Between(200, 300)}},
      {"an orphan",
       {OtelSpan(1, SpanKind::kClient, "call").Service("web").Parent(99).Between(0, 90),
        OtelSpan(2, SpanKind::kServer, "GET /").Service("cart").Parent(1).Between(10, 20)}},
      {"segments and subsegments",
       {XRaySegment(1, "web").Between(0, 90),
        XRaySubsegment(2, 1, "DynamoDB", "aws").Set("aws.table_name", "t").Between(10, 20),
        XRaySubsegment(3, 1, "cart.example", "remote")
            .Flags(SpanFlag::kIndependent)
            .Between(30, 60),
        XRaySegment(4, "cart").Parent(3).Between(35, 55)}},
      {"in progress", {XRaySegment(1, "web").InProgressSince(5)}},
  };
  FactsTable table;
  TraceSampler sampler(table);
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    const auto trace = MakeTrace(one.spans);
    const model::SpanBatch batch = BatchOf(trace->spans);
    Rollup wanted(0);
    AddAssembled(trace, wanted);
    Rollup got(0);
    Rollup::Sink sink(got, table.keys());
    sampler.Forget();
    sampler.Sample(RowsOf(batch), sink);
    EXPECT_EQ(testing::Print(got), testing::Print(wanted));
    EXPECT_FALSE(got.empty());
  }
  EXPECT_EQ(sampler.assembled_traces(), 0U);
}

TEST(TraceJoin, GoesRoundByAssemblyWhereItMust) {
  const std::vector<Case> cases = {
      {"parents that go round",
       {OtelSpan(1, SpanKind::kServer, "a").Service("web").Parent(2).Between(0, 90),
        OtelSpan(2, SpanKind::kInternal, "b").Service("web").Parent(1).Between(10, 80)}},
      {"halves with one id",
       {OtelSpan(1, SpanKind::kClient, "a")
            .Service("web")
            .Source(SpanSource::kZipkin)
            .Between(0, 9),
        OtelSpan(2, SpanKind::kServer, "b")
            .Service("cart")
            .Source(SpanSource::kZipkin)
            .Set("zipkin.id", "0000000000000001")
            .Parent(1)
            .Between(1, 8)}},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    FactsTable table;
    TraceSampler sampler(table);
    const auto trace = MakeTrace(one.spans);
    const model::SpanBatch batch = BatchOf(trace->spans);
    Rollup wanted(0);
    AddAssembled(trace, wanted);
    Rollup got(0);
    Rollup::Sink sink(got, table.keys());
    sampler.Sample(RowsOf(batch), sink);
    EXPECT_EQ(testing::Print(got), testing::Print(wanted));
    EXPECT_EQ(sampler.assembled_traces(), 1U);
  }
}

TEST(FactsTable, AsksForTheNameOnlyWhereItMatters) {
  FactsTable table;
  BatchDescriber describer(table);
  std::vector<Span> spans;
  for (std::uint64_t i = 1; i <= 50; ++i) {
    spans.push_back(OtelSpan(i, SpanKind::kInternal, "step " + std::to_string(i))
                        .Service("web")
                        .Parent(99)
                        .Between(0, 1));
  }
  spans.push_back(XRaySegment(70, "cart").Between(0, 1));
  spans.push_back(XRaySegment(71, "stock").Between(0, 1));
  const model::SpanBatch batch = BatchOf(spans);
  const FactsId first = describer.Describe(batch, 0);
  for (std::uint32_t i = 1; i < 50; ++i) EXPECT_EQ(describer.Describe(batch, i), first);
  const FactsId cart = describer.Describe(batch, 50);
  const FactsId stock = describer.Describe(batch, 51);
  EXPECT_EQ(table.keys().KeyAt(table.At(cart).key).name, "cart");
  EXPECT_EQ(table.keys().KeyAt(table.At(stock).key).name, "stock");
}

}  // namespace
}  // namespace fluoro::rollup
