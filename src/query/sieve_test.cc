#include "query/sieve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/testing.h"
#include "query/random_for_test.h"

namespace fluoro::query {
namespace {

using model::testing::SpanBuilder;

bool Passes(const Sieve& sieve, const std::vector<model::Span>& spans) {
  model::SpanBatch batch;
  std::int64_t start_ns = INT64_MAX;
  std::int64_t end_ns = INT64_MIN;
  for (const model::Span& span : spans) {
    batch.AppendSpan(span);
    start_ns = std::min(start_ns, span.start_ns);
    end_ns = std::max(end_ns, span.end_ns);
  }
  std::vector<bool> holds(sieve.probes().size());
  HoldByExtent(sieve, start_ns, end_ns, holds);
  BatchSieve on_batch(sieve, batch);
  for (std::uint32_t i = 0; i < batch.size(); ++i) on_batch.Hold(i, holds);
  return sieve.Passes(holds);
}

bool Matches(const Filter& filter, std::vector<model::Span> spans) {
  auto trace = std::make_shared<model::Trace>();
  trace->id = spans.front().trace_id;
  trace->spans = std::move(spans);
  const model::AssembledTrace assembled = model::Assemble(trace);
  return filter.Matches(TraceView(assembled));
}

TEST(Sieve, NeverHoldsBackATraceThatMatches) {
  int matched = 0;
  int held_back = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Rng rng(seed);
    std::vector<std::vector<model::Span>> traces;
    for (int i = 0; i < 20; ++i)
      traces.push_back(testing::RandomTrace(rng, model::testing::TestTraceId(), 1'000));
    for (int i = 0; i < 40; ++i) {
      const std::string text = testing::RandomExpression(rng).Make();
      const auto filter =
          Filter::Parse(text, {.case_insensitive_strings = rng.Chance(0.2), .groups = {}});
      ASSERT_TRUE(filter) << text << ": " << filter.error().message;
      const Sieve sieve = Sieve::Of(*filter);
      for (const auto& spans : traces) {
        const bool passes = Passes(sieve, spans);
        const bool matches = Matches(*filter, spans);
        ASSERT_TRUE(passes || !matches) << "seed " << seed << ": " << text << "\n" << sieve.Print();
        matched += matches ? 1 : 0;
        held_back += passes ? 0 : 1;
      }
    }
  }
  EXPECT_GT(matched, 10'000);
  EXPECT_GT(held_back, 10'000);
}

TEST(Sieve, HoldsBackWhatCannotMatch) {
  const std::vector<model::Span> checkout = {SpanBuilder(1, "POST /checkout")
                                                 .Kind(model::SpanKind::kServer)
                                                 .Service("gateway")
                                                 .Resource("host.id", "i-1")
                                                 .Between(0, 400)
                                                 .Set("http.request.method", "POST")
                                                 .Set("url.full", "http://shop/checkout")
                                                 .Set("http.response.status_code", 200)
                                                 .Set("enduser.id", "alice")
                                                 .Set("tenant", "acme")
                                                 .Annotate("order", 7),
                                             SpanBuilder(2, "SELECT orders")
                                                 .Parent(1)
                                                 .Kind(model::SpanKind::kClient)
                                                 .Service("gateway")
                                                 .Between(100, 200)
                                                 .Set("db.namespace", "orders")
                                                 .Set("server.address", "db-1")};
  const struct {
    std::string_view expression;
    bool passes;
  } cases[] = {
      {"", true},
      {"fault", false},
      {"error = true", false},
      {"throttle", false},
      {"fault = false", true},
      {"!fault", true},
      {"ok", true},
      {"partial", false},
      {"http.status = 200", true},
      {"http.status >= 500", false},
      {"http.url CONTAINS \"checkout\"", true},
      {"http.url CONTAINS \"carts\"", false},
      {"http.method = \"GET\"", false},
      {"user = \"alice\"", true},
      {"user = \"bob\"", false},
      {"instance.id = \"i-2\"", false},
      {"responsetime > 0.3", true},
      {"responsetime > 0.5", false},
      {"duration >= 0.4", true},
      {"duration < 0.1", true},
      {"annotation.order = 7", true},
      {"annotation.order = 8", false},
      {"annotation.order > 8", false},
      {"annotation.order != 7", true},
      {"annotation.tenant = \"acme\"", true},
      {"annotation.tenant = \"other\"", false},
      {"annotation.nothing", false},
      {"annotation.nothing != \"x\"", true},
      {"service(\"gateway\")", true},
      {"service(\"orders@db-1\")", true},
      {"service(\"carts\")", false},
      {"service(\"gate\")", false},
      {"service(\"gateway\") { fault }", false},
      {"edge(\"gateway\", \"carts\")", false},
      {"service(\"carts\") OR user = \"alice\"", true},
      {"service(\"carts\") OR user = \"bob\"", false},
      {"service(\"gateway\") AND user = \"bob\"", false},
      {"rootcause.fault.service { name = \"x\" }", true},
  };
  for (const auto& c : cases) {
    const auto filter = Filter::Parse(c.expression);
    ASSERT_TRUE(filter) << c.expression;
    EXPECT_EQ(Passes(Sieve::Of(*filter), checkout), c.passes) << c.expression;
  }
}

TEST(Sieve, IsBounded) {
  std::string text = "annotation.nothing = \"0\"";
  for (int i = 1; i < 300; ++i) text += " AND annotation.k = \"" + std::to_string(i) + "\"";
  const Sieve sieve = Sieve::Of(*Filter::Parse(text));
  EXPECT_EQ(sieve.probes().size(), Sieve::kProbesMax);
  EXPECT_FALSE(Passes(sieve, {SpanBuilder(1, "a")}));
}

TEST(Sieve, SaysWhatItLooksFor) {
  const auto print = [](std::string_view text) { return Sieve::Of(*Filter::Parse(text)).Print(); };
  EXPECT_EQ(print("ok"), "everything");
  EXPECT_EQ(print("annotation.order = \"a\" AND duration > 2"),
            "order = \"a\" and trace lasts 2 s");
  EXPECT_EQ(print("throttle"),
            "flag throttle or aws.xray.throttle = true or "
            "http.response.status_code|http.status_code = 429");
}

}  // namespace
}  // namespace fluoro::query
