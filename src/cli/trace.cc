// fluoro trace ID...
#include <cstdio>
#include <vector>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/terminal.h"
#include "cli/waterfall.h"
#include "model/ids.h"

namespace fluoro::cli {
namespace {

int ShowTraces(const SourceOptions& options, const std::vector<std::string>& ids, bool json) {
  auto source = OpenSource(options);
  if (!source) return Report(source.error());
  const Terminal terminal = Terminal::Detect();
  int code = kDone;
  for (const std::string& text : ids) {
    const auto id = model::TraceId::Parse(text);
    if (!id) return Report(id.error());
    auto document = (*source)->Get("/ui/api/trace/" + id->ToHex());
    if (!document) {
      code = Report(document.error());
      if (code != kNotFoundOrFailed) return code;
      continue;
    }
    if (json) {
      Print(*document + "\n");
      continue;
    }
    const auto picture = RenderWaterfall(*document, terminal);
    if (!picture) return Report(picture.error());
    Print(*picture);
    if (ids.size() > 1) Print("\n");
  }
  return code;
}

}  // namespace

void AddTrace(const Registry& registry) {
  struct Options {
    bool json = false;
    std::vector<std::string> ids;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      registry.Add("trace", "shows traces as waterfalls",
                   "  fluoro trace 1-581cf771-a006649127e371903a2de979\n"
                   "  fluoro trace --json 581cf771a006649127e371903a2de979 | jq .critical_path",
                   options->json);
  command->add_option("ID", options->ids, "trace ids, as 1-8hex-24hex or 32 hex digits")
      ->required();
  const auto source = AddSourceOptions(*command);
  Action& action = registry.action;
  command->callback([&action, options, source] {
    action = [=] { return ShowTraces(*source, options->ids, options->json); };
  });
}

}  // namespace fluoro::cli
