// Thousands of power losses over random lives of a store: ingest, seals, merges, retention,
// deletions, and recovery itself, cut up to five times in a row. docs: acknowledged means durable.
#include <gtest/gtest.h>

#include <cstdio>

#include "base/log.h"
#include "random_workload.h"
#include "soak.h"

namespace fluoro::crash {
namespace {

constexpr std::uint64_t kRuns = 2'500;
constexpr std::uint64_t kNewRuns = 150;
// Runs that failed once.
constexpr std::uint64_t kRegressions[] = {34,
                                          451,
                                          77'000'001'907,
                                          20'261'200'000'000'036,
                                          20'261'200'000'000'528,
                                          1'795'959'218'500'000'115};
constexpr std::uint64_t kRegressionsOfFailingCalls[] = {29,
                                                        69,
                                                        74,
                                                        332,
                                                        334,
                                                        381,
                                                        913,
                                                        1'373,
                                                        1'524,
                                                        1'914,
                                                        2'058,
                                                        2'387,
                                                        2'532,
                                                        501000007783,
                                                        1'795'947'823'500'000'165,
                                                        2'000'000'000'002'391};

class RandomPowerLoss : public ::testing::Test {
 protected:
  void SetUp() override { log::SetLevel(log::Level::kOff); }
  void TearDown() override { log::SetLevel(log::Level::kInfo); }

  /// After several failures of the disk in a row a hole where records without an answer stood may
  /// be reported as damage: a false alarm, that loses nothing.
  static std::string WithoutHoles(std::vector<std::string> wrong) {
    std::erase_if(wrong, [](const std::string& line) {
      return line.starts_with("called damaged: wal: records ");
    });
    return Joined(wrong);
  }

  struct Seeds {
    std::uint64_t first = 0, last = 0;
  };
  static void Say(const Seeds& seeds, const RandomRunCounts& counts) {
    std::printf(
        "power losses: %llu, ends of the process alone: %llu, in %llu runs (nothing kept %llu, "
        "some %llu, torn %llu, reordered %llu, "
        "all kept %llu), of them %llu during recovery, up to %llu in a row; seeds %llu to %llu\n"
        "  between them: %llu appends, %llu seals, %llu maintenances, %llu merges, %llu deletions, "
        "%llu retentions, %llu reopenings, %llu traces thinned; %llu checks found %llu spans\n",
        U(counts.losses), U(counts.process_ends), U(seeds.last - seeds.first + 1),
        U(counts.losses_of_kind[0]), U(counts.losses_of_kind[1]), U(counts.losses_of_kind[2]),
        U(counts.losses_of_kind[3]), U(counts.losses_of_kind[4]), U(counts.in_recovery),
        U(counts.most_in_a_row), U(seeds.first), U(seeds.last), U(counts.appends), U(counts.seals),
        U(counts.maintenances), U(counts.merges), U(counts.deletes), U(counts.retentions),
        U(counts.reopens), U(counts.thinned), U(counts.checks), U(counts.wanted_spans));
  }

  // What is wrong after the run of that seed.
  static std::string WrongOf(std::uint64_t seed, bool fail_calls, RandomRunCounts& counts,
                             bool tell = false) {
    auto wrong = RunRandomWorkload({.seed = seed, .fail_calls = fail_calls, .tell = tell}, counts);
    return fail_calls ? WithoutHoles(std::move(wrong)) : Joined(wrong);
  }

  static void ExpectNothingLost(const Seeds& seeds, bool fail_calls, RandomRunCounts& counts) {
    std::uint64_t failed = 0;
    for (std::uint64_t seed = seeds.first; seed <= seeds.last && failed < 5; ++seed) {
      const std::string wrong = WrongOf(seed, fail_calls, counts);
      EXPECT_EQ(wrong, "") << Repeat("FLUORO_CASE=" + std::to_string(seed),
                                     fail_calls ? kFailingTest : kTest);
      failed += wrong.empty() ? 0U : 1U;
    }
    Say(seeds, counts);
  }

  // Those that FLUORO_CASE is for.
  static constexpr const char* kTest = "RandomPowerLoss.NothingAcknowledgedIsLost";
  static constexpr const char* kFailingTest =
      "RandomPowerLoss.NothingAcknowledgedIsLostOnADiskThatFailsCalls";

  static unsigned long long U(std::uint64_t value) { return value; }
};

TEST_F(RandomPowerLoss, NothingAcknowledgedIsLost) {
  RandomRunCounts counts;
  if (OnlyCase() != UINT64_MAX) {
    EXPECT_EQ(WrongOf(OnlyCase(), false, counts, true), "");
    return Say({OnlyCase(), OnlyCase()}, counts);
  }
  for (const std::uint64_t seed : kRegressions) EXPECT_EQ(WrongOf(seed, false, counts), "") << seed;
  ExpectNothingLost({CaseSeed(1), CaseSeed(Cases(kRuns))}, false, counts);
  if (kSanitizerDivisor == 1) {
    EXPECT_GE(counts.losses, 2'000U);
    EXPECT_GE(counts.thinned, 500U);
    EXPECT_GE(counts.most_in_a_row, 5U);
  }
}

// What fails here is a defect like any other, although it may not fail the next time: the seed
// does.
TEST_F(RandomPowerLoss, NothingAcknowledgedIsLostWithNewSeeds) {
  if (OnlyCase() != UINT64_MAX) return;
  const std::uint64_t runs = Cases(kNewRuns);
  RandomRunCounts counts;
  ExpectNothingLost({NewCaseSeed(1), NewCaseSeed(runs)}, false, counts);
  RandomRunCounts failing;
  ExpectNothingLost({NewCaseSeed(runs + 1), NewCaseSeed(2 * runs)}, true, failing);
  EXPECT_GT(counts.losses + failing.losses, 0U);
}

TEST_F(RandomPowerLoss, TheSameSeedGivesTheSameRun) {
  for (std::uint64_t run = 1; run <= 5; ++run) {
    RandomRunCounts first;
    RandomRunCounts second;
    (void)RunRandomWorkload({.seed = CaseSeed(run)}, first);
    (void)RunRandomWorkload({.seed = CaseSeed(run)}, second);
    EXPECT_EQ(first.wanted_spans, second.wanted_spans);
    EXPECT_EQ(first.losses, second.losses);
    EXPECT_EQ(first.in_recovery, second.in_recovery);
    EXPECT_EQ(first.appends, second.appends);
  }
}

// As above on a disk that also fails a call now and then: what a store says while calls fail may be
// incomplete, but what it acknowledged is there once they work again.
TEST_F(RandomPowerLoss, NothingAcknowledgedIsLostOnADiskThatFailsCalls) {
  RandomRunCounts counts;
  if (OnlyCase() != UINT64_MAX) {
    EXPECT_EQ(WrongOf(OnlyCase(), true, counts, true), "");
    return Say({OnlyCase(), OnlyCase()}, counts);
  }
  for (const std::uint64_t seed : kRegressionsOfFailingCalls)
    EXPECT_EQ(WrongOf(seed, true, counts), "") << seed;
  ExpectNothingLost({CaseSeed(1), CaseSeed(Cases(kRuns))}, true, counts);
  std::printf("  and %llu calls were made to fail\n", U(counts.faults));
}

// The test of the test: a store that does not sync must be found out.
TEST_F(RandomPowerLoss, WithTheSyncTakenOutItFails) {
  RandomRunCounts counts;
  const std::uint64_t runs = Cases(200);
  std::uint64_t noticed = 0;
  std::string example;
  for (std::uint64_t run = 1; run <= runs; ++run) {
    const auto wrong = RunRandomWorkload({.seed = CaseSeed(run), .ignore_syncs = true}, counts);
    if (wrong.empty()) continue;
    if (noticed++ == 0) example = wrong.front();
  }
  std::printf("without syncs %llu of %llu runs fail, the first with: %s\n",
              static_cast<unsigned long long>(noticed), static_cast<unsigned long long>(runs),
              example.c_str());
  EXPECT_GT(noticed, runs / 2);
}

}  // namespace
}  // namespace fluoro::crash
