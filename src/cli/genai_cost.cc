// fluoro genai cost: what calls of models cost, over many traces.
#include "base/clock.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/genai_cost_text.h"
#include "cli/query_options.h"
#include "cli/show_answer.h"
#include "cli/terminal.h"

namespace fluoro::cli {
namespace {

int Cost(const SourceOptions& source_options, const QueryOptions& query,
         const std::vector<std::string>& by, bool json) {
  ExtraMembers extra;
  extra.by = by;
  const auto body = QueryBody(query, extra, SystemClock().UnixNs());
  if (!body) return Report(body.error());
  auto source = OpenSource(source_options);
  if (!source) return Report(source.error());
  const auto answer = (*source)->Post("/ui/api/genai/cost", *body);
  return ShowAnswer(answer, json, RenderGenAiCost);
}

}  // namespace

void AddGenAiCost(CLI::App& group, Action& action) {
  struct Options {
    bool json = false;
    std::vector<std::string> by;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = group.add_subcommand("cost", "sums up what calls of models cost");
  command->set_version_flag("--version", "fluoro " FLUORO_VERSION);
  command->footer(
      "Examples:\n  fluoro genai cost --last 24h --by tenant --by model\n"
      "  fluoro genai cost 'annotation.route = \"/v1/chat\"' --by experiment --by arm --json");
  command->add_flag("--json", options->json, "one JSON document");
  command
      ->add_option("--by", options->by,
                   "rows by these: kind, provider, model, service_tier, tool, tenant, route, "
                   "agent, experiment, arm, prompt; may be repeated (default model)")
      ->check(CLI::IsMember({"kind", "provider", "model", "service_tier", "tool", "tenant", "route",
                             "agent", "experiment", "arm", "prompt"}))
      ->allow_extra_args(false);
  const auto query = AddQueryOptions(*command);
  const auto source = AddSourceOptions(*command);
  command->callback([&action, options, query, source] {
    action = [=] { return Cost(*source, *query, options->by, options->json); };
  });
}

}  // namespace fluoro::cli
