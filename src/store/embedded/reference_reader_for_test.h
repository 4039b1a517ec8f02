// Reads blocks, log files and lists of deletions the slow and obvious way: written from
// docs/formats/block.md and docs/formats/wal.md, sharing no code with the store. What the fast
// readers say is checked against it.
//
// A new encoding is a new case in Ints or Texts, a new section a new case in ReadBlock.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/span.h"
#include "store/embedded/reference_sums_for_test.h"

namespace fluoro::store::reference {

/// Keys of 32 bytes, by name.
using Keys = std::map<std::string, std::string>;

/// What an encrypted file is read with.
class Unsealer {
 public:
  Unsealer() = default;
  /// @param envelope  208 bytes. `kind`: 1 log, 2 block. Errors: kCorruption, kPermissionDenied.
  static Result<Unsealer> Of(std::string_view envelope, int kind, std::uint64_t id,
                             const Keys& keys);
  /// What stands at `place` of the file.
  Result<std::string> Open(std::uint64_t place, const std::string& what,
                           const std::string& sealed) const;

 private:
  std::string file_;
  std::string data_key_;
};

struct Trace {
  model::TraceId id;
  std::int64_t start_ns = 0, end_ns = 0, first_arrival_ns = 0, last_arrival_ns = 0;
  std::uint64_t first_row = 0, rows = 0, appends = 0, flags = 0, sealed_lsn = 0;
  model::Kept kept{.reason = "", .probability = 0};  ///< as it is while nothing judged the trace
  std::vector<model::Span> spans;                    ///< in order of rows
};

struct Skeleton {
  model::TraceId id;
  std::int64_t start_ns = 0, duration_ns = 0;
  std::uint64_t shape = 0, arrival_s = 0, spans = 0, bytes = 0, outcomes = 0;
  std::string route, reason;
  std::vector<std::string> root;  ///< its eight texts; empty: not known
};

struct Block {
  std::uint64_t id = 0, level = 0, order = 0, sealed_lsn = 0, spans = 0;
  std::int64_t created_ns = 0, start_ns_min = 0, start_ns_max = 0, end_ns_max = 0,
               arrival_ns_min = 0, arrival_ns_max = 0;
  model::TraceId id_min, id_max;
  std::vector<std::uint64_t> replaces, row_groups;
  std::uint64_t page_traces = 0;  ///< 0: the trace table is not in pages
  std::vector<model::TraceId> page_ids;
  std::vector<Trace> traces;  ///< in order of (start, id); a trace may have several
  /// Of each, as model::testing::Print gives it; empty: there is none.
  std::vector<std::string> summaries;
  std::map<std::string, std::set<std::pair<std::string, int>>> services;  ///< name and kind
  std::int64_t judged_ns = 0;
  std::vector<Skeleton> skeletons;
  std::optional<Sums> rollup, calls;  ///< nullopt: there is no header
  std::string filter;
  /// What occurs in the file: "section 3", "codec 1", "ints 2", "texts 0", "attribute 4".
  std::set<std::string> seen;
};
/// The whole file's bytes. Errors: kCorruption, where anything is not as documented.
Result<Block> ReadBlock(std::string_view file, const Keys& keys = {});
bool FilterMayContain(std::string_view filter, const model::TraceId& id);

struct Record {
  std::uint64_t lsn = 0, synced_lsn = 0;
  int type = 0, flags = 0;
  std::int64_t arrival_ns = 0;          ///< type 1
  std::vector<model::Span> spans;       ///< type 1
  bool head_only = false;               ///< type 2
  std::uint64_t upto_lsn = 0;           ///< type 2
  std::vector<model::TraceId> deleted;  ///< type 2
};
struct WalFile {
  std::uint64_t file_number = 0, first_lsn = 0, last_good_lsn = 0;
  std::int64_t created_ns = 0;
  std::vector<Record> records;  ///< whole ones, in order of the file
  std::set<std::string> seen;
};
/// Errors: kCorruption: neither copy of the header is whole, or a whole record's body is not as
/// documented. Bytes that are no frames are passed over.
Result<WalFile> ReadWal(std::string_view file, const Keys& keys = {});
/// The body of a record of type 1.
Result<Record> ReadBatch(std::string_view payload);

Result<std::vector<model::TraceId>> ReadDeletions(std::string_view file);

}  // namespace fluoro::store::reference
