#include "redact/batch.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "model/any_value.h"
#include "model/content.h"
#include "redact/json_scrub.h"

namespace fluoro::redact {
namespace {

using model::AttributeCell;
using model::AttributeType;
using model::AttributeValue;
using model::Range;
using model::SpanBatch;
using model::TextRef;

constexpr std::size_t kCutTail = 64;
constexpr std::size_t kXRayTextMax = 250;
constexpr std::size_t kXRayAnnotationMax = 1000;
constexpr std::string_view kCut = "<cut>";
constexpr std::size_t kSharedBytesMax = 128;
constexpr unsigned kSlotsBits = 11;

using What = KeyDecision::What;

std::size_t CodePoints(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// Where a text stands.
struct Place {
  bool xray = false;
  bool truncated = false;
  std::string_view event;  ///< name of the event it belongs to
};

class BatchRedactor {
 public:
  BatchRedactor(const Policy& policy, const model::Limits& limits, SpanBatch& batch, Tally& tally)
      : policy_(policy),
        limits_(limits),
        batch_(batch),
        tally_(tally),
        service_name_(policy.ForKey("service.name", "service.name")),
        span_name_(policy.ForKey("span.name", "span.name")),
        status_message_(policy.ForKey("status.message", "status.message")),
        event_name_(policy.ForKey("event.name", "event.name")),
        scope_name_(policy.ForKey("scope.name", "scope.name")),
        gone_(batch.attributes.size()) {}

  void Run() {
    DecideKeys();
    for (auto& row : batch_.resource_rows) {
      Attributes(row.attributes, {});
      if (service_name_.what == What::kRule) ServiceOf(row);
      Text(row.schema_url);
    }
    for (auto& row : batch_.scope_rows) {
      NamedText(row.name, scope_name_);
      Text(row.version);
      Text(row.schema_url);
      Attributes(row.attributes, {});
    }
    for (std::uint32_t i = 0; i < batch_.size(); ++i) Span(i);
    if (!renamed_.empty()) RenameKeys();
    if (any_gone_) DropCells();
    if (changed_) Compact();
  }

 private:
  struct KeyState {
    KeyDecision decision;
    bool service_name = false;
    bool content = false;
  };

  void DecideKeys() {
    keys_.resize(batch_.keys.size());
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      const std::string_view key = batch_.Text(batch_.keys[i]);
      keys_[i] = {.decision = policy_.ForKey(key, key),
                  .service_name = key == "service.name",
                  .content = model::IsContentKey(key)};
      key_texts_.emplace_back(key);
      if (auto scrubbed = policy_.Scrub(key, tally_)) {
        renamed_.emplace_back(static_cast<std::uint32_t>(i), *std::move(scrubbed));
      }
    }
  }

  TextRef Put(std::string_view text) {
    changed_ = true;
    return batch_.AddText(text);
  }

  // A cut end may be half a secret, which nothing recognises.
  [[nodiscard]] bool IsCut(std::string_view text, const Place& place, bool content) const {
    const auto near = [&text](std::size_t bytes_max) {
      return text.size() <= bytes_max && text.size() + 4 > bytes_max;
    };
    if (text.size() < kXRayTextMax) return false;
    if (near(limits_.value_bytes_max) || near(limits_.content_bytes_max) ||
        near(limits_.name_bytes_max))
      return true;
    if (content && place.truncated && text.size() > limits_.value_bytes_max) return true;
    if (!place.xray || text.size() > 4 * kXRayAnnotationMax) return false;
    const std::size_t points = CodePoints(text);
    return points == kXRayTextMax || points == kXRayAnnotationMax;
  }

  // Decoders let equal short texts of a batch share their bytes: each is looked at once.
  bool IsKnownClean(TextRef ref) const {
    return ref.bytes <= kSharedBytesMax && clean_[SlotOf(ref)] == ref;
  }
  void NoteClean(TextRef ref) {
    if (ref.bytes <= kSharedBytesMax && !LooksLikeJson(batch_.Text(ref))) clean_[SlotOf(ref)] = ref;
  }
  static std::size_t SlotOf(TextRef ref) {
    return (ref.offset * std::uint32_t{2'654'435'769}) >> (32 - kSlotsBits);
  }

  std::optional<std::string> Scrubbed(std::string_view text, std::string_view name,
                                      const Place& place, bool content = false) {
    if (content) {
      if (auto halves = ScrubbedHalves(text, name)) return halves;
    }
    auto scrubbed = policy_.Scrub(text, tally_, name);
    if (!IsCut(text, place, content) || text.ends_with(kCut)) return scrubbed;
    std::string cut = scrubbed ? *std::move(scrubbed) : std::string(text);
    cut.resize(TruncateUtf8(cut, cut.size() - std::min(cut.size(), kCutTail)).size());
    tally_.Add(Policy::kCutRule);
    cut += kCut;
    return cut;
  }

  // Content of which the middle was left out: on both sides of it half a secret may stand.
  std::optional<std::string> ScrubbedHalves(std::string_view text, std::string_view name) {
    const std::size_t at = text.find(model::kLeftOut);
    if (at == std::string_view::npos) return std::nullopt;
    const std::size_t line_end = text.find('\n', at + 1);
    if (line_end == std::string_view::npos) return std::nullopt;
    std::string_view tail = text.substr(line_end + 1);
    // Of a key in several lines only its end stands here.
    constexpr std::string_view kKeyEnd = "PRIVATE KEY-----";
    if (const std::size_t key = tail.find(kKeyEnd); key < tail.find("-----BEGIN "))
      tail.remove_prefix(key + kKeyEnd.size());
    std::size_t cut = std::min(tail.size(), kCutTail);
    while (cut < tail.size() && static_cast<unsigned char>(tail[cut]) > ' ') ++cut;
    tail.remove_prefix(cut);
    const std::string_view head = text.substr(0, at);
    std::string out = policy_.Scrub(head, tally_, name).value_or(std::string(head));
    out.resize(TruncateUtf8(out, out.size() - std::min(out.size(), kCutTail)).size());
    tally_.Add(Policy::kCutRule);
    // Told otherwise than by the decoder, so that the next time it is text as any other.
    out.append("\n<cut of ")
        .append(
            text.substr(at + model::kLeftOut.size(), line_end + 1 - at - model::kLeftOut.size()));
    out += policy_.Scrub(tail, tally_, name).value_or(std::string(tail));
    return out;
  }

  void Text(TextRef& ref, const Place& place = {}) {
    if (ref.bytes == 0 || IsKnownClean(ref)) return;
    if (auto scrubbed = Scrubbed(batch_.Text(ref), {}, place)) {
      ref = Put(*scrubbed);
    } else {
      NoteClean(ref);
    }
  }

  void NamedText(TextRef& ref, KeyDecision decision, const Place& place = {}) {
    if (ref.bytes == 0 || decision.what == What::kKeep) return;
    if (decision.what == What::kScan) return Text(ref, place);
    ref = Put(Replaced(decision.rule, batch_.Text(ref)));
  }

  std::string Replaced(std::size_t rule, std::string_view text) {
    Policy::Growth growth(text.size());
    return policy_.Replace(rule, text, growth, tally_);
  }

  void SetString(AttributeCell& cell, std::string_view text,
                 AttributeType type = AttributeType::kString) {
    cell.type = type;
    cell.set_text(Put(text));
  }

  void Drop(std::uint32_t index) {
    gone_[index] = true;
    any_gone_ = true;
    changed_ = true;
    batch_.attributes[index] = {.key = batch_.attributes[index].key};
  }

  void Attributes(Range range, const Place& place, std::vector<Removed>* removed = nullptr) {
    for (std::uint32_t i = range.begin; i < range.end; ++i) Attribute(i, place, removed);
  }

  void Attribute(std::uint32_t index, const Place& place, std::vector<Removed>* removed) {
    AttributeCell& cell = batch_.attributes[index];
    if (cell.type == AttributeType::kNull || cell.type == AttributeType::kBool) return;
    const KeyState& key = keys_[cell.key];
    KeyDecision decision = key.decision;
    const bool content = key.content || model::IsContentOfEvent(place.event, key_texts_[cell.key]);
    if (decision.what == What::kScan && content && policy_.HidesContent())
      decision = policy_.ForContent();
    // Counts are no content.
    if (!model::IsText(cell.type) && decision.rule == Policy::kContentRule &&
        decision.what == What::kRule)
      return;
    if (decision.what == What::kKeep) return;
    if (decision.what == What::kScan) {
      if (!key.service_name) Value(cell, key_texts_[cell.key], place, content);
      return;
    }
    const std::string text = TextOf(cell);
    if (removed != nullptr && cell.type == AttributeType::kString)
      removed->push_back({text, decision.rule});
    if (policy_.Drops(decision.rule)) {
      tally_.Add(decision.rule);
      return Drop(index);
    }
    if (model::IsText(cell.type) && cell.text().bytes == 0) return;
    SetString(cell, Replaced(decision.rule, text));
  }

  [[nodiscard]] std::string TextOf(const AttributeCell& cell) const {
    if (model::IsText(cell.type)) return std::string(batch_.Text(cell.text()));
    if (cell.type == AttributeType::kInt)
      return std::to_string(static_cast<std::int64_t>(cell.payload));
    return std::to_string(std::bit_cast<double>(cell.payload));
  }

  void Value(AttributeCell& cell, std::string_view name, const Place& place, bool content) {
    switch (cell.type) {
      case AttributeType::kString:
      case AttributeType::kBytes:
        if (IsKnownClean(cell.text())) return;
        if (auto scrubbed = Scrubbed(batch_.Text(cell.text()), name, place, content)) {
          SetString(cell, *scrubbed, cell.type);
        } else {
          NoteClean(cell.text());
        }
        return;
      case AttributeType::kInt:
        if (const std::string digits = TextOf(cell); IsCardNumber(digits)) {
          if (auto scrubbed = policy_.Scrub(digits, tally_)) SetString(cell, *scrubbed);
        }
        return;
      case AttributeType::kArray:
      case AttributeType::kKvList: {
        auto tree = model::DecodeAnyValue(batch_.Text(cell.text()));
        std::string path(name);
        if (!tree || !Tree(*tree, path, place)) return;
        std::string encoded;
        model::EncodeAnyValue(*tree, encoded);
        SetString(cell, encoded, cell.type);
        return;
      }
      default:
        return;
    }
  }

  // True: something was removed. `path` is as it was afterwards.
  bool Tree(AttributeValue& value, std::string& path, const Place& place) {
    if (auto* text = std::get_if<std::string>(&value.value)) {
      auto scrubbed = Scrubbed(*text, path, place);
      if (!scrubbed) return false;
      *text = *std::move(scrubbed);
      return true;
    }
    if (auto* bytes = std::get_if<AttributeValue::Bytes>(&value.value)) {
      auto scrubbed = Scrubbed(bytes->data, path, place);
      if (!scrubbed) return false;
      bytes->data = *std::move(scrubbed);
      return true;
    }
    if (const auto* number = value.AsInt();
        number != nullptr && IsCardNumber(std::to_string(*number))) {
      auto scrubbed = policy_.Scrub(std::to_string(*number), tally_);
      if (!scrubbed) return false;
      value.value = *std::move(scrubbed);
      return true;
    }
    bool changed = false;
    if (auto* array = std::get_if<AttributeValue::Array>(&value.value)) {
      for (AttributeValue& item : array->values) changed |= Tree(item, path, place);
    } else if (auto* list = std::get_if<AttributeValue::KvList>(&value.value)) {
      for (std::size_t i = 0; i < list->entries.size();) {
        const Member done = Entry(list->entries[i], path, place);
        changed |= done != Member::kSame;
        if (done == Member::kGone) {
          list->entries.erase(list->entries.begin() + static_cast<std::ptrdiff_t>(i));
        } else {
          ++i;
        }
      }
    }
    return changed;
  }

  enum class Member : std::uint8_t { kSame, kChanged, kGone };
  Member Entry(model::KeyValue& entry, std::string& path, const Place& place) {
    const std::size_t outside = path.size();
    path += "." + entry.key;
    const KeyDecision decision = policy_.ForKey(path, entry.key);
    Member done = Member::kSame;
    const AttributeType type = entry.value.type();
    const bool removable = type != AttributeType::kNull && type != AttributeType::kBool &&
                           (model::IsText(type) || decision.rule != Policy::kContentRule);
    if (decision.what == What::kRule && removable) {
      if (policy_.Drops(decision.rule)) {
        tally_.Add(decision.rule);
        path.resize(outside);
        return Member::kGone;
      }
      std::string text;
      if (const std::string* as_text = entry.value.AsString()) {
        text = *as_text;
      } else {
        model::EncodeAnyValue(entry.value, text);
      }
      std::string in_place = text.empty() ? text : Replaced(decision.rule, text);
      if (in_place != text) done = Member::kChanged;
      entry.value.value = std::move(in_place);
    } else if (decision.what == What::kScan && Tree(entry.value, path, place)) {
      done = Member::kChanged;
    }
    path.resize(outside);
    if (auto scrubbed = policy_.Scrub(entry.key, tally_)) {
      entry.key = *std::move(scrubbed);
      done = Member::kChanged;
    }
    return done;
  }

  // The copy of service.name beside a resource goes the way of the attribute.
  void ServiceOf(model::ResourceRow& row) {
    for (std::uint32_t i = row.attributes.begin; i < row.attributes.end; ++i) {
      if (!keys_[batch_.attributes[i].key].service_name) continue;
      const bool text = batch_.attributes[i].type == AttributeType::kString;
      row.service = text ? batch_.attributes[i].text() : TextRef{};
    }
  }

  void Span(std::uint32_t i) {
    const bool document = batch_.documents[i].bytes != 0;
    const bool segment = (batch_.flags[i] & model::kSegment) != 0;
    const Place place{
        .xray = document, .truncated = (batch_.flags[i] & model::kTruncated) != 0, .event = {}};
    std::vector<Removed> removed;
    Attributes(batch_.span_attributes[i], place, document ? &removed : nullptr);
    if (document && segment) {
      // A segment's name is that of its service.
      if (service_name_.what == What::kRule)
        batch_.names[i] = Put(Replaced(service_name_.rule, batch_.Text(batch_.names[i])));
    } else {
      NamedText(batch_.names[i], span_name_, place);
    }
    NamedText(batch_.status_messages[i], status_message_, place);
    const Range events = batch_.span_events[i];
    for (std::uint32_t e = events.begin; e < events.end; ++e) {
      Place in_event = place;
      const std::string name(batch_.Text(batch_.events[e].name));
      in_event.event = name;
      Attributes(batch_.events[e].attributes, in_event, document ? &removed : nullptr);
      NamedText(batch_.events[e].name, event_name_, place);
    }
    const Range links = batch_.span_links[i];
    for (std::uint32_t l = links.begin; l < links.end; ++l)
      Attributes(batch_.links[l].attributes, place);
    if (document) Document(i, segment, removed);
  }

  // What rules about names removed from the columns goes from the document too, and the other way.
  void Document(std::uint32_t i, bool segment, const std::vector<Removed>& removed) {
    std::vector<Removed> found;
    const JsonScrubber::Document about{.segment = segment, .removed = &removed, .found = &found};
    const std::string_view text = batch_.Text(batch_.documents[i]);
    Policy::Growth growth(text.size());
    JsonScrubber scrubber(policy_, growth, tally_);
    scrubber.set_document(about);
    std::string scrubbed;
    if (scrubber.Run(text, {}, scrubbed)) batch_.documents[i] = Put(scrubbed);
    if (found.empty()) return;
    RemoveFound(batch_.span_attributes[i], found);
    RemoveFound(batch_.resource_rows[batch_.resources[i]].attributes, found);
    const Range events = batch_.span_events[i];
    for (std::uint32_t e = events.begin; e < events.end; ++e)
      RemoveFound(batch_.events[e].attributes, found);
    for (TextRef* ref : {&batch_.names[i], &batch_.status_messages[i]}) {
      for (const Removed& one : found) {
        if (!segment && HoldsRemoved(batch_.Text(*ref), one))
          *ref = Put(Replaced(one.rule, batch_.Text(*ref)));
      }
    }
  }

  void RemoveFound(Range range, const std::vector<Removed>& found) {
    for (std::uint32_t i = range.begin; i < range.end; ++i) {
      AttributeCell& cell = batch_.attributes[i];
      if (cell.type != AttributeType::kString || keys_[cell.key].service_name) continue;
      for (const Removed& one : found) {
        const std::string text(batch_.Text(cell.text()));
        if (!HoldsRemoved(text, one)) continue;
        SetString(cell, Replaced(one.rule, text));
        break;
      }
    }
  }

  void RenameKeys() {
    changed_ = true;
    std::vector<std::uint32_t> now(batch_.keys.size());
    std::iota(now.begin(), now.end(), 0U);
    for (const auto& [key, name] : renamed_) now[key] = batch_.InternKey(name);
    for (AttributeCell& cell : batch_.attributes) cell.key = now[cell.key];
    for (const auto& [key, name] : renamed_) batch_.keys[key] = {};
  }

  // Ranges without the cells that are gone.
  void DropCells() {
    std::vector<AttributeCell> kept;
    kept.reserve(batch_.attributes.size());
    const auto take = [&](Range& range) {
      const auto begin = static_cast<std::uint32_t>(kept.size());
      for (std::uint32_t i = range.begin; i < range.end; ++i) {
        if (!gone_[i]) kept.push_back(batch_.attributes[i]);
      }
      range = {begin, static_cast<std::uint32_t>(kept.size())};
    };
    for (auto& row : batch_.resource_rows) take(row.attributes);
    for (auto& row : batch_.scope_rows) take(row.attributes);
    for (std::uint32_t i = 0; i < batch_.size(); ++i) {
      take(batch_.span_attributes[i]);
      for (std::uint32_t e = batch_.span_events[i].begin; e < batch_.span_events[i].end; ++e)
        take(batch_.events[e].attributes);
      for (std::uint32_t l = batch_.span_links[i].begin; l < batch_.span_links[i].end; ++l)
        take(batch_.links[l].attributes);
    }
    batch_.attributes = std::move(kept);
  }

  // The arena goes to disk whole: what nothing points at any more must not be in it.
  void Compact() {
    struct Moved {
      TextRef from;
      std::uint32_t to = 0;
    };
    std::vector<Moved> moved_texts(std::size_t{1} << kSlotsBits);
    std::string arena;
    arena.reserve(batch_.arena.size());
    const auto keep = [&](TextRef& ref) {
      if (ref.bytes == 0) {
        ref = {};
        return;
      }
      Moved& moved = moved_texts[SlotOf(ref)];
      if (ref.bytes > kSharedBytesMax || moved.from != ref) {
        moved = {.from = ref, .to = static_cast<std::uint32_t>(arena.size())};
        arena.append(batch_.Text(ref));
      }
      ref.offset = moved.to;
    };
    for (TextRef& key : batch_.keys) keep(key);
    for (auto& row : batch_.resource_rows) {
      keep(row.service);
      keep(row.schema_url);
      keep(row.entity_refs);
    }
    for (auto& row : batch_.scope_rows) {
      keep(row.name);
      keep(row.version);
      keep(row.schema_url);
    }
    for (auto* column :
         {&batch_.names, &batch_.trace_states, &batch_.status_messages, &batch_.documents}) {
      for (TextRef& ref : *column) keep(ref);
    }
    for (auto& event : batch_.events) keep(event.name);
    for (auto& link : batch_.links) keep(link.trace_state);
    for (AttributeCell& cell : batch_.attributes) {
      if (!model::IsText(cell.type)) continue;
      TextRef ref = cell.text();
      keep(ref);
      cell.set_text(ref);
    }
    batch_.arena = std::move(arena);
  }

  const Policy& policy_;
  const model::Limits& limits_;
  SpanBatch& batch_;
  Tally& tally_;
  const KeyDecision service_name_;
  const KeyDecision span_name_;
  const KeyDecision status_message_;
  const KeyDecision event_name_;
  const KeyDecision scope_name_;
  std::vector<KeyState> keys_;
  std::vector<std::string> key_texts_;
  std::vector<bool> gone_;
  std::vector<TextRef> clean_ = std::vector<TextRef>(std::size_t{1} << kSlotsBits);
  bool any_gone_ = false;
  bool changed_ = false;
  std::vector<std::pair<std::uint32_t, std::string>> renamed_;  ///< index of a key, its new name
};

}  // namespace

void RedactBatch(const Policy& policy, const model::Limits& limits, SpanBatch& batch,
                 Tally& tally) {
  if (tally.counts.size() < policy.actions().size()) tally.counts.resize(policy.actions().size());
  BatchRedactor(policy, limits, batch, tally).Run();
}

}  // namespace fluoro::redact
