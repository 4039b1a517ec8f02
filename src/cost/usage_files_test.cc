#include "cost/usage_files.h"

#include <gtest/gtest.h>

#include "base/faulty_fs.h"

namespace fluoro::cost {
namespace {

using analysis::Meter;

analysis::UsageFile FileOf(analysis::Day day, double recorded) {
  analysis::UsageFile file{.day = day, .counted_until_ns = day * analysis::kDayNs, .usage = {}};
  file.usage.Add(Meter::kTracesRecorded, recorded);
  return file;
}

// Whatever call the power fails at, the file is the old one or the new one.
TEST(UsageFiles, AreReplacedWholeOrNotAtAll) {
  for (std::uint64_t calls = 1; calls < 30; ++calls) {
    FaultyFs fs;
    ASSERT_TRUE(fs.MakeDirs("data"));
    ASSERT_TRUE(fs.SyncDir("."));
    UsageFiles files(fs, "data/usage");
    ASSERT_TRUE(files.Write(FileOf(20'000, 1)));
    fs.CrashAfter(calls);
    const bool written = files.Write(FileOf(20'000, 2)).has_value();
    fs.Restart(PowerLoss::kDropAll, calls);
    const auto read = files.Read(20'000);
    ASSERT_TRUE(read) << calls << ": " << read.error().message;
    ASSERT_TRUE(*read) << calls;
    if (written) {
      EXPECT_EQ(**read, FileOf(20'000, 2)) << calls;
    } else {
      EXPECT_TRUE(**read == FileOf(20'000, 1) || **read == FileOf(20'000, 2)) << calls;
    }
    ASSERT_TRUE(files.Write(FileOf(20'000, 3)));
    EXPECT_EQ(**files.Read(20'000), FileOf(20'000, 3));
  }
}

TEST(UsageFiles, DaysAreListedForgottenAndSetAside) {
  FaultyFs fs;
  UsageFiles files(fs, "data/usage");
  EXPECT_TRUE(files.Days()->empty());
  EXPECT_FALSE(*files.Read(5));
  for (const analysis::Day day : {20'003, 20'001, 20'002}) ASSERT_TRUE(files.Write(FileOf(day, 1)));
  EXPECT_EQ(*files.Days(), (std::vector<analysis::Day>{20'001, 20'002, 20'003}));
  ASSERT_TRUE(files.Forget(20'002));
  EXPECT_EQ(*files.Days(), (std::vector<analysis::Day>{20'002, 20'003}));
  ASSERT_TRUE(files.SetAside(20'002));
  EXPECT_EQ(*files.Days(), (std::vector<analysis::Day>{20'003}));
}

}  // namespace
}  // namespace fluoro::cost
