// The parser of entries of the price table: what it takes comes back as it was, and prices without
// overflow.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "genai/model_prices.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fluoro::genai;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)ModelNames(text.substr(0, 300));
  auto entry = ParseModelPrice(text, 20'000);
  if (!entry) return 0;
  const auto again = ParseModelPrice(PrintModelPrice(*entry), 0);
  FLUORO_ASSERT(again && *again == *entry);
  std::vector<ModelPrice> entries = {*entry};
  const ModelPrices prices = ModelPrices::With(std::move(entries));
  for (const std::int64_t tokens : {std::int64_t{0}, std::int64_t{250'000}, INT64_MAX / 4}) {
    const Price price = prices.Of({.provider = entry->provider,
                                   .model = entry->match.front(),
                                   .start_ns = std::int64_t{entry->valid_from} * fluoro::kDayNs,
                                   .prompt_tokens = tokens,
                                   .completion_tokens = tokens,
                                   .cached_tokens = tokens / 2,
                                   .engine_ns = tokens,
                                   .milli_units = tokens});
    std::int64_t sum = 0;
    for (const CostLine& line : price.lines) sum += line.nano_usd;
    FLUORO_ASSERT(!price.nano_usd || (*price.nano_usd == sum && sum >= 0));
  }
  return 0;
}
