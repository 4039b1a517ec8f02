// SIGKILL, again and again, of a process that writes, seals, merges, deletes and expires on real
// files, and of those that recover; after each the ledger of what it acknowledged is checked.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "base/log.h"
#include "kill_child.h"
#include "soak.h"
#include "store/testing.h"

namespace fluoro::crash {
namespace {

constexpr std::uint64_t kCycles = 200;
constexpr std::uint64_t kNewCycles = 30;
constexpr std::uint64_t kAllocationCycles = 40;
constexpr std::uint64_t kRecoveriesKilledMax = 5;

struct KillCounts {
  std::uint64_t cycles = 0, recoveries_killed = 0, most_in_a_row = 0, acknowledged = 0,
                unanswered = 0, out_of_memory = 0, deletions = 0, checks = 0, spans_found = 0,
                wanted = 0;
  std::uint64_t by_point[kKillPoints] = {};
};

/// What the killed processes said.
class KillLedger {
 public:
  void Add(const LedgerLine& line) {
    switch (line.kind) {
      case LedgerLine::Kind::kSending: {
        Batch& batch = batches_[line.number];
        batch.sent_ns = line.time_ns;
        // Sent again: what was said of it before holds.
        if (batch.fate == Fate::kAbsent) batch.fate = Fate::kUnknown;
        break;
      }
      case LedgerLine::Kind::kStored:
        batches_[line.number].fate = Fate::kStored;
        break;
      case LedgerLine::Kind::kDeleting:
        deletions_.emplace(KillTraceId(line.number), Fate::kUnknown);
        break;
      case LedgerLine::Kind::kDeleted:
        deletions_[KillTraceId(line.number)] = Fate::kStored;
        break;
      case LedgerLine::Kind::kPoint:
        break;
    }
  }

  /// One line for each thing that is wrong with what the store shows.
  std::vector<std::string> Check(store::TraceStore& store, KillCounts& counts) {
    wrong_.clear();
    found_.clear();
    Export(store, counts);
    const std::int64_t kept_since = SystemClock().UnixNs() - kKillRetentionNs;
    for (auto& [number, batch] : batches_) {
      if (batch.sent_ns > kept_since) CheckBatch(number, batch, counts);
    }
    return std::move(wrong_);
  }

 private:
  enum class Fate : std::uint8_t { kUnknown, kStored, kAbsent };
  struct Batch {
    std::int64_t sent_ns = 0;
    Fate fate = Fate::kUnknown;
  };

  void Wrong(std::string what) {
    if (wrong_.size() < 20) wrong_.push_back(std::move(what));
  }

  // Every span that a search shows, and each trace by its id.
  void Export(store::TraceStore& store, KillCounts& counts) {
    std::set<model::TraceId> ids;
    std::set<std::string, std::less<>> services;
    std::uint64_t spans = 0;
    const auto result = store.Search({}, [&](const store::Match& match) {
      const model::Trace& trace = *match.trace.trace;
      if (!ids.insert(trace.id).second) Wrong("trace " + trace.id.ToHex() + " is found twice");
      for (const model::Span& span : trace.spans) {
        ++spans;
        services.emplace(span.service());
        Take(span);
      }
      return true;
    });
    if (!result) return Wrong("search failed: " + result.error().message);
    for (const std::string& damage : result->damaged) Wrong("called damaged: " + damage);
    std::uint64_t by_id = 0;
    for (const model::TraceId& id : ids) {
      const auto trace = store.ReadTrace(id);
      if (!trace || *trace == nullptr) {
        Wrong("trace " + id.ToHex() + " is found by search and not by its id");
      } else {
        by_id += (*trace)->spans.size();
      }
    }
    if (by_id != spans) {
      Wrong("search shows " + std::to_string(spans) + " spans, look-ups " + std::to_string(by_id));
    }
    const std::vector<model::TraceId> list(ids.begin(), ids.end());
    const auto exist = store.Exist(list);
    if (!exist || std::ranges::count(*exist, true) != std::ssize(list))
      Wrong("the index misses traces");
    const auto named = store.Services(SIZE_MAX);
    if (!named || !std::ranges::includes(*named, services)) Wrong("the list of services is short");
    counts.spans_found += spans;
    ++counts.checks;
  }

  void Take(const model::Span& span) {
    const std::uint64_t number = BatchOfSpan(span.span_id);
    if (!batches_.contains(number))
      return Wrong("span " + span.span_id.ToHex() + " was never sent");
    if (!found_[number].insert(span.span_id).second)
      Wrong("span " + span.span_id.ToHex() + " is there twice");
    if (number != last_number_) {  // neighbours come together
      last_number_ = number;
      last_spans_ = SpansOfBatch(number);
    }
    for (const model::Span& sent : last_spans_) {
      if (sent.span_id != span.span_id) continue;
      if (!(sent == span)) Wrong("span " + span.span_id.ToHex() + " has changed");
      return;
    }
    Wrong("span " + span.span_id.ToHex() + " was not in its batch");
  }

  // Settles also what had no answer: from now on it is there, or it is not.
  void CheckBatch(std::uint64_t number, Batch& batch, KillCounts& counts) {
    const auto& found = found_[number];
    std::size_t there = 0;
    std::size_t wanted = 0;
    for (const model::Span& span : SpansOfBatch(number)) {
      const bool is_there = found.contains(span.span_id);
      const auto deletion = deletions_.find(span.trace_id);
      if (deletion != deletions_.end()) {
        if (is_there && deletion->second == Fate::kStored)
          Wrong("span " + span.span_id.ToHex() + " was deleted and is there");
        continue;
      }
      ++wanted;
      there += is_there ? 1U : 0U;
    }
    const std::string name = "batch " + std::to_string(number);
    switch (batch.fate) {
      case Fate::kStored:
        counts.wanted += wanted;
        if (there != wanted) {
          Wrong(name + " was acknowledged, and " + std::to_string(wanted - there) + " of " +
                std::to_string(wanted) + " spans are lost");
        }
        break;
      case Fate::kAbsent:
        if (there != 0) Wrong(name + " was absent and is back");
        break;
      case Fate::kUnknown:
        if (there != 0 && there != wanted) Wrong(name + " is there by half");
        if (wanted > 0) batch.fate = there == 0 ? Fate::kAbsent : Fate::kStored;
    }
  }

  std::unordered_map<std::uint64_t, Batch> batches_;
  std::map<model::TraceId, Fate> deletions_;
  std::unordered_map<std::uint64_t, std::set<model::SpanId>> found_;
  std::uint64_t last_number_ = UINT64_MAX;
  std::vector<model::Span> last_spans_;
  std::vector<std::string> wrong_;
};

class KillTest : public ::testing::Test {
 protected:
  void SetUp() override {
    log::SetLevel(log::Level::kOff);
    std::string pattern = (std::filesystem::temp_directory_path() / "fluoro-kill-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    folder_ = root_ + "/data";
  }
  void TearDown() override {
    log::SetLevel(log::Level::kInfo);
    if (HasFailure()) {
      std::printf("the folder stays: %s\n", root_.c_str());
    } else {
      std::filesystem::remove_all(root_);
    }
  }

  struct Run {
    KillPlan plan;
    std::int64_t kill_after_ns = 0;
    bool load = true;
    std::uint64_t failing_allocation = 0;
  };
  /// Starts a child, reads its ledger, kills it, reads the rest. True: it was killed, by whomever.
  bool RunAndKill(const Run& run, std::uint64_t cycle) {
    int ends[2];
    if (::pipe(ends) != 0) return false;
    const std::vector<std::string> words{"kill_test",
                                         "--child",
                                         folder_,
                                         std::to_string(cycle),
                                         std::to_string(ends[1]),
                                         run.load ? "load" : "recover",
                                         std::to_string(static_cast<int>(run.plan.point)),
                                         std::to_string(run.plan.call),
                                         run.plan.after ? "after" : "before",
                                         std::to_string(run.failing_allocation)};
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(ends[0]);
      // The last words of a process without memory are expected.
      if (run.failing_allocation != 0) ::close(STDERR_FILENO);
      ::execv("/proc/self/exe", arguments.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    const std::int64_t end = clock_.MonotonicNs() + run.kill_after_ns;
    bool killed = false;
    for (;;) {
      if (!killed) {
        const std::int64_t left = end - clock_.MonotonicNs();
        pollfd wait{.fd = ends[0], .events = POLLIN, .revents = 0};
        if (left <= 0 || ::poll(&wait, 1, static_cast<int>(left / kNsPerMs) + 1) == 0) {
          ::kill(child, SIGKILL);
          killed = true;
        }
      }
      LedgerLine line;
      const auto got = ::read(ends[0], &line, sizeof(line));
      if (got != sizeof(line)) break;
      ledger_.Add(line);
      Count(line);
    }
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    const bool signalled =
        WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL ||
                                (run.failing_allocation != 0 && WTERMSIG(status) == SIGABRT));
    if (signalled && WTERMSIG(status) == SIGABRT) ++counts_.out_of_memory;
    EXPECT_TRUE(signalled || WEXITSTATUS(status) == 0) << "cycle " << cycle;
    if (signalled && !pointed_) ++counts_.by_point[0];
    pointed_ = false;
    return signalled;
  }

  void Count(const LedgerLine& line) {
    switch (line.kind) {
      case LedgerLine::Kind::kStored:
        ++counts_.acknowledged;
        break;
      case LedgerLine::Kind::kDeleted:
        ++counts_.deletions;
        break;
      case LedgerLine::Kind::kPoint:
        ++counts_.by_point[line.number];
        pointed_ = true;
        break;
      default:
        break;
    }
  }

  void Cycle(std::uint64_t cycle, std::uint64_t seed) {
    seed_ = seed;
    Rng rng(seed);
    Run run;
    run.kill_after_ns = static_cast<std::int64_t>(5 + rng.Below(345)) * kNsPerMs;
    if (rng.Chance(0.6)) {
      run.plan.point = static_cast<KillPoint>(1 + rng.Below(kKillPoints - 1));
      run.plan.call = 1 + rng.Below(rng.Chance(0.5) ? 4 : 40);
      run.plan.after = rng.Chance(0.5);
      run.kill_after_ns += 150 * kNsPerMs;
    }
    RunAndKill(run, cycle);
    ++counts_.cycles;
    KillRecoveries(rng, cycle);
    // Half of the checks look only, so that the next process starts from what the kill left.
    Check(cycle, rng.Chance(0.5));
  }

  void KillRecoveries(Rng& rng, std::uint64_t cycle) {
    if (rng.Chance(0.5)) return;
    std::uint64_t in_a_row = 0;
    for (std::uint64_t i = 1 + rng.Below(kRecoveriesKilledMax); i > 0; --i) {
      Run run;
      run.load = false;
      run.plan = {.point = KillPoint::kAny, .call = 1 + rng.Below(25), .after = rng.Chance(0.5)};
      run.kill_after_ns =
          static_cast<std::int64_t>(rng.Chance(0.5) ? 1 + rng.Below(40) : 5'000) * kNsPerMs;
      if (!RunAndKill(run, cycle)) break;
      ++counts_.recoveries_killed;
      counts_.most_in_a_row = std::max(counts_.most_in_a_row, ++in_a_row);
    }
  }

  void Check(std::uint64_t cycle, bool read_only) {
    const auto fs = MakePosixFs();
    if (read_only && !fs->Exists(folder_ + "/FORMAT")) return;
    Metrics metrics;
    store::EmbeddedOptions options = KillOptions(folder_);
    options.background_thread = false;
    options.read_only = read_only;
    auto store = store::OpenEmbeddedStore(*fs, clock_, metrics, options);
    ASSERT_TRUE(store) << "cycle " << cycle << ": " << store.error().message;
    for (const std::string& wrong : ledger_.Check(**store, counts_))
      ADD_FAILURE() << "cycle " << cycle << ", seed " << seed_ << ": " << wrong << "; "
                    << RepeatPlan(seed_);
    if (read_only) return;
    ASSERT_TRUE((*store)->Close());
    store->reset();
    const auto report = store::VerifyFolder(*fs, folder_);
    ASSERT_TRUE(report);
    for (const auto& item : report->items) EXPECT_EQ(item.problem, "") << item.file;
  }

  // The same plan of kills; when the threads meet them is the machine's choice. `seed`: of a cycle.
  static std::string RepeatPlan(std::uint64_t seed) {
    const auto* const test = ::testing::UnitTest::GetInstance()->current_test_info();
    return Repeat("FLUORO_SEED=" + std::to_string(RunSeedOf(seed)),
                  std::string(test->test_suite_name()) + "." + test->name());
  }

  void Say(std::uint64_t cycles, std::uint64_t first_seed, std::uint64_t last_seed) const;

  SystemClock clock_;
  std::string root_, folder_;
  std::uint64_t seed_ = 0;  // of the cycle
  KillLedger ledger_;
  KillCounts counts_;
  bool pointed_ = false;
};

void KillTest::Say(std::uint64_t cycles, std::uint64_t first_seed, std::uint64_t last_seed) const {
  const auto u = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf(
      "SIGKILLs: %llu of a loaded process, %llu during recovery, up to %llu in a row, in %llu "
      "cycles; "
      "seeds %llu to %llu\n  %llu batches and %llu deletions acknowledged; %llu checks found %llu "
      "spans, %llu of them promised\n  killed at:",
      u(counts_.cycles), u(counts_.recoveries_killed), u(counts_.most_in_a_row), u(cycles),
      u(first_seed), u(last_seed), u(counts_.acknowledged), u(counts_.deletions), u(counts_.checks),
      u(counts_.spans_found), u(counts_.wanted));
  for (std::size_t i = 0; i < kKillPoints; ++i) {
    const auto name = KillPointName(static_cast<KillPoint>(i));
    std::printf(" %s %llu%s", std::string(name).c_str(), u(counts_.by_point[i]),
                i + 1 == kKillPoints ? "\n" : ",");
  }
}

TEST_F(KillTest, NothingAcknowledgedIsLost) {
  const std::uint64_t cycles = Cases(kCycles);
  for (std::uint64_t cycle = 1; cycle <= cycles && !HasFailure(); ++cycle)
    Cycle(cycle, CaseSeed(cycle));
  Say(cycles, CaseSeed(1), CaseSeed(cycles));
  EXPECT_GT(counts_.wanted, 0U);
}

TEST_F(KillTest, NothingAcknowledgedIsLostWithNewSeeds) {
  const std::uint64_t cycles = Cases(kNewCycles);
  for (std::uint64_t cycle = 1; cycle <= cycles && !HasFailure(); ++cycle)
    Cycle(cycle, NewCaseSeed(cycle));
  Say(cycles, NewCaseSeed(1), NewCaseSeed(cycles));
  EXPECT_GT(counts_.wanted, 0U);
}

// It ends the process, in whichever thread and whatever the store was doing.
TEST_F(KillTest, AFailedAllocationLosesNothing) {
  const std::uint64_t cycles = Cases(kAllocationCycles);
  for (std::uint64_t cycle = 1; cycle <= cycles && !HasFailure(); ++cycle) {
    seed_ = CaseSeed(cycle);
    Rng rng(seed_);
    // As many of the first hundred as of the hundreds of thousands behind them.
    const std::uint64_t magnitude = std::uint64_t{1} << (4 + rng.Below(15));
    RunAndKill({.plan = {},
                .kill_after_ns = 400 * kNsPerMs,
                .load = true,
                .failing_allocation = magnitude + rng.Below(magnitude)},
               cycle);
    Check(cycle, rng.Chance(0.5));
  }
  std::printf("allocations: %llu of %llu processes ended by one that failed; seeds %llu to %llu\n",
              static_cast<unsigned long long>(counts_.out_of_memory),
              static_cast<unsigned long long>(cycles), static_cast<unsigned long long>(CaseSeed(1)),
              static_cast<unsigned long long>(CaseSeed(cycles)));
  EXPECT_GT(counts_.out_of_memory, 0U);
}

}  // namespace
}  // namespace fluoro::crash

int main(int argc, char** argv) {
  using namespace fluoro::crash;  // NOLINT(google-build-using-namespace): one function
  if (argc == 10 && std::string_view(argv[1]) == "--child") {
    return RunChild({.folder = argv[2],
                     .cycle = std::strtoull(argv[3], nullptr, 10),
                     .ledger_fd = std::atoi(argv[4]),
                     .load = std::string_view(argv[5]) == "load",
                     .plan = {.point = static_cast<KillPoint>(std::atoi(argv[6])),
                              .call = std::strtoull(argv[7], nullptr, 10),
                              .after = std::string_view(argv[8]) == "after"},
                     .allocation = std::strtoull(argv[9], nullptr, 10)});
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
