// The store on a failing disk: after every single call of the standard workload the power goes, a
// call fails, a sync fails, the disk is full. specs: acknowledged means durable, nothing half,
// nothing doubled.
#include <gtest/gtest.h>

#include <cstdio>

#include "base/log.h"
#include "ledger.h"
#include "soak.h"
#include "workload.h"

namespace fluoro::crash {
namespace {

// The workload, without and with tail policies.
constexpr bool kThins[] = {false, true};

std::unique_ptr<Machine> NewMachine(bool thins) {
  auto machine = std::make_unique<Machine>();
  if (thins) Thin(machine->options);
  return machine;
}

class CrashTest : public ::testing::Test {
 protected:
  void SetUp() override { log::SetLevel(log::Level::kOff); }
  void TearDown() override { log::SetLevel(log::Level::kInfo); }

  static std::uint64_t WorkloadChanges(bool thins = false) {
    const auto made = NewMachine(thins);
    Machine& machine = *made;
    Ledger ledger;
    RunWorkload(machine, ledger);
    return machine.fs.changes();
  }
};

TEST_F(CrashTest, TheWorkloadItselfIsRight) {
  Machine machine;
  Ledger ledger;
  const Counter merges = SharedMetrics().GetCounter("fluoro_store_merges_total", "");
  const double merges_before = merges.value();
  RunWorkload(machine, ledger);
  EXPECT_GE(merges.value() - merges_before, 2) << "merges are part of it";
  std::printf(
      "the workload makes %llu calls that change, of them %llu syncs; %llu reads, %llu looks\n",
      static_cast<unsigned long long>(machine.fs.changes()),
      static_cast<unsigned long long>(machine.fs.syncs()),
      static_cast<unsigned long long>(machine.fs.reads()),
      static_cast<unsigned long long>(machine.fs.looks()));
  EXPECT_EQ(Joined(CheckDisk(machine, ledger)), "");
  EXPECT_GT(machine.fs.changes(), 100U);
}

struct LossCase {
  const char* name;
  PowerLoss loss;
  std::uint64_t seeds;
};

class PowerLossTest : public CrashTest, public ::testing::WithParamInterface<LossCase> {};

TEST_P(PowerLossTest, AfterEveryCallNothingAcknowledgedIsLost) {
  for (const bool thins : kThins) {
    const std::uint64_t changes = WorkloadChanges(thins);
    for (std::uint64_t call = 1; call <= changes; ++call) {
      const std::uint64_t seeds = GetParam().seeds > 1 ? Cases(GetParam().seeds) : 1;
      for (std::uint64_t i = 1; i <= seeds; ++i) {
        const std::uint64_t seed = RunSeed() + i;
        const auto made = NewMachine(thins);
        Machine& machine = *made;
        Ledger ledger;
        machine.fs.CrashAfter(call);
        RunWorkload(machine, ledger);
        machine.fs.Restart(GetParam().loss, seed * 1'000 + call);
        const auto wrong = CheckDisk(machine, ledger);
        ASSERT_EQ(Joined(wrong), "") << "crash after call " << call << ", seed " << seed;
        ASSERT_EQ(Joined(CheckDisk(machine, ledger)), "")
            << "second start, call " << call << ", seed " << seed;
      }
    }
  }
}

TEST_P(PowerLossTest, RecoveryItselfMayBeCutAnywhere) {
  const std::uint64_t changes = WorkloadChanges(true);
  for (std::uint64_t call = 1; call <= changes; ++call) {
    const auto made = NewMachine(call % 2 == 0);
    Machine& machine = *made;
    Ledger ledger;
    machine.fs.CrashAfter(call);
    RunWorkload(machine, ledger);
    machine.fs.Restart(GetParam().loss, RunSeed() + call);
    // The power goes again and again while the store starts, each time a little later.
    for (std::uint64_t again = 1; again <= 6; ++again) {
      machine.fs.CrashAfter(1 + (RunSeed() + call * 7 + again * again) % 23);
      auto store = machine.Open();
      if (store) store->reset();
      machine.fs.Restart(GetParam().loss, RunSeed() + call * 10 + again);
    }
    ASSERT_EQ(Joined(CheckDisk(machine, ledger)), "")
        << "crash after call " << call << ", FLUORO_SEED=" << RunSeed();
  }
}

INSTANTIATE_TEST_SUITE_P(All, PowerLossTest,
                         ::testing::Values(LossCase{"DropAll", PowerLoss::kDropAll, 1},
                                           LossCase{"KeepSome", PowerLoss::kKeepSome, 4},
                                           LossCase{"TearWrites", PowerLoss::kTearWrites, 4},
                                           LossCase{"Reorder", PowerLoss::kReorder, 2},
                                           LossCase{"KeepAll", PowerLoss::kKeepAll, 1}),
                         [](const auto& loss) { return loss.param.name; });

// With encryption: keys are changed on the way and data keys wrapped anew.
TEST_F(CrashTest, AfterEveryCallNothingEncryptedIsLost) {
  const auto run = [](Machine& machine, Ledger& ledger) {
    machine.Encrypt();
    RunWorkload(machine, ledger);
  };
  std::uint64_t changes = 0;
  {
    Machine machine;
    Ledger ledger;
    const Counter rewraps = SharedMetrics().GetCounter("fluoro_store_rewraps_total", "");
    const double before = rewraps.value();
    run(machine, ledger);
    changes = machine.fs.changes();
    EXPECT_GT(rewraps.value(), before);
    EXPECT_EQ(Joined(CheckDisk(machine, ledger)), "");
  }
  for (std::uint64_t call = 1; call <= changes; ++call) {
    for (const PowerLoss loss : {PowerLoss::kDropAll, PowerLoss::kTearWrites}) {
      Machine machine;
      Ledger ledger;
      machine.fs.CrashAfter(call);
      run(machine, ledger);
      machine.fs.Restart(loss, RunSeed() + call);
      ASSERT_EQ(Joined(CheckDisk(machine, ledger)), "")
          << "crash after call " << call << ", FLUORO_SEED=" << RunSeed();
      ASSERT_EQ(Joined(CheckDisk(machine, ledger)), "") << "second start, call " << call;
    }
    Machine machine;
    Ledger ledger;
    machine.fs.FailChange(call, call % 2 == 0 ? FaultyFs::Fault::kIo : FaultyFs::Fault::kTornWrite,
                          false);
    run(machine, ledger);
    machine.fs.ClearFaults();
    ASSERT_EQ(Joined(CheckDisk(machine, ledger)), "") << "failure of call " << call;
  }
}

TEST_F(CrashTest, TakingTheSyncOutIsNoticed) {
  const std::uint64_t changes = WorkloadChanges();
  std::uint64_t noticed = 0;
  for (std::uint64_t call = 1; call <= changes; ++call) {
    Machine machine;
    Ledger ledger;
    machine.fs.IgnoreSyncs(true);
    machine.fs.CrashAfter(call);
    RunWorkload(machine, ledger);
    machine.fs.IgnoreSyncs(false);
    machine.fs.Restart(PowerLoss::kDropAll, call);
    if (!CheckDisk(machine, ledger).empty()) ++noticed;
  }
  EXPECT_GT(noticed, changes / 2);
}

struct FaultCase {
  const char* name;
  FaultyFs::Fault fault;
  bool lasting;
};

class SingleFaultTest : public CrashTest, public ::testing::WithParamInterface<FaultCase> {};

TEST_P(SingleFaultTest, AtEveryCallLosesNothingAndPasses) {
  const std::uint64_t changes = WorkloadChanges(true);
  for (std::uint64_t call = 1; call <= changes; ++call) {
    for (const PowerLoss loss : {PowerLoss::kDropAll, PowerLoss::kTearWrites}) {
      const auto made = NewMachine(loss == PowerLoss::kTearWrites);
      Machine& machine = *made;
      Ledger ledger;
      machine.fs.FailChange(call, GetParam().fault, GetParam().lasting);
      RunWorkload(machine, ledger);
      machine.fs.ClearFaults();
      {
        // Once the disk is well the store works without help.
        auto store = machine.Open();
        ASSERT_TRUE(store) << "call " << call << ": " << store.error().message;
        ASSERT_EQ(Joined(ledger.Check(**store)), "") << "call " << call;
      }
      machine.fs.Restart(loss, RunSeed() + call);
      ASSERT_EQ(Joined(CheckDisk(machine, ledger)), "")
          << "call " << call << ", FLUORO_SEED=" << RunSeed();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, SingleFaultTest,
    ::testing::Values(FaultCase{"IoOnce", FaultyFs::Fault::kIo, false},
                      FaultCase{"IoForEver", FaultyFs::Fault::kIo, true},
                      FaultCase{"NoSpaceOnce", FaultyFs::Fault::kNoSpace, false},
                      FaultCase{"NoSpaceForEver", FaultyFs::Fault::kNoSpace, true},
                      FaultCase{"ShortWriteOnce", FaultyFs::Fault::kShortWrite, false},
                      FaultCase{"TornWriteOnce", FaultyFs::Fault::kTornWrite, false},
                      FaultCase{"TornWriteForEver", FaultyFs::Fault::kTornWrite, true}),
    [](const auto& fault) { return fault.param.name; });

TEST_F(CrashTest, AFailedSyncIsNeverBelieved) {
  for (const bool thins : kThins) {
    const std::uint64_t changes = WorkloadChanges(thins);
    for (std::uint64_t sync = 1; sync <= changes; ++sync) {
      const auto made = NewMachine(thins);
      Machine& machine = *made;
      Ledger ledger;
      machine.fs.FailSync(sync);
      RunWorkload(machine, ledger);
      machine.fs.Restart(PowerLoss::kDropAll, sync);
      ASSERT_EQ(Joined(CheckDisk(machine, ledger)), "") << "sync " << sync;
    }
  }
}

TEST_F(CrashTest, TheWorkloadThins) {
  const auto machine = NewMachine(true);
  Ledger ledger;
  const Counter dropped = SharedMetrics().GetCounter("fluoro_store_thinned_traces_total", "",
                                                     {{"decision", "dropped"}, {"reason", "rest"}});
  const double before = dropped.value();
  RunWorkload(*machine, ledger);
  EXPECT_GE(dropped.value() - before, 3);
  EXPECT_EQ(Joined(CheckDisk(*machine, ledger)), "");
}

// Every read and every look at a file or folder that the workload makes, at a start, in a seal, a
// merge, a deletion or an answer, fails once.
struct LookCase {
  const char* name;
  std::uint64_t (FaultyFs::*count)() const;
  void (FaultyFs::*fail)(std::uint64_t call, bool lasting);
};

class LookFaultTest : public CrashTest, public ::testing::WithParamInterface<LookCase> {};

TEST_P(LookFaultTest, AtEveryCallLosesNothing) {
  const LookCase& look = GetParam();
  std::uint64_t calls = 0;
  {
    const auto machine = NewMachine(true);
    Ledger ledger;
    RunWorkload(*machine, ledger);
    calls = (machine->fs.*look.count)();
  }
  for (std::uint64_t call = 1; call <= calls; ++call) {
    const auto made = NewMachine(true);
    Machine& machine = *made;
    Ledger ledger;
    (machine.fs.*look.fail)(call, false);
    RunWorkload(machine, ledger);
    machine.fs.ClearFaults();
    machine.fs.Restart(PowerLoss::kDropAll, RunSeed() + call);
    EXPECT_EQ(Joined(CheckDisk(machine, ledger)), "")
        << "call " << call << ", FLUORO_SEED=" << RunSeed();
    if (HasFailure()) return;
  }
  std::printf("%llu calls failed, one in each run\n", static_cast<unsigned long long>(calls));
}

INSTANTIATE_TEST_SUITE_P(All, LookFaultTest,
                         ::testing::Values(LookCase{"Read", &FaultyFs::reads, &FaultyFs::FailRead},
                                           LookCase{"Look", &FaultyFs::looks, &FaultyFs::FailLook}),
                         [](const auto& look) { return look.param.name; });

TEST_F(CrashTest, AReadThatFailsHurtsOnlyItsQuery) {
  Machine machine;
  Ledger ledger;
  RunWorkload(machine, ledger);
  for (std::uint64_t read = 1; read <= 40; ++read) {
    auto store = machine.Open();
    ASSERT_TRUE(store);
    machine.fs.FailRead(read, false);
    std::uint64_t missing = 0;
    EXPECT_EQ(Joined(ledger.CheckRest(**store, missing)), "") << "read " << read;
    machine.fs.ClearFaults();
    EXPECT_EQ(Joined(ledger.Check(**store)), "") << "read " << read;
  }
}

}  // namespace
}  // namespace fluoro::crash
