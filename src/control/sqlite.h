// SQLite as values and Results. Internal to control.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace fluoro::control {

/// One connection. Not thread-safe.
class Sqlite {
 public:
  /// Creates the file if absent, readable by its owner only. Errors: kIo, kCorruption.
  static Result<Sqlite> Open(const std::string& path);

  /// One or several statements without parameters and without rows.
  Result<void> Execute(const char* sql);
  /// The integer in the first column of the first row.
  Result<std::int64_t> Number(const char* sql);

  /// A row that is being read; valid until the visitor returns.
  class Row {
   public:
    explicit Row(sqlite3_stmt* statement) : statement_(statement) {}
    [[nodiscard]] std::int64_t Int(int column) const;
    [[nodiscard]] std::string Text(int column) const;

   private:
    sqlite3_stmt* statement_;
  };

  /// A prepared statement; parameters are numbered from 1.
  class Statement {
   public:
    Statement& Bind(int parameter, std::string_view text);
    Statement& Bind(int parameter, std::int64_t number);
    Statement& BindNull(int parameter);
    /// Runs to the end. Errors: kIo, kNoSpace, kUnavailable (another process holds the file).
    Result<void> Run(const std::function<void(const Row&)>& visit = {});

   private:
    friend class Sqlite;
    struct Finalize {
      void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };
    Statement(sqlite3* db, sqlite3_stmt* statement) : db_(db), statement_(statement) {}
    sqlite3* db_;
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  };
  Result<Statement> Prepare(const char* sql);
  [[nodiscard]] std::int64_t changes() const { return sqlite3_changes64(db_.get()); }

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  explicit Sqlite(sqlite3* db) : db_(db) {}
  std::unique_ptr<sqlite3, Close> db_;
};

}  // namespace fluoro::control
