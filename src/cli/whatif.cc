// fluoro whatif FILE
#include <fmt/format.h>
#include <simdjson.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/query_options.h"
#include "cli/show_answer.h"
#include "cli/tail_policy_file.h"
#include "cli/terminal.h"
#include "cli/whatif_table.h"

namespace fluoro::cli {
namespace {

Result<std::string> Render(std::string_view json, const Terminal& terminal) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(json);
  simdjson::dom::element answer;
  simdjson::dom::element kept;
  if (parser.parse(padded).get(answer) != simdjson::SUCCESS ||
      answer["kept"].get(kept) != simdjson::SUCCESS)
    return Fail(ErrorCode::kCorruption, "the answer is not as expected");
  return WhatIfTables(answer, terminal) + ReplayDoubts(answer, terminal);
}

int WhatIf(const SourceOptions& source_options, const QueryOptions& query, const std::string& path,
           std::uint64_t clients, bool json) {
  const auto file = ReadRuleFile(path);
  if (!file) return Report(file.error());
  auto source = OpenSource(source_options);
  if (!source) return Report(source.error());
  auto body = QueryBody(query, {}, SystemClock().UnixNs());
  if (!body) return Report(body.error());
  body->pop_back();
  *body +=
      fmt::format(",\"clients\":{},\"policies\":", clients) + sampling::PrintRuleFile(*file) + "}";
  const auto answer = (*source)->Post("/ui/api/whatif", *body);
  return ShowAnswer(answer, json, Render);
}

}  // namespace

void AddWhatIf(const Registry& registry) {
  struct Options {
    bool json = false;
    std::string path;
    std::uint64_t clients = 1;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      registry.Add("whatif",
                   "says what head rules would record and tail policies would keep of the traces "
                   "that are stored",
                   "  fluoro whatif rules.json --last 1h\n"
                   "  fluoro whatif rules.toml --data ./traces --json | jq .kept",
                   options->json);
  command
      ->add_option("FILE", options->path,
                   "head rules and tail policies, as JSON or TOML: docs/sampling.md")
      ->required();
  command
      ->add_option("--clients", options->clients, "processes that share each reservoir (default 1)")
      ->check(CLI::Range(1, 10'000));
  const auto query = AddQueryOptions(*command);
  const auto source = AddSourceOptions(*command);
  Action& action = registry.action;
  command->callback([&action, options, query, source] {
    action = [=] {
      return WhatIf(*source, *query, options->path, options->clients, options->json);
    };
  });
}

}  // namespace fluoro::cli
