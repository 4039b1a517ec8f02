#include "genai/usage.h"

namespace fluoro::genai {

std::string_view UsageRoleName(UsageRole role) {
  switch (role) {
    case UsageRole::kBillable:
      return "billable";
    case UsageRole::kRollup:
      return "rollup";
    case UsageRole::kWrapper:
      return "wrapper";
    case UsageRole::kEngineShadow:
      return "engine_shadow";
    case UsageRole::kNone:
      break;
  }
  return "none";
}

std::string_view UsageReasonText(UsageReason reason) {
  switch (reason) {
    case UsageReason::kStated:
      return "the span states its usage_role";
    case UsageReason::kInProgress:
      return "it has not ended";
    case UsageReason::kOwnCall:
      return "a call of a model that nothing below repeats";
    case UsageReason::kOwnToolCall:
      return "a call of a tool";
    case UsageReason::kOnlyFramework:
      return "no call of a model is below: only the framework was instrumented";
    case UsageReason::kEngineAlone:
      return "an inference engine, and no client above states usage";
    case UsageReason::kRepeatsBelow:
      return "repeats what the calls of models below it used";
    case UsageReason::kTokensOfTools:
      return "tokens on a tool are those of what it called";
    case UsageReason::kSameAnswerBelow:
      return "the call below it has the same response id: two instrumentations saw one call";
    case UsageReason::kSameTokensBelow:
      return "the call below it lies inside its time and has the same tokens: two instrumentations "
             "saw one call";
    case UsageReason::kSameAnswerBeside:
      return "a call beside it has the same response id: two instrumentations saw one call";
    case UsageReason::kSameTokensBeside:
      return "a call beside it, of another instrumentation, lies inside its time and has the same "
             "model and tokens: two instrumentations saw one call";
    case UsageReason::kTransparent:
      return "states no usage, and a step of its kind below does";
    case UsageReason::kEngineBehindClient:
      return "the engine's view of the client's call above";
    case UsageReason::kRepeatsTool:
      return "an attempt, or the tool's own view, of the call of the same tool above";
    case UsageReason::kNoUsage:
      break;
  }
  return "states no usage";
}

}  // namespace fluoro::genai
