// fluoro compare TRACE TRACE | TRACE --typical
#include <fmt/format.h>
#include <simdjson.h>

#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/json_read.h"
#include "cli/query_options.h"
#include "cli/show_answer.h"
#include "cli/terminal.h"
#include "cli/units.h"
#include "model/ids.h"

namespace fluoro::cli {
namespace {

using simdjson::dom::element;

constexpr std::size_t kLinesMax = 200;
constexpr std::size_t kNamesColumns = 60;

struct Options {
  bool json = false;
  bool typical = false;
  std::vector<std::string> ids;
  QueryOptions query;
};

std::string Signed(std::int64_t ns) {
  return (ns < 0 ? "-" : "+") + FormatDuration(ns < 0 ? -ns : ns);
}

std::string StepText(element node) {
  std::string text = Sanitise(ReadText(node, "service") + " " + ReadText(node, "name"));
  if (const auto occurrence = ReadMember<std::uint64_t>(node, "occurrence", 0); occurrence > 0)
    text += fmt::format(" #{}", occurrence + 1);
  return text;
}

std::int64_t DurationOf(element node, std::string_view side) {
  element of;
  return node[side].get(of) == simdjson::SUCCESS && of.is_object()
             ? ReadMember<std::int64_t>(of, "duration_ns", 0)
             : 0;
}

struct Sign {
  std::string_view icon;
  Ink ink;
};

Sign SignOf(std::string_view change) {
  if (change == "added") return {"+", Ink::kGreen};
  if (change == "removed") return {"-", Ink::kMagenta};
  if (change == "slower") return {">", Ink::kRed};
  if (change == "faster") return {"<", Ink::kCyan};
  return {"=", Ink::kDim};
}

std::string ChangeText(element node) {
  const std::string change = ReadText(node, "change");
  std::string text;
  if (change == "added") {
    text = "added, " + FormatDuration(DurationOf(node, "b"));
  } else if (change == "removed") {
    text = "gone, took " + FormatDuration(DurationOf(node, "a"));
  } else {
    text = fmt::format(
        "{}  ({} -> {})", Signed(ReadMember<std::int64_t>(node, "duration_delta_ns", 0)),
        FormatDuration(DurationOf(node, "a")), FormatDuration(DurationOf(node, "b")));
  }
  if (ReadMember<bool>(node, "outcome_changed", false)) {
    element a;
    element b;
    if (node["a"].get(a) == simdjson::SUCCESS && node["b"].get(b) == simdjson::SUCCESS)
      text += "  " + ReadText(a, "outcome") + " -> " + ReadText(b, "outcome");
  }
  return text;
}

class DiffPicture {
 public:
  DiffPicture(simdjson::dom::array nodes, const Terminal& terminal) : terminal_(terminal) {
    for (const element node : nodes) nodes_.push_back(node);
    depths_.resize(nodes_.size(), 0);
    shown_.resize(nodes_.size(), false);
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (const std::int64_t parent = ParentOf(i); parent >= 0)
        depths_[i] = depths_[static_cast<std::size_t>(parent)] + 1;
    }
    // What differs, with all that it stands below.
    for (std::size_t i = nodes_.size(); i > 0; --i) {
      const std::size_t at = i - 1;
      const bool differs = ReadText(nodes_[at], "change") != "same" ||
                           ReadMember<bool>(nodes_[at], "outcome_changed", false) ||
                           !Changes(at).empty();
      shown_[at] = shown_[at] || differs;
      if (const std::int64_t parent = ParentOf(at); shown_[at] && parent >= 0)
        shown_[static_cast<std::size_t>(parent)] = true;
    }
  }

  std::string Print() const {
    std::string out;
    std::size_t lines = 0;
    std::size_t more = 0;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (!shown_[i]) continue;
      if (lines >= kLinesMax) {
        ++more;
        continue;
      }
      ++lines;
      out += Line(i);
    }
    if (more > 0) out += fmt::format("({} more steps that differ: --json)\n", more);
    return out;
  }

 private:
  [[nodiscard]] std::int64_t ParentOf(std::size_t node) const {
    return ReadMember<std::int64_t>(nodes_[node], "parent", -1);
  }
  [[nodiscard]] std::vector<element> Changes(std::size_t node) const {
    simdjson::dom::array changes;
    if (nodes_[node]["attributes"].get(changes) != simdjson::SUCCESS) return {};
    return {changes.begin(), changes.end()};
  }

  [[nodiscard]] std::string Line(std::size_t at) const {
    const element node = nodes_[at];
    const Sign sign = SignOf(ReadText(node, "change"));
    const bool explains = ReadMember<bool>(node, "explains", false);
    const std::size_t indent = std::min<std::size_t>(2 * depths_[at], 30);
    const std::string text =
        Fit(std::string(indent, ' ') + std::string(sign.icon) + " " + StepText(node),
            kNamesColumns) +
        "  " + ChangeText(node);
    std::string out = terminal_.Paint(text, explains ? sign.ink : Ink::kPlain) +
                      (explains ? terminal_.Paint("  <- here", Ink::kBold) : "") + "\n";
    for (const element change : Changes(at)) {
      out += terminal_.Paint(std::string(indent + 4, ' ') + Sanitise(ReadText(change, "key")) +
                                 ": " + Side(change, "a") + " -> " + Side(change, "b"),
                             Ink::kDim) +
             "\n";
    }
    return out;
  }

  static std::string Side(element change, std::string_view side) {
    std::string_view text;
    return change[side].get(text) == simdjson::SUCCESS ? Sanitise(text) : "(none)";
  }

  const Terminal& terminal_;
  std::vector<element> nodes_;
  std::vector<std::size_t> depths_;
  std::vector<bool> shown_;
};

std::string TraceLine(element document, std::string_view member) {
  element trace;
  if (document[member].get(trace) != simdjson::SUCCESS) return {};
  std::string out = fmt::format("{}  {}  {:>9}  {} steps\n", member, ReadText(trace, "trace_id"),
                                FormatDuration(ReadMember<std::int64_t>(trace, "duration_ns", 0)),
                                ReadMember<std::uint64_t>(trace, "steps", 0));
  if (const auto left = ReadMember<std::uint64_t>(trace, "steps_left_out", 0); left > 0)
    out += fmt::format("   ({} more steps were not compared)\n", left);
  return out;
}

std::string Heading(element document) {
  element typical;
  if (document["typical"].get(typical) != simdjson::SUCCESS) return TraceLine(document, "a");
  return fmt::format("a  typical of {} traces  {:>9}  {}\n   median: {}\n",
                     ReadMember<std::uint64_t>(typical, "traces", 0),
                     FormatDuration(ReadMember<std::int64_t>(typical, "duration_ns", 0)),
                     Sanitise(ReadText(typical, "expression")), ReadText(typical, "median_trace"));
}

Result<std::string> Render(std::string_view json, const Terminal& terminal) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(json);
  element document;
  simdjson::dom::array nodes;
  if (parser.parse(padded).get(document) != simdjson::SUCCESS ||
      document["nodes"].get(nodes) != simdjson::SUCCESS)
    return Fail(ErrorCode::kCorruption, "the answer is not a comparison");
  const std::string heading = Heading(document) + TraceLine(document, "b");
  if (ReadMember<bool>(document, "same", false)) return heading + "no difference\n";
  return heading + DiffPicture(nodes, terminal).Print();
}

Result<std::string> BodyOf(const Options& options) {
  if (options.ids.size() + (options.typical ? 1 : 0) != 2)
    return Fail(ErrorCode::kInvalidArgument, "two traces, or one and --typical, wanted");
  FLUORO_TRY(std::string body, QueryBody(options.query, {}, SystemClock().UnixNs()));
  body.pop_back();
  FLUORO_TRY(const model::TraceId a, model::TraceId::Parse(options.ids[0]));
  body += ",\"a\":\"" + a.ToHex() + "\"";
  if (options.typical) return body + ",\"typical\":true}";
  FLUORO_TRY(const model::TraceId b, model::TraceId::Parse(options.ids[1]));
  return body + ",\"b\":\"" + b.ToHex() + "\"}";
}

int Compare(const SourceOptions& source_options, const Options& options) {
  const auto body = BodyOf(options);
  if (!body) return Report(body.error());
  auto source = OpenSource(source_options);
  if (!source) return Report(source.error());
  const auto answer = (*source)->Post("/ui/api/compare", *body);
  return ShowAnswer(answer, options.json, Render);
}

}  // namespace

void AddCompare(const Registry& registry) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = registry.Add(
      "compare", "says by which steps two traces differ, or one from what is typical",
      "  fluoro compare 1-581cf771-a006649127e371903a2de979 1-581cf772-b006649127e371903a2de979\n"
      "  fluoro compare 1-581cf771-a006649127e371903a2de979 --typical --last 1h --json",
      options->json);
  command->add_option("TRACE", options->ids, "trace ids; of two the first is what was before")
      ->required()
      ->expected(1, 2);
  command->add_flag(
      "--typical", options->typical,
      "compares with the traces that have the same root, of an hour before and after");
  command->add_option("--filter", options->query.expression,
                      "compares with the traces for which this filter holds");
  AddWindowOptions(*command, options->query);
  const auto source = AddSourceOptions(*command);
  Action& action = registry.action;
  command->callback(
      [&action, options, source] { action = [=] { return Compare(*source, *options); }; });
}

}  // namespace fluoro::cli
