#include "genai/tokens.h"

#include <gmock/gmock.h>

#include <limits>

#include "genai/flags.h"
#include "genai/step.h"
#include "model/attribute_reader.h"
#include "model/testing.h"

namespace fluoro::genai {
namespace {

using model::Scope;
using model::Span;
using model::SpanKind;
using model::testing::OtelSpan;
using model::testing::SpanBuilder;
using ::testing::HasSubstr;
using ::testing::Not;

SpanBuilder Step() { return OtelSpan(2, SpanKind::kInternal, "x").Parent(1).Between(0, 6000); }

std::string Read(const Span& span, std::string_view field) {
  const auto value = CanonicalField(span, field);
  return value ? model::ScalarText(*value) : "-";
}

// "prompt/completion".
std::string Counts(const Span& span) {
  return Read(span, "prompt_tokens") + "/" + Read(span, "completion_tokens");
}

/// Names of one convention, "" where it has none. The object form: `key` with JSON of the members.
struct Convention {
  std::string name;
  std::string prompt, completion, cached, write, reasoning, total;
  std::string key = {};
};

// Every row of the table of token counts that has parts.
std::vector<Convention> Conventions() {
  const auto otel = [](std::string cached, std::string write, std::string reasoning) {
    return Convention{.name = cached + " " + write,
                      .prompt = "gen_ai.usage.input_tokens",
                      .completion = "gen_ai.usage.output_tokens",
                      .cached = std::move(cached),
                      .write = std::move(write),
                      .reasoning = std::move(reasoning),
                      .total = "gen_ai.usage.total_tokens"};
  };
  return {
      otel("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_write.input_tokens",
           "gen_ai.usage.reasoning.output_tokens"),
      otel("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_creation.input_tokens",
           "gen_ai.usage.reasoning.output_tokens"),
      otel("gen_ai.usage.cache_read_input_tokens", "gen_ai.usage.cache_creation_input_tokens",
           "gen_ai.usage.reasoning_tokens"),
      otel("gen_ai.usage.cache_read_tokens", "gen_ai.usage.cache_write_tokens",
           "gen_ai.usage.details.reasoning_tokens"),
      otel("gen_ai.usage.details.cache_read_tokens", "gen_ai.usage.details.cache_write_tokens",
           "gen_ai.usage.details.reasoning_tokens"),
      otel("gen_ai.usage.details.cache_read_input_tokens",
           "gen_ai.usage.details.cache_creation_input_tokens", "gen_ai.usage.reasoning_tokens"),
      otel("gen_ai.usage.input_cached_tokens", "gen_ai.usage.cache_write_tokens",
           "gen_ai.usage.reasoning_tokens"),
      otel("gen_ai.usage.input_token_details.cached", "gen_ai.usage.cache_write_tokens",
           "gen_ai.usage.reasoning_tokens"),
      {.name = "OpenTelemetry 1.26",
       .prompt = "gen_ai.usage.prompt_tokens",
       .completion = "gen_ai.usage.completion_tokens",
       .cached = "gen_ai.usage.cache_read_input_tokens",
       .write = "gen_ai.usage.cache_creation_input_tokens",
       .reasoning = "llm.usage.reasoning_tokens",
       .total = "llm.usage.total_tokens"},
      {.name = "OpenLLMetry",
       .prompt = "llm.usage.prompt_tokens",
       .completion = "llm.usage.completion_tokens",
       .cached = "gen_ai.usage.cache_read_input_tokens",
       .write = "gen_ai.usage.cache_creation_input_tokens",
       .reasoning = "llm.usage.reasoning_tokens",
       .total = "llm.usage.total_tokens"},
      {.name = "OpenInference",
       .prompt = "llm.token_count.prompt",
       .completion = "llm.token_count.completion",
       .cached = "llm.token_count.prompt_details.cache_read",
       .write = "llm.token_count.prompt_details.cache_write",
       .reasoning = "llm.token_count.completion_details.reasoning",
       .total = "llm.token_count.total"},
      {.name = "Vercel v5",
       .prompt = "ai.usage.inputTokens",
       .completion = "ai.usage.outputTokens",
       .cached = "ai.usage.cachedInputTokens",
       .write = "ai.usage.inputTokenDetails.cacheWriteTokens",
       .reasoning = "ai.usage.reasoningTokens",
       .total = "ai.usage.totalTokens"},
      {.name = "Vercel v6",
       .prompt = "ai.usage.inputTokens",
       .completion = "ai.usage.outputTokens",
       .cached = "ai.usage.inputTokenDetails.cacheReadTokens",
       .write = "ai.usage.inputTokenDetails.cacheWriteTokens",
       .reasoning = "ai.usage.outputTokenDetails.reasoningTokens",
       .total = "ai.usage.totalTokens"},
      {.name = "Vercel v4",
       .prompt = "ai.usage.promptTokens",
       .completion = "ai.usage.completionTokens",
       .cached = "ai.usage.cachedInputTokens",
       .write = "gen_ai.usage.cache_creation_input_tokens",
       .reasoning = "ai.usage.reasoningTokens",
       .total = "ai.usage.totalTokens"},
      {.name = "LangSmith",
       .prompt = "input_tokens",
       .completion = "output_tokens",
       .cached = "input_token_details/cache_read",
       .write = "input_token_details/cache_creation",
       .reasoning = "output_token_details/reasoning",
       .total = "total_tokens",
       .key = "langsmith.usage_metadata"},
      {.name = "LangSmith, one hour",
       .prompt = "input_tokens",
       .completion = "output_tokens",
       .cached = "input_token_details/cache_read",
       .write = "input_token_details/ephemeral_1h_input_tokens",
       .reasoning = "output_token_details/reasoning",
       .total = "total_tokens",
       .key = "langsmith.usage_metadata"},
      {.name = "LangSmith, as its exporter of 2026 writes it",
       .prompt = "input_tokens",
       .completion = "output_tokens",
       .cached = "input_token_details/cache_read",
       .write = "input_token_details/cache_creation",
       .reasoning = "output_token_details/reasoning",
       .total = "total_tokens",
       .key = "langsmith.metadata.usage_metadata"},
      {.name = "Langfuse, with OpenAI's own names",
       .prompt = "prompt_tokens",
       .completion = "completion_tokens",
       .cached = "prompt_tokens_details/cached_tokens",
       .write = "input_cache_creation",
       .reasoning = "completion_tokens_details/reasoning_tokens",
       .total = "total_tokens",
       .key = "langfuse.observation.usage_details"},
      {.name = "MLflow",
       .prompt = "input_tokens",
       .completion = "output_tokens",
       .cached = "cache_read_input_tokens",
       .write = "cache_creation_input_tokens",
       .reasoning = "",
       .total = "total_tokens",
       .key = "mlflow.chat.tokenUsage"},
      {.name = "Langfuse",
       .prompt = "input",
       .completion = "output",
       .cached = "input_cached_tokens",
       .write = "input_cache_creation",
       .reasoning = "output_reasoning_tokens",
       .total = "total",
       .key = "langfuse.observation.usage_details"},
      {.name = "Langfuse, Anthropic",
       .prompt = "input",
       .completion = "output",
       .cached = "cache_read_input_tokens",
       .write = "input_cache_creation_5m",
       .reasoning = "output_reasoning",
       .total = "total",
       .key = "langfuse.observation.usage_details"},
      {.name = "Langfuse, LangChain",
       .prompt = "input",
       .completion = "output",
       .cached = "input_cache_read",
       .write = "input_cache_creation_1h",
       .reasoning = "output_reasoning",
       .total = "total",
       .key = "langfuse.observation.usage_details"},
  };
}

struct Usage {
  std::int64_t prompt, completion, cached, write, reasoning;
  std::optional<std::int64_t> total = std::nullopt;
};

SpanBuilder With(const Convention& convention, const Usage& usage) {
  SpanBuilder span = Step();
  std::string members;
  std::map<std::string, std::string> nested;
  const auto put = [&](const std::string& name, std::int64_t count) {
    if (name.empty()) return;
    if (convention.key.empty()) {
      span.Set(name, count);
      return;
    }
    const std::size_t slash = name.find('/');
    std::string& into = slash == std::string::npos ? members : nested[name.substr(0, slash)];
    if (!into.empty()) into += ",";
    into += "\"" + name.substr(slash == std::string::npos ? 0 : slash + 1) +
            "\":" + std::to_string(count);
  };
  put(convention.prompt, usage.prompt);
  put(convention.completion, usage.completion);
  put(convention.cached, usage.cached);
  put(convention.write, usage.write);
  put(convention.reasoning, usage.reasoning);
  if (usage.total) put(convention.total, *usage.total);
  for (const auto& [name, inner] : nested) members += ",\"" + name + "\":{" + inner + "}";
  if (!convention.key.empty()) span.Set(convention.key, "{" + members + "}");
  return span;
}

TEST(Tokens, PartsThatExceedTheirWholeAreBesideItInEveryConvention) {
  for (const Convention& c : Conventions()) {
    EXPECT_EQ(
        Counts(
            With(c, {.prompt = 12, .completion = 40, .cached = 1000, .write = 30, .reasoning = 0})),
        "1042/40")
        << c.name;
    if (c.reasoning.empty()) continue;
    EXPECT_EQ(
        Counts(With(c, {.prompt = 12, .completion = 40, .cached = 0, .write = 0, .reasoning = 60})),
        "12/100")
        << c.name;
  }
}

TEST(Tokens, ATotalDecidesInEveryConvention) {
  for (const Convention& c : Conventions()) {
    const Usage usage{.prompt = 100, .completion = 50, .cached = 60, .write = 10, .reasoning = 0};
    const auto with_total = [&](std::int64_t total) {
      Usage u = usage;
      u.total = total;
      return Counts(With(c, u));
    };
    EXPECT_EQ(with_total(150), "100/50") << c.name;
    EXPECT_EQ(with_total(220), "170/50") << c.name;
    EXPECT_EQ(with_total(151), "100/50") << c.name << ": one token of tolerance";
    EXPECT_EQ(with_total(219), "170/50") << c.name;
    if (c.reasoning.empty()) continue;
    const auto with_reasoning = [&](std::int64_t total) {
      return Counts(With(c, {.prompt = 100,
                             .completion = 50,
                             .cached = 60,
                             .write = 10,
                             .reasoning = 20,
                             .total = total}));
    };
    EXPECT_EQ(with_reasoning(150), "100/50") << c.name;
    EXPECT_EQ(with_reasoning(240), "170/70") << c.name;
    EXPECT_EQ(with_reasoning(170), "100/70") << c.name;
    EXPECT_EQ(with_reasoning(220), "170/50") << c.name;
  }
}

TEST(Tokens, WithoutATotalTheConventionDecides) {
  for (const Convention& c : Conventions()) {
    const bool buckets = c.key == "langfuse.observation.usage_details";
    const SpanBuilder span =
        With(c, {.prompt = 100, .completion = 50, .cached = 60, .write = 10, .reasoning = 20});
    const std::string completion = c.reasoning.empty() || !buckets ? "50" : "70";
    EXPECT_EQ(Counts(span), (buckets ? "170/" : "100/") + completion) << c.name;
    // The parts are what they are.
    EXPECT_EQ(Read(span, "cached_tokens"), "60") << c.name;
    EXPECT_EQ(Read(span, "cache_write_tokens"), "10") << c.name;
    if (buckets) {
      EXPECT_THAT(FlagsOf(span), Not(HasSubstr("cache_mode_assumed"))) << c.name;
    } else {
      EXPECT_THAT(FlagsOf(span), HasSubstr("cache_mode_assumed")) << c.name;
    }
    EXPECT_THAT(FlagsOf(With(
                    c, {.prompt = 100, .completion = 50, .cached = 0, .write = 0, .reasoning = 0})),
                Not(HasSubstr("cache_mode_assumed")))
        << c.name << ": without a cache there is nothing to assume";
  }
}

Span Of(const SpanBuilder& builder, std::string name, std::string version) {
  Span span = builder;
  span.scope = std::make_shared<const Scope>(Scope{
      .name = std::move(name), .version = std::move(version), .attributes = {}, .schema_url = {}});
  return span;
}

TEST(Tokens, KnownInstrumentationsLeaveTheCacheOut) {
  const SpanBuilder span = Step()
                               .Set("gen_ai.usage.input_tokens", 100)
                               .Set("gen_ai.usage.output_tokens", 50)
                               .Set("gen_ai.usage.cache_read.input_tokens", 60);
  struct Case {
    std::string scope, version, wanted;
  };
  for (const Case& c :
       std::vector<Case>{{"openinference.instrumentation.anthropic", "0.1.13", "160/50"},
                         {"openinference.instrumentation.anthropic", "0.1.14", "100/50"},
                         {"openinference.instrumentation.anthropic", "1.0.0", "100/50"},
                         {"openinference.instrumentation.anthropic", "", "100/50"},
                         {"openinference.instrumentation.bedrock", "0.1.9", "160/50"},
                         {"openinference.instrumentation.bedrock", "0.1.18", "100/50"},
                         {"opentelemetry.instrumentation.bedrock", "0.40.1", "160/50"},
                         {"opentelemetry.instrumentation.bedrock", "0.62.3", "160/50"},
                         {"opentelemetry.instrumentation.bedrock", "0.63.0", "100/50"},
                         {"opentelemetry.instrumentation.anthropic", "0.40.1", "100/50"},
                         {"ai", "", "100/50"}}) {
    EXPECT_EQ(Counts(Of(span, c.scope, c.version)), c.wanted) << c.scope << " " << c.version;
  }
  // Its total repeats what it counted.
  EXPECT_EQ(Counts(Of(SpanBuilder(span).Set("gen_ai.usage.total_tokens", 150),
                      "opentelemetry.instrumentation.bedrock", "0.62.3")),
            "160/50");
  const SpanBuilder vercel = Step()
                                 .Set("ai.model.provider", "anthropic.messages")
                                 .Set("ai.usage.inputTokens", 100)
                                 .Set("ai.usage.outputTokens", 50)
                                 .Set("ai.usage.cachedInputTokens", 60)
                                 .Set("ai.usage.totalTokens", 150);
  EXPECT_EQ(Counts(Of(vercel, "ai", "")), "160/50") << "version 5";
  EXPECT_EQ(
      Counts(Of(SpanBuilder(vercel).Set("ai.usage.inputTokenDetails.noCacheTokens", 40), "ai", "")),
      "100/50")
      << "version 6";
  EXPECT_EQ(Counts(Of(SpanBuilder(vercel).Set("ai.model.provider", "openai.responses"), "ai", "")),
            "100/50");
}

TEST(Tokens, WhatIsNeitherReadNorWrittenIsOnePartOfThePrompt) {
  EXPECT_EQ(Counts(Step()
                       .Set("ai.usage.inputTokenDetails.noCacheTokens", 5)
                       .Set("ai.usage.inputTokenDetails.cacheReadTokens", 2)
                       .Set("ai.usage.outputTokens", 7)),
            "7/7");
}

TEST(Tokens, WritesOfBothLifetimesAreAddedAndTheirTotalIsNot) {
  const auto write = [](std::string_view json) {
    return Read(Step().Set("gen_ai.usage.input_token_details", json), "cache_write_tokens");
  };
  EXPECT_EQ(
      write(
          R"({"cache_creation":0,"ephemeral_5m_input_tokens":70,"ephemeral_1h_input_tokens":30})"),
      "100");
  EXPECT_EQ(
      write(
          R"({"cache_creation":100,"ephemeral_5m_input_tokens":70,"ephemeral_1h_input_tokens":30})"),
      "100");
  EXPECT_EQ(write(R"({"cache_creation":100})"), "100");
  EXPECT_EQ(write("{'cache_creation': 100, 'cache_read': None}"), "100");
}

TEST(Tokens, CanonicalNamesAreTakenAsTheyStand) {
  EXPECT_EQ(Counts(Step()
                       .Annotate("prompt_tokens", 10)
                       .Annotate("completion_tokens", 5)
                       .Annotate("cached_tokens", 100)
                       .Annotate("reasoning_tokens", 100)),
            "10/5");
}

TEST(Tokens, ConventionsAreNeverAddedAndConflictsAreFlagged) {
  const SpanBuilder span = Step()
                               .Set("gen_ai.usage.input_tokens", 1000)
                               .Set("gen_ai.usage.output_tokens", 10)
                               .Set("llm.token_count.completion", 10);
  const auto with = [&](std::int64_t other) {
    return SpanBuilder(span).Set("llm.token_count.prompt", other);
  };
  EXPECT_EQ(Counts(with(1010)), "1000/10");
  EXPECT_THAT(FlagsOf(with(1010)), Not(HasSubstr("token_conflict"))) << "1 %";
  EXPECT_EQ(Counts(with(1011)), "1000/10");
  EXPECT_THAT(FlagsOf(with(1011)), HasSubstr("token_conflict"));
  EXPECT_THAT(FlagsOf(SpanBuilder(with(1000)).Set("ai.usage.outputTokens", 20)),
              HasSubstr("token_conflict"));
  // One says the whole, one the part beside the cache: they agree.
  EXPECT_THAT(FlagsOf(SpanBuilder(span)
                          .Set("llm.token_count.prompt_details.cache_read", 600)
                          .Set("llm.token_count.prompt", 400)),
              Not(HasSubstr("token_conflict")));
}

TEST(Tokens, WhatIsNoCountIsPassedOverAndFlagged) {
  for (const model::AttributeValue& bad :
       {model::AttributeValue{std::int64_t{-5}}, model::AttributeValue{std::string("many")},
        model::AttributeValue{std::numeric_limits<double>::quiet_NaN()},
        model::AttributeValue{std::numeric_limits<double>::infinity()},
        model::AttributeValue{1e300}, model::AttributeValue{1.5},
        model::AttributeValue{std::int64_t{1} << 60}, model::AttributeValue{true}}) {
    const SpanBuilder span = Step().Set("gen_ai.usage.input_tokens", bad);
    EXPECT_EQ(Counts(span), "-/-");
    EXPECT_THAT(FlagsOf(span), HasSubstr("invalid_tokens"));
    EXPECT_EQ(Counts(SpanBuilder(span).Set("llm.token_count.prompt", 7)), "7/-");
    const SpanBuilder own = Step().Set("prompt_tokens", bad).Set("gen_ai.usage.input_tokens", 9);
    EXPECT_EQ(Counts(own), "9/-");
    EXPECT_THAT(FlagsOf(own), HasSubstr("invalid_tokens"));
  }
  EXPECT_THAT(FlagsOf(Step().Set("gen_ai.usage.input_tokens", "128.0")),
              Not(HasSubstr("invalid_tokens")));
}

}  // namespace
}  // namespace fluoro::genai
