#include "cli/graph_table.h"

#include <fmt/format.h>
#include <simdjson.h>

#include "cli/json_read.h"
#include "cli/units.h"

namespace fluoro::cli {
namespace {

using simdjson::dom::element;

double Count(element row, std::string_view key) { return ReadMember<double>(row, key, 0); }

std::string Duration(element row, std::string_view key) {
  const auto ns = ReadMember<std::int64_t>(row, key, 0);
  const std::string text = ns == 0 ? "-" : FormatDuration(ns);
  return std::string(10 - std::min<std::size_t>(10, DisplayWidth(text)), ' ') + text;
}

std::string Cell(element row, std::string_view key, Ink ink, const Terminal& terminal) {
  const double count = Count(row, key);
  const std::string text = fmt::format(
      "{:>9.{}f}", count, count == static_cast<double>(static_cast<std::int64_t>(count)) ? 0 : 1);
  return count > 0 ? terminal.Paint(text, ink) : text;
}

std::string Figures(element row, const Terminal& terminal) {
  return Cell(row, "total", Ink::kPlain, terminal) + Cell(row, "error", Ink::kYellow, terminal) +
         Cell(row, "fault", Ink::kRed, terminal) + Cell(row, "throttle", Ink::kMagenta, terminal) +
         Duration(row, "p50_ns") + Duration(row, "p95_ns") + Duration(row, "p99_ns");
}

std::string Heading(std::string_view what, std::size_t columns, const Terminal& terminal) {
  return terminal.Paint(
             Fit(what, columns) + fmt::format("{:>9}{:>9}{:>9}{:>9}{:>10}{:>10}{:>10}", "total",
                                              "error", "fault", "throttle", "p50", "p95", "p99"),
             Ink::kBold) +
         "\n";
}

}  // namespace

Result<std::string> RenderGraph(std::string_view json, const Terminal& terminal) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(json);
  element document;
  simdjson::dom::array services, edges;
  if (parser.parse(padded).get(document) != simdjson::SUCCESS ||
      document["services"].get(services) != simdjson::SUCCESS ||
      document["edges"].get(edges) != simdjson::SUCCESS) {
    return Fail(ErrorCode::kCorruption, "the answer is not a service graph");
  }
  const std::size_t columns = terminal.columns > 110 ? 48 : 36;
  std::string out = Heading("service", columns, terminal);
  for (const element service : services) {
    const std::string name = ReadText(service, "name");
    const std::string type = ReadText(service, "type");
    const std::string label = Sanitise(name) + (type.empty() ? "" : " [" + Sanitise(type) + "]");
    out += Fit(label, columns) + Figures(service, terminal) + "\n";
  }
  if (edges.size() > 0) out += "\n" + Heading("call", columns, terminal);
  for (const element edge : edges) {
    const std::string from = ReadText(edge, "from");
    const std::string to = ReadText(edge, "to");
    const std::string type = ReadText(edge, "type");
    out += Fit(Sanitise(from) + (type == "async" ? " ⇢ " : " → ") + Sanitise(to), columns) +
           Figures(edge, terminal) + "\n";
  }
  return out;
}

}  // namespace fluoro::cli
