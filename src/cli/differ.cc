// fluoro differ [EXPR] --select EXPR | --slowest 5% | --failing
#include <fmt/format.h>
#include <simdjson.h>

#include <charconv>
#include <cmath>

#include "base/clock.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/json_read.h"
#include "cli/query_options.h"
#include "cli/show_answer.h"
#include "cli/terminal.h"
#include "cli/units.h"

namespace fluoro::cli {
namespace {

using simdjson::dom::element;

struct Options {
  bool json = false;
  std::string select, slowest, duration_min, duration_max;
  bool failing = false;
};

constexpr std::size_t kBarColumns = 8;

// "5%", "5 %" or "0.05".
Result<double> ParseShare(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
  const bool percent = rest == "%" || rest == " %";
  if (error != std::errc() || (!percent && !rest.empty()) || !(number > 0))
    return Fail(ErrorCode::kInvalidArgument, "--slowest: a share such as 5% wanted");
  return percent ? number / 100 : number;
}

Result<std::string> SelectMembers(const Options& options) {
  JsonWriter out;
  out.BeginObject();
  if (!options.select.empty()) out.Key("expression").String(options.select);
  if (!options.slowest.empty()) {
    FLUORO_TRY(const double share, ParseShare(options.slowest));
    out.Key("slowest").Double(share);
  }
  if (!options.duration_min.empty()) {
    FLUORO_TRY(const std::int64_t ns, ParseDuration(options.duration_min));
    out.Key("duration_min_ns").Int(ns);
  }
  if (!options.duration_max.empty()) {
    FLUORO_TRY(const std::int64_t ns, ParseDuration(options.duration_max));
    out.Key("duration_max_ns").Int(ns);
  }
  if (options.failing) out.Key("failing").Bool(true);
  out.EndObject();
  return out.Take();
}

std::string Bar(double share) {
  const auto full = static_cast<std::size_t>(std::lround(share * static_cast<double>(kBarColumns)));
  const std::size_t shown = std::min(kBarColumns, share > 0 ? std::max<std::size_t>(1, full) : 0);
  return std::string(shown, '#') + std::string(kBarColumns - shown, ' ');
}

std::string ValueText(element value) {
  const std::string kind = ReadText(value, "kind");
  if (kind == "range") {
    return fmt::format("{:.4g} .. {:.4g}", ReadMember<double>(value, "low", 0),
                       ReadMember<double>(value, "high", 0));
  }
  if (kind == "value") return Sanitise(ReadText(value, "value"));
  return "(" + kind + ")";
}

std::string Ratio(element value) {
  double ratio = 0;
  if (value["ratio"].get(ratio) != simdjson::SUCCESS) return "new";
  return fmt::format("x{:.3g}", ratio);
}

std::string Line(element finding, element value, bool first, const Terminal& terminal) {
  const double selection = ReadMember<double>(value, "selection", 0);
  const double baseline = ReadMember<double>(value, "baseline", 0);
  const std::string verdict = ReadText(finding, "verdict");
  std::string out = "  " + Fit(first ? Sanitise(ReadText(finding, "key")) : "", 30) + " " +
                    Fit(ValueText(value), 26) + " ";
  out += terminal.Paint(Bar(selection), Ink::kYellow) + fmt::format(" {:5.1f} %", selection * 100);
  out += "  vs  " + terminal.Paint(Bar(baseline), Ink::kCyan) +
         fmt::format(" {:5.1f} %  {:>7}", baseline * 100, Ratio(value));
  if (first) {
    out += "  " + terminal.Paint(verdict, verdict == "sure"    ? Ink::kGreen
                                          : verdict == "maybe" ? Ink::kYellow
                                                               : Ink::kDim);
  }
  return out + "\n";
}

std::string Findings(simdjson::dom::array findings, const Terminal& terminal) {
  std::string out;
  for (const element finding : findings) {
    simdjson::dom::array values;
    if (finding["values"].get(values) != simdjson::SUCCESS) continue;
    std::size_t shown = 0;
    for (const element value : values) {
      // Two lines say what a key is about; of a thin one, the first.
      if (shown == (ReadText(finding, "verdict") == "thin" ? 1U : 2U)) break;
      out += Line(finding, value, shown++ == 0, terminal);
    }
    simdjson::dom::array same;
    if (finding["same_as"].get(same) != simdjson::SUCCESS || same.size() == 0) continue;
    std::string names;
    for (const element name : same)
      names += (names.empty() ? "" : ", ") + Sanitise(ReadText(name, "key"));
    out += terminal.Paint("    likewise: " + names, Ink::kDim) + "\n";
  }
  return out;
}

std::string Set(element document, std::string_view name) {
  element set;
  if (document[name].get(set) != simdjson::SUCCESS) return {};
  return fmt::format("{}: {} traces, {}\n", name, ReadMember<std::uint64_t>(set, "traces", 0),
                     Sanitise(ReadText(set, "words")));
}

Result<std::string> Render(std::string_view json, const Terminal& terminal) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(json);
  element document;
  simdjson::dom::array findings;
  simdjson::dom::array given;
  simdjson::dom::array ids;
  if (parser.parse(padded).get(document) != simdjson::SUCCESS ||
      document["findings"].get(findings) != simdjson::SUCCESS ||
      document["given"].get(given) != simdjson::SUCCESS ||
      document["ids"].get(ids) != simdjson::SUCCESS) {
    return Fail(ErrorCode::kCorruption, "the answer is not what differs");
  }
  std::string out = Set(document, "selection") + Set(document, "baseline");
  if (ReadMember<bool>(document, "weighted", false))
    out += "each trace counts 1 / the probability with which it was kept\n";
  if (!ReadMember<bool>(document, "complete", true)) {
    out += fmt::format("looked at the newest {} traces only, {:.1f} % of the window\n",
                       ReadMember<std::uint64_t>(document, "scanned_traces", 0),
                       100 * ReadMember<double>(document, "scanned_share", 1));
  }
  if (findings.size() == 0) out += "no attribute differs\n";
  out += Findings(findings, terminal);
  out += terminal.Paint(fmt::format("{} keys tested, {} without a difference",
                                    ReadMember<std::uint64_t>(document, "tested", 0),
                                    ReadMember<std::uint64_t>(document, "alike", 0)),
                        Ink::kDim) +
         "\n";
  if (given.size() > 0) {
    out += "what the selection asks for differs:\n" + Findings(given, terminal);
  }
  if (ids.size() > 0) {
    std::string names;
    for (const element id : ids)
      names += (names.empty() ? "" : ", ") + Sanitise(ReadText(id, "key"));
    out += terminal.Paint("ids, not compared: " + names, Ink::kDim) + "\n";
  }
  if (const auto left = ReadMember<std::uint64_t>(document, "values_left_out", 0); left > 0)
    out += terminal.Paint(fmt::format("no room for {} values of further keys", left), Ink::kRed) +
           "\n";
  return out;
}

int ShowDiffer(const SourceOptions& source_options, const QueryOptions& query,
               const Options& options) {
  const auto select = SelectMembers(options);
  if (!select) return Report(select.error());
  auto source = OpenSource(source_options);
  if (!source) return Report(source.error());
  auto body = QueryBody(query, {}, SystemClock().UnixNs());
  if (!body) return Report(body.error());
  body->pop_back();
  *body += ",\"select\":" + *select + "}";
  const auto answer = (*source)->Post("/ui/api/differ", *body);
  return ShowAnswer(answer, options.json, Render);
}

}  // namespace

void AddDiffer(const Registry& registry) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = registry.Add(
      "differ", "says by which attributes selected traces differ from the others",
      "  fluoro differ --slowest 5% --last 1h\n"
      "  fluoro differ 'service(\"checkout\")' --select 'annotation.tenant = \"acme\"' --json",
      options->json);
  const auto query = AddQueryOptions(*command);
  command->add_option("--select", options->select, "those for which this filter holds");
  command->add_option("--slowest", options->slowest, "the slowest, as 5%");
  command->add_flag("--failing", options->failing, "those that ended in error, throttle or fault");
  command->add_option("--min-duration", options->duration_min, "those that took at least 1.5s");
  command->add_option("--max-duration", options->duration_max, "those that took at most 2s");
  const auto source = AddSourceOptions(*command);
  Action& action = registry.action;
  command->callback([&action, options, query, source] {
    action = [=] { return ShowDiffer(*source, *query, *options); };
  });
}

}  // namespace fluoro::cli
