// fluoro serve
#include <fmt/format.h>

#include <csignal>
#include <cstdlib>
#include <map>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/serve_command.h"

namespace fluoro::cli {
namespace {

std::optional<std::string> Environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

void PrintConfig(const ResolvedServeConfig& resolved, bool json) {
  if (json) {
    JsonWriter out;
    out.BeginObject();
    for (const auto& setting : resolved.settings) {
      out.Key(setting.name)
          .BeginObject()
          .Key("value")
          .String(setting.value)
          .Key("origin")
          .String(setting.origin)
          .EndObject();
    }
    out.EndObject();
    Print(out.Take() + "\n");
    return;
  }
  for (const auto& setting : resolved.settings) {
    Print(fmt::format("{:<15} = {:<30} # {}\n", setting.name, "\"" + setting.value + "\"",
                      setting.origin));
  }
}

// Start-up that cannot work: one clear line, non-zero.
int StartFailed(const Error& error) {
  std::fprintf(stderr, "fluoro: %s\n", error.message.c_str());
  return error.code == ErrorCode::kInvalidArgument || error.code == ErrorCode::kUnsupported
             ? kWrongUse
             : kNotFoundOrFailed;
}

}  // namespace

void ServeFlags::AddTo(CLI::App& command) {
  for (const Setting& setting : ServeSettings()) {
    auto* option = command.add_option_function<std::string>(
        "--" + std::string(setting.name),
        [this, name = std::string(setting.name)](const std::string& value) {
          values[name] = value;
        },
        std::string(setting.help));
    // Switches may stand alone.
    if (setting.default_text == "true" || setting.default_text == "false") {
      option->expected(0, 1);  // a default would be what the switch alone means
    } else if (!setting.default_text.empty()) {
      option->default_str(std::string(setting.default_text));
    }
  }
  command.add_option("--config", config_path, "TOML file with the same names ('-' as '_')")
      ->envname("FLUORO_CONFIG");
}

Result<ResolvedServeConfig> ServeFlags::Resolve() const {
  return ResolveServeConfig(values, Environment, config_path);
}

Result<void> WritePortsFile(const std::string& path, const BoundPorts& ports, int pid) {
  JsonWriter out;
  out.BeginObject();
  for (const auto& [name, address] :
       {std::pair<std::string_view, const std::string&>{"http", ports.http},
        {"udp", ports.udp},
        {"otlp_http", ports.otlp_http},
        {"otlp_grpc", ports.otlp_grpc}}) {
    out.Key(name).String(address);
  }
  out.Key("pid").Int(pid).EndObject();
  const auto fs = MakePosixFs();
  // Written aside and renamed: who waits for the file never reads half of it.
  const std::string temporary = path + ".part";
  (void)fs->Remove(temporary);
  FLUORO_TRY(const auto file, fs->Open(temporary, Fs::OpenMode::kCreate));
  FLUORO_CHECK_OK(file->WriteAt(0, out.Take() + "\n"));
  return fs->Rename(temporary, path);
}

sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

void WaitForSignal(const sigset_t& signals) {
  int signal = 0;
  while (sigwait(&signals, &signal) != 0) {
  }
  log::Info("stopping", {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"}});
}

std::string ReadyLine(const BoundPorts& ports) {
  const auto part = [](std::string_view name, const std::string& address) {
    return fmt::format(" {}={}", name, address.empty() ? "off" : address);
  };
  return "ready" + part("http", ports.http) + part("udp", ports.udp) +
         part("otlp_http", ports.otlp_http) + part("otlp_grpc", ports.otlp_grpc);
}

namespace {

int Serve(const ServeFlags& flags, const ServerFactory& start_server, bool print_config,
          bool json) {
  const auto resolved = flags.Resolve();
  if (!resolved) return StartFailed(resolved.error());
  if (print_config) {
    PrintConfig(*resolved, json);
    return kDone;
  }
  const sigset_t signals = BlockStopSignals();  // before any thread, so that all inherit it
  auto server = start_server(resolved->config);
  if (!server) return StartFailed(server.error());
  if (!resolved->config.ports_file.empty()) {
    if (const auto written =
            WritePortsFile(resolved->config.ports_file, (*server)->ports(), getpid());
        !written) {
      return StartFailed(written.error().With("ports file"));
    }
  }
  std::fprintf(stderr, "%s\n", ReadyLine((*server)->ports()).c_str());
  WaitForSignal(signals);
  if (const auto stopped = (*server)->Stop(); !stopped)
    return StartFailed(stopped.error().With("stopping"));
  return kDone;
}

}  // namespace

void AddServe(const Registry& registry) {
  struct Options {
    bool json = false;
    bool print_config = false;
    ServeFlags flags;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = registry.Add(
      "serve", "receives, keeps and answers",
      "  fluoro serve\n"
      "  fluoro serve --data ./traces --retention 3d --http 127.0.0.1:2000 --profile dev",
      options->json);
  options->flags.AddTo(*command);
  command->add_flag("--print-config", options->print_config,
                    "prints each setting and where its value came from, and ends");
  Action& action = registry.action;
  const ServerFactory& start_server = registry.start_server;
  command->callback([&action, &start_server, options] {
    action = [&start_server, options] {
      return Serve(options->flags, start_server, options->print_config, options->json);
    };
  });
}

}  // namespace fluoro::cli
