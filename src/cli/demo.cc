// fluoro demo: a server on a fresh folder, real traffic of a small request graph, and what it
// shows.
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/metrics.h"
#include "cli/command.h"
#include "cli/demo/recorder.h"
#include "cli/demo/services.h"
#include "cli/exit_code.h"
#include "cli/graph_table.h"
#include "cli/json_read.h"
#include "cli/query_options.h"
#include "cli/serve_command.h"
#include "cli/summary_line.h"
#include "cli/terminal.h"
#include "cli/waterfall.h"

namespace fluoro::cli {
namespace {

constexpr int kUsersCount = 4;  ///< who ask at the same time
constexpr int kPatternLength = 20;

struct Options {
  bool json = false;
  bool once = false;
  int requests = 60;
  ServeFlags flags;
};

// A question goes its way; every tenth or so goes wrong in one of the ways of demo::Scenario.
demo::Scenario ScenarioOf(int request) {
  using enum demo::Scenario;
  static constexpr std::array<demo::Scenario, kPatternLength> kPattern{
      kPlain,    kPlain,    kCacheHit,  kPlain, kModelThrottled, kPlain, kToolTimeout,
      kCacheHit, kPlain,    kToolFault, kPlain, kLongAnswer,     kPlain, kBadRequest,
      kPlain,    kCacheHit, kPlain,     kPlain, kModelTimeout,   kPlain};
  return kPattern[static_cast<std::size_t>(request) % kPattern.size()];
}

Result<void> SendTraffic(demo::Services& services, demo::Recorder& recorder, int requests) {
  static constexpr std::array kTenants{"acme", "globex", "initech"};
  static constexpr std::array kQuestions{
      "Will it rain in Lisbon", "What is the sum of the invoices", "How far is the next station"};
  std::atomic<int> next{0};
  std::atomic<int> failed{0};
  {
    std::vector<std::jthread> users;
    users.reserve(kUsersCount);
    for (int user = 0; user < kUsersCount; ++user) {
      users.emplace_back([&] {
        for (int i = next.fetch_add(1, std::memory_order_relaxed); i < requests;
             i = next.fetch_add(1, std::memory_order_relaxed)) {
          const demo::Scenario scenario = ScenarioOf(i);
          // In turns, and another in each round of the pattern: whatever goes wrong meets both
          // arms.
          const bool arm_b = (i + i / kPatternLength) % 2 == 1;
          std::string question = kQuestions[static_cast<std::size_t>(i) % kQuestions.size()];
          if (scenario != demo::Scenario::kCacheHit) question += fmt::format(" ({})", i);
          if (!services.Ask(kTenants[static_cast<std::size_t>(i) % kTenants.size()], question,
                            {.scenario = scenario, .short_context = arm_b}))
            failed.fetch_add(1, std::memory_order_relaxed);
          if (!recorder.Flush()) failed.fetch_add(1, std::memory_order_relaxed);
        }
      });
    }
  }
  if (failed > 0)
    return Fail(ErrorCode::kUnavailable,
                fmt::format("{} requests of the demo could not be made", failed.load()));
  return recorder.Flush();
}

// Nobody lists what the demo's models cost: made up, and put as a person would put them.
Result<void> PutPrices(Source& source) {
  for (
      const char* price :
      {R"({"id":"demo/chat","match":["demo-llm-1"],"valid_from":"2026-01-01","input":0.4,"output":1.6,"cache_read":0.04,"unit":"usd_per_1m_tokens"})",
       R"({"id":"demo/embeddings","match":["demo-embed-1"],"valid_from":"2026-01-01","input":0.02,"unit":"usd_per_1m_tokens"})"}) {
    FLUORO_CHECK_OK(source.Post("/ui/api/model-prices", price));
  }
  return {};
}

std::vector<std::string> Lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (!lines.empty()) lines.pop_back();  // the last tells what was examined
  return lines;
}

struct Found {
  std::string line;
  std::string id;
  std::int64_t duration_ns = 0;
};

Result<std::vector<Found>> Search(Source& source, const std::string& expression) {
  QueryOptions query;
  query.expression = expression;
  FLUORO_TRY(
      const std::string body,
      QueryBody(query, {.limit = 1'000, .next_token = {}, .format = {}, .explain = false}, 0));
  FLUORO_TRY(const std::string answer, source.Post("/ui/api/search", body));
  std::vector<Found> found;
  simdjson::dom::parser parser;
  for (std::string& line : Lines(answer)) {
    const simdjson::padded_string padded(line);
    simdjson::dom::element summary;
    std::string_view id;
    Found one;
    if (parser.parse(padded).get(summary) != simdjson::SUCCESS ||
        summary["trace_id"].get(id) != simdjson::SUCCESS)
      continue;
    one.duration_ns = ReadMember<std::int64_t>(summary, "duration_ns", 0);
    one.id = id;
    one.line = std::move(line);
    found.push_back(std::move(one));
  }
  return found;
}

Result<void> ShowTrace(Source& source, const std::string& id, const Terminal& terminal) {
  FLUORO_TRY(const std::string document, source.Get("/ui/api/trace/" + id));
  FLUORO_TRY(const std::string picture, RenderWaterfall(document, terminal));
  Print(picture + "\n");
  return {};
}

// Everything went by UDP and OTLP: the traces are whole when no root is missing.
Result<void> WaitForTraces(Source& source, std::size_t traces) {
  for (int i = 0; i < 200; ++i) {
    FLUORO_TRY(const auto found, Search(source, "service(id(name: \"gateway\"))"));
    if (found.size() >= traces) return {};
    std::this_thread::sleep_for(std::chrono::milliseconds(25));
  }
  return Fail(ErrorCode::kUnavailable, "the demo's traces did not all arrive");
}

Result<void> Show(Source& source, const BoundPorts& ports, const demo::Recorder::Sent& sent,
                  const Options& options) {
  const Terminal terminal = Terminal::Detect();
  FLUORO_CHECK_OK(WaitForTraces(source, static_cast<std::size_t>(options.requests)));
  FLUORO_TRY(const std::string graph, source.Post("/ui/api/graph", "{}"));
  FLUORO_TRY(auto slow, Search(source, ""));
  FLUORO_TRY(const auto failing, Search(source, "fault"));
  std::ranges::stable_sort(
      slow, [](const Found& a, const Found& b) { return a.duration_ns > b.duration_ns; });
  if (options.json) {
    JsonWriter out;
    out.BeginObject()
        .Key("http")
        .String(ports.http)
        .Key("documents")
        .Uint(sent.documents)
        .Key("spans")
        .Uint(sent.spans);
    out.Key("graph").Raw(graph).Key("slowest").BeginArray();
    for (std::size_t i = 0; i < std::min<std::size_t>(3, slow.size()); ++i) out.Raw(slow[i].line);
    out.EndArray().Key("failing").BeginArray();
    for (const auto& trace : failing) out.Raw(trace.line);
    out.EndArray().EndObject();
    Print(out.Take() + "\n");
    return {};
  }
  const auto title = [&](const std::string& text) {
    Print("\n" + terminal.Paint(text, Ink::kBold) + "\n\n");
  };
  Print(fmt::format(
      "{} requests went through 6 services: {} segment documents by UDP, {} spans by OTLP.\n",
      options.requests, sent.documents, sent.spans));
  title("Service graph");
  FLUORO_TRY(const std::string table, RenderGraph(graph, terminal));
  Print(table);
  title("Slowest traces");
  for (std::size_t i = 0; i < std::min<std::size_t>(2, slow.size()); ++i)
    FLUORO_CHECK_OK(ShowTrace(source, slow[i].id, terminal));
  title(fmt::format("Failing traces ({})", failing.size()));
  if (!failing.empty()) FLUORO_CHECK_OK(ShowTrace(source, failing.front().id, terminal));
  Print(SummaryHeader(terminal) + "\n");
  for (std::size_t i = 0; i < std::min<std::size_t>(5, failing.size()); ++i)
    Print(RenderSummary(failing[i].line, terminal) + "\n");
  title("Try next");
  const std::string server = "http://" + ports.http;
  const std::string slowest = slow.empty() ? "" : slow.front().id;
  Print(fmt::format(
      "  export AWS_ENDPOINT_URL_XRAY={0} AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=any "
      "AWS_SECRET_ACCESS_KEY=any\n"
      "  aws xray get-trace-summaries --start-time $(($(date +%s) - 600)) --end-time $(date +%s) "
      "--filter-expression 'fault = true'\n"
      "  aws xray batch-get-traces --trace-ids {1}\n"
      "  aws xray get-service-graph --start-time $(($(date +%s) - 600)) --end-time $(date +%s)\n\n"
      "  export FLUORO_SERVER={0}\n"
      "  fluoro search 'annotation.tenant = \"acme\" AND responsetime > 0.2'\n"
      "  fluoro trace {1}\n"
      "  fluoro genai ledger\n"
      "  fluoro genai waste\n"
      "  fluoro genai audit {1}\n"
      "  fluoro genai experiments\n"
      "  fluoro tail\n",
      server, slowest));
  return {};
}

Result<std::string> FreshFolder() {
  const char* parent = std::getenv("TMPDIR");
  std::string pattern = std::string(parent == nullptr ? "/tmp" : parent) + "/fluoro-demo-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr)
    return Fail(ErrorCode::kIo, "cannot make a folder like " + pattern);
  return pattern;
}

// The flags' server; where a port is taken that nobody asked for, a free one.
Result<std::unique_ptr<RunningServer>> StartDemoServer(const Options& options,
                                                       const ServerFactory& start_server,
                                                       std::string& folder) {
  FLUORO_TRY(auto resolved, options.flags.Resolve());
  if (!options.flags.values.contains("data")) {
    FLUORO_TRY(resolved.config.data, FreshFolder());
  }
  folder = resolved.config.data;
  if (!options.flags.values.contains("log-level")) resolved.config.log_level = "warn";
  if (!options.flags.values.contains("profile")) resolved.config.profile = control::Profile::kDev;
  auto server = start_server(resolved.config);
  if (server || server.error().code != ErrorCode::kAlreadyExists) return server;
  const std::pair<const char*, std::string*> addresses[] = {
      {"http", &resolved.config.http},
      {"udp", &resolved.config.udp},
      {"otlp-http", &resolved.config.otlp_http},
      {"otlp-grpc", &resolved.config.otlp_grpc}};
  for (const auto& [name, address] : addresses) {
    if (!options.flags.values.contains(name)) *address = "127.0.0.1:0";
  }
  return start_server(resolved.config);
}

int Demo(const Options& options, const ServerFactory& start_server) {
  const sigset_t signals = BlockStopSignals();
  std::string folder;
  auto server = StartDemoServer(options, start_server, folder);
  if (!server) return Report(server.error());
  const BoundPorts& ports = (*server)->ports();
  if (const auto file = options.flags.values.find("ports-file");
      file != options.flags.values.end()) {
    if (const auto written = WritePortsFile(file->second, ports, getpid()); !written)
      return Report(written.error());
  }
  if (ports.http.empty() || ports.udp.empty() || ports.otlp_http.empty()) {
    return Report(
        Error{ErrorCode::kInvalidArgument, "the demo needs the listeners http, udp and otlp-http"});
  }
  std::fprintf(stderr, "%s\nfolder %s\n", ReadyLine(ports).c_str(), folder.c_str());
  Metrics metrics;
  auto recorder = demo::Recorder::Open(ports.udp, "http://" + ports.otlp_http + "/v1/traces");
  if (!recorder) return Report(recorder.error());
  auto source = OpenSource(
      {.server = "http://" + ports.http, .folder = {}, .writable = false, .at_rest_key = {}});
  if (!source) return Report(source.error());
  if (const auto put = PutPrices(**source); !put) return Report(put.error());
  {
    auto services = demo::Services::Start(**recorder, metrics);
    if (!services) return Report(services.error());
    if (const auto sent = SendTraffic(**services, **recorder, options.requests); !sent)
      return Report(sent.error());
    (*services)->Stop();
    if (const auto flushed = (*recorder)->Flush(); !flushed) return Report(flushed.error());
  }
  if (const auto shown = Show(**source, ports, (*recorder)->sent(), options); !shown)
    return Report(shown.error());
  if (!options.once) {
    std::fprintf(stderr, "\nThe server goes on at http://%s; Ctrl-C ends it.\n",
                 ports.http.c_str());
    WaitForSignal(signals);
  }
  const auto stopped = (*server)->Stop();
  return stopped ? kDone : Report(stopped.error());
}

}  // namespace

void AddDemo(const Registry& registry) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = registry.Add(
      "demo",
      "starts a server, sends real traffic of a small request graph through it, shows the answer",
      "  fluoro demo\n"
      "  fluoro demo --requests 500 --once --json | jq .graph",
      options->json);
  command->add_option("--requests", options->requests, "requests to send")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command->add_flag("--once", options->once,
                    "ends after showing instead of leaving the server running");
  options->flags.AddTo(*command);
  Action& action = registry.action;
  const ServerFactory& start_server = registry.start_server;
  command->callback([&action, &start_server, options] {
    action = [&start_server, options] { return Demo(*options, start_server); };
  });
}

}  // namespace fluoro::cli
