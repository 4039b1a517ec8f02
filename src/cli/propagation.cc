// fluoro propagation [EXPR]
#include "base/clock.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/propagation_table.h"
#include "cli/query_options.h"
#include "cli/show_answer.h"
#include "cli/units.h"

namespace fluoro::cli {
namespace {

int ShowPropagation(const SourceOptions& source_options, const QueryOptions& query,
                    const std::string& settle, bool json) {
  auto source = OpenSource(source_options);
  if (!source) return Report(source.error());
  auto body = QueryBody(query, {}, SystemClock().UnixNs());
  if (!body) return Report(body.error());
  if (!settle.empty()) {
    const auto ns = ParseDuration(settle);
    if (!ns) return Report(ns.error());
    body->back() = ',';
    *body += "\"settle\":" + std::to_string(*ns) + "}";
  }
  const auto answer = (*source)->Post("/ui/api/propagation", *body);
  return ShowAnswer(answer, json, RenderPropagation);
}

}  // namespace

void AddPropagation(const Registry& registry) {
  const auto json = std::make_shared<bool>(false);
  CLI::App* command =
      registry.Add("propagation", "finds calls on which trace context is lost, why, and what to do",
                   "  fluoro propagation --last 1h\n  fluoro propagation --last 15m --json", *json);
  const auto query = AddQueryOptions(*command);
  const auto settle = std::make_shared<std::string>();
  command->add_option("--settle", *settle,
                      "judge no trace that ended so short a time ago: spans may be under way "
                      "(default 30s)");
  const auto source = AddSourceOptions(*command);
  Action& action = registry.action;
  command->callback([&action, json, query, settle, source] {
    action = [=] { return ShowPropagation(*source, *query, *settle, *json); };
  });
}

}  // namespace fluoro::cli
