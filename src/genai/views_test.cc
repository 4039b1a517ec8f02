#include "genai/views.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "base/rng.h"

namespace fluoro::genai {
namespace {

using ::testing::ElementsAre;

constexpr std::uint32_t kCallback = 1;
constexpr std::uint32_t kClient = 2;

ModelStep Step(std::uint32_t scope, std::int64_t start, std::int64_t end) {
  return {.model = 1,
          .scope = scope,
          .prompt_tokens = 10,
          .completion_tokens = 2,
          .start_ns = start,
          .end_ns = end};
}
ModelStep Answered(std::uint32_t response, std::int64_t start, std::int64_t end) {
  ModelStep step = Step(kClient, start, end);
  step.response = response;
  return step;
}

TEST(Views, TheOuterOfTwoScopesWithEqualModelAndTokensIsOne) {
  EXPECT_THAT(FindViews(std::vector{Step(kCallback, 0, 100), Step(kClient, 5, 95)}),
              ElementsAre(View::kSameTokens, View::kOwn));
  EXPECT_THAT(FindViews(std::vector{Step(kClient, 0, 100), Step(kCallback, 0, 100)}),
              ElementsAre(View::kSameTokens, View::kOwn));
}

TEST(Views, WhatOnlyLooksAlikeIsNone) {
  const auto own = ElementsAre(View::kOwn, View::kOwn);
  EXPECT_THAT(FindViews(std::vector{Step(kClient, 0, 100), Step(kClient, 5, 95)}), own)
      << "one scope: samples of one prompt";
  EXPECT_THAT(FindViews(std::vector{Step(kCallback, 0, 100), Step(kClient, 5, 101)}), own);
  EXPECT_THAT(FindViews(std::vector{Step(kCallback, 0, 100), Step(kClient, 101, 140)}), own);
  ModelStep other = Step(kClient, 5, 95);
  other.model = 2;
  EXPECT_THAT(FindViews(std::vector{Step(kCallback, 0, 100), other}), own);
  other = Step(kClient, 5, 95);
  other.kind = 1;
  EXPECT_THAT(FindViews(std::vector{Step(kCallback, 0, 100), other}), own);
  ModelStep none = Step(kCallback, 0, 100);
  none.prompt_tokens = none.completion_tokens = 0;
  other = none;
  other.scope = kClient;
  EXPECT_THAT(FindViews(std::vector{none, other}), own) << "no tokens";
  ModelStep first = Answered(7, 0, 100);
  first.scope = kCallback;
  EXPECT_THAT(FindViews(std::vector{first, Answered(8, 5, 95)}), own) << "other answers";
}

TEST(Views, OfStepsWithOneAnswerTheShortestCounts) {
  ModelStep counted_otherwise = Answered(7, 0, 100);
  counted_otherwise.completion_tokens = 3;
  EXPECT_THAT(FindViews(std::vector{Answered(7, 1, 99), counted_otherwise, Answered(8, 0, 100)}),
              ElementsAre(View::kOwn, View::kSameAnswer, View::kOwn));
  EXPECT_THAT(FindViews(std::vector{Answered(7, 0, 10), Answered(7, 20, 50), Answered(7, 60, 90)}),
              ElementsAre(View::kOwn, View::kSameAnswer, View::kSameAnswer));
}

// Calls that begin and end as they like, all alike, each seen by its client and by a callback
// around it: as many count as were made.
TEST(Views, CallsSeenTwiceCountOnceHoweverTheyOverlap) {
  Rng rng(5);
  for (int round = 0; round < 300; ++round) {
    std::vector<ModelStep> steps;
    const std::uint64_t calls = 1 + rng.Next() % 6;
    std::int64_t at = 0;
    for (std::uint64_t i = 0; i < calls; ++i) {
      at += static_cast<std::int64_t>(10 + rng.Next() % 50);
      const std::int64_t end = at + 100 + static_cast<std::int64_t>(rng.Next() % 500);
      steps.push_back(Step(kCallback, at, end));
      steps.push_back(Step(kClient, at + 2, end - 2));
    }
    for (std::size_t i = steps.size(); i > 1; --i) std::swap(steps[i - 1], steps[rng.Next() % i]);
    const std::vector<View> views = FindViews(steps);
    EXPECT_EQ(static_cast<std::uint64_t>(std::ranges::count(views, View::kOwn)), calls)
        << "round " << round;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      EXPECT_TRUE(steps[i].scope != kClient || views[i] == View::kOwn) << "round " << round;
    }
  }
}

}  // namespace
}  // namespace fluoro::genai
