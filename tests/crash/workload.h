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

/// One machine: a disk that survives its crashes, and a clock.
struct Machine {
  FaultyFs fs;
  ManualClock clock{1'700'010'000'000'000'000};

  Result<std::unique_ptr<store::EmbeddedStore>> Open();
};

/// Of all machines: making a registry takes longer than a run.
Metrics& SharedMetrics();

/// Runs the workload, noting in the ledger what was answered. With `stop_on_crash` it ends where
/// the power went; without it goes on through single failures.
void RunWorkload(Machine& machine, Ledger& ledger);

}  // namespace fluoro::crash
