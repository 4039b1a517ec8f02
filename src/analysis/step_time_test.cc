#include "analysis/step_time.h"

#include <gtest/gtest.h>

#include <numeric>

#include "model/testing.h"

namespace fluoro::analysis {
namespace {

using genai::StepKind;

// Parents by index; -1 is a root. Entities without spans: only the shape matters here.
model::AssembledTrace Shape(const std::vector<std::int32_t>& parents) {
  model::AssembledTrace trace;
  trace.entities.resize(parents.size());
  for (std::size_t i = 0; i < parents.size(); ++i) {
    trace.entities[i].parent = parents[i];
    if (parents[i] >= 0)
      trace.entities[static_cast<std::size_t>(parents[i])].children.push_back(
          static_cast<std::int32_t>(i));
  }
  return trace;
}

TEST(OwnerKinds, HttpDbAndCacheBelongToTheNearestStepAbove) {
  const auto trace = Shape({-1, 0, 1, 2, 0, 4, 0});
  const std::vector<StepKind> kinds{StepKind::kGateway, StepKind::kLlm,   StepKind::kHttp,
                                    StepKind::kDb,      StepKind::kChain, StepKind::kDb,
                                    StepKind::kCache};
  const std::vector<StepKind> owners = OwnerKinds(trace, kinds);
  EXPECT_EQ(owners, (std::vector<StepKind>{StepKind::kGateway, StepKind::kLlm, StepKind::kLlm,
                                           StepKind::kLlm, StepKind::kChain, StepKind::kDb,
                                           StepKind::kCache}));
}

TEST(StepKinds, TheFirstServedRequestIsTheGatewayWhoeverSentIt) {
  using model::SpanKind;
  using model::testing::OtelSpan;
  const auto trace = model::testing::AssembleSpans(
      {OtelSpan(2, SpanKind::kServer, "POST /chat").Parent(77).Between(0, 100),
       OtelSpan(3, SpanKind::kServer, "POST /rank").Parent(2).Between(10, 50)});
  EXPECT_EQ(StepKinds(trace), (std::vector{StepKind::kGateway, StepKind::kHttp}));
}

TEST(OwnerKinds, EndsOnDeepChains) {
  std::vector<std::int32_t> parents(200'000);
  std::iota(parents.begin(), parents.end(), -1);
  std::vector<StepKind> kinds(parents.size(), StepKind::kHttp);
  kinds[0] = StepKind::kTool;
  const auto owners = OwnerKinds(Shape(parents), kinds);
  EXPECT_EQ(owners.back(), StepKind::kTool);
}

}  // namespace
}  // namespace fluoro::analysis
