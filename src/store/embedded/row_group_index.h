// What a row group holds at all: the keys of its attributes, least and greatest numbers, which
// flags, filters over texts that nearly all differ. By it a search leaves out the row group without
// reading its columns. docs/formats/block.md, sections 14 and 15.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "query/sieve.h"
#include "store/embedded/columns.h"
#include "store/embedded/row_group.h"

namespace fluoro::store {

/// Stored: never renumber.
enum class ZoneKind : std::uint8_t {
  kAny = 0,     ///< nothing is known of its values
  kRange = 1,   ///< numbers: least and greatest
  kFilter = 2,  ///< texts: a filter says which
};

/// Of one attribute column.
struct Zone {
  AttributeOwner owner = AttributeOwner::kSpan;
  model::AttributeType type = model::AttributeType::kNull;
  model::AttributeRole role = model::AttributeRole::kPlain;
  std::string_view key;
  ZoneKind kind = ZoneKind::kAny;
  double least = 0;  ///< kRange; integers rounded, which keeps their order
  double greatest = 0;
};

struct Zones {
  std::uint64_t flags = 0;     ///< set in some span
  std::uint64_t statuses = 0;  ///< a bit each that some span has
  bool has_documents = false;
  bool has_overflow = false;  ///< attributes of spans or resources outside the columns
  std::vector<Zone> columns;  ///< of spans and resources
};
/// Borrows the bytes. Errors: kCorruption, kUnsupported.
Result<Zones> DecodeZones(std::string_view bytes);

/// Collects what DecodeZones gives back, column by column. Not thread-safe.
class ZonesBuilder {
 public:
  void SetSpans(std::uint64_t flags, std::uint64_t statuses, bool has_documents, bool has_overflow);
  /// Integers zigzag, doubles their bits, as the column has them.
  void AddNumbers(const Zone& column, std::span<const std::uint64_t> numbers);
  /// Whether a filter over so many texts is worth its bytes. @param column_bytes  as encoded.
  static bool IsFilterWorth(std::size_t texts, std::size_t column_bytes);
  /// With a filter. @param hashes  FuseFilter::KeyOf of all texts. Returns the filter's bytes.
  std::size_t AddFiltered(const Zone& column, std::vector<std::uint64_t> hashes);
  void AddOther(const Zone& column);
  struct Encoded {
    std::string zones;
    /// By place among the zones' columns.
    std::vector<std::pair<std::uint32_t, std::string>> filters;
  };
  /// The builder is empty afterwards.
  Encoded Finish();

 private:
  void Put(const Zone& column, ZoneKind kind);
  Encoded encoded_;
  std::uint32_t columns_ = 0;
  std::string head_;
};

/// Gives the filter of a column; borrowed until the next call.
using FilterReader = std::function<Result<std::string_view>(std::uint32_t column)>;

enum class Pruning : std::uint8_t {
  kNone,      ///< some of its traces may match
  kByZones,   ///< none that stands in it alone does, as the zones say
  kByFilters  ///< likewise, as the filters say
};
/// Whether a trace that consists of rows of this row group alone can pass the sieve. Reads filters
/// only where they decide. Pure. Errors: kCorruption, kUnsupported, those of `filter`.
Result<Pruning> PruneRowGroup(const query::Sieve& sieve, std::string_view zones,
                              const FilterReader& filter);

}  // namespace fluoro::store
