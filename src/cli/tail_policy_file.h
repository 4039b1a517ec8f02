// Files of tail policies and head rules, as `fluoro serve --tail-policy`, `fluoro whatif` and
// `fluoro rules` take them.
#pragma once

#include <string>

#include "base/error.h"
#include "sampling/rule_file.h"
#include "sampling/tail_policy.h"

namespace fluoro::cli {

/// JSON, or TOML of the same members where the name ends in `.toml`: docs/sampling.md. Errors:
/// kInvalidArgument, kTooLarge, kNotFound, kIo, each naming the file.
Result<sampling::TailPolicies> ReadTailPolicyFile(const std::string& path);
/// The same with both parts.
Result<sampling::RuleFile> ReadRuleFile(const std::string& path);

}  // namespace fluoro::cli
