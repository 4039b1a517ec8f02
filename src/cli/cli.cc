#include "cli/cli.h"

#include <csignal>
#include <cstdio>

#include "cli/attributes.h"
#include "cli/command.h"
#include "cli/exit_code.h"

namespace fluoro::cli {

int Run(int argc, char** argv, const ServerFactory& start_server) {
  std::signal(SIGPIPE,
              SIG_IGN);  // a reader that leaves is a failed write, not the end of the process
  CLI::App app{"Fluoro: distributed tracing that speaks X-Ray and OpenTelemetry.", "fluoro"};
  app.set_version_flag("--version", "fluoro " FLUORO_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Examples:\n  fluoro demo\n  fluoro serve --data ./traces\n\n'fluoro COMMAND --help' tells "
      "more.");
  Action action;
  const Registry registry{app, start_server, action};
  AddServe(registry);
  AddDemo(registry);
  AddTrace(registry);
  AddSearch(registry);
  AddGraph(registry);
  AddGenAi(registry);
  AddPropagation(registry);
  AddTail(registry);
  AddWhatIf(registry);
  AddCost(registry);
  AddAttributes(registry);
  AddVerify(registry);
  AddExport(registry);
  AddDiffer(registry);
  AddCompare(registry);
  AddGenAiExperiments(registry);
  AddImport(registry);
  AddDelete(registry);
  AddHeader(registry);
  AddSampling(registry);
  AddRules(registry);
  AddRedact(registry);
  AddKeys(registry);
  AddBench(registry);
  AddCompletion(registry);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? kDone : kWrongUse;
  }
  return action ? action() : kWrongUse;
}

}  // namespace fluoro::cli
