// Files of tail policies, as `fluoro serve --tail-policy` and `fluoro whatif` take them.
#pragma once

#include <string>

#include "base/error.h"
#include "sampling/tail_policy.h"

namespace fluoro::cli {

/// JSON, or TOML of the same members where the name ends in `.toml`: docs/sampling.md. Errors:
/// kInvalidArgument, kTooLarge, kNotFound, kIo, each naming the file.
Result<sampling::TailPolicies> ReadTailPolicyFile(const std::string& path);

}  // namespace fluoro::cli
