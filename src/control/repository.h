// The records of the control plane (sampling rules, groups, policies, keys, settings, ...) behind
// one door: small JSON objects by kind and name, with revisions and an audit trail, in one SQLite
// file. Decision 048.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace fluoro::control {

/// Bounds of every record; each kind has narrower ones of its own.
inline constexpr std::size_t kNameBytesMax = 512;
inline constexpr std::size_t kBodyBytesMax = std::size_t{1} << 20;
inline constexpr std::size_t kRecordsMax = 50'000;
/// Beyond, the oldest lines of the audit trail go.
inline constexpr std::int64_t kAuditLinesMax = 10'000;

struct Record {
  std::string kind;           ///< lower-case words with dashes: "sampling-rule"
  std::string name;           ///< unique within its kind
  std::int64_t revision = 0;  ///< 1 when made, one more with each change
  std::int64_t created_ns = 0;
  std::int64_t modified_ns = 0;
  std::string modified_by;
  std::string body;    ///< one JSON object
  std::string secret;  ///< in no export and in no audit trail
  bool operator==(const Record&) const = default;
};

/// A change as it was made.
struct AuditLine {
  std::int64_t id = 0;
  std::int64_t at_ns = 0;
  std::string who;
  std::string kind;
  std::string name;
  std::int64_t revision = 0;  ///< after it; 0: deleted
  std::string before;         ///< body, empty: there was none
  std::string after;          ///< body, empty: there is none any more
};

/// All records at one time. Immutable.
class Snapshot {
 public:
  using Kinds = std::map<std::string, std::shared_ptr<const std::vector<Record>>, std::less<>>;
  Snapshot(Kinds kinds, std::uint64_t generation)
      : kinds_(std::move(kinds)), generation_(generation) {}

  /// By name.
  [[nodiscard]] std::span<const Record> List(std::string_view kind) const;
  /// Null if there is none.
  [[nodiscard]] const Record* Find(std::string_view kind, std::string_view name) const;
  /// Another number after every change.
  [[nodiscard]] std::uint64_t generation() const { return generation_; }
  [[nodiscard]] const Kinds& kinds() const { return kinds_; }

 private:
  Kinds kinds_;
  std::uint64_t generation_;
};

/// What a change may read and do. Reads see what was written before in the same change.
class Transaction {
 public:
  virtual ~Transaction() = default;
  virtual Result<std::optional<Record>> Find(std::string_view kind, std::string_view name) = 0;
  /// By name.
  virtual Result<std::vector<Record>> List(std::string_view kind) = 0;
  /// Makes or replaces; a secret stays as it is. Errors: kTooLarge beyond the bounds above.
  virtual Result<Record> Put(std::string_view kind, std::string_view name,
                             std::string_view body) = 0;
  virtual Result<Record> PutSecret(std::string_view kind, std::string_view name,
                                   std::string_view body, std::string_view secret) = 0;
  /// False if there was none.
  virtual Result<bool> Delete(std::string_view kind, std::string_view name) = 0;
};

/// Thread-safe, also among processes that have opened the same file.
class Repository {
 public:
  /// Creates the file if absent. `path` ":memory:": records that end with it.
  /// Errors: kIo, kCorruption, kUnsupported (written by a newer version).
  static Result<std::unique_ptr<Repository>> Open(const std::string& path, const Clock& clock);
  virtual ~Repository() = default;

  /// Runs `change` alone among all threads and processes. What it did is durable when this returns;
  /// an error of its own or of the file takes everything back. `who` goes into the audit trail;
  /// empty: the server's own doings, of which none is kept.
  /// Errors: those of `change`, kIo, kNoSpace, kUnavailable (another process holds the file for
  /// more than 5 s).
  virtual Result<void> Write(std::string_view who,
                             const std::function<Result<void>(Transaction&)>& change) = 0;
  /// The records as of now; what another process changed half a second ago is among them.
  virtual std::shared_ptr<const Snapshot> Read() = 0;
  /// The newest changes first, at most `limit`, of one kind or (empty) of all.
  virtual Result<std::vector<AuditLine>> Audit(std::string_view kind, std::size_t limit) = 0;
};

/// {"records":[{"kind","name","revision","created_ns","modified_ns","modified_by","body":{...}}]},
/// by kind and name, without secrets. `kinds` empty: all.
std::string ExportRecords(const Snapshot& snapshot, std::span<const std::string> kinds = {});
/// Whether the readers of a kind understand a record that comes from outside. Errors:
/// kInvalidArgument.
using RecordCheck = Result<void> (*)(std::string_view name, std::string_view body);
using RecordChecks = std::map<std::string, RecordCheck, std::less<>>;
/// Puts every record of such a text, all or none; others stay. Records whose body is the same are
/// left alone. Returns how many were changed.
/// Errors: kInvalidArgument naming the record (a kind without a check included), those of Write.
Result<std::size_t> ImportRecords(Repository& repository, std::string_view who,
                                  std::string_view json, const RecordChecks& checks);

}  // namespace fluoro::control
