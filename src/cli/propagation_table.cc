#include "cli/propagation_table.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <cmath>

#include "cli/json_read.h"

namespace fluoro::cli {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;

std::string Percent(element edge, std::string_view key) {
  const double share = 100 * ReadMember<double>(edge, key, 0);
  return fmt::format("{:.{}f} %", share,
                     share > 0 && share < 100 && (share < 1 || share > 99) ? 1 : 0);
}

std::string Count(element row, std::string_view key) {
  return fmt::format("{:.0f}", ReadMember<double>(row, key, 0));
}

// Lines of at most `columns`, all but the first indented like what `head` takes.
std::string Wrap(std::string_view head, std::string_view text, std::size_t columns) {
  std::string out(head);
  std::size_t used = DisplayWidth(head);
  const std::string indent(used, ' ');
  bool first = true;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t width = DisplayWidth(word);
    if (!first && used + 1 + width > columns) {
      out += "\n" + indent;
      used = indent.size();
    } else if (!first) {
      out += " ";
      ++used;
    }
    out += word;
    used += width;
    first = false;
  }
  return out + "\n";
}

std::string EdgeTitle(element edge) {
  const std::string kind = ReadText(edge, "kind");
  const std::string via = ReadText(edge, "via");
  std::string title = Sanitise(ReadText(edge, "caller"));
  if (kind == "in_process") return title + " ⇢ " + Sanitise(via) + " (in the process)";
  title += (kind == "message" ? " ⇢ " : " → ") + Sanitise(ReadText(edge, "callee"));
  return via.empty() ? title : title + " (" + Sanitise(via) + ")";
}

std::string CauseText(element cause, const Terminal& terminal) {
  const std::string name = ReadText(cause, "cause");
  std::string out = "  " + terminal.Paint(name, name == "clock" ? Ink::kYellow : Ink::kRed) + ", " +
                    ReadText(cause, "confidence") + " confidence" +
                    (name == "clock" ? "" : ", " + Count(cause, "calls") + " calls") + "\n";
  array evidence, examples;
  if (cause["evidence"].get(evidence) == simdjson::SUCCESS) {
    for (const element sentence : evidence)
      out += Wrap("    ", Sanitise(std::string(sentence.get_string().value_unsafe())),
                  terminal.columns);
  }
  out += Wrap("    Fix: ", Sanitise(ReadText(cause, "fix")), terminal.columns);
  if (cause["examples"].get(examples) == simdjson::SUCCESS && examples.size() > 0) {
    const element example = examples.at(0);
    const std::string caller = ReadText(example, "caller_trace");
    const std::string callee = ReadText(example, "callee_trace");
    out +=
        terminal.Paint("    e.g. fluoro trace " + caller + (callee == caller ? "" : " " + callee),
                       Ink::kDim) +
        "\n";
  }
  return out;
}

}  // namespace

Result<std::string> RenderPropagation(std::string_view json, const Terminal& terminal) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(json);
  element document;
  array edges;
  if (parser.parse(padded).get(document) != simdjson::SUCCESS ||
      document["edges"].get(edges) != simdjson::SUCCESS) {
    return Fail(ErrorCode::kCorruption, "the answer is not about propagation");
  }
  std::string broken;
  std::size_t broken_count = 0, whole = 0;
  for (const element edge : edges) {
    array causes;
    if (edge["causes"].get(causes) != simdjson::SUCCESS) continue;
    if (causes.size() == 0) {
      ++whole;
      continue;
    }
    ++broken_count;
    broken += "\n" + terminal.Paint(EdgeTitle(edge), Ink::kBold) + ": " + Percent(edge, "share") +
              " of " + Count(edge, "calls") +
              " calls keep their context (95 %: " + Percent(edge, "share_low") + " to " +
              Percent(edge, "share_high") + ")\n";
    for (const element cause : causes) broken += CauseText(cause, terminal);
  }
  std::string out = broken_count == 0 ? fmt::format("context is kept on all {} edges", whole)
                                      : fmt::format("{} of {} edges have a fault", broken_count,
                                                    broken_count + whole);
  out += fmt::format("; {} traces looked at", ReadMember<std::uint64_t>(document, "traces", 0));
  const auto note = [&](std::string_view key, std::string_view text) {
    if (const auto count = ReadMember<std::uint64_t>(document, key, 0); count > 0)
      out += fmt::format(", {} {}", count, text);
  };
  note("unsettled_traces", "too young to judge");
  note("cut_traces", "cut");
  note("edges_left_out", "edges left out");
  note("left_out", "spans and names left out for want of room");
  if (!ReadMember<bool>(document, "complete", true)) out += ", older ones not reached";
  return out + "\n" + broken;
}

}  // namespace fluoro::cli
