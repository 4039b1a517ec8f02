// Central sampling: the Default rule and the division of its reservoir over the clients.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "api/xray/request.h"
#include "base/mutex.h"
#include "sampling/quota.h"
#include "sampling/rule.h"

namespace fluoro::api::xray {

/// Thread-safe.
class SamplingService {
 public:
  /// `now_ns`: Unix time, taken for the last change of the rules.
  SamplingService(sampling::Rule default_rule, std::string arn_prefix, std::int64_t now_ns);

  /// GetSamplingRules: all rules in one page, since SDKs read only the first.
  [[nodiscard]] std::string RulesJson() const;
  /// GetSamplingTargets.
  std::string TargetsJson(const MembersView& request, std::int64_t now_ns) FLUORO_EXCLUDES(mutex_);
  /// Items of GetSamplingStatisticSummaries.
  std::vector<std::string> StatisticSummaries() FLUORO_EXCLUDES(mutex_);

 private:
  const sampling::Rule default_rule_;
  const std::string arn_prefix_;  ///< "arn:aws:xray:<region>:<account>:sampling-rule/"
  const std::int64_t last_modification_ns_;
  Mutex mutex_;
  std::map<std::string, sampling::QuotaAssigner> assigners_ FLUORO_GUARDED_BY(mutex_);
  sampling::StatisticsWindows windows_ FLUORO_GUARDED_BY(mutex_);
};

}  // namespace fluoro::api::xray
