#include "cli/bench/bench_options.h"

#include <fmt/format.h>
#include <simdjson.h>

#include "base/clock.h"
#include "base/fs.h"
#include "net/http_client.h"
#include "store/embedded/embedded_store.h"

namespace fluoro::cli::bench {
namespace {

// Those that were sent. What an answer adds for services that do not report has no attributes.
std::uint64_t CountSpansOf(simdjson::simdjson_result<simdjson::dom::element> trace) {
  simdjson::dom::array spans;
  if (trace["spans"].get(spans) != simdjson::SUCCESS) return 0;
  std::uint64_t count = 0;
  for (const auto span : spans) {
    simdjson::dom::object attributes;
    if (span["attributes"].get(attributes) == simdjson::SUCCESS && attributes.size() > 0) ++count;
  }
  return count;
}

}  // namespace

Result<Asked> Ask(const ServerProcess& server, const std::string& path, std::string body) {
  net::HttpCall call;
  call.method = "POST";
  call.url = "http://" + server.ports().http + path;
  call.headers["content-type"] = "application/json";
  call.body = std::move(body);
  call.timeout_ns = 600 * kNsPerSecond;
  const double cpu_before = server.CostNow().cpu_seconds;
  const std::int64_t begin_ns = SystemClock().MonotonicNs();
  FLUORO_TRY(auto answer, net::Call(call));
  Asked asked;
  asked.took_ns = SystemClock().MonotonicNs() - begin_ns;
  asked.cpu_seconds = server.CostNow().cpu_seconds - cpu_before;
  if (answer.status != 200)
    return Fail(ErrorCode::kUnavailable, fmt::format("{}: {}", answer.status, answer.body));
  asked.answer = std::move(answer.body);
  return asked;
}

Result<void> FindAgain(const ServerProcess& server, const std::vector<Sample::Trace>& traces) {
  simdjson::dom::parser parser;
  for (const Sample::Trace& trace : traces) {
    net::HttpCall call;
    call.url = "http://" + server.ports().http + "/ui/api/trace/" + trace.id;
    FLUORO_TRY(const auto answer, net::Call(call));
    const simdjson::padded_string text(answer.body);
    if (answer.status != 200 || CountSpansOf(parser.parse(text)) != trace.spans) {
      return Fail(ErrorCode::kCorruption,
                  fmt::format("trace {} was acknowledged with {} spans; the answer is {} {:.200}",
                              trace.id, trace.spans, answer.status, answer.body));
    }
  }
  return {};
}

Result<std::uint64_t> CountSpans(const ServerProcess& server) {
  const auto fs = MakePosixFs();
  FLUORO_TRY(const auto report, store::VerifyFolder(*fs, server.data_folder()));
  std::uint64_t spans = 0;
  for (const auto& item : report.items) {
    if (!item.problem.empty()) return Fail(ErrorCode::kCorruption, item.file + ": " + item.problem);
    if (item.file.starts_with("blocks/")) spans += item.spans;
  }
  return spans;
}

}  // namespace fluoro::cli::bench
