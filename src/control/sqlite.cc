#include "control/sqlite.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace fluoro::control {
namespace {

constexpr int kBusyMilliseconds = 5'000;

Error ErrorOf(sqlite3* db, int code) {
  const std::string message = std::string("control records: ") + sqlite3_errmsg(db);
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {ErrorCode::kUnavailable, message};
    case SQLITE_FULL:
      return {ErrorCode::kNoSpace, message};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {ErrorCode::kCorruption, message};
    default:
      return {ErrorCode::kIo, message};
  }
}

}  // namespace

Result<Sqlite> Sqlite::Open(const std::string& path) {
  if (path != ":memory:") {
    // SQLite creates files by the umask, and these hold secrets.
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return Fail(ErrorCode::kIo, "cannot open " + path);
    ::close(file);
  }
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(
      path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  Sqlite opened(db);
  if (code != SQLITE_OK) return std::unexpected(ErrorOf(db, code).With(path));
  sqlite3_busy_timeout(db, kBusyMilliseconds);
  return opened;
}

Result<void> Sqlite::Execute(const char* sql) {
  const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return std::unexpected(ErrorOf(db_.get(), code));
  return {};
}

Result<std::int64_t> Sqlite::Number(const char* sql) {
  std::int64_t number = 0;
  FLUORO_TRY(Statement statement, Prepare(sql));
  FLUORO_CHECK_OK(statement.Run([&](const Row& row) { number = row.Int(0); }));
  return number;
}

Result<Sqlite::Statement> Sqlite::Prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(db_.get(), sql, -1, &statement, nullptr);
  if (code != SQLITE_OK) return std::unexpected(ErrorOf(db_.get(), code));
  return Statement(db_.get(), statement);
}

std::int64_t Sqlite::Row::Int(int column) const { return sqlite3_column_int64(statement_, column); }

std::string Sqlite::Row::Text(int column) const {
  const auto* text = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  const auto bytes = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return text == nullptr ? std::string() : std::string(text, bytes);
}

Sqlite::Statement& Sqlite::Statement::Bind(int parameter, std::string_view text) {
  // A null pointer would bind NULL.
  sqlite3_bind_text64(statement_.get(), parameter, text.empty() ? "" : text.data(), text.size(),
                      SQLITE_TRANSIENT, SQLITE_UTF8);
  return *this;
}

Sqlite::Statement& Sqlite::Statement::Bind(int parameter, std::int64_t number) {
  sqlite3_bind_int64(statement_.get(), parameter, number);
  return *this;
}

Sqlite::Statement& Sqlite::Statement::BindNull(int parameter) {
  sqlite3_bind_null(statement_.get(), parameter);
  return *this;
}

Result<void> Sqlite::Statement::Run(const std::function<void(const Row&)>& visit) {
  for (;;) {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) {
      if (visit) visit(Row(statement_.get()));
      continue;
    }
    sqlite3_reset(statement_.get());
    if (code == SQLITE_DONE) return {};
    return std::unexpected(ErrorOf(db_, code));
  }
}

}  // namespace fluoro::control
