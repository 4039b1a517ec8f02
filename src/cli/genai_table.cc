#include "cli/genai_table.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <array>
#include <vector>

#include "cli/json_read.h"
#include "cli/units.h"

namespace fluoro::cli {
namespace {

using simdjson::dom::element;

constexpr auto kGroups =
    std::to_array<std::string_view>({"kind", "provider", "model", "tool", "tenant", "route",
                                     "agent", "experiment", "arm", "prompt"});

std::string Right(std::string_view text, std::size_t columns) {
  return std::string(columns - std::min(columns, DisplayWidth(text)), ' ') + std::string(text);
}

std::string Count(element row, std::string_view key, std::size_t columns) {
  return Right(std::to_string(ReadMember<std::int64_t>(row, key, 0)), columns);
}

std::string Duration(element row, std::string_view key) {
  const auto ns = ReadMember<std::int64_t>(row, key, 0);
  return Right(ns == 0 ? "-" : FormatDuration(ns), 10);
}

// A cost that lacks that of some calls is marked.
std::string Cost(element row) {
  double usd = 0;
  if (row["cost_usd"].get(usd) != simdjson::SUCCESS) return Right("-", 13);
  const bool partly = ReadMember<std::int64_t>(row, "unpriced_calls", 0) > 0;
  return Right(fmt::format("{:.6f}{}", usd, partly ? "+" : ""), 13);
}

std::string Unpriced(simdjson::dom::array rows) {
  std::int64_t calls = 0;
  std::int64_t tokens = 0;
  for (const element row : rows) {
    calls += ReadMember<std::int64_t>(row, "unpriced_calls", 0);
    tokens += ReadMember<std::int64_t>(row, "unpriced_tokens", 0);
  }
  return calls == 0
             ? std::string()
             : fmt::format("{} calls with {} tokens have no price and are not in these sums\n",
                           calls, tokens);
}

}  // namespace

Result<std::string> RenderCalls(std::string_view json, const Terminal& terminal) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(json);
  element document;
  simdjson::dom::array rows;
  if (parser.parse(padded).get(document) != simdjson::SUCCESS ||
      document["rows"].get(rows) != simdjson::SUCCESS) {
    return Fail(ErrorCode::kCorruption, "the answer is not a list of calls");
  }
  if (rows.size() == 0) return std::string("no calls\n");
  std::vector<std::string_view> groups;
  for (const std::string_view group : kGroups) {
    if (rows.at(0)[group].error() == simdjson::SUCCESS) groups.push_back(group);
  }
  const std::size_t columns = groups.size() > 2 ? 20 : 28;
  std::string heading;
  for (const std::string_view group : groups) heading += Fit(group, columns - 1) + " ";
  heading +=
      fmt::format("{:>8}{:>8}{:>9}{:>8}{:>12}{:>12}{:>12}{:>10}{:>10}{:>13}", "calls", "failed",
                  "timeouts", "retries", "in", "cached", "out", "p50", "p95", "USD");
  std::string out = terminal.Paint(heading, Ink::kBold) + "\n";
  for (const element row : rows) {
    for (const std::string_view group : groups) {
      const std::string text = ReadText(row, group);
      const bool other = ReadMember<bool>(row, "other", false);
      out += Fit(other ? "(other)" : text.empty() ? "-" : Sanitise(text), columns - 1) + " ";
    }
    const std::string failed = Count(row, "failed", 8);
    out += Count(row, "calls", 8) +
           (ReadMember<std::int64_t>(row, "failed", 0) > 0 ? terminal.Paint(failed, Ink::kRed)
                                                           : failed) +
           Count(row, "timeouts", 9) + Count(row, "retries", 8) + Count(row, "prompt_tokens", 12) +
           Count(row, "cached_tokens", 12) + Count(row, "completion_tokens", 12) +
           Duration(row, "p50_ns") + Duration(row, "p95_ns") + Cost(row) + "\n";
  }
  out += Unpriced(rows);
  if (ReadMember<bool>(document, "truncated", false)) out += "(more rows are left out)\n";
  return out;
}

}  // namespace fluoro::cli
