#include "cli/suggest.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <cstdio>

#include "base/clock.h"
#include "cli/exit_code.h"
#include "cli/json_read.h"
#include "cli/query_options.h"
#include "cli/terminal.h"
#include "cli/whatif_table.h"

namespace fluoro::cli {
namespace {

struct Options {
  bool json = false;
  double budget = 0;
  double keep_errors = 0.9;
  double floor = 10;
};

std::string Verdict(simdjson::dom::element answer) {
  const double usd = ReadMember<double>(answer, "usd_month", 0);
  const double budget = ReadMember<double>(answer, "budget_usd", 0);
  if (ReadMember<bool>(answer, "within_budget", false)) {
    return fmt::format("recording comes to ${:.2f} a month, within ${:.2f}\n", usd, budget);
  }
  return fmt::format(
      "the least that keeps {:.1f} % of the errors and {:g} traces a day of each route and tenant "
      "comes to ${:.2f} a month, more than ${:.2f}\n",
      ReadMember<double>(answer, "keep_errors", 0) * 100, ReadMember<double>(answer, "floor", 0),
      usd, budget);
}

int Suggest(const SourceOptions& source_options, const QueryOptions& query,
            const Options& options) {
  auto source = OpenSource(source_options);
  if (!source) return Report(source.error());
  auto body = QueryBody(query, {}, SystemClock().UnixNs());
  if (!body) return Report(body.error());
  body->pop_back();
  *body += fmt::format(",\"budget_usd\":{},\"keep_errors\":{},\"floor\":{}}}", options.budget,
                       options.keep_errors, options.floor);
  const auto text = (*source)->Post("/ui/api/suggest", *body);
  if (!text) return Report(text.error());
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(*text);
  simdjson::dom::element answer;
  simdjson::dom::element file;
  simdjson::dom::element predicted;
  if (parser.parse(padded).get(answer) != simdjson::SUCCESS ||
      answer["file"].get(file) != simdjson::SUCCESS ||
      answer["predicted"].get(predicted) != simdjson::SUCCESS)
    return Report(Error{ErrorCode::kCorruption, "the answer is not as expected"});
  const bool is_within = ReadMember<bool>(answer, "within_budget", false);
  if (options.json) {
    Print(*text + "\n");
    return is_within ? kDone : kNotFoundOrFailed;
  }
  // The file alone goes to standard output.
  const Terminal terminal = Terminal::Detect();
  const std::string figures =
      Verdict(answer) + "\n" + WhatIfTables(predicted, terminal) + ReplayDoubts(answer, terminal);
  std::fputs(figures.c_str(), stderr);
  if (!is_within) return kNotFoundOrFailed;
  Print(simdjson::to_string(file) + "\n");
  return kDone;
}

}  // namespace

void AddSuggest(const Registry& registry, CLI::App& rules) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = rules.add_subcommand(
      "suggest", "finds the cheapest rules that keep enough of what was recorded");
  command->set_version_flag("--version", "fluoro " FLUORO_VERSION);
  command->add_flag("--json", options->json, "one JSON document, with the predicted figures");
  command->footer(
      "Examples:\n  fluoro rules suggest --budget 20 --last 1h > rules.json\n"
      "  fluoro rules suggest --budget 20 --keep-errors 0.99 --floor 50 --json | jq "
      ".predicted.kept");
  command
      ->add_option("--budget", options->budget,
                   "US dollars a month, by X-Ray's price of recorded traces")
      ->required()
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--keep-errors", options->keep_errors,
                   "share of the traces with an error, fault, throttle or timeout (default 0.9)")
      ->check(CLI::Range(0.0, 1.0));
  command
      ->add_option("--floor", options->floor,
                   "traces a day of each route and each tenant (default 10)")
      ->check(CLI::NonNegativeNumber);
  const auto query = AddQueryOptions(*command);
  const auto source = AddSourceOptions(*command);
  Action& action = registry.action;
  command->callback([&action, options, query, source] {
    action = [=] { return Suggest(*source, *query, *options); };
  });
}

}  // namespace fluoro::cli
