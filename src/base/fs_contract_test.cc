// One suite over every file system: what the store relies on.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>

#include "base/faulty_fs.h"
#include "base/fs.h"
#include "base/memory_fs.h"

namespace fluoro {
namespace {

struct Kind {
  const char* name;
  std::function<std::unique_ptr<Fs>()> make;
  bool on_disk;
};

class FsContract : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    fs_ = GetParam().make();
    if (GetParam().on_disk) {
      std::string folder = ::testing::TempDir() + "fluoro-fs-XXXXXX";
      root_ = ::mkdtemp(folder.data());
    } else {
      root_ = "root";
      ASSERT_TRUE(fs_->MakeDirs(root_));
    }
  }
  void TearDown() override {
    if (GetParam().on_disk) std::filesystem::remove_all(root_);
  }
  std::string Path(const std::string& name) { return root_ + "/" + name; }
  std::unique_ptr<File> Create(const std::string& name) {
    auto file = fs_->Open(Path(name), Fs::OpenMode::kCreate);
    EXPECT_TRUE(file) << file.error().message;
    return *std::move(file);
  }
  ErrorCode CodeOf(const auto& result) {
    return result ? ErrorCode::kInternal : result.error().code;
  }

  std::unique_ptr<Fs> fs_;
  std::string root_;
};

TEST_P(FsContract, WritesAnywhereAndReadsExactly) {
  const auto file = Create("a");
  ASSERT_TRUE(file->WriteAt(0, "hello"));
  ASSERT_TRUE(file->WriteAt(10, "world"));
  EXPECT_EQ(*file->Size(), 15U);
  EXPECT_EQ(*file->ReadAt(0, 15), std::string("hello\0\0\0\0\0world", 15));
  EXPECT_EQ(*file->ReadAt(10, 5), "world");
  EXPECT_EQ(*file->ReadAt(15, 0), "");
  EXPECT_EQ(CodeOf(file->ReadAt(11, 5)), ErrorCode::kCorruption);
  ASSERT_TRUE(file->WriteAt(1, "EL"));
  ASSERT_TRUE(file->Sync());
  EXPECT_EQ(*ReadFile(*fs_, Path("a")), std::string("hELlo\0\0\0\0\0world", 15));
}

TEST_P(FsContract, WritesPiecesOneBehindTheOther) {
  const auto file = Create("a");
  ASSERT_TRUE(file->WriteAt(0, "0123456789"));
  std::vector<std::string> texts(300);  // more than one system call takes
  for (std::size_t i = 0; i < texts.size(); ++i)
    texts[i] = std::string(i % 7, static_cast<char>('a' + i % 26));
  std::string wanted = "01234";
  for (const std::string& text : texts) wanted += text;
  const std::vector<std::string_view> pieces(texts.begin(), texts.end());
  ASSERT_TRUE(file->WritePieces(5, pieces));
  EXPECT_EQ(*file->ReadAt(0, *file->Size()), wanted);
  ASSERT_TRUE(file->WritePieces(2, {}));
  ASSERT_TRUE(file->Sync());
  file->Forget(0, 100);
  EXPECT_EQ(*ReadFile(*fs_, Path("a")), wanted);
}

TEST_P(FsContract, TruncatesAndAllocates) {
  const auto file = Create("a");
  ASSERT_TRUE(file->WriteAt(0, "hello"));
  ASSERT_TRUE(file->Truncate(2));
  EXPECT_EQ(*file->Size(), 2U);
  ASSERT_TRUE(file->Truncate(4));
  EXPECT_EQ(*file->ReadAt(0, 4), std::string("he\0\0", 4));
  ASSERT_TRUE(file->Allocate(100));
  EXPECT_EQ(*file->Size(), 100U);
  ASSERT_TRUE(file->Allocate(10));
  EXPECT_EQ(*file->Size(), 100U);
}

TEST_P(FsContract, OpenModesSayWhatMustExist) {
  EXPECT_EQ(CodeOf(fs_->Open(Path("a"), Fs::OpenMode::kRead)), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(fs_->Open(Path("a"), Fs::OpenMode::kReadWrite)), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(fs_->Open(Path("no/a"), Fs::OpenMode::kCreate)), ErrorCode::kNotFound);
  Create("a");
  EXPECT_EQ(CodeOf(fs_->Open(Path("a"), Fs::OpenMode::kCreate)), ErrorCode::kAlreadyExists);
  const auto reader = fs_->Open(Path("a"), Fs::OpenMode::kRead);
  ASSERT_TRUE(reader);
  EXPECT_FALSE((*reader)->WriteAt(0, "x"));
  EXPECT_TRUE(fs_->Open(Path("a"), Fs::OpenMode::kReadWrite));
}

TEST_P(FsContract, RenamesOverAndRemovesWhileOpen) {
  ASSERT_TRUE(Create("a")->WriteAt(0, "new"));
  const auto old = Create("b");
  ASSERT_TRUE(old->WriteAt(0, "old"));
  ASSERT_TRUE(fs_->Rename(Path("a"), Path("b")));
  EXPECT_FALSE(fs_->Exists(Path("a")));
  EXPECT_EQ(*ReadFile(*fs_, Path("b")), "new");
  EXPECT_EQ(*old->ReadAt(0, 3), "old");
  const auto open = fs_->Open(Path("b"), Fs::OpenMode::kRead);
  ASSERT_TRUE(fs_->Remove(Path("b")));
  EXPECT_EQ(*(*open)->ReadAt(0, 3), "new");
  EXPECT_EQ(CodeOf(fs_->Remove(Path("b"))), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(fs_->Rename(Path("a"), Path("c"))), ErrorCode::kNotFound);
}

TEST_P(FsContract, ListsSortedNamesOfOneFolder) {
  ASSERT_TRUE(fs_->MakeDirs(Path("d/e")));
  ASSERT_TRUE(fs_->MakeDirs(Path("d/e")));
  Create("z");
  Create("d/x");
  EXPECT_EQ(*fs_->List(root_), (std::vector<std::string>{"d", "z"}));
  EXPECT_EQ(*fs_->List(Path("d")), (std::vector<std::string>{"e", "x"}));
  EXPECT_EQ(CodeOf(fs_->List(Path("no"))), ErrorCode::kNotFound);
  EXPECT_TRUE(fs_->SyncDir(Path("d")));
  EXPECT_FALSE(fs_->SyncDir(Path("no")));
}

TEST_P(FsContract, LocksAreExclusiveUntilReleased) {
  auto held = fs_->Lock(Path("LOCK"));
  ASSERT_TRUE(held);
  EXPECT_EQ(CodeOf(fs_->Lock(Path("LOCK"))), ErrorCode::kAlreadyExists);
  held->reset();
  EXPECT_TRUE(fs_->Lock(Path("LOCK")));
}

TEST_P(FsContract, TellsDiskSpace) {
  const auto space = fs_->DiskSpace(root_);
  ASSERT_TRUE(space);
  EXPECT_GT(space->total_bytes, 0U);
  EXPECT_LE(space->free_bytes, space->total_bytes);
}

INSTANTIATE_TEST_SUITE_P(
    All, FsContract,
    ::testing::Values(Kind{"Posix", [] { return MakePosixFs(); }, true},
                      Kind{"Memory", [] { return std::make_unique<MemoryFs>(); }, false},
                      Kind{"Faulty", [] { return std::make_unique<FaultyFs>(); }, false}),
    [](const auto& kind) { return kind.param.name; });

class FaultyFsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(fs_.MakeDirs("d"));
    ASSERT_TRUE(fs_.SyncDir("."));
  }
  std::unique_ptr<File> Create(const std::string& path) {
    return *fs_.Open(path, Fs::OpenMode::kCreate);
  }
  FaultyFs fs_;
};

TEST_F(FaultyFsTest, LosesWhatWasNotSynced) {
  auto file = Create("d/a");
  ASSERT_TRUE(file->WriteAt(0, "one"));
  ASSERT_TRUE(file->Sync());
  ASSERT_TRUE(file->WriteAt(3, "two"));
  ASSERT_TRUE(fs_.SyncDir("d"));
  Create("d/b");
  fs_.Restart(PowerLoss::kDropAll, 1);
  EXPECT_EQ(*ReadFile(fs_, "d/a"), "one");
  EXPECT_FALSE(fs_.Exists("d/b"));
  EXPECT_FALSE(file->ReadAt(0, 1));
}

TEST_F(FaultyFsTest, NamesNeedTheirFoldersSync) {
  auto file = Create("d/a");
  ASSERT_TRUE(file->WriteAt(0, "x"));
  ASSERT_TRUE(file->Sync());
  fs_.Restart(PowerLoss::kDropAll, 1);
  EXPECT_FALSE(fs_.Exists("d/a"));
}

TEST_F(FaultyFsTest, TearsAtSectors) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    FaultyFs fs;
    auto file = *fs.Open("a", Fs::OpenMode::kCreate);
    ASSERT_TRUE(fs.SyncDir("."));
    ASSERT_TRUE(file->WriteAt(0, std::string(1024, 'x')));
    fs.Restart(PowerLoss::kTearWrites, seed);
    seen.insert(*ReadFile(fs, "a"));
  }
  EXPECT_EQ(seen, (std::set<std::string>{"", std::string(512, 'x'),
                                         std::string(512, '\0') + std::string(512, 'x'),
                                         std::string(1024, 'x')}));
}

TEST_F(FaultyFsTest, WritesReachTheDiskInAnotherOrder) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    FaultyFs fs;
    auto file = *fs.Open("a", Fs::OpenMode::kCreate);
    ASSERT_TRUE(fs.SyncDir("."));
    ASSERT_TRUE(file->WriteAt(0, "1"));
    ASSERT_TRUE(file->WriteAt(0, "2"));
    fs.Restart(PowerLoss::kReorder, seed);
    if (fs.Exists("a")) seen.insert(*ReadFile(fs, "a"));
  }
  EXPECT_EQ(seen, (std::set<std::string>{"", "1", "2"}));
}

TEST_F(FaultyFsTest, AFailedWriteMayHaveDoneSomeSectors) {
  std::set<std::string> seen;
  for (std::uint64_t changes = 0; changes < 40; ++changes) {
    FaultyFs fs;
    auto file = *fs.Open("a", Fs::OpenMode::kCreate);
    for (std::uint64_t i = 0; i < changes; ++i) ASSERT_TRUE(file->Truncate(0));
    fs.FailChange(1, FaultyFs::Fault::kTornWrite, false);
    EXPECT_FALSE(file->WriteAt(0, std::string(1024, 'x')));
    seen.insert(*ReadFile(fs, "a"));
  }
  EXPECT_EQ(seen, (std::set<std::string>{"", std::string(512, 'x'),
                                         std::string(512, '\0') + std::string(512, 'x'),
                                         std::string(1024, 'x')}));
}

TEST_F(FaultyFsTest, TheEndOfTheProcessSyncsNothing) {
  auto file = Create("d/a");
  ASSERT_TRUE(file->WriteAt(0, "one"));
  fs_.EndProcess();
  EXPECT_FALSE(file->ReadAt(0, 1));
  EXPECT_EQ(*ReadFile(fs_, "d/a"), "one");
  ASSERT_TRUE(fs_.SyncDir("d"));
  fs_.Restart(PowerLoss::kDropAll, 1);
  EXPECT_EQ(*ReadFile(fs_, "d/a"), "");
}

TEST_F(FaultyFsTest, FailsAndCountsLooks) {
  auto file = Create("d/a");
  EXPECT_EQ(fs_.looks(), 0U);
  fs_.FailLook(2, false);
  EXPECT_TRUE(fs_.List("d"));
  EXPECT_FALSE(file->Size());
  EXPECT_TRUE(fs_.Open("d/a", Fs::OpenMode::kRead));
  EXPECT_EQ(fs_.looks(), 3U);
  fs_.FailLook(1, true);
  EXPECT_FALSE(fs_.DiskSpace("d"));
  EXPECT_FALSE(fs_.Lock("d/LOCK"));
  fs_.ClearFaults();
  EXPECT_TRUE(fs_.Lock("d/LOCK"));
}

TEST_F(FaultyFsTest, StopsAfterTheCallTold) {
  auto file = Create("d/a");
  fs_.CrashAfter(2);
  EXPECT_TRUE(file->WriteAt(0, "x"));
  EXPECT_TRUE(file->Sync());
  EXPECT_TRUE(fs_.crashed());
  EXPECT_FALSE(file->WriteAt(1, "y"));
  EXPECT_FALSE(fs_.List("d"));
  fs_.Restart(PowerLoss::kKeepAll, 1);
  EXPECT_EQ(*ReadFile(fs_, "d/a"), "x");
}

TEST_F(FaultyFsTest, FailsTheCallTold) {
  auto file = Create("d/a");
  fs_.FailChange(2, FaultyFs::Fault::kShortWrite, false);
  EXPECT_TRUE(file->WriteAt(0, "ab"));
  EXPECT_FALSE(file->WriteAt(2, "cd"));
  EXPECT_EQ(*file->Size(), 3U);
  EXPECT_TRUE(file->WriteAt(2, "cd"));
  fs_.FailRead(1, false);
  EXPECT_FALSE(file->ReadAt(0, 1));
  EXPECT_TRUE(file->ReadAt(0, 1));
  fs_.FailSync(1);
  EXPECT_FALSE(file->Sync());
  EXPECT_TRUE(file->Sync());  // and yet nothing of it is on disk
  ASSERT_TRUE(fs_.SyncDir("d"));
  fs_.Restart(PowerLoss::kDropAll, 1);
  EXPECT_EQ(*ReadFile(fs_, "d/a"), "");
}

TEST_F(FaultyFsTest, RunsOutOfSpaceAndFlipsBits) {
  auto file = Create("d/a");
  fs_.SetCapacity(4);
  const auto full = file->WriteAt(0, "abcdef");
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::kNoSpace);
  EXPECT_EQ(*file->ReadAt(0, 4), "abcd");
  EXPECT_EQ(fs_.DiskSpace("d")->free_bytes, 0U);
  fs_.FlipBit("d/a", 1);
  EXPECT_EQ(*file->ReadAt(0, 1), "c");
}

}  // namespace
}  // namespace fluoro
