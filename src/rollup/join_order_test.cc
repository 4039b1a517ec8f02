// Parents that stand behind their children, in whatever order and however long the way is.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/rng.h"
#include "model/testing.h"
#include "rollup/join.h"
#include "rollup/testing.h"
#include "rollup/trace_sampler.h"

namespace fluoro::rollup {
namespace {

using model::Span;
using model::SpanKind;
using model::testing::MakeTrace;
using model::testing::OtelSpan;

// As model::Assemble has it, and as the sampler has it, which must not need to assemble.
void ExpectSameGraph(const std::vector<Span>& spans) {
  const auto trace = MakeTrace(spans);
  Rollup wanted(0);
  {
    KeyTable keys;
    Rollup::Sink sink(wanted, keys);
    SampleTrace(model::Assemble(trace), keys, sink);
  }
  model::SpanBatch batch;
  for (const Span& span : trace->spans) batch.AppendSpan(span);
  std::vector<TraceSampler::Row> rows(batch.size());
  for (std::uint32_t i = 0; i < rows.size(); ++i) rows[i] = {.batch = &batch, .row = i};
  FactsTable table;
  TraceSampler sampler(table);
  Rollup got(0);
  Rollup::Sink sink(got, table.keys());
  sampler.Sample(rows, sink);
  EXPECT_EQ(testing::Print(got), testing::Print(wanted));
  EXPECT_FALSE(got.empty());
  EXPECT_EQ(sampler.assembled_traces(), 0U);
}

// Spans below each other: those of one service in runs, entered by a server span, the others calls
// out of it. The last one stands first if `reversed`, so that each parent stands behind its child.
std::vector<Span> Chain(std::size_t length, std::size_t run, bool reversed) {
  std::vector<Span> spans;
  for (std::size_t depth = 0; depth < length; ++depth) {
    const auto at = static_cast<std::int64_t>(depth);
    const bool enters = depth % run == 0;
    spans.push_back(OtelSpan(depth + 1, enters ? SpanKind::kServer : SpanKind::kClient, "step")
                        .Service("service-" + std::to_string(depth / run % 7))
                        .Parent(depth)
                        .Between(at, 10'000 - at));
  }
  if (reversed) std::ranges::reverse(spans);
  return spans;
}

TEST(TraceJoinOrder, ChainsOfAnyLengthComeOutTheSameInAnyOrder) {
  for (const std::size_t length : {1U, 2U, 3U, 5U, 17U, 24U, 30U, 34U, 40U, 64U, 200U, 1'000U}) {
    for (const std::size_t run : {2U, 3U, 1'000U}) {
      SCOPED_TRACE(std::to_string(length) + " spans in runs of " + std::to_string(run));
      ExpectSameGraph(Chain(length, run, false));
      // Beyond some forty spans the short way takes too many steps.
      ExpectSameGraph(Chain(length, run, true));
    }
  }
}

TEST(TraceJoinOrder, TreesComeOutTheSameInAnyOrder) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const std::size_t count = 2 + rng.Below(rng.Chance(0.2) ? 300 : 30);
    std::vector<Span> spans;
    for (std::size_t i = 0; i < count; ++i) {
      const auto at = static_cast<std::int64_t>(i);
      spans.push_back(OtelSpan(i + 1, static_cast<SpanKind>(1 + rng.Below(3)), "step")
                          .Service("service-" + std::to_string(rng.Below(3)))
                          .Parent(i == 0 ? 0 : 1 + rng.Below(i))
                          .Between(at, 10'000 - at));
    }
    for (std::size_t i = count - 1; i > 0; --i) std::swap(spans[i], spans[rng.Below(i + 1)]);
    ExpectSameGraph(spans);
  }
}

}  // namespace
}  // namespace fluoro::rollup
