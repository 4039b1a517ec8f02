#include "query/tail_filters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/testing.h"
#include "query/random_for_test.h"

namespace fluoro::query {
namespace {

using model::testing::SpanBuilder;

sampling::TailPolicies Policies(const std::vector<std::string>& filters) {
  sampling::TailPolicies policies;
  for (const std::string& filter : filters) {
    sampling::TailPolicy policy;
    policy.name = "p" + std::to_string(policies.policies.size());
    policy.filter = filter;
    policies.policies.push_back(std::move(policy));
  }
  return policies;
}

model::AssembledTrace Assembled(std::vector<model::Span> spans) {
  auto trace = std::make_shared<model::Trace>();
  trace->id = spans.front().trace_id;
  trace->spans = std::move(spans);
  return model::Assemble(trace);
}

// Rows of `batches` batches by turns.
void ScanAll(TailScan& scan, const std::vector<model::Span>& spans, std::size_t batches) {
  std::vector<std::shared_ptr<model::SpanBatch>> parts;
  for (std::size_t i = 0; i < batches; ++i) parts.push_back(std::make_shared<model::SpanBatch>());
  for (std::size_t i = 0; i < spans.size(); ++i) parts[i % batches]->AppendSpan(spans[i]);
  scan.Begin();
  for (std::size_t i = 0; i < spans.size(); ++i)
    scan.Add(parts[i % batches], static_cast<std::uint32_t>(i / batches));
}

// Somewhere in a span, words and numbers that may mean a timeout.
void MaybeTimeout(Rng& rng, model::Span& span) {
  static constexpr std::array<std::string_view, 6> kWords = {
      "ETIMEDOUT", "Deadline exceeded", "read timed out", "boom", "", "java.TimeoutException"};
  static constexpr std::array<std::string_view, 4> kKeys = {"error.type", "rpc.grpc.status_code",
                                                            "timeout", "http.status_code"};
  const std::string word(testing::AnyOf(rng, kWords));
  switch (rng.Below(6)) {
    case 0:
      span.status_message = word;
      break;
    case 1:
      span.events.push_back({.time_ns = span.start_ns,
                             .name = "exception",
                             .attributes = {{"exception.message", {word}, {}}},
                             .dropped_attributes = 0});
      break;
    case 2:
      span.document = R"({"metadata":{"d":{"timeout":true}}})";
      break;
    default: {
      const std::array<model::AttributeValue, 6> values = {{{std::int64_t{4}},
                                                            {std::int64_t{504}},
                                                            {true},
                                                            {std::string("4")},
                                                            {word},
                                                            {std::int64_t{0}}}};
      span.attributes.push_back(
          {std::string(testing::AnyOf(rng, kKeys)),
           testing::AnyOf(rng, kWords) == "" ? model::AttributeValue{word} : values[rng.Below(6)],
           {}});
    }
  }
}

TEST(TailScan, SaysOfEveryTraceWhatTheWholeTraceSays) {
  int told = 0;
  int with_outcome = 0;
  int with_timeout = 0;
  int matching = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    Rng rng(seed);
    std::vector<std::string> expressions;
    for (std::uint64_t i = rng.Below(3); i > 0; --i)
      expressions.push_back(testing::RandomExpression(rng).Make());
    const auto filters = TailFilters::Compile(Policies(expressions));
    ASSERT_TRUE(filters) << filters.error().message;
    TailScan scan(*filters);
    for (int i = 0; i < 40; ++i) {
      auto spans = testing::RandomTrace(rng, model::testing::TestTraceId(), 1'000);
      if (rng.Chance(0.6)) {
        for (model::Span& span : spans) {  // nothing wrong with it
          span.flags &= ~std::uint32_t{model::SpanFlag::kFault | model::SpanFlag::kError |
                                       model::SpanFlag::kThrottle};
          span.status = model::StatusCode::kOk;
          if (rng.Chance(0.7))
            std::erase_if(span.attributes, [](const auto& attribute) {
              return attribute.key.contains("status") || attribute.key.contains("aws.xray");
            });
        }
      }
      if (rng.Chance(0.4)) MaybeTimeout(rng, spans[rng.Below(spans.size())]);
      const model::AssembledTrace assembled = Assembled(spans);
      const TailTrace whole = TailTraceOf(*filters, TraceView(assembled));
      ScanAll(scan, spans, 1 + rng.Below(3));
      const TailTrace scanned = scan.Finish();
      EXPECT_EQ(scanned.route, whole.route) << "seed " << seed;
      EXPECT_EQ(scanned.facts.route, whole.facts.route);
      EXPECT_EQ(scanned.facts.shape, whole.facts.shape);
      EXPECT_EQ(scanned.facts.start_ns, whole.facts.start_ns);
      EXPECT_EQ(scanned.facts.duration_bucket, whole.facts.duration_bucket);
      with_outcome += whole.facts.outcomes != 0 ? 1 : 0;
      with_timeout += (whole.facts.outcomes & sampling::kTailTimeout) != 0 ? 1 : 0;
      matching += whole.facts.filters != 0 ? 1 : 0;
      if (scan.MayHold()) continue;
      ++told;
      EXPECT_EQ(whole.facts.filters, 0U) << "seed " << seed;
      EXPECT_EQ(whole.facts.outcomes, 0U) << "seed " << seed;
    }
  }
  EXPECT_GT(told, 1'000);
  EXPECT_GT(with_outcome, 1'000);
  EXPECT_GT(with_timeout, 300);
  EXPECT_GT(matching, 1'000);
}

TEST(TailTraceOf, AShapeIsASetOfOperations) {
  const auto filters = *TailFilters::Compile({});
  const auto shape = [&](const std::vector<model::Span>& spans) {
    const model::AssembledTrace assembled = Assembled(spans);
    return TailTraceOf(filters, TraceView(assembled)).facts.shape;
  };
  const model::Span a = SpanBuilder(1, "GET /").Service("web");
  const model::Span b = SpanBuilder(2, "query").Parent(1).Service("db");
  const model::Span again = SpanBuilder(3, "query").Parent(1).Service("db");
  const model::Span elsewhere = SpanBuilder(2, "query").Parent(1).Service("cache");
  EXPECT_EQ(shape({a, b}), shape({b, a}));
  EXPECT_EQ(shape({a, b}), shape({a, b, again}));
  EXPECT_NE(shape({a, b}), shape({a}));
  EXPECT_NE(shape({a, b}), shape({a, elsewhere}));
}

TEST(TailTraceOf, TheRouteIsThatOfTheEntry) {
  const auto filters = *TailFilters::Compile({});
  const auto route = [&](const std::vector<model::Span>& spans) {
    const model::AssembledTrace assembled = Assembled(spans);
    return TailTraceOf(filters, TraceView(assembled)).route;
  };
  const model::Span child = SpanBuilder(2, "db").Parent(1).Service("db").Between(0, 1);
  EXPECT_EQ(route({child, SpanBuilder(1, "GET").Service("web").Between(1, 2).Set("http.route",
                                                                                 "/cart/{id}")}),
            "web /cart/{id}");
  EXPECT_EQ(route({SpanBuilder(1, "GET").Service("web").Set("url.path", "/cart/123")}),
            "web /cart/{id}");
  EXPECT_EQ(route({SpanBuilder(1, "checkout").Service("web")}), "web checkout");
  EXPECT_EQ(route({child}), "db db") << "its caller is missing";
  EXPECT_EQ(route({SpanBuilder(1, std::string(1'000, 'x'))}).size(), kRouteBytesMax);
}

TEST(TailFilters, NamesThePolicyWhoseFilterIsWrong) {
  const auto compiled = TailFilters::Compile(Policies({"fault", "responsetime >"}));
  ASSERT_FALSE(compiled);
  EXPECT_THAT(compiled.error().message, ::testing::HasSubstr("TailPolicies[1].Filter: "));
}

}  // namespace
}  // namespace fluoro::query
