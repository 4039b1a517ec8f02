// Judging the traces of blocks that left the live window, within a merge: decision 030.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "model/weight.h"
#include "query/tail_filters.h"
#include "sampling/tail_judge.h"
#include "store/embedded/block.h"
#include "store/embedded/skeleton.h"
#include "store/embedded/trace_reader.h"

namespace fluoro::store {

/// Reason of a trace that is kept because it is too large to be judged whole, and something may be
/// wrong in the rest of it.
inline constexpr std::string_view kLargeReason = "large";

using model::WholeWeight;

/// What judging needs beside the inputs of the merge.
struct Thinning {
  std::shared_ptr<const query::TailFilters> filters;
  sampling::TailTraffic& traffic;  ///< what was judged lately; added to
  BlockList before, after;         ///< the store's other blocks, older and younger
  std::unordered_set<model::TraceId> in_head;
  std::int64_t live_since_ns = 0;  ///< what arrived later is in the live window
  std::int64_t now_ns = 0;
  std::uint64_t whole_bytes_max = 0;  ///< of a trace that is assembled
};

/// What judging did.
struct Thinned {
  struct Count {
    std::uint64_t kept = 0;
    std::uint64_t dropped = 0;
  };
  std::map<std::string, Count, std::less<>> by_reason;  ///< traces
  std::uint64_t waiting = 0;   ///< traces that have pieces in the live window
  std::uint64_t rootless = 0;  ///< dropped without what is known of their roots, for want of room
  /// By the LSN up to which their rows were sealed.
  std::map<std::uint64_t, std::vector<model::TraceId>> dropped;
  /// Pieces in other blocks that go with them.
  std::vector<std::pair<std::shared_ptr<Block>, model::TraceId>> left_behind;
};

/// A trace, or its part, of one input of a merge.
struct MergeEntry {
  std::int64_t start_ns = 0;  ///< the earliest of the parts that become one
  std::uint32_t input = 0;
  std::uint32_t place = 0;  ///< in the input's table
  bool is_apart = false;    ///< is not joined with the other parts of its trace
  std::uint32_t kept = 0;   ///< TraceEntry::kept in the result
};

/// For one merge. Memory: about 120 bytes a trace, at most 32 MiB of roots' texts and 200 bytes a
/// distinct root, two row groups, one whole trace. Not
/// thread-safe.
class Thinner {
 public:
  using CodeOf = std::function<std::uint32_t(const model::Kept&)>;
  Thinner(std::span<const std::shared_ptr<Block>> inputs,
          std::span<const std::shared_ptr<const TraceTable>> tables, Thinning& thinning,
          BlockCache& cache, CodeOf code_of, SkeletonEncoder& skeletons, Thinned& thinned);
  /// Judges every trace of which an entry was not judged yet, on all its pieces; takes out the
  /// entries of those that are dropped. Their order may change. Errors: kCorruption, kIo, the
  /// encoder's. Gives up quietly when `stop` is requested.
  Result<void> Run(std::vector<MergeEntry>& entries, const std::stop_token& stop);

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Trace {
    std::uint32_t begin = 0;  // of its entries
    std::uint32_t end = 0;
    std::uint32_t route = 0;  // place in routes_
    std::uint32_t root = 0;   // 1 + place in roots_; 0: there was no room
    std::uint32_t spans = 0;
    bool waits = false;
    bool is_large = false;
    sampling::TailFacts facts;
    std::optional<std::uint32_t> prior;  // place in priors_: an earlier piece was kept for it
  };
  using UseRow =
      std::function<void(const std::shared_ptr<const model::SpanBatch>&, std::uint32_t row)>;
  using EachRow = std::function<Result<void>(const UseRow&)>;

  [[nodiscard]] const TraceEntry& EntryOf(const MergeEntry& entry) const {
    return tables_[entry.input]->traces[entry.place];
  }
  void FindTraces(std::vector<MergeEntry>& entries);
  [[nodiscard]] bool StandsInOneGroup(const Trace& trace) const;
  Result<void> ReadGroups(std::uint32_t input, const std::stop_token& stop);
  Result<void> ReadPieces(Trace& trace);
  Result<void> Look(Trace& trace, const EachRow& each_row);
  Result<query::TailTrace> LookWhole(Trace& trace, const EachRow& each_row);
  std::uint32_t RouteNumber(std::string route);
  std::uint32_t RootNumber(query::RootRequest root);
  Result<void> Decide();
  Result<void> Drop(const Trace& trace, std::string_view reason);
  void KeepBecause(const Trace& trace, const model::Kept& kept);

  std::span<const std::shared_ptr<Block>> inputs_;
  std::span<const std::shared_ptr<const TraceTable>> tables_;
  Thinning& thinning_;
  BlockCache& cache_;
  CodeOf code_of_;
  SkeletonEncoder& skeletons_;
  Thinned& thinned_;
  query::TailScan scan_;
  std::vector<MergeEntry>* entries_ = nullptr;
  std::vector<Trace> traces_;
  std::vector<std::vector<std::uint32_t>> trace_of_;  // by input and place; of those in one group
  std::vector<std::string> routes_;
  std::unordered_map<std::string, std::uint32_t> route_numbers_;
  // Texts of roots, each once, by number.
  using Root = std::array<std::uint32_t, query::RootRequest::kFields.size()>;
  std::vector<const std::string*> root_texts_;
  std::unordered_map<std::string, std::uint32_t> root_text_numbers_;
  std::size_t root_text_bytes_ = 0;
  std::vector<Root> roots_;
  std::map<Root, std::uint32_t> root_numbers_;
  std::vector<model::Kept> priors_;
  struct LeftPiece {
    std::shared_ptr<Block> block;
    std::uint64_t sealed_lsn = 0;
  };
  std::map<std::uint32_t, std::vector<LeftPiece>> others_;  // unjudged, by trace
};

}  // namespace fluoro::store
