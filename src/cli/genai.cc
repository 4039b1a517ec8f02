// fluoro genai models|tools|requests
#include <algorithm>

#include "base/clock.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/genai_ledger.h"
#include "cli/genai_table.h"
#include "cli/query_options.h"
#include "cli/show_answer.h"

namespace fluoro::cli {
namespace {

const std::vector<std::string> kDimensions = {"kind",  "provider", "model",      "tool", "tenant",
                                              "route", "agent",    "experiment", "arm",  "prompt"};

struct Options {
  bool json = false;
  std::vector<std::string> by;
  std::vector<std::string> where;  // dimension=text
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
  if (!options.where.empty()) {
    more.Key("where").BeginObject();
    for (const std::string& filter : options.where) {
      const std::size_t at = filter.find('=');
      more.Key(filter.substr(0, at)).String(filter.substr(at + 1));
    }
    more.EndObject();
  }
  more.EndObject();
  // The members of both.
  body->back() = ',';
  *body += more.Take().substr(1);
  const auto answer = (*source)->Post("/ui/api/genai", *body);
  return ShowAnswer(answer, options.json, RenderCalls);
}

void AddOne(CLI::App& group, Action& action, const std::string& name,
            const std::string& description) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = group.add_subcommand(name, description);
  command->set_version_flag("--version", "fluoro " FLUORO_VERSION);
  command->add_flag("--json", options->json, "one JSON document");
  command->footer("Examples:\n  fluoro genai " + name + " --last 24h\n  fluoro genai " + name +
                  " --last 7d --by tenant --where route=/chat --json");
  AddWindowOptions(*command, options->window);
  command
      ->add_option("--by", options->by,
                   "rows by these: kind, provider, model, tool, tenant, route, agent, experiment, "
                   "arm, prompt; may be repeated")
      ->check(CLI::IsMember(kDimensions))
      ->allow_extra_args(false);
  command
      ->add_option("--where", options->where,
                   "only calls with this, as tenant=acme; may be repeated")
      ->check([](const std::string& filter) {
        const std::string dimension = filter.substr(0, filter.find('='));
        return filter.find('=') != std::string::npos &&
                       std::ranges::count(kDimensions, dimension) == 1
                   ? std::string()
                   : filter + ": DIMENSION=TEXT wanted";
      })
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
  AddOne(*group, registry.action, "models", "calls of models: tokens, failures, durations, costs");
  AddOne(*group, registry.action, "tools", "calls of tools: failures, retries, durations");
  AddGenAiConversation(*group, registry.action);
  AddGenAiLedger(*group, registry.action);
  AddOne(*group, registry.action, "requests", "requests that call models or tools");
  AddGenAiCost(*group, registry.action);
  AddGenAiAudit(*group, registry.action);
}

}  // namespace fluoro::cli
