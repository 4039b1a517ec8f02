#include "genai/model_prices.h"

#include <gmock/gmock.h>

#include "base/rng.h"

namespace fluoro::genai {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::int64_t NsOf(std::string_view day) { return std::int64_t{*ParseDay(day)} * kDayNs; }
constexpr std::string_view kDay = "2026-09-01";

ModelPrices Table(const std::vector<std::string>& entries) {
  std::vector<ModelPrice> parsed;
  for (const std::string& json : entries) {
    auto entry = ParseModelPrice(json, 0);
    EXPECT_TRUE(entry) << json << ": " << entry.error().message;
    if (entry) parsed.push_back(*std::move(entry));
  }
  return ModelPrices::With(std::move(parsed));
}

std::string IdOf(const ModelPrices& prices, std::string_view provider, std::string_view model,
                 std::string_view day = kDay) {
  std::uint32_t flags = 0;
  const ModelPrice* entry = prices.Find(provider, model, *ParseDay(day), flags);
  return entry == nullptr ? "none" : entry->id;
}

// One million tokens of each kind: what it comes to is the price.
std::optional<std::int64_t> PriceOf(std::string_view provider, std::string_view model,
                                    CostPart part, std::int64_t prompt_class_tokens = 1'000,
                                    std::string_view tier = {}) {
  UsageToPrice usage{.provider = provider,
                     .model = model,
                     .service_tier = tier,
                     .start_ns = NsOf(kDay),
                     .prompt_tokens = prompt_class_tokens,
                     .completion_tokens = part == CostPart::kOutput ? 1'000 : 0};
  if (part == CostPart::kCached) usage.cached_tokens = usage.prompt_tokens;
  if (part == CostPart::kCacheWrite) usage.cache_write_tokens = usage.prompt_tokens;
  if (part == CostPart::kCacheWrite1h)
    usage.cache_write_tokens = usage.cache_write_1h_tokens = usage.prompt_tokens;
  const Price price = ModelPrices::BuiltIn().Of(usage);
  for (const CostLine& line : price.lines) {
    if (line.part == part) return line.price;
  }
  return std::nullopt;
}

TEST(ModelPrices, BuiltInRows) {
  struct Row {
    std::string_view provider, model;
    double input, output, cached, written;  // USD a million; cached, written: -1: not listed
    std::int64_t above = 0;
    double long_input = 0, long_output = 0;
  };
  const std::vector<Row> rows = {
      {"openai", "gpt-5.6-sol", 5, 30, .5, 6.25, 272'000, 10, 45},
      {"openai", "gpt-5.6-terra", 2, 12, .2, 2.5, 272'000, 4, 18},
      {"openai", "gpt-5.6-luna", .2, 1.2, .02, .25, 272'000, .4, 1.8},
      {"openai", "gpt-5.5", 5, 30, .5, -1, 272'000, 10, 45},
      {"openai", "gpt-5.4", 2.5, 15, .25, -1, 272'000, 5, 22.5},
      {"openai", "gpt-5.4-mini", .75, 4.5, .075, -1},
      {"openai", "gpt-5.4-nano", .2, 1.25, .02, -1},
      {"openai", "gpt-5.2", 1.75, 14, .175, -1},
      {"openai", "gpt-5.1", 1.25, 10, .125, -1},
      {"openai", "gpt-5", 1.25, 10, .125, -1},
      {"openai", "gpt-5-mini", .25, 2, .025, -1},
      {"openai", "gpt-5-nano", .05, .4, .005, -1},
      {"openai", "gpt-4.1", 2, 8, .5, -1},
      {"openai", "gpt-4.1-mini", .4, 1.6, .1, -1},
      {"openai", "gpt-4.1-nano", .1, .4, .025, -1},
      {"openai", "gpt-4o", 2.5, 10, 1.25, -1},
      {"openai", "gpt-4o-mini", .15, .6, .075, -1},
      {"openai", "o3", 2, 8, .5, -1},
      {"openai", "o4-mini", 1.1, 4.4, .275, -1},
      {"anthropic", "claude-opus-5", 5, 25, .5, 6.25},
      {"anthropic", "claude-opus-4-8", 5, 25, .5, 6.25},
      {"anthropic", "claude-opus-4-7", 5, 25, .5, 6.25},
      {"anthropic", "claude-opus-4-6", 5, 25, .5, 6.25},
      {"anthropic", "claude-opus-4-5", 5, 25, .5, 6.25},
      {"anthropic", "claude-sonnet-5", 2, 10, .2, 2.5},
      {"anthropic", "claude-sonnet-4-6", 3, 15, .3, 3.75},
      {"anthropic", "claude-sonnet-4-5", 3, 15, .3, 3.75},
      {"anthropic", "claude-haiku-4-5", 1, 5, .1, 1.25},
      {"google_gemini", "gemini-3.7-flash", .75, 3.75, .075, -1},
      {"google_vertex", "gemini-3.6-flash", .75, 3.75, .075, -1},
      {"google", "gemini-3.5-flash", 1.5, 9, .15, -1},
      {"google", "gemini-3.5-flash-lite", .3, 2.5, .03, -1},
      {"google", "gemini-3.1-pro-preview", 2, 12, .2, -1, 200'000, 4, 18},
      {"google", "gemini-2.5-pro", 1.25, 10, .125, -1, 200'000, 2.5, 15},
      {"google", "gemini-2.5-flash", .3, 2.5, .03, -1},
      {"google", "gemini-2.5-flash-lite", .1, .4, .01, -1},
      {"groq", "llama-3.3-70b-versatile", .59, .79, -1, -1},
      {"groq", "llama-3.1-8b-instant", .05, .08, -1, -1},
      {"groq", "openai/gpt-oss-120b", .15, .6, .075, -1},
      {"together", "deepseek-ai/DeepSeek-V3.1", .6, 1.7, -1, -1},
      {"openai", "text-embedding-3-small", .02, -1, -1, -1},
      {"openai", "text-embedding-3-large", .13, -1, -1, -1},
      {"openai", "text-embedding-ada-002", .1, -1, -1, -1},
  };
  EXPECT_EQ(ModelPrices::BuiltIn().entries().size(), rows.size());
  const auto pico = [](double usd) { return std::llround(usd * 1e6); };
  for (const Row& row : rows) {
    const auto of = [&](CostPart part) { return PriceOf(row.provider, row.model, part); };
    EXPECT_EQ(of(CostPart::kInput), pico(row.input)) << row.model;
    if (row.output < 0) {
      EXPECT_EQ(of(CostPart::kOutput), std::nullopt) << row.model;
    } else {
      EXPECT_EQ(of(CostPart::kOutput), pico(row.output)) << row.model;
    }
    // What has no price of its own costs as input does.
    EXPECT_EQ(of(CostPart::kCached), pico(row.cached < 0 ? row.input : row.cached)) << row.model;
    EXPECT_EQ(of(CostPart::kCacheWrite), pico(row.written < 0 ? row.input : row.written))
        << row.model;
    if (row.provider == "anthropic") {
      EXPECT_EQ(of(CostPart::kCacheWrite1h), pico(2 * row.input)) << row.model;
    }
    if (row.above == 0) continue;
    EXPECT_EQ(PriceOf(row.provider, row.model, CostPart::kInput, row.above), pico(row.input));
    EXPECT_EQ(PriceOf(row.provider, row.model, CostPart::kInput, row.above + 1),
              pico(row.long_input));
    EXPECT_EQ(PriceOf(row.provider, row.model, CostPart::kOutput, row.above + 1),
              pico(row.long_output));
  }
  EXPECT_EQ(DayText(ModelPrices::BuiltInDate()), "2026-08-21");
}

TEST(ModelPrices, ServiceTiers) {
  EXPECT_EQ(PriceOf("openai", "gpt-5.6-terra", CostPart::kInput, 1'000, "flex"), 1'000'000);
  EXPECT_EQ(PriceOf("openai", "gpt-5.6-terra", CostPart::kOutput, 1'000, "flex"), 6'000'000);
  EXPECT_EQ(PriceOf("openai", "gpt-5.6-terra", CostPart::kCached, 1'000, "flex"), 100'000);
  // No price for that tier: the standard one, and it is told.
  const UsageToPrice usage{.provider = "openai",
                           .model = "gpt-5.6-terra",
                           .service_tier = "priority",
                           .start_ns = NsOf(kDay),
                           .prompt_tokens = 1'000};
  const Price price = ModelPrices::BuiltIn().Of(usage);
  EXPECT_EQ(price.nano_usd, 2'000'000);
  EXPECT_EQ(price.flags, kTierUnknown);
}

TEST(ModelPrices, OfTiersThatHoldTheMostParticularDecides) {
  const ModelPrices prices = Table({R"({"id":"m","match":["m"],"input":1,"tiers":[
      {"when":{"prompt_tokens_gt":1000},"input":2},
      {"when":{"prompt_tokens_gt":100},"input":3},
      {"when":{"service_tier":"batch","prompt_tokens_gt":100},"input":4},
      {"when":{"service_tier":["batch","flex"]},"input":5}]})"});
  const auto input = [&](std::int64_t tokens, std::string_view tier) {
    return prices.Of({.model = "m", .service_tier = tier, .start_ns = 0, .prompt_tokens = tokens})
        .lines.at(0)
        .price;
  };
  EXPECT_EQ(input(100, ""), 1'000'000);
  EXPECT_EQ(input(101, ""), 3'000'000);
  EXPECT_EQ(input(1'001, ""), 2'000'000);
  EXPECT_EQ(input(1'001, "batch"), 4'000'000);
  EXPECT_EQ(input(100, "flex"), 5'000'000);
}

TEST(ModelPrices, NamesAreTriedInOrder) {
  EXPECT_THAT(ModelNames("gpt-4o"), ElementsAre("gpt-4o"));
  EXPECT_THAT(ModelNames("GPT-4o-2024-08-06"), ElementsAre("gpt-4o-2024-08-06", "gpt-4o"));
  EXPECT_THAT(ModelNames("models/gemini-2.5-pro"),
              ElementsAre("models/gemini-2.5-pro", "gemini-2.5-pro"));
  EXPECT_THAT(
      ModelNames("us.anthropic.claude-haiku-4-5-20251001-v1:0"),
      ElementsAre("us.anthropic.claude-haiku-4-5-20251001-v1:0",
                  "anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5-20251001-v1:0",
                  "claude-haiku-4-5-20251001", "claude-haiku-4-5"));
  EXPECT_THAT(ModelNames("claude-sonnet-4-5@20250929"),
              ElementsAre("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"));
  EXPECT_THAT(ModelNames("llama3:latest"), ElementsAre("llama3:latest", "llama3"));
  EXPECT_THAT(
      ModelNames("arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-opus-4-5"),
      ::testing::Contains("claude-opus-4-5"));
  EXPECT_THAT(ModelNames("publishers/anthropic/models/claude-opus-5"),
              ::testing::Contains("claude-opus-5"));
  // No date and no version.
  EXPECT_THAT(ModelNames("deepseek-v3"), ElementsAre("deepseek-v3"));
  EXPECT_THAT(ModelNames("gpt-4-0613"), ElementsAre("gpt-4-0613"));
  EXPECT_THAT(ModelNames(""), ElementsAre(""));
  EXPECT_THAT(ModelNames("us."), ElementsAre("us."));
}

TEST(ModelPrices, MatchesInOrder) {
  const ModelPrices prices = Table({
      R"({"id":"exact","match":["openai/acme-1-20260101"],"input":1})",
      R"({"id":"bare","match":["acme-1-20260101"],"input":1})",
      R"({"id":"undated","match":["acme-1"],"input":1})",
      R"({"id":"long glob","match":["acme-1*"],"input":1})",
      R"({"id":"short glob","match":["acme*"],"input":1})",
      R"({"id":"of groq","match":["acme-1"],"provider":"groq","input":1})",
      R"({"id":"all","match":["*"],"provider":"mistral","input":1})",
  });
  EXPECT_EQ(IdOf(prices, "", "openai/acme-1-20260101"), "exact");
  EXPECT_EQ(IdOf(prices, "", "acme-1-20260101"), "bare");
  EXPECT_EQ(IdOf(prices, "", "eu.acme-1-20260101"), "bare");
  EXPECT_EQ(IdOf(prices, "", "acme-1-20260102"), "undated");
  EXPECT_EQ(IdOf(prices, "", "acme-1"), "undated");
  EXPECT_EQ(IdOf(prices, "", "acme-1-pro"), "long glob");
  EXPECT_EQ(IdOf(prices, "", "acme-2"), "short glob");
  EXPECT_EQ(IdOf(prices, "groq", "acme-1"), "of groq");
  EXPECT_EQ(IdOf(prices, "mistral", "anything"), "all");
  EXPECT_EQ(IdOf(prices, "cohere", "anything"), "none");
}

TEST(ModelPrices, VendorsAndThoseWhoServeTheirModels) {
  struct Case {
    std::string_view provider, model, wanted;
    bool assumed = false;
  };
  for (const Case& known : std::vector<Case>{
           {"openai", "gpt-4o", "openai/gpt-4o"},
           {"", "gpt-4o", "openai/gpt-4o", true},
           {"azure_openai", "gpt-4o-2024-08-06", "openai/gpt-4o", true},
           {"aws_bedrock", "us.anthropic.claude-haiku-4-5-20251001-v1:0",
            "anthropic/claude-haiku-4-5", true},
           {"openrouter", "anthropic/claude-sonnet-4.5", "anthropic/claude-sonnet-4-5", true},
           {"other:litellm", "openai/gpt-4o", "openai/gpt-4o", true},
           {"other:litellm", "gpt-4o", "none"},
           {"groq", "openai/gpt-oss-120b", "groq/openai/gpt-oss-120b"},
           {"together", "openai/gpt-oss-120b", "none"},
           {"ollama", "gpt-4o", "none"},
           {"openai", "gpt-4o-audio-preview", "none"},
           {"openai", "gpt-5-codex", "none"},
       }) {
    std::uint32_t flags = 0;
    const ModelPrice* entry =
        ModelPrices::BuiltIn().Find(known.provider, known.model, *ParseDay(kDay), flags);
    EXPECT_EQ(entry == nullptr ? "none" : entry->id, known.wanted)
        << known.provider << " " << known.model;
    EXPECT_EQ(flags, known.assumed ? kProviderAssumed : 0U) << known.provider << " " << known.model;
  }
}

TEST(ModelPrices, EachHoldsUntilTheNextOfItsId) {
  const ModelPrices prices = Table({
      R"({"id":"openai/gpt-4o","match":["gpt-4o"],"provider":"openai","valid_from":"2026-10-01","input":7})",
      R"({"id":"openai/gpt-4o","match":["gpt-4o"],"provider":"openai","valid_from":"2026-11-01","valid_to":"2026-12-01","input":8})",
      R"({"id":"mine","match":["mine"],"valid_from":"2026-10-01","input":1})",
      R"({"id":"mine","match":["mine"],"valid_from":"2026-10-01","input":2})",
  });
  const auto input = [&](std::string_view model, std::string_view day) -> std::int64_t {
    const Price price = prices.Of({.provider = "openai",
                                   .model = model,
                                   .start_ns = NsOf(day) + kDayNs - 1,
                                   .prompt_tokens = 1'000'000});
    return price.nano_usd ? *price.nano_usd / 1'000'000 : -1;
  };
  EXPECT_EQ(input("gpt-4o", "2026-09-30"), 2'500);
  EXPECT_EQ(input("gpt-4o", "2026-10-01"), 7'000);
  EXPECT_EQ(input("gpt-4o", "2026-10-31"), 7'000);
  EXPECT_EQ(input("gpt-4o", "2026-11-01"), 8'000);
  EXPECT_EQ(input("gpt-4o", "2026-11-30"), 8'000);
  EXPECT_EQ(input("gpt-4o", "2026-12-01"), -1);
  EXPECT_EQ(input("mine", "2026-09-30"), -1);
  EXPECT_EQ(input("mine", "2026-10-01"), 2'000);
  // Before the copy of the built-in table its prices are the best that is known.
  EXPECT_EQ(input("gpt-4o", "2025-01-01"), 2'500);
  std::uint32_t flags = 0;
  ASSERT_NE(prices.Find("openai", "gpt-4o", *ParseDay("2025-01-01"), flags), nullptr);
  EXPECT_EQ(flags, kPriceIsLater);
  EXPECT_EQ(DayText(prices.date()), "2026-11-01");
}

TEST(ModelPrices, WhatIsNotThereCostsAsInputOrIsNotKnown) {
  const ModelPrices prices = Table({R"({"id":"a","match":["a"],"input":2})",
                                    R"({"id":"b","match":["b"],"input":2,"output":4,"reasoning":6,
                                        "cache_write":3})"});
  const Price no_output = prices.Of({.model = "a", .prompt_tokens = 10, .completion_tokens = 1});
  EXPECT_EQ(no_output.nano_usd, std::nullopt);
  EXPECT_TRUE(no_output.lines.empty());
  EXPECT_EQ(prices.Of({.model = "a", .prompt_tokens = 10, .cached_tokens = 4}).nano_usd, 20'000);
  const Price all = prices.Of({.model = "b",
                               .prompt_tokens = 100,
                               .completion_tokens = 50,
                               .cached_tokens = 20,
                               .cache_write_tokens = 30,
                               .cache_write_1h_tokens = 10,
                               .reasoning_tokens = 5});
  EXPECT_EQ(all.nano_usd, (50 * 2 + 20 * 2 + 20 * 3 + 10 * 3 + 45 * 4 + 5 * 6) * 1'000);
  // Parts that are larger than what they are part of.
  EXPECT_EQ(prices.Of({.model = "b", .prompt_tokens = 10, .cached_tokens = 99}).nano_usd, 20'000);
}

TEST(ModelPrices, HalfABillionthRoundsUp) {
  const ModelPrices prices =
      Table({R"({"id":"a","match":["a"],"input":0.0005,"output":0.000499})"});
  EXPECT_EQ(prices.Of({.model = "a", .prompt_tokens = 1}).nano_usd, 1);
  EXPECT_EQ(prices.Of({.model = "a", .completion_tokens = 1}).nano_usd, 0);
  EXPECT_EQ(prices.Of({.model = "a", .completion_tokens = 1'000}).nano_usd, 499);
}

// Sums are priced as their calls are, since all of a class are on one side of each built-in tier.
TEST(ModelPrices, SumsByPromptClassCostWhatTheirCallsCost) {
  Rng rng(58);
  for (const std::string_view model : {"gpt-5.6-sol", "gemini-2.5-pro", "claude-haiku-4-5"}) {
    std::map<std::uint8_t, UsageToPrice> sums;
    std::int64_t nano_usd = 0;
    for (int i = 0; i < 2'000; ++i) {
      UsageToPrice call{.model = model,
                        .start_ns = NsOf(kDay),
                        .prompt_tokens = static_cast<std::int64_t>(rng.Below(400'000)),
                        .completion_tokens = static_cast<std::int64_t>(rng.Below(5'000))};
      call.cached_tokens =
          static_cast<std::int64_t>(rng.Below(static_cast<std::uint64_t>(call.prompt_tokens) + 1));
      nano_usd += *ModelPrices::BuiltIn().Of(call).nano_usd;
      UsageToPrice& sum = sums[PromptClassOf(call.prompt_tokens)];
      sum.calls = sum.model.empty() ? 1 : sum.calls + 1;
      sum.model = model;
      sum.start_ns = call.start_ns;
      sum.prompt_tokens += call.prompt_tokens;
      sum.completion_tokens += call.completion_tokens;
      sum.cached_tokens += call.cached_tokens;
      sum.prompt_class = PromptClassOf(call.prompt_tokens);
    }
    std::int64_t of_sums = 0;
    for (const auto& [place, sum] : sums) {
      const Price price = ModelPrices::BuiltIn().Of(sum);
      EXPECT_EQ(price.flags & kTierEstimated, 0U);
      of_sums += *price.nano_usd;
    }
    EXPECT_EQ(of_sums, nano_usd) << model;
  }
}

TEST(ModelPrices, ATierInsideAClassIsEstimatedFromTheMean) {
  const ModelPrices prices = Table({R"({"id":"a","match":["a"],"input":1,
      "tiers":[{"when":{"prompt_tokens_gt":32000},"input":2}]})"});
  const auto of = [&](std::int64_t tokens, std::uint8_t place) {
    return prices.Of({.model = "a", .calls = 10, .prompt_tokens = tokens, .prompt_class = place});
  };
  EXPECT_EQ(of(320'000, 0).nano_usd, 320'000'000);
  EXPECT_EQ(of(320'010, 0).nano_usd, 640'020'000);
  EXPECT_EQ(of(320'010, 0).flags, kTierEstimated);
  EXPECT_EQ(of(1'500'000, 1).nano_usd, 3'000'000'000);
  EXPECT_EQ(of(1'500'000, 1).flags, 0U);
}

TEST(ModelPrices, EnginesAreTooBigToOverflow) {
  const ModelPrices prices = Table({R"({"id":"a","match":["a"],"unit":"usd_per_gpu_hour",
      "usd_per_gpu_hour":10000,"gpus":10000,"mean_batch_occupancy":0.001})"});
  EXPECT_EQ(prices.Of({.model = "a", .engine_ns = INT64_MAX}).nano_usd, std::nullopt);
  EXPECT_EQ(prices.Of({.model = "a", .engine_ns = INT64_MAX}).flags, kAbsurd);
}

TEST(ParseModelPrice, EntriesComeBackAsTheyWere) {
  for (const ModelPrice& entry : ModelPrices::BuiltIn().entries()) {
    const auto again = ParseModelPrice(PrintModelPrice(entry), 0);
    ASSERT_TRUE(again) << again.error().message;
    ModelPrice expected = entry;
    expected.built_in = false;
    EXPECT_EQ(*again, expected) << PrintModelPrice(entry);
  }
  const std::string engine =
      R"({"id":"own","match":["llama*"],"provider":"vllm","valid_from":"2026-10-01","valid_to":"2026-11-01","unit":"usd_per_gpu_hour","usd_per_gpu_hour":2.5,"gpus":0.5,"mean_batch_occupancy":7.25})";
  EXPECT_EQ(PrintModelPrice(*ParseModelPrice(engine, 0)), engine);
  const std::string tool =
      R"({"id":"t","match":["web"],"valid_from":"2026-10-01","unit":"usd_per_1m_tokens","per_call":0.01,"per_unit":0.000000001})";
  EXPECT_EQ(PrintModelPrice(*ParseModelPrice(tool, 0)), tool);
}

TEST(ParseModelPrice, SaysWhatIsWrong) {
  struct Case {
    std::string_view json, wanted;
  };
  for (
      const Case& known : std::vector<Case>{
          {"", "model price"},
          {"[]", "an object"},
          {R"({"match":["a"],"input":1})", "id: it is wanted"},
          {R"({"id":"","match":["a"],"input":1})", "id: 1 to 128 characters"},
          {R"({"id":"a","input":1})", "match: a list of names"},
          {R"({"id":"a","match":[],"input":1})", "match: a list of 1 to 32"},
          {R"({"id":"a","match":[7],"input":1})", "match: 1 to 128 characters"},
          {R"({"id":"a","match":["a"]})", "input: a price"},
          {R"({"id":"a","match":["a"],"output":1})", "input: it is wanted"},
          {R"({"id":"a","match":["a"],"input":-1})", "input: a number of 0 to 1000000"},
          {R"({"id":"a","match":["a"],"input":"2"})", "input: a number"},
          {R"({"id":"a","match":["a"],"input":1e9})", "input: a number of 0 to 1000000"},
          {R"({"id":"a","match":["a"],"input":0.0000001})", "input: at most 6 decimals"},
          {R"({"id":"a","match":["a"],"input":1,"valid_from":"yesterday"})", "valid_from"},
          {R"({"id":"a","match":["a"],"input":1,"valid_from":"2026-02-30"})", "valid_from"},
          {R"({"id":"a","match":["a"],"input":1,"valid_from":"2026-02-02","valid_to":"2026-02-02"})",
           "valid_to: a date after"},
          {R"({"id":"a","match":["a"],"input":1,"unit":"eur"})", "unit: usd_per_1m_tokens or"},
          {R"({"id":"a","match":["a"],"input":1,"prize":2})", "prize: unknown member"},
          {R"({"id":"a","match":["a"],"input":1,"tiers":{}})", "tiers: a list"},
          {R"({"id":"a","match":["a"],"input":1,"tiers":[{"input":2}]})", "tiers[0].when"},
          {R"({"id":"a","match":["a"],"input":1,"tiers":[{"when":{"weekday":1},"input":2}]})",
           "tiers[0].when.weekday: unknown"},
          {R"({"id":"a","match":["a"],"input":1,"tiers":[{"when":{"prompt_tokens_gt":"x"},"input":2}]})",
           "tiers[0].when.prompt_tokens_gt"},
          {R"({"id":"a","match":["a"],"input":1,"tiers":[{"when":{"service_tier":["x"]}}]})",
           "tiers[0]: a price"},
          {R"({"id":"a","match":["a"],"per_call":1,"tiers":[{"when":{"service_tier":"x"},"input":2}]})",
           "input: it is, beside tiers"},
          {R"({"id":"a","match":["a"],"unit":"usd_per_gpu_hour"})", "usd_per_gpu_hour: it is"},
          {R"({"id":"a","match":["a"],"usd_per_gpu_hour":2})", "unit: usd_per_gpu_hour"},
          {R"({"id":"a","match":["a"],"unit":"usd_per_gpu_hour","usd_per_gpu_hour":2,"gpus":0})",
           "gpus: more than 0"},
          {R"({"id":"a","match":["a"],"unit":"usd_per_gpu_hour","usd_per_gpu_hour":2,"input":1})",
           "unit: no other prices"},
      }) {
    const auto entry = ParseModelPrice(known.json, 0);
    ASSERT_FALSE(entry) << known.json;
    EXPECT_EQ(entry.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(entry.error().message, HasSubstr(std::string(known.wanted))) << known.json;
  }
}

}  // namespace
}  // namespace fluoro::genai
