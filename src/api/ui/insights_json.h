// Insights for the web UI: of both categories, with events and impact graph.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/repository.h"

namespace fluoro::api::ui {

/// What a list is narrowed by; empty: by nothing.
struct InsightQuery {
  std::string group;     ///< name or ARN
  std::string state;     ///< "active", "closed"
  std::string category;  ///< "fault", "latency"
};

/// {"insights":[{"id","group","category","state","root_cause":{"name","type"},"from","to","updated",
/// "summary","seen","usual_max","clients":{"fault","ok","total"},"root_cause_requests":{...},
/// "services":[{"name","type"}]}]}, newest first; times in ns, `to` null while it is active, `seen`
/// a share (fault) or seconds (latency).
std::string InsightsJson(const control::Snapshot& snapshot, const InsightQuery& query);

/// The same of one, with "events" (newest first) and "graph":{"services":[{"name","type","client",
/// "from","to"}],"edges":[{"from","to"}]} (indexes of services). Nothing: no such insight.
std::optional<std::string> InsightJson(const control::Snapshot& snapshot, std::string_view id);

}  // namespace fluoro::api::ui
