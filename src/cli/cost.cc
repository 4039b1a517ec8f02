// fluoro cost
#include <fmt/format.h>
#include <simdjson.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/json_read.h"
#include "cli/query_options.h"
#include "cli/show_answer.h"
#include "cli/terminal.h"
#include "cli/units.h"

namespace fluoro::cli {
namespace {

using Element = simdjson::dom::element;

// "$12.34", small amounts with more digits; null is what has no price.
std::string Usd(Element object, std::string_view key) {
  double usd = 0;
  if (object[key].get(usd) != simdjson::SUCCESS) return "unpriced";
  return usd != 0 && usd < 0.01 ? fmt::format("${:.6f}", usd) : fmt::format("${:.2f}", usd);
}

std::string Units(std::string_view meter, double units) {
  if (meter.ends_with("_bytes") || meter.starts_with("span_bytes"))
    return FormatBytes(static_cast<std::uint64_t>(units));
  return meter == "query_cpu_seconds" ? fmt::format("{:.2f}", units) : fmt::format("{:.0f}", units);
}

std::string Meters(Element answer, const Terminal& terminal) {
  simdjson::dom::array meters;
  if (answer["meters"].get(meters) != simdjson::SUCCESS) return {};
  std::string out = terminal.Paint(fmt::format("{}  {:>14}  {:>14}  {:>12}", Fit("meter", 18),
                                               "used", "free", "cost"),
                                   Ink::kBold) +
                    "\n";
  for (const Element meter : meters) {
    const std::string name = ReadText(meter, "meter");
    out += fmt::format("{}  {:>14}  {:>14}  {:>12}\n", Fit(name, 18),
                       Units(name, ReadMember<double>(meter, "units", 0)),
                       Units(name, ReadMember<double>(meter, "free", 0)), Usd(meter, "usd"));
  }
  out += terminal.Paint(
             fmt::format("{}  {:>14}  {:>14}  {:>12}   X-Ray's meters alone {}", Fit("all", 18), "",
                         "", Usd(answer, "usd"), Usd(answer, "xray_usd")),
             Ink::kBold) +
         "\n";
  return out;
}

std::string Rows(Element answer, const Terminal& terminal) {
  simdjson::dom::array rows;
  if (answer["rows"].get(rows) != simdjson::SUCCESS || rows.size() == 0) return {};
  const std::string by = ReadText(answer, "by");
  std::string out =
      "\n" +
      terminal.Paint(fmt::format("{}  {:>10}  {:>10}  {:>10}  {:>10}  {:>10}  {:>12}", Fit(by, 28),
                                 "recorded", "retrieved", "scanned", "groups", "insights",
                                 by == "day" ? "cost" : "list price"),
                     Ink::kBold) +
      "\n";
  for (const Element row : rows) {
    Element units;
    if (row["units"].get(units) != simdjson::SUCCESS) continue;
    const auto of = [&](std::string_view meter) { return ReadMember<double>(units, meter, 0); };
    out += fmt::format("{}  {:>10.0f}  {:>10.0f}  {:>10.0f}  {:>10.0f}  {:>10.0f}  {:>12}\n",
                       Fit(Sanitise(ReadText(row, "name")), 28), of("traces_recorded"),
                       of("traces_retrieved"), of("traces_scanned"), of("group_matches"),
                       of("insight_traces"), Usd(row, by == "day" ? "usd" : "list_usd"));
  }
  return out;
}

std::string Forecast(Element answer) {
  Element forecast;
  Element usd;
  if (answer["forecast"].get(forecast) != simdjson::SUCCESS ||
      forecast["usd"].get(usd) != simdjson::SUCCESS)
    return {};
  return fmt::format("\n{} is expected to come to {} ({}..{})\n", ReadText(forecast, "month"),
                     Usd(usd, "expected"), Usd(usd, "low"), Usd(usd, "high"));
}

std::string Budgets(Element answer, const Terminal& terminal) {
  simdjson::dom::array budgets;
  if (answer["budgets"].get(budgets) != simdjson::SUCCESS) return {};
  std::string out;
  for (const Element budget : budgets) {
    const std::string state = ReadText(budget, "state");
    const std::string line = fmt::format(
        "budget {}: {} of {} a month ({:.0f} %, {}): {}", Sanitise(ReadText(budget, "name")),
        Usd(budget, "used_usd"), Usd(budget, "usd_month"),
        ReadMember<double>(budget, "share", 0) * 100, ReadText(budget, "on"), state);
    out += (state == "exceeded" ? terminal.Paint(line, Ink::kRed) : line) + "\n";
  }
  return out;
}

Result<std::string> Render(std::string_view json, const Terminal& terminal) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(json);
  Element answer;
  Element meters;
  if (parser.parse(padded).get(answer) != simdjson::SUCCESS ||
      answer["meters"].get(meters) != simdjson::SUCCESS)
    return Fail(ErrorCode::kCorruption, "the answer is not as expected");
  return fmt::format("{} to {}, prices of {}\n\n", ReadText(answer, "from"), ReadText(answer, "to"),
                     ReadText(answer, "region")) +
         Meters(answer, terminal) + Rows(answer, terminal) + Forecast(answer) +
         Budgets(answer, terminal);
}

Result<std::string> BodyOf(const std::string& by, const std::string& last) {
  if (last.empty()) return fmt::format("{{\"by\":\"{}\"}}", by);
  FLUORO_TRY(const std::int64_t back_ns, ParseDuration(last));
  const std::int64_t now_ns = SystemClock().UnixNs();
  return fmt::format("{{\"by\":\"{}\",\"from\":{},\"to\":{}}}", by,
                     std::max<std::int64_t>(now_ns - back_ns, 0), now_ns);
}

int Cost(const SourceOptions& source_options, const std::string& by, const std::string& last,
         bool json) {
  const auto body = BodyOf(by, last);
  if (!body) return Report(body.error());
  auto source = OpenSource(source_options);
  if (!source) return Report(source.error());
  const auto answer = (*source)->Post("/ui/api/cost", *body);
  return ShowAnswer(answer, json, Render);
}

}  // namespace

void AddCost(const Registry& registry) {
  struct Options {
    bool json = false;
    std::string by = "day";
    std::string last;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = registry.Add(
      "cost", "says what was recorded and read, and what it comes to at X-Ray's prices",
      "  fluoro cost\n  fluoro cost --by tenant --last 7d --json | jq .rows", options->json);
  command->add_option("--by", options->by, "day, service, group, tenant or rule (default day)")
      ->check(CLI::IsMember({"day", "service", "group", "tenant", "rule"}));
  command->add_option("--last", options->last,
                      "whole days back from now (default: this month), e.g. 7d");
  const auto source = AddSourceOptions(*command);
  Action& action = registry.action;
  command->callback([&action, options, source] {
    action = [=] { return Cost(*source, options->by, options->last, options->json); };
  });
}

}  // namespace fluoro::cli
