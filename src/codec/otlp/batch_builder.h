// What the protobuf and the JSON decoder share: limits, text repair, duplicate keys, span checks,
// and the way of the result into the columns of a SpanBatch.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "codec/otlp/keys.h"
#include "codec/otlp/otlp.h"
#include "model/content.h"
#include "model/limits.h"
#include "model/span_batch.h"

namespace fluoro::codec::otlp::internal {

/// Whose attributes are being read.
enum class Owner : std::uint8_t { kResource, kScope, kSpan, kEvent, kLink };
inline constexpr std::size_t kOwnersCount = 5;

/// One span between its first and its last field.
struct PendingSpan {
  model::TraceId trace_id;
  model::SpanId span_id;
  model::SpanId parent_id;
  bool trace_id_valid = false;  ///< right length and not zero
  bool span_id_valid = false;
  std::uint64_t start_ns = 0;
  std::uint64_t end_ns = 0;
  bool has_end = false;  ///< set by CheckSpan
  model::TextRef name;
  model::TextRef trace_state;
  model::TextRef status_message;
  model::TextRef document;
  model::SpanKind kind = model::SpanKind::kUnspecified;
  model::StatusCode status = model::StatusCode::kUnset;
  model::SpanSource source = model::SpanSource::kOtlp;
  std::uint32_t flags = 0;
  std::uint32_t otel_flags = 0;
  model::Range attributes;
  model::Range events;
  model::Range links;
  // Counts as sent, and what our limits add to them.
  std::uint32_t sent_dropped_attributes = 0;
  std::uint32_t sent_dropped_events = 0;
  std::uint32_t sent_dropped_links = 0;
  std::uint64_t dropped_attributes = 0;
  std::uint64_t dropped_events = 0;
  std::uint64_t dropped_links = 0;
};

inline std::uint32_t Saturate(std::uint64_t count) {
  return count > UINT32_MAX ? UINT32_MAX : static_cast<std::uint32_t>(count);
}
/// Numbers that the enum does not have count as unspecified or unset.
inline model::SpanKind KindFrom(std::uint64_t number) {
  return number <= 5 ? static_cast<model::SpanKind>(number) : model::SpanKind::kUnspecified;
}
inline model::StatusCode StatusFrom(std::uint64_t number) {
  return number <= 2 ? static_cast<model::StatusCode>(number) : model::StatusCode::kUnset;
}
/// Times beyond the year 2262 are cut to it.
inline std::int64_t TimeFrom(std::uint64_t ns) {
  return ns > INT64_MAX ? INT64_MAX : static_cast<std::int64_t>(ns);
}

/// Indexes of the place being read, for messages.
struct Place {
  std::size_t resource = 0;
  std::size_t scope = 0;
  std::size_t span = 0;
  /// "resourceSpans[0].scopeSpans[1].spans[3]"
  [[nodiscard]] std::string ToString() const;
};

/// Whether both places hold the same bytes. Inlined and by words: most texts are short.
inline bool SameBytes(const char* a, const char* b, std::size_t bytes) {
  const auto differ = [&]<class Word>(std::size_t at, Word) {
    Word of_a;
    Word of_b;
    std::memcpy(&of_a, a + at, sizeof(Word));
    std::memcpy(&of_b, b + at, sizeof(Word));
    return of_a != of_b;
  };
  if (bytes >= 8) {
    for (std::size_t at = 0; at + 8 < bytes; at += 8) {
      if (differ(at, std::uint64_t{})) return false;
    }
    return !differ(bytes - 8, std::uint64_t{});
  }
  if (bytes >= 4) return !differ(0, std::uint32_t{}) && !differ(bytes - 4, std::uint32_t{});
  return bytes == 0 ||
         (a[0] == b[0] && a[bytes / 2] == b[bytes / 2] && a[bytes - 1] == b[bytes - 1]);
}

class BatchBuilder {
 public:
  BatchBuilder(const model::Limits& limits, bool unsampled, std::size_t body_bytes);
  BatchBuilder(const BatchBuilder&) = delete;
  BatchBuilder& operator=(const BatchBuilder&) = delete;
  ~BatchBuilder();

  Place place;

  [[nodiscard]] const model::Limits& limits() const { return limits_; }
  [[nodiscard]] model::SpanBatch& batch() { return out_.batch; }
  /// Spans added so far. The batch has blank ones behind them.
  [[nodiscard]] std::size_t spans() const { return spans_; }
  [[nodiscard]] Decoded Take() {
    out_.batch.ResizeSpans(spans_);
    return std::move(out_);
  }
  /// The body was repaired before parsing: text with U+FFFD counts as repaired.
  void set_body_repaired() { body_repaired_ = true; }
  [[nodiscard]] bool body_repaired() const { return body_repaired_; }

  /// Puts text into the arena, made valid UTF-8 and cut to `bytes_max`.
  model::TextRef Text(std::string_view raw, std::size_t bytes_max) {
    model::TextRef kept;
    if (raw.empty()) return kept;
    return KeepPlain(raw, bytes_max, kept) ? kept : CleanText(raw, bytes_max);
  }
  /// The text as Text would keep it; `scratch` holds it where it had to be changed.
  std::string_view Clean(std::string_view raw, std::size_t bytes_max, std::string& scratch);

  /// Attributes added from here on belong to one owner.
  void BeginOwner(Owner owner);
  /// The owner's range; adds what its limit cut to `dropped`.
  model::Range EndOwner(std::uint64_t& dropped);
  /// The cell for the value of `key`, as null: a new one, or the one that this owner already has
  /// for it. Null pointer where the owner is full. Valid until the next call.
  model::AttributeCell* Cell(std::string_view key);
  /// As Cell, of a whole KeyValue message, if its key is the one that is expected next and stands
  /// before its value, both with lengths of one byte; `value` is then the value's message. Null:
  /// nothing was done.
  model::AttributeCell* ForeseenCell(std::string_view key_value, std::string_view& value);
  [[nodiscard]] std::size_t ValueBytesMax(const model::AttributeCell& cell) const {
    const KeyClass key_class = key_states_[cell.key].key_class;
    if (key_class == KeyClass::kContent) return value_bounds_.ContentBytesMax();
    return value_bytes_max_[static_cast<std::size_t>(key_class)];
  }
  void SetString(model::AttributeCell& cell, std::string_view raw);
  void SetBytes(model::AttributeCell& cell, std::string_view raw);
  /// `any_value`: canonical bytes of an AnyValue that holds an array or a list.
  void SetEncoded(model::AttributeCell& cell, model::AttributeType type,
                  std::string_view any_value);
  void NoteTruncated();
  void NoteRepaired();

  /// Flags noted since the last call.
  std::uint32_t TakeFlags();
  /// Adds flags to all spans from index `first` on.
  void FlagSpans(std::size_t first, std::uint32_t flags);

  /// Fills the row of a resource whose attributes are in place. `entity_refs`: fields 3, one after
  /// the other.
  void FinishResource(model::ResourceRow& row, std::string_view schema_url, std::uint64_t dropped,
                      std::string_view entity_refs);
  /// Takes back everything since the mark but texts.
  void RollbackTo(model::SpanBatch::Mark mark);

  /// So many more are to come.
  void ExpectSpans(std::size_t count) {
    if (spans_ + count > out_.batch.size()) out_.batch.ResizeSpans(spans_ + count);
  }
  void BeginSpan();
  /// To be called right after the span's own attributes, which end the pool: takes back the view of
  /// a span that came from another protocol.
  void RestoreView(PendingSpan& span);
  /// False where the span is over its limit; counted.
  bool TakesEvent(PendingSpan& span, std::size_t events_count);
  bool TakesLink(PendingSpan& span, std::size_t links_count);
  /// Checks ids and start; a bad span is taken back, counted and named.
  bool CheckSpan(PendingSpan& span);
  Result<void> AddSpan(const PendingSpan& span, std::uint32_t resource, std::uint32_t scope);
  /// True when the request takes more memory than a request may. To be asked before each event and
  /// link too: a small one of 5 bytes becomes a row of 48.
  [[nodiscard]] bool IsFull() const {
    const std::size_t blank = (out_.batch.size() - spans_) * model::SpanBatch::kSpanRowBytes;
    return out_.batch.UsedBytes() - blank > limits_.batch_bytes_max;
  }
  [[nodiscard]] Error FullError() const;

 private:
  struct KeyState {
    std::uint64_t head = 0;  ///< of the key: its first and last eight bytes, if it has as many
    std::uint64_t tail = 0;
    model::TextRef text;             ///< the key
    std::uint32_t owner_serial = 0;  ///< last owner that had this key ...
    std::uint32_t cell = 0;          ///< ... and where
    KeyClass key_class = KeyClass::kPlain;
    model::TextRef last;      ///< of its texts that were kept as they came
    std::uint8_t unlike = 0;  ///< texts in a row that were not there yet, up to kUnlikeMax
    /// What stands before the value in a KeyValue message, if that has kFrontMin to kFrontMax bytes
    /// and Cell has nothing special to do: its first and last words. Else 0 bytes.
    std::uint8_t front_bytes = 0;
    std::array<std::uint64_t, 4> front{};
  };
  struct DocumentCheck;

  static constexpr std::size_t kFrontMin = 8;
  static constexpr std::size_t kFrontMax = 32;
  static constexpr std::size_t kInternedBytesMax = 128;
  static constexpr std::size_t kInternedSlots = 2'048;
  /// After so many the texts of a key are taken to be all different, and are not looked for.
  static constexpr std::uint8_t kUnlikeMax = 64;
  static std::size_t SlotOf(std::string_view text);
  model::TextRef Append(std::string_view raw) {
    if (raw.empty()) return {};
    std::string& arena =
        out_.batch.arena;  // cannot outgrow its offsets: DecodeTraces bounds the body
    const auto offset = static_cast<std::uint32_t>(arena.size());
    arena.append(raw);
    return {.offset = offset, .bytes = static_cast<std::uint32_t>(raw.size())};
  }
  /// Keeps text that is ASCII and not too long. Most short texts were there a moment ago: they
  /// share their place, and are not looked at again.
  bool KeepPlain(std::string_view raw, std::size_t bytes_max, model::TextRef& kept) {
    if (raw.size() > bytes_max) return false;
    if (raw.size() - 1 >= kInternedBytesMax) {
      model::TextRef forgotten;
      return KeepNew(raw, forgotten, kept);
    }
    model::TextRef& known = interned_[SlotOf(raw)];
    if (IsAt(known, raw)) [[likely]] {
      kept = known;
      return true;
    }
    return KeepNew(raw, known, kept);
  }
  /// As KeepPlain, without a look for it.
  bool KeepUnlike(std::string_view raw, std::size_t bytes_max, model::TextRef& kept) {
    model::TextRef forgotten;
    return raw.size() <= bytes_max && KeepNew(raw, forgotten, kept);
  }
  [[gnu::noinline]] bool KeepNew(std::string_view raw, model::TextRef& known,
                                 model::TextRef& kept) {
    if (!IsAscii(raw)) return false;
    kept = known = Append(raw);
    return true;
  }
  /// Whether the text is that one, which was kept as it came.
  [[nodiscard]] bool IsAt(model::TextRef ref, std::string_view raw) const {
    return ref.bytes == raw.size() &&
           SameBytes(out_.batch.arena.data() + ref.offset, raw.data(), raw.size());
  }

  static bool IsAscii(std::string_view text);
  model::TextRef CleanText(std::string_view raw, std::size_t bytes_max);
  model::TextRef CutContent(std::string_view raw, std::size_t bytes_max);
  static std::uint64_t WordAt(std::string_view text, std::size_t at);
  [[nodiscard]] bool IsKey(std::uint32_t key, std::string_view raw) const;
  static void SetFront(KeyState& state, std::string_view key);
  std::uint32_t KeyIndex(std::string_view raw);
  std::uint32_t InternKey(std::string_view raw);
  model::AttributeCell& AddCell(std::uint32_t key, KeyState& state);
  model::AttributeCell* UnforeseenCell(std::string_view key);
  model::AttributeCell* CellNearLimit(std::string_view key);
  model::AttributeCell* CellOf(std::uint32_t key);
  void Reject(std::string reason);
  bool IsDocument(std::string_view text);

  const model::Limits& limits_;
  const std::size_t attributes_max_;
  const std::uint32_t flags_always_;
  const std::size_t pools_bytes_max_;
  std::array<std::size_t, kKeyClassesCount> value_bytes_max_;  ///< by KeyClass
  model::ValueBounds value_bounds_;  ///< of the resource, scope or span being read
  Decoded out_;
  std::size_t spans_ = 0;
  bool body_repaired_ = false;
  std::uint32_t flags_ = 0;

  /// Of texts that were kept as they came.
  std::vector<model::TextRef> interned_ = std::vector<model::TextRef>(kInternedSlots);
  std::vector<KeyState> key_states_;
  /// The keys seen last behind a key, newest first: guesses that spare the hash table.
  struct NextKeys {
    std::uint32_t newest = UINT32_MAX;
    std::uint32_t older = UINT32_MAX;
  };
  /// kOwnersCount entries for "first of an owner", then one a key.
  std::vector<NextKeys> next_keys_;
  std::size_t next_keys_slot_ = 0;
  std::uint32_t owner_serial_ = 0;
  std::uint32_t owner_begin_ = 0;
  std::size_t plain_count_ = 0;
  std::size_t view_count_ = 0;
  std::uint64_t owner_dropped_ = 0;
  bool has_source_ = false;  ///< this owner has fluoro.source

  model::SpanBatch::Mark span_mark_{};
  model::DecodeStats span_stats_;
  std::unique_ptr<DocumentCheck> document_check_;
};

inline bool BatchBuilder::IsAscii(std::string_view text) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080ULL;
  const char* p = text.data();
  std::size_t left = text.size();
  std::uint64_t seen = 0;
  std::uint64_t word = 0;
  if (left >= 8) {
    for (; left > 8; left -= 8, p += 8) {
      std::memcpy(&word, p, 8);
      seen |= word;
    }
    std::memcpy(&word, text.data() + text.size() - 8, 8);
    return ((seen | word) & kHighBits) == 0;
  }
  for (; left > 0; --left, ++p) seen |= static_cast<unsigned char>(*p);
  return (seen & kHighBits) == 0;
}

// By size, beginning and end: a collision costs only the sharing.
inline std::size_t BatchBuilder::SlotOf(std::string_view text) {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  if (text.size() >= 8) {
    std::memcpy(&first, text.data(), 8);
    std::memcpy(&last, text.data() + text.size() - 8, 8);
    std::uint64_t middle = 0;
    std::memcpy(&middle, text.data() + (text.size() - 8) / 2, 8);
    first ^= middle * 0x9e3779b97f4a7c15ULL;
  } else if (text.size() >= 4) {
    std::memcpy(&first, text.data(), 4);
    std::memcpy(&last, text.data() + text.size() - 4, 4);
  } else {
    for (const char c : text) first = first << 8 | static_cast<unsigned char>(c);
  }
  const std::uint64_t mixed =
      (first + text.size()) * 0xff51afd7ed558ccdULL ^ last * 0xc4ceb9fe1a85ec53ULL;
  return (mixed ^ mixed >> 29) * 0x9e3779b97f4a7c15ULL >> 53;  // 11 bits
}

inline std::uint64_t BatchBuilder::WordAt(std::string_view text, std::size_t at) {
  std::uint64_t word = 0;
  std::memcpy(&word, text.data() + at, 8);
  return word;
}

inline bool BatchBuilder::IsKey(std::uint32_t key, std::string_view raw) const {
  if (key >= key_states_.size()) return false;
  const KeyState& state = key_states_[key];
  const std::size_t bytes = raw.size();
  if (state.text.bytes != bytes) return false;
  const char* const kept = out_.batch.arena.data() + state.text.offset;
  if (bytes < 8) return SameBytes(kept, raw.data(), bytes);
  if (WordAt(raw, 0) != state.head || WordAt(raw, bytes - 8) != state.tail) return false;
  return bytes <= 16 || SameBytes(kept + 8, raw.data() + 8, bytes - 16);
}

[[gnu::always_inline]] inline model::AttributeCell& BatchBuilder::AddCell(std::uint32_t key,
                                                                          KeyState& state) {
  std::vector<model::AttributeCell>& cells = out_.batch.attributes;
  next_keys_slot_ = kOwnersCount + key;
  state.owner_serial = owner_serial_;
  state.cell = static_cast<std::uint32_t>(cells.size());
  ++plain_count_;
  return cells.emplace_back(model::AttributeCell{.key = key});
}

[[gnu::always_inline]] inline model::AttributeCell* BatchBuilder::ForeseenCell(
    std::string_view key_value, std::string_view& value) {
  const std::uint32_t key = next_keys_[next_keys_slot_].newest;
  if (key >= key_states_.size()) return nullptr;
  KeyState& state = key_states_[key];
  const std::size_t front = state.front_bytes;
  // Behind it a length of one byte.
  if (front == 0 || key_value.size() <= front || key_value.size() >= 0x80) return nullptr;
  std::uint64_t differs =
      (WordAt(key_value, 0) ^ state.front[0]) | (WordAt(key_value, front - 8) ^ state.front[3]);
  if (front >= 16) {
    differs |=
        (WordAt(key_value, 8) ^ state.front[1]) | (WordAt(key_value, front - 16) ^ state.front[2]);
  }
  const std::size_t value_bytes = key_value.size() - front - 1;
  std::vector<model::AttributeCell>& cells = out_.batch.attributes;
  if (differs != 0 || static_cast<unsigned char>(key_value[front]) != value_bytes ||
      plain_count_ >= attributes_max_ || cells.size() == cells.capacity() ||
      state.owner_serial == owner_serial_)
    return nullptr;
  value = std::string_view(key_value.data() + front + 1, value_bytes);
  return &AddCell(key, state);
}

inline void BatchBuilder::SetString(model::AttributeCell& cell, std::string_view raw) {
  cell.type = model::AttributeType::kString;
  KeyState& state = key_states_[cell.key];
  model::TextRef text = state.last;
  if (state.key_class != KeyClass::kPlain || !IsAt(text, raw)) {
    const std::size_t bytes_max = ValueBytesMax(cell);
    const std::size_t before = out_.batch.arena.size();
    const bool is_kept = state.unlike < kUnlikeMax ? KeepPlain(raw, bytes_max, text)
                                                   : KeepUnlike(raw, bytes_max, text);
    if (is_kept) [[likely]] {
      state.last = text;
      const bool is_new = out_.batch.arena.size() != before;
      state.unlike = is_new ? std::min<std::uint8_t>(state.unlike + 1, kUnlikeMax) : 0;
    } else if (state.key_class == KeyClass::kContent && raw.size() > bytes_max) {
      text = CutContent(raw, bytes_max);
    } else {
      text = CleanText(raw, bytes_max);
    }
  }
  cell.set_text(text);
  value_bounds_.Kept(text.bytes);
}

inline model::AttributeCell* BatchBuilder::Cell(std::string_view key) {
  const std::uint32_t guess = next_keys_[next_keys_slot_].newest;
  std::vector<model::AttributeCell>& cells = out_.batch.attributes;
  if (!IsKey(guess, key)) [[unlikely]]
    return UnforeseenCell(key);
  KeyState& state = key_states_[guess];
  if (plain_count_ >= attributes_max_ || cells.size() == cells.capacity() ||
      state.owner_serial == owner_serial_ || state.key_class > KeyClass::kContent) [[unlikely]]
    return UnforeseenCell(key);
  return &AddCell(guess, state);
}

}  // namespace fluoro::codec::otlp::internal
