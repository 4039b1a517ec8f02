#include "workload.h"

#include "store/testing.h"

namespace fluoro::crash {

using store::testing::MakeTraceId;

Metrics& SharedMetrics() {
  static Metrics metrics;
  return metrics;
}

store::EmbeddedOptions SmallOptions() {
  store::EmbeddedOptions options;
  options.folder = "data";
  options.background_thread = false;
  options.wal_file_bytes = 12'000;  // so that files roll
  options.wal_allocate_bytes = 4'096;
  options.retention_ns = 3'600 * kNsPerSecond;
  options.merge.window_ns[0] = 20 * kNsPerSecond;
  options.merge.window_ns[1] = 60 * kNsPerSecond;
  options.merge.fan_in = 3;
  options.merge.copy_spans = 6;  // so that some row groups are copied and some written anew
  return options;
}

void Thin(store::EmbeddedOptions& options) {
  sampling::TailPolicies policies;
  policies.policies.push_back({.name = "bad", .outcomes = sampling::kTailFault});
  policies.policies.push_back({.name = "rest", .keep = kThinnedFraction});
  options.tail_policies =
      std::make_shared<const query::TailFilters>(*query::TailFilters::Compile(std::move(policies)));
  options.live_window_ns = 15 * kNsPerSecond;
}

Result<std::unique_ptr<store::EmbeddedStore>> Machine::Open() {
  return store::OpenEmbeddedStore(fs, clock, SharedMetrics(), options);
}

std::shared_ptr<crypto::Keyring> MakeKeys(std::string_view names) {
  auto keys = std::make_shared<crypto::Keyring>();
  for (const char name : names) {
    std::array<std::uint8_t, crypto::kKeyBytes> bytes{};
    bytes.fill(static_cast<std::uint8_t>(name));
    (void)keys->Add(std::string(1, name), crypto::Secret(bytes));
  }
  (void)keys->Use(names.substr(0, 1));
  return keys;
}

void Machine::Encrypt() { options.keys = MakeKeys("ab"); }

std::string Joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

std::vector<std::string> CheckDisk(Machine& machine, const Ledger& ledger) {
  auto store = machine.Open();
  if (!store) return {"the store does not open: " + store.error().message};
  auto wrong = ledger.Check(**store);
  if (auto closed = (*store)->Close(); !closed)
    wrong.push_back("closing failed: " + closed.error().message);
  store->reset();
  const auto report = store::VerifyFolder(machine.fs, "data", machine.options.keys.get());
  if (!report) return {"verify failed: " + report.error().message};
  for (const auto& item : report->items) {
    if (!item.problem.empty()) wrong.push_back("verify: " + item.file + ": " + item.problem);
  }
  return wrong;
}

namespace {

class Run {
 public:
  Run(Machine& machine, Ledger& ledger) : machine_(machine), ledger_(ledger) {}

  void All() {
    if (!Open()) return;
    Append({1, 2, 3});
    Append({1, 4});
    AppendTwice({5});
    Seal();
    Append({1, 6});  // a trace in two blocks
    Append({7, 8, 9, 7});
    Delete({2, 8});
    machine_.clock.Advance(11 * kNsPerSecond);
    WrapBy("b");
    Maintain();       // wraps what there is anew
    Append({2, 10});  // again after its deletion
    Reopen();
    Append({10, 11});
    Append({12}, 60);  // several sectors
    Delete({3, 10, 99});
    Seal();
    machine_.clock.Advance(30 * kNsPerSecond);
    Maintain();  // merges what was sealed so far, without what was deleted
    Delete({7});
    Append({7, 20});
    WrapBy("");  // from here on without encryption
    Seal();
    WrapBy("a");
    machine_.clock.Advance(60 * kNsPerSecond);
    Maintain();  // merges again, to the next level
    Append({12});
    machine_.clock.Advance(kNsPerSecond);
    const std::int64_t between = machine_.clock.UnixNs();
    machine_.clock.Advance(30 * kNsPerSecond);
    const auto old_ids = ledger_.Ids();
    Append({13, 14});
    Append({15}, 40);
    DropBefore(between, old_ids);
    Append({16, 1});
    Seal();
    machine_.clock.Advance(90 * kNsPerSecond);
    Maintain();
    Delete({13});
    Reopen();
    Append({17});
    machine_.clock.Advance(4'000 * kNsPerSecond);
    Retain();
    Append({18, 19});
    Close();
  }

 private:
  [[nodiscard]] bool Open() {
    if (machine_.fs.crashed()) return false;
    auto opened = machine_.Open();
    if (!opened) opened = machine_.Open();  // a single failure does not last
    if (opened) store_ = *std::move(opened);
    return store_ != nullptr;
  }
  [[nodiscard]] bool Off() { return machine_.fs.crashed() || !store_; }

  std::vector<model::Span> MakeSpans(const std::vector<std::uint64_t>& traces, std::size_t each) {
    std::vector<model::Span> spans;
    for (const std::uint64_t trace : traces) {
      for (std::size_t i = 0; i < each; ++i) {
        auto span = store::testing::RandomSpan(rng_, MakeTraceId(trace), ++spans_);
        span.flags =
            0;  // replacement rules are tested elsewhere: here every span has an id of its own
        spans.push_back(std::move(span));
      }
    }
    return spans;
  }
  void Send(const std::vector<model::Span>& spans) {
    if (Off()) return;
    const auto stored =
        store_->Append(store::testing::MakeBatch(spans), store::Durability::kSynced);
    ledger_.Sent(spans, stored ? Ledger::Fate::kDone : Ledger::Fate::kUnknown);
  }
  void Append(const std::vector<std::uint64_t>& traces, std::size_t each = 1) {
    Send(MakeSpans(traces, each));
  }
  void AppendTwice(const std::vector<std::uint64_t>& traces) {
    const auto spans = MakeSpans(traces, 2);
    Send(spans);
    Send(spans);
  }
  void WrapBy(std::string_view key) {
    if (!Off() && machine_.options.keys) (void)store_->SetWrappingKey(key);
  }
  void Seal() {
    if (!Off()) (void)store_->SealAll();
  }
  void Maintain() {
    if (Off()) return;
    const auto ids = ledger_.IdsThinningMayDrop();
    (void)store_->RunMaintenance();
    if (machine_.options.tail_policies != nullptr) ledger_.MaybeDropped(ids);
  }
  void Delete(const std::vector<std::uint64_t>& numbers) {
    if (Off()) return;
    std::vector<model::TraceId> ids;
    for (const std::uint64_t number : numbers) ids.push_back(MakeTraceId(number));
    const auto deleted = store_->Delete(ids);
    ledger_.Deleted(ids, deleted ? Ledger::Fate::kDone : Ledger::Fate::kUnknown);
  }
  void DropBefore(std::int64_t arrival_ns, const std::vector<model::TraceId>& ids) {
    if (Off()) return;
    const auto dropped = store_->DropBefore(arrival_ns);
    ledger_.Deleted(ids, dropped ? Ledger::Fate::kDone : Ledger::Fate::kUnknown);
  }
  // Retention by age: at block grain, so that what is due may still be there.
  void Retain() {
    if (Off()) return;
    const auto ids = ledger_.Ids();
    (void)store_->RunMaintenance();
    (void)store_->RunMaintenance();
    ledger_.MaybeDropped(ids);
  }
  void Reopen() {
    if (Off()) return;
    store_.reset();
    (void)Open();
  }
  void Close() {
    if (!Off()) (void)store_->Close();
  }

  Machine& machine_;
  Ledger& ledger_;
  std::unique_ptr<store::EmbeddedStore> store_;
  Rng rng_{20'261'124};
  std::uint64_t spans_ = 0;
};

}  // namespace

void RunWorkload(Machine& machine, Ledger& ledger) { Run(machine, ledger).All(); }

}  // namespace fluoro::crash
