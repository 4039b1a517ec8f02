// Parts of `fluoro serve` that `fluoro demo` uses too.
#pragma once

#include <csignal>
#include <map>
#include <string>

#include <CLI/CLI.hpp>

#include "base/error.h"
#include "cli/running_server.h"
#include "cli/serve_config.h"

namespace fluoro::cli {

/// The settings of `serve` as flags of a command.
struct ServeFlags {
  std::map<std::string, std::string, std::less<>> values;
  std::string config_path;
  /// The flags fill this object, which must outlive the parsing.
  void AddTo(CLI::App& command);
  [[nodiscard]] Result<ResolvedServeConfig> Resolve() const;
};

/// {"http":"127.0.0.1:40123","udp":...,"otlp_http":...,"otlp_grpc":...,"pid":123}
Result<void> WritePortsFile(const std::string& path, const BoundPorts& ports, int pid);

/// "ready http=... udp=... otlp_http=... otlp_grpc=..."
std::string ReadyLine(const BoundPorts& ports);

/// Blocks SIGINT and SIGTERM in this thread and in those it starts; WaitForSignal takes one.
sigset_t BlockStopSignals();
void WaitForSignal(const sigset_t& signals);

}  // namespace fluoro::cli
