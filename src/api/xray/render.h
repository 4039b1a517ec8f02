// Parts of answers that several operations share.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "analysis/service_graph.h"
#include "analysis/statistics.h"
#include "base/json.h"
#include "model/assembly.h"

namespace fluoro::api::xray {

/// EdgeStatistics and ServiceStatistics: all members, zeros included. Weighted counts are rounded
/// each; the totals are the sums of what is shown.
void AppendStatistics(JsonWriter& out, const analysis::Statistics& statistics);

/// List of HistogramEntry.
void AppendHistogram(JsonWriter& out, const analysis::DurationHistogram& histogram);

/// ServiceId {Name, Names, AccountId, Type}; empty ones are left out.
void AppendServiceId(JsonWriter& out, const model::ServiceKey& key);
void AppendServiceIds(JsonWriter& out, const model::AssembledTrace& trace,
                      std::span<const std::int32_t> services);

/// Services of a graph, one JSON text each; ReferenceId is the index.
std::vector<std::string> RenderServices(const analysis::ServiceGraph& graph);

}  // namespace fluoro::api::xray
