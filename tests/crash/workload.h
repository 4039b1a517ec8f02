// The standard workload of the fault tests: appends, seals, deletes, retention, reopening, on a
// FaultyFs.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/faulty_fs.h"
#include "base/metrics.h"
#include "ledger.h"
#include "store/embedded/embedded_store.h"

namespace fluoro::crash {

/// Small thresholds, so that a short run seals, merges and rolls its log often; no thread of its
/// own but the log's, which works only while its caller waits: runs repeat exactly.
store::EmbeddedOptions SmallOptions();
/// Tail policies from then on: traces with a fault stay, of the others kThinnedFraction.
void Thin(store::EmbeddedOptions& options);

/// One machine: a disk that survives its crashes, and a clock.
struct Machine {
  FaultyFs fs;
  ManualClock clock{1'700'010'000'000'000'000};
  store::EmbeddedOptions options = SmallOptions();

  /// Encrypts from now on, under the first of the keys "a" and "b".
  void Encrypt();

  Result<std::unique_ptr<store::EmbeddedStore>> Open();
};

/// Opens what is on the disk, checks it against the ledger, closes it and verifies every checksum.
/// One line for each thing that is wrong.
std::vector<std::string> CheckDisk(Machine& machine, const Ledger& ledger);
/// One line each.
std::string Joined(const std::vector<std::string>& lines);

/// Of all machines: making a registry takes longer than a run.
Metrics& SharedMetrics();

/// Keys "a" and "b", or one of them; the first named is in use.
std::shared_ptr<crypto::Keyring> MakeKeys(std::string_view names);

/// Runs the workload, noting in the ledger what was answered. With `stop_on_crash` it ends where
/// the power went; without it goes on through single failures.
void RunWorkload(Machine& machine, Ledger& ledger);

}  // namespace fluoro::crash
