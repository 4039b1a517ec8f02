// fluoro delete ID...|EXPR
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

#include "base/clock.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/json_read.h"
#include "cli/query_options.h"
#include "cli/terminal.h"
#include "model/ids.h"

namespace fluoro::cli {
namespace {

struct Options {
  bool json = false;
  bool yes = false;
  std::vector<std::string> what;
};

Result<std::string> BodyOf(const Options& options, QueryOptions query) {
  std::vector<std::string> ids;
  for (const std::string& text : options.what) {
    if (const auto id = model::TraceId::Parse(text)) ids.push_back(id->ToHex());
  }
  if (ids.size() == options.what.size()) {
    if (!query.from.empty() || !query.to.empty() || !query.last.empty())
      return Fail(ErrorCode::kInvalidArgument, "a window goes with an expression, not with ids");
    JsonWriter out;
    out.BeginObject().Key("ids").BeginArray();
    for (const std::string& id : ids) out.String(id);
    out.EndArray().Key("dry_run").Bool(!options.yes).EndObject();
    return out.Take();
  }
  if (options.what.size() > 1) {
    const auto bad = std::ranges::find_if(
        options.what, [](const std::string& text) { return !model::TraceId::Parse(text); });
    return Fail(ErrorCode::kInvalidArgument,
                *bad + ": not a trace id; of expressions one is taken");
  }
  query.expression = options.what.front();
  return QueryBody(
      query,
      {.limit = 0, .next_token = {}, .format = {}, .explain = false, .dry_run = !options.yes},
      SystemClock().UnixNs());
}

int Delete(SourceOptions source_options, const QueryOptions& query, const Options& options) {
  source_options.writable = options.yes;
  const auto body = BodyOf(options, query);
  if (!body) return Report(body.error());
  auto source = OpenSource(source_options);
  if (!source) return Report(source.error());
  const auto answer = (*source)->Post("/ui/api/delete", *body);
  if (!answer) return Report(answer.error());
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(*answer);
  simdjson::dom::element document;
  if (parser.parse(padded).get(document) != simdjson::SUCCESS)
    return Report(Error{ErrorCode::kCorruption, "the server's answer is not JSON"});
  const auto traces = ReadMember<std::uint64_t>(document, "traces", 0);
  const bool complete = ReadMember<bool>(document, "complete", true);
  if (options.json) {
    Print(*answer + "\n");
  } else if (options.yes) {
    Print(fmt::format("{} {} deleted\n", traces, traces == 1 ? "trace" : "traces"));
  } else {
    Print(fmt::format("{}{} {} would be deleted; --yes does it\n", complete ? "" : "at least ",
                      traces, traces == 1 ? "trace" : "traces"));
  }
  simdjson::dom::array damaged;
  if (document["damaged"].get(damaged) == simdjson::SUCCESS) {
    for (const auto block : damaged) {
      std::string_view text;
      if (block.get(text) == simdjson::SUCCESS)
        std::fprintf(stderr, "damaged, not searched: %s\n", Sanitise(text).c_str());
    }
  }
  if (options.yes && !complete)
    return Report(Error{ErrorCode::kUnavailable, "stopped by the time limit: run it again"});
  if (!options.yes) return kWrongUse;
  return traces > 0 ? kDone : kNotFoundOrFailed;
}

}  // namespace

void AddDelete(const Registry& registry) {
  const auto options = std::make_shared<Options>();
  const auto query = std::make_shared<QueryOptions>();
  CLI::App* command =
      registry.Add("delete", "deletes traces, by id or by a filter expression",
                   "  fluoro delete 1-581cf771-a006649127e371903a2de979 --yes\n"
                   "  fluoro delete 'annotation.tenant = \"acme\"' --last 7d        says how many\n"
                   "  fluoro delete 'annotation.tenant = \"acme\"' --last 7d --yes",
                   options->json);
  command->add_option("ID|EXPR", options->what, "trace ids, or one filter expression")->required();
  command->add_flag("--yes", options->yes, "deletes; without it nothing is deleted");
  AddWindowOptions(*command, *query);
  const auto source = AddSourceOptions(*command);
  Action& action = registry.action;
  command->callback([&action, options, query, source] {
    action = [=] { return Delete(*source, *query, *options); };
  });
}

}  // namespace fluoro::cli
