// Local rule files; and the wildcard matcher on what they hold.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "sampling/local_rules.h"
#include "sampling/rule.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto rules = fluoro::sampling::ParseLocalRules(text);
  if (!rules) {
    FLUORO_ASSERT(!rules.error().message.empty());
    return 0;
  }
  for (const auto& rule : rules->rules) {
    FLUORO_ASSERT(rule.rate >= 0 && rule.rate <= 1 && rule.fixed_target >= 0);
    FLUORO_ASSERT(fluoro::sampling::WildcardMatch("*", rule.url_path));
    fluoro::sampling::FindLocalRule(*rules, rule.url_path, rule.host, rule.http_method);
  }
  return 0;
}
