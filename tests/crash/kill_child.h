// The process that is killed: four writers, seals, merges, deletions and retention on real files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "killing_fs.h"
#include "model/span.h"
#include "store/embedded/embedded_store.h"

namespace fluoro::crash {

inline constexpr std::uint64_t kWriters = 4;
inline constexpr std::int64_t kKillRetentionNs = 5 * kNsPerSecond / 2;

/// A batch is known by its number alone: cycle, writer and place.
constexpr std::uint64_t BatchNumber(std::uint64_t cycle, std::uint64_t writer,
                                    std::uint64_t index) {
  return cycle << 24 | writer << 20 | index;
}
inline constexpr std::uint64_t kBatchesMax = 1U << 20;  ///< of one writer in one cycle
/// Its spans, always the same. Neighbours share traces.
std::vector<model::Span> SpansOfBatch(std::uint64_t number);
/// Of a span that SpansOfBatch made.
std::uint64_t BatchOfSpan(const model::SpanId& span);
/// Trace of a writer, by the place of the batches that hold most of it.
model::TraceId KillTraceId(std::uint64_t number);

/// What the child says through its pipe, each line with one write.
struct LedgerLine {
  enum class Kind : std::uint64_t { kSending, kStored, kDeleting, kDeleted, kPoint } kind;
  std::uint64_t number = 0;  ///< of the batch, or of the batch after which KillTraceId goes
  std::int64_t time_ns = 0;
};

/// Thresholds of milliseconds, so that all of the store's life passes in a cycle.
store::EmbeddedOptions KillOptions(const std::string& folder);

struct ChildOptions {
  std::string folder;
  std::uint64_t cycle = 0;
  int ledger_fd = -1;
  bool load = true;  ///< false: opens the store, closes it and ends
  KillPlan plan;
  std::uint64_t allocation = 0;  ///< the n-th fails, and with it the process; 0: none
};
/// Runs until it is killed.
int RunChild(const ChildOptions& options);

}  // namespace fluoro::crash
