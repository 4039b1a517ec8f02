// The local rule file of the X-Ray SDKs, versions 1 and 2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace fluoro::sampling {

inline constexpr std::size_t kLocalRulesBytesMax = std::size_t{1} << 20;

struct LocalRule {
  std::string description;
  std::string host;  ///< version 1 calls it service_name
  std::string http_method;
  std::string url_path;
  std::int64_t fixed_target = 0;  ///< requests a second, of each process
  double rate = 0;                ///< 0..1, of what is beyond
  bool operator==(const LocalRule&) const = default;
};
struct LocalRules {
  int version = 2;
  LocalRule fallback;            ///< `default`; its patterns are `*`
  std::vector<LocalRule> rules;  ///< first match in file order
  bool operator==(const LocalRules&) const = default;
};
/// Members that a version does not know are refused, `id` and `description` excepted (the SDKs' own
/// examples have them). Errors: kInvalidArgument naming the member and what is wrong with it, e.g.
/// "rules[1].rate: 1.5 is not between 0 and 1"; kTooLarge beyond kLocalRulesBytesMax.
Result<LocalRules> ParseLocalRules(std::string_view json);

/// Null: `fallback` decides. Points into `rules`. Case-insensitive wildcards as in WildcardMatch.
const LocalRule* FindLocalRule(const LocalRules& rules, std::string_view host,
                               std::string_view http_method, std::string_view url_path);

}  // namespace fluoro::sampling
