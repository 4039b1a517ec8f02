// Rules of redaction: a record each.
#pragma once

#include <string_view>
#include <vector>

#include "control/repository.h"
#include "redact/rule.h"

namespace fluoro::control {

inline constexpr std::string_view kRedactionRuleKind = "redaction-rule";

/// By name. Records that are no rules (of a later version) are left out.
std::vector<redact::Rule> ReadRedactionRules(const Snapshot& snapshot);
/// Makes or replaces. Errors: those of redact::CheckRule; kTooLarge beyond redact::kRulesMax.
Result<void> PutRedactionRule(Transaction& transaction, const redact::Rule& rule);
/// Errors: kNotFound.
Result<void> DeleteRedactionRule(Transaction& transaction, std::string_view name);

/// A RecordCheck.
Result<void> CheckRedactionRuleRecord(std::string_view name, std::string_view body);

}  // namespace fluoro::control
