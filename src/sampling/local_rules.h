// The local rule file of the X-Ray SDKs, versions 1 and 2.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace fluoro::sampling {

struct LocalRule {
  std::string description, host, http_method, url_path;
  std::int64_t fixed_target = 0;
  double rate = 0;
};
struct LocalRules {
  int version = 2;
  LocalRule fallback;            ///< `default`
  std::vector<LocalRule> rules;  ///< first match in file order
};
/// Errors: kInvalidArgument naming the member and what is wrong with it, e.g. "rules[1].rate: 1.5
/// is not between 0 and 1".
Result<LocalRules> ParseLocalRules(std::string_view json);

}  // namespace fluoro::sampling
