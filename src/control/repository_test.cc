#include "control/repository.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "base/rng.h"

namespace fluoro::control {
namespace {

constexpr std::int64_t kNow = 1'700'000'000 * kNsPerSecond;

class RepositoryTest : public testing::Test {
 protected:
  RepositoryTest()
      : folder_(
            std::filesystem::temp_directory_path() /
            ("fluoro-control-" + std::to_string(::getpid()) + "-" + std::to_string(RandomSeed()))) {
    std::filesystem::create_directory(folder_);
  }
  ~RepositoryTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Repository> Open() {
    auto opened = Repository::Open(path(), clock_);
    EXPECT_TRUE(opened) << opened.error().message;
    return *std::move(opened);
  }
  [[nodiscard]] std::string path() const { return (folder_ / "control.db").string(); }

  static Result<void> Put(Repository& repository, std::string_view name, std::string_view body,
                          std::string_view who = "user/ann") {
    return repository.Write(who, [&](Transaction& transaction) -> Result<void> {
      FLUORO_CHECK_OK(transaction.Put("group", name, body));
      return {};
    });
  }

  ManualClock clock_{kNow};
  std::filesystem::path folder_;
};

TEST_F(RepositoryTest, KeepsWhatWasWritten) {
  {
    const auto repository = Open();
    ASSERT_TRUE(Put(*repository, "slow", R"({"n":1})"));
    clock_.Advance(kNsPerSecond);
    ASSERT_TRUE(Put(*repository, "slow", R"({"n":2})"));
  }
  const auto snapshot = Open()->Read();
  const Record* record = snapshot->Find("group", "slow");
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->body, R"({"n":2})");
  EXPECT_EQ(record->revision, 2);
  EXPECT_EQ(record->created_ns, kNow);
  EXPECT_EQ(record->modified_ns, kNow + kNsPerSecond);
  EXPECT_EQ(record->modified_by, "user/ann");
  EXPECT_EQ(snapshot->Find("group", "fast"), nullptr);
  EXPECT_EQ(snapshot->Find("rule", "slow"), nullptr);
}

TEST_F(RepositoryTest, AnErrorTakesEverythingBack) {
  const auto repository = Open();
  ASSERT_TRUE(Put(*repository, "a", "{}"));
  const auto before = repository->Read();
  const auto failed = repository->Write("user/ann", [](Transaction& transaction) -> Result<void> {
    FLUORO_CHECK_OK(transaction.Put("group", "b", "{}"));
    FLUORO_TRY(const bool deleted, transaction.Delete("group", "a"));
    EXPECT_TRUE(deleted);
    FLUORO_TRY(const auto seen, transaction.List("group"));
    EXPECT_EQ(seen.size(), 1U);  // a change sees what it did
    return Fail(ErrorCode::kInvalidArgument, "no");
  });
  EXPECT_EQ(failed.error().message, "no");
  EXPECT_EQ(repository->Read()->generation(), before->generation());
  ASSERT_TRUE(Put(*repository, "c", "{}"));
  std::vector<std::string> names;
  for (const Record& record : repository->Read()->List("group")) names.push_back(record.name);
  EXPECT_THAT(names, testing::ElementsAre("a", "c"));
  EXPECT_EQ(repository->Audit("", 10)->size(), 2U);
}

TEST_F(RepositoryTest, TellsWhoChangedWhat) {
  const auto repository = Open();
  ASSERT_TRUE(Put(*repository, "slow", R"({"n":1})"));
  clock_.Advance(5);
  ASSERT_TRUE(repository->Write("user/bob", [](Transaction& transaction) -> Result<void> {
    FLUORO_CHECK_OK(transaction.PutSecret("access-key", "AK", "{}", "hidden"));
    FLUORO_CHECK_OK(transaction.Delete("group", "slow"));
    return {};
  }));
  ASSERT_TRUE(Put(*repository, "own", "{}", ""));  // the server's own doings leave no line
  const auto lines = repository->Audit("group", 10);
  ASSERT_TRUE(lines);
  ASSERT_EQ(lines->size(), 2U);
  EXPECT_EQ((*lines)[0].who, "user/bob");
  EXPECT_EQ((*lines)[0].at_ns, kNow + 5);
  EXPECT_EQ((*lines)[0].revision, 0);
  EXPECT_EQ((*lines)[0].before, R"({"n":1})");
  EXPECT_EQ((*lines)[0].after, "");
  EXPECT_EQ((*lines)[1].who, "user/ann");
  EXPECT_EQ((*lines)[1].before, "");
  EXPECT_EQ((*lines)[1].after, R"({"n":1})");
  const auto all = repository->Audit("", 10);
  ASSERT_EQ(all->size(), 3U);
  for (const AuditLine& line : *all) EXPECT_EQ((line.before + line.after).find("hidden"), -1UL);
}

TEST_F(RepositoryTest, SecretsStayAndLeaveInNoExport) {
  const auto repository = Open();
  ASSERT_TRUE(repository->Write("a", [](Transaction& transaction) -> Result<void> {
    FLUORO_CHECK_OK(transaction.PutSecret("access-key", "AK", "{}", "hidden"));
    FLUORO_CHECK_OK(transaction.Put("access-key", "AK", R"({"role":"writer"})"));
    return {};
  }));
  EXPECT_EQ(repository->Read()->Find("access-key", "AK")->secret, "hidden");
  EXPECT_EQ(ExportRecords(*repository->Read()).find("hidden"), std::string::npos);
  struct stat status{};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(RepositoryTest, ExportsAndImports) {
  const auto from = Open();
  ASSERT_TRUE(Put(*from, "a", R"({"text":"a \"quoted\" }{ one"})"));
  ASSERT_TRUE(Put(*from, "b", R"({"list":[{},[]]})"));
  const std::string text = ExportRecords(*from->Read());
  const auto to = *Repository::Open(":memory:", clock_);
  ASSERT_TRUE(Put(*to, "b", R"({"list":[{},[]]})"));
  ASSERT_TRUE(Put(*to, "c", "{}"));
  const RecordChecks checks{{"group", [](std::string_view, std::string_view body) -> Result<void> {
                               if (body.find("bad") == std::string_view::npos) return {};
                               return Fail(ErrorCode::kInvalidArgument, "bad body");
                             }}};
  EXPECT_EQ(ImportRecords(*to, "import", text, checks), 1U);
  EXPECT_EQ(to->Read()->Find("group", "a")->body, from->Read()->Find("group", "a")->body);
  EXPECT_EQ(to->Read()->Find("group", "b")->revision, 1);  // was the same
  EXPECT_NE(to->Read()->Find("group", "c"), nullptr);

  const auto refused = [&](std::string_view json) {
    const auto imported = ImportRecords(*to, "import", json, checks);
    return imported ? std::string("taken") : imported.error().message;
  };
  EXPECT_EQ(refused(R"({"records":[{"kind":"group","name":"d","body":{}},
                                   {"kind":"group","name":"e","body":{"bad":1}}]})"),
            "records[1]: bad body");
  EXPECT_EQ(to->Read()->Find("group", "d"), nullptr);
  EXPECT_EQ(refused(R"({"records":[{"kind":"other","name":"d","body":{}}]})"),
            "records[0]: records of kind 'other' are not imported");
  EXPECT_EQ(refused(R"({"records":[{"kind":"group","body":{}}]})"),
            "records[0]: kind, name (texts) and body (an object) wanted");
  EXPECT_EQ(refused("{}"), "records: an array wanted");
  EXPECT_EQ(refused("{\"records\":[{\"kind\":\"group\",\"name\":\"\xff\",\"body\":{}}]}"),
            "records: not UTF-8");
}

TEST_F(RepositoryTest, RefusesWhatIsTooLarge) {
  const auto repository = Open();
  EXPECT_EQ(Put(*repository, std::string(kNameBytesMax + 1, 'n'), "{}").error().code,
            ErrorCode::kTooLarge);
  EXPECT_EQ(Put(*repository, "", "{}").error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(Put(*repository, "a", std::string(kBodyBytesMax + 1, 'b')).error().code,
            ErrorCode::kTooLarge);
  EXPECT_TRUE(Put(*repository, "a", std::string(kBodyBytesMax, 'b')));
}

TEST_F(RepositoryTest, TheAuditTrailIsBounded) {
  const auto repository = Open();
  ASSERT_TRUE(repository->Write("a", [](Transaction& transaction) -> Result<void> {
    for (int i = 0; i < kAuditLinesMax + 50; ++i) {
      FLUORO_CHECK_OK(transaction.Put("group", "g", R"({"n":)" + std::to_string(i) + "}"));
    }
    return {};
  }));
  const auto lines = repository->Audit("", 2 * kAuditLinesMax);
  ASSERT_EQ(lines->size(), static_cast<std::size_t>(kAuditLinesMax));
  EXPECT_EQ(lines->front().after, R"({"n":10049})");
}

TEST_F(RepositoryTest, SeesWhatAnotherProcessChanged) {
  const auto mine = Open();
  const auto theirs = Open();  // another connection, as of another process
  const auto before = mine->Read();
  ASSERT_TRUE(Put(*theirs, "new", "{}"));
  clock_.Advance(kNsPerSecond);
  ASSERT_NE(mine->Read()->Find("group", "new"), nullptr);
  EXPECT_EQ(before->Find("group", "new"), nullptr);  // snapshots do not change
  ASSERT_TRUE(theirs->Write("b", [](Transaction& transaction) -> Result<void> {
    FLUORO_CHECK_OK(transaction.Delete("group", "new"));
    return {};
  }));
  clock_.Advance(kNsPerSecond);
  EXPECT_EQ(mine->Read()->Find("group", "new"), nullptr);
}

TEST_F(RepositoryTest, RefusesAFileOfALaterVersionAndWhatIsNone) {
  Open().reset();
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path().c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "PRAGMA user_version = 2", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
  EXPECT_EQ(Repository::Open(path(), clock_).error().code, ErrorCode::kUnsupported);

  std::filesystem::remove(path());
  FILE* file = std::fopen(path().c_str(), "w");
  std::fputs(std::string(5'000, 'x').c_str(), file);
  std::fclose(file);
  EXPECT_EQ(Repository::Open(path(), clock_).error().code, ErrorCode::kCorruption);
}

TEST_F(RepositoryTest, WritersOfOneProcessAndOfOthersTakeTurns) {
  constexpr int kThreads = 4;
  constexpr int kChanges = 25;
  const auto add_one = [](Repository& repository) {
    return repository.Write("n", [](Transaction& transaction) -> Result<void> {
      FLUORO_TRY(const auto standing, transaction.Find("group", "count"));
      const int count = standing ? std::stoi(standing->body) : 0;
      FLUORO_CHECK_OK(transaction.Put("group", "count", std::to_string(count + 1)));
      return {};
    });
  };
  const auto shared = Open();
  const pid_t child = ::fork();
  if (child == 0) {
    const auto own = Repository::Open(path(), clock_);
    bool good = own.has_value();
    for (int i = 0; good && i < kChanges; ++i) good = add_one(**own).has_value();
    ::_exit(good ? 0 : 1);
  }
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < kChanges; ++i) EXPECT_TRUE(add_one(*shared));
      });
    }
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(Open()->Read()->Find("group", "count")->body,
            std::to_string((kThreads + 1) * kChanges));
}

// A writer is killed again and again; what it told to be written is there, whole.
TEST_F(RepositoryTest, SurvivesKills) {
  constexpr int kKills = 25;
  Rng rng(20261129);
  int acknowledged = 0;
  for (int kill = 0; kill < kKills; ++kill) {
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      const auto own = Repository::Open(path(), clock_);
      if (!own) ::_exit(1);
      for (int number = acknowledged + 1;; ++number) {
        const auto done = (*own)->Write("n", [&](Transaction& transaction) -> Result<void> {
          const std::string body = std::to_string(number);
          FLUORO_CHECK_OK(transaction.Put("group", "first", body));
          FLUORO_CHECK_OK(transaction.Put("group", "second", body));
          return {};
        });
        if (!done || ::write(pipe[1], &number, sizeof number) != sizeof number) ::_exit(1);
      }
    }
    ::close(pipe[1]);
    const std::uint64_t wanted = 1 + rng.Below(8);
    for (std::uint64_t i = 0; i < wanted; ++i) {
      ASSERT_EQ(::read(pipe[0], &acknowledged, sizeof acknowledged),
                static_cast<ssize_t>(sizeof acknowledged));
    }
    ::kill(child, SIGKILL);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    for (int more = 0; ::read(pipe[0], &more, sizeof more) == sizeof more;) acknowledged = more;
    ::close(pipe[0]);
    const auto snapshot = Open()->Read();
    const int first = std::stoi(snapshot->Find("group", "first")->body);
    EXPECT_EQ(snapshot->Find("group", "second")->body, std::to_string(first));
    EXPECT_GE(first, acknowledged);
    EXPECT_LE(first, acknowledged + 1);
    acknowledged = first;
  }
}

}  // namespace
}  // namespace fluoro::control
