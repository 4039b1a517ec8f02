// fluoro genai experiments [ID]
#include <fmt/format.h>
#include <simdjson.h>

#include <array>
#include <charconv>
#include <cmath>
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

namespace fluoro::cli {
namespace {

using simdjson::dom::element;

struct Options {
  bool json = false;
  std::string id, control;
  std::vector<std::string> shares;  ///< "B=0.5"
  QueryOptions query;
  std::shared_ptr<SourceOptions> source;
};

struct MetricRow {
  std::string_view name, title;
  std::string (*print)(double value);
};

std::string PrintNs(double ns) {
  const auto whole = static_cast<std::int64_t>(std::llround(ns));
  return (whole < 0 ? "-" : "") + FormatDuration(whole < 0 ? -whole : whole);
}
std::string PrintUsd(double usd) { return fmt::format("${:.6f}", usd); }
std::string PrintNumber(double number) { return fmt::format("{:.4g}", number); }
std::string PrintShare(double share) { return fmt::format("{:.2f} %", share * 100); }

constexpr std::array<MetricRow, 10> kRows{{{"latency_mean", "latency, mean", PrintNs},
                                           {"latency_p50", "latency, p50", PrintNs},
                                           {"latency_p95", "latency, p95", PrintNs},
                                           {"ttft_mean", "first token, mean", PrintNs},
                                           {"ttft_p50", "first token, p50", PrintNs},
                                           {"ttft_p95", "first token, p95", PrintNs},
                                           {"cost_mean", "cost", PrintUsd},
                                           {"tokens_mean", "tokens", PrintNumber},
                                           {"error_rate", "errors", PrintShare},
                                           {"timeout_rate", "timeouts", PrintShare}}};

// "1.2 s (1.1 s .. 1.3 s)"
std::string Range(element of, const MetricRow& row) {
  double value = 0;
  if (of["value"].get(value) != simdjson::SUCCESS) return "-";
  return row.print(value) + " (" + row.print(ReadMember<double>(of, "low", value)) + " .. " +
         row.print(ReadMember<double>(of, "high", value)) + ")";
}

std::string MetricLine(element control, element arm, const MetricRow& row,
                       const Terminal& terminal) {
  element before;
  element after;
  if (control["metrics"][row.name].get(before) != simdjson::SUCCESS ||
      arm["metrics"][row.name].get(after) != simdjson::SUCCESS)
    return {};
  std::string out =
      "  " + Fit(row.title, 18) + Fit(Range(before, row), 36) + Fit(Range(after, row), 36);
  element difference;
  if (after["difference"].get(difference) == simdjson::SUCCESS) {
    const bool differs = ReadMember<bool>(after, "differs", false);
    out += terminal.Paint(Fit(Range(difference, row), 36), differs ? Ink::kYellow : Ink::kPlain);
    double more = 0;
    if (differs) {
      out += terminal.Paint("differs", Ink::kYellow);
    } else if (after["more_requests"].get(more) == simdjson::SUCCESS && more > 0 && more < 1e9) {
      out += terminal.Paint(fmt::format("{:.0f} more to tell", more), Ink::kDim);
    }
  }
  return out + "\n";
}

std::string StepLines(element arm) {
  simdjson::dom::array steps;
  if (arm["steps"].get(steps) != simdjson::SUCCESS) return {};
  std::string out;
  std::size_t shown = 0;
  for (const element step : steps) {
    element path;
    element cost;
    if (shown == 3 || step["path_ns"].get(path) != simdjson::SUCCESS ||
        step["cost_usd"].get(cost) != simdjson::SUCCESS)
      break;
    ++shown;
    out += "    " + Fit(Sanitise(ReadText(step, "step")), 40) + Fit(Range(path, kRows[0]), 36) +
           Range(cost, kRows[6]) + "\n";
  }
  return out.empty() ? out : "  by step:\n" + out;
}

std::string ExperimentText(element experiment, const Terminal& terminal) {
  simdjson::dom::array list;
  if (experiment["arms"].get(list) != simdjson::SUCCESS || list.size() == 0) return {};
  const std::vector<element> arms(list.begin(), list.end());
  std::string out = terminal.Paint(Sanitise(ReadText(experiment, "id")), Ink::kBold) + "\n";
  for (const element arm : arms) {
    out += fmt::format(
        "  {}: {} requests, {:.1f} % (expected {:.1f} %)\n", Sanitise(ReadText(arm, "arm")),
        ReadMember<std::uint64_t>(arm, "requests", 0), 100 * ReadMember<double>(arm, "share", 0),
        100 * ReadMember<double>(arm, "expected_share", 0));
    if (const auto unpriced = ReadMember<std::uint64_t>(arm, "unpriced", 0); unpriced > 0)
      out += fmt::format("    {} of them have no price and are not in the cost\n", unpriced);
  }
  if (ReadMember<bool>(experiment, "ratio_mismatch", false)) {
    out += terminal.Paint(fmt::format("  The arms are not as large as they should be (p = {:.1g}): "
                                      "do not trust what they say.\n",
                                      ReadMember<double>(experiment, "ratio_p", 1)),
                          Ink::kRed);
  }
  for (std::size_t i = 1; i < arms.size(); ++i) {
    out += terminal.Paint("  " + Fit("", 18) + Fit(Sanitise(ReadText(arms[0], "arm")), 36) +
                              Fit(Sanitise(ReadText(arms[i], "arm")), 36) + "difference",
                          Ink::kBold) +
           "\n";
    for (const MetricRow& row : kRows) out += MetricLine(arms[0], arms[i], row, terminal);
    out += StepLines(arms[i]);
  }
  return out;
}

Result<std::string> Render(std::string_view json, const Terminal& terminal) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(json);
  element document;
  simdjson::dom::array experiments;
  if (parser.parse(padded).get(document) != simdjson::SUCCESS ||
      document["experiments"].get(experiments) != simdjson::SUCCESS)
    return Fail(ErrorCode::kCorruption, "the answer is not a list of experiments");
  std::string out;
  for (const element experiment : experiments) out += ExperimentText(experiment, terminal);
  if (out.empty()) out = "no experiments\n";
  if (!ReadMember<bool>(document, "complete", true)) {
    out += fmt::format("looked at the newest requests only, {:.1f} % of the window\n",
                       100 * ReadMember<double>(document, "scanned_share", 1));
  }
  return out;
}

Result<std::string> BodyOf(const Options& options) {
  FLUORO_TRY(std::string body, QueryBody(options.query, {}, SystemClock().UnixNs()));
  JsonWriter more;
  more.BeginObject().Key("id").String(options.id).Key("control").String(options.control);
  more.Key("shares").BeginObject();
  for (const std::string& share : options.shares) {
    const std::size_t equals = share.rfind('=');
    double number = 0;
    if (equals != std::string::npos) {
      const char* const begin = share.data() + equals + 1;
      std::from_chars(begin, share.data() + share.size(), number);
    }
    if (!(number > 0)) return Fail(ErrorCode::kInvalidArgument, "--share: ARM=NUMBER wanted");
    more.Key(share.substr(0, equals)).Double(number);
  }
  more.EndObject().EndObject();
  body.back() = ',';
  return body + more.Take().substr(1);
}

int Show(const Options& options) {
  const auto body = BodyOf(options);
  if (!body) return Report(body.error());
  auto source = OpenSource(*options.source);
  if (!source) return Report(source.error());
  const auto answer = (*source)->Post("/ui/api/genai/experiments", *body);
  return ShowAnswer(answer, options.json, Render);
}

}  // namespace

void AddGenAiExperiments(const Registry& registry) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = registry.app.get_subcommand("genai")->add_subcommand(
      "experiments", "compares the arms of experiments: times, tokens, cost, failures");
  command->set_version_flag("--version", "fluoro " FLUORO_VERSION);
  command->add_flag("--json", options->json, "one JSON document");
  command->footer(
      "Examples:\n  fluoro genai experiments --last 24h\n"
      "  fluoro genai experiments rerank_v2 --control A --share A=0.9 --share B=0.1 --json");
  command->add_option("ID", options->id, "an experiment; all of them if absent");
  command->add_option("--filter", options->query.expression,
                      "requests for which this filter holds");
  command->add_option("--control", options->control,
                      "arm that the others are compared with (default: control, baseline, off, A)");
  command
      ->add_option("--share", options->shares,
                   "what an arm is meant to get, as B=0.5; may be repeated (default: equal)")
      ->allow_extra_args(false);
  AddWindowOptions(*command, options->query);
  options->source = AddSourceOptions(*command);
  Action& action = registry.action;
  command->callback([&action, options] { action = [=] { return Show(*options); }; });
}

}  // namespace fluoro::cli
