#include "control/sampling_rules.h"

#include <algorithm>

#include "base/json.h"
#include "base/json_tree.h"
#include "control/settings.h"
#include "sampling/rule_json.h"

namespace fluoro::control {
namespace {

/// When a rule was deleted last: its record can no longer tell.
constexpr std::string_view kLastDeletion = "last-sampling-rule-deletion";

Result<sampling::Rule> RuleOf(const Record& record) {
  FLUORO_TRY(const JsonTree tree, JsonTree::Parse(record.body));
  FLUORO_TRY(sampling::Rule rule, sampling::ParseRule(tree.root(), {.lenient = true}));
  rule.created_ns = rule.name == sampling::kDefaultRuleName ? 0 : record.created_ns;
  rule.modified_ns = record.modified_ns;
  return rule;
}

Result<sampling::Rule> Put(Transaction& transaction, const sampling::Rule& rule) {
  FLUORO_CHECK_OK(sampling::CheckRule(rule));
  JsonWriter body;
  sampling::WriteRule(body, rule);
  FLUORO_TRY(const Record record, transaction.Put(kSamplingRuleKind, rule.name, body.Take()));
  return RuleOf(record);
}

Result<std::optional<sampling::Rule>> Find(Transaction& transaction, std::string_view name) {
  FLUORO_TRY(const auto record, transaction.Find(kSamplingRuleKind, name));
  if (record) {
    FLUORO_TRY(sampling::Rule rule, RuleOf(*record));
    return rule;
  }
  if (name == sampling::kDefaultRuleName) return sampling::DefaultRule();
  return std::nullopt;
}

std::unexpected<Error> Unknown() {
  return Fail(ErrorCode::kNotFound, "Sampling rule does not exist");
}

template <class T>
void Take(const std::optional<T>& from, T& to) {
  if (from) to = *from;
}

}  // namespace

SamplingRules ReadSamplingRules(const Snapshot& snapshot) {
  SamplingRules read;
  bool has_default = false;
  for (const Record& record : snapshot.List(kSamplingRuleKind)) {
    // Only what was checked is written; of a later version's record nothing is known.
    auto rule = RuleOf(record);
    if (!rule) continue;
    has_default = has_default || rule->name == sampling::kDefaultRuleName;
    read.last_modification_ns = std::max(read.last_modification_ns, rule->modified_ns);
    read.rules.push_back(*std::move(rule));
  }
  if (!has_default) read.rules.push_back(sampling::DefaultRule());
  if (const Record* deletion = snapshot.Find(kSettingKind, kLastDeletion))
    read.last_modification_ns = std::max(read.last_modification_ns, deletion->modified_ns);
  std::ranges::sort(read.rules, sampling::IsBefore);
  return read;
}

Result<sampling::Rule> CreateSamplingRule(Transaction& transaction, const sampling::Rule& rule) {
  FLUORO_TRY(const auto standing, Find(transaction, rule.name));
  if (standing) return Fail(ErrorCode::kAlreadyExists, "Rule already exists");
  FLUORO_TRY(const std::vector<Record> records, transaction.List(kSamplingRuleKind));
  const auto custom = std::ranges::count_if(
      records, [](const Record& record) { return record.name != sampling::kDefaultRuleName; });
  if (std::cmp_greater_equal(custom, sampling::kRulesMax)) {
    return Fail(ErrorCode::kTooLarge, "There are " + std::to_string(sampling::kRulesMax) +
                                          " sampling rules beside Default, the most there can be");
  }
  return Put(transaction, rule);
}

Result<sampling::Rule> UpdateSamplingRule(Transaction& transaction,
                                          const SamplingRuleUpdate& update) {
  FLUORO_TRY(const auto standing, Find(transaction, update.name));
  if (!standing) return Unknown();
  sampling::Rule rule = *standing;
  Take(update.priority, rule.priority);
  Take(update.reservoir, rule.reservoir);
  Take(update.fixed_rate, rule.fixed_rate);
  Take(update.service_name, rule.service_name);
  Take(update.service_type, rule.service_type);
  Take(update.host, rule.host);
  Take(update.http_method, rule.http_method);
  Take(update.url_path, rule.url_path);
  Take(update.resource_arn, rule.resource_arn);
  Take(update.attributes, rule.attributes);
  if (update.boost) rule.boost = update.boost;
  return Put(transaction, rule);
}

Result<sampling::Rule> DeleteSamplingRule(Transaction& transaction, std::string_view name) {
  if (name == sampling::kDefaultRuleName)
    return Fail(ErrorCode::kInvalidArgument, "Default rule cannot be deleted");
  FLUORO_TRY(const auto standing, Find(transaction, name));
  if (!standing) return Unknown();
  FLUORO_CHECK_OK(transaction.Delete(kSamplingRuleKind, name));
  FLUORO_CHECK_OK(transaction.Put(kSettingKind, kLastDeletion, "{}"));
  return *standing;
}

Result<void> PutSamplingRule(Transaction& transaction, const sampling::Rule& rule) {
  FLUORO_TRY(const auto standing, Find(transaction, rule.name));
  if (!standing) {
    FLUORO_CHECK_OK(CreateSamplingRule(transaction, rule));
    return {};
  }
  FLUORO_CHECK_OK(Put(transaction, rule));
  return {};
}

Result<void> CheckSamplingRuleRecord(std::string_view name, std::string_view body) {
  FLUORO_TRY(const JsonTree tree, JsonTree::Parse(body));
  FLUORO_TRY(const sampling::Rule rule, sampling::ParseRule(tree.root()));
  if (rule.name != name)
    return Fail(ErrorCode::kInvalidArgument, "RuleName is not the name of the record");
  return {};
}

}  // namespace fluoro::control
