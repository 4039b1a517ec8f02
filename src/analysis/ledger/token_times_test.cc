#include "analysis/ledger/token_times.h"

#include <gmock/gmock.h>

#include "analysis/ledger/ledger_testing.h"
#include "analysis/ledger/token_estimate.h"

namespace fluoro::analysis {
namespace {

using model::SpanKind;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::kMs;
using testing::Line;
using ::testing::SizeIs;
using testing::Told;

using Attributes = std::vector<std::pair<std::string, model::AttributeValue>>;

Line Chat(Attributes more, std::int64_t end_ms = 2'000) {
  more.emplace_back("gen_ai.operation.name", testing::Text("chat"));
  more.emplace_back("gen_ai.request.model", testing::Text("m"));
  return {.id = 1,
          .name = "chat m",
          .kind = SpanKind::kClient,
          .start_ms = 0,
          .end_ms = end_ms,
          .attributes = std::move(more)};
}

std::vector<TokenTimes> Times(const std::vector<Line>& lines) {
  const auto trace = testing::Decode(lines);
  return TokenTimesOf(trace, StepsOf(trace));
}

void ExpectTiled(const TokenTimes& times) {
  EXPECT_EQ(times.first_token_ns + times.decode_ns + times.tail_ns, times.duration_ns);
  if (times.phases != PhaseSource::kNone) {
    EXPECT_EQ(
        times.connect_send_ns + times.queue_ns + times.prefill_ns + times.first_token_return_ns,
        times.first_token_ns);
  }
}

TEST(TokenTimes, WithoutAnEngineOnlyTheFirstTokenIsKnown) {
  const auto times = Times({Chat({{"gen_ai.response.time_to_first_chunk", testing::Real(0.5)},
                                  {"gen_ai.usage.output_tokens", testing::Whole(16)}})});
  ASSERT_THAT(times, SizeIs(1));
  EXPECT_EQ(times[0].phases, PhaseSource::kNone);
  EXPECT_EQ(times[0].first_token_ns, 500 * kMs);
  EXPECT_EQ(times[0].decode_ns, 1'500 * kMs);
  EXPECT_DOUBLE_EQ(*times[0].per_token_ms, 100);
  ExpectTiled(times[0]);
}

TEST(TokenTimes, AnEnginesTimesOnTheCallItself) {
  const auto times = Times({Chat({{"ttft_ms", testing::Whole(500)},
                                  {"queue_ms", testing::Whole(300)},
                                  {"prefill_ms", testing::Whole(100)}})});
  ASSERT_THAT(times, SizeIs(1));
  EXPECT_EQ(times[0].phases, PhaseSource::kAttributes);
  EXPECT_EQ(times[0].queue_ns, 300 * kMs);
  EXPECT_EQ(times[0].connect_send_ns, 100 * kMs) << "there and back";
  ExpectTiled(times[0]);
}

TEST(TokenTimes, PhasesThatDoNotFitAreCutAndFlagged) {
  const auto times = Times({Chat({{"ttft_ms", testing::Whole(500)},
                                  {"queue_ms", testing::Whole(450)},
                                  {"prefill_ms", testing::Whole(100)}})});
  EXPECT_TRUE(times.at(0).clocks_differ);
  EXPECT_EQ(times[0].prefill_ns, 50 * kMs);
  ExpectTiled(times[0]);
  // An engine whose clock is behind: it "got" the request before it was sent.
  const Line engine{.id = 2,
                    .parent = 1,
                    .name = "llm_request",
                    .kind = SpanKind::kServer,
                    .start_ms = -100,
                    .end_ms = 1'800,
                    .attributes = {{"gen_ai.request.id", testing::Text("r")},
                                   {"gen_ai.latency.time_in_queue", testing::Real(0.2)},
                                   {"gen_ai.latency.time_in_model_prefill", testing::Real(0.1)}}};
  const auto skewed = Times({Chat({{"ttft_ms", testing::Whole(500)}}), engine});
  ASSERT_THAT(skewed, SizeIs(1));
  EXPECT_EQ(skewed[0].phases, PhaseSource::kEngineSpan);
  EXPECT_TRUE(skewed[0].clocks_differ);
  EXPECT_EQ(skewed[0].connect_send_ns, 0);
  EXPECT_EQ(skewed[0].first_token_return_ns, 200 * kMs);
  ExpectTiled(skewed[0]);
}

TEST(TokenTimes, ChunksTellOfStallsAndOfTheLastToken) {
  Line chat = Chat({});
  for (const std::int64_t ms : {400, 450, 500, 1'400, 1'450, 1'500})
    chat.events.emplace_back("gen_ai.content.completion.chunk", ms);
  const auto times = Times({chat});
  ASSERT_THAT(times, SizeIs(1));
  EXPECT_EQ(times[0].first_token_ns, 400 * kMs);
  EXPECT_EQ(times[0].decode_ns, 1'100 * kMs);
  EXPECT_EQ(times[0].tail_ns, 500 * kMs);
  ASSERT_THAT(times[0].stalls, SizeIs(1));
  EXPECT_EQ(times[0].stalls[0].at_ns, 500 * kMs);
  EXPECT_EQ(times[0].stalls[0].gap_ns, 900 * kMs);
  ExpectTiled(times[0]);
}

TEST(TokenTimes, ASpanThatEndedBeforeItsAnswer) {
  Line chat = Chat({}, 100);
  for (const std::int64_t ms : {50, 300, 600})
    chat.events.emplace_back("gen_ai.content.completion.chunk", ms);
  const auto times = Times({chat});
  EXPECT_TRUE(times.at(0).early_end);
  EXPECT_EQ(times[0].duration_ns, 600 * kMs);
  ExpectTiled(times[0]);
}

TEST(TokenTimes, AWrapperIsNotAskedAgain) {
  Line inner = Chat({{"ttft_ms", testing::Whole(400)}}, 1'900);
  inner.id = 2;
  inner.parent = 1;
  const auto times = Times({Chat({{"ttft_ms", testing::Whole(500)}}), inner});
  ASSERT_THAT(times, SizeIs(1));
  EXPECT_EQ(times[0].first_token_ns, 400 * kMs);
}

TEST(TokenTimes, NothingIsKnownOfAnAnswerThatIsNotStreamed) {
  EXPECT_THAT(Times({Chat({{"gen_ai.usage.output_tokens", testing::Whole(16)}})}), IsEmpty());
}

// ttft = 30 ms + 0.2 ms a token + queue, which four calls of five do not have.
std::vector<TokenSample> Calls(Rng& rng, std::size_t count, bool queue) {
  std::vector<TokenSample> calls;
  for (std::size_t i = 0; i < count; ++i) {
    const double tokens = 100 + static_cast<double>(rng.Below(4'000));
    double ns = 30e6 + 0.2e6 * tokens + 2e6 * rng.Unit();
    if (queue && rng.Chance(0.2)) ns += 1e9 * rng.Unit();
    calls.push_back({.tokens = tokens, .ns = ns});
  }
  return calls;
}

TEST(TokenEstimate, FindsWhatATokenCostsDespiteQueues) {
  int inside = 0;
  double queue_ns = 0;
  constexpr int kSeeds = 50;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    Rng rng(seed);
    const auto calls = Calls(rng, 120, true);
    const TokenEstimate estimate = EstimateTokens(calls, {});
    ASSERT_TRUE(estimate.prefill && estimate.phases);
    EXPECT_NEAR(estimate.prefill->slope, 0.2e6, 0.02e6);
    inside += estimate.prefill->low <= 0.2e6 && 0.2e6 <= estimate.prefill->high;
    double mean_ns = 0;
    for (const TokenSample& call : calls) mean_ns += call.ns / 120;
    const auto& phases = *estimate.phases;
    EXPECT_NEAR(phases.base_ns + phases.prefill_ns + phases.queue_ns, mean_ns, 1);
    queue_ns += phases.queue_ns / kSeeds;
    EXPECT_LE(phases.prefill_low_ns, phases.prefill_ns);
    EXPECT_GE(phases.prefill_high_ns, phases.prefill_ns);
    EXPECT_FALSE(estimate.decode);
  }
  EXPECT_GE(inside, kSeeds * 9 / 10) << "of 95 % intervals";
  EXPECT_NEAR(queue_ns, 100e6, 20e6);
}

TEST(TokenEstimate, SaysWhenTheTimesDoNotTell) {
  Rng rng(3);
  std::vector<TokenSample> noise;
  for (int i = 0; i < 60; ++i)
    noise.push_back({.tokens = static_cast<double>(rng.Below(1'000)), .ns = 1e9 * rng.Unit()});
  const TokenEstimate estimate = EstimateTokens(noise, {});
  ASSERT_TRUE(estimate.prefill);
  EXPECT_FALSE(estimate.prefill->is_sure());
  EXPECT_FALSE(estimate.phases);
  EXPECT_FALSE(FitLine(std::span(noise).first(kLineSamplesMin - 1)));
  for (TokenSample& sample : noise) sample.tokens = 5;
  EXPECT_FALSE(FitLine(noise));
  EXPECT_FALSE(FitLine({}));
}

TEST(TokenSamples, AreBounded) {
  TokenSamples samples;
  for (int i = 0; i < 10'000; ++i) samples.Add({.tokens = static_cast<double>(i), .ns = 1});
  EXPECT_EQ(samples.samples().size(), kLineSamplesMax);
  EXPECT_EQ(samples.seen(), 10'000U);
  double sum = 0;
  for (const TokenSample& sample : samples.samples()) sum += sample.tokens;
  EXPECT_NEAR(sum / kLineSamplesMax, 5'000, 600) << "of all, not of the first";
}

}  // namespace
}  // namespace fluoro::analysis
