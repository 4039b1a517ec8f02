// What every command shares: its options, its place in the parser, the action that main runs after
// parsing.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "cli/running_server.h"
#include "cli/source.h"

namespace fluoro::cli {

/// Set by the parsed command; returns the exit code.
using Action = std::function<int()>;

/// The parser, what the commands may use, and the chosen action.
struct Registry {
  CLI::App& app;
  const ServerFactory& start_server;
  Action& action;
  /// Adds a command with the options that all have (--json, --version) and `examples` below its
  /// help.
  CLI::App* Add(const std::string& name, const std::string& description,
                const std::string& examples, bool& json) const;
};

/// Adds --server (FLUORO_SERVER) and --data. Returns what they fill; shared with the command's
/// action.
std::shared_ptr<SourceOptions> AddSourceOptions(CLI::App& command);
/// Adds --at-rest-key, for commands that read a folder.
void AddAtRestKey(CLI::App& command, std::string& path);

/// Writes all of it to standard output; false when the reader left.
bool Print(std::string_view text);

// One file a command.
void AddServe(const Registry& registry);
void AddDemo(const Registry& registry);
void AddTrace(const Registry& registry);
void AddSearch(const Registry& registry);
void AddGraph(const Registry& registry);
void AddGenAi(const Registry& registry);
void AddGenAiConversation(CLI::App& group, Action& action);
void AddPropagation(const Registry& registry);
void AddGenAiAudit(CLI::App& group, Action& action);
void AddGenAiCost(CLI::App& group, Action& action);
void AddTail(const Registry& registry);
void AddCost(const Registry& registry);
void AddWhatIf(const Registry& registry);
void AddVerify(const Registry& registry);
void AddExport(const Registry& registry);
void AddDiffer(const Registry& registry);
void AddCompare(const Registry& registry);
/// Into the group that AddGenAi made.
void AddGenAiExperiments(const Registry& registry);
void AddImport(const Registry& registry);
void AddDelete(const Registry& registry);
void AddHeader(const Registry& registry);
void AddSampling(const Registry& registry);
void AddRules(const Registry& registry);
void AddRedact(const Registry& registry);
void AddBench(const Registry& registry);
void AddKeys(const Registry& registry);
void AddCompletion(const Registry& registry);

}  // namespace fluoro::cli
