#include "cli/attributes.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <chrono>

#include "base/clock.h"
#include "base/json.h"
#include "base/percent.h"
#include "cli/exit_code.h"
#include "cli/json_read.h"
#include "cli/terminal.h"
#include "cli/units.h"

namespace fluoro::cli {
namespace {

using Element = simdjson::dom::element;

struct Options {
  bool json = false;
  std::string state;
  std::string key;
  std::string to = "none";
  std::uint32_t budget = 0;
};

Ink InkOf(std::string_view state) {
  if (state == "guarded") return Ink::kRed;
  return state == "watch" ? Ink::kYellow : Ink::kPlain;
}

/// "1234", or "1234 ±0.8 %" of an estimate.
std::string Distinct(Element key) {
  const auto error = ReadMember<double>(key, "error", 0);
  const auto distinct = ReadMember<std::uint64_t>(key, "distinct", 0);
  return error > 0 ? fmt::format("{} ±{:.1f} %", distinct, error * 100)
                   : fmt::format("{}", distinct);
}

std::string Growth(Element key) {
  double growth = 0;
  if (key["growth_per_hour"].get(growth) != simdjson::SUCCESS) return "";
  return fmt::format("{:+.0f}", growth);
}

std::string Breach(Element key, std::int64_t now_ns) {
  std::int64_t at_ns = 0;
  if (key["breach_ns"].get(at_ns) != simdjson::SUCCESS) return "";
  const double hours = static_cast<double>(at_ns - now_ns) / (3'600.0 * kNsPerSecond);
  return hours < 48 ? fmt::format("in {:.1f} h", std::max(hours, 0.0))
                    : fmt::format("in {:.0f} d", hours / 24);
}

/// Numbers of a possible "±" are wider in bytes than on the screen.
std::string Right(const std::string& text, std::size_t columns) {
  const std::size_t width = DisplayWidth(text);
  return std::string(columns > width ? columns - width : 0, ' ') + text;
}

/// "2026-11-29 21:00".
std::string FormatHour(std::int64_t hour_ns) {
  const std::chrono::sys_time<std::chrono::hours> at{
      std::chrono::hours(hour_ns / (3'600 * kNsPerSecond))};
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  return fmt::format("{:04}-{:02}-{:02} {:02}:00", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     (at - day).count());
}

std::string Budget(Element key) {
  std::uint64_t budget = 0;
  return key["budget"].get(budget) == simdjson::SUCCESS ? fmt::format("{}", budget) : "";
}

Result<Element> Parse(simdjson::dom::parser& parser, std::string_view json) {
  const simdjson::padded_string padded(json);
  Element answer;
  if (parser.parse(padded).get(answer) != simdjson::SUCCESS)
    return Fail(ErrorCode::kCorruption, "the answer is not as expected");
  return answer;
}

Result<std::string> RenderList(std::string_view json, const Terminal& terminal,
                               std::int64_t now_ns) {
  simdjson::dom::parser parser;
  FLUORO_TRY(const Element answer, Parse(parser, json));
  simdjson::dom::array keys;
  if (answer["attributes"].get(keys) != simdjson::SUCCESS)
    return Fail(ErrorCode::kCorruption, "the answer is not as expected");
  std::string out = terminal.Paint(
      fmt::format("{}  {}  {:>14}  {:>8}  {:>8}  {:>10}  {:>10}  {:>10}  {:>10}  {}\n",
                  Fit("key", 34), Fit("state", 8), "values a day", "budget", "an hour", "breach",
                  "spans", "bytes", "index", "indexed"),
      Ink::kBold);
  for (const Element key : keys) {
    const std::string state = ReadText(key, "state");
    const std::string line = fmt::format(
        "{}  {}  {}  {:>8}  {:>8}  {:>10}  {:>10}  {:>10}  {:>10}  {}{}",
        Fit(Sanitise(ReadText(key, "key")), 34), Fit(state, 8), Right(Distinct(key), 14),
        Budget(key), Growth(key), Breach(key, now_ns), ReadMember<std::uint64_t>(key, "spans", 0),
        FormatBytes(ReadMember<std::uint64_t>(key, "bytes", 0)),
        FormatBytes(ReadMember<std::uint64_t>(key, "index_bytes", 0)), ReadText(key, "index"),
        ReadMember<bool>(key, "by_hand", false) ? " (by hand)" : "");
    out += terminal.Paint(line, InkOf(state)) + "\n";
  }
  const auto crowded_out = ReadMember<std::uint64_t>(answer, "crowded_out", 0);
  if (crowded_out > 0) {
    out += fmt::format("\n{} keys are followed; {} times there was no room for one more\n",
                       ReadMember<std::uint64_t>(answer, "keys", 0), crowded_out);
  }
  return out;
}

std::string Bar(std::uint64_t value, std::uint64_t most) {
  constexpr std::size_t kColumns = 40;
  std::string bar;
  for (std::size_t i = 0; i < (most == 0 ? 0 : value * kColumns / most); ++i) bar += "█";
  return bar;
}

std::string Hours(Element key, const Terminal& terminal) {
  simdjson::dom::array hours;
  if (key["hours"].get(hours) != simdjson::SUCCESS || hours.size() == 0) return {};
  std::uint64_t most = 0;
  for (const Element hour : hours)
    most = std::max(most, ReadMember<std::uint64_t>(hour, "distinct_day", 0));
  std::string out = "\n" +
                    terminal.Paint(fmt::format("{:<16}  {:>10}  {:>10}  {:>10}", "hour (UTC)",
                                               "spans", "values", "in 24 h"),
                                   Ink::kBold) +
                    "\n";
  for (const Element hour : hours) {
    const auto day = ReadMember<std::uint64_t>(hour, "distinct_day", 0);
    out += fmt::format("{}  {:>10}  {:>10}  {:>10}  {}\n",
                       FormatHour(ReadMember<std::int64_t>(hour, "hour_ns", 0)),
                       ReadMember<std::uint64_t>(hour, "spans", 0),
                       ReadMember<std::uint64_t>(hour, "distinct", 0), day, Bar(day, most));
  }
  return out;
}

std::string Values(Element key, const Terminal& terminal) {
  simdjson::dom::array values;
  if (key["values"].get(values) != simdjson::SUCCESS) return {};
  std::string out = "\n" + terminal.Paint(Fit("value", 64) + "       spans", Ink::kBold) + "\n";
  for (const Element value : values) {
    out += fmt::format("{}  {:>10}\n", Fit(Sanitise(ReadText(value, "value")), 64),
                       ReadMember<std::uint64_t>(value, "spans", 0));
  }
  const auto others = ReadMember<std::uint64_t>(key, "other_spans", 0);
  if (others > 0) out += fmt::format("{}  {:>10}\n", Fit(ReadText(key, "other"), 64), others);
  return out;
}

Result<std::string> RenderKey(std::string_view json, const Terminal& terminal,
                              std::int64_t now_ns) {
  simdjson::dom::parser parser;
  FLUORO_TRY(const Element key, Parse(parser, json));
  const std::string state = ReadText(key, "state");
  const std::string why = ReadText(key, "why");
  std::string out = terminal.Paint(Sanitise(ReadText(key, "key")), Ink::kBold) + ": " +
                    terminal.Paint(state + (why.empty() ? "" : ", " + why), InkOf(state)) + "\n" +
                    fmt::format("{} values in 24 h", Distinct(key));
  if (const std::string budget = Budget(key); !budget.empty())
    out += fmt::format(" of {} ({})", budget, ReadText(key, "budget_name"));
  if (const std::string growth = Growth(key); !growth.empty())
    out += fmt::format(", {} an hour", growth);
  if (const std::string breach = Breach(key, now_ns); !breach.empty())
    out += fmt::format(", over the budget {}", breach);
  out += fmt::format("\nof {} spans, {} stored, {} of filters; indexed: {}; pattern: {}\n",
                     ReadMember<std::uint64_t>(key, "spans", 0),
                     FormatBytes(ReadMember<std::uint64_t>(key, "bytes", 0)),
                     FormatBytes(ReadMember<std::uint64_t>(key, "index_bytes", 0)),
                     ReadText(key, "index"), ReadText(key, "pattern"));
  simdjson::dom::array examples;
  if (key["examples"].get(examples) == simdjson::SUCCESS) {
    for (const Element example : examples)
      out += fmt::format("  {}\n", Sanitise(std::string(example.get_string().value_unsafe())));
  }
  if (const std::string remedy = ReadText(key, "remedy"); !remedy.empty()) out += remedy + "\n";
  return out + Values(key, terminal) + Hours(key, terminal);
}

int Show(const SourceOptions& source_options, const Options& options) {
  auto source = OpenSource(source_options);
  if (!source) return Report(source.error());
  const bool one = !options.key.empty();
  net::HttpRequest request;
  request.method = "GET";
  request.path = one ? "/ui/api/attributes/" + PercentEncode(options.key) : "/ui/api/attributes";
  if (!options.state.empty()) request.query = "state=" + options.state;
  std::string answer;
  const auto asked = (*source)->Stream(std::move(request), [&](std::string_view piece) {
    answer += piece;
    return true;
  });
  if (!asked) return Report(asked.error());
  if (options.json) {
    Print(answer + "\n");
    return kDone;
  }
  const Terminal terminal = Terminal::Detect();
  const std::int64_t now_ns = SystemClock().UnixNs();
  const auto shown =
      one ? RenderKey(answer, terminal, now_ns) : RenderList(answer, terminal, now_ns);
  if (!shown) return Report(shown.error());
  Print(*shown);
  return kDone;
}

int Change(SourceOptions source_options, const Options& options, const std::string& body) {
  source_options.writable = true;
  auto source = OpenSource(source_options);
  if (!source) return Report(source.error());
  const auto answer = (*source)->Post("/ui/api/attributes", body);
  if (!answer) return Report(answer.error());
  if (options.json) Print(*answer + "\n");
  return kDone;
}

std::string ActionBody(const Options& options, std::string_view action) {
  JsonWriter out;
  out.BeginObject().Key("key").String(options.key);
  if (!action.empty()) out.Key("action").String(action);
  if (action == "demote") out.Key("to").String(options.to);
  if (options.budget > 0) out.Key("budget").Uint(options.budget);
  out.EndObject();
  return out.Take();
}

}  // namespace

void AddAttributes(const Registry& registry) {
  const auto options = std::make_shared<Options>();
  CLI::App* attributes = registry.Add(
      "attributes",
      "keys of attributes: how many values they have, how fast these grow, and what is indexed",
      "  fluoro attributes\n  fluoro attributes tenant.id\n"
      "  fluoro attributes --state guarded --json | jq -r .attributes[].key\n"
      "  fluoro attributes demote request.body\n  fluoro attributes index tenant.id",
      options->json);
  Action& action = registry.action;
  attributes->add_option("KEY", options->key, "shows the values of this key and how they grew");
  attributes->add_option("--state", options->state, "keys in this state alone")
      ->check(CLI::IsMember({"ok", "watch", "guarded"}));
  const auto source = AddSourceOptions(*attributes);
  attributes->callback([&action, options, source] {
    if (!action) action = [=] { return Show(*source, *options); };
  });
  const auto add = [&](const std::string& name, const std::string& description) {
    CLI::App* command = attributes->add_subcommand(name, description);
    command->fallthrough();
    command->add_option("KEY", options->key, "the key")->required();
    command->callback([&action, options, source, name] {
      action = [=] {
        return Change(*source, *options, ActionBody(*options, name == "budget" ? "" : name));
      };
    });
    return command;
  };
  add("index", "indexes a key, however many values it has");
  add("demote", "stops indexing a key; its values stay stored and are found by exact match")
      ->add_option("--to", options->to, "lookup: filters stay; none (default): nothing stays")
      ->check(CLI::IsMember({"lookup", "none"}));
  add("auto", "leaves a key to the guard again");
  add("budget", "sets how many values a key may have in 24 hours")
      ->add_option("VALUES", options->budget, "1 to 65536")
      ->required()
      ->check(CLI::Range(1, 65'536));
}

}  // namespace fluoro::cli
