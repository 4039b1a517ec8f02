// fluoro genai models|tools
#include "base/clock.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/genai_ledger.h"
#include "cli/genai_table.h"
#include "cli/query_options.h"

namespace fluoro::cli {
namespace {

struct Options {
  bool json = false;
  std::vector<std::string> by;
  QueryOptions window;
  std::shared_ptr<SourceOptions> source;
};

int ShowCalls(const Options& options, std::string_view of) {
  auto source = OpenSource(*options.source);
  if (!source) return Report(source.error());
  auto body = QueryBody(options.window, {}, SystemClock().UnixNs());
  if (!body) return Report(body.error());
  JsonWriter more;
  more.BeginObject().Key("of").String(of);
  if (!options.by.empty()) {
    more.Key("by").BeginArray();
    for (const std::string& dimension : options.by) more.String(dimension);
    more.EndArray();
  }
  more.EndObject();
  // The members of both.
  body->back() = ',';
  *body += more.Take().substr(1);
  const auto answer = (*source)->Post("/ui/api/genai", *body);
  if (!answer) return Report(answer.error());
  if (options.json) {
    Print(*answer + "\n");
    return kDone;
  }
  const auto table = RenderCalls(*answer, Terminal::Detect());
  if (!table) return Report(table.error());
  Print(*table);
  return kDone;
}

void AddOne(CLI::App& group, Action& action, const std::string& name,
            const std::string& description) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = group.add_subcommand(name, description);
  command->set_version_flag("--version", "fluoro " FLUORO_VERSION);
  command->add_flag("--json", options->json, "one JSON document");
  command->footer("Examples:\n  fluoro genai " + name + " --last 24h\n  fluoro genai " + name +
                  " --last 7d --by tenant --by " + name.substr(0, name.size() - 1) + " --json");
  AddWindowOptions(*command, options->window);
  command
      ->add_option("--by", options->by,
                   "rows by these: kind, provider, model, tool, tenant, route; may be repeated")
      ->check(CLI::IsMember({"kind", "provider", "model", "tool", "tenant", "route"}))
      ->allow_extra_args(false);
  options->source = AddSourceOptions(*command);
  command->callback(
      [&action, options, name] { action = [=] { return ShowCalls(*options, name); }; });
}

}  // namespace

void AddGenAi(const Registry& registry) {
  CLI::App* group = registry.app.add_subcommand("genai", "sums up calls of models and tools");
  group->set_version_flag("--version", "fluoro " FLUORO_VERSION);
  group->footer("Examples:\n  fluoro genai models --last 24h\n  fluoro genai tools --by tenant");
  group->require_subcommand(1);
  AddOne(*group, registry.action, "models",
         "calls of models: tokens, failures, durations, costs that spans state");
  AddOne(*group, registry.action, "tools", "calls of tools: failures, retries, durations");
  AddGenAiConversation(*group, registry.action);
  AddGenAiLedger(*group, registry.action);
}

}  // namespace fluoro::cli
