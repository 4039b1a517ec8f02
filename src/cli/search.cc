// fluoro search [EXPR]
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/json_read.h"
#include "cli/query_options.h"
#include "cli/summary_line.h"
#include "cli/terminal.h"
#include "cli/units.h"

namespace fluoro::cli {
namespace {

struct Options {
  bool json = false;
  bool explain = false;
  bool brief = false;
  std::uint64_t limit = 20;
};

struct Tail {
  std::uint64_t scanned_traces = 0;
  double scanned_share = 1;
  std::string next_token;
  std::uint64_t cut_traces = 0;
  std::vector<std::string> damaged;
};

Tail ReadTail(std::string_view line) {
  Tail tail;
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(line);
  simdjson::dom::element document;
  if (parser.parse(padded).get(document) != simdjson::SUCCESS) return tail;
  tail.scanned_traces = ReadMember<std::uint64_t>(document, "scanned_traces", 0);
  tail.scanned_share = ReadMember<double>(document, "scanned_share", 1);
  tail.next_token = ReadText(document, "next_token");
  tail.cut_traces = ReadMember<std::uint64_t>(document, "cut_traces", 0);
  simdjson::dom::array damaged;
  if (document["damaged"].get(damaged) == simdjson::SUCCESS) {
    for (const auto block : damaged) {
      std::string_view text;
      if (block.get(text) == simdjson::SUCCESS) tail.damaged.emplace_back(text);
    }
  }
  return tail;
}

int Search(const SourceOptions& source_options, const QueryOptions& query, const Options& options) {
  auto source = OpenSource(source_options);
  if (!source) return Report(source.error());
  const auto body = QueryBody(query,
                              {.limit = options.limit,
                               .next_token = {},
                               .format = {},
                               .explain = options.explain,
                               .brief = options.brief},
                              SystemClock().UnixNs());
  if (!body) return Report(body.error());
  const auto answer = (*source)->Post("/ui/api/search", *body);
  if (!answer) return Report(answer.error());
  if (options.json) {
    Print(*answer);
    return std::ranges::count(*answer, '\n') > 1 ? kDone : kNotFoundOrFailed;
  }
  const Terminal terminal = Terminal::Detect();
  std::uint64_t matches = 0;
  std::string_view rest = *answer;
  std::string last_line;
  while (!rest.empty()) {
    const auto end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (rest.empty()) {
      last_line = line;
      break;
    }
    if (matches++ == 0) Print(terminal.Paint(SummaryHeader(terminal), Ink::kBold) + "\n");
    Print(RenderSummary(line, terminal) + "\n");
  }
  const Tail tail = ReadTail(last_line);
  std::string note = fmt::format("{} traces, {} examined", matches, tail.scanned_traces);
  if (!tail.next_token.empty())
    note += fmt::format(
        " ({:.1f} % of the window); more match or were not examined: raise --limit or narrow the "
        "window",
        tail.scanned_share * 100);
  Print(terminal.Paint(note, Ink::kDim) + "\n");
  if (tail.cut_traces > 0) {
    Print(terminal.Paint(fmt::format("{} too large to be held whole: judged by the first part",
                                     tail.cut_traces),
                         Ink::kRed) +
          "\n");
  }
  for (const auto& block : tail.damaged)
    Print(terminal.Paint("not searched: " + block, Ink::kRed) + "\n");
  if (options.explain) Print(last_line + "\n");
  return matches > 0 ? kDone : kNotFoundOrFailed;
}

}  // namespace

void AddSearch(const Registry& registry) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      registry.Add("search", "finds traces, newest first",
                   "  fluoro search 'service(\"gateway\") { fault }' --last 15m\n"
                   "  fluoro search 'annotation.tenant = \"acme\" AND duration > 2' --json",
                   options->json);
  const auto query = AddQueryOptions(*command);
  command->add_option("--limit", options->limit, "at most so many traces")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  command->add_flag("--explain", options->explain,
                    "also says what was examined and how long it took");
  command->add_flag("--brief", options->brief,
                    "without URLs, users and annotations: spans are read only where the stored "
                    "summary does not tell the rest");
  const auto source = AddSourceOptions(*command);
  Action& action = registry.action;
  command->callback([&action, options, query, source] {
    action = [=] { return Search(*source, *query, *options); };
  });
}

}  // namespace fluoro::cli
