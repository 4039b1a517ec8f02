// Insights as records of the control plane: docs/insights.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/insight.h"
#include "control/repository.h"

namespace fluoro::api::insights {

inline constexpr std::string_view kInsightKind = "insight";
/// The oldest go first.
inline constexpr std::size_t kInsightsMax = 1'000;
inline constexpr std::int64_t kRetentionNs = 30LL * 24 * 3600 * 1'000'000'000;

struct StoredInsight {
  std::string group_name{};
  std::string group_arn{};
  analysis::Insight insight{};
  bool operator==(const StoredInsight&) const = default;
};

/// "FAULT", "LATENCY".
std::string_view CategoryName(analysis::AnomalyCategory category);
/// "ACTIVE", "CLOSED".
std::string_view StateName(analysis::InsightState state);

std::string InsightBody(const StoredInsight& stored);
/// Errors: kCorruption.
Result<StoredInsight> ParseInsight(std::string_view id, std::string_view body);

/// Those that can be read, newest start first.
std::vector<StoredInsight> ReadInsights(const control::Snapshot& snapshot);
std::optional<StoredInsight> FindInsight(const control::Snapshot& snapshot, std::string_view id);

}  // namespace fluoro::api::insights
