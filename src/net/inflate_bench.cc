// What a compressed body costs: honest ones by the byte, bombs of 1 MiB until they are refused.
// The goal for a bomb is 100 ms of CPU at the default bound of 64 MiB; `cpu_ms` shows it.
#include "net/inflate.h"

#include <benchmark/benchmark.h>

#include <ctime>

#include <fmt/format.h>

#include "net/compress_for_test.h"

namespace fluoro::net {
namespace {

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

void InflateBody(benchmark::State& state, Coding coding, const std::string& body, bool refused) {
  std::size_t out_bytes = 0;
  const double begin = CpuSeconds();
  for (auto _ : state) {
    ByteCharge charge;
    const auto undone = Inflate(coding, body, {}, charge);
    if (undone.has_value() == refused) state.SkipWithError("the other outcome was expected");
    if (undone) out_bytes = undone->size();
  }
  state.counters["cpu_ms"] = (CpuSeconds() - begin) * 1e3 /
                             static_cast<double>(std::max<std::int64_t>(state.iterations(), 1));
  state.counters["sent_bytes"] = static_cast<double>(body.size());
  if (out_bytes > 0) {
    state.SetBytesProcessed(static_cast<std::int64_t>(out_bytes) *
                            static_cast<std::int64_t>(state.iterations()));
  }
}

/// Spans as OTLP JSON, `mebibytes` of them: compresses about as real bodies do.
std::string Spans(std::size_t mebibytes) {
  std::string out = "[";
  for (std::uint64_t i = 0; out.size() < mebibytes << 20; ++i) {
    out += fmt::format(
        R"({{"traceId":"{:032x}","spanId":"{:016x}","name":"GET /items/{}","kind":2,"startTimeUnixNano":"17000000{:011}",)"
        R"("attributes":[{{"key":"http.request.method","value":{{"stringValue":"GET"}}}}]}},)",
        i / 7 * 0x9e3779b97f4a7c15ULL, i * 0xc2b2ae3d27d4eb4fULL, i % 1000, i * 7919);
  }
  return out + "{}]";
}

/// Up to 1 MiB of one compressed piece after another.
std::string Repeat(const std::string& piece) {
  std::string out;
  while (out.size() + piece.size() <= std::size_t{1} << 20) out += piece;
  return out;
}

void Register(const char* name, Coding coding, std::string body, bool refused) {
  benchmark::RegisterBenchmark(name, [=, body = std::move(body)](benchmark::State& state) {
    InflateBody(state, coding, body, refused);
  })->Unit(benchmark::kMillisecond);
}

const bool kRegistered = [] {
  const std::string zeros(std::size_t{1} << 20, '\0');
  Register("bomb/gzip", Coding::kGzip, GzipBomb(1'000), true);
  Register("bomb/gzip_in_gzip", Coding::kGzip, Gzip(GzipBomb(100'000)), true);
  Register("bomb/gzip_members_of_1MiB", Coding::kGzip, Repeat(Gzip(zeros)), true);
  Register("bomb/gzip_members_of_1KiB", Coding::kGzip, Repeat(Gzip(zeros.substr(0, 16 << 10))),
           true);
  Register("bomb/gzip_empty_members", Coding::kGzip, Repeat(Gzip("")), false);
  Register("bomb/deflate", Coding::kDeflate, Deflate(std::string(std::size_t{1} << 30, '\0'), 15),
           true);
  Register("bomb/zstd", Coding::kZstd, ZstdBomb(10'240), true);
  Register("bomb/zstd_frames", Coding::kZstd, Repeat(Zstd(zeros)), true);
  for (const std::size_t mebibytes : {1UL, 60UL}) {
    const std::string spans = Spans(mebibytes);
    const std::string suffix = std::to_string(mebibytes) + "MiB";
    Register(("honest/gzip_" + suffix).c_str(), Coding::kGzip, Gzip(spans), false);
    Register(("honest/zstd_" + suffix).c_str(), Coding::kZstd, Zstd(spans), false);
  }
  return true;
}();

}  // namespace
}  // namespace fluoro::net
