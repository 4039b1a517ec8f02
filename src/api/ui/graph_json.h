// The service graph as the JSON of docs/cli.md.
#pragma once

#include <string>

#include "analysis/service_graph.h"

namespace fluoro::api::ui {

/// The document of `fluoro graph --json`; client nodes are left out. Pure.
std::string GraphJson(const analysis::ServiceGraph& graph, std::int64_t from_ns,
                      std::int64_t until_ns);

}  // namespace fluoro::api::ui
