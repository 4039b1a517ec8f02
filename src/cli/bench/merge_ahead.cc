#include "cli/bench/merge_ahead.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/metrics.h"
#include "cli/exit_code.h"
#include "store/embedded/embedded_store.h"

namespace fluoro::cli::bench {
namespace {

class AheadClock final : public Clock {
 public:
  explicit AheadClock(std::int64_t ahead_ns) : ahead_ns_(ahead_ns) {}
  [[nodiscard]] std::int64_t UnixNs() const override { return clock_.UnixNs() + ahead_ns_; }
  [[nodiscard]] std::int64_t MonotonicNs() const override { return clock_.MonotonicNs(); }

 private:
  SystemClock clock_;
  std::int64_t ahead_ns_;
};

Result<void> Merge(const std::string& folder) {
  store::EmbeddedOptions options;
  options.folder = folder;
  options.background_thread = false;
  const AheadClock clock(2 * options.merge.window_ns[1]);
  const auto fs = MakePosixFs();
  Metrics metrics;
  FLUORO_TRY(const auto store, store::OpenEmbeddedStore(*fs, clock, metrics, options));
  FLUORO_CHECK_OK(store->RunMaintenance());
  return store->Close();
}

}  // namespace

int RunMergesAhead(const std::string& folder) {
  const auto merged = Merge(folder);
  return merged ? kDone : Report(merged.error());
}

}  // namespace fluoro::cli::bench
