// Encodings of one column of a block: integers and texts. docs/formats/block.md.
//
// ints  := kind:u8 rest
//   0 constant: value:varint
//   1 packed:   (min:varint width:u8 bits)* a group of 128 values
//   2 scaled:   factor:varint, then as packed of value / factor
// texts := kind:u8 rest
//   0 plain: lengths:ints(count) bytes
//   1 dictionary: entries:varint lengths:ints(entries) bytes codes:ints(count)
//   2 templated: text_template.h
// The number of values is known to the reader.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/span_batch.h"
#include "store/embedded/bytes.h"

namespace fluoro::store {

void EncodeInts(std::span<const std::uint64_t> values, std::string& out);
void EncodeInts(std::span<const std::uint32_t> values, std::string& out);
/// Fills `values`, whose size says how many are wanted. Errors: kCorruption.
Result<void> DecodeInts(ByteReader& in, std::span<std::uint64_t> values);
/// As DecodeInts, refusing values from `limit` on.
Result<void> DecodeIntsBelow(ByteReader& in, std::uint64_t limit, std::span<std::uint64_t> values);
/// The values from number `first` on of `count`, as many as fit into `values`; leaves the reader
/// behind all of them.
Result<void> DecodeSomeInts(ByteReader& in, std::size_t count, std::size_t first,
                            std::span<std::uint64_t> values);

/// Adds (by "or") each value, shifted to the left, to the word of its place. Refuses values from
/// `limit` on; these, shifted, fit into a word. Errors: kCorruption, kUnsupported.
Result<void> AddIntsBelow(ByteReader& in, std::uint64_t limit, unsigned shift,
                          std::span<std::uint64_t> words);
/// The value that all have, if they are stored as one; then the reader stands behind it. Errors:
/// kCorruption.
Result<std::optional<std::uint64_t>> TakeConstantInt(ByteReader& in);
/// Passes over `count` values. Errors: kCorruption, kUnsupported.
Result<void> SkipInts(ByteReader& in, std::size_t count);
/// Whether one of `count` values is `wanted`; compares them as they are packed where it can, and
/// passes over groups that say they cannot hold it. Leaves the reader behind all of them. Errors:
/// kCorruption, kUnsupported.
Result<bool> FindInt(ByteReader& in, std::size_t count, std::uint64_t wanted);

class TemplateColumn;

/// Texts that are longer, all of a column together, are not cut into patterns and numbers.
inline constexpr std::uint64_t kTemplatedTextBytesMax = std::uint64_t{64} << 20;

/// Collects texts and interns them, until most of those added turn out to differ; then cuts them
/// into patterns and numbers, as long as that is worth it.
class TextColumn {
 public:
  TextColumn();
  ~TextColumn();
  TextColumn(TextColumn&&) noexcept;
  TextColumn& operator=(TextColumn&&) noexcept;
  /// The text must stay where it is until Encode or Clear.
  void Add(std::string_view text) {
    if (is_plain_ || !AddSeen(text)) AddUnseen(text);
    if (codes_.size() == kTrial) [[unlikely]]
      Try();
  }
  /// As Add and AddCoded at once: borrowed, and never plain.
  std::uint32_t AddBorrowed(std::string_view text) {
    return AddSeen(text) ? codes_.back() : Remember(text);
  }
  /// As Add, but the text is copied; for columns to which nothing else is added. Returns the code:
  /// equal texts have equal codes, counted up from 0.
  std::uint32_t AddCoded(std::string_view text);
  /// As AddCoded, of a text whose code is known.
  void AddCode(std::uint32_t code) { codes_.push_back(code); }
  [[nodiscard]] std::string_view Entry(std::uint32_t code) const;
  [[nodiscard]] std::size_t entries() const { return ends_.size(); }
  /// Texts added, if nearly all turned out to differ, so that they are not interned; else 0.
  [[nodiscard]] std::size_t uninterned() const {
    return is_plain_ ? ends_.size() + rest_.size() : 0;
  }
  /// Calls `visit` with each of them.
  template <class Visit>
  void VisitUninterned(const Visit& visit) const {
    if (!is_plain_) return;
    for (std::uint32_t i = 0; i < ends_.size(); ++i) visit(Entry(i));
    for (const std::string_view text : rest_) visit(text);
  }
  /// Calls `visit` with the upper half of XXH3-64 of each entry, if texts are interned.
  template <class Visit>
  void VisitEntryHashes(const Visit& visit) const {
    if (is_plain_) return;
    for (const std::uint64_t slot : slots_) {
      if (slot != 0) visit(static_cast<std::uint32_t>(slot >> 32));
    }
  }
  /// Of the texts added, in order; empty if they are not interned.
  [[nodiscard]] const std::vector<std::uint32_t>& codes() const { return codes_; }
  void Encode(std::string& out) const;
  /// Empties it, keeping what memory is worth keeping.
  void Clear();

 private:
  // A text that was added from the same place: batches share the texts that repeat in them.
  struct Seen {
    const char* data = nullptr;
    std::size_t bytes = 0;
    std::uint32_t code = 0;
  };
  // After so many texts it is seen whether most of them differ.
  static constexpr std::size_t kTrial = 512;
  static std::size_t SeenPlace(std::string_view text) {
    return reinterpret_cast<std::uintptr_t>(text.data()) * 0x9e3779b97f4a7c15U >> 58;
  }
  bool AddSeen(std::string_view text) {
    const Seen& seen = seen_[SeenPlace(text)];
    if (seen.data != text.data() || seen.bytes != text.size() || seen.data == nullptr) return false;
    codes_.push_back(seen.code);
    return true;
  }
  void AddUnseen(std::string_view text);
  std::uint32_t Remember(std::string_view text);
  void Try();
  void Grow();
  void TurnPlain();
  void EncodePlain(std::string& out) const;
  bool EncodeTemplated(std::string& out) const;
  std::vector<std::string_view> rest_;  ///< if plain: the texts behind the entries
  bool is_plain_ = false;               ///< every text is an entry, there are no codes
  std::vector<std::uint32_t> codes_;    ///< of the texts added
  std::vector<std::uint64_t> ends_;     ///< of each entry in bytes_
  std::vector<std::uint64_t> slots_;    ///< hash: 32 bits, code + 1: 32 bits; 0: free
  std::string bytes_;
  std::array<Seen, 64> seen_{};
  std::unique_ptr<TemplateColumn> templates_;  ///< of the texts, if plain and it is_templated_
  bool is_templated_ = false;
};

struct TextPiece {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

/// Texts as a column holds them: entries, and which of them each value is.
struct CodedTexts {
  std::string_view bytes;  ///< of all entries
  std::vector<TextPiece> entries;
  std::vector<std::uint64_t> codes;                   ///< empty: value i is entry i
  std::shared_ptr<const std::string> held = nullptr;  ///< what `bytes` are of, if not the column's
  [[nodiscard]] std::string_view Entry(std::size_t i) const {
    return bytes.substr(entries[i].offset, entries[i].bytes);
  }
  [[nodiscard]] std::size_t CodeOf(std::size_t value) const {
    return codes.empty() ? value : codes[value];
  }
  /// How many of `count` values each entry is.
  [[nodiscard]] std::vector<std::uint64_t> Uses(std::size_t count) const {
    if (codes.empty()) return std::vector<std::uint64_t>(entries.size(), 1);
    if (entries.size() == 1) return {count};
    std::vector<std::uint64_t> uses(entries.size());
    // Equal codes mostly stand together: a count in memory for each would wait for the one before.
    for (std::size_t begin = 0; begin < codes.size();) {
      std::size_t end = begin + 1;
      while (end < codes.size() && codes[end] == codes[begin]) ++end;
      uses[codes[begin]] += end - begin;
      begin = end;
    }
    return uses;
  }
};
/// The different texts of a column, before it is read which of them each value is.
struct TextEntries {
  std::string_view bytes;
  std::vector<TextPiece> entries;
  bool is_coded = false;  ///< codes follow; else value i is entry i
  [[nodiscard]] std::string_view Entry(std::size_t i) const {
    return bytes.substr(entries[i].offset, entries[i].bytes);
  }
};
/// As DecodeUncutTexts, but leaves the reader before the codes (DecodeCodes).
Result<TextEntries> DecodeTextEntries(ByteReader& in, std::size_t count);
/// The codes of `count` values; empty if there are none. Errors: kCorruption, kUnsupported.
Result<std::vector<std::uint64_t>> DecodeCodes(ByteReader& in, const TextEntries& texts,
                                               std::size_t count);

/// `count` values; the result borrows from the reader's bytes. Errors: kCorruption, kUnsupported.
Result<CodedTexts> DecodeCodedTexts(ByteReader& in, std::size_t count);
/// As DecodeCodedTexts, but refuses texts that are cut into patterns and numbers.
Result<CodedTexts> DecodeUncutTexts(ByteReader& in, std::size_t count);
/// Texts that are cut into patterns and numbers, put together: value i is entry i. `in` stands
/// behind the kind.
Result<CodedTexts> DecodeCutTexts(ByteReader& in, std::size_t count);
/// Whether the texts that come are cut into patterns and numbers; if so, takes the kind.
bool TakeTemplatedKind(ByteReader& in);

/// Texts of a decoded column: pieces of one string.
struct DecodedTexts {
  using Piece = TextPiece;
  std::string_view bytes;
  std::vector<Piece> values;
  std::shared_ptr<const std::string> held = nullptr;  ///< as in CodedTexts
  [[nodiscard]] std::string_view At(std::size_t i) const {
    return bytes.substr(values[i].offset, values[i].bytes);
  }
};
/// As DecodeCodedTexts, value by value.
Result<DecodedTexts> DecodeTexts(ByteReader& in, std::size_t count);
/// Of `count` values those in these ranges, which are not empty and stand in order.
Result<DecodedTexts> DecodeSomeTexts(ByteReader& in, std::size_t count,
                                     std::span<const model::Range> ranges);

}  // namespace fluoro::store
