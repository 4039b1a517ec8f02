// The demo's databases: SQLite in memory, with real queries.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/mutex.h"
#include "cli/demo/recorder.h"

struct sqlite3;

namespace fluoro::cli::demo {

/// Thread-safe: one query at a time.
class Database {
 public:
  /// `script` creates and fills the tables. Errors: kInternal with SQLite's words.
  static Result<std::unique_ptr<Database>> Open(std::string name, const std::string& script);
  ~Database();
  /// Runs one query with one text parameter; first column of each row. Recorded as a child of
  /// `parent`.
  Result<std::vector<std::string>> Query(Scope& parent, const std::string& sql,
                                         const std::string& parameter);

 private:
  explicit Database(std::string name);
  const std::string name_;
  Mutex mutex_;
  sqlite3* handle_ = nullptr;
};

}  // namespace fluoro::cli::demo
