#include "genai/model_prices.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "base/assert.h"
#include "base/json_tree.h"
#include "genai/built_in_model_prices.h"
#include "genai/reading.h"

namespace fluoro::genai {
namespace {

__extension__ using Wide = __int128;

// Of one call. What is more is a mistake of units, or of tokens.
constexpr std::int64_t kNanoUsdMax = 1'000'000'000'000'000;

struct VendorPrefix {
  std::string_view prefix;
  std::string_view vendor;  ///< "": says nothing of who made the model
};
constexpr auto kPrefixes = std::to_array<VendorPrefix>({
    {"models/", ""},
    {"openai/", "openai"},
    {"anthropic/", "anthropic"},
    {"bedrock/", ""},
    {"converse/", ""},
    {"azure/", ""},
    {"azure_ai/", ""},
    {"vertex_ai/", ""},
    {"openrouter/", ""},
    {"gemini/", "google"},
    {"google/", "google"},
    {"groq/", "groq"},
    {"together_ai/", "together"},
    {"us.", ""},
    {"eu.", ""},
    {"apac.", ""},
    {"global.", ""},
    {"us-gov.", ""},
    {"jp.", ""},
    {"au.", ""},
    {"ca.", ""},
    {"anthropic.", "anthropic"},
    {"openai.", "openai"},
    {"meta.", ""},
    {"amazon.", ""},
    {"cohere.", ""},
    {"mistral.", ""},
    {"ai21.", ""},
    {"deepseek.", ""},
    {"google.", "google"},
});

// Who serves models of whom at the vendor's list prices, where nobody says otherwise.
struct Host {
  std::string_view provider, vendor;
};
constexpr auto kHosts = std::to_array<Host>({{"azure_openai", "openai"},
                                             {"azure_inference", "openai"},
                                             {"aws_bedrock", "anthropic"},
                                             {"google_vertex", "anthropic"},
                                             {"openrouter", "openai"},
                                             {"openrouter", "anthropic"},
                                             {"openrouter", "google"}});

bool IsSameProvider(std::string_view entry, std::string_view provider) {
  return entry == provider ||
         (entry == "google" && (provider == "google_gemini" || provider == "google_vertex"));
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// `text` ends with this form, in which 0 stands for a digit.
bool EndsLike(std::string_view text, std::string_view form) {
  if (text.size() <= form.size()) return false;
  text.remove_prefix(text.size() - form.size());
  return std::ranges::equal(text, form,
                            [](char c, char f) { return f == '0' ? IsDigit(c) : c == f; });
}

// Length of the date or version at the end; 0 if there is none.
std::size_t SuffixBytes(std::string_view name) {
  for (const std::string_view form :
       {"-00000000", "@00000000", "-0000-00-00", ":latest", "-latest", "-v0:0", "-v00:0"}) {
    if (EndsLike(name, form)) return form.size();
  }
  return 0;
}

// Length of the prefix of a gateway, region or vendor; 0 if there is none.
std::size_t PrefixBytes(std::string_view name, std::string_view* vendor) {
  if (name.starts_with("arn:")) return name.rfind('/') + 1;  // npos + 1: 0
  constexpr std::string_view kModels = "/models/";
  if (const std::size_t at = name.rfind(kModels); at != std::string_view::npos)
    return at + kModels.size();
  for (const VendorPrefix& known : kPrefixes) {
    if (!name.starts_with(known.prefix) || name.size() == known.prefix.size()) continue;
    if (vendor != nullptr && vendor->empty()) *vendor = known.vendor;
    return known.prefix.size();
  }
  return 0;
}

// Who made the model, where a prefix of its name says so.
std::string_view VendorOf(std::string_view lower_name) {
  std::string_view vendor;
  while (vendor.empty()) {
    const std::size_t bytes = PrefixBytes(lower_name, &vendor);
    if (bytes == 0) break;
    lower_name.remove_prefix(bytes);
  }
  return vendor;
}

bool MatchesGlob(std::string_view text, std::string_view glob) {
  std::size_t t = 0;
  std::size_t g = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_text = 0;
  while (t < text.size()) {
    if (g < glob.size() && glob[g] == '*') {
      star = g++;
      star_text = t;
    } else if (g < glob.size() && glob[g] == text[t]) {
      ++g;
      ++t;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

enum class Holds : std::uint8_t { kNo, kYes, kPerhaps };

// Whether the prompt of a call, or of each call of a sum, is larger.
Holds PromptIsLarger(const UsageToPrice& usage, std::int64_t tokens) {
  if (!usage.prompt_class) return usage.prompt_tokens > tokens ? Holds::kYes : Holds::kNo;
  const std::size_t place = *usage.prompt_class;
  const bool all = place > 0 && kPromptClassBounds.at(place - 1) >= tokens;
  const bool none = place < kPromptClassBounds.size() && kPromptClassBounds.at(place) <= tokens;
  return all ? Holds::kYes : none ? Holds::kNo : Holds::kPerhaps;
}

// Of the tiers that hold, that with the most conditions, then that of the largest prompts.
const PriceTier* TierOf(const ModelPrice& entry, const UsageToPrice& usage, std::uint32_t& flags) {
  const PriceTier* best = nullptr;
  const auto rank = [](const PriceTier& tier) {
    return std::tuple((tier.prompt_tokens_gt ? 1 : 0) + (tier.service_tiers.empty() ? 0 : 1),
                      tier.prompt_tokens_gt.value_or(-1));
  };
  for (const PriceTier& tier : entry.tiers) {
    const bool served =
        tier.service_tiers.empty() ||
        std::ranges::find(tier.service_tiers, usage.service_tier) != tier.service_tiers.end();
    if (!served) continue;
    if (tier.prompt_tokens_gt) {
      Holds holds = PromptIsLarger(usage, *tier.prompt_tokens_gt);
      if (holds == Holds::kPerhaps) {
        flags |= kTierEstimated;
        const std::int64_t mean = usage.prompt_tokens / std::max<std::int64_t>(usage.calls, 1);
        holds = mean > *tier.prompt_tokens_gt ? Holds::kYes : Holds::kNo;
      }
      if (holds == Holds::kNo) continue;
    }
    if (best == nullptr || rank(tier) > rank(*best)) best = &tier;
  }
  const bool tier_priced = best != nullptr && !best->service_tiers.empty();
  if (!usage.service_tier.empty() && !tier_priced) flags |= kTierUnknown;
  return best;
}

TokenPrices Effective(const TokenPrices& base, const PriceTier* tier) {
  TokenPrices prices = base;
  if (tier != nullptr) {
    for (const auto price :
         {&TokenPrices::input, &TokenPrices::output, &TokenPrices::cache_read,
          &TokenPrices::cache_write, &TokenPrices::cache_write_1h, &TokenPrices::reasoning}) {
      if (tier->prices.*price) prices.*price = tier->prices.*price;
    }
  }
  const auto or_else = [](std::optional<PicoUsd>& price, const std::optional<PicoUsd>& other) {
    if (!price) price = other;
  };
  or_else(prices.cache_read, prices.input);
  or_else(prices.cache_write, prices.input);
  or_else(prices.cache_write_1h, prices.cache_write);
  return prices;
}

// Sums the lines of one bill; half a billionth rounds up.
class Bill {
 public:
  Bill(Price& price, std::int64_t calls) : price_(price), calls_(calls) {}

  void Tokens(CostPart part, std::int64_t tokens, const std::optional<PicoUsd>& price) {
    if (tokens <= 0) return;
    if (!price) {
      known_ = false;
    } else {
      Add(part, tokens, *price, Wide{tokens} * *price, 1'000);
    }
  }
  void Add(CostPart part, std::int64_t quantity, PicoUsd price, Wide product, Wide divisor) {
    const Wide nano = (product + divisor / 2) / divisor;
    total_ += nano;
    if (total_ > Wide{kNanoUsdMax} * std::max<std::int64_t>(calls_, 1) || total_ > INT64_MAX / 4) {
      absurd_ = true;
      return;
    }
    price_.lines.push_back({.part = part,
                            .quantity = quantity,
                            .price = price,
                            .nano_usd = static_cast<std::int64_t>(nano)});
  }
  void Close() {
    if (absurd_) price_.flags |= kAbsurd;
    if (!known_ || absurd_) {
      price_.lines.clear();
    } else {
      price_.nano_usd = static_cast<std::int64_t>(total_);
    }
  }
  void Unknown() { known_ = false; }

 private:
  Price& price_;
  std::int64_t calls_;
  Wide total_ = 0;
  bool known_ = true;
  bool absurd_ = false;
};

void AddTokens(const TokenPrices& prices, const UsageToPrice& usage, Bill& bill) {
  const auto up_to = [](std::int64_t part, std::int64_t whole) {
    return std::clamp<std::int64_t>(part, 0, std::max<std::int64_t>(whole, 0));
  };
  const std::int64_t cached = up_to(usage.cached_tokens, usage.prompt_tokens);
  const std::int64_t written = up_to(usage.cache_write_tokens, usage.prompt_tokens - cached);
  const std::int64_t for_an_hour = up_to(usage.cache_write_1h_tokens, written);
  const std::int64_t reasoning =
      prices.reasoning ? up_to(usage.reasoning_tokens, usage.completion_tokens) : 0;
  bill.Tokens(CostPart::kInput, usage.prompt_tokens - cached - written, prices.input);
  bill.Tokens(CostPart::kCached, cached, prices.cache_read);
  bill.Tokens(CostPart::kCacheWrite, written - for_an_hour, prices.cache_write);
  bill.Tokens(CostPart::kCacheWrite1h, for_an_hour, prices.cache_write_1h);
  bill.Tokens(CostPart::kOutput, usage.completion_tokens - reasoning, prices.output);
  bill.Tokens(CostPart::kReasoning, reasoning, prices.reasoning);
}

void AddEngine(const EnginePrice& engine, const UsageToPrice& usage, Price& price, Bill& bill) {
  if (usage.engine_ns <= 0) {
    price.flags |= kNoEngineTime;
    bill.Unknown();
    return;
  }
  constexpr Wide kHourNs = 3'600'000'000'000;
  constexpr std::int64_t kEngineNsMax = 1'000'000'000'000'000'000;  // so that the product fits
  const std::int64_t ns = std::min(usage.engine_ns, kEngineNsMax);
  bill.Add(CostPart::kEngineTime, ns, 0,
           Wide{ns} * engine.milli_gpus * engine.nano_usd_per_gpu_hour,
           kHourNs * engine.milli_occupancy);
}

}  // namespace

std::vector<std::string> ModelNames(std::string_view model) {
  std::vector<std::string> names = {LowerCase(model)};
  for (;;) {
    const std::size_t bytes = PrefixBytes(names.back(), nullptr);
    if (bytes == 0 || bytes >= names.back().size()) break;
    names.push_back(names.back().substr(bytes));
  }
  for (;;) {
    const std::size_t bytes = SuffixBytes(names.back());
    if (bytes == 0) break;
    names.push_back(names.back().substr(0, names.back().size() - bytes));
  }
  return names;
}

std::string_view CostPartName(CostPart part) {
  static constexpr auto kNames =
      std::to_array<std::string_view>({"input", "cached", "cache_write", "cache_write_1h", "output",
                                       "reasoning", "calls", "units", "engine_time"});
  return kNames.at(static_cast<std::size_t>(part));
}

std::vector<std::string_view> PriceFlagNames(std::uint32_t flags) {
  static constexpr auto kNames = std::to_array<std::string_view>(
      {"cost_mismatch", "usage_missing", "possibly_billed", "provider_assumed",
       "price_newer_than_call", "service_tier_unknown", "tier_estimated", "no_engine_time",
       "no_billed_units", "absurd_usage", "other_currency"});
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if ((flags & (1U << i)) != 0) names.push_back(kNames.at(i));
  }
  return names;
}

UsageToPrice UsageOf(const Call& call) {
  return {.kind = call.kind,
          .provider = call.provider,
          .model = call.model,
          .asked_model = call.asked_model,
          .tool = call.tool,
          .service_tier = call.service_tier,
          .start_ns = call.start_ns,
          .prompt_tokens = call.prompt_tokens,
          .completion_tokens = call.completion_tokens,
          .cached_tokens = call.cached_tokens,
          .cache_write_tokens = call.cache_write_tokens,
          .cache_write_1h_tokens = call.cache_write_1h_tokens,
          .reasoning_tokens = call.reasoning_tokens,
          .engine_ns = call.engine_ns,
          .milli_units = call.milli_units};
}

ModelPrices ModelPrices::With(std::vector<ModelPrice> entries) {
  ModelPrices table;
  const bool is_built_in = !entries.empty() && entries.front().built_in;
  if (!is_built_in) table.entries_ = BuiltIn().entries_;
  std::ranges::move(entries, std::back_inserter(table.entries_));
  const auto key = [](const ModelPrice& entry) { return std::tie(entry.id, entry.valid_from); };
  std::ranges::stable_sort(table.entries_, {}, key);
  // Of one id and day the last stands; each holds until the next.
  std::vector<ModelPrice> standing;
  for (ModelPrice& entry : table.entries_) {
    if (!standing.empty() && key(standing.back()) == key(entry)) standing.pop_back();
    if (!standing.empty() && standing.back().id == entry.id) {
      Day& until =
          standing.back().valid_to.emplace(standing.back().valid_to.value_or(entry.valid_from));
      until = std::min(until, entry.valid_from);
    }
    table.date_ = std::max(table.date_, entry.valid_from);
    standing.push_back(std::move(entry));
  }
  table.entries_ = std::move(standing);
  for (std::uint32_t i = 0; i < table.entries_.size(); ++i) {
    for (const std::string& name : table.entries_[i].match) {
      if (name.find('*') == std::string::npos) {
        table.by_name_[name].push_back(i);
      } else {
        const auto letters =
            static_cast<std::size_t>(std::ranges::count_if(name, [](char c) { return c != '*'; }));
        table.globs_.push_back({.pattern = name, .letters = letters, .entry = i});
      }
    }
  }
  std::ranges::stable_sort(table.globs_, std::ranges::greater(), &Glob::letters);
  return table;
}

const ModelPrices& ModelPrices::BuiltIn() {
  static const ModelPrices kTable = [] {
    std::vector<ModelPrice> entries;
    std::string_view text = kBuiltInModelPrices;
    text.remove_prefix(text.find('\n') + 1);  // of the table itself
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      if (end > 0) {
        auto entry = ParseModelPrice(text.substr(0, end), 0);
        FLUORO_ASSERT(entry);
        entry->built_in = true;
        entries.push_back(*std::move(entry));
      }
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    return With(std::move(entries));
  }();
  return kTable;
}

Day ModelPrices::BuiltInDate() { return BuiltIn().date(); }

// 0: it does not hold for this call. Else more is better: an entry of that day before a later one,
// one of the provider before one of any before that of the model's vendor.
int ModelPrices::RankOf(const ModelPrice& entry, std::string_view provider, std::string_view vendor,
                        Day day) const {
  int rank = 0;
  if (entry.provider.empty()) {
    rank = 2;
  } else if (IsSameProvider(entry.provider, provider)) {
    rank = 3;
  } else if (provider.empty()
                 ? vendor.empty() || vendor == entry.provider
                 : vendor == entry.provider || std::ranges::any_of(kHosts, [&](const Host& host) {
                     return host.provider == provider && host.vendor == entry.provider;
                   })) {
    rank = 1;
  } else {
    return 0;
  }
  if (entry.valid_to && day >= *entry.valid_to) return 0;
  if (day >= entry.valid_from) return rank + 3;
  // The built-in table is as old as its copy, not as its prices; what came before is not known.
  const bool is_first = &entry == entries_.data() || (&entry - 1)->id != entry.id;
  return entry.built_in && is_first ? rank : 0;
}

const ModelPrice* ModelPrices::Find(std::string_view provider, std::string_view model, Day day,
                                    std::uint32_t& flags) const {
  const std::vector<std::string> names = ModelNames(model);
  const std::string_view vendor = VendorOf(names.front());
  const ModelPrice* best = nullptr;
  int best_rank = 0;
  const auto consider = [&](const ModelPrice& entry) {
    const int rank = RankOf(entry, provider, vendor, day);
    if (rank == 0) return;
    const auto key = [](int of_rank, const ModelPrice& of) {
      return std::tuple(of_rank, !of.built_in, of.valid_from);
    };
    if (best != nullptr && key(rank, entry) <= key(best_rank, *best)) return;
    best = &entry;
    best_rank = rank;
  };
  for (auto name = names.begin(); name != names.end() && best == nullptr; ++name) {
    if (const auto at = by_name_.find(*name); at != by_name_.end())
      for (const std::uint32_t place : at->second) consider(entries_[place]);
  }
  const bool by_glob = best == nullptr;
  std::size_t letters = 0;
  for (const Glob& glob : globs_) {
    if (!by_glob || (best != nullptr && glob.letters < letters)) break;
    const bool matches = std::ranges::any_of(
        names, [&](const std::string& name) { return MatchesGlob(name, glob.pattern); });
    if (!matches) continue;
    consider(entries_[glob.entry]);
    letters = glob.letters;
  }
  if (best == nullptr) return nullptr;
  if (best_rank % 3 == 1) flags |= kProviderAssumed;
  if (best_rank <= 3) flags |= kPriceIsLater;
  return best;
}

ModelPrices::Found ModelPrices::Find(const UsageToPrice& usage) const {
  const Day day = DayOf(usage.start_ns);
  Found found;
  for (const std::string_view name :
       {usage.kind == StepKind::kTool ? usage.tool : usage.model, usage.asked_model}) {
    if (name.empty() || found.entry != nullptr) continue;
    found.flags = 0;
    found.entry = Find(usage.provider, name, day, found.flags);
  }
  return found;
}

Price ModelPrices::Of(const UsageToPrice& usage, const Found& found) {
  const bool is_tool = usage.kind == StepKind::kTool;
  Price price;
  price.entry = found.entry;
  price.flags = found.flags;
  if (price.entry == nullptr) return price;
  const ModelPrice& entry = *price.entry;
  if (is_tool && !entry.nano_usd_per_call && !entry.nano_usd_per_unit) return {};
  Bill bill(price, usage.calls);
  if (entry.engine) {
    AddEngine(*entry.engine, usage, price, bill);
  } else if (entry.prices.input && !is_tool) {
    price.tier = TierOf(entry, usage, price.flags);
    AddTokens(Effective(entry.prices, price.tier), usage, bill);
  }
  if (entry.nano_usd_per_call)
    bill.Add(CostPart::kCalls, usage.calls, *entry.nano_usd_per_call * 1'000,
             Wide{usage.calls} * *entry.nano_usd_per_call, 1);
  if (entry.nano_usd_per_unit) {
    if (usage.milli_units <= 0) {
      price.flags |= kNoUnits;
      bill.Unknown();
    } else {
      bill.Add(CostPart::kUnits, usage.milli_units, *entry.nano_usd_per_unit * 1'000,
               Wide{usage.milli_units} * *entry.nano_usd_per_unit, 1'000);
    }
  }
  bill.Close();
  return price;
}

}  // namespace fluoro::genai
