// Laws: a trace does not differ from itself, a difference has its mirror image, paths add up, and
// what explains it is the deepest step that does.
#include "analysis/compare/trace_diff.h"

#include <gmock/gmock.h>

#include <set>

#include "analysis/compare/traffic_for_test.h"
#include "analysis/compare/typical.h"
#include "base/rng.h"
#include "model/testing.h"

namespace fluoro::analysis::compare {
namespace {

using model::SpanKind;
using model::testing::AssembleSpans;
using model::testing::OtelSpan;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

model::Span Step(std::uint64_t id, std::uint64_t parent, std::string_view name,
                 std::int64_t start_ms, std::int64_t end_ms) {
  return OtelSpan(id, parent == 0 ? SpanKind::kServer : SpanKind::kInternal, name)
      .Service("s")
      .Parent(parent)
      .Between(start_ms, end_ms);
}

TraceShape ShapeOfSpans(std::vector<model::Span> spans) {
  return ShapeOf(AssembleSpans(std::move(spans)), {});
}

const StepName& NameOf(const TraceShape& a, const TraceShape& b, const DiffNode& node) {
  return node.a >= 0 ? a.nodes[static_cast<std::size_t>(node.a)].step
                     : b.nodes[static_cast<std::size_t>(node.b)].step;
}

// "slower pay", in order of what explains most.
std::vector<std::string> Explained(const TraceShape& a, const TraceShape& b) {
  const TraceDiff diff = Diff(a, b);
  std::vector<std::string> out;
  for (const std::int32_t node : diff.explained_by) {
    const DiffNode& at = diff.nodes[static_cast<std::size_t>(node)];
    out.push_back(std::string(ChangeName(at.change)) + " " + NameOf(a, b, at).name +
                  (at.outcome_changed ? " outcome" : ""));
  }
  return out;
}

std::vector<model::Span> Shop() {
  return {Step(1, 0, "GET /", 0, 100), Step(2, 1, "checkout", 5, 95), Step(3, 2, "stock", 10, 30),
          Step(4, 2, "pay", 35, 90), Step(5, 4, "POST bank", 40, 85)};
}

TEST(TraceDiff, IsShownAtTheDeepestStepThatExplainsIt) {
  const TraceShape usual = ShapeOfSpans(Shop());
  EXPECT_THAT(Explained(usual, usual), IsEmpty());

  // All above is slower too, by what the bank took.
  EXPECT_THAT(
      Explained(usual, ShapeOfSpans({Step(1, 0, "GET /", 0, 400), Step(2, 1, "checkout", 5, 395),
                                     Step(3, 2, "stock", 10, 30), Step(4, 2, "pay", 35, 390),
                                     Step(5, 4, "POST bank", 40, 385)})),
      ElementsAre("slower POST bank"));
  // The payment itself waits before it asks the bank.
  EXPECT_THAT(
      Explained(usual, ShapeOfSpans({Step(1, 0, "GET /", 0, 400), Step(2, 1, "checkout", 5, 395),
                                     Step(3, 2, "stock", 10, 30), Step(4, 2, "pay", 35, 390),
                                     Step(5, 4, "POST bank", 340, 385)})),
      ElementsAre("slower pay"));
  // A retry: one more call, with what is below it.
  auto retried = Shop();
  retried[0] = Step(1, 0, "GET /", 0, 200);
  retried[1] = Step(2, 1, "checkout", 5, 195);
  retried[3] = Step(4, 2, "pay", 35, 190);
  retried.push_back(Step(6, 4, "POST bank", 90, 185));
  retried.push_back(Step(7, 6, "resolve", 90, 100));
  const TraceShape with_retry = ShapeOfSpans(retried);
  EXPECT_THAT(Explained(usual, with_retry), ElementsAre("added POST bank"));
  EXPECT_THAT(Explained(with_retry, usual), ElementsAre("removed POST bank"));
  // What ran side by side runs in turn: no step but the parent explains it.
  EXPECT_THAT(Explained(ShapeOfSpans({Step(1, 0, "r", 0, 60), Step(2, 1, "a", 5, 55),
                                      Step(3, 1, "b", 5, 55)}),
                        ShapeOfSpans({Step(1, 0, "r", 0, 110), Step(2, 1, "a", 5, 55),
                                      Step(3, 1, "b", 55, 105)})),
              ElementsAre("slower r"));
}

TEST(TraceDiff, OutcomesAreShownWhereTheyBegin) {
  const auto with = [](bool fails) {
    const auto status = fails ? model::StatusCode::kError : model::StatusCode::kUnset;
    return ShapeOfSpans(
        {OtelSpan(1, SpanKind::kServer, "GET /").Service("s").Between(0, 100).Status(status),
         OtelSpan(2, SpanKind::kInternal, "pay")
             .Service("s")
             .Parent(1)
             .Between(5, 95)
             .Status(status),
         OtelSpan(3, SpanKind::kInternal, "log").Service("s").Parent(1).Between(96, 99)});
  };
  EXPECT_THAT(Explained(with(false), with(true)), ElementsAre("same pay outcome"));
}

TEST(TraceDiff, AttributesAreComparedByKey) {
  const auto with = [](const model::testing::SpanBuilder& span) { return ShapeOfSpans({span}); };
  const auto base = OtelSpan(1, SpanKind::kServer, "r").Service("s").Between(0, 100);
  const TraceShape a =
      with(model::testing::SpanBuilder(base).Set("x", 1).Set("gone", "v").Set("same", true));
  const TraceShape b =
      with(model::testing::SpanBuilder(base).Set("new", 2.5).Set("x", 2).Set("same", true));
  const TraceDiff diff = Diff(a, b);
  ASSERT_EQ(diff.nodes.size(), 1U);
  std::vector<std::string> changes;
  for (const AttributeChange& change : diff.nodes[0].attributes)
    changes.push_back(change.key + ":" + change.a.value_or("-") + ":" + change.b.value_or("-"));
  EXPECT_THAT(changes, ElementsAre("gone:v:-", "new:-:2.5", "x:1:2"));
  EXPECT_FALSE(diff.same());
  EXPECT_THAT(diff.explained_by, IsEmpty());
}

TraceShape RandomShape(Rng& rng) {
  std::vector<model::Span> spans;
  const std::uint64_t count = 1 + rng.Below(30);
  for (std::uint64_t i = 1; i <= count; ++i) {
    const auto start = static_cast<std::int64_t>(rng.Below(200));
    // Parents may come later or be missing, and may go in a circle.
    const std::uint64_t parent = rng.Chance(0.85) ? 1 + rng.Below(count + 1) : 0;
    auto span = OtelSpan(i, rng.Chance(0.3) ? SpanKind::kServer : SpanKind::kInternal,
                         std::string(1, static_cast<char>('a' + rng.Below(4))))
                    .Service(rng.Chance(0.5) ? "s" : "t")
                    .Parent(parent == i ? 0 : parent)
                    .Between(start, start + static_cast<std::int64_t>(rng.Below(100)));
    if (rng.Chance(0.2)) span.Status(model::StatusCode::kError);
    if (rng.Chance(0.3)) span.Set("k", rng.Below(3));
    spans.push_back(span);
  }
  return ShapeOfSpans(std::move(spans));
}

TEST(TraceDiff, HoldsItsLawsOnAnyTraces) {
  for (std::uint64_t seed = 1; seed <= 1'500; ++seed) {
    Rng rng(seed);
    const TraceShape a = RandomShape(rng);
    const TraceShape b = RandomShape(rng);
    const TraceDiff self = Diff(a, a);
    ASSERT_TRUE(self.same()) << seed;
    ASSERT_THAT(self.explained_by, IsEmpty()) << seed;

    const TraceDiff there = Diff(a, b);
    const TraceDiff back = Diff(b, a);
    ASSERT_EQ(there.nodes.size(), back.nodes.size()) << seed;
    ASSERT_EQ(there.explained_by, back.explained_by) << seed;
    std::int64_t path_ns = 0;
    std::set<std::int32_t> of_a;
    std::set<std::int32_t> of_b;
    for (std::size_t i = 0; i < there.nodes.size(); ++i) {
      const DiffNode& x = there.nodes[i];
      const DiffNode& y = back.nodes[i];
      ASSERT_EQ(x.a, y.b) << seed;
      ASSERT_EQ(x.b, y.a) << seed;
      ASSERT_EQ(x.parent, y.parent) << seed;
      ASSERT_LT(x.parent, static_cast<std::int32_t>(i)) << seed;
      ASSERT_EQ(x.duration_delta_ns, -y.duration_delta_ns) << seed;
      ASSERT_EQ(x.self_delta_ns, -y.self_delta_ns) << seed;
      ASSERT_EQ(x.path_delta_ns, -y.path_delta_ns) << seed;
      ASSERT_EQ(x.explains, y.explains) << seed;
      const auto mirrored = [](Change change) {
        switch (change) {
          case Change::kAdded:
            return Change::kRemoved;
          case Change::kRemoved:
            return Change::kAdded;
          case Change::kSlower:
            return Change::kFaster;
          case Change::kFaster:
            return Change::kSlower;
          default:
            return Change::kSame;
        }
      };
      ASSERT_EQ(x.change, mirrored(y.change)) << seed;
      ASSERT_EQ(x.attributes.size(), y.attributes.size()) << seed;
      path_ns += x.path_delta_ns;
      ASSERT_TRUE(x.a < 0 || of_a.insert(x.a).second) << seed;
      ASSERT_TRUE(x.b < 0 || of_b.insert(x.b).second) << seed;
    }
    // Every step once, and the paths add up.
    ASSERT_EQ(of_a.size(), a.nodes.size()) << seed;
    ASSERT_EQ(of_b.size(), b.nodes.size()) << seed;
    ASSERT_EQ(path_ns, b.root_ns - a.root_ns) << seed;
  }
}

TEST(TraceDiff, DeepAndWideTracesEndWithinTheirBounds) {
  std::vector<model::Span> deep;
  std::vector<model::Span> wide{Step(1, 0, "r", 0, 100'000)};
  for (std::uint64_t i = 1; i <= 30'000; ++i) {
    const auto at = static_cast<std::int64_t>(i);
    deep.push_back(Step(i, i - 1, "s", at, 100'000 - at));
    wide.push_back(Step(i + 1, 1, "s", at, at + 2));
  }
  const TraceShape a = ShapeOfSpans(deep);
  const TraceShape b = ShapeOfSpans(wide);
  EXPECT_EQ(a.nodes.size(), ShapeBounds().nodes_max);
  EXPECT_GT(a.nodes_left_out, 0U);
  EXPECT_GT(b.nodes_left_out, 0U);
  EXPECT_FALSE(Diff(a, b).nodes.empty());
  EXPECT_TRUE(Diff(a, a).same());
  const TraceShape few =
      ShapeOf(AssembleSpans(wide), {}, {.nodes_max = 10, .attribute_bytes_max = 0});
  EXPECT_EQ(few.nodes.size(), 10U);
}

// Two hundred requests that vary; then one whose payment is far slower than in 19 of 20, and one
// that asks nobody.
TEST(Typical, OnlyWhatIsUnusualDiffers) {
  Rng rng(5);
  TypicalTrace typical;
  const auto request = [&](std::int64_t pay_ms, bool stock, std::uint64_t more) {
    std::vector<model::Span> spans{Step(1, 0, "GET /", 0, 40 + pay_ms),
                                   Step(2, 1, "pay", 30, 30 + pay_ms)};
    if (stock) spans.push_back(Step(3, 1, "stock", 5, 25));
    for (std::uint64_t i = 0; i < more; ++i) spans.push_back(Step(10 + i, 2, "extra", 31, 32));
    for (model::Span& span : spans) span.trace_id = testing::TraceIdOf(rng.Next());
    for (model::Span& span : spans) span.trace_id = spans.front().trace_id;
    return ShapeOfSpans(std::move(spans));
  };
  for (int i = 0; i < 200; ++i)
    typical.Add(request(50 + static_cast<std::int64_t>(rng.Below(50)), !rng.Chance(0.1),
                        rng.Chance(0.3) ? 1 : 0),
                1);
  ASSERT_EQ(typical.traces(), 200U);
  ASSERT_TRUE(typical.Median().has_value());
  const TraceShape usual = typical.Shape();
  ASSERT_EQ(usual.nodes.size(), 4U);

  // Within what is usual, whatever it has of what some have.
  EXPECT_THAT(Explained(usual, request(75, true, 0)), IsEmpty());
  EXPECT_THAT(Explained(usual, request(60, true, 1)), IsEmpty());
  EXPECT_THAT(Explained(usual, request(400, true, 0)), ElementsAre("slower pay"));
  EXPECT_THAT(Explained(usual, request(75, false, 0)), ElementsAre("removed stock"));
  EXPECT_THAT(Explained(usual, request(75, true, 2)), ElementsAre("added extra"));
}

TEST(Typical, BoundsHoldAndTell) {
  TypicalTrace typical;
  for (int i = 0; i < 320; ++i) {
    std::vector<model::Span> spans{Step(1, 0, "r", 0, 100)};
    for (std::uint64_t n = 0; n < 20; ++n)
      spans.push_back(Step(n + 2, 1, "s" + std::to_string(i) + "-" + std::to_string(n), 1, 2));
    typical.Add(ShapeOfSpans(std::move(spans)), 1);
  }
  EXPECT_EQ(typical.traces(), TypicalTrace::kTracesMax);
  EXPECT_EQ(typical.steps_left_out(), 300U * 21 - 1 * 300 + 1 - TypicalTrace::kNodesMax);
  EXPECT_EQ(typical.Shape().nodes.size(), 1U);  // all others are rare
  EXPECT_TRUE(TypicalTrace().Shape().nodes.empty());
}

}  // namespace
}  // namespace fluoro::analysis::compare
