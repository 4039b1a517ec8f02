// Checking local rule files of the X-Ray SDKs: `fluoro sampling check`, `fluoro rules check`.
#pragma once

#include <string>
#include <string_view>

namespace fluoro::cli {

/// It has a member "version", which the files of `fluoro rules` have not.
bool IsLocalRuleFile(std::string_view json);
/// Prints what the file says or what is wrong with it; the exit code.
int CheckLocalRules(const std::string& path, bool json);

}  // namespace fluoro::cli
