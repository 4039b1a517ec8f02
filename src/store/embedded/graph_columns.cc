#include "store/embedded/graph_columns.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>

#include "store/embedded/attribute_directory.h"

namespace fluoro::store {
namespace {

using model::AttributeType;
using rollup::FactsId;

std::uint64_t Mix(std::uint64_t hash, std::uint64_t word) {
  hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
  return hash ^ (hash >> 29);
}

constexpr std::uint64_t kU32 = std::uint64_t{1} << 32;

std::unexpected<Error> Bad(std::string what) {
  return Fail(ErrorCode::kCorruption, "row group: " + std::move(what));
}

Result<ByteReader> Open(const ColumnReader& column, RowColumn id, std::size_t index = 0) {
  FLUORO_TRY(const std::string_view bytes,
             column(static_cast<std::uint32_t>(id) + static_cast<std::uint32_t>(index)));
  return ByteReader(bytes);
}

}  // namespace

Result<bool> GraphColumns::Read(const ColumnReader& column, std::span<const TraceRun> traces,
                                Ids ids) {
  ids_.clear();
  parent_ids_.clear();
  links_.clear();
  FLUORO_CHECK_OK(ReadCounts(column, traces));
  FLUORO_TRY(const bool covered, ReadAttributes(column));
  if (!covered) return false;
  FLUORO_CHECK_OK(Ints(column, RowColumn::kStarts, UINT64_MAX, starts_));
  FLUORO_CHECK_OK(Ints(column, RowColumn::kDurations, UINT64_MAX, durations_));
  FLUORO_CHECK_OK(Ints(column, RowColumn::kParents, UINT64_MAX, parents_));
  FLUORO_CHECK_OK(ReadHeads(column));
  if (links_count_ > 0) FLUORO_CHECK_OK(ReadLinks(column, traces));
  if (ids == Ids::kWanted || !links_.empty()) FLUORO_CHECK_OK(ReadIds(column));
  spans_.resize(count_);
  FLUORO_CHECK_OK(FillSpans(traces));
  if (ids == Ids::kWanted) {
    FLUORO_CHECK_OK(Ints(column, RowColumn::kFlags, kU32, flags_));
    FLUORO_CHECK_OK(ReadParentIds(column, traces));
  }
  Follow();
  NumberForms();
  for (Attributes& attributes : attributes_) NumberTexts(attributes);
  NumberResources();
  LayOutKeys();
  FLUORO_CHECK_OK(ReadCodes());
  if (are_in_keys_) {
    FillFacts<true>();
  } else {
    FillFacts<false>();
  }
  FLUORO_CHECK_OK(FillNamed(column));
  return true;
}

void GraphColumns::ReadBatch(const model::SpanBatch& batch, std::span<const TraceRun> runs,
                             rollup::BatchDescriber& describer) {
  count_ = batch.size();
  spans_.resize(count_);
  ids_.resize(count_);
  parent_ids_.resize(count_);
  flags_.resize(count_);
  links_.clear();
  rollup::IdIndex index;
  std::uint32_t row = 0;
  for (const TraceRun& run : runs) {
    const std::uint32_t first = row;
    for (; row < first + run.rows; ++row) {
      ids_[row] = rollup::IdIndex::Word(batch.span_ids[row]);
      parent_ids_[row] = rollup::IdIndex::Word(batch.parent_ids[row]);
      flags_[row] = batch.flags[row];
      const model::Range links = batch.span_links[row];
      for (std::uint32_t l = links.begin; l < links.end; ++l) {
        if (batch.links[l].trace_id == run.id)
          links_.push_back({.row = row, .id = rollup::IdIndex::Word(batch.links[l].span_id)});
      }
    }
    index.Build(std::span(ids_).subspan(first, run.rows));
    for (row = first; row < first + run.rows; ++row) {
      const bool has_parent = parent_ids_[row] != 0 && parent_ids_[row] != ids_[row];
      spans_[row] = {.start_ns = batch.start_ns[row],
                     .end_ns = batch.end_ns[row],
                     .parent = has_parent ? index.Find(parent_ids_[row]) : rollup::kNoParent,
                     .facts = describer.Describe(batch, row)};
    }
  }
}

std::span<const rollup::TraceRowLink> GraphColumns::LinksOf(std::size_t first,
                                                            std::size_t count) const {
  const auto begin = std::ranges::lower_bound(links_, first, {}, &rollup::TraceRowLink::row);
  const auto end =
      std::ranges::lower_bound(begin, links_.end(), first + count, {}, &rollup::TraceRowLink::row);
  return {begin, end};
}

Result<void> GraphColumns::ReadCounts(const ColumnReader& column,
                                      std::span<const TraceRun> traces) {
  FLUORO_TRY(ByteReader in, Open(column, RowColumn::kCounts));
  FLUORO_TRY(count_, in.TakeCount(kRowGroupSpansMax));
  FLUORO_TRY(resources_count_, in.TakeCount(count_));
  for (int skipped = 0; skipped < 2; ++skipped) {  // scopes, events
    FLUORO_TRY([[maybe_unused]] const std::uint64_t unused, in.TakeCount(kRowGroupRowsMax));
  }
  FLUORO_TRY(links_count_, in.TakeCount(kRowGroupRowsMax));
  std::uint64_t rows = 0;
  for (const TraceRun& trace : traces) rows += trace.rows;
  if (rows != count_) {
    return Bad("the trace table says " + std::to_string(rows) + " spans, the columns " +
               std::to_string(count_));
  }
  return {};
}

Result<void> GraphColumns::Ints(const ColumnReader& column, RowColumn id, std::uint64_t limit,
                                std::vector<std::uint64_t>& to) const {
  FLUORO_TRY(ByteReader in, Open(column, id));
  to.resize(count_);
  return limit == UINT64_MAX ? DecodeInts(in, to) : DecodeIntsBelow(in, limit, to);
}

// The heads of the rows' keys, column by column; one that says the same of all rows takes no walk.
Result<void> GraphColumns::ReadHeads(const ColumnReader& column) {
  using SpanHead = rollup::Description::Head;
  static_assert(SpanHead{}.Packed() == 0, "heads are put together from parts");
  common_key_ = 0;
  keys_.assign(count_, 0);
  const auto constant_of = [&](ByteReader& in,
                               std::uint64_t limit) -> Result<std::optional<std::uint64_t>> {
    FLUORO_TRY(const auto constant, TakeConstantInt(in));
    if (constant && *constant >= limit && count_ > 0) return Bad("a value is above its limit");
    return count_ > 0 ? constant : constant ? std::optional<std::uint64_t>(0) : std::nullopt;
  };
  // @param one  the head of value 1, of which others are multiples.
  const auto add = [&](RowColumn id, std::uint64_t limit, const SpanHead& one) -> Result<void> {
    FLUORO_TRY(ByteReader in, Open(column, id));
    const auto shift = static_cast<unsigned>(std::countr_zero(one.Packed()));
    FLUORO_TRY(const auto constant, constant_of(in, limit));
    if (!constant) return AddIntsBelow(in, limit, shift, keys_);
    common_key_ |= *constant << shift;
    return {};
  };
  const auto add_flags = [&](RowColumn id, const auto& head_of) -> Result<void> {
    FLUORO_TRY(ByteReader in, Open(column, id));
    FLUORO_TRY(const auto constant, constant_of(in, kU32));
    if (constant) {
      common_key_ |= head_of(static_cast<std::uint32_t>(*constant)).Packed();
      return {};
    }
    column_.resize(count_);
    FLUORO_CHECK_OK(DecodeIntsBelow(in, kU32, column_));
    for (std::size_t row = 0; row < count_; ++row)
      keys_[row] |= head_of(static_cast<std::uint32_t>(column_[row])).Packed();
    return {};
  };
  FLUORO_CHECK_OK(add(RowColumn::kKinds, 6, {.kind = static_cast<model::SpanKind>(1)}));
  FLUORO_CHECK_OK(add(RowColumn::kStatuses, 3, {.status = static_cast<model::StatusCode>(1)}));
  FLUORO_CHECK_OK(add(RowColumn::kSources, 5, {.source = static_cast<model::SpanSource>(1)}));
  FLUORO_CHECK_OK(
      add_flags(RowColumn::kFlags, [](std::uint32_t value) { return SpanHead{.flags = value}; }));
  FLUORO_CHECK_OK(add_flags(RowColumn::kOtelFlags,
                            [](std::uint32_t value) { return SpanHead{.otel_flags = value}; }));
  return add(RowColumn::kResources, resources_count_, {.resource = 1});
}

Result<bool> GraphColumns::ReadAttributes(const ColumnReader& column) {
  FLUORO_TRY(const ByteReader in, Open(column, RowColumn::kAttributeKeys));
  FLUORO_TRY(const auto directory, DecodeAttributeDirectory(in));
  attributes_.clear();
  attribute_of_.assign(directory.size(), 0);
  for (std::size_t i = 0; i < directory.size(); ++i) {
    const AttributeColumnName& name = directory[i];
    if (name.role != model::AttributeRole::kPlain) continue;
    const bool of_span = name.owner == AttributeOwner::kSpan;
    if (!of_span && name.owner != AttributeOwner::kResource) continue;
    const auto number = of_span ? rollup::Description::KeyOf(name.key)
                                : rollup::Description::ResourceKeyOf(name.key);
    if (!number) continue;
    Attributes& attributes = attributes_.emplace_back();
    attributes.number = *number;
    attributes.type = name.type;
    attributes.owner = static_cast<std::size_t>(name.owner);
    attribute_of_[i] = static_cast<std::uint32_t>(attributes_.size());
  }
  FLUORO_TRY(const bool resources, ReadShapes(column, AttributeOwner::kResource, resources_count_));
  FLUORO_TRY(const bool spans, ReadShapes(column, AttributeOwner::kSpan, count_));
  if (!resources || !spans) return false;
  FLUORO_CHECK_OK(ReadValues(column));
  return true;
}

// Which of the columns that are read stand in each shape, and how many values each has.
Result<bool> GraphColumns::ReadShapes(const ColumnReader& column, AttributeOwner owner,
                                      std::size_t owners) {
  FLUORO_TRY(const ByteReader overflow,
             Open(column, RowColumn::kOverflow, static_cast<std::size_t>(owner)));
  if (overflow.left() > 0) return false;
  FLUORO_TRY(ByteReader in, Open(column, RowColumn::kShapes, static_cast<std::size_t>(owner)));
  FLUORO_TRY(CodedTexts texts, DecodeCodedTexts(in, owners));
  Owner& to = owner == AttributeOwner::kSpan ? span_owner_ : resource_owner_;
  to.columns.assign(texts.entries.size(), {});
  const std::vector<std::uint64_t> uses = texts.Uses(owners);
  to.shapes = std::move(texts.codes);
  if (to.shapes.empty()) {
    to.shapes.resize(owners);
    std::iota(to.shapes.begin(), to.shapes.end(), 0);
  }
  for (std::size_t shape = 0; shape < to.columns.size(); ++shape) {
    const std::string_view numbers = texts.Entry(shape);
    if (numbers.size() % sizeof(std::uint32_t) != 0) return Bad("a shape ends inside a number");
    for (std::size_t at = 0; at < numbers.size(); at += sizeof(std::uint32_t)) {
      std::uint32_t number = 0;
      std::memcpy(&number, numbers.data() + at, sizeof number);
      if (number == 0 || number > attribute_of_.size()) return Bad("a shape names no column");
      const std::uint32_t place = attribute_of_[number - 1];
      if (place == 0) continue;
      Attributes& attributes = attributes_[place - 1];
      if (attributes.owner != static_cast<std::size_t>(owner))
        return Bad("a shape names a column of another owner");
      // A key that stands twice: its first value counts, and the loops over rows know but one.
      if (std::ranges::find(to.columns[shape], place - 1) != to.columns[shape].end()) return false;
      attributes.count += uses[shape];
      if (attributes.count > kRowGroupRowsMax) return Bad("too many attributes");
      to.columns[shape].push_back(place - 1);
    }
  }
  return true;
}

Result<void> GraphColumns::ReadValues(const ColumnReader& column) {
  for (std::size_t i = 0; i < attribute_of_.size(); ++i) {
    if (attribute_of_[i] == 0) continue;
    Attributes& attributes = attributes_[attribute_of_[i] - 1];
    if (attributes.type == AttributeType::kNull || attributes.count == 0) {
      attributes.codes.assign(attributes.count, 0);
      continue;
    }
    FLUORO_TRY(ByteReader in, Open(column, RowColumn::kAttributes, i));
    if (model::IsText(attributes.type)) {
      FLUORO_CHECK_OK(ReadTexts(in, attributes));
    } else {
      attributes.codes.resize(attributes.count);
      FLUORO_CHECK_OK(DecodeInts(in, attributes.codes));
    }
  }
  return {};
}

// The different texts; codes of spans are read when it is known whether they fit into keys.
Result<void> GraphColumns::ReadTexts(ByteReader in, Attributes& attributes) const {
  bool is_coded = false;
  if (TakeTemplatedKind(in)) {
    FLUORO_TRY(attributes.texts, DecodeCutTexts(in, attributes.count));
  } else {
    FLUORO_TRY(TextEntries texts, DecodeTextEntries(in, attributes.count));
    attributes.texts.bytes = texts.bytes;
    attributes.texts.entries = std::move(texts.entries);
    is_coded = texts.is_coded;
  }
  if (!is_coded) {
    attributes.codes.resize(attributes.count);
    std::iota(attributes.codes.begin(), attributes.codes.end(), 0);
    return {};
  }
  if (attributes.owner == static_cast<std::size_t>(AttributeOwner::kSpan)) {
    attributes.rest = in;
    attributes.has_rest = true;
    return {};
  }
  attributes.codes.resize(attributes.count);
  return DecodeIntsBelow(in, attributes.texts.entries.size(), attributes.codes);
}

// Where all rows have one shape and a column is of codes, these go straight into the keys.
Result<void> GraphColumns::ReadCodes() {
  are_in_keys_ = shapes_.size() == 1 && shapes_.front().has_key &&
                 std::ranges::all_of(shapes_.front().places, [&](const Place& place) {
                   return attributes_[place.column].count == count_;
                 });
  if (are_in_keys_) {
    common_key_ |= shapes_.front().key;
    for (const Place& place : shapes_.front().places)
      attributes_[place.column].shift_in_key = place.shift;
  }
  for (Attributes& attributes : attributes_) {
    if (attributes.shift_in_key && !attributes.has_rest) {
      for (std::size_t row = 0; row < count_; ++row)
        keys_[row] |= attributes.codes[row] << *attributes.shift_in_key;
    }
    if (!attributes.has_rest) continue;
    const std::size_t entries = attributes.texts.entries.size();
    if (attributes.shift_in_key) {
      FLUORO_CHECK_OK(AddIntsBelow(attributes.rest, entries, *attributes.shift_in_key, keys_));
    } else {
      attributes.codes.resize(attributes.count);
      FLUORO_CHECK_OK(DecodeIntsBelow(attributes.rest, entries, attributes.codes));
    }
  }
  return {};
}

Result<void> GraphColumns::ReadIds(const ColumnReader& column) {
  FLUORO_TRY(ByteReader in, Open(column, RowColumn::kSpanIds));
  FLUORO_TRY(const std::string_view raw, in.Take(std::uint64_t{8} * count_));
  ids_.resize(count_);
  if (count_ > 0) std::memcpy(ids_.data(), raw.data(), raw.size());
  return {};
}

// Times and parents.
Result<void> GraphColumns::FillSpans(std::span<const TraceRun> traces) {
  std::size_t row = 0;
  bool are_inside = true;
  for (const TraceRun& trace : traces) {
    const std::uint64_t* const parents = parents_.data() + row;
    const std::uint64_t* const starts = starts_.data() + row;
    const std::uint64_t* const durations = durations_.data() + row;
    rollup::JoinSpan* const spans = spans_.data() + row;
    const std::int64_t trace_start_ns = trace.start_ns;
    for (std::uint32_t i = 0; i < trace.rows; ++i) {
      const std::uint64_t parent = parents[i];
      const bool is_inside = parent >= 2;
      const std::int64_t at = WrapAdd(i, UnZigZag(parent - 2));
      are_inside &= !is_inside || static_cast<std::uint64_t>(at) < trace.rows;
      const std::int32_t other = parent == 1 ? rollup::kAbsentParent : rollup::kNoParent;
      rollup::JoinSpan& span = spans[i];
      span.start_ns = WrapAdd(trace_start_ns, static_cast<std::int64_t>(starts[i]));
      span.end_ns = WrapAdd(span.start_ns, static_cast<std::int64_t>(durations[i]));
      span.parent = is_inside && at != i ? static_cast<std::int32_t>(at) : other;
    }
    row += trace.rows;
  }
  if (!are_inside) return Bad("a parent lies outside its trace");
  return {};
}

// After ids and parents.
Result<void> GraphColumns::ReadParentIds(const ColumnReader& column,
                                         std::span<const TraceRun> traces) {
  FLUORO_TRY(ByteReader sent, Open(column, RowColumn::kParentIds));
  parent_ids_.assign(count_, 0);
  std::size_t row = 0;
  for (const TraceRun& trace : traces) {
    const std::size_t first = row;
    for (std::int64_t i = 0; i < trace.rows; ++i, ++row) {
      if (parents_[row] == 0) continue;
      if (parents_[row] == 1) {
        FLUORO_TRY(parent_ids_[row], sent.TakeFixed64());
        continue;
      }
      const std::int64_t at = WrapAdd(i, UnZigZag(parents_[row] - 2));
      parent_ids_[row] = ids_[first + static_cast<std::size_t>(at)];
    }
  }
  return {};
}

Result<void> GraphColumns::ReadLinks(const ColumnReader& column, std::span<const TraceRun> traces) {
  std::vector<std::uint64_t> counts;
  FLUORO_CHECK_OK(Ints(column, RowColumn::kLinkCounts, links_count_ + 1, counts));
  FLUORO_TRY(ByteReader in, Open(column, RowColumn::kLinkIds));
  std::uint32_t row = 0;
  for (const TraceRun& trace : traces) {
    for (std::uint32_t i = 0; i < trace.rows; ++i, ++row) {
      for (std::uint64_t link = 0; link < counts[row]; ++link) {
        FLUORO_TRY(const std::string_view trace_id, in.Take(trace.id.bytes.size()));
        FLUORO_TRY(const std::uint64_t id, in.TakeFixed64());
        if (std::memcmp(trace_id.data(), trace.id.bytes.data(), trace_id.size()) == 0)
          links_.push_back({.row = row, .id = id});
      }
    }
  }
  return {};
}

void GraphColumns::AddValue(const Attributes& attributes, std::uint64_t code) {
  if (model::IsText(attributes.type)) {
    description_.AddText(attributes.number, attributes.type, attributes.texts.Entry(code));
  } else {
    description_.AddBits(
        attributes.number, attributes.type,
        attributes.type == AttributeType::kInt ? static_cast<std::uint64_t>(UnZigZag(code)) : code);
  }
}

void GraphColumns::NumberResources() {
  resource_numbers_.resize(resources_count_);
  for (std::size_t i = 0; i < resources_count_; ++i) {
    description_.BeginResource();
    for (const std::uint32_t place : resource_owner_.columns[resource_owner_.shapes[i]]) {
      Attributes& attributes = attributes_[place];
      AddValue(attributes, attributes.codes[attributes.next++]);
    }
    resource_numbers_[i] = table_.Resource(description_);
  }
}

// Numbers of the table mean nothing any more once it was cleared.
void GraphColumns::Follow() {
  if (generation_ == table_.keys().generation()) return;
  generation_ = table_.keys().generation();
  slots_.clear();
  slots_used_ = 0;
  words_.clear();
  name_slots_.clear();
  names_used_ = 0;
}

void GraphColumns::NumberForms() {
  std::string form;
  span_owner_.forms.clear();
  for (const std::vector<std::uint32_t>& columns : span_owner_.columns) {
    form.clear();
    for (const std::uint32_t place : columns) {
      form.push_back(static_cast<char>(attributes_[place].number));
      form.push_back(static_cast<char>(attributes_[place].type));
    }
    span_owner_.forms.push_back(table_.Number(form));
  }
}

void GraphColumns::NumberTexts(Attributes& attributes) {
  if (!model::IsText(attributes.type) ||
      attributes.owner != static_cast<std::size_t>(AttributeOwner::kSpan))
    return;
  attributes.words.resize(attributes.texts.entries.size());
  for (std::size_t i = 0; i < attributes.words.size(); ++i)
    attributes.words[i] = table_.Number(attributes.texts.Entry(i));
}

void GraphColumns::GrowSlots() {
  std::vector<Slot> before(std::max<std::size_t>(256, slots_.size() * 2));
  before.swap(slots_);
  for (const Slot& slot : before) {
    if (slot.count == 0) continue;
    std::size_t at = slot.hash & (slots_.size() - 1);
    while (slots_[at].count != 0) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = slot;
  }
}

void GraphColumns::GrowNames() {
  std::vector<NameSlot> before(std::max<std::size_t>(256, name_slots_.size() * 2));
  before.swap(name_slots_);
  for (const NameSlot& slot : before) {
    if (!slot.used) continue;
    std::size_t at = Mix(0, slot.key) & (name_slots_.size() - 1);
    while (name_slots_[at].used) at = (at + 1) & (name_slots_.size() - 1);
    name_slots_[at] = slot;
  }
}

// A span's key is its packed head, then the codes of resource, shape and attributes, each as wide
// as the greatest in this row group.
void GraphColumns::LayOutKeys() {
  near_.assign(std::size_t{1} << kNearBits, {});
  const auto width = [](std::size_t values) {
    return static_cast<unsigned>(std::bit_width(values));
  };
  for (Attributes& attributes : attributes_) {
    std::uint64_t all = 0;
    if (model::IsText(attributes.type)) {
      all = attributes.texts.entries.size();
    } else {
      for (const std::uint64_t code : attributes.codes) all |= code;
    }
    attributes.code_bits = width(all);
  }
  const unsigned shape_shift = 32 + width(resources_count_);
  shapes_.resize(span_owner_.columns.size());
  for (std::size_t i = 0; i < shapes_.size(); ++i) {
    Shape& shape = shapes_[i];
    unsigned shift = shape_shift + width(shapes_.size());
    shape.places.clear();
    for (const std::uint32_t column : span_owner_.columns[i]) {
      shape.places.push_back({.column = column, .shift = shift});
      shift += attributes_[column].code_bits;
    }
    shape.has_key = shift < 64;
    if (shape.has_key) shape.key = std::uint64_t{i} << shape_shift;
  }
}

// One loop over the rows of all columns: what it needs of them is held in locals.
template <bool kIsInKeys>
void GraphColumns::FillFacts() {
  cursors_.clear();
  for (const Attributes& attributes : attributes_) cursors_.push_back(attributes.codes.data());
  named_.clear();
  const std::uint64_t* const keys = keys_.data();
  const std::uint64_t common_key = common_key_;
  const std::uint64_t* const parents = parents_.data();
  const std::uint64_t* const shape_codes = span_owner_.shapes.data();
  const Shape* const shapes = shapes_.data();
  const std::uint64_t** const cursors = cursors_.data();
  Near* const nears = near_.data();
  rollup::JoinSpan* const spans = spans_.data();
  for (std::size_t row = 0; row < count_; ++row) {
    const std::uint64_t head = keys[row] | common_key |
                               rollup::Description::Head{.has_parent = parents[row] != 0}.Packed();
    std::uint64_t key = head;
    bool has_key = true;
    if (!kIsInKeys) {
      const Shape& shape = shapes[shape_codes[row]];
      has_key = shape.has_key;
      key |= shape.key;
      for (const Place& place : shape.places) key |= *cursors[place.column]++ << (place.shift & 63);
    }
    Near& near = nears[key * 0x9e3779b97f4a7c15ULL >> (64 - kNearBits)];
    rollup::FactsTable::Found found = near.found;
    if (!has_key || !near.used || near.key != key) [[unlikely]] {
      found = FindWords(head, row);
      if (has_key) near = {.key = key, .found = found, .used = true};
    }
    spans[row].facts = found.id;
    if (found.by_name) named_.push_back({static_cast<std::uint32_t>(row), found.id});
  }
}

// Facts that also follow from the names, which few do.
Result<void> GraphColumns::FillNamed(const ColumnReader& column) {
  if (named_.empty()) return {};
  FLUORO_TRY(ByteReader in, Open(column, RowColumn::kNames));
  FLUORO_TRY(names_, DecodeCodedTexts(in, count_));
  name_numbers_.assign(names_.entries.size(), 0);
  for (const Named& named : named_)
    spans_[named.row].facts = FindNamed(named.description, names_.CodeOf(named.row));
  return {};
}

// Of a row's column: the last one that was taken, unless it is in the key.
std::uint64_t GraphColumns::CodeAt(std::uint32_t place, std::uint64_t key) const {
  const Attributes& attributes = attributes_[place];
  if (!attributes.shift_in_key) return cursors_[place][-1];
  return key >> *attributes.shift_in_key & ((std::uint64_t{1} << attributes.code_bits) - 1);
}

// @param key  the row's head, with the codes of columns that go straight into keys.
rollup::FactsTable::Found GraphColumns::FindWords(std::uint64_t key, std::size_t row) {
  const std::uint64_t shape = span_owner_.shapes[row];
  const std::vector<std::uint32_t>& columns = span_owner_.columns[shape];
  const std::uint64_t resource =
      key >> 32 & ((std::uint64_t{1} << std::bit_width(resources_count_)) - 1);
  const std::uint64_t packed_head =
      std::uint64_t{resource_numbers_[resource]} << 32 | (key & (kU32 - 1));
  tuple_.assign({packed_head, span_owner_.forms[shape]});
  for (const std::uint32_t place : columns) {
    const Attributes& attributes = attributes_[place];
    const std::uint64_t code = CodeAt(place, key);
    tuple_.push_back(attributes.words.empty() ? code : attributes.words[code]);
  }
  std::uint64_t hash = 0;
  for (const std::uint64_t word : tuple_) hash = Mix(hash, word);
  if (2 * (slots_used_ + 1) > slots_.size()) GrowSlots();
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  for (; slots_[at].count != 0; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.hash == hash && slot.count == tuple_.size() &&
        std::equal(tuple_.begin(), tuple_.end(), words_.begin() + slot.words)) {
      return slot.found;
    }
  }
  description_.Begin(packed_head);
  for (const std::uint32_t place : columns) AddValue(attributes_[place], CodeAt(place, key));
  const rollup::FactsTable::Found found = table_.Find(description_);
  slots_[at] = {.hash = hash,
                .words = static_cast<std::uint32_t>(words_.size()),
                .count = static_cast<std::uint32_t>(tuple_.size()),
                .found = found};
  words_.insert(words_.end(), tuple_.begin(), tuple_.end());
  ++slots_used_;
  return found;
}

// @param name  an entry of names_.
FactsId GraphColumns::FindNamed(std::uint32_t description, std::size_t name) {
  std::uint32_t& number = name_numbers_[name];
  if (number == 0) number = table_.Number(names_.Entry(name)) + 1;
  const std::uint64_t key = std::uint64_t{description} << 32 | number;
  if (2 * (names_used_ + 1) > name_slots_.size()) GrowNames();
  const std::size_t mask = name_slots_.size() - 1;
  std::size_t at = Mix(0, key) & mask;
  for (; name_slots_[at].used; at = (at + 1) & mask) {
    if (name_slots_[at].key == key) return name_slots_[at].facts;
  }
  name_slots_[at] = {
      .key = key, .facts = table_.FindNamed(description, names_.Entry(name)), .used = true};
  ++names_used_;
  return name_slots_[at].facts;
}

}  // namespace fluoro::store
