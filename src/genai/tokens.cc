#include "genai/tokens.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "genai/step.h"

namespace fluoro::genai {
namespace {

using model::Span;

std::optional<std::int64_t> CountIn(const Value& value) {
  const std::int64_t* count = value ? value->AsInt() : nullptr;
  return count == nullptr ? std::nullopt : std::optional(*count);
}

// As stated by any source, before it is known what the number includes.
struct Raw {
  std::optional<std::int64_t> count;
  const Source* source = nullptr;
};

Raw RawCount(const Span& span, std::string_view name) {
  if (const model::AttributeValue* own = FindAny(span, name)) {
    if (const auto count = CountIn(Coerce(*own, Form::kCount))) return {.count = count};
  }
  for (const Source& source : FieldNamed(name).sources) {
    if (const auto count = CountIn(ReadSource(span, source, Form::kCount))) {
      return {.count = count, .source = &source};
    }
  }
  return {};
}

// Conventions that state a total, and how. A total of the counts' own convention tells most.
struct Total {
  std::string_view family;  ///< beginning of the keys of its counts
  Source source;
};
constexpr auto kTotals = std::to_array<Total>(
    {{"gen_ai.usage.", {"gen_ai.usage.total_tokens"}},
     {"llm.token_count.", {"llm.token_count.total"}},
     {"ai.usage.", {"ai.usage.totalTokens"}},
     {"langfuse.observation.usage_details",
      {"langfuse.observation.usage_details", Reading::kMember, "total"}},
     {"langfuse.observation.usage_details",
      {"langfuse.observation.usage_details", Reading::kMember, "total_tokens"}},
     {"langsmith.usage_metadata", {"langsmith.usage_metadata", Reading::kMember, "total_tokens"}},
     {"langsmith.metadata.usage_metadata",
      {"langsmith.metadata.usage_metadata", Reading::kMember, "total_tokens"}},
     {"llm.usage.", {"llm.usage.total_tokens"}},
     {"mlflow.chat.tokenUsage", {"mlflow.chat.tokenUsage", Reading::kMember, "total_tokens"}}});

std::optional<std::int64_t> StatedTotal(const Span& span, const Source* prompt) {
  std::optional<std::int64_t> any;
  for (const Total& total : kTotals) {
    const auto count = CountIn(ReadSource(span, total.source, Form::kCount));
    if (!count) continue;
    if (prompt != nullptr && prompt->key.starts_with(total.family)) return count;
    if (!any) any = count;
  }
  return any;
}

// ---- What is known of instrumentations ----

// Version 5 of the SDK passed on what Anthropic and Bedrock count; version 6 tells the parts.
bool IsVercelWithoutDetails(const Span& span) {
  const std::string provider = LowerCase(TextAt(span, "ai.model.provider"));
  return !HasPrefix(span, "ai.usage.inputTokenDetails.") &&
         (provider.starts_with("anthropic") || provider.starts_with("amazon-bedrock"));
}

/// Those that state the prompt without the cache, by name of their scope. Only versions of which
/// this is known; newer ones are taken as the others.
struct Emitter {
  std::string_view scope;
  std::string_view before;  ///< first version that includes it; "": any
  /// Its total is the sum of what it states, and tells nothing.
  bool total_repeats = true;
  bool (*when)(const Span&) = nullptr;
};
constexpr auto kWithoutCache = std::to_array<Emitter>({
    {.scope = "openinference.instrumentation.anthropic", .before = "0.1.14"},
    {.scope = "openinference.instrumentation.bedrock", .before = "0.1.18"},
    {.scope = "opentelemetry.instrumentation.bedrock", .before = "0.62.4"},
    {.scope = "ai", .before = "", .when = IsVercelWithoutDetails},
});

// "0.9.1" < "0.10"; what is no number ends a version.
bool IsBefore(std::string_view version, std::string_view other) {
  while (!other.empty()) {
    std::uint32_t left = 0;
    std::uint32_t right = 0;
    const auto take = [](std::string_view& text, std::uint32_t& number) {
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      text.remove_prefix(static_cast<std::size_t>(end - text.data()));
      if (text.starts_with('.')) text.remove_prefix(1);
      if (error != std::errc()) text = {};
    };
    take(version, left);
    take(other, right);
    if (left != right) return left < right;
  }
  return false;
}

const Emitter* KnownEmitter(const Span& span) {
  if (span.scope == nullptr) return nullptr;
  for (const Emitter& emitter : kWithoutCache) {
    if (emitter.scope != span.scope->name) continue;
    if (!emitter.before.empty() &&
        (span.scope->version.empty() || !IsBefore(span.scope->version, emitter.before))) {
      continue;
    }
    if (emitter.when == nullptr || emitter.when(span)) return &emitter;
  }
  return nullptr;
}

// Sources that are parts beside the cache and beside the reasoning.
bool IsBucket(const Source* source) {
  return source != nullptr && (source->key == "langfuse.observation.usage_details" ||
                               source->key == "ai.usage.inputTokenDetails.noCacheTokens");
}

bool IsNear(std::int64_t a, std::int64_t b) {
  constexpr double kShare = 0.01;
  return std::abs(static_cast<double>(a) - static_cast<double>(b)) <=
         kShare * static_cast<double>(std::max(a, b));
}

// Another source may state the same number without a part that the winner includes.
bool Conflicts(const Span& span, std::string_view name, std::int64_t part) {
  const Raw first = RawCount(span, name);
  if (!first.count || first.source == nullptr) return false;
  const auto whole = CountIn(CanonicalField(span, name));
  for (const Source& source : FieldNamed(name).sources) {
    const auto other = CountIn(ReadSource(span, source, Form::kCount));
    if (!other || IsNear(*other, *first.count)) continue;
    if (whole && (IsNear(*other, *whole) || IsNear(*other + part, *whole))) continue;
    return true;
  }
  return false;
}

}  // namespace

std::int64_t CacheTokens(const Span& span) {
  return CountIn(CanonicalField(span, "cached_tokens")).value_or(0) +
         CountIn(CanonicalField(span, "cache_write_tokens")).value_or(0);
}

Inclusion InclusionOf(const Span& span) {
  const Raw prompt = RawCount(span, "prompt_tokens");
  const Raw completion = RawCount(span, "completion_tokens");
  const std::int64_t cache = prompt.count ? CacheTokens(span) : 0;
  const std::int64_t reasoning =
      completion.count ? CountIn(CanonicalField(span, "reasoning_tokens")).value_or(0) : 0;
  const std::int64_t in = prompt.count.value_or(0);
  const std::int64_t out = completion.count.value_or(0);
  // A count under its canonical name is taken as it stands.
  const bool prompt_open = prompt.source != nullptr && cache > 0;
  const bool completion_open = completion.source != nullptr && reasoning > 0;

  Inclusion result;
  result.without_cache = prompt_open && cache > in;
  result.without_reasoning = completion_open && reasoning > out;
  const bool prompt_known = !prompt_open || result.without_cache;
  const bool completion_known = !completion_open || result.without_reasoning;
  if (prompt_known && completion_known) return result;

  const Emitter* emitter = KnownEmitter(span);
  const bool total_tells = emitter == nullptr || !emitter->total_repeats;
  if (const auto total = total_tells ? StatedTotal(span, prompt.source) : std::nullopt) {
    constexpr std::int64_t kTolerance = 1;
    for (const auto& [without_cache, without_reasoning] :
         {std::pair{false, false}, {true, true}, {false, true}, {true, false}}) {
      if (prompt_known && without_cache != result.without_cache) continue;
      if (completion_known && without_reasoning != result.without_reasoning) continue;
      const std::int64_t sum =
          in + out + (without_cache ? cache : 0) + (without_reasoning ? reasoning : 0);
      if (std::abs(sum - *total) > kTolerance) continue;
      result.without_cache = without_cache;
      result.without_reasoning = without_reasoning;
      return result;
    }
  }
  if (!completion_known) result.without_reasoning = IsBucket(completion.source);
  if (!prompt_known) {
    result.without_cache = IsBucket(prompt.source) || emitter != nullptr;
    result.assumed = !result.without_cache;
  }
  return result;
}

bool HasTokenConflict(const Span& span) {
  const std::int64_t reasoning = CountIn(CanonicalField(span, "reasoning_tokens")).value_or(0);
  return Conflicts(span, "prompt_tokens", CacheTokens(span)) ||
         Conflicts(span, "completion_tokens", reasoning) || Conflicts(span, "cached_tokens", 0) ||
         Conflicts(span, "cache_write_tokens", 0) || Conflicts(span, "reasoning_tokens", 0);
}

bool HasBadTokenCount(const Span& span) {
  for (const std::string_view name : {"prompt_tokens", "completion_tokens", "cached_tokens",
                                      "cache_write_tokens", "reasoning_tokens"}) {
    const auto bad = [&](std::string_view key) {
      const model::AttributeValue* value = FindAny(span, key);
      return value != nullptr && value->type() != model::AttributeType::kNull &&
             !Coerce(*value, Form::kCount);
    };
    if (bad(name)) return true;
    for (const Source& source : FieldNamed(name).sources) {
      if (source.reading == Reading::kValue && bad(source.key)) return true;
    }
  }
  return false;
}

}  // namespace fluoro::genai
