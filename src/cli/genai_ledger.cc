// fluoro genai ledger|waste|ttft
#include "cli/genai_ledger.h"

#include "base/clock.h"
#include "base/json.h"
#include "cli/exit_code.h"
#include "cli/ledger_tables.h"
#include "cli/query_options.h"
#include "model/ids.h"

namespace fluoro::cli {
namespace {

struct Options {
  bool json = false;
  std::string what;  ///< expression or trace id
  std::vector<std::string> by;
  std::string clock;
  std::string what_if;
  std::uint64_t traces = 0;
  std::shared_ptr<QueryOptions> query;
  std::shared_ptr<SourceOptions> source;
};

struct Question {
  std::string name;
  std::string description;
  std::string examples;
  Result<std::string> (*render)(std::string_view, const Terminal&);
};

Result<std::string> BodyOf(const Options& options) {
  QueryOptions query = *options.query;
  const auto id = model::TraceId::Parse(query.expression);
  if (id) query.expression.clear();
  FLUORO_TRY(std::string body, QueryBody(query, {}, SystemClock().UnixNs()));
  JsonWriter more;
  more.BeginObject();
  if (id) more.Key("trace").String(id->ToHex());
  if (!options.by.empty()) {
    more.Key("by").BeginArray();
    for (const std::string& dimension : options.by) more.String(dimension);
    more.EndArray();
  }
  if (!options.clock.empty()) more.Key("clock").String(options.clock);
  if (!options.what_if.empty()) more.Key("what_if").String(options.what_if);
  if (options.traces > 0) more.Key("traces").Uint(options.traces);
  more.EndObject();
  const std::string members = more.Take();
  if (members == "{}") return body;
  body.back() = ',';  // the members of both
  return body + members.substr(1);
}

int Ask(const Options& options, const Question& question) {
  auto source = OpenSource(*options.source);
  if (!source) return Report(source.error());
  const auto body = BodyOf(options);
  if (!body) return Report(body.error());
  const auto answer = (*source)->Post("/ui/api/genai/" + question.name, *body);
  if (!answer) return Report(answer.error());
  if (options.json) {
    Print(*answer + "\n");
    return kDone;
  }
  const auto table = question.render(*answer, Terminal::Detect());
  if (!table) return Report(table.error());
  Print(*table);
  return kDone;
}

std::shared_ptr<Options> AddQuestion(CLI::App& group, Action& action, const Question& question,
                                     CLI::App*& command) {
  const auto options = std::make_shared<Options>();
  command = group.add_subcommand(question.name, question.description);
  command->set_version_flag("--version", "fluoro " FLUORO_VERSION);
  command->add_flag("--json", options->json, "one JSON document");
  command->footer("Examples:\n" + question.examples);
  options->query = AddQueryOptions(*command);
  command->get_option("EXPR")->description(
      "filter expression, or the id of one trace; all traces if absent");
  command->add_option("--traces", options->traces,
                      "look at so many traces at most, the newest (default 10000)");
  options->source = AddSourceOptions(*command);
  command->callback(
      [&action, options, question] { action = [=] { return Ask(*options, question); }; });
  return options;
}

void AddBy(CLI::App& command, Options& options) {
  command
      .add_option("--by", options.by,
                  "rows by these: kind, sub_kind, tool, model, tenant, route; may be repeated")
      ->check(CLI::IsMember({"kind", "sub_kind", "tool", "model", "tenant", "route"}))
      ->allow_extra_args(false);
}

}  // namespace

void AddGenAiLedger(CLI::App& group, Action& action) {
  CLI::App* command = nullptr;
  const auto ledger = AddQuestion(
      group, action,
      {.name = "ledger",
       .description = "where the time of requests and the money went",
       .examples =
           "  fluoro genai ledger 1-581cf771-a006649127e371903a2de979\n"
           "  fluoro genai ledger 'annotation.tenant = \"acme\"' --last 1h --by kind --by model\n"
           "  fluoro genai ledger --last 1h --what-if tool=search:2x",
       .render = RenderLedger},
      command);
  AddBy(*command, *ledger);
  command
      ->add_option("--clock", ledger->clock,
                   "until the last_token (the end, default) or the first_token of streamed answers")
      ->check(CLI::IsMember({"last_token", "first_token"}));
  command->add_option("--what-if", ledger->what_if,
                      "steps that were faster, cached or beside their neighbours: tool=NAME:2x, "
                      "model=NAME:cached, kind=retriever:parallel, span=ID:4x");
  const auto waste =
      AddQuestion(group, action,
                  {.name = "waste",
                   .description = "what failed attempts, back-off and repeated calls took",
                   .examples = "  fluoro genai waste 1-581cf771-a006649127e371903a2de979\n"
                               "  fluoro genai waste --last 24h --by tool --by tenant",
                   .render = RenderWaste},
                  command);
  AddBy(*command, *waste);
  AddQuestion(group, action,
              {.name = "ttft",
               .description = "what the time to the first token and between tokens consists of",
               .examples = "  fluoro genai ttft 1-581cf771-a006649127e371903a2de979\n"
                           "  fluoro genai ttft --last 24h --json | jq '.models[].estimate'",
               .render = RenderTtft},
              command);
}

}  // namespace fluoro::cli
