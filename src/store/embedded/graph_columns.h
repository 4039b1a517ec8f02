// What the service graph needs of a row group's spans, by columns: no span is made, and equal
// combinations of codes are judged once.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/error.h"
#include "rollup/facts.h"
#include "rollup/join.h"
#include "rollup/trace_sampler.h"
#include "store/embedded/column_sieve.h"
#include "store/embedded/columns.h"
#include "store/embedded/row_group.h"

namespace fluoro::store {

/// Reused from row group to row group, so that its memory is. Not thread-safe.
class GraphColumns {
 public:
  explicit GraphColumns(rollup::FactsTable& table) : table_(table) {}

  enum class Ids : std::uint8_t { kNone, kWanted };
  /// False: some attributes stand outside the columns (overflow), or a key that facts are read from
  /// stands twice in a span; nothing can be said by columns.
  /// @param column  borrowed for the call. Errors: kCorruption, kUnsupported, those of `column`.
  Result<bool> Read(const ColumnReader& column, std::span<const TraceRun> traces, Ids ids);

  /// The same from spans that were read whole. `runs` as the columns' would be.
  void ReadBatch(const model::SpanBatch& batch, std::span<const TraceRun> runs,
                 rollup::BatchDescriber& describer);

  /// By row. `parent` is a place in the row's run; a parent outside it is kAbsentParent.
  [[nodiscard]] std::span<const rollup::JoinSpan> spans() const { return spans_; }
  /// Links to spans of the row's own trace, of rows [first, first + count), in order of rows.
  [[nodiscard]] std::span<const rollup::TraceRowLink> LinksOf(std::size_t first,
                                                              std::size_t count) const;
  /// By row, only with Ids::kWanted (and ids() where there are links).
  [[nodiscard]] std::span<const std::uint64_t> ids() const { return ids_; }
  [[nodiscard]] std::span<const std::uint64_t> parent_ids() const { return parent_ids_; }
  [[nodiscard]] std::span<const std::uint64_t> flags() const { return flags_; }

 private:
  // One column of attributes that facts are read from.
  struct Attributes {
    std::uint8_t number = 0;  // of the key
    model::AttributeType type = model::AttributeType::kNull;
    std::size_t owner = 0;
    std::size_t count = 0;  // values
    std::size_t next = 0;
    CodedTexts texts;
    ByteReader rest{std::string_view()};     // of the column, behind the texts: their codes
    bool has_rest = false;                   // they are still to be read
    std::vector<std::uint64_t> codes;        // or the values, if they are numbers
    std::vector<std::uint32_t> words;        // of texts, by entry: FactsTable::Number
    unsigned code_bits = 0;                  // of the greatest code
    std::optional<unsigned> shift_in_key{};  // where the codes are instead, if all rows have one
  };
  struct Owner {
    std::vector<std::uint64_t> shapes;                // by owner
    std::vector<std::vector<std::uint32_t>> columns;  // by shape: places in attributes_
    std::vector<std::uint64_t> forms;  // by shape: equal where keys and types of these are
  };
  // Where the codes of a shape's columns stand in a span's key.
  struct Place {
    std::uint32_t column = 0;  // place in attributes_ and cursors_
    unsigned shift = 0;
  };
  struct Shape {
    std::uint64_t key = 0;  // its own part of the key
    std::vector<Place> places;
    bool has_key = false;  // all of it fits
  };
  // What spans of this row group with the same key are.
  struct Near {
    std::uint64_t key = 0;
    rollup::FactsTable::Found found;
    bool used = false;
  };
  static constexpr unsigned kNearBits = 10;
  // What a span's words mean: head, form, values. Words are the same in all row groups.
  struct Slot {
    std::uint64_t hash = 0;
    std::uint32_t words = 0;  // where its words are
    std::uint32_t count = 0;  // 0: free
    rollup::FactsTable::Found found;
  };
  struct NameSlot {
    std::uint64_t key = 0;
    rollup::FactsId facts = 0;
    bool used = false;
  };

  Result<void> ReadCounts(const ColumnReader& column, std::span<const TraceRun> traces);
  Result<void> Ints(const ColumnReader& column, RowColumn id, std::uint64_t limit,
                    std::vector<std::uint64_t>& to) const;
  Result<bool> ReadAttributes(const ColumnReader& column);
  Result<bool> ReadShapes(const ColumnReader& column, AttributeOwner owner, std::size_t owners);
  Result<void> ReadValues(const ColumnReader& column);
  Result<void> ReadTexts(ByteReader in, Attributes& attributes) const;
  Result<void> ReadCodes();
  Result<void> ReadHeads(const ColumnReader& column);
  Result<void> FillSpans(std::span<const TraceRun> traces);
  Result<void> ReadParentIds(const ColumnReader& column, std::span<const TraceRun> traces);
  Result<void> ReadLinks(const ColumnReader& column, std::span<const TraceRun> traces);
  Result<void> ReadIds(const ColumnReader& column);
  void Follow();
  void NumberForms();
  void LayOutKeys();
  void NumberTexts(Attributes& attributes);
  void NumberResources();
  void AddValue(const Attributes& attributes, std::uint64_t code);
  template <bool kIsInKeys>
  void FillFacts();
  rollup::FactsTable::Found FindWords(std::uint64_t key, std::size_t row);
  [[nodiscard]] std::uint64_t CodeAt(std::uint32_t place, std::uint64_t key) const;
  Result<void> FillNamed(const ColumnReader& column);
  rollup::FactsId FindNamed(std::uint32_t description, std::size_t name);
  void GrowSlots();
  void GrowNames();

  rollup::FactsTable& table_;
  rollup::Description description_;
  std::size_t count_ = 0;
  std::size_t resources_count_ = 0;
  std::size_t links_count_ = 0;
  std::vector<rollup::JoinSpan> spans_;
  std::vector<rollup::TraceRowLink> links_;
  std::vector<std::uint64_t> ids_, parent_ids_, flags_;
  std::vector<std::uint64_t> starts_, durations_, parents_;
  std::vector<std::uint64_t> keys_;    ///< by row, as far as columns differ from row to row
  std::uint64_t common_key_ = 0;       ///< what all keys have
  std::vector<std::uint64_t> column_;  ///< that is read
  // A row of which the name matters, and its description.
  struct Named {
    std::uint32_t row = 0;
    std::uint32_t description = 0;
  };
  std::vector<Named> named_;
  CodedTexts names_;
  std::vector<Attributes> attributes_;
  std::vector<std::uint32_t> attribute_of_;  // by column of the directory: place + 1; 0: not read
  Owner span_owner_, resource_owner_;
  std::vector<std::uint32_t> resource_numbers_;
  std::vector<Shape> shapes_;
  bool are_in_keys_ = false;  // the codes of all rows
  std::vector<Near> near_;
  std::vector<const std::uint64_t*> cursors_;  // by attributes_: the next span's code
  std::uint64_t generation_ = 0;
  std::vector<Slot> slots_;
  std::vector<std::uint64_t> words_;
  std::size_t slots_used_ = 0;
  std::vector<std::uint64_t> tuple_;
  std::vector<NameSlot> name_slots_;
  std::size_t names_used_ = 0;
  std::vector<std::uint32_t> name_numbers_;  // by entry of names_: number + 1; 0: not asked for
};

}  // namespace fluoro::store
