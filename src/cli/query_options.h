// Expression and window, as search, graph and export take them.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"

namespace fluoro::cli {

struct QueryOptions {
  std::string expression;
  std::string from, to, last, group;
};

/// Adds EXPR, --from, --to, --last and --group.
std::shared_ptr<QueryOptions> AddQueryOptions(CLI::App& command);

/// Adds --from, --to and --last alone.
void AddWindowOptions(CLI::App& command, QueryOptions& options);

/// Further members of the request, already as JSON text: {"limit": "20"}.
struct ExtraMembers {
  std::uint64_t limit = 0;  ///< 0: not sent
  std::string next_token = {};
  std::string format = {};
  bool explain = false;
  bool brief = false;
  bool dry_run = false;
  std::vector<std::string> by = {};  ///< empty: not sent
};

/// The body of a POST to /ui/api. Without a window everything is asked for. Errors:
/// kInvalidArgument for a bad time.
Result<std::string> QueryBody(const QueryOptions& options, const ExtraMembers& extra,
                              std::int64_t now_ns);

}  // namespace fluoro::cli
