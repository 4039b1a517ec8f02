#include "codec/otlp/batch_builder.h"

#include <simdjson.h>

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <utility>

#include "base/assert.h"
#include "base/json.h"
#include "base/utf8.h"
#include "model/content.h"

namespace fluoro::codec::otlp::internal {
namespace {

using model::AttributeCell;
using model::AttributeType;

// Events and links of a few bytes become rows of 32 and 48: beyond this the body is an attack.
constexpr std::size_t kPoolsBytesPerBodyByte = 12;
constexpr std::size_t kPoolsBytesAlways = std::size_t{1} << 20;

// Bits of SpanFlag that exist.
constexpr std::uint32_t kFlagsKnown = 2 * model::kIncompleteEmbedded - 1;

}  // namespace

std::string Place::ToString() const {
  return "resourceSpans[" + std::to_string(resource) + "].scopeSpans[" + std::to_string(scope) +
         "].spans[" + std::to_string(span) + "]";
}

// Parser for documents, made when the first one is met.
struct BatchBuilder::DocumentCheck {
  simdjson::dom::parser parser;
};

BatchBuilder::BatchBuilder(const model::Limits& limits, bool unsampled, std::size_t body_bytes)
    : limits_(limits),
      attributes_max_(limits.attributes_max),
      flags_always_(unsampled ? model::kUnsampled : 0U),
      pools_bytes_max_(kPoolsBytesPerBodyByte * body_bytes + kPoolsBytesAlways),
      value_bytes_max_{},
      value_bounds_(limits),
      next_keys_(kOwnersCount) {
  const std::size_t view_max = std::max(limits.content_bytes_max, limits.document_bytes_max);
  value_bytes_max_[static_cast<std::size_t>(KeyClass::kPlain)] = limits.value_bytes_max;
  value_bytes_max_[static_cast<std::size_t>(KeyClass::kContent)] = limits.content_bytes_max;
  value_bytes_max_[static_cast<std::size_t>(KeyClass::kSource)] = limits.value_bytes_max;
  value_bytes_max_[static_cast<std::size_t>(KeyClass::kDocument)] = view_max;
  value_bytes_max_[static_cast<std::size_t>(KeyClass::kView)] = view_max;
}

BatchBuilder::~BatchBuilder() = default;

std::string_view BatchBuilder::Clean(std::string_view raw, std::size_t bytes_max,
                                     std::string& scratch) {
  const bool cut = raw.size() > bytes_max;
  std::string_view text = TruncateUtf8(raw, bytes_max);
  if (!IsAscii(text)) {
    if (!IsValidUtf8(text)) {
      scratch = RepairUtf8(text);
      text = TruncateUtf8(scratch, bytes_max);
      NoteRepaired();
    } else if (body_repaired_ && text.find("\xef\xbf\xbd") != std::string_view::npos) {
      NoteRepaired();
    }
  }
  if (cut) NoteTruncated();
  return text;
}

model::TextRef BatchBuilder::CleanText(std::string_view raw, std::size_t bytes_max) {
  std::string scratch;
  return out_.batch.AddText(Clean(raw, bytes_max, scratch));
}

model::TextRef BatchBuilder::CutContent(std::string_view raw, std::size_t bytes_max) {
  if (bytes_max < model::kCutInTwoMin) return CleanText(raw, bytes_max);
  NoteTruncated();
  return CleanText(model::CutInTwo(raw, bytes_max), bytes_max);
}

void BatchBuilder::NoteTruncated() {
  flags_ |= model::kTruncated;
  ++out_.stats.truncated_values;
}

void BatchBuilder::NoteRepaired() {
  flags_ |= model::kTextRepaired;
  ++out_.stats.repaired_texts;
}

std::uint32_t BatchBuilder::TakeFlags() { return std::exchange(flags_, 0U); }

void BatchBuilder::FlagSpans(std::size_t first, std::uint32_t flags) {
  if (flags == 0) return;
  for (std::size_t i = first; i < spans_; ++i) out_.batch.flags[i] |= flags;
}

void BatchBuilder::BeginOwner(Owner owner) {
  // Events and links share in what their span may take.
  if (owner != Owner::kEvent && owner != Owner::kLink) value_bounds_.Reset();
  ++owner_serial_;
  owner_begin_ = out_.batch.AttributesEnd();
  next_keys_slot_ = static_cast<std::size_t>(owner);
  plain_count_ = 0;
  view_count_ = 0;
  owner_dropped_ = 0;
  has_source_ = false;
}

model::Range BatchBuilder::EndOwner(std::uint64_t& dropped) {
  dropped += owner_dropped_;
  out_.stats.dropped_attributes += owner_dropped_;
  return {owner_begin_, out_.batch.AttributesEnd()};
}

std::uint32_t BatchBuilder::InternKey(std::string_view raw) {
  std::string scratch;
  const std::string_view text = Clean(raw, limits_.key_bytes_max, scratch);
  const std::uint32_t key = out_.batch.InternKey(text);
  while (key_states_.size() < out_.batch.keys.size()) {
    const std::string_view name = out_.batch.Key(static_cast<std::uint32_t>(key_states_.size()));
    const bool is_long = name.size() >= 8;
    key_states_.push_back({.head = is_long ? WordAt(name, 0) : 0,
                           .tail = is_long ? WordAt(name, name.size() - 8) : 0,
                           .text = out_.batch.keys[key_states_.size()],
                           .owner_serial = 0,
                           .cell = 0,
                           .key_class = ClassifyKey(name),
                           .last = {},
                           .unlike = 0,
                           .front_bytes = 0,
                           .front = {}});
    SetFront(key_states_.back(), name);
  }
  if (next_keys_.size() < key_states_.size() + kOwnersCount) {
    next_keys_.resize(key_states_.size() + kOwnersCount);
  }
  return key;
}

void BatchBuilder::SetFront(KeyState& state, std::string_view key) {
  constexpr char kKeyTag = 1 << 3 | 2;
  constexpr char kValueTag = 2 << 3 | 2;
  const std::size_t bytes = key.size() + 3;
  if (bytes < kFrontMin || bytes > kFrontMax || state.key_class > KeyClass::kContent) return;
  std::string front = {kKeyTag, static_cast<char>(key.size())};
  front.append(key);
  front.push_back(kValueTag);
  state.front_bytes = static_cast<std::uint8_t>(bytes);
  state.front[0] = WordAt(front, 0);
  state.front[3] = WordAt(front, bytes - 8);
  if (bytes < 16) return;
  state.front[1] = WordAt(front, 8);
  state.front[2] = WordAt(front, bytes - 16);
}

std::uint32_t BatchBuilder::KeyIndex(std::string_view raw) {
  const NextKeys guess = next_keys_[next_keys_slot_];
  std::uint32_t key = guess.newest;
  if (!IsKey(key, raw)) {
    key = IsKey(guess.older, raw) ? guess.older : InternKey(raw);
    next_keys_[next_keys_slot_] = {.newest = key, .older = guess.newest};
  }
  next_keys_slot_ = kOwnersCount + key;
  return key;
}

AttributeCell* BatchBuilder::CellOf(std::uint32_t key) {
  KeyState& state = key_states_[key];
  if (state.owner_serial == owner_serial_) [[unlikely]] {
    AttributeCell& cell = out_.batch.attributes[state.cell];
    cell = {.key = key};
    return &cell;
  }
  state.owner_serial = owner_serial_;
  state.cell = out_.batch.AttributesEnd();
  if (state.key_class <= KeyClass::kContent) [[likely]] {
    ++plain_count_;
  } else {
    ++view_count_;
    has_source_ |= state.key_class == KeyClass::kSource;
  }
  return &out_.batch.attributes.emplace_back(AttributeCell{.key = key});
}

// Cell, whatever the key.
AttributeCell* BatchBuilder::UnforeseenCell(std::string_view key) {
  if (plain_count_ >= attributes_max_ || view_count_ >= attributes_max_) return CellNearLimit(key);
  return CellOf(KeyIndex(key));
}

// One of the two counts is used up: a key that is not there yet must not be interned.
AttributeCell* BatchBuilder::CellNearLimit(std::string_view key) {
  std::string scratch;
  const std::string_view text = Clean(key, limits_.key_bytes_max, scratch);
  const auto known = out_.batch.FindKey(text);
  if (known && key_states_[*known].owner_serial == owner_serial_) return CellOf(*known);
  const bool plain = ClassifyKey(text) <= KeyClass::kContent;
  if ((plain ? plain_count_ : view_count_) >= attributes_max_) {
    ++owner_dropped_;
    return nullptr;
  }
  return CellOf(KeyIndex(key));
}

void BatchBuilder::SetBytes(AttributeCell& cell, std::string_view raw) {
  if (raw.size() > ValueBytesMax(cell)) {
    raw = raw.substr(0, ValueBytesMax(cell));
    NoteTruncated();
  }
  cell.type = AttributeType::kBytes;
  cell.set_text(out_.batch.AddText(raw));
  value_bounds_.Kept(raw.size());
}

void BatchBuilder::SetEncoded(AttributeCell& cell, AttributeType type, std::string_view any_value) {
  cell.type = type;
  cell.set_text(out_.batch.AddText(any_value));
  value_bounds_.Kept(any_value.size());
}

void BatchBuilder::RollbackTo(model::SpanBatch::Mark mark) {
  // Texts stay: interned_ and key_states_ may name them.
  mark.arena_bytes = out_.batch.arena.size();
  out_.batch.RollbackTo(mark);
  key_states_.resize(out_.batch.keys.size());
}

void BatchBuilder::FinishResource(model::ResourceRow& row, std::string_view schema_url,
                                  std::uint64_t dropped, std::string_view entity_refs) {
  for (std::uint32_t i = row.attributes.begin; i < row.attributes.end; ++i) {
    const AttributeCell& cell = out_.batch.attributes[i];
    if (cell.type == AttributeType::kString && out_.batch.Key(cell.key) == "service.name") {
      row.service = cell.text();
    }
  }
  row.schema_url = Text(schema_url, limits_.value_bytes_max);
  row.entity_refs = out_.batch.AddText(entity_refs);
  row.dropped_attributes = Saturate(dropped);
}

void BatchBuilder::BeginSpan() {
  span_mark_ = out_.batch.MarkHere();
  span_stats_ = out_.stats;
  flags_ = 0;
}

bool BatchBuilder::TakesEvent(PendingSpan& span, std::size_t events_count) {
  if (events_count < limits_.events_max) return true;
  ++span.dropped_events;
  ++out_.stats.dropped_events;
  return false;
}

bool BatchBuilder::TakesLink(PendingSpan& span, std::size_t links_count) {
  if (links_count < limits_.links_max) return true;
  ++span.dropped_links;
  ++out_.stats.dropped_links;
  return false;
}

void BatchBuilder::Reject(std::string reason) {
  RollbackTo(span_mark_);
  const std::uint64_t rejected = span_stats_.rejected_spans + 1;
  out_.stats = span_stats_;
  out_.stats.rejected_spans = rejected;
  if (out_.reject_reason.empty()) out_.reject_reason = place.ToString() + ": " + std::move(reason);
}

bool BatchBuilder::CheckSpan(PendingSpan& span) {
  if (!span.trace_id_valid) {
    Reject("trace id must have 16 bytes, not all of them zero");
    return false;
  }
  if (!span.span_id_valid) {
    Reject("span id must have 8 bytes, not all of them zero");
    return false;
  }
  constexpr auto kTimeMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (span.start_ns == 0) span.start_ns = static_cast<std::uint64_t>(limits_.receive_ns);
  if (span.start_ns > kTimeMax) {
    Reject("start time " + std::to_string(span.start_ns) + " is beyond the year 2262");
    return false;
  }
  const auto start = static_cast<std::int64_t>(span.start_ns);
  if (start < limits_.start_ns_min) {
    Reject("start time " + std::to_string(start) + " is before the oldest accepted, " +
           std::to_string(limits_.start_ns_min));
    return false;
  }
  if (start > limits_.start_ns_max) {
    Reject("start time " + std::to_string(start) + " is after the latest accepted, " +
           std::to_string(limits_.start_ns_max));
    return false;
  }
  span.has_end = span.end_ns != 0;
  span.end_ns = std::clamp(span.end_ns, span.start_ns, kTimeMax);
  return true;
}

Error BatchBuilder::FullError() const {
  return {ErrorCode::kTooLarge, place.ToString() + ": the spans of the request take more than " +
                                    std::to_string(limits_.batch_bytes_max) +
                                    " bytes of memory; send fewer at once"};
}

Result<void> BatchBuilder::AddSpan(const PendingSpan& span, std::uint32_t resource,
                                   std::uint32_t scope) {
  model::SpanBatch& batch = out_.batch;
  if (IsFull()) return std::unexpected(FullError());
  if (batch.events.size() * sizeof(model::EventRow) + batch.links.size() * sizeof(model::LinkRow) >
      pools_bytes_max_) {
    return Fail(ErrorCode::kTooLarge, place.ToString() +
                                          ": events and links of the request take more than 12 "
                                          "times its size");
  }
  if (spans_ == batch.size()) batch.ResizeSpans(2 * spans_ + 16);
  const std::size_t i = spans_++;
  batch.trace_ids[i] = span.trace_id;
  batch.span_ids[i] = span.span_id;
  batch.parent_ids[i] = span.parent_id;
  batch.start_ns[i] = static_cast<std::int64_t>(span.start_ns);
  batch.end_ns[i] = static_cast<std::int64_t>(span.end_ns);
  batch.names[i] = span.name.bytes == 0 ? batch.AddText("span") : span.name;
  batch.resources[i] = resource;
  batch.scopes[i] = scope;
  batch.kinds[i] = span.kind;
  batch.statuses[i] = span.status;
  batch.sources[i] = span.source;
  batch.span_attributes[i] = span.attributes;
  // Not ended yet: must not take the place of the span that has.
  const bool is_open = !span.has_end && span.source == model::SpanSource::kOtlp;
  const std::uint32_t flags = span.flags | flags_always_ | TakeFlags() |
                              (is_open ? model::SpanFlag::kIncompleteEmbedded : 0U);
  // The span is blank: most have nothing of these.
  if (flags != 0) batch.flags[i] = flags;
  if (span.otel_flags != 0) batch.otel_flags[i] = span.otel_flags;
  if (span.trace_state.bytes != 0) batch.trace_states[i] = span.trace_state;
  if (span.status_message.bytes != 0) batch.status_messages[i] = span.status_message;
  if (span.document.bytes != 0) batch.documents[i] = span.document;
  if (span.events.end != 0) batch.span_events[i] = span.events;
  if (span.links.end != 0) batch.span_links[i] = span.links;
  const auto set_dropped = [i](std::vector<std::uint32_t>& column, std::uint64_t dropped) {
    if (dropped != 0) column[i] = Saturate(dropped);
  };
  set_dropped(batch.dropped_attributes, span.sent_dropped_attributes + span.dropped_attributes);
  set_dropped(batch.dropped_events, span.sent_dropped_events + span.dropped_events);
  set_dropped(batch.dropped_links, span.sent_dropped_links + span.dropped_links);
  ++out_.stats.spans;
  return {};
}

bool BatchBuilder::IsDocument(std::string_view text) {
  if (text.size() > limits_.document_bytes_max ||
      JsonDepthExceeds(text, 2 * static_cast<std::size_t>(limits_.nesting_max))) {
    return false;
  }
  if (!document_check_) document_check_ = std::make_unique<DocumentCheck>();
  simdjson::dom::element root;
  return document_check_->parser.parse(text.data(), text.size()).get(root) == simdjson::SUCCESS &&
         root.is_object();
}

void BatchBuilder::RestoreView(PendingSpan& span) {
  if (!has_source_) return;
  model::SpanBatch& batch = out_.batch;
  const model::Range range = span.attributes;
  FLUORO_ASSERT(range.end == batch.AttributesEnd());
  const auto find = [&](std::string_view key, AttributeType type) -> const AttributeCell* {
    for (std::uint32_t i = range.begin; i < range.end; ++i) {
      const AttributeCell& cell = batch.attributes[i];
      if (cell.type == type && batch.Key(cell.key) == key) return &cell;
    }
    return nullptr;
  };
  const AttributeCell* const source_cell = find(kSourceKey, AttributeType::kString);
  if (source_cell == nullptr) return;
  const auto source = SourceFromName(batch.Text(source_cell->text()));
  if (!source) return;
  const bool xray = *source == model::SpanSource::kXRay;
  std::vector<std::string> annotations;
  if (xray) {
    const AttributeCell* const document = find(kDocumentKey, AttributeType::kString);
    if (document == nullptr || !IsDocument(batch.Text(document->text()))) return;
    span.document = document->text();
    if (const AttributeCell* const list = find(kAnnotationsKey, AttributeType::kArray)) {
      const model::AttributeValue value = batch.ValueOf(*list);
      for (const model::AttributeValue& item : value.AsArray()->values) {
        if (const std::string* const text = item.AsString()) annotations.push_back(*text);
      }
      std::ranges::sort(annotations);
    }
  }
  if (const AttributeCell* const flags = find(kFlagsKey, AttributeType::kInt)) {
    span.flags |= static_cast<std::uint32_t>(flags->payload) & kFlagsKnown;
  }
  span.source = *source;

  const std::vector<AttributeCell> cells(batch.attributes.begin() + range.begin,
                                         batch.attributes.end());
  batch.attributes.resize(range.begin);
  // Where each key stands by now: one that loses its prefix may be there already. The last counts.
  std::unordered_map<std::uint64_t, std::uint32_t> places;
  for (AttributeCell cell : cells) {
    const std::string key(batch.Key(cell.key));
    if (key.starts_with(kPlainPrefix)) {
      cell.key = InternKey(std::string_view(key).substr(kPlainPrefix.size()));
    } else if (key.starts_with(kAnnotationPrefix)) {
      cell.key = InternKey(std::string_view(key).substr(kAnnotationPrefix.size()));
      cell.role = model::AttributeRole::kAnnotation;
    } else if (IsViewKey(key, xray)) {
      continue;
    } else if (std::ranges::binary_search(annotations, key)) {
      cell.role = model::AttributeRole::kAnnotation;
    }
    const std::uint64_t name = std::uint64_t{cell.key} << 8 | static_cast<std::uint8_t>(cell.role);
    const auto [at, is_new] = places.try_emplace(name, batch.AttributesEnd());
    if (is_new) {
      batch.attributes.push_back(cell);
    } else {
      batch.attributes[at->second] = cell;
    }
  }
  span.attributes.end = batch.AttributesEnd();
}

}  // namespace fluoro::codec::otlp::internal
