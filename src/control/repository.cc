#include "control/repository.h"

#include <algorithm>
#include <set>

#include "base/json.h"
#include "base/json_text.h"
#include "base/json_tree.h"
#include "base/mutex.h"
#include "base/utf8.h"
#include "control/sqlite.h"

namespace fluoro::control {
namespace {

constexpr std::int64_t kVersion = 1;
constexpr std::int64_t kLookEveryNs = 500 * kNsPerMs;
constexpr std::size_t kWhoBytesMax = 512;

constexpr const char* kSchema = R"sql(
CREATE TABLE IF NOT EXISTS record(
  kind TEXT NOT NULL, name TEXT NOT NULL, revision INTEGER NOT NULL, created_ns INTEGER NOT NULL,
  modified_ns INTEGER NOT NULL, modified_by TEXT NOT NULL, body TEXT NOT NULL, secret TEXT NOT NULL,
  PRIMARY KEY(kind, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS audit(
  id INTEGER PRIMARY KEY AUTOINCREMENT, at_ns INTEGER NOT NULL, who TEXT NOT NULL, kind TEXT NOT NULL,
  name TEXT NOT NULL, revision INTEGER NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL);
PRAGMA user_version = 1;
)sql";

constexpr const char* kColumns =
    "kind, name, revision, created_ns, modified_ns, modified_by, body, secret";

Record RecordOf(const Sqlite::Row& row) {
  return {.kind = row.Text(0),
          .name = row.Text(1),
          .revision = row.Int(2),
          .created_ns = row.Int(3),
          .modified_ns = row.Int(4),
          .modified_by = row.Text(5),
          .body = row.Text(6),
          .secret = row.Text(7)};
}

class SqliteTransaction final : public Transaction {
 public:
  SqliteTransaction(Sqlite& db, std::string_view who, std::int64_t now_ns)
      : db_(db), who_(who.substr(0, kWhoBytesMax)), now_ns_(now_ns) {}

  Result<std::optional<Record>> Find(std::string_view kind, std::string_view name) override {
    const std::string sql =
        std::string("SELECT ") + kColumns + " FROM record WHERE kind = ?1 AND name = ?2";
    FLUORO_TRY(auto statement, db_.Prepare(sql.c_str()));
    std::optional<Record> found;
    FLUORO_CHECK_OK(statement.Bind(1, kind).Bind(2, name).Run(
        [&](const Sqlite::Row& row) { found = RecordOf(row); }));
    return found;
  }

  Result<std::vector<Record>> List(std::string_view kind) override {
    const std::string sql =
        std::string("SELECT ") + kColumns + " FROM record WHERE kind = ?1 ORDER BY name";
    FLUORO_TRY(auto statement, db_.Prepare(sql.c_str()));
    std::vector<Record> found;
    FLUORO_CHECK_OK(statement.Bind(1, kind).Run(
        [&](const Sqlite::Row& row) { found.push_back(RecordOf(row)); }));
    return found;
  }

  Result<Record> Put(std::string_view kind, std::string_view name, std::string_view body) override {
    return PutRecord(kind, name, body, std::nullopt);
  }

  Result<Record> PutSecret(std::string_view kind, std::string_view name, std::string_view body,
                           std::string_view secret) override {
    return PutRecord(kind, name, body, secret);
  }

  Result<bool> Delete(std::string_view kind, std::string_view name) override {
    FLUORO_TRY(const std::optional<Record> before, Find(kind, name));
    if (!before) return false;
    FLUORO_TRY(auto statement, db_.Prepare("DELETE FROM record WHERE kind = ?1 AND name = ?2"));
    FLUORO_CHECK_OK(statement.Bind(1, kind).Bind(2, name).Run());
    Record after = *before;
    after.revision = 0;
    after.body.clear();
    FLUORO_CHECK_OK(Note(after, before->body));
    return true;
  }

  [[nodiscard]] const std::set<std::string, std::less<>>& touched() const { return touched_; }

 private:
  Result<Record> PutRecord(std::string_view kind, std::string_view name, std::string_view body,
                           std::optional<std::string_view> secret) {
    if (kind.empty() || name.empty() || name.size() > kNameBytesMax) {
      return Fail(ErrorCode::kTooLarge,
                  "a name of 1 to " + std::to_string(kNameBytesMax) + " bytes wanted");
    }
    if (body.size() > kBodyBytesMax) {
      return Fail(ErrorCode::kTooLarge, std::string(kind) + " '" + std::string(name) +
                                            "' is larger than " + std::to_string(kBodyBytesMax) +
                                            " bytes");
    }
    FLUORO_TRY(const std::optional<Record> before, Find(kind, name));
    if (!before) {
      FLUORO_TRY(const std::int64_t records, db_.Number("SELECT count(*) FROM record"));
      if (std::cmp_greater_equal(records, kRecordsMax)) {
        return Fail(ErrorCode::kTooLarge,
                    "there are " + std::to_string(kRecordsMax) + " control records: delete some");
      }
    }
    Record record{.kind = std::string(kind),
                  .name = std::string(name),
                  .revision = before ? before->revision + 1 : 1,
                  .created_ns = before ? before->created_ns : now_ns_,
                  .modified_ns = now_ns_,
                  .modified_by = std::string(who_),
                  .body = std::string(body),
                  .secret = std::string(secret.value_or(before ? before->secret : ""))};
    FLUORO_TRY(auto statement,
               db_.Prepare("INSERT OR REPLACE INTO record VALUES(?1,?2,?3,?4,?5,?6,?7,?8)"));
    FLUORO_CHECK_OK(statement.Bind(1, record.kind)
                        .Bind(2, record.name)
                        .Bind(3, record.revision)
                        .Bind(4, record.created_ns)
                        .Bind(5, record.modified_ns)
                        .Bind(6, record.modified_by)
                        .Bind(7, record.body)
                        .Bind(8, record.secret)
                        .Run());
    FLUORO_CHECK_OK(Note(record, before ? before->body : ""));
    return record;
  }

  Result<void> Note(const Record& after, std::string_view before) {
    touched_.insert(after.kind);
    if (who_.empty()) return {};
    FLUORO_TRY(auto statement,
               db_.Prepare("INSERT INTO audit(at_ns, who, kind, name, revision, before, after) "
                           "VALUES(?1,?2,?3,?4,?5,?6,?7)"));
    FLUORO_CHECK_OK(statement.Bind(1, now_ns_)
                        .Bind(2, who_)
                        .Bind(3, after.kind)
                        .Bind(4, after.name)
                        .Bind(5, after.revision)
                        .Bind(6, before)
                        .Bind(7, after.body)
                        .Run());
    FLUORO_TRY(auto forget,
               db_.Prepare("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?1"));
    return forget.Bind(1, kAuditLinesMax).Run();
  }

  Sqlite& db_;
  std::string_view who_;
  std::int64_t now_ns_;
  std::set<std::string, std::less<>> touched_;
};

class SqliteRepository final : public Repository {
 public:
  SqliteRepository(Sqlite db, const Clock& clock) : clock_(clock), db_(std::move(db)) {}

  Result<void> Prepare() {
    const MutexLock lock(mutex_);
    FLUORO_CHECK_OK(db_.Execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"));
    FLUORO_CHECK_OK(db_.Execute("BEGIN IMMEDIATE"));
    FLUORO_TRY(const std::int64_t version, db_.Number("PRAGMA user_version"));
    if (version > kVersion) {
      return Fail(ErrorCode::kUnsupported, "the control records are of version " +
                                               std::to_string(version) +
                                               ", written by a newer program");
    }
    if (version < kVersion) FLUORO_CHECK_OK(db_.Execute(kSchema));
    FLUORO_CHECK_OK(db_.Execute("COMMIT"));
    FLUORO_TRY(seen_version_, db_.Number("PRAGMA data_version"));
    return LoadAll();
  }

  Result<void> Write(std::string_view who,
                     const std::function<Result<void>(Transaction&)>& change) override {
    const MutexLock lock(mutex_);
    FLUORO_CHECK_OK(db_.Execute("BEGIN IMMEDIATE"));
    SqliteTransaction transaction(db_, who, clock_.UnixNs());
    auto done = change(transaction);
    if (done) done = db_.Execute("COMMIT");
    if (!done) {
      // Where the commit itself failed there may be nothing left to take back.
      (void)db_.Execute("ROLLBACK");
      return done;
    }
    return Load(transaction.touched());
  }

  std::shared_ptr<const Snapshot> Read() override {
    const MutexLock lock(mutex_);
    const std::int64_t now_ns = clock_.MonotonicNs();
    if (now_ns - looked_ns_ >= kLookEveryNs) {
      looked_ns_ = now_ns;
      // A file that cannot be read now leaves what was read before; the next write tells the error.
      const auto version = db_.Number("PRAGMA data_version");
      if (version && *version != seen_version_ && LoadAll()) seen_version_ = *version;
    }
    return snapshot_;
  }

  Result<std::vector<AuditLine>> Audit(std::string_view kind, std::size_t limit) override {
    const MutexLock lock(mutex_);
    FLUORO_TRY(auto statement,
               db_.Prepare("SELECT id, at_ns, who, kind, name, revision, before, after FROM audit "
                           "WHERE ?1 = '' OR kind = ?1 ORDER BY id DESC LIMIT ?2"));
    std::vector<AuditLine> lines;
    FLUORO_CHECK_OK(statement.Bind(1, kind)
                        .Bind(2, static_cast<std::int64_t>(limit))
                        .Run([&](const Sqlite::Row& row) {
                          lines.push_back({.id = row.Int(0),
                                           .at_ns = row.Int(1),
                                           .who = row.Text(2),
                                           .kind = row.Text(3),
                                           .name = row.Text(4),
                                           .revision = row.Int(5),
                                           .before = row.Text(6),
                                           .after = row.Text(7)});
                        }));
    return lines;
  }

 private:
  Result<void> LoadAll() FLUORO_REQUIRES(mutex_) {
    std::set<std::string, std::less<>> kinds;
    FLUORO_TRY(auto statement, db_.Prepare("SELECT DISTINCT kind FROM record"));
    FLUORO_CHECK_OK(
        statement.Run([&](const Sqlite::Row& row) { kinds.insert(std::string(row.Text(0))); }));
    if (snapshot_) {
      for (const auto& [kind, records] : snapshot_->kinds()) kinds.insert(kind);
    }
    return Load(kinds);
  }

  Result<void> Load(const std::set<std::string, std::less<>>& kinds) FLUORO_REQUIRES(mutex_) {
    SqliteTransaction transaction(db_, "", 0);
    Snapshot::Kinds all = snapshot_ ? snapshot_->kinds() : Snapshot::Kinds();
    for (const std::string& kind : kinds) {
      FLUORO_TRY(std::vector<Record> records, transaction.List(kind));
      all[kind] = std::make_shared<const std::vector<Record>>(std::move(records));
    }
    snapshot_ = std::make_shared<const Snapshot>(std::move(all), ++generation_);
    return {};
  }

  const Clock& clock_;
  Mutex mutex_;
  Sqlite db_ FLUORO_GUARDED_BY(mutex_);
  std::shared_ptr<const Snapshot> snapshot_ FLUORO_GUARDED_BY(mutex_);
  std::uint64_t generation_ FLUORO_GUARDED_BY(mutex_) = 0;
  std::int64_t looked_ns_ FLUORO_GUARDED_BY(mutex_) = 0;
  std::int64_t seen_version_ FLUORO_GUARDED_BY(mutex_) = 0;
};

}  // namespace

std::span<const Record> Snapshot::List(std::string_view kind) const {
  const auto at = kinds_.find(kind);
  return at == kinds_.end() ? std::span<const Record>() : std::span(*at->second);
}

const Record* Snapshot::Find(std::string_view kind, std::string_view name) const {
  const std::span<const Record> records = List(kind);
  const auto at = std::ranges::lower_bound(records, name, {}, &Record::name);
  return at == records.end() || at->name != name ? nullptr : &*at;
}

Result<std::unique_ptr<Repository>> Repository::Open(const std::string& path, const Clock& clock) {
  FLUORO_TRY(Sqlite db, Sqlite::Open(path));
  auto repository = std::make_unique<SqliteRepository>(std::move(db), clock);
  if (auto prepared = repository->Prepare(); !prepared)
    return std::unexpected(std::move(prepared).error().With(path));
  return repository;
}

std::string ExportRecords(const Snapshot& snapshot, std::span<const std::string> kinds) {
  JsonWriter out;
  out.BeginObject().Key("records").BeginArray();
  for (const auto& [kind, records] : snapshot.kinds()) {
    if (!kinds.empty() && std::ranges::find(kinds, kind) == kinds.end()) continue;
    for (const Record& record : *records) {
      out.BeginObject().Key("kind").String(record.kind).Key("name").String(record.name);
      out.Key("revision").Int(record.revision).Key("created_ns").Int(record.created_ns);
      out.Key("modified_ns").Int(record.modified_ns);
      out.Key("modified_by").String(record.modified_by).Key("body").Raw(record.body).EndObject();
    }
  }
  out.EndArray().EndObject();
  return out.Take();
}

Result<std::size_t> ImportRecords(Repository& repository, std::string_view who,
                                  std::string_view json, const RecordChecks& checks) {
  if (!IsValidUtf8(json)) return Fail(ErrorCode::kInvalidArgument, "records: not UTF-8");
  const auto tree = JsonTree::Parse(json);
  if (!tree) return Fail(ErrorCode::kInvalidArgument, tree.error().message);
  const JsonView records = tree->root()["records"];
  if (!records.IsArray()) return Fail(ErrorCode::kInvalidArgument, "records: an array wanted");
  std::size_t changed = 0;
  const auto put_all = [&](Transaction& transaction) -> Result<void> {
    std::size_t index = 0;
    for (const JsonView& record : records.Elements()) {
      const std::string place = "records[" + std::to_string(index++) + "]";
      const auto kind = record["kind"].String();
      const auto name = record["name"].String();
      if (!kind || !name || !record["body"].IsObject()) {
        return Fail(ErrorCode::kInvalidArgument,
                    place + ": kind, name (texts) and body (an object) wanted");
      }
      const std::string body(JsonTextAt(json, record["body"].offset()));
      const auto check = checks.find(*kind);
      if (check == checks.end()) {
        return Fail(ErrorCode::kInvalidArgument,
                    place + ": records of kind '" + std::string(*kind) + "' are not imported");
      }
      if (auto checked = check->second(*name, body); !checked)
        return std::unexpected(std::move(checked).error().With(place));
      FLUORO_TRY(const auto standing, transaction.Find(*kind, *name));
      if (standing && standing->body == body) continue;
      FLUORO_CHECK_OK(transaction.Put(*kind, *name, body));
      ++changed;
    }
    return {};
  };
  FLUORO_CHECK_OK(repository.Write(who, put_all));
  return changed;
}

}  // namespace fluoro::control
