// What the usage that a step states stands for, and why: so that no token is paid for twice.
// The rule: docs/genai.md, "Calls".
#pragma once

#include <cstdint>
#include <string_view>

namespace fluoro::genai {

enum class UsageRole : std::uint8_t {
  kNone,          ///< it states none, or has not ended
  kBillable,      ///< the only role that is ever summed
  kRollup,        ///< repeats the sum of what is below
  kWrapper,       ///< another view of a call that is below
  kEngineShadow,  ///< the inference engine's view of a client's call
};
/// "none", "billable", "rollup", "wrapper", "engine_shadow".
std::string_view UsageRoleName(UsageRole role);

/// Why a step has its role.
enum class UsageReason : std::uint8_t {
  kStated,
  kInProgress,
  kOwnCall,
  kOwnToolCall,
  kOnlyFramework,
  kEngineAlone,
  kRepeatsBelow,
  kTokensOfTools,
  kSameAnswerBelow,
  kSameTokensBelow,
  kSameAnswerBeside,
  kSameTokensBeside,
  kTransparent,
  kEngineBehindClient,
  kRepeatsTool,
  kNoUsage,
};
/// One sentence without its full stop.
std::string_view UsageReasonText(UsageReason reason);

/// Why a call costs nothing, or nothing is known of its cost.
enum class NoBill : std::uint8_t {
  kNone,
  kLocalCacheHit,   ///< answered without the provider
  kThrottled,       ///< refused: 429, 529
  kNotConnected,    ///< never reached the provider
  kNoUsage,         ///< states none: failed before the first token, or is not paid by tokens
  kPossiblyBilled,  ///< failed after the first token, and states no usage
  kUsageMissing,    ///< succeeded, and states no usage
};

}  // namespace fluoro::genai
