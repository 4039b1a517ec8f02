#include "random_workload.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

#include "store/testing.h"

namespace fluoro::crash {
namespace {

using store::testing::MakeTraceId;

constexpr std::uint64_t kLivesMax = 4;  // between two of them the power goes
constexpr std::uint64_t kStepsMax = 30;
constexpr std::uint64_t kCallsMax = 160;  // of a life
constexpr std::uint64_t kRecoveriesCutMax = 5;
constexpr std::uint64_t kRecoveryCallsMax = 30;
constexpr std::uint64_t kOpenTraces = 14;  // among which new spans fall
constexpr std::int64_t kRetentionNs = 3'600 * kNsPerSecond;

template <class T>
std::string Outcome(const Result<T>& result) {
  return result ? "done" : result.error().message;
}

class RandomRun {
 public:
  RandomRun(const RandomRunOptions& options, RandomRunCounts& counts)
      : options_(options), counts_(counts), rng_(options.seed) {
    store::EmbeddedOptions& store = machine_.options;
    store.wal_file_bytes = 3'000 + rng_.Below(16'000);
    store.wal_allocate_bytes = rng_.Chance(0.3) ? 0 : 512 << rng_.Below(5);
    store.merge.fan_in = 2 + rng_.Below(3);
    store.merge.copy_spans = rng_.Chance(0.5) ? 1 + rng_.Below(30) : 4'096;
    store.merge.copy_spans = options.seed % 2 == 1 ? 1 + options.seed / 2 % 10 : 4'096;
    store.retention_ns = kRetentionNs;
    if (options.seed % 3 == 0) Thin(store);
    // Now and then so little memory that the head seals early and replay seals on the way.
    if (rng_.Chance(0.3)) store.memory_bytes = 400'000;
    // None of the runs that are kept since they failed once is among these.
    encrypts_ = options.seed % 7 == 2;
    if (encrypts_) machine_.options.keys = MakeKeys("ab");
  }

  std::vector<std::string> All() {
    machine_.fs.IgnoreSyncs(options_.ignore_syncs);
    for (std::uint64_t life = 1 + rng_.Below(kLivesMax); life > 0; --life) {
      Live();
      LosePower();
      if (encrypts_ && rng_.Chance(0.6)) LiveWithoutAKey();
      CutRecoveries();
      if (auto wrong = CheckAndSettle(); !wrong.empty()) return wrong;
    }
    store_.reset();
    return CheckDisk(machine_, ledger_);
  }

 private:
  [[nodiscard]] bool Off() { return machine_.fs.crashed() || !store_; }

  // The power goes after some call, at the latest after the last step.
  void Live() {
    machine_.fs.CrashAfter(1 + rng_.Below(kCallsMax));
    if (!store_) {
      if (auto opened = machine_.Open()) store_ = *std::move(opened);
    }
    for (std::uint64_t step = 1 + rng_.Below(kStepsMax); step > 0 && !Off(); --step) {
      if (options_.fail_calls && rng_.Chance(0.3)) FailACall();
      Step();
    }
  }

  // The store goes on although it cannot read all that is there; then the power goes again.
  void LiveWithoutAKey() {
    machine_.options.keys = MakeKeys(rng_.Chance(0.5) ? "a" : "b");
    misses_key_ = true;
    Note("a key is missing");
    if (auto opened = machine_.Open()) store_ = *std::move(opened);
    for (std::uint64_t step = 1 + rng_.Below(kStepsMax / 2); step > 0 && !Off(); --step) Step();
    if (!Off() && rng_.Chance(0.3)) Reopen();
    LosePower();
  }

  // One call that is near fails, once.
  void FailACall() {
    const std::uint64_t call = 1 + rng_.Below(8);
    const auto fault = static_cast<FaultyFs::Fault>(rng_.Below(4));
    switch (rng_.Below(4)) {
      case 0:
        machine_.fs.FailChange(call, fault, false);
        break;
      case 1:
        machine_.fs.FailSync(1 + rng_.Below(3));
        break;
      case 2:
        machine_.fs.FailRead(call, false);
        break;
      default:
        machine_.fs.FailLook(call, false);
    }
    ++counts_.faults;
    Note("a call will fail");
  }

  void Step() {
    if (encrypts_ && rng_.Chance(0.1)) return ChangeKey();
    const std::uint64_t dice = rng_.Below(100);
    if (dice < 48) return Append();
    if (dice < 60) return Seal();
    if (dice < 78) return Maintain();
    if (dice < 88) return Delete();
    // What is dropped for its age may return with a key that was missing, and go again.
    if (dice < 93 && misses_key_) return Append();
    if (dice < 91) return DropBefore();
    if (dice < 93) return Expire();
    Reopen();
  }

  void Append() {
    std::vector<model::Span> spans;
    const std::uint64_t traces = 1 + rng_.Below(4);
    for (std::uint64_t i = 0; i < traces; ++i) {
      const std::uint64_t trace = newest_trace_ - rng_.Below(std::min(newest_trace_, kOpenTraces));
      const std::uint64_t count = rng_.Chance(0.06) ? 20 + rng_.Below(50) : 1 + rng_.Below(3);
      for (std::uint64_t n = 0; n < count; ++n) {
        auto span = store::testing::RandomSpan(rng_, MakeTraceId(trace), ++spans_);
        span.flags = 0;  // replacement rules are tested elsewhere: every span has an id of its own
        spans.push_back(std::move(span));
      }
      if (rng_.Chance(0.4)) ++newest_trace_;
    }
    const std::uint64_t times = rng_.Chance(0.08) ? 2 : 1;
    for (std::uint64_t i = 0; i < times && !Off(); ++i) {
      const auto stored =
          store_->Append(store::testing::MakeBatch(spans), store::Durability::kSynced);
      Note("append of " + std::to_string(spans.size()) + " from " + spans[0].span_id.ToHex() +
           " of " + spans[0].trace_id.ToHex() + ": " + Outcome(stored));
      ledger_.Sent(spans, stored ? Ledger::Fate::kDone : Ledger::Fate::kUnknown);
      ++counts_.appends;
    }
    if (rng_.Chance(0.5)) machine_.clock.Advance(Seconds(rng_.Below(9)));
  }
  void Seal() {
    Note("seal: " + Outcome(store_->SealAll()));
    ++counts_.seals;
  }
  void Maintain() {
    machine_.clock.Advance(Seconds(1 + rng_.Below(40)));
    NoteThinning([&] { Note("maintenance: " + Outcome(store_->RunMaintenance())); });
    ledger_.MaybeDropped(may_expire_);
    ++counts_.maintenances;
  }
  // What policies may drop in a maintenance is judged by what was there before it.
  template <class Run>
  void NoteThinning(const Run& run) {
    const auto ids = machine_.options.tail_policies == nullptr ? std::vector<model::TraceId>()
                                                               : ledger_.IdsThinningMayDrop();
    run();
    ledger_.MaybeDropped(ids);
  }
  void Delete() {
    std::vector<model::TraceId> ids;
    for (std::uint64_t i = 1 + rng_.Below(3); i > 0; --i) {
      const std::uint64_t trace = newest_trace_ - rng_.Below(std::min(newest_trace_, kOpenTraces));
      ids.push_back(MakeTraceId(trace));
    }
    const auto deleted = store_->Delete(ids);
    for (const model::TraceId& id : ids)
      Note("deletion of " + id.ToHex() + ": " + Outcome(deleted));
    ledger_.Deleted(ids, deleted ? Ledger::Fate::kDone : Ledger::Fate::kUnknown);
    ++counts_.deletes;
  }
  void DropBefore() {
    machine_.clock.Advance(kNsPerSecond);
    const std::int64_t now = machine_.clock.UnixNs();
    // At block grain: of traces that came after the given time nothing may go, others may stay.
    const auto ids = ledger_.Ids();
    Note("drop before: " + Outcome(store_->DropBefore(now - Seconds(rng_.Below(20)))));
    ledger_.MaybeDropped(ids);
    ++counts_.retentions;
  }
  // What was sent so far is about as old as may be: this maintenance or a later one drops it.
  void Expire() {
    may_expire_ = ledger_.Ids();
    newest_trace_ += kOpenTraces;  // no span joins them any more
    machine_.clock.Advance(kRetentionNs + Seconds(rng_.Below(60)) - Seconds(30));
    NoteThinning([&] { Note("expiry: " + Outcome(store_->RunMaintenance())); });
    ledger_.MaybeDropped(may_expire_);
    ++counts_.retentions;
  }
  void Reopen() {
    if (rng_.Chance(0.5)) (void)store_->Close();
    store_.reset();
    if (encrypts_) ChangeKeys();
    Note("reopen");
    ++counts_.reopens;
    if (machine_.fs.crashed()) return;
    if (auto opened = machine_.Open()) store_ = *std::move(opened);
  }

  void ChangeKey() {
    constexpr std::string_view kNames[] = {"a", "b", ""};
    const std::string_view name = kNames[rng_.Below(std::size(kNames))];
    Note("key " + std::string(name) + ": " + Outcome(store_->SetWrappingKey(name)));
  }
  // Of the next start: now and then one is missing, and what it encrypted with it.
  void ChangeKeys() {
    constexpr std::string_view kNames[] = {"ab", "ba", "a", "b"};
    const std::string_view names = kNames[rng_.Below(std::size(kNames))];
    machine_.options.keys = MakeKeys(names);
    misses_key_ = names.size() == 1;
    Note("keys " + std::string(names));
  }

  // The power goes now if it has not, and comes back. Or the process alone ends, once or a few
  // times before: the next one sees what was written, but what was not synced is as lost as before.
  void LosePower() {
    if (!machine_.fs.crashed()) machine_.fs.CutPower();
    store_.reset();
    if (rng_.Chance(0.25)) return EndProcess();
    const auto loss = static_cast<PowerLoss>(rng_.Below(std::size(counts_.losses_of_kind)));
    machine_.fs.Restart(options_.ignore_syncs ? PowerLoss::kDropAll : loss, rng_.Next());
    Note("power loss of kind " + std::to_string(static_cast<int>(loss)));
    ++counts_.losses;
    ++counts_.losses_of_kind[static_cast<std::size_t>(loss)];
  }

  void EndProcess() {
    machine_.fs.EndProcess();
    Note("end of the process");
    ++counts_.process_ends;
  }

  void CutRecoveries() {
    if (encrypts_) machine_.options.keys = MakeKeys("ab");
    misses_key_ = false;
    if (rng_.Chance(0.4)) return;
    std::uint64_t in_a_row = 0;
    for (std::uint64_t i = 1 + rng_.Below(kRecoveriesCutMax); i > 0; --i) {
      machine_.fs.CrashAfter(1 + rng_.Below(kRecoveryCallsMax));
      auto opened = machine_.Open();
      const bool cut = machine_.fs.crashed();
      if (opened) store_ = *std::move(opened);
      in_a_row = cut ? in_a_row + 1 : 0;
      counts_.in_recovery += cut ? 1U : 0U;
      counts_.most_in_a_row = std::max(counts_.most_in_a_row, in_a_row);
      LosePower();
    }
  }

  std::vector<std::string> CheckAndSettle() {
    auto opened = machine_.Open();
    if (!opened) return {"the store does not open: " + opened.error().message};
    store_ = *std::move(opened);
    Note("start");
    counts_.wanted_spans += ledger_.wanted_spans();
    ++counts_.checks;
    auto wrong = ledger_.Check(*store_);
    if (!wrong.empty()) return wrong;
    if (auto settled = ledger_.Settle(*store_); !settled)
      return {"cannot be read: " + settled.error().message};
    return {};
  }

  void Note(const std::string& step) {
    if (options_.tell)
      std::printf("%s (call %llu)\n", step.c_str(),
                  static_cast<unsigned long long>(machine_.fs.changes()));
  }

  static std::int64_t Seconds(std::uint64_t count) {
    return static_cast<std::int64_t>(count) * kNsPerSecond;
  }

  const RandomRunOptions options_;
  RandomRunCounts& counts_;
  Rng rng_;
  Machine machine_;
  Ledger ledger_;
  std::unique_ptr<store::EmbeddedStore> store_;
  std::vector<model::TraceId> may_expire_;
  std::uint64_t spans_ = 0;
  std::uint64_t newest_trace_ = 1;
  bool encrypts_ = false;
  bool misses_key_ = false;
};

}  // namespace

void RandomRunCounts::Add(const RandomRunCounts& other) {
  losses += other.losses;
  for (std::size_t i = 0; i < std::size(losses_of_kind); ++i)
    losses_of_kind[i] += other.losses_of_kind[i];
  in_recovery += other.in_recovery;
  most_in_a_row = std::max(most_in_a_row, other.most_in_a_row);
  appends += other.appends;
  seals += other.seals;
  maintenances += other.maintenances;
  merges += other.merges;
  thinned += other.thinned;
  faults += other.faults;
  process_ends += other.process_ends;
  deletes += other.deletes;
  retentions += other.retentions;
  reopens += other.reopens;
  checks += other.checks;
  wanted_spans += other.wanted_spans;
}

std::vector<std::string> RunRandomWorkload(const RandomRunOptions& options,
                                           RandomRunCounts& counts) {
  RandomRunCounts own;
  const Counter merges = SharedMetrics().GetCounter("fluoro_store_merges_total", "");
  const double merges_before = merges.value();
  const Counter thinned = SharedMetrics().GetCounter("fluoro_store_thinned_traces_total", "",
                                                     {{"decision", "dropped"}, {"reason", "rest"}});
  const double thinned_before = thinned.value();
  auto wrong = RandomRun(options, own).All();
  own.merges = static_cast<std::uint64_t>(merges.value() - merges_before);
  own.thinned = static_cast<std::uint64_t>(thinned.value() - thinned_before);
  counts.Add(own);
  return wrong;
}

}  // namespace fluoro::crash
