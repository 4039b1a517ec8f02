#include "analysis/insight_text.h"

#include <fmt/format.h>

#include <cmath>

namespace fluoro::analysis {
namespace {

// 10:05
std::string TimeOfDay(std::int64_t ns) {
  const std::int64_t minutes = ns / AnomalyDetector::kMinuteNs % std::int64_t{24 * 60};
  return fmt::format("{:02}:{:02}", minutes / 60, minutes % 60);
}

// No points: 35 %, 4 in 1000.
std::string Share(double share) {
  if (share >= 0.0995 || share == 0) return fmt::format("{} %", std::llround(share * 100));
  if (share >= 0.00095) return fmt::format("{} in 1000", std::llround(share * 1e3));
  return fmt::format("{} in a million", std::llround(share * 1e6));
}

std::string Time(double seconds) {
  if (seconds >= 10) return fmt::format("{} s", std::llround(seconds));
  if (seconds >= 0.01) return fmt::format("{} ms", std::llround(seconds * 1e3));
  return fmt::format("{} us", std::llround(seconds * 1e6));
}

std::string Name(const model::ServiceKey& key) {
  return key.type.empty() ? key.name : fmt::format("{} ({})", key.name, key.type);
}

std::string Others(const Insight& insight) {
  if (insight.top_services.size() < 2) return {};
  std::string names;
  const std::size_t named = std::min<std::size_t>(insight.top_services.size() - 1, 3);
  for (std::size_t i = 1; i <= named; ++i)
    names += (i == 1 ? "" : ", ") + insight.top_services[i].name;
  const std::size_t more = insight.top_services.size() - 1 - named;
  return fmt::format(" Also affected: {}{}.", names,
                     more == 0 ? "" : fmt::format(" and {} more", more));
}

std::string Clients(const Insight& insight, std::string_view verb) {
  return fmt::format("{} of {} client requests {}", std::llround(insight.clients.fault),
                     std::llround(insight.clients.total), verb);
}

}  // namespace

std::string SummaryOf(const Insight& insight) {
  const std::string name = Name(insight.root_cause);
  const std::string from = TimeOfDay(insight.start_ns);
  const bool fault = insight.category == AnomalyCategory::kFault;
  const std::string seen = fault ? Share(insight.seen) : Time(insight.seen);
  const std::string usual = fault ? Share(insight.usual_max) : Time(insight.usual_max);
  if (insight.state == InsightState::kActive) {
    const std::string what =
        fault ? fmt::format(
                    "{} fails more often than usual: up to {} of requests, where at most {} "
                    "is usual",
                    name, seen, usual)
              : fmt::format(
                    "{} answers later than usual: one request in 20 takes {} or more, where "
                    "{} is usual",
                    name, seen, usual);
    return fmt::format("{}. {} since {} UTC.{}", what, Clients(insight, "have failed"), from,
                       Others(insight));
  }
  if (!insight.merged_into.empty()) {
    return fmt::format("This insight is part of another now. {} has the same root cause, {}.",
                       insight.merged_into, name);
  }
  const std::string what =
      fault ? fmt::format("up to {} of requests to {} failed, where at most {} is usual", seen,
                          name, usual)
            : fmt::format("{} answered late: one request in 20 took {} or more, where {} is usual",
                          name, seen, usual);
  return fmt::format("The anomaly has ended. From {} to {} UTC {}. {} in that time.{}", from,
                     TimeOfDay(insight.end_ns), what, Clients(insight, "failed"), Others(insight));
}

}  // namespace fluoro::analysis
