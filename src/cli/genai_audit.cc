// fluoro genai audit TRACE: for every dollar the tokens, the price and the arithmetic.
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/genai_cost_text.h"
#include "cli/show_answer.h"
#include "cli/terminal.h"
#include "model/ids.h"

namespace fluoro::cli {
namespace {

int Audit(const SourceOptions& options, const std::string& text, bool json) {
  const auto id = model::TraceId::Parse(text);
  if (!id) return Report(id.error());
  auto source = OpenSource(options);
  if (!source) return Report(source.error());
  const auto answer = (*source)->Get("/ui/api/genai/audit/" + id->ToHex());
  return ShowAnswer(answer, json, RenderAudit);
}

}  // namespace

void AddGenAiAudit(CLI::App& group, Action& action) {
  struct Options {
    bool json = false;
    std::string id;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = group.add_subcommand(
      "audit", "shows for every dollar of a trace the tokens, the price and the reason");
  command->set_version_flag("--version", "fluoro " FLUORO_VERSION);
  command->footer(
      "Examples:\n  fluoro genai audit 1-581cf771-a006649127e371903a2de979\n"
      "  fluoro genai audit 581cf771a006649127e371903a2de979 --json | jq .not_counted");
  command->add_flag("--json", options->json, "one JSON document");
  command->add_option("TRACE", options->id, "trace id, as 1-8hex-24hex or 32 hex digits")
      ->required();
  const auto source = AddSourceOptions(*command);
  command->callback([&action, options, source] {
    action = [=] { return Audit(*source, options->id, options->json); };
  });
}

}  // namespace fluoro::cli
