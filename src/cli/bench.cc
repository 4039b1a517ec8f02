// fluoro bench ingest: what receiving costs. The server runs in a process of its own; its CPU time,
// memory and disk are measured.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "cli/bench/load.h"
#include "cli/bench/questions.h"
#include "cli/bench/server_process.h"
#include "cli/bench/workload.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/terminal.h"
#include "cli/units.h"
#include "net/grpc_client.h"
#include "net/http_client.h"

namespace fluoro::cli {
namespace {

constexpr std::size_t kDatagramsAhead = 1'024;
constexpr std::string_view kExportMethod =
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

using bench::Request;
using bench::SendAll;
using bench::SendHttp;

struct Row {
  std::string name;
  std::uint64_t spans = 0;
  std::uint64_t received = 0;
  double seconds = 0;
  double cpu_seconds = 0;
  std::uint64_t wire_bytes = 0;
  std::uint64_t disk_bytes = 0;
  std::uint64_t peak_rss_bytes = 0;
};

std::string Gzip(std::string_view bytes) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string Zstd(std::string_view bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 3));
  return out;
}

double MetricSum(const std::string& http, std::string_view name) {
  net::HttpCall call;
  call.url = "http://" + http + "/metrics";
  const auto answer = net::Call(call);
  if (!answer) return 0;
  double sum = 0;
  std::string_view text = answer->body;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.starts_with(name) && (line[name.size()] == '{' || line[name.size()] == ' '))
      sum += std::strtod(std::string(line.substr(line.rfind(' ') + 1)).c_str(), nullptr);
  }
  return sum;
}

using Sender = std::function<bool(const BoundPorts&, const std::vector<Request>&)>;

Result<Row> Measure(const std::string& name, const std::vector<Request>& requests,
                    const Sender& send) {
  FLUORO_TRY(const auto server, bench::ServerProcess::Start({}));
  Row row;
  row.name = name;
  for (const auto& request : requests) {
    row.spans += request.spans;
    row.wire_bytes += request.body.size();
  }
  const std::int64_t begin_ns = SystemClock().MonotonicNs();
  if (!send(server->ports(), requests))
    return Fail(ErrorCode::kUnavailable, name + ": a request was refused");
  row.seconds = static_cast<double>(SystemClock().MonotonicNs() - begin_ns) / 1e9;
  row.received =
      static_cast<std::uint64_t>(MetricSum(server->ports().http, "fluoro_ingest_spans_total"));
  FLUORO_TRY(const auto cost, server->Stop());  // seals, so that the disk holds blocks
  row.cpu_seconds = cost.cpu_seconds;
  row.peak_rss_bytes = cost.peak_rss_bytes;
  row.disk_bytes = server->BlockBytes();
  return row;
}

bool SendGrpc(const BoundPorts& ports, const std::vector<Request>& requests) {
  net::GrpcClient client(ports.otlp_grpc);
  return SendAll(requests, [&](const Request& request) {
    for (int attempt = 0; attempt < 200; ++attempt) {
      const auto answer = client.Call(std::string(kExportMethod), request.body);
      if (!answer) return false;
      if (answer->code == 0) return true;
      if (answer->code != 14 && answer->code != 8) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
  });
}

// As fast as the receiver takes them: never more than kDatagramsAhead in front of what it has
// counted.
bool SendUdp(const BoundPorts& ports, const std::vector<Request>& requests) {
  const auto colon = ports.udp.rfind(':');
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(ports.udp.substr(colon + 1))));
  inet_pton(AF_INET, ports.udp.substr(0, colon).c_str(), &address.sin_addr);
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return false;
  std::size_t sent = 0;
  std::size_t settled = 0;  // counted by the receiver, or given up as lost
  std::size_t counted = 0;
  const auto wait_until_behind = [&](std::size_t behind_max) {
    for (int idle = 0; sent - settled > behind_max && idle < 100;) {
      const auto now = static_cast<std::size_t>(MetricSum(ports.http, "fluoro_ingest_spans_total"));
      idle = now == counted ? idle + 1 : 0;
      settled += now - counted;
      counted = now;
      if (sent - settled > behind_max) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    if (sent - settled > behind_max) settled = sent;
  };
  for (const auto& request : requests) {
    (void)::send(fd, request.body.data(), request.body.size(), 0);
    if (++sent - settled >= kDatagramsAhead) wait_until_behind(kDatagramsAhead / 4);
  }
  wait_until_behind(0);
  ::close(fd);
  return true;
}

std::vector<Request> MakeDatagrams(const bench::LoadOptions& options) {
  bench::Workload workload(options.seed);
  std::vector<Request> datagrams;
  const std::int64_t begin_ns = SystemClock().UnixNs() - 60 * kNsPerSecond;
  const std::uint64_t count = std::min<std::uint64_t>(options.spans, 100'000);
  datagrams.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    datagrams.push_back(
        {"{\"format\":\"json\",\"version\":1}\n" +
             workload.NextDocument(begin_ns + static_cast<std::int64_t>(i) * 20 * kNsPerUs),
         1});
  }
  return datagrams;
}

std::vector<Request> Compress(const std::vector<Request>& requests,
                              std::string (*compress)(std::string_view)) {
  std::vector<Request> compressed;
  compressed.reserve(requests.size());
  for (const auto& request : requests)
    compressed.push_back({compress(request.body), request.spans});
  return compressed;
}

void PrintRow(const Row& row, bool json) {
  const double spans = static_cast<double>(std::max<std::uint64_t>(1, row.received));
  if (json) {
    JsonWriter out;
    out.BeginObject()
        .Key("name")
        .String(row.name)
        .Key("spans")
        .Uint(row.spans)
        .Key("received")
        .Uint(row.received);
    out.Key("spans_per_second")
        .Double(spans / row.seconds)
        .Key("cpu_seconds_per_million_spans")
        .Double(row.cpu_seconds / spans * 1e6);
    out.Key("wire_bytes_per_span")
        .Double(static_cast<double>(row.wire_bytes) / static_cast<double>(row.spans));
    out.Key("disk_bytes_per_span")
        .Double(static_cast<double>(row.disk_bytes) / spans)
        .Key("peak_rss_bytes")
        .Uint(row.peak_rss_bytes)
        .EndObject();
    Print(out.Take() + "\n");
    return;
  }
  Print(fmt::format("{:<18}{:>10}{:>10}{:>12.0f}{:>14.2f}{:>14.0f}{:>14.1f}{:>12}\n", row.name,
                    row.spans, row.received, spans / row.seconds, row.cpu_seconds / spans * 1e6,
                    static_cast<double>(row.wire_bytes) / static_cast<double>(row.spans),
                    static_cast<double>(row.disk_bytes) / spans, FormatBytes(row.peak_rss_bytes)));
}

int BenchIngest(const bench::QuestionOptions& options) {
  const auto requests = bench::MakeOtlpRequests(options);
  if (!options.json) {
    Print(fmt::format("{:<18}{:>10}{:>10}{:>12}{:>14}{:>14}{:>14}{:>12}\n", "protocol", "sent",
                      "received", "spans/s", "CPU-s/M spans", "wire B/span", "disk B/span",
                      "peak RSS"));
  }
  const std::pair<std::string, std::function<Result<Row>()>> variants[] = {
      {"otlp-http",
       [&] {
         return Measure("otlp-http", requests,
                        [](const auto& p, const auto& r) { return SendHttp(p, r, ""); });
       }},
      {"otlp-http gzip",
       [&] {
         return Measure("otlp-http gzip", Compress(requests, Gzip),
                        [](const auto& p, const auto& r) { return SendHttp(p, r, "gzip"); });
       }},
      {"otlp-http zstd",
       [&] {
         return Measure("otlp-http zstd", Compress(requests, Zstd),
                        [](const auto& p, const auto& r) { return SendHttp(p, r, "zstd"); });
       }},
      {"otlp-grpc", [&] { return Measure("otlp-grpc", requests, SendGrpc); }},
      {"xray-udp", [&] { return Measure("xray-udp", MakeDatagrams(options), SendUdp); }},
  };
  for (const auto& [name, run] : variants) {
    const auto row = run();
    if (!row) return Report(row.error());
    PrintRow(*row, options.json);
  }
  return kDone;
}

}  // namespace

void AddBench(const Registry& registry) {
  CLI::App* group = registry.app.add_subcommand("bench", "measures this machine");
  group->set_version_flag("--version", "fluoro " FLUORO_VERSION);
  group->footer("Examples:\n  fluoro bench ingest\n  fluoro bench search --spans 1000000 --json");
  group->require_subcommand(1);
  const auto options = std::make_shared<bench::QuestionOptions>();
  Action& action = registry.action;
  const auto add = [&](const std::string& name, const std::string& description,
                       int (*run)(const bench::QuestionOptions&)) {
    CLI::App* command = group->add_subcommand(name, description);
    command->set_version_flag("--version", "fluoro " FLUORO_VERSION);
    command->add_flag("--json", options->json, "one JSON object a line");
    command->add_option("--spans", options->spans, "spans to send")
        ->check(CLI::Range(1'000, 100'000'000))
        ->capture_default_str();
    command->add_option("--seed", options->seed, "of the generated spans")->capture_default_str();
    command->footer("Examples:\n  fluoro bench " + name + "\n  fluoro bench " + name +
                    " --spans 1000000 --json");
    command->callback([&action, options, run] { action = [=] { return run(*options); }; });
    return command;
  };
  add("ingest", "spans/s, CPU, bytes and memory of receiving, by protocol", BenchIngest);
  add("lookup", "milliseconds of a trace by its id, cold and warm", bench::BenchLookup)
      ->add_option("--lookups", options->lookups, "how many ids to ask for")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  add("search", "spans examined a second and core, by kind of question", bench::BenchSearch);
  add("graph", "spans a second and core of the service graph", bench::BenchGraph);
}

}  // namespace fluoro::cli
