#include "codec/xray/json_tape.h"

#include <algorithm>
#include <cstring>

namespace fluoro::codec::xray {
namespace {

constexpr std::uint64_t kOnes = 0x0101010101010101;
constexpr std::uint64_t kHighBits = 0x8080808080808080;

// Nonzero if one of 8 bytes is a quote, a backslash or a control character. May call bytes above a
// true hit a hit too.
constexpr std::uint64_t StopBits(std::uint64_t bytes) {
  const auto zero_bits = [](std::uint64_t v) { return (v - kOnes) & ~v; };
  return (zero_bits(bytes ^ (kOnes * '"')) | zero_bits(bytes ^ (kOnes * '\\')) |
          ((bytes - kOnes * 0x20) & ~bytes)) &
         kHighBits;
}

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
constexpr bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

int HexValue(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Value of 4 hex digits at `p`, or -1.
int HexQuad(const char* p) {
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = HexValue(p[i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

constexpr bool IsHighSurrogate(int unit) { return unit >= 0xd800 && unit <= 0xdbff; }
constexpr bool IsLowSurrogate(int unit) { return unit >= 0xdc00 && unit <= 0xdfff; }

void AppendUtf8(std::uint32_t code, std::string& out) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

}  // namespace

// While a container is open, its `next` holds the index of the container around it: the stack costs
// no memory.
class JsonTape::Scanner {
 public:
  Scanner(JsonTape& tape, std::string_view json, std::uint32_t depth_max)
      : tape_(tape),
        begin_(json.data()),
        at_(json.data()),
        end_(json.data() + json.size()),
        depth_max_(depth_max) {}

  Result<void> Run() {
    SkipSpace();
    FLUORO_CHECK_OK(Value());
    while (depth_ != 0) {
      FLUORO_CHECK_OK(Step());
    }
    SkipSpace();
    if (at_ != end_) return Bad("end of the document wanted");
    tape_.text_bytes_ = out_;
    return {};
  }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  [[nodiscard]] std::unexpected<Error> Bad(std::string_view wanted) const {
    std::string message = "byte " + std::to_string(at_ - begin_) + ": " + std::string(wanted);
    if (at_ == end_) {
      message += ", the text ends";
    } else {
      const auto byte = static_cast<unsigned char>(*at_);
      static constexpr char kDigits[] = "0123456789abcdef";
      if (byte > 0x20 && byte < 0x7f) {
        message += std::string(", found '") + *at_ + "'";
      } else {
        message += std::string(", found byte 0x") + kDigits[byte >> 4] + kDigits[byte & 15];
      }
    }
    return Fail(ErrorCode::kCorruption, std::move(message));
  }

  void SkipSpace() {
    while (at_ != end_ && IsSpace(*at_)) ++at_;
  }
  void Put(char c) { tape_.text_[out_++] = c; }
  void Put(const char* from, const char* to) {
    const auto bytes = static_cast<std::size_t>(to - from);
    std::memcpy(tape_.text_.get() + out_, from, bytes);
    out_ += bytes;
  }
  std::uint32_t AddNode(Kind kind) {
    if (tape_.nodes_count_ == tape_.nodes_capacity_) Grow();
    const std::uint32_t index = tape_.nodes_count_++;
    tape_.nodes_[index] = {.begin = static_cast<std::uint32_t>(out_),
                           .end = 0,
                           .next = index + 1,
                           .source = static_cast<std::uint32_t>(at_ - begin_),
                           .kind = kind,
                           .escaped = false,
                           .height = 0};
    return index;
  }
  void Grow() {
    const std::uint32_t capacity = tape_.nodes_capacity_ * 2;
    auto nodes = std::make_unique_for_overwrite<Node[]>(capacity);
    std::copy_n(tape_.nodes_.get(), tape_.nodes_count_, nodes.get());
    tape_.nodes_ = std::move(nodes);
    tape_.nodes_capacity_ = capacity;
  }
  void EndNode(std::uint32_t index) { tape_.nodes_[index].end = static_cast<std::uint32_t>(out_); }

  // What stands behind a value inside the innermost open container.
  Result<void> Step() {
    SkipSpace();
    const bool object = tape_.nodes_[open_].kind == Kind::kObject;
    const char close = object ? '}' : ']';
    if (at_ == end_) return Bad(object ? "',' or '}' wanted" : "',' or ']' wanted");
    if (*at_ == close) {
      Close(close);
      return {};
    }
    if (!first_) {
      if (*at_ != ',') return Bad(object ? "',' or '}' wanted" : "',' or ']' wanted");
      Put(',');
      ++at_;
      SkipSpace();
    }
    first_ = false;
    if (object) {
      if (at_ == end_ || *at_ != '"') return Bad("a member name in quotes wanted");
      FLUORO_CHECK_OK(StringValue());
      SkipSpace();
      if (at_ == end_ || *at_ != ':') return Bad("':' wanted");
      Put(':');
      ++at_;
      SkipSpace();
    }
    return Value();
  }

  Result<void> Value() {
    if (at_ == end_) return Bad("a value wanted");
    switch (*at_) {
      case '{':
        return Open(Kind::kObject);
      case '[':
        return Open(Kind::kArray);
      case '"':
        return StringValue();
      case 't':
        return Literal("true", Kind::kTrue);
      case 'f':
        return Literal("false", Kind::kFalse);
      case 'n':
        return Literal("null", Kind::kNull);
      case 'N':
        return NotFinite("NaN");
      case 'I':
        return NotFinite("Infinity");
      case '-':
        if (end_ - at_ > 1 && at_[1] == 'I') return NotFinite("-Infinity");
        return Number();
      default:
        if (IsDigit(*at_)) return Number();
        return Bad("a value wanted");
    }
  }

  Result<void> Open(Kind kind) {
    if (depth_ == depth_max_) {
      return Fail(ErrorCode::kTooLarge,
                  "byte " + std::to_string(at_ - begin_) + ": nested too deep");
    }
    ++depth_;
    const std::uint32_t index = AddNode(kind);
    tape_.nodes_[index].next = open_;
    open_ = index;
    Put(*at_++);
    first_ = true;
    return {};
  }

  void Close(char bracket) {
    Put(bracket);
    ++at_;
    --depth_;
    Node& node = tape_.nodes_[open_];
    const std::uint32_t around = node.next;
    node.end = static_cast<std::uint32_t>(out_);
    node.next = tape_.nodes_count_;
    ++node.height;
    if (around != kNone)
      tape_.nodes_[around].height = std::max(tape_.nodes_[around].height, node.height);
    open_ = around;
    first_ = false;
  }

  Result<void> Literal(std::string_view word, Kind kind) {
    if (std::string_view(at_, end_).substr(0, word.size()) != word) return Bad("a value wanted");
    const std::uint32_t index = AddNode(kind);
    Put(at_, at_ + word.size());
    at_ += word.size();
    EndNode(index);
    return {};
  }

  Result<void> NotFinite(std::string_view word) {
    if (std::string_view(at_, end_).substr(0, word.size()) != word) return Bad("a value wanted");
    static constexpr std::string_view kNull = "null";
    const std::uint32_t index = AddNode(Kind::kNull);
    Put(kNull.data(), kNull.data() + kNull.size());
    at_ += word.size();
    EndNode(index);
    return {};
  }

  Result<void> Number() {
    const std::uint32_t index = AddNode(Kind::kNumber);
    const char* start = at_;
    if (*at_ == '-') ++at_;
    if (at_ == end_ || !IsDigit(*at_)) return Bad("a digit wanted");
    if (*at_ == '0') {
      ++at_;
      if (at_ != end_ && IsDigit(*at_)) return Bad("no digit after a leading zero wanted");
    } else {
      SkipDigits();
    }
    if (at_ != end_ && *at_ == '.') {
      ++at_;
      if (at_ == end_ || !IsDigit(*at_)) return Bad("a digit wanted");
      SkipDigits();
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
      ++at_;
      if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      if (at_ == end_ || !IsDigit(*at_)) return Bad("a digit wanted");
      SkipDigits();
    }
    Put(start, at_);
    EndNode(index);
    return {};
  }
  void SkipDigits() {
    while (at_ != end_ && IsDigit(*at_)) ++at_;
  }

  Result<void> StringValue() {
    const std::uint32_t index = AddNode(Kind::kString);
    const char* start = at_++;
    bool escaped = false;
    for (;;) {
      while (end_ - at_ >= 8) {
        std::uint64_t bytes;
        std::memcpy(&bytes, at_, 8);
        if (StopBits(bytes) != 0) break;
        at_ += 8;
      }
      while (at_ != end_ && *at_ != '"' && *at_ != '\\' && static_cast<unsigned char>(*at_) >= 0x20)
        ++at_;
      if (at_ == end_) return Bad("'\"' wanted");
      if (*at_ == '"') break;
      if (*at_ != '\\') return Bad("no control character in a string wanted");
      escaped = true;
      FLUORO_TRY(const bool lone, Escape());
      if (lone) {
        static constexpr std::string_view kReplacement = "\\ufffd";
        Put(start, at_ - 6);
        Put(kReplacement.data(), kReplacement.data() + kReplacement.size());
        start = at_;
        tape_.repaired_ = true;
      }
    }
    ++at_;
    Put(start, at_);
    tape_.nodes_[index].escaped = escaped;
    EndNode(index);
    return {};
  }

  // Steps over one escape (a whole surrogate pair at once); true if it is half a surrogate pair.
  Result<bool> Escape() {
    ++at_;
    if (at_ == end_) return Bad("an escape wanted");
    if (std::strchr("\"\\/bfnrt", *at_) != nullptr && *at_ != '\0') {
      ++at_;
      return false;
    }
    if (*at_ != 'u') return Bad("an escape wanted");
    const int unit = end_ - at_ >= 5 ? HexQuad(at_ + 1) : -1;
    if (unit < 0) return Bad("four hex digits after \\u wanted");
    at_ += 5;
    if (IsLowSurrogate(unit)) return true;
    if (!IsHighSurrogate(unit)) return false;
    if (end_ - at_ < 6 || at_[0] != '\\' || at_[1] != 'u' || !IsLowSurrogate(HexQuad(at_ + 2)))
      return true;
    at_ += 6;
    return false;
  }

  JsonTape& tape_;
  const char* begin_;
  const char* at_;
  const char* end_;
  std::uint32_t depth_max_;
  std::uint32_t depth_ = 0;
  std::uint32_t open_ = kNone;
  bool first_ = false;
  std::size_t out_ = 0;
};

Result<void> JsonTape::Parse(std::string_view json, std::uint32_t depth_max) {
  // The copy is never longer than the text, but for `NaN` (3 bytes), which becomes `null`.
  const std::size_t text_bytes_max = json.size() + json.size() / 3 + 2;
  if (text_capacity_ < text_bytes_max) {
    text_ = std::make_unique_for_overwrite<char[]>(text_bytes_max);
    text_capacity_ = text_bytes_max;
  }
  text_bytes_ = 0;
  constexpr std::size_t kBytesPerNode = 10;  // of usual documents
  const auto nodes_wanted = static_cast<std::uint32_t>(json.size() / kBytesPerNode + 16);
  if (nodes_capacity_ < nodes_wanted) {
    nodes_capacity_ = nodes_wanted;
    nodes_ = std::make_unique_for_overwrite<Node[]>(nodes_capacity_);
  }
  nodes_[kAbsent] = {.begin = 0,
                     .end = 0,
                     .next = kRoot,
                     .source = 0,
                     .kind = Kind::kNull,
                     .escaped = false,
                     .height = 0};
  nodes_count_ = 1;
  repaired_ = false;
  return Scanner(*this, json, depth_max).Run();
}

std::string_view JsonTape::String(const Node& node, std::string& scratch) const {
  const std::string_view raw = Raw(node).substr(1, node.end - node.begin - 2);
  if (!node.escaped) return raw;
  scratch.clear();
  for (std::size_t i = 0; i < raw.size();) {
    if (raw[i] != '\\') {
      const std::size_t stop = std::min(raw.find('\\', i), raw.size());
      scratch.append(raw, i, stop - i);
      i = stop;
      continue;
    }
    const char c = raw[i + 1];
    i += 2;
    switch (c) {
      case 'b':
        scratch += '\b';
        break;
      case 'f':
        scratch += '\f';
        break;
      case 'n':
        scratch += '\n';
        break;
      case 'r':
        scratch += '\r';
        break;
      case 't':
        scratch += '\t';
        break;
      case 'u': {
        int code = HexQuad(raw.data() + i);
        i += 4;
        if (IsHighSurrogate(code)) {
          const int low = HexQuad(raw.data() + i + 2);
          i += 6;
          code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
        AppendUtf8(static_cast<std::uint32_t>(code), scratch);
        break;
      }
      default:
        scratch += c;
    }
  }
  return scratch;
}

}  // namespace fluoro::codec::xray
