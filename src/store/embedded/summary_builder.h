// Collects the summaries of a block's traces while it is written.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/stored_summary.h"
#include "rollup/facts.h"
#include "rollup/trace_facts.h"
#include "store/embedded/columns.h"
#include "store/embedded/row_group.h"
#include "store/embedded/summary_pages.h"

namespace fluoro::store {

/// Takes what joins tell of traces, row group by row group, or what another block says of them.
/// Takes no memory for a trace but its summary and 8 bytes. Not thread-safe.
class SummaryBuilder {
 public:
  /// @param column  of the row group whose traces come next; what it gave is borrowed until the
  /// last of them is added. Errors: kCorruption, kUnsupported, those of `column`.
  Result<void> BeginGroup(const ColumnReader& column);
  /// A trace that stands in that row group whole.
  /// @param block_row, group_row  of its first span.
  /// @param table  whose numbers `facts` has.
  void Add(std::uint64_t block_row, std::size_t group_row, const rollup::TraceFacts& facts,
           const rollup::FactsTable& table);

  /// Where texts, keys and sets of another block are here. One for each block.
  struct Places {
    std::vector<std::uint32_t> texts, keys, sets;  ///< place + 1; 0: not looked for yet
  };
  /// A trace that was copied as it stands; `of` points into `texts`.
  void Copy(std::uint64_t block_row, const model::StoredSummary& of,
            const model::SummaryTexts& texts, Places& places);

  /// No trace has a summary.
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] std::string EncodeHeader() const { return EncodeSummaryHeader(texts_); }
  /// After all: of each of `traces`, whose first_row says which.
  std::vector<model::StoredSummary> Order(std::span<const TraceEntry> traces);

 private:
  struct Entry {
    std::uint64_t block_row = 0;
    model::StoredSummary summary;
  };
  // Places by a hash of what stands there.
  class Index {
   public:
    // Asks `is_at` of places with the same hash; UINT32_MAX: none. Then a place may be added.
    template <class IsAt>
    std::uint32_t Find(std::uint64_t hash, const IsAt& is_at);
    void Add(std::uint32_t place);

   private:
    struct Slot {
      std::uint64_t hash = 0;
      std::uint32_t place = UINT32_MAX;
    };
    std::vector<Slot> slots_;
    std::size_t used_ = 0;
    std::uint64_t hash_ = 0;
    std::size_t at_ = 0;
  };

  // All of these give 1 + the place, 0 if there is none.
  std::uint32_t NameOf(std::size_t group_row);
  std::uint32_t PlaceText(std::string_view text);
  std::uint32_t PlaceKey(rollup::KeyId key, const rollup::KeyTable& keys);
  std::uint32_t PlaceKey(const model::ServiceKey& key);
  std::uint32_t PlaceSet();  // of set_, which it puts in order
  std::uint32_t CopySet(std::uint32_t set, const model::SummaryTexts& texts, Places& places);
  std::uint32_t CopyKey(std::uint32_t key, const model::SummaryTexts& texts, Places& places);

  model::SummaryTexts texts_;
  std::vector<Entry> entries_;
  Index text_index_, key_index_, set_index_;
  CodedTexts names_;
  bool has_names_ = false;
  std::vector<std::uint32_t> name_places_;  ///< by entry of names_: 1 + NameOf; 0: not asked
  std::vector<std::uint32_t> key_places_;   ///< by KeyId, likewise
  const rollup::KeyTable* keys_ = nullptr;  ///< of which these are
  std::uint64_t generation_ = 0;
  std::vector<std::uint32_t> set_;  ///< places
};

}  // namespace fluoro::store
