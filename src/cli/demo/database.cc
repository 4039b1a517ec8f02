#include "cli/demo/database.h"

#include <sqlite3.h>

namespace fluoro::cli::demo {

Database::Database(std::string name) : name_(std::move(name)) {}

Database::~Database() { sqlite3_close(handle_); }

Result<std::unique_ptr<Database>> Database::Open(std::string name, const std::string& script) {
  std::unique_ptr<Database> database(new Database(std::move(name)));
  if (sqlite3_open(":memory:", &database->handle_) != SQLITE_OK ||
      sqlite3_exec(database->handle_, script.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return Fail(ErrorCode::kInternal, database->name_ + ": " + sqlite3_errmsg(database->handle_));
  }
  return database;
}

Result<std::vector<std::string>> Database::Query(Scope& parent, const std::string& sql,
                                                 const std::string& parameter) {
  Scope span = parent.Child(name_, model::SpanKind::kClient);
  span.Set("db.system.name", std::string("sqlite"));
  span.Set("db.query.text", sql);
  span.Set("peer.service", name_);
  MutexLock lock(mutex_);
  sqlite3_stmt* statement = nullptr;
  std::vector<std::string> rows;
  int code = sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement, nullptr);
  if (code == SQLITE_OK) {
    sqlite3_bind_text(statement, 1, parameter.c_str(), -1, SQLITE_TRANSIENT);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
      const auto* text = sqlite3_column_text(statement, 0);
      rows.emplace_back(text == nullptr ? "" : reinterpret_cast<const char*>(text));
    }
  }
  sqlite3_finalize(statement);
  if (code != SQLITE_DONE) {
    span.Fail("sqlite3.Error", sqlite3_errmsg(handle_));
    return Fail(ErrorCode::kInternal, name_ + ": " + sqlite3_errmsg(handle_));
  }
  span.Set("db.response.returned_rows", static_cast<std::int64_t>(rows.size()));
  return rows;
}

}  // namespace fluoro::cli::demo
