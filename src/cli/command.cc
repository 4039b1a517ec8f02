#include "cli/command.h"

#include <cstdio>
#include <cstdlib>

namespace fluoro::cli {

CLI::App* Registry::Add(const std::string& name, const std::string& description,
                        const std::string& examples, bool& json) const {
  CLI::App* command = app.add_subcommand(name, description);
  command->set_version_flag("--version", "fluoro " FLUORO_VERSION);
  command->add_flag("--json", json,
                    "one JSON document, or one object a line where the output is a stream");
  command->footer("Examples:\n" + examples);
  return command;
}

std::shared_ptr<SourceOptions> AddSourceOptions(CLI::App& command) {
  auto options = std::make_shared<SourceOptions>();
  // Not CLI11's envname: a variable that is set all day would then exclude --data as a flag does.
  if (const char* variable = std::getenv("FLUORO_SERVER")) options->server = variable;
  auto* server =
      command.add_option("--server", options->server, "server to ask (Env:FLUORO_SERVER)")
          ->capture_default_str();
  command
      .add_option("--data", options->folder,
                  "read this folder, which no server holds, instead of asking a server")
      ->excludes(server);
  AddAtRestKey(command, options->at_rest_key);
  return options;
}

void AddAtRestKey(CLI::App& command, std::string& path) {
  command.add_option("--at-rest-key", path, "key file of an encrypted folder")
      ->envname("FLUORO_AT_REST_KEY");
}

bool Print(std::string_view text) {
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
         std::fflush(stdout) == 0;
}

}  // namespace fluoro::cli
