// fluoro header parse TEXT
#include <fmt/format.h>

#include <array>

#include "base/json.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "propagation/context.h"

namespace fluoro::cli {
namespace {

std::string_view SampledName(propagation::Sampled sampled) {
  static constexpr std::array<std::string_view, 5> kNames{
      "undecided", "no", "yes", "the callee decides and answers", "yes (debug)"};
  return kNames[static_cast<std::size_t>(sampled)];
}

struct Parsed {
  std::string_view format;
  propagation::Context context;
};

// A header's name in front ("traceparent: ...") is allowed and decides; otherwise the text's form
// does.
Result<Parsed> ParseText(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  const auto colon = text.find(": ");
  std::string name(text.substr(0, colon == std::string_view::npos ? 0 : colon));
  for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  const std::string_view value = colon == std::string_view::npos ? text : text.substr(colon + 2);
  if (name == "x-amzn-trace-id" || (name.empty() && value.find('=') != std::string_view::npos)) {
    FLUORO_TRY(auto context, propagation::ParseXRay(value));
    return Parsed{"X-Amzn-Trace-Id", std::move(context)};
  }
  if (name == "traceparent" || (name.empty() && value.size() >= 55 && value.substr(2, 1) == "-")) {
    FLUORO_TRY(auto context, propagation::ParseW3c(value, {}));
    return Parsed{"traceparent", std::move(context)};
  }
  if (name == "b3" || name.empty()) {
    FLUORO_TRY(auto context, propagation::ParseB3(value));
    return Parsed{"b3", std::move(context)};
  }
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format("'{}' is no header that carries a trace; x-amzn-trace-id, traceparent and b3 do",
                  name));
}

int ParseHeader(const std::string& text, bool json) {
  const auto parsed = ParseText(text);
  if (!parsed) {
    Report(parsed.error());
    return kNotFoundOrFailed;
  }
  const auto& context = parsed->context;
  const std::string trace = context.trace_id ? context.trace_id->ToXRay() : "";
  const std::string parent = context.parent_id ? context.parent_id->ToHex() : "";
  const bool whole = context.trace_id && context.parent_id;
  if (json) {
    JsonWriter out;
    out.BeginObject().Key("format").String(parsed->format).Key("trace_id").String(trace);
    out.Key("trace_id_hex")
        .String(context.trace_id ? context.trace_id->ToHex() : "")
        .Key("parent")
        .String(parent);
    out.Key("sampled").String(SampledName(context.sampled)).Key("self").String(context.self);
    out.Key("extras").BeginObject();
    for (const auto& [key, value] : context.extras) out.Key(key).String(value);
    out.EndObject().EndObject();
    Print(out.Take() + "\n");
    return kDone;
  }
  std::string lines = fmt::format("{}\n  trace    {}{}\n  parent   {}\n  sampled  {}\n",
                                  parsed->format, trace.empty() ? "none" : trace,
                                  context.trace_id ? "  (" + context.trace_id->ToHex() + ")" : "",
                                  parent.empty() ? "none" : parent, SampledName(context.sampled));
  if (!context.self.empty())
    lines += fmt::format("  self     {}  (the load balancer's own hop)\n", context.self);
  for (const auto& [key, value] : context.extras) lines += fmt::format("  {:<8} {}\n", key, value);
  if (whole) {
    lines += fmt::format("as X-Amzn-Trace-Id  {}\nas traceparent      {}\nas b3               {}\n",
                         propagation::PrintXRay(context), propagation::PrintTraceparent(context),
                         propagation::PrintB3(context));
  }
  Print(lines);
  return kDone;
}

}  // namespace

void AddHeader(const Registry& registry) {
  struct Options {
    bool json = false;
    std::string text;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* group = registry.app.add_subcommand("header", "looks at propagation headers");
  group->set_version_flag("--version", "fluoro " FLUORO_VERSION);
  group->footer(
      "Examples:\n  fluoro header parse 'Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1'\n  "
      "fluoro header parse --help");
  group->require_subcommand(1);
  CLI::App* parse = group->add_subcommand(
      "parse", "shows what a propagation header means, and the same in the other formats");
  parse->set_version_flag("--version", "fluoro " FLUORO_VERSION);
  parse->add_flag("--json", options->json, "one JSON document");
  parse->footer(
      "Examples:\n  fluoro header parse "
      "'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1'\n"
      "  fluoro header parse 'traceparent: "
      "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01'");
  parse
      ->add_option("TEXT", options->text,
                   "X-Amzn-Trace-Id, traceparent or b3; its name may stand in front")
      ->required();
  Action& action = registry.action;
  parse->callback(
      [&action, options] { action = [=] { return ParseHeader(options->text, options->json); }; });
}

}  // namespace fluoro::cli
