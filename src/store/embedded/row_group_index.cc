#include "store/embedded/row_group_index.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "store/embedded/fuse_filter.h"

namespace fluoro::store {
namespace {

using model::AttributeType;

// Columns of fewer texts are read as fast as their filter.
constexpr std::size_t kFilteredTextsMin = 256;
// So many times smaller than its column a filter must be.
constexpr std::size_t kFilterWorth = 4;
constexpr std::uint8_t kDocumentsBit = 1;
constexpr std::uint8_t kOverflowBit = 2;

double NumberOf(AttributeType type, std::uint64_t bits) {
  if (type == AttributeType::kDouble) return std::bit_cast<double>(bits);
  if (type == AttributeType::kInt) return static_cast<double>(UnZigZag(bits));
  return static_cast<double>(bits);
}

}  // namespace

void ZonesBuilder::SetSpans(std::uint64_t flags, std::uint64_t statuses, bool has_documents,
                            bool has_overflow) {
  ByteWriter out(head_);
  out.PutVarint(flags);
  out.PutVarint(statuses);
  out.PutU8(static_cast<std::uint8_t>((has_documents ? kDocumentsBit : 0U) |
                                      (has_overflow ? kOverflowBit : 0U)));
}

void ZonesBuilder::Put(const Zone& column, ZoneKind kind) {
  ByteWriter out(encoded_.zones);
  out.PutU8(static_cast<std::uint8_t>(column.owner));
  out.PutU8(static_cast<std::uint8_t>(column.type));
  out.PutU8(static_cast<std::uint8_t>(column.role));
  out.PutText(column.key);
  out.PutU8(static_cast<std::uint8_t>(kind));
  ++columns_;
}

void ZonesBuilder::AddOther(const Zone& column) { Put(column, ZoneKind::kAny); }

void ZonesBuilder::AddNumbers(const Zone& column, std::span<const std::uint64_t> numbers) {
  double least = INFINITY;
  double greatest = -INFINITY;
  for (const std::uint64_t bits : numbers) {
    const double number = NumberOf(column.type, bits);  // nothing is equal to a NaN
    least = number < least ? number : least;
    greatest = number > greatest ? number : greatest;
  }
  Put(column, ZoneKind::kRange);
  ByteWriter out(encoded_.zones);
  out.PutFixed64(std::bit_cast<std::uint64_t>(least));
  out.PutFixed64(std::bit_cast<std::uint64_t>(greatest));
}

bool ZonesBuilder::IsFilterWorth(std::size_t texts, std::size_t column_bytes) {
  return texts >= kFilteredTextsMin && FuseFilter::BytesOf(texts) * kFilterWorth <= column_bytes;
}

std::size_t ZonesBuilder::AddFiltered(const Zone& column, std::vector<std::uint64_t> hashes) {
  std::string filter = FuseFilter::Encode(std::move(hashes));
  const std::size_t bytes = filter.size();
  if (filter.empty()) {
    AddOther(column);
    return bytes;
  }
  encoded_.filters.emplace_back(columns_, std::move(filter));
  Put(column, ZoneKind::kFilter);
  return bytes;
}

ZonesBuilder::Encoded ZonesBuilder::Finish() {
  ByteWriter(head_).PutVarint(columns_);
  encoded_.zones.insert(0, head_);
  head_.clear();
  columns_ = 0;
  return std::exchange(encoded_, {});
}

Result<Zones> DecodeZones(std::string_view bytes) {
  ByteReader in(bytes);
  Zones zones;
  FLUORO_TRY(zones.flags, in.TakeVarint());
  FLUORO_TRY(zones.statuses, in.TakeVarint());
  FLUORO_TRY(const std::uint8_t bits, in.TakeU8());
  zones.has_documents = (bits & kDocumentsBit) != 0;
  zones.has_overflow = (bits & kOverflowBit) != 0;
  FLUORO_TRY(const std::uint64_t count, in.TakeCount(in.left() / 5));
  zones.columns.resize(count);
  for (Zone& column : zones.columns) {
    FLUORO_TRY(const std::uint8_t owner, in.TakeU8());
    FLUORO_TRY(const std::uint8_t type, in.TakeU8());
    FLUORO_TRY(const std::uint8_t role, in.TakeU8());
    FLUORO_TRY(column.key, in.TakeText());
    FLUORO_TRY(const std::uint8_t kind, in.TakeU8());
    if (owner >= kAttributeOwners || type > static_cast<std::uint8_t>(AttributeType::kKvList))
      return Fail(ErrorCode::kCorruption, "zones: unknown kind of attribute column");
    if (kind > static_cast<std::uint8_t>(ZoneKind::kFilter))
      return Fail(ErrorCode::kUnsupported, "zones: unknown kind " + std::to_string(kind));
    column.owner = static_cast<AttributeOwner>(owner);
    column.type = static_cast<AttributeType>(type);
    column.role = static_cast<model::AttributeRole>(role);
    column.kind = static_cast<ZoneKind>(kind);
    if (column.kind == ZoneKind::kRange) {
      FLUORO_TRY(const std::uint64_t least, in.TakeFixed64());
      FLUORO_TRY(const std::uint64_t greatest, in.TakeFixed64());
      column.least = std::bit_cast<double>(least);
      column.greatest = std::bit_cast<double>(greatest);
    }
  }
  if (!in.done()) return Fail(ErrorCode::kCorruption, "zones: longer than their columns");
  return zones;
}

namespace {

/// One question to one row group.
class Pruner {
 public:
  Pruner(const query::Sieve& sieve, const Zones& zones)
      : sieve_(sieve), zones_(zones), filtered_(sieve.probes().size()) {}

  Result<Pruning> Run(const FilterReader& filter) {
    std::vector<bool> holds;
    for (probe_ = 0; probe_ < sieve_.probes().size(); ++probe_) {
      holds.push_back(std::visit([this](const auto& probe) { return this->May(probe); },
                                 sieve_.probes()[probe_]));
    }
    if (!sieve_.Passes(holds)) return Pruning::kByZones;
    for (std::size_t probe = 0; probe < filtered_.size(); ++probe) {
      if (filtered_[probe].empty()) continue;
      FLUORO_TRY(const bool holds_somewhere, AskFilters(probe, filter));
      if (holds_somewhere) continue;
      holds[probe] = false;
      if (!sieve_.Passes(holds)) return Pruning::kByFilters;
    }
    return Pruning::kNone;
  }

 private:
  Result<bool> AskFilters(std::size_t probe, const FilterReader& read) {
    const auto& test = std::get<query::AttributeProbe>(sieve_.probes()[probe]).test;
    const auto bytes = test.AsBytes();
    for (const std::uint32_t column : filtered_[probe]) {
      FLUORO_TRY(const std::string_view stored, read(column));
      FLUORO_TRY(const FuseFilter filter, FuseFilter::Decode(stored));
      if (filter.MayContain(FuseFilter::KeyOf(bytes->text))) return true;
      if (bytes->or_empty && filter.MayContain(FuseFilter::KeyOf({}))) return true;
    }
    return false;
  }

  // Columns of which a filter decides are put aside.
  bool May(const query::AttributeProbe& probe) {
    if (zones_.has_overflow) return true;
    const auto bytes = probe.test.AsBytes();
    std::vector<std::uint32_t> filtered;
    for (std::uint32_t i = 0; i < zones_.columns.size(); ++i) {
      const Zone& column = zones_.columns[i];
      const bool is_read =
          (column.owner == AttributeOwner::kSpan && probe.ReadsSpanKey(column.key)) ||
          (column.owner == AttributeOwner::kResource && probe.ReadsResourceKey(column.key));
      if (!is_read || column.type == AttributeType::kNull) continue;
      if (column.kind == ZoneKind::kFilter && bytes && bytes->is_whole && !bytes->text.empty()) {
        filtered.push_back(i);
        continue;
      }
      if (MayIn(column, probe.test)) return true;
    }
    filtered_[probe_] = std::move(filtered);
    return !filtered_[probe_].empty();
  }

  static bool MayIn(const Zone& column, const query::ValueTest& test) {
    if (column.type == AttributeType::kString) return test.MayHoldOfTexts();
    if (column.kind != ZoneKind::kRange) return true;
    if (column.type != AttributeType::kBool) {
      return test.MayHoldBetween(column.least, column.greatest, column.type == AttributeType::kInt);
    }
    return (column.least == 0 && test.Value({false})) ||
           (column.greatest == 1 && test.Value({true}));
  }

  bool May(const query::PresenceProbe& probe) const {
    if (zones_.has_overflow) return true;
    const auto has = [this](const std::vector<std::string>& keys) {
      return std::ranges::any_of(zones_.columns, [&](const Zone& column) {
        return column.owner == AttributeOwner::kSpan &&
               std::ranges::find(keys, column.key) != keys.end();
      });
    };
    return has(probe.any_of) && (probe.and_any_of.empty() || has(probe.and_any_of));
  }
  bool May(const query::FlagProbe& probe) const { return (zones_.flags & probe.mask) != 0; }
  bool May(const query::StatusProbe&) const {
    return ((zones_.statuses >> static_cast<unsigned>(model::StatusCode::kError)) & 1) != 0;
  }
  bool May(const query::DocumentProbe&) const { return zones_.has_documents; }
  // Names stand in a dictionary, which is read as fast; the extent the trace table tells.
  static bool May(const query::NameProbe&) { return true; }
  static bool May(const query::ExtentProbe&) { return true; }

  const query::Sieve& sieve_;
  const Zones& zones_;
  std::size_t probe_ = 0;
  std::vector<std::vector<std::uint32_t>> filtered_;  ///< by probe: columns whose filter decides
};

}  // namespace

Result<Pruning> PruneRowGroup(const query::Sieve& sieve, std::string_view zones,
                              const FilterReader& filter) {
  FLUORO_TRY(const Zones decoded, DecodeZones(zones));
  return Pruner(sieve, decoded).Run(filter);
}

}  // namespace fluoro::store
