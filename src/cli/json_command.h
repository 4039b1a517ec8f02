// A command of a group that can answer as JSON.
#pragma once

#include <string>

#include "cli/command.h"

namespace fluoro::cli {

/// With --version, with --json into `json`, which must outlive it, and with examples below its
/// help.
inline CLI::App* AddJsonCommand(CLI::App& group, const std::string& name,
                                const std::string& description, const std::string& examples,
                                bool& json) {
  CLI::App* command = group.add_subcommand(name, description);
  command->set_version_flag("--version", "fluoro " FLUORO_VERSION);
  command->add_flag("--json", json, "one JSON document");
  command->footer("Examples:\n" + examples);
  return command;
}

}  // namespace fluoro::cli
