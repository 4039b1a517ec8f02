#include "query/summary_filter.h"

#include <gtest/gtest.h>

#include "model/summary_testing.h"
#include "model/testing.h"
#include "query/random_for_test.h"

namespace fluoro::query {
namespace {

using model::testing::SpanBuilder;
using model::testing::SummaryOf;

model::AssembledTrace Assembled(std::vector<model::Span> spans) {
  auto trace = std::make_shared<model::Trace>();
  trace->id = spans.front().trace_id;
  trace->spans = std::move(spans);
  return model::Assemble(trace);
}

TEST(SummaryFilter, SaysWhatTheFilterSays) {
  std::uint64_t said[3] = {};
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Rng rng(seed);
    std::vector<model::AssembledTrace> traces;
    std::vector<std::optional<model::StoredSummary>> summaries;
    model::SummaryTexts texts;
    for (int i = 0; i < 20; ++i) {
      traces.push_back(Assembled(testing::RandomTrace(rng, model::testing::TestTraceId(), 1'000)));
      summaries.push_back(SummaryOf(traces.back(), texts));
      if (summaries.back() && rng.Chance(0.1))
        summaries.back()->services[rng.Below(model::kServiceSets)] = 0;
    }
    for (int i = 0; i < 60; ++i) {
      const std::string text = testing::RandomExpression(rng).Make();
      const auto filter =
          Filter::Parse(text, {.case_insensitive_strings = rng.Chance(0.2), .groups = {}});
      ASSERT_TRUE(filter) << text << ": " << filter.error().message;
      const SummaryFilter summary_filter = SummaryFilter::Of(*filter);
      SummaryJudge judge(summary_filter, texts);
      for (std::size_t trace = 0; trace < traces.size(); ++trace) {
        if (!summaries[trace]) continue;
        const Verdict verdict = judge.Judge(*summaries[trace]);
        ++said[static_cast<std::size_t>(verdict)];
        if (summary_filter.says_nothing()) {
          ASSERT_EQ(verdict, Verdict::kUnknown) << text;
        }
        if (verdict == Verdict::kUnknown) continue;
        ASSERT_EQ(verdict == Verdict::kYes, filter->Matches(TraceView(traces[trace])))
            << "seed " << seed << ": " << text << "\n"
            << model::testing::Print(*summaries[trace], texts);
      }
    }
  }
  EXPECT_GT(said[0], 50'000U);
  EXPECT_GT(said[1], 30'000U);
}

class SummaryFilterTest : public ::testing::Test {
 protected:
  static Verdict Judge(const std::string& text, const std::vector<model::Span>& spans) {
    const auto filter = Filter::Parse(text);
    EXPECT_TRUE(filter) << text;
    const SummaryFilter summary_filter = SummaryFilter::Of(*filter);
    model::SummaryTexts texts;
    const auto summary = SummaryOf(Assembled(spans), texts);
    SummaryJudge judge(summary_filter, texts);
    return judge.Judge(*summary);
  }
  const std::vector<model::Span> checkout_ = {SpanBuilder(1, "POST /checkout")
                                                  .Kind(model::SpanKind::kServer)
                                                  .Service("gateway")
                                                  .Between(0, 600)
                                                  .Set("http.response.status_code", 502),
                                              SpanBuilder(2, "call")
                                                  .Parent(1)
                                                  .Kind(model::SpanKind::kInternal)
                                                  .Service("gateway")
                                                  .Between(1, 500),
                                              SpanBuilder(3, "pay")
                                                  .Parent(2)
                                                  .Kind(model::SpanKind::kServer)
                                                  .Service("pay")
                                                  .Between(2, 700)
                                                  .Set("http.response.status_code", 404)};
};

TEST_F(SummaryFilterTest, DecidesWhatItHolds) {
  for (const char* const text :
       {"fault", "!error", "responsetime >= 0.6", "responsetime < 0.7", "duration = 0.7",
        "http.status = 502", "service(\"pay\") { error }", "service(\"gateway\") { fault = true }",
        "service(\"pay\")", "name = \"gateway\"", "fault AND !ok", "ok OR http.status > 500",
        "service(\"pay\") { fault } OR service(\"pay\") { error }"})
    EXPECT_EQ(Judge(text, checkout_), Verdict::kYes) << text;
  for (const char* const text :
       {"ok", "error", "throttle", "partial", "responsetime > 0.6", "http.status = 404",
        "service(\"pay\") { fault }", "service(\"gateway\") { error }", "service(\"cart\")",
        "name = \"pay\"", "edge(\"gateway\", \"cart\")", "edge(\"gateway\", \"cart\") { ok }",
        "service(\"pay\") { fault AND http.status = 404 }", "fault AND annotation.x = 1 AND error",
        "account.id = \"1\""})
    EXPECT_EQ(Judge(text, checkout_), Verdict::kNo) << text;
  for (const char* const text :
       {"annotation.x = 1", "user = \"a\"", "edge(\"gateway\", \"pay\")",
        "service(\"pay\") { http.status = 404 }", "service(\"pay\") { fault = false }",
        "service(id(name: \"pay\", type: \"client\"))", "fault AND annotation.x = 1",
        "error OR annotation.x = 1", "rootcause.fault.entity"})
    EXPECT_EQ(Judge(text, checkout_), Verdict::kUnknown) << text;
}

TEST_F(SummaryFilterTest, KnowsWhenNothingIsDecided) {
  for (const char* const text : {"annotation.x = 1", "!(annotation.x = 1 OR user = \"a\")",
                                 "service(id(name: \"pay\", type: \"client\"))"}) {
    const auto filter = Filter::Parse(text);
    ASSERT_TRUE(filter) << text;
    EXPECT_TRUE(SummaryFilter::Of(*filter).says_nothing()) << text;
  }
  EXPECT_FALSE(SummaryFilter::Of(*Filter::Parse("")).says_nothing());
  EXPECT_FALSE(SummaryFilter::Of(*Filter::Parse("fault OR annotation.x = 1")).says_nothing());
}

}  // namespace
}  // namespace fluoro::query
