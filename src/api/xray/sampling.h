// Central sampling: what SDKs' samplers ask for. The rules are records; what is known of the
// clients lives in memory and is learned again within two reports after a restart.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/xray/request.h"
#include "base/json.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "control/place.h"
#include "control/repository.h"
#include "control/sampling_rules.h"
#include "sampling/boost.h"
#include "sampling/quota.h"
#include "sampling/rule.h"

namespace fluoro::api::xray {

/// "arn:aws:xray:<region>:<account>:sampling-rule/<name>"
std::string SamplingRuleArn(const control::Place& place, std::string_view name);
/// Writes a SamplingRuleRecord.
void AppendRuleRecord(JsonWriter& out, const control::Place& place, const sampling::Rule& rule);

/// Thread-safe.
class SamplingService {
 public:
  /// Metrics: fluoro_sampling_clients, fluoro_sampling_clients_crowded_out_total.
  SamplingService(control::Repository& control, control::Place place, Metrics& metrics);

  /// GetSamplingRules: all rules in one page, since SDKs read only the first.
  std::string RulesJson() FLUORO_EXCLUDES(mutex_);
  /// GetSamplingTargets.
  std::string TargetsJson(const MembersView& request, std::int64_t now_ns) FLUORO_EXCLUDES(mutex_);
  /// Items of GetSamplingStatisticSummaries.
  std::vector<std::string> StatisticSummaries(std::int64_t now_ns) FLUORO_EXCLUDES(mutex_);

 private:
  /// The rules as of one generation of the records.
  struct RuleSet {
    std::uint64_t generation = 0;
    control::SamplingRules read;
    std::string json;
    [[nodiscard]] const sampling::Rule* Find(std::string_view name) const;
  };
  struct RuleState {
    sampling::QuotaAssigner quotas;
    sampling::BoostDecider boost;
  };
  /// What is known of rules that are no more is let go.
  std::shared_ptr<const RuleSet> Rules() FLUORO_REQUIRES(mutex_);
  [[nodiscard]] double ObservedRate(const sampling::Rule& rule, std::int64_t now_ns) const
      FLUORO_REQUIRES(mutex_);

  control::Repository& control_;
  const control::Place place_;
  Gauge clients_;
  Counter crowded_out_;
  Mutex mutex_;
  std::shared_ptr<const RuleSet> rules_ FLUORO_GUARDED_BY(mutex_);
  std::map<std::string, RuleState, std::less<>> states_ FLUORO_GUARDED_BY(mutex_);
  sampling::StatisticsWindows windows_ FLUORO_GUARDED_BY(mutex_);
};

}  // namespace fluoro::api::xray
