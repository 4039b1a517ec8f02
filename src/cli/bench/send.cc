#include "cli/bench/send.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "model/ids.h"

namespace fluoro::cli::bench {
namespace {

constexpr std::uint64_t kNamedTraces = 1'000;

Result<void> SendTo(const BenchOptions& options, const std::string& address) {
  RequestStream stream(options.load, SystemClock().UnixNs());
  const std::vector<Request> requests = Take(stream);
  BoundPorts ports;
  ports.otlp_http = address;
  const std::int64_t begin_ns = SystemClock().MonotonicNs();
  FLUORO_CHECK_OK(SendHttp(ports, requests, ""));
  const double seconds = static_cast<double>(SystemClock().MonotonicNs() - begin_ns) / 1e9;
  std::uint64_t spans = 0;
  std::uint64_t wire_bytes = 0;
  for (const Request& request : requests) {
    spans += request.spans;
    wire_bytes += request.body.size();
  }
  const double rate = static_cast<double>(spans) / seconds;
  const double bytes_each = static_cast<double>(wire_bytes) / static_cast<double>(spans);
  if (!options.json) {
    Print(fmt::format("{} spans of {:.0f} bytes acknowledged, {:.0f} a second\n", spans, bytes_each,
                      rate));
    return {};
  }
  JsonWriter out;
  out.BeginObject().Key("name").String("send").Key("spans").Uint(spans);
  out.Key("seconds").Double(seconds).Key("spans_per_second").Double(rate);
  out.Key("wire_bytes_per_span").Double(bytes_each).Key("traces").BeginArray();
  Rng rng(options.load.seed);
  for (const Sample::Trace& trace : stream.sample().Draw(kNamedTraces, rng)) {
    FLUORO_TRY(const auto id, model::TraceId::Parse(trace.id));
    out.BeginObject().Key("id").String(id.ToHex()).Key("spans").Uint(trace.spans).EndObject();
  }
  out.EndArray().EndObject();
  Print(out.Take() + "\n");
  return {};
}

}  // namespace

int SendSpans(const BenchOptions& options, const std::string& address) {
  const auto done = SendTo(options, address);
  return done ? kDone : Report(done.error());
}

}  // namespace fluoro::cli::bench
