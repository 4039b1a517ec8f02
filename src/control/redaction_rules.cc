#include "control/redaction_rules.h"

#include <string>

namespace fluoro::control {

std::vector<redact::Rule> ReadRedactionRules(const Snapshot& snapshot) {
  std::vector<redact::Rule> rules;
  for (const Record& record : snapshot.List(kRedactionRuleKind)) {
    if (auto rule = redact::ParseRule(record.name, record.body)) rules.push_back(*std::move(rule));
  }
  return rules;
}

Result<void> PutRedactionRule(Transaction& transaction, const redact::Rule& rule) {
  FLUORO_CHECK_OK(redact::CheckRule(rule));
  FLUORO_CHECK_OK(transaction.Put(kRedactionRuleKind, rule.name, redact::PrintRule(rule)));
  FLUORO_TRY(const std::vector<Record> all, transaction.List(kRedactionRuleKind));
  if (all.size() > redact::kRulesMax) {
    return Fail(ErrorCode::kTooLarge,
                "there are " + std::to_string(redact::kRulesMax) + " redaction rules already");
  }
  return {};
}

Result<void> DeleteRedactionRule(Transaction& transaction, std::string_view name) {
  FLUORO_TRY(const bool deleted, transaction.Delete(kRedactionRuleKind, name));
  if (deleted) return {};
  return Fail(ErrorCode::kNotFound, "no redaction rule is called '" + std::string(name) + "'");
}

Result<void> CheckRedactionRuleRecord(std::string_view name, std::string_view body) {
  FLUORO_CHECK_OK(redact::ParseRule(name, body));
  return {};
}

}  // namespace fluoro::control
