// Entries of the price table as JSON.
#include <array>
#include <cmath>

#include "base/json.h"
#include "base/json_tree.h"
#include "genai/model_prices.h"
#include "genai/provider.h"
#include "genai/reading.h"

namespace fluoro::genai {
namespace {

constexpr std::size_t kIdBytesMax = 128;
constexpr std::size_t kMatchesMax = 32;
constexpr std::size_t kTiersMax = 16;
constexpr std::size_t kServiceTiersMax = 8;
constexpr std::size_t kNameBytesMax = 128;
constexpr std::string_view kByTokens = "usd_per_1m_tokens";
constexpr std::string_view kByGpuHour = "usd_per_gpu_hour";

struct TokenMember {
  std::string_view name;
  std::optional<PicoUsd> TokenPrices::* price;
};
constexpr auto kTokenMembers =
    std::to_array<TokenMember>({{"input", &TokenPrices::input},
                                {"output", &TokenPrices::output},
                                {"cache_read", &TokenPrices::cache_read},
                                {"cache_write", &TokenPrices::cache_write},
                                {"cache_write_1h", &TokenPrices::cache_write_1h},
                                {"reasoning", &TokenPrices::reasoning}});

std::unexpected<Error> Bad(const std::string& member, const std::string& wanted) {
  return Fail(ErrorCode::kInvalidArgument, member + ": " + wanted + " wanted");
}

// A decimal as a whole number of 10^-decimals.
Result<std::int64_t> TakeDecimal(JsonView value, const std::string& member, double max,
                                 int decimals) {
  const auto number = value.Double();
  if (!number || !(*number >= 0 && *number <= max))
    return Bad(member, "a number of 0 to " + std::to_string(static_cast<std::int64_t>(max)));
  const double scaled = *number * std::pow(10, decimals);
  const double whole = std::round(scaled);
  if (std::abs(scaled - whole) > 1e-3 && std::abs(scaled - whole) > scaled * 1e-12)
    return Bad(member, "at most " + std::to_string(decimals) + " decimals");
  return static_cast<std::int64_t>(whole);
}

Result<std::string> TakeText(JsonView value, const std::string& member, std::size_t bytes_max) {
  const auto text = value.String();
  if (!text || text->empty() || text->size() > bytes_max)
    return Bad(member, "1 to " + std::to_string(bytes_max) + " characters");
  return std::string(*text);
}

Result<std::vector<std::string>> TakeTexts(JsonView value, const std::string& member,
                                           std::size_t count_max) {
  std::vector<JsonView> elements = value.Elements();
  if (value.String()) elements.push_back(value);
  if (elements.empty() || elements.size() > count_max)
    return Bad(member, "a list of 1 to " + std::to_string(count_max) + " texts");
  std::vector<std::string> texts;
  for (const JsonView& element : elements) {
    FLUORO_TRY(const std::string text, TakeText(element, member, kNameBytesMax));
    texts.push_back(LowerCase(text));
  }
  return texts;
}

Result<Day> TakeDay(JsonView value, const std::string& member) {
  auto day = ParseDay(value.String().value_or(""));
  if (!day) return std::unexpected(std::move(day).error().With(member));
  return *day;
}

// False: no price of a token.
Result<bool> TakeTokenPrice(JsonView::Member member, const std::string& path, TokenPrices& prices) {
  for (const TokenMember& known : kTokenMembers) {
    if (member.key != known.name) continue;
    FLUORO_TRY(prices.*known.price,
               TakeDecimal(member.value, path + std::string(member.key), 1e6, 6));
    return true;
  }
  return false;
}

Result<PriceTier> TakeTier(JsonView value, const std::string& path) {
  if (!value.IsObject()) return Bad(path, "an object");
  PriceTier tier;
  bool has_price = false;
  for (const JsonView::Member& member : value.Members()) {
    if (member.key == "when") continue;
    FLUORO_TRY(const bool is_price, TakeTokenPrice(member, path + ".", tier.prices));
    if (!is_price)
      return Fail(ErrorCode::kInvalidArgument,
                  path + "." + std::string(member.key) + ": unknown member");
    has_price = true;
  }
  if (!has_price) return Bad(path, "a price");
  for (const JsonView::Member& member : value["when"].Members()) {
    const std::string name = path + ".when." + std::string(member.key);
    if (member.key == "prompt_tokens_gt") {
      constexpr std::int64_t kTokensMax = 1'000'000'000'000;
      const auto tokens = member.value.Int();
      if (!tokens || *tokens < 0 || *tokens > kTokensMax) return Bad(name, "a count of tokens");
      tier.prompt_tokens_gt = *tokens;
    } else if (member.key == "service_tier") {
      FLUORO_TRY(tier.service_tiers, TakeTexts(member.value, name, kServiceTiersMax));
    } else {
      return Fail(ErrorCode::kInvalidArgument, name + ": unknown member");
    }
  }
  if (!tier.prompt_tokens_gt && tier.service_tiers.empty())
    return Bad(path + ".when", "prompt_tokens_gt or service_tier");
  return tier;
}

Result<std::vector<PriceTier>> TakeTiers(JsonView value) {
  const std::vector<JsonView> elements = value.Elements();
  if (!value.IsArray() || elements.size() > kTiersMax)
    return Bad("tiers", "a list of at most " + std::to_string(kTiersMax));
  std::vector<PriceTier> tiers;
  for (std::size_t i = 0; i < elements.size(); ++i) {
    FLUORO_TRY(PriceTier tier, TakeTier(elements[i], "tiers[" + std::to_string(i) + "]"));
    tiers.push_back(std::move(tier));
  }
  return tiers;
}

// False: no member of an engine's price.
Result<bool> TakeEngine(JsonView::Member member, EnginePrice& engine) {
  const std::string key(member.key);
  if (key == "usd_per_gpu_hour") {
    FLUORO_TRY(engine.nano_usd_per_gpu_hour, TakeDecimal(member.value, key, 1e4, 9));
  } else if (key == "gpus") {
    FLUORO_TRY(engine.milli_gpus, TakeDecimal(member.value, key, 1e4, 3));
    if (engine.milli_gpus == 0) return Bad(key, "more than 0");
  } else if (key == "mean_batch_occupancy") {
    FLUORO_TRY(engine.milli_occupancy, TakeDecimal(member.value, key, 1e5, 3));
    if (engine.milli_occupancy == 0) return Bad(key, "more than 0");
  } else {
    return false;
  }
  return true;
}

Result<void> TakeMember(const JsonView::Member& member, ModelPrice& price) {
  const std::string key(member.key);
  if (key == "id") {
    FLUORO_TRY(price.id, TakeText(member.value, key, kIdBytesMax));
  } else if (key == "match") {
    FLUORO_TRY(price.match, TakeTexts(member.value, key, kMatchesMax));
  } else if (key == "provider") {
    FLUORO_TRY(const std::string provider, TakeText(member.value, key, 64));
    price.provider = NormaliseProvider(provider);
  } else if (key == "valid_from") {
    FLUORO_TRY(price.valid_from, TakeDay(member.value, key));
  } else if (key == "valid_to") {
    FLUORO_TRY(price.valid_to, TakeDay(member.value, key));
  } else if (key == "per_call") {
    FLUORO_TRY(price.nano_usd_per_call, TakeDecimal(member.value, key, 1e6, 9));
  } else if (key == "per_unit") {
    FLUORO_TRY(price.nano_usd_per_unit, TakeDecimal(member.value, key, 1e6, 9));
  } else if (key == "tiers") {
    FLUORO_TRY(price.tiers, TakeTiers(member.value));
  } else {
    FLUORO_TRY(const bool is_price, TakeTokenPrice(member, "", price.prices));
    if (is_price) return {};
    EnginePrice engine = price.engine.value_or(EnginePrice());
    FLUORO_TRY(const bool is_engine, TakeEngine(member, engine));
    if (!is_engine) return Fail(ErrorCode::kInvalidArgument, key + ": unknown member");
    price.engine = engine;
  }
  return {};
}

Result<void> CheckWhole(const ModelPrice& price, JsonView root) {
  if (price.id.empty()) return Bad("id", "it is");
  if (price.match.empty()) return Bad("match", "a list of names of models");
  if (price.valid_to && *price.valid_to <= price.valid_from)
    return Bad("valid_to", "a date after valid_from");
  const JsonView unit = root["unit"];
  const std::string_view name =
      !unit.exists() || unit.IsNull() ? kByTokens : unit.String().value_or("");
  if (name != kByTokens && name != kByGpuHour)
    return Bad("unit", std::string(kByTokens) + " or " + std::string(kByGpuHour));
  const bool by_tokens = price.prices != TokenPrices();
  const bool has_other =
      by_tokens || price.nano_usd_per_call || price.nano_usd_per_unit || !price.tiers.empty();
  if (name == kByGpuHour) {
    if (!root["usd_per_gpu_hour"].exists()) return Bad("usd_per_gpu_hour", "it is");
    if (has_other) return Bad("unit", "no other prices beside those of an engine's time");
    return {};
  }
  if (price.engine) return Bad("unit", std::string(kByGpuHour));
  if (!has_other) return Bad("input", "a price (input, output, per_call or per_unit)");
  if (by_tokens && !price.prices.input && !price.nano_usd_per_call && !price.nano_usd_per_unit)
    return Bad("input", "it is");
  if (!price.tiers.empty() && !price.prices.input) return Bad("input", "it is, beside tiers");
  return {};
}

// Billionths, and millionths of a price per million tokens, as exact decimals.
void WriteNano(JsonWriter& out, std::string_view key, std::int64_t nano_usd) {
  out.Key(key).Seconds(nano_usd);
}
void WriteTokenPrices(JsonWriter& out, const TokenPrices& prices) {
  for (const TokenMember& member : kTokenMembers) {
    if (const auto& price = prices.*member.price) WriteNano(out, member.name, *price * 1'000);
  }
}
void WriteTexts(JsonWriter& out, std::string_view key, const std::vector<std::string>& texts) {
  out.Key(key).BeginArray();
  for (const std::string& text : texts) out.String(text);
  out.EndArray();
}

}  // namespace

Result<ModelPrice> ParseModelPrice(std::string_view json, Day today) {
  const auto tree = JsonTree::Parse(json, {.depth_max = 6, .values_max = 1'000});
  if (!tree) return Fail(ErrorCode::kInvalidArgument, "model price: " + tree.error().message);
  const JsonView root = tree->root();
  if (!root.IsObject()) return Bad("model price", "an object");
  ModelPrice price;
  price.valid_from = today;
  for (const JsonView::Member& member : root.Members()) {
    if (member.value.IsNull() || member.key == "unit") continue;
    FLUORO_CHECK_OK(TakeMember(member, price));
  }
  FLUORO_CHECK_OK(CheckWhole(price, root));
  return price;
}

std::string PrintModelPrice(const ModelPrice& price) {
  JsonWriter out;
  out.BeginObject().Key("id").String(price.id);
  WriteTexts(out, "match", price.match);
  if (!price.provider.empty()) out.Key("provider").String(price.provider);
  out.Key("valid_from").String(DayText(price.valid_from));
  if (price.valid_to) out.Key("valid_to").String(DayText(*price.valid_to));
  out.Key("unit").String(price.engine ? kByGpuHour : kByTokens);
  WriteTokenPrices(out, price.prices);
  if (price.nano_usd_per_call) WriteNano(out, "per_call", *price.nano_usd_per_call);
  if (price.nano_usd_per_unit) WriteNano(out, "per_unit", *price.nano_usd_per_unit);
  if (!price.tiers.empty()) {
    out.Key("tiers").BeginArray();
    for (const PriceTier& tier : price.tiers) {
      out.BeginObject().Key("when").BeginObject();
      if (tier.prompt_tokens_gt) out.Key("prompt_tokens_gt").Int(*tier.prompt_tokens_gt);
      if (!tier.service_tiers.empty()) WriteTexts(out, "service_tier", tier.service_tiers);
      out.EndObject();
      WriteTokenPrices(out, tier.prices);
      out.EndObject();
    }
    out.EndArray();
  }
  if (price.engine) {
    WriteNano(out, "usd_per_gpu_hour", price.engine->nano_usd_per_gpu_hour);
    WriteNano(out, "gpus", price.engine->milli_gpus * 1'000'000);
    WriteNano(out, "mean_batch_occupancy", price.engine->milli_occupancy * 1'000'000);
  }
  out.EndObject();
  return out.Take();
}

std::string TierText(const PriceTier& tier) {
  std::string text;
  if (tier.prompt_tokens_gt) text = "prompt_tokens > " + std::to_string(*tier.prompt_tokens_gt);
  for (std::size_t i = 0; i < tier.service_tiers.size(); ++i) {
    text += i > 0 ? "|" : text.empty() ? "service_tier = " : ", service_tier = ";
    text += tier.service_tiers[i];
  }
  return text;
}

}  // namespace fluoro::genai
