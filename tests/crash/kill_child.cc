#include "kill_child.h"

#include <unistd.h>

#include <thread>

#include "base/log.h"
#include "failing_allocation.h"
#include "store/testing.h"

namespace fluoro::crash {
namespace {

constexpr std::uint64_t kBatchesATrace = 5;
constexpr std::uint64_t kSpansMax = 64;  // of a batch

void Say(int fd, LedgerLine line) {
  line.time_ns = SystemClock().UnixNs();
  // Less than a pipe takes at once: whole or not at all.
  if (::write(fd, &line, sizeof(line)) != sizeof(line)) ::_exit(3);
}

class Writer {
 public:
  Writer(store::EmbeddedStore& store, const ChildOptions& options, std::uint64_t writer)
      : store_(store),
        options_(options),
        writer_(writer),
        rng_(BatchNumber(options.cycle, writer, 0)) {}

  void Run() {
    for (std::uint64_t index = 0; index < kBatchesMax; ++index) {
      const std::uint64_t number = BatchNumber(options_.cycle, writer_, index);
      Send(number);
      if (index > 0 && rng_.Chance(0.05)) Send(number - 1);
      // Of a trace that no batch to come belongs to.
      if (index > 4 * kBatchesATrace && rng_.Chance(0.05)) Delete(number - 4 * kBatchesATrace);
    }
  }

 private:
  void Send(std::uint64_t number) {
    Say(options_.ledger_fd, {.kind = LedgerLine::Kind::kSending, .number = number});
    const auto batch = store::testing::MakeBatch(SpansOfBatch(number));
    if (store_.Append(batch, store::Durability::kSynced))
      Say(options_.ledger_fd, {.kind = LedgerLine::Kind::kStored, .number = number});
  }
  void Delete(std::uint64_t number) {
    Say(options_.ledger_fd, {.kind = LedgerLine::Kind::kDeleting, .number = number});
    if (store_.Delete(std::vector{KillTraceId(number)}))
      Say(options_.ledger_fd, {.kind = LedgerLine::Kind::kDeleted, .number = number});
  }

  store::EmbeddedStore& store_;
  const ChildOptions& options_;
  const std::uint64_t writer_;
  Rng rng_;
};

}  // namespace

model::TraceId KillTraceId(std::uint64_t number) {
  return store::testing::MakeTraceId((number / kBatchesATrace * kBatchesATrace) + 1);
}

std::vector<model::Span> SpansOfBatch(std::uint64_t number) {
  Rng rng(number);
  std::vector<model::Span> spans;
  const std::uint64_t count = rng.Chance(0.02) ? 40 + rng.Below(kSpansMax - 40) : 1 + rng.Below(6);
  for (std::uint64_t i = 0; i < count; ++i) {
    // Some come late: the trace before this one goes on.
    const bool late = number % kBatchesMax >= kBatchesATrace && rng.Chance(0.15);
    auto span = store::testing::RandomSpan(
        rng, KillTraceId(late ? number - kBatchesATrace : number), number * kSpansMax + i);
    span.flags = 0;  // every span has an id of its own: none replaces another
    spans.push_back(std::move(span));
  }
  return spans;
}

std::uint64_t BatchOfSpan(const model::SpanId& span) {
  std::uint64_t number = 0;
  for (const std::uint8_t byte : span.bytes) number = number << 8 | byte;
  return number / kSpansMax;
}

store::EmbeddedOptions KillOptions(const std::string& folder) {
  store::EmbeddedOptions options;
  options.folder = folder;
  options.memory_bytes = std::uint64_t{64} << 20;
  options.retention_ns = kKillRetentionNs;
  options.seal_idle_ns = 15 * kNsPerMs;
  options.seal_age_ns = 50 * kNsPerMs;
  options.merge.window_ns[0] = 100 * kNsPerMs;
  options.merge.window_ns[1] = 500 * kNsPerMs;
  options.merge.fan_in = 4;
  options.merge.copy_spans = 200;
  options.wal_file_bytes = std::uint64_t{64} << 10;
  options.wal_allocate_bytes = std::uint64_t{16} << 10;
  return options;
}

int RunChild(const ChildOptions& options) {
  log::SetLevel(log::Level::kOff);
  FailAllocation(options.allocation);
  KillingFs fs(options.plan, [&] {
    Say(options.ledger_fd, {.kind = LedgerLine::Kind::kPoint,
                            .number = static_cast<std::uint64_t>(options.plan.point)});
  });
  const SystemClock clock;
  Metrics metrics;
  store::EmbeddedOptions store_options = KillOptions(options.folder);
  store_options.background_thread = options.cycle % 2 == 0;
  auto opened = store::OpenEmbeddedStore(fs, clock, metrics, store_options);
  if (!opened) {
    std::fprintf(stderr, "kill_child: %s\n", opened.error().message.c_str());
    return 2;
  }
  if (!options.load) return 0;
  store::EmbeddedStore& store = **opened;
  std::vector<std::jthread> threads;
  for (std::uint64_t writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([&, writer] { Writer(store, options, writer).Run(); });
  }
  threads.emplace_back([&] {
    for (;;) {
      (void)store.RunMaintenance();
      std::this_thread::sleep_for(std::chrono::milliseconds(3));
    }
  });
  threads.clear();  // never: the process is killed
  return 0;
}

}  // namespace fluoro::crash
