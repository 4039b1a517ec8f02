// Sampling rules as records. Rules of the change: X-Ray developer guide and API
// (CreateSamplingRule, UpdateSamplingRule, DeleteSamplingRule); where they are silent:
// docs/sampling.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/repository.h"
#include "sampling/rule.h"

namespace fluoro::control {

inline constexpr std::string_view kSamplingRuleKind = "sampling-rule";

struct SamplingRules {
  std::vector<sampling::Rule> rules;  ///< in the order in which they are tried; Default is the last
  std::int64_t last_modification_ns = 0;  ///< of any rule, deletions included
};
SamplingRules ReadSamplingRules(const Snapshot& snapshot);

/// Errors: kAlreadyExists, kTooLarge (there are sampling::kRulesMax), kInvalidArgument
/// (sampling::CheckRule).
Result<sampling::Rule> CreateSamplingRule(Transaction& transaction, const sampling::Rule& rule);

/// What is absent stays.
struct SamplingRuleUpdate {
  std::string name;
  std::optional<std::int32_t> priority = {};
  std::optional<std::int32_t> reservoir = {};
  std::optional<double> fixed_rate = {};
  std::optional<std::string> service_name = {};
  std::optional<std::string> service_type = {};
  std::optional<std::string> host = {};
  std::optional<std::string> http_method = {};
  std::optional<std::string> url_path = {};
  std::optional<std::string> resource_arn = {};
  std::optional<std::map<std::string, std::string>> attributes = {};
  std::optional<sampling::RateBoost> boost = {};
};
/// Errors: kNotFound "Sampling rule does not exist", kInvalidArgument.
Result<sampling::Rule> UpdateSamplingRule(Transaction& transaction,
                                          const SamplingRuleUpdate& update);

/// Returns what was deleted. Errors: kNotFound "Sampling rule does not exist"; kInvalidArgument for
/// Default.
Result<sampling::Rule> DeleteSamplingRule(Transaction& transaction, std::string_view name);

/// Makes or replaces; for files of rules. Errors: as CreateSamplingRule.
Result<void> PutSamplingRule(Transaction& transaction, const sampling::Rule& rule);

/// A RecordCheck.
Result<void> CheckSamplingRuleRecord(std::string_view name, std::string_view body);

}  // namespace fluoro::control
