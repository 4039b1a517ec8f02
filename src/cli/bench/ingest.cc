#include "cli/bench/ingest.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <array>
#include <chrono>
#include <thread>

#include "base/clock.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/terminal.h"
#include "cli/units.h"
#include "net/grpc_client.h"

namespace fluoro::cli::bench {
namespace {

constexpr std::string_view kExportMethod =
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
constexpr std::uint64_t kFoundTraces = 1'000;

struct Row {
  std::string name;
  std::uint64_t spans = 0;
  std::uint64_t wire_bytes = 0;
  double seconds = 0;            // until the last acknowledgement
  double acknowledged_cpu = 0;   // seconds, from the first byte until then
  double sealed_cpu = 0;         // until everything is in blocks
  double merged_before_cpu = 0;  // of that: merges
  double merged_cpu = 0;         // until nothing is left to merge
  std::uint64_t block_bytes = 0;
  std::uint64_t folder_bytes = 0;
  std::uint64_t peak_rss_bytes = 0;
  std::uint64_t merge_peak_rss_bytes = 0;
  /// Until everything is in blocks, without merges: what a peer that only inserts is held against.
  [[nodiscard]] double insert_cpu() const { return sealed_cpu - merged_before_cpu; }
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

std::vector<Request> Compress(const std::vector<Request>& requests,
                              std::string (*compress)(std::string_view)) {
  std::vector<Request> compressed;
  compressed.reserve(requests.size());
  for (const auto& request : requests)
    compressed.push_back({.body = compress(request.body), .spans = request.spans});
  return compressed;
}

Result<void> SendGrpc(const BoundPorts& ports, const std::vector<Request>& requests) {
  return SendAll(requests, [&ports]() -> Send {
    auto client = std::make_shared<net::GrpcClient>(ports.otlp_grpc);
    return [client](const Request& request) -> Result<void> {
      net::GrpcClient::Answer answer;
      for (int attempt = 0; attempt < 500; ++attempt) {
        FLUORO_TRY(answer, client->Call(std::string(kExportMethod), request.body));
        if (answer.code == 0) return {};
        if (answer.code != 14 && answer.code != 8) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
      return Fail(ErrorCode::kUnavailable, fmt::format("a request was refused: gRPC status {}, {}",
                                                       answer.code, answer.message));
    };
  });
}

struct Variant {
  std::string_view name;
  std::string (*compress)(std::string_view);
  Result<void> (*send)(const BoundPorts& ports, const std::vector<Request>& requests);
};
constexpr std::array kVariants{
    Variant{"otlp-http", nullptr, [](const auto& p, const auto& r) { return SendHttp(p, r, ""); }},
    Variant{"otlp-http-gzip", Gzip,
            [](const auto& p, const auto& r) { return SendHttp(p, r, "gzip"); }},
    Variant{"otlp-http-zstd", Zstd,
            [](const auto& p, const auto& r) { return SendHttp(p, r, "zstd"); }},
    Variant{"otlp-grpc", nullptr, SendGrpc},
};

Result<Row> Measure(const Variant& variant, const std::vector<Request>& requests,
                    const std::vector<Sample::Trace>& sample, const std::optional<Cores>& cores) {
  FLUORO_TRY(const auto server, ServerProcess::Start(cores));
  Row row;
  row.name = variant.name;
  for (const auto& request : requests) {
    row.spans += request.spans;
    row.wire_bytes += request.body.size();
  }
  const double cpu_before = server->CostNow().cpu_seconds;
  const std::int64_t begin_ns = SystemClock().MonotonicNs();
  if (const auto sent = variant.send(server->ports(), requests); !sent)
    return Fail(sent.error().code, row.name + ": " + sent.error().message);
  row.seconds = static_cast<double>(SystemClock().MonotonicNs() - begin_ns) / 1e9;
  row.acknowledged_cpu = server->CostNow().cpu_seconds - cpu_before;
  row.merged_before_cpu = server->ThreadSeconds("merge");
  FLUORO_TRY(const auto cost, server->Stop());  // seals
  row.sealed_cpu = cost.cpu_seconds - cpu_before;
  row.peak_rss_bytes = cost.peak_rss_bytes;
  FLUORO_TRY(const auto merging, server->Merge());
  row.merged_cpu = row.sealed_cpu + merging.cpu_seconds;
  row.merge_peak_rss_bytes = merging.peak_rss_bytes;
  row.block_bytes = server->BlockBytes();
  row.folder_bytes = server->FolderBytes();
  FLUORO_TRY(const std::uint64_t found, CountSpans(*server));
  if (found != row.spans) {
    return Fail(ErrorCode::kCorruption, fmt::format("{}: {} spans were acknowledged, {} are found",
                                                    row.name, row.spans, found));
  }
  FLUORO_CHECK_OK(server->StartAgain());
  FLUORO_CHECK_OK(FindAgain(*server, sample));
  return row;
}

void PrintRow(const Row& row, bool json) {
  const auto spans = static_cast<double>(row.spans);
  const auto each = [spans](std::uint64_t bytes) { return static_cast<double>(bytes) / spans; };
  if (!json) {
    Print(fmt::format("{:<16}{:>10}{:>11.0f}{:>13.0f}{:>13.2f}{:>13.1f}{:>13.1f}{:>12}\n", row.name,
                      row.spans, spans / row.seconds, spans / row.insert_cpu(),
                      row.merged_cpu / spans * 1e6, each(row.wire_bytes), each(row.folder_bytes),
                      FormatBytes(row.peak_rss_bytes)));
    return;
  }
  JsonWriter out;
  out.BeginObject().Key("name").String(row.name).Key("spans").Uint(row.spans);
  out.Key("found").Uint(row.spans);
  out.Key("spans_per_second").Double(spans / row.seconds);
  out.Key("spans_per_second_per_core").Double(spans / row.insert_cpu());
  out.Key("cpu_seconds_per_million_spans").Double(row.merged_cpu / spans * 1e6);
  out.Key("acknowledged_cpu_seconds").Double(row.acknowledged_cpu);
  out.Key("sealed_cpu_seconds").Double(row.sealed_cpu);
  out.Key("merged_before_cpu_seconds").Double(row.merged_before_cpu);
  out.Key("merged_cpu_seconds").Double(row.merged_cpu);
  out.Key("wire_bytes_per_span").Double(each(row.wire_bytes));
  out.Key("disk_bytes_per_span").Double(each(row.folder_bytes));
  out.Key("block_bytes_per_span").Double(each(row.block_bytes));
  out.Key("peak_rss_bytes").Uint(row.peak_rss_bytes);
  out.Key("merge_peak_rss_bytes").Uint(row.merge_peak_rss_bytes).EndObject();
  Print(out.Take() + "\n");
}

Result<void> Ingest(const BenchOptions& options) {
  RequestStream stream(options.load, SystemClock().UnixNs());
  const std::vector<Request> requests = Take(stream);
  Rng rng(options.load.seed);
  const auto sample = stream.sample().Draw(kFoundTraces, rng);
  if (!options.json)
    Print(fmt::format("{:<16}{:>10}{:>11}{:>13}{:>13}{:>13}{:>13}{:>12}\n", "protocol",
                      "sent=found", "spans/s", "a CPU-second", "CPU-s/M all", "wire B/span",
                      "disk B/span", "peak RSS"));
  bool any = false;
  for (const Variant& variant : kVariants) {
    if (!options.protocol.empty() && options.protocol != variant.name) continue;
    any = true;
    FLUORO_TRY(const Row row,
               variant.compress == nullptr
                   ? Measure(variant, requests, sample, options.cores)
                   : Measure(variant, Compress(requests, variant.compress), sample, options.cores));
    PrintRow(row, options.json);
  }
  if (!any) return Fail(ErrorCode::kInvalidArgument, "no such protocol: " + options.protocol);
  return {};
}

}  // namespace

int BenchIngest(const BenchOptions& options) {
  const auto done = Ingest(options);
  return done ? kDone : Report(done.error());
}

}  // namespace fluoro::cli::bench
