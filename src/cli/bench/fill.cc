#include "cli/bench/fill.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/metrics.h"
#include "cli/command.h"
#include "cli/terminal.h"
#include "codec/otlp/otlp.h"
#include "store/embedded/embedded_store.h"

namespace fluoro::cli::bench {
namespace {

// The clock waits for maintenance so often.
constexpr std::int64_t kStepNs = 60 * kNsPerSecond;

}  // namespace

Result<void> FillFolder(const LoadOptions& options, const std::string& folder) {
  const std::int64_t now_ns = SystemClock().UnixNs();
  RequestStream stream(options, now_ns);
  ManualClock clock(stream.next_start_ns());
  const auto fs = MakePosixFs();
  Metrics metrics;
  store::EmbeddedOptions store_options;
  store_options.folder = folder;
  store_options.sync = store::SyncPolicy::kOff;
  store_options.background_thread = false;
  store_options.retention_ns = INT64_MAX / 2;
  FLUORO_TRY(const auto store, store::OpenEmbeddedStore(*fs, clock, metrics, store_options));
  std::uint64_t sent = 0;
  std::int64_t maintained_ns = clock.UnixNs();
  Progress progress("storing spans");
  while (const auto request = stream.Next()) {
    FLUORO_TRY(auto decoded,
               codec::otlp::DecodeTraces(request->body, codec::otlp::Encoding::kProtobuf, {}));
    FLUORO_CHECK_OK(store->Append(std::move(decoded.batch), store::Durability::kWritten));
    sent += request->spans;
    clock.Advance(std::max<std::int64_t>(0, stream.next_start_ns() - clock.UnixNs()));
    if (clock.UnixNs() - maintained_ns < kStepNs) continue;
    FLUORO_CHECK_OK(store->RunMaintenance());
    maintained_ns = clock.UnixNs();
    progress.Update(fmt::format("{} of {}", sent, options.spans));
  }
  return store->Close();
}

}  // namespace fluoro::cli::bench
