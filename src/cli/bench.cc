// fluoro bench: the commands and their options.
#include "base/clock.h"
#include "cli/bench/bench_options.h"
#include "cli/bench/fill.h"
#include "cli/bench/ingest.h"
#include "cli/bench/merge_ahead.h"
#include "cli/bench/questions.h"
#include "cli/bench/rows.h"
#include "cli/bench/send.h"
#include "cli/bench/udp.h"
#include "cli/command.h"
#include "cli/exit_code.h"

namespace fluoro::cli {
namespace {

using bench::BenchOptions;
using bench::WorkloadKind;

using Bench = std::function<int(const BenchOptions&)>;

struct Shared {
  BenchOptions options;
  std::string output;
  std::string to;
  std::int64_t days = 7;
  bool pin = false;
};

int Run(const Shared& shared, const Bench& run) {
  BenchOptions options = shared.options;
  if (shared.pin) {
    const auto cores = bench::TwoCores();
    if (!cores) return Report(cores.error());
    options.cores = *cores;
    bench::RunOn(cores->load);
  }
  return run(options);
}

}  // namespace

void AddBench(const Registry& registry) {
  CLI::App* group = registry.app.add_subcommand("bench", "measures this machine");
  group->set_version_flag("--version", "fluoro " FLUORO_VERSION);
  group->footer("Examples:\n  fluoro bench ingest\n  fluoro bench search --spans 1000000 --json");
  group->require_subcommand(1);
  const auto shared = std::make_shared<Shared>();
  Action& action = registry.action;
  const auto add = [&](const std::string& name, const std::string& description, const Bench& run,
                       const std::string& needed = "") {
    BenchOptions& options = shared->options;
    CLI::App* command = group->add_subcommand(name, description);
    command->set_version_flag("--version", "fluoro " FLUORO_VERSION);
    command->add_flag("--json", options.json, "one JSON object a line");
    command->add_option("--spans", options.load.spans, "spans to send")
        ->check(CLI::Range(1'000, 100'000'000))
        ->capture_default_str();
    command->add_option("--seed", options.load.seed, "of the generated spans")
        ->capture_default_str();
    command
        ->add_option_function<std::string>(
            "--workload",
            [shared](const std::string& kind) {
              shared->options.load.workload = kind == "flat"      ? WorkloadKind::kFlat
                                              : kind == "cluster" ? WorkloadKind::kCluster
                                                                  : WorkloadKind::kGenAi;
            },
            "flat: 10 spans a trace, 15 attributes, about 677 bytes a span; cluster: traces of "
            "many "
            "sizes, pods with 20 attributes, 1,110 bytes a span; genai: agents with models and "
            "tools")
        ->check(CLI::IsMember({"flat", "cluster", "genai"}))
        ->default_str("flat");
    command->add_flag("--pin", shared->pin, "the load on one core, the server on another");
    command->footer("Examples:\n  fluoro bench " + name + needed + "\n  fluoro bench " + name +
                    needed + " --spans 1000000 --json");
    command->callback([&action, shared, run] { action = [=] { return Run(*shared, run); }; });
    return command;
  };
  add("ingest", "spans/s, CPU, bytes and memory of receiving, by protocol", bench::BenchIngest)
      ->add_option("--protocol", shared->options.protocol,
                   "one of otlp-http, otlp-http-gzip, otlp-http-zstd, otlp-grpc; all if not given");
  add("lookup", "milliseconds of a trace by its id, cold and warm", bench::BenchLookup)
      ->add_option("--lookups", shared->options.lookups, "how many ids to ask for")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  add("search", "spans examined a second and core, by kind of question", bench::BenchSearch);
  add("graph", "spans a second and core of the service graph", bench::BenchGraph);
  add("udp", "X-Ray segments a second to queryable with none lost", bench::BenchUdp);
  add(
      "rows", "writes the spans that the others send, as ClickHouse RowBinary, for a peer",
      [shared](const BenchOptions& options) { return bench::WriteRows(options, shared->output); },
      " --output spans.rows")
      ->add_option("--output", shared->output, "the file")
      ->required();
  add(
      "send", "sends the spans that the others send by OTLP/HTTP to any server, for a peer",
      [shared](const BenchOptions& options) { return bench::SendSpans(options, shared->to); },
      " --to 127.0.0.1:4318")
      ->add_option("--to", shared->to, "IPv4 address and port; the path is /v1/traces")
      ->required();
  const auto add_days = [&](const std::string& name, const std::string& description,
                            const Bench& run, const std::string& needed = "") {
    const auto over_days = [shared, run](const BenchOptions& options) {
      BenchOptions spread = options;
      spread.load.over_ns = shared->days * 24 * 3600 * kNsPerSecond;
      return run(spread);
    };
    CLI::App* command = add(name, description, over_days, needed);
    command->add_option("--days", shared->days, "that the spans are spread over")
        ->check(CLI::Range(1, 400))
        ->capture_default_str();
    return command;
  };
  add_days("dashboards", "milliseconds of GenAI dashboards over days of traffic",
           bench::BenchDashboards);
  add_days(
      "fill", "makes a folder as days of traffic would have left it",
      [shared](const BenchOptions& options) {
        const auto filled = bench::FillFolder(options.load, shared->output);
        return filled ? kDone : Report(filled.error());
      },
      " --output days --workload genai")
      ->add_option("--output", shared->output, "the folder, for `fluoro serve --data`")
      ->required();
  // How the others merge in a process of its own; not for people.
  CLI::App* merge = group->add_subcommand("merge-ahead")->group("");
  const auto folder = std::make_shared<std::string>();
  merge->add_option("DIR", *folder)->required();
  merge->callback([&action, folder] { action = [=] { return bench::RunMergesAhead(*folder); }; });
}

}  // namespace fluoro::cli
