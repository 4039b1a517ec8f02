#include "codec/otlp/any_value_wire.h"

#include "base/utf8.h"

namespace fluoro::codec::otlp::internal {
namespace {

bool ScanList(std::string_view bytes, bool pairs, int depth, WireError& error, bool& canonical);

// One KeyValue inside a list.
bool ScanPair(std::string_view bytes, int depth, WireError& error, bool& canonical) {
  WireReader reader(bytes, error);
  int keys_count = 0;
  int values_count = 0;
  std::uint32_t tag = 0;
  std::string_view field;
  while (!reader.done()) {
    if (!reader.ReadTag(tag)) return false;
    if (tag == Tag(1, WireType::kBytes)) {
      if (!reader.ReadBytes(field)) return false;
      if (!IsValidUtf8(field)) canonical = false;
      ++keys_count;
    } else if (tag == Tag(2, WireType::kBytes)) {
      if (!reader.ReadBytes(field) || !ScanAnyValue(field, depth, error, canonical)) return false;
      ++values_count;
    } else {
      if (!reader.Skip(tag)) return false;
      canonical = false;
    }
  }
  if (keys_count > 1 || values_count > 1) canonical = false;
  return true;
}

bool ScanList(std::string_view bytes, bool pairs, int depth, WireError& error, bool& canonical) {
  WireReader reader(bytes, error);
  std::uint32_t tag = 0;
  std::string_view item;
  while (!reader.done()) {
    if (!reader.ReadTag(tag)) return false;
    if (tag != Tag(1, WireType::kBytes)) {
      if (!reader.Skip(tag)) return false;
      canonical = false;
      continue;
    }
    if (!reader.ReadBytes(item)) return false;
    if (!(pairs ? ScanPair(item, depth, error, canonical)
                : ScanAnyValue(item, depth, error, canonical))) {
      return false;
    }
  }
  return true;
}

// Writes canonical bytes bottom-up. Recursion is bounded: the bytes have been scanned.
class Rewriter {
 public:
  Rewriter(std::size_t bytes_max, BatchBuilder& builder)
      : bytes_left_(bytes_max), builder_(builder) {}

  std::string Value(std::string_view bytes) {
    WireReader reader(bytes, error_);
    std::uint32_t field = 0;  // the member that is set: the last one on the wire
    std::string body;
    std::uint64_t number = 0;
    std::uint32_t tag = 0;
    std::string_view view;
    while (!reader.done() && reader.ReadTag(tag)) {
      const std::uint32_t next = tag >> 3;
      switch (tag) {
        case Tag(kStringField, WireType::kBytes):
        case Tag(kBytesField, WireType::kBytes):
          if (reader.ReadBytes(view)) {
            body = next == kStringField ? Text(view) : Bytes(view);
          }
          field = next;
          break;
        case Tag(kBoolField, WireType::kVarint):
        case Tag(kIntField, WireType::kVarint):
          reader.ReadVarint(number);
          if (next == kBoolField) number = number != 0 ? 1 : 0;
          field = next;
          break;
        case Tag(kDoubleField, WireType::kFixed64):
          reader.ReadFixed64(number);
          field = next;
          break;
        case Tag(kArrayField, WireType::kBytes):
        case Tag(kKvListField, WireType::kBytes):
          if (field != next) body.clear();
          if (reader.ReadBytes(view)) List(view, next == kKvListField, body);
          field = next;
          break;
        default:
          reader.Skip(tag);
      }
    }
    std::string out;
    switch (field) {
      case 0:
        break;
      case kBoolField:
      case kIntField:
        AppendVarintField(field, number, out);
        break;
      case kDoubleField:
        AppendFixed64Field(field, number, out);
        break;
      default:
        AppendField(field, body, out);
    }
    return out;
  }

 private:
  // What one item of a list costs at most besides its text: tags, lengths, a number.
  static constexpr std::size_t kItemBytes = 28;

  std::string Text(std::string_view raw) {
    std::string scratch;
    const std::string_view text = builder_.Clean(raw, bytes_left_, scratch);
    bytes_left_ -= text.size();
    return std::string(text);
  }

  std::string Bytes(std::string_view raw) {
    if (raw.size() > bytes_left_) builder_.NoteTruncated();
    const std::string_view bytes = raw.substr(0, bytes_left_);
    bytes_left_ -= bytes.size();
    return std::string(bytes);
  }

  void List(std::string_view bytes, bool pairs, std::string& out) {
    WireReader reader(bytes, error_);
    std::uint32_t tag = 0;
    std::string_view item;
    while (!reader.done() && reader.ReadTag(tag)) {
      if (tag != Tag(1, WireType::kBytes)) {
        reader.Skip(tag);
        continue;
      }
      if (bytes_left_ < kItemBytes) {
        builder_.NoteTruncated();
        return;
      }
      bytes_left_ -= kItemBytes;
      if (!reader.ReadBytes(item)) return;
      AppendField(1, pairs ? Pair(item) : Value(item), out);
    }
  }

  std::string Pair(std::string_view bytes) {
    WireReader reader(bytes, error_);
    std::string key;
    std::string values;  // concatenated messages are one merged message
    bool has_value = false;
    std::uint32_t tag = 0;
    std::string_view field;
    while (!reader.done() && reader.ReadTag(tag)) {
      if (tag == Tag(1, WireType::kBytes)) {
        if (reader.ReadBytes(field)) key = Text(field);
      } else if (tag == Tag(2, WireType::kBytes)) {
        if (reader.ReadBytes(field)) values += field;
        has_value = true;
      } else {
        reader.Skip(tag);
      }
    }
    std::string out;
    if (!key.empty()) AppendField(1, key, out);
    if (has_value) AppendField(2, Value(values), out);
    return out;
  }

  std::size_t bytes_left_;
  BatchBuilder& builder_;
  WireError error_;
};

}  // namespace

bool ScanAnyValue(std::string_view bytes, int depth, WireError& error, bool& canonical) {
  if (depth <= 0) {
    if (error.what == nullptr) {
      // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): a place, not a text
      error = {bytes.data(), "AnyValue nests deeper than 64 levels", ErrorCode::kTooLarge};
    }
    return false;
  }
  WireReader reader(bytes, error);
  int members_count = 0;
  std::uint64_t number = 0;
  std::uint32_t tag = 0;
  std::string_view view;
  while (!reader.done()) {
    if (!reader.ReadTag(tag)) return false;
    ++members_count;
    switch (tag) {
      case Tag(kStringField, WireType::kBytes):
        if (!reader.ReadBytes(view)) return false;
        if (!IsValidUtf8(view)) canonical = false;
        break;
      case Tag(kBytesField, WireType::kBytes):
        if (!reader.ReadBytes(view)) return false;
        break;
      case Tag(kBoolField, WireType::kVarint):
      case Tag(kIntField, WireType::kVarint):
        if (!reader.ReadVarint(number)) return false;
        break;
      case Tag(kDoubleField, WireType::kFixed64):
        if (!reader.ReadFixed64(number)) return false;
        break;
      case Tag(kArrayField, WireType::kBytes):
      case Tag(kKvListField, WireType::kBytes):
        if (!reader.ReadBytes(view)) return false;
        if (!ScanList(view, tag >> 3 == kKvListField, depth - 1, error, canonical)) return false;
        break;
      default:
        if (!reader.Skip(tag)) return false;
        canonical = false;
    }
  }
  if (members_count > 1) canonical = false;
  return true;
}

std::string RewriteAnyValue(std::string_view bytes, std::size_t bytes_max, BatchBuilder& builder) {
  constexpr std::size_t kOuterBytes = 16;  // tag and length of the whole
  const std::size_t budget = bytes.size() <= bytes_max ? SIZE_MAX
                             : bytes_max > kOuterBytes ? bytes_max - kOuterBytes
                                                       : 0;
  return Rewriter(budget, builder).Value(bytes);
}

}  // namespace fluoro::codec::otlp::internal
