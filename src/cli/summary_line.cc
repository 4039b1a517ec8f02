#include "cli/summary_line.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <chrono>
#include <ctime>

#include "base/clock.h"
#include "cli/json_read.h"
#include "cli/units.h"

namespace fluoro::cli {
namespace {

std::string LocalTime(std::int64_t ns) {
  const auto seconds = static_cast<std::time_t>(ns / kNsPerSecond);
  std::tm parts{};
  localtime_r(&seconds, &parts);
  return fmt::format("{:02}-{:02} {:02}:{:02}:{:02}.{:03}", parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min, parts.tm_sec, ns / kNsPerMs % 1000);
}

std::size_t RootColumns(const Terminal& terminal) {
  return terminal.columns > 96 ? terminal.columns - 90 : 16;
}

}  // namespace

std::string SummaryHeader(const Terminal& terminal) {
  return fmt::format("{:<35}  {:<18}  {:>9}  {:<8}  {:>5}  {}", "trace", "start", "duration",
                     "outcome", "spans", Fit("root", RootColumns(terminal)));
}

std::string RenderSummary(std::string_view json, const Terminal& terminal) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(json);
  simdjson::dom::element summary;
  std::string_view id, method;
  std::int64_t status = 0;
  if (parser.parse(padded).get(summary) != simdjson::SUCCESS ||
      summary["trace_id"].get(id) != simdjson::SUCCESS)
    return std::string(json);
  const std::string outcome = ReadText(summary, "outcome");
  const std::string service = ReadText(summary, "root_service");
  const std::string name = ReadText(summary, "root_name");
  const auto start_ns = ReadMember<std::int64_t>(summary, "start_ns", 0);
  const auto duration_ns = ReadMember<std::int64_t>(summary, "duration_ns", 0);
  const auto spans = ReadMember<std::int64_t>(summary, "spans", 0);
  const bool partial = ReadMember<bool>(summary, "partial", false);
  std::string root(service);
  if (summary["http_method"].get(method) == simdjson::SUCCESS) {
    root += fmt::format("  {} {}", method, ReadText(summary, "http_url"));
  } else if (name != service) {
    root += fmt::format("  {}", name);
  }
  if (summary["http_status"].get(status) == simdjson::SUCCESS) root += fmt::format("  {}", status);
  if (partial) root += "  (in progress)";
  const std::string duration = FormatDuration(duration_ns);
  return fmt::format("{:<35}  {:<18}  {}{}  {}  {:>5}  {}", id, LocalTime(start_ns),
                     std::string(9 - std::min<std::size_t>(9, DisplayWidth(duration)), ' '),
                     duration, terminal.Paint(fmt::format("{:<8}", outcome), OutcomeInk(outcome)),
                     spans, Sanitise(root));
}

}  // namespace fluoro::cli
