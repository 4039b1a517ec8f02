// Append and seal of ~700-byte spans: spans/s, CPU-seconds per million spans, bytes per span on
// disk.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include "base/clock.h"
#include "base/fs.h"
#include "base/metrics.h"
#include "base/rng.h"
#include "store/embedded/embedded_store.h"

namespace fluoro::store {
namespace {

constexpr std::size_t kBatchSpans = 500;
constexpr std::size_t kBatches = 100;

std::string Hex(Rng& rng, std::size_t digits) {
  std::string text;
  while (text.size() < digits) text.push_back("0123456789abcdef"[rng.Below(16)]);
  return text;
}

// Ids are random, as SDKs make them: eight bytes of a span and two of a trace cannot be compressed
// away.
model::SpanBatch MakeServiceBatch(Rng& rng, std::int64_t now_ns) {
  model::SpanBatch batch;
  model::ResourceRow resource;
  const std::uint32_t begin = batch.AttributesEnd();
  const std::string service = "service-" + std::to_string(rng.Below(60));
  batch.AddString("service.name", service);
  batch.AddString("service.version", "1.4." + std::to_string(rng.Below(5)));
  batch.AddString("k8s.pod.name", service + "-7d9f-" + std::to_string(rng.Below(12)));
  batch.AddString("k8s.namespace.name", "production");
  batch.AddString("host.name", "ip-10-0-0-" + std::to_string(rng.Below(40)));
  batch.AddString("telemetry.sdk.language", "go");
  resource.attributes = {begin, batch.AttributesEnd()};
  resource.service = batch.AddText(service);
  const std::uint32_t resource_index = batch.AddResource(resource);
  model::ScopeRow scope;
  scope.name = batch.AddText("otelhttp");
  scope.version = batch.AddText("0.46");
  const std::uint32_t scope_index = batch.AddScope(scope);
  model::TraceId trace;
  model::SpanId parent;
  for (std::size_t i = 0; i < kBatchSpans; ++i) {
    if (i % 9 == 0) {
      for (auto& byte : trace.bytes) byte = static_cast<std::uint8_t>(rng.Next());
      parent = {};
    }
    model::SpanId id;
    for (auto& byte : id.bytes) byte = static_cast<std::uint8_t>(rng.Next());
    const std::uint32_t span = batch.BeginSpan(trace, id);
    batch.parent_ids[span] = parent;
    if (rng.Chance(0.5)) parent = id;
    batch.start_ns[span] = now_ns + static_cast<std::int64_t>(rng.Below(1'000'000'000));
    batch.end_ns[span] = batch.start_ns[span] + static_cast<std::int64_t>(rng.Below(50'000'000));
    const std::string route = "/api/v1/resource-" + std::to_string(rng.Below(40));
    batch.names[span] = batch.AddText("GET " + route);
    batch.kinds[span] = static_cast<model::SpanKind>(1 + rng.Below(3));
    batch.resources[span] = resource_index;
    batch.scopes[span] = scope_index;
    batch.AddString("http.request.method", rng.Chance(0.8) ? "GET" : "POST");
    batch.AddString("http.route", route);
    batch.AddString("url.path", route + "/" + std::to_string(rng.Below(100'000)));
    batch.AddInt("http.response.status_code", rng.Chance(0.97) ? 200 : 500);
    batch.AddString("server.address", "api.internal.example.com");
    batch.AddInt("server.port", 8443);
    batch.AddString("user_agent.original",
                    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/" +
                        std::to_string(100 + rng.Below(20)));
    batch.AddString("user.id", "user-" + std::to_string(rng.Below(20'000)));
    batch.AddString("request.id", Hex(rng, 12));
    batch.AddString("db.statement",
                    "SELECT * FROM orders WHERE tenant = " + std::to_string(rng.Below(500)) +
                        " AND state = 'open' LIMIT 50");
    batch.AddInt("http.response.body.size", static_cast<std::int64_t>(rng.Below(20'000)));
    batch.AddString("thread.name", "worker-" + std::to_string(rng.Below(16)));
    batch.EndSpan(span);
  }
  return batch;
}

std::shared_ptr<crypto::Keyring> MakeKeys() {
  auto keys = std::make_shared<crypto::Keyring>();
  (void)keys->Add("bench", crypto::Secret::Random());
  (void)keys->Use("bench");
  return keys;
}

double CpuSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

// Argument: 1 with encryption.
void AppendAndSeal(benchmark::State& state) {
  Rng rng(1);
  std::vector<model::SpanBatch> batches;
  std::uint64_t raw_bytes = 0;
  for (std::size_t i = 0; i < kBatches; ++i) {
    batches.push_back(MakeServiceBatch(
        rng, 1'700'000'000'000'000'000 + static_cast<std::int64_t>(i) * 100'000'000));
    raw_bytes += batches.back().MemoryBytes();
  }
  const auto fs = MakePosixFs();
  std::uint64_t spans = 0;
  std::uint64_t block_bytes = 0;
  std::uint64_t wal_bytes = 0;
  double append_cpu = 0;
  double seal_cpu = 0;
  for (auto iteration : state) {
    state.PauseTiming();
    std::string folder = (std::filesystem::temp_directory_path() / "fluoro-bench-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) return state.SkipWithError("no folder");
    ManualClock clock(1'700'000'100'000'000'000);
    Metrics metrics;
    EmbeddedOptions options;
    options.folder = folder;
    options.background_thread = false;
    options.memory_bytes = std::uint64_t{4} << 30;
    if (state.range(0) != 0) options.keys = MakeKeys();
    auto store = *OpenEmbeddedStore(*fs, clock, metrics, options);
    auto copies = batches;
    state.ResumeTiming();
    const double begin = CpuSeconds();
    for (auto& batch : copies) {
      if (!store->Append(std::move(batch), Durability::kSynced))
        return state.SkipWithError("append failed");
    }
    const double appended = CpuSeconds();
    if (!store->SealAll()) return state.SkipWithError("seal failed");
    const double sealed = CpuSeconds();
    state.PauseTiming();
    append_cpu += appended - begin;
    seal_cpu += sealed - appended;
    spans += kBatches * kBatchSpans;
    wal_bytes +=
        static_cast<std::uint64_t>(metrics.GetCounter("fluoro_store_wal_bytes_total", "").value());
    block_bytes +=
        static_cast<std::uint64_t>(metrics.GetGauge("fluoro_store_block_bytes", "").value());
    store.reset();
    std::filesystem::remove_all(folder);
    state.ResumeTiming();
  }
  const auto count = static_cast<double>(spans);
  state.SetItemsProcessed(static_cast<std::int64_t>(spans));
  state.counters["block_bytes_per_span"] = static_cast<double>(block_bytes) / count;
  state.counters["wal_bytes_per_span"] = static_cast<double>(wal_bytes) / count;
  state.counters["memory_bytes_per_span"] =
      static_cast<double>(raw_bytes) / static_cast<double>(kBatches * kBatchSpans);
  state.counters["append_cpu_s_per_million"] = append_cpu / count * 1e6;
  state.counters["seal_cpu_s_per_million"] = seal_cpu / count * 1e6;
}
BENCHMARK(AppendAndSeal)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond)->UseRealTime();

// Argument: 1 with encryption.
void ReadTraces(benchmark::State& state) {
  Rng rng(1);
  const auto fs = MakePosixFs();
  std::string folder = (std::filesystem::temp_directory_path() / "fluoro-bench-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return state.SkipWithError("no folder");
  {
    ManualClock clock(1'700'000'100'000'000'000);
    Metrics metrics;
    EmbeddedOptions options;
    options.folder = folder;
    options.background_thread = false;
    options.memory_bytes = std::uint64_t{4} << 30;
    if (state.range(0) != 0) options.keys = MakeKeys();
    auto store = *OpenEmbeddedStore(*fs, clock, metrics, options);
    std::vector<model::TraceId> ids;
    for (std::size_t i = 0; i < 20; ++i) {
      auto batch = MakeServiceBatch(rng, 1'700'000'000'000'000'000);
      ids.push_back(batch.trace_ids[0]);
      (void)store->Append(std::move(batch), Durability::kSynced);
    }
    (void)store->SealAll();
    std::size_t next = 0;
    for (auto iteration : state) {
      benchmark::DoNotOptimize(store->ReadTrace(ids[next++ % ids.size()]));
    }
  }
  std::filesystem::remove_all(folder);
}
BENCHMARK(ReadTraces)->Arg(0)->Arg(1)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace fluoro::store
