// fluoro graph [EXPR]
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/graph_table.h"
#include "cli/query_options.h"
#include "cli/show_answer.h"

namespace fluoro::cli {
namespace {

int ShowGraph(const SourceOptions& source_options, const QueryOptions& query, bool json) {
  auto source = OpenSource(source_options);
  if (!source) return Report(source.error());
  const auto body = QueryBody(query, {}, SystemClock().UnixNs());
  if (!body) return Report(body.error());
  const auto answer = (*source)->Post("/ui/api/graph", *body);
  return ShowAnswer(answer, json, RenderGraph);
}

}  // namespace

void AddGraph(const Registry& registry) {
  const auto json = std::make_shared<bool>(false);
  CLI::App* command = registry.Add("graph", "shows services and the calls between them",
                                   "  fluoro graph --last 15m\n"
                                   "  fluoro graph 'annotation.tenant = \"acme\"' --json",
                                   *json);
  const auto query = AddQueryOptions(*command);
  const auto source = AddSourceOptions(*command);
  Action& action = registry.action;
  command->callback([&action, json, query, source] {
    action = [=] { return ShowGraph(*source, *query, *json); };
  });
}

}  // namespace fluoro::cli
