// fluoro genai conversation TRACE
#include "cli/genai_conversation.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/json_read.h"
#include "cli/units.h"
#include "model/ids.h"

namespace fluoro::cli {
namespace {

using simdjson::dom::element;

simdjson::dom::array ArrayOf(element object, std::string_view key) {
  return ReadMember<simdjson::dom::array>(object, key, {});
}

std::string Indented(std::string_view text) {
  std::string lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.size(), text.find('\n'));
    lines += "    " + Sanitise(text.substr(0, end)) + "\n";
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  return lines;
}

std::string Minified(element object, std::string_view key) {
  element value;
  if (object[key].get(value) != simdjson::SUCCESS) return {};
  return simdjson::minify(value);
}

std::string PartText(element part) {
  const std::string type = ReadText(part, "type");
  if (type == "tool_call") {
    return "-> " + ReadText(part, "name") + " " + Minified(part, "arguments");
  }
  if (type == "tool_call_response") return "<- " + Minified(part, "response");
  if (type == "uri") return "[" + ReadText(part, "uri") + "]";
  std::string text = ReadText(part, "content");
  if (text.empty()) text = Minified(part, "content");
  return type == "text" ? text : "[" + type + "] " + text;
}

std::string MessageText(element message, const Terminal& terminal) {
  std::string text = "  " + terminal.Paint(Sanitise(ReadText(message, "role")), Ink::kCyan) + "\n";
  for (const element part : ArrayOf(message, "parts")) text += Indented(PartText(part));
  return text;
}

bool SpeaksItself(element step) {
  constexpr auto kKinds = std::to_array<std::string_view>(
      {"llm", "tool", "retriever", "reranker", "embedding", "guardrail"});
  return std::find(kKinds.begin(), kKinds.end(), ReadText(step, "step_kind")) != kKinds.end();
}

std::string StepText(element step, const Terminal& terminal) {
  std::string heading = ReadText(step, "step_kind");
  for (const std::string_view key : {"tool", "agent", "model"}) {
    if (const std::string name = ReadText(step, key); !name.empty()) heading += " " + name;
  }
  heading += "  " + FormatDuration(ReadMember<std::int64_t>(step, "duration_ns", 0));
  std::string text = terminal.Paint(Sanitise(heading), Ink::kBold);
  const std::string outcome = ReadText(step, "outcome");
  if (outcome != "ok") text += " " + terminal.Paint(Sanitise(outcome), OutcomeInk(outcome));
  for (const std::string_view key : {"finish_reason", "flags"}) {
    if (const std::string more = ReadText(step, key); !more.empty()) {
      text += " " + terminal.Paint(Sanitise(more), Ink::kDim);
    }
  }
  text += "\n";
  if (const auto system = ArrayOf(step, "system"); system.size() > 0) {
    text += "  " + terminal.Paint("instructions", Ink::kCyan) + "\n";
    for (const element part : system) text += Indented(PartText(part));
  }
  auto repeated = ReadMember<std::uint64_t>(step, "repeated", 0);
  if (repeated > 0) {
    text += terminal.Paint(
        fmt::format("  ({} message{} as before)\n", repeated, repeated == 1 ? "" : "s"), Ink::kDim);
  }
  for (const element message : ArrayOf(step, "input")) {
    if (repeated > 0) {
      --repeated;
    } else {
      text += MessageText(message, terminal);
    }
  }
  for (const element message : ArrayOf(step, "output")) text += MessageText(message, terminal);
  return text;
}

struct Options {
  bool json = false;
  bool all = false;
  std::string id;
};

int Show(const SourceOptions& source_options, const Options& options) {
  auto source = OpenSource(source_options);
  if (!source) return Report(source.error());
  const auto id = model::TraceId::Parse(options.id);
  if (!id) return Report(id.error());
  const auto answer = (*source)->Get("/ui/api/genai/conversation/" + id->ToHex());
  if (!answer) return Report(answer.error());
  if (options.json) {
    Print(*answer + "\n");
    return kDone;
  }
  const auto text = RenderConversation(*answer, options.all, Terminal::Detect());
  if (!text) return Report(text.error());
  Print(*text);
  return kDone;
}

}  // namespace

Result<std::string> RenderConversation(std::string_view json, bool all, const Terminal& terminal) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(json);
  element document;
  simdjson::dom::array steps;
  if (parser.parse(padded).get(document) != simdjson::SUCCESS ||
      document["steps"].get(steps) != simdjson::SUCCESS) {
    return Fail(ErrorCode::kCorruption, "the answer is not a conversation");
  }
  const bool any_speaks = std::any_of(steps.begin(), steps.end(), SpeaksItself);
  std::string text;
  for (const element step : steps) {
    if (!all && any_speaks && !SpeaksItself(step)) continue;
    if (!text.empty()) text += "\n";
    text += StepText(step, terminal);
  }
  if (text.empty()) text = "nothing was said in this trace, or its content was not kept\n";
  if (ReadMember<bool>(document, "cut", false)) text += "\n(more steps than can be shown)\n";
  return text;
}

void AddGenAiConversation(CLI::App& group, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = group.add_subcommand("conversation", "what was said in a trace");
  command->set_version_flag("--version", "fluoro " FLUORO_VERSION);
  command->add_flag("--json", options->json, "one JSON document");
  command->add_flag("--all", options->all, "also agents and chains, which repeat their steps");
  command->footer(
      "Examples:\n  fluoro genai conversation 1-581cf771-a006649127e371903a2de979\n"
      "  fluoro genai conversation --json 581cf771a006649127e371903a2de979");
  command->add_option("TRACE", options->id, "trace id, as 1-8hex-24hex or 32 hex digits")
      ->required();
  const auto source = AddSourceOptions(*command);
  command->callback(
      [&action, options, source] { action = [=] { return Show(*source, *options); }; });
}

}  // namespace fluoro::cli
