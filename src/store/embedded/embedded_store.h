// The embedded store: write-ahead log, head by trace, immutable blocks. Formats:
// docs/formats/wal.md, docs/formats/block.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/metrics.h"
#include "crypto/keyring.h"
#include "query/tail_filters.h"
#include "store/trace_store.h"

namespace fluoro::store {

enum class SyncPolicy : std::uint8_t { kAlways, kInterval, kOff };

/// Blocks of a time window are joined once it is over, or before if they have become many.
struct MergePolicy {
  /// Windows of arrival in which blocks become one of level 1 and of level 2.
  std::int64_t window_ns[2] = {900 * kNsPerSecond, 7'200 * kNsPerSecond};
  std::size_t fan_in = 15;  ///< blocks joined at once; so many do not wait for the window
  std::uint64_t traces_max = 500'000;  ///< of a merged block; less if the memory wants it
  std::uint64_t bytes_max = std::uint64_t{4} << 30;
  /// A row group of so many spans, or of half its bytes, is copied as it is stored.
  std::uint64_t copy_spans = 4'096;
  /// Sealed blocks that are due to be merged and are not: above the first number appends are
  /// slowed, more the more there are, above the second refused.
  std::size_t due_slow = 60;
  std::size_t due_max = 200;
};

struct EmbeddedOptions {
  std::string folder;
  SyncPolicy sync = SyncPolicy::kAlways;
  std::int64_t retention_ns = 7LL * 24 * 3600 * kNsPerSecond;
  std::uint64_t retention_bytes = UINT64_MAX;
  /// Sums by minute outlive their blocks, within a tenth of retention_bytes.
  std::int64_t rollup_retention_ns = 400LL * 24 * 3600 * kNsPerSecond;
  std::uint64_t memory_bytes = std::uint64_t{512}
                               << 20;  ///< the process's promise; the head gets a quarter
  std::int64_t seal_idle_ns = 10 * kNsPerSecond;
  std::int64_t seal_age_ns = 90 * kNsPerSecond;
  MergePolicy merge;
  /// Everything stays so long after its arrival, whatever tail policies say.
  std::int64_t live_window_ns = 3'600 * kNsPerSecond;
  /// Then these judge it when blocks are merged; null: everything is kept.
  std::shared_ptr<const query::TailFilters> tail_policies;
  bool read_only = false;  ///< no lock, no recovery writes: for `--data DIR` readers
  bool background_thread =
      true;  ///< off: seals and retention run only through RunMaintenance (tests)
  std::uint64_t wal_file_bytes = std::uint64_t{64} << 20;  ///< a log file is followed by the next
  std::uint64_t wal_allocate_bytes = std::uint64_t{4} << 20;  ///< reserved ahead of the log's end
  /// Of encrypted files. The key in use wraps the data keys of new files; none: these are not
  /// encrypted. Null: no keys.
  std::shared_ptr<crypto::Keyring> keys;
};

/// The TraceStore with what only an owner of files can do.
class EmbeddedStore : public TraceStore {
 public:
  /// One pass of sealing and retention at the clock's time, then all merges that are due.
  /// Thread-safe.
  virtual Result<void> RunMaintenance() = 0;
  /// Seals everything in memory now.
  virtual Result<void> SealAll() = 0;
  /// The key, one of EmbeddedOptions::keys, that wraps the data keys of files from the next one on;
  /// empty: they are not encrypted. Maintenance wraps those of older files anew, but encrypts no
  /// data again. Errors: kNotFound, and those of a write.
  virtual Result<void> SetWrappingKey(std::string_view name) = 0;
  /// Empty: new files are not encrypted.
  [[nodiscard]] virtual std::string wrapping_key() = 0;
  /// From the next merge on. What was judged stays judged. Null: everything is kept.
  virtual void SetTailPolicies(std::shared_ptr<const query::TailFilters> policies) = 0;
};

/// Opens or creates the folder, recovers, starts the log thread. A damaged block is set aside and
/// named in Search answers, never a refusal; so is a file whose key is not available, which counts
/// again when it is. Errors: kAlreadyExists (another process holds the
/// folder), kUnsupported (written by a newer version), kIo.
Result<std::unique_ptr<EmbeddedStore>> OpenEmbeddedStore(Fs& fs, const Clock& clock,
                                                         Metrics& metrics,
                                                         const EmbeddedOptions& options);

struct VerifyReport {
  struct Item {
    std::string file;
    std::string problem;     ///< empty: fine
    bool is_locked = false;  ///< the problem is that its key is not available
    std::uint64_t bytes = 0;
    std::uint64_t spans = 0;
    std::uint64_t traces = 0;
  };
  std::vector<Item> items;
  [[nodiscard]] bool ok() const;
};
/// Walks every checksum of a folder. Reads only.
/// @param keys  of encrypted files; null: none.
Result<VerifyReport> VerifyFolder(Fs& fs, std::string_view folder,
                                  const crypto::Keyring* keys = nullptr);

}  // namespace fluoro::store
