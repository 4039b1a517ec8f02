// fluoro whatif FILE
#include <fmt/format.h>
#include <simdjson.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/json_read.h"
#include "cli/query_options.h"
#include "cli/tail_policy_file.h"
#include "cli/terminal.h"
#include "cli/units.h"

namespace fluoro::cli {
namespace {

struct Count {
  std::uint64_t traces = 0, spans = 0, bytes = 0;
};

Count ReadCount(simdjson::dom::element object, std::string_view key) {
  simdjson::dom::element count;
  if (object[key].get(count) != simdjson::SUCCESS) return {};
  return {.traces = ReadMember<std::uint64_t>(count, "traces", 0),
          .spans = ReadMember<std::uint64_t>(count, "spans", 0),
          .bytes = ReadMember<std::uint64_t>(count, "bytes", 0)};
}

std::string Share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? "-"
                    : fmt::format("{:.1f} %",
                                  100 * static_cast<double>(part) / static_cast<double>(whole));
}

std::string Row(std::string_view name, std::string_view keep, const Count& of, const Count& kept) {
  return fmt::format("{}  {:>7}  {:>10}  {:>10}  {:>8}  {:>10}  {:>10}  {:>8}\n", Fit(name, 16),
                     keep, of.traces, kept.traces, Share(kept.traces, of.traces), kept.spans,
                     FormatBytes(kept.bytes), Share(kept.bytes, of.bytes));
}

Result<std::string> Render(std::string_view json, const Terminal& terminal) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(json);
  simdjson::dom::element answer;
  simdjson::dom::array policies;
  simdjson::dom::array classes;
  if (parser.parse(padded).get(answer) != simdjson::SUCCESS ||
      answer["policies"].get(policies) != simdjson::SUCCESS ||
      answer["classes"].get(classes) != simdjson::SUCCESS)
    return Fail(ErrorCode::kCorruption, "the answer is not as expected");
  std::string out = terminal.Paint(
      fmt::format("{}  {:>7}  {:>10}  {:>10}  {:>8}  {:>10}  {:>10}  {:>8}", Fit("policy", 16),
                  "keep", "traces", "kept", "share", "spans", "bytes", "share"),
      Ink::kBold);
  out += "\n";
  for (const auto policy : policies) {
    out += Row(Sanitise(ReadText(policy, "name")),
               fmt::format("{:g} %", ReadMember<double>(policy, "keep", 1) * 100),
               ReadCount(policy, "taken"), ReadCount(policy, "kept"));
  }
  out += Row("all", "", ReadCount(answer, "seen"), ReadCount(answer, "kept"));
  out += "\n" +
         terminal.Paint(fmt::format("{}  {:>10}  {:>10}  {:>8}", Fit("of these traces", 16), "seen",
                                    "kept", "share"),
                        Ink::kBold) +
         "\n";
  for (const auto one : classes) {
    const auto seen = ReadMember<std::uint64_t>(one, "seen", 0);
    const auto kept = ReadMember<std::uint64_t>(one, "kept", 0);
    out += fmt::format("{}  {:>10}  {:>10}  {:>8}\n", Fit(ReadText(one, "name"), 16), seen, kept,
                       Share(kept, seen));
  }
  if (const auto thinned = ReadMember<std::uint64_t>(answer, "thinned_before", 0); thinned > 0) {
    out += terminal.Paint(
        fmt::format("\n{} of the traces were thinned before: no filter is asked of them\n",
                    thinned),
        Ink::kDim);
  }
  if (!ReadMember<bool>(answer, "complete", true)) {
    out +=
        terminal.Paint(fmt::format("\nthe newest traces only, {:.1f} % of the window: narrow it\n",
                                   ReadMember<double>(answer, "scanned_share", 1) * 100),
                       Ink::kRed);
  }
  return out;
}

int WhatIf(const SourceOptions& source_options, const QueryOptions& query, const std::string& path,
           bool json) {
  const auto policies = ReadTailPolicyFile(path);
  if (!policies) return Report(policies.error());
  auto source = OpenSource(source_options);
  if (!source) return Report(source.error());
  auto body = QueryBody(query, {}, SystemClock().UnixNs());
  if (!body) return Report(body.error());
  body->pop_back();
  *body += ",\"policies\":" + sampling::PrintTailPolicies(*policies) + "}";
  const auto answer = (*source)->Post("/ui/api/whatif", *body);
  if (!answer) return Report(answer.error());
  if (json) {
    Print(*answer + "\n");
    return kDone;
  }
  const auto table = Render(*answer, Terminal::Detect());
  if (!table) return Report(table.error());
  Print(*table);
  return kDone;
}

}  // namespace

void AddWhatIf(const Registry& registry) {
  struct Options {
    bool json = false;
    std::string path;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      registry.Add("whatif", "says what tail policies would keep of the traces that are stored",
                   "  fluoro whatif policies.json --last 1h\n"
                   "  fluoro whatif policies.toml --data ./traces --json | jq .kept",
                   options->json);
  command->add_option("FILE", options->path, "policies, as JSON or TOML: docs/sampling.md")
      ->required();
  const auto query = AddQueryOptions(*command);
  const auto source = AddSourceOptions(*command);
  Action& action = registry.action;
  command->callback([&action, options, query, source] {
    action = [=] { return WhatIf(*source, *query, options->path, options->json); };
  });
}

}  // namespace fluoro::cli
