// Reads JSON members for the OTLP decoder: simdjson's on-demand values with OTLP's leniency, and
// errors that name byte and place.
#pragma once

#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/hex.h"
#include "codec/otlp/batch_builder.h"

namespace fluoro::codec::otlp::internal {

inline std::string_view Trim(std::string_view token) {
  const std::size_t end = token.find_last_not_of(" \t\r\n");
  return token.substr(0, end + 1);
}

inline bool LooksLikeNumber(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text[0] >= '0' && text[0] <= '9';
}

inline bool ParseDouble(std::string_view text, double& out) {
  if (!LooksLikeNumber(text)) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

// Whole numbers also in the forms 1e3 and 5.0.
template <class Int>
bool ParseInt(std::string_view text, Int& out) {
  if (!LooksLikeNumber(text)) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error == std::errc() && end == text.data() + text.size()) return true;
  double number = 0;
  if (!ParseDouble(text, number) || std::trunc(number) != number) return false;
  constexpr double kMin = std::is_signed_v<Int> ? -0x1p63 : 0.0;
  constexpr double kEnd = std::is_signed_v<Int> ? 0x1p63 : 0x1p64;
  if (number < kMin || number >= kEnd) return false;
  out = static_cast<Int>(number);
  return true;
}

/// Every function returns false after noting what is wrong; the caller then stops.
class JsonReader {
 public:
  using Value = simdjson::ondemand::value;
  enum class Level : std::uint8_t { kBody, kResource, kSpan };

  /// `place` is read when an error is noted.
  explicit JsonReader(const Place& place) : place_(place) {}

  /// `json` has SIMDJSON_PADDING bytes of capacity behind its end and outlives the reader.
  bool Open(const std::string& json) {
    json_ = json;
    if (const auto error = parser_.iterate(json).get(document_)) return Failed(error);
    is_open_ = true;
    return true;
  }
  void set_level(Level level) { level_ = level; }
  [[nodiscard]] Error TakeError() {
    if (!failure_.message.empty()) return std::move(failure_);
    return {ErrorCode::kCorruption, Where() + simdjson::error_message(error_)};
  }
  /// Broken text, which RepairJson may mend.
  [[nodiscard]] bool HasBrokenText() const {
    return error_ == simdjson::UTF8_ERROR || error_ == simdjson::STRING_ERROR;
  }
  void Note(Error error) { failure_ = std::move(error); }

  template <class Function>
  bool Root(Function&& on_member) {
    simdjson::ondemand::object root;
    if (const auto error = document_.get_object().get(root)) {
      // Other errors are those of an object that is broken or cut short.
      return error == simdjson::INCORRECT_TYPE ? Wrong("body", "object wanted") : Failed(error);
    }
    if (!MembersOf(root, on_member)) return false;
    const char* rest = nullptr;
    if (document_.current_location().get(rest) == simdjson::SUCCESS) {
      return Wrong("body", "something stands behind the object");
    }
    return true;
  }

  bool Failed(simdjson::error_code error) {
    if (error_ == simdjson::SUCCESS) error_ = error;
    return false;
  }

  bool Wrong(std::string_view member, std::string_view wanted,
             ErrorCode code = ErrorCode::kCorruption) {
    if (failure_.message.empty()) {
      failure_ = {code, Where() + std::string(member) + ": " + std::string(wanted)};
    }
    return false;
  }

  /// Calls on_member(key, value) for each member that is not null.
  template <class Function>
  bool Members(Value value, std::string_view what, Function&& on_member) {
    simdjson::ondemand::object object;
    if (value.get_object().get(object) != simdjson::SUCCESS) return Wrong(what, "object wanted");
    return MembersOf(object, on_member);
  }

  template <class Function>
  bool Elements(Value value, std::string_view what, Function&& on_element) {
    simdjson::ondemand::array array;
    if (value.get_array().get(array) != simdjson::SUCCESS) return Wrong(what, "array wanted");
    for (auto item : array) {
      Value element;
      if (const auto error = std::move(item).get(element)) return Failed(error);
      if (!on_element(element)) return false;
    }
    return true;
  }

  bool String(Value value, std::string_view what, std::string_view& out) {
    const std::string_view token = value.raw_json_token();
    if (!token.starts_with('"')) return Wrong(what, "string wanted");
    if (PlainText(token.data() + 1, out)) return true;
    if (const auto error = value.get_string().get(out)) return Failed(error);
    return true;
  }

  /// A number, a number in a string, or the {"low", "high"} halves of old JavaScript exporters.
  template <class Int>
  bool Integer(Value value, std::string_view what, Int& out) {
    std::string_view token = Trim(value.raw_json_token());
    if (token.starts_with('"')) {
      if (!String(value, what, token)) return false;
    } else if (token.starts_with('{')) {
      std::int64_t low = 0;
      std::int64_t high = 0;
      if (!Members(value, what, [&](std::string_view key, Value half) {
            if (key != "low" && key != "high") return true;
            return ParseInt(Trim(half.raw_json_token()), key == "low" ? low : high) ||
                   Wrong(what, "whole number wanted");
          })) {
        return false;
      }
      out = static_cast<Int>((static_cast<std::uint64_t>(high) << 32) |
                             (static_cast<std::uint64_t>(low) & 0xffffffffU));
      return true;
    }
    if (ParseInt(token, out)) return true;
    return Wrong(what, "whole number wanted");
  }

  bool Uint32(Value value, std::string_view what, std::uint32_t& out) {
    std::uint64_t number = 0;
    if (!Integer(value, what, number)) return false;
    out = Saturate(number);
    return true;
  }

  bool Double(Value value, std::string_view what, double& out) {
    std::string_view token = Trim(value.raw_json_token());
    if (token.starts_with('"')) {
      if (!String(value, what, token)) return false;
      if (token == "NaN") {
        out = std::numeric_limits<double>::quiet_NaN();
        return true;
      }
      if (token == "Infinity" || token == "-Infinity") {
        out = token[0] == '-' ? -std::numeric_limits<double>::infinity()
                              : std::numeric_limits<double>::infinity();
        return true;
      }
    }
    if (ParseDouble(token, out)) return true;
    return Wrong(what, "number wanted");
  }

  bool Bool(Value value, std::string_view what, bool& out) {
    const std::string_view token = Trim(value.raw_json_token());
    out = token == "true";
    return out || token == "false" || Wrong(what, "true or false wanted");
  }

  /// A number or one of `names` behind `prefix`, in the order of their numbers.
  bool Enum(Value value, std::string_view what, std::string_view prefix,
            std::span<const std::string_view> names, std::uint64_t& out) {
    if (!value.raw_json_token().starts_with('"')) {
      std::int64_t number = 0;
      if (!Integer(value, what, number)) return false;
      out = static_cast<std::uint64_t>(number);
      return true;
    }
    std::string_view name;
    if (!String(value, what, name)) return false;
    if (ParseInt(name, out)) return true;
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
    out = static_cast<std::uint64_t>(std::ranges::find(names, name) - names.begin());
    return true;
  }

  template <class Id>
  bool HexId(Value value, std::string_view what, Id& id, bool& valid) {
    std::string_view text;
    if (!String(value, what, text)) return false;
    valid = FromHex(text, id.bytes) && !id.IsZero();
    if (!valid) id = {};
    return true;
  }

 private:
  [[nodiscard]] std::string Where() {
    std::string where = "OTLP/JSON request";
    const char* location = nullptr;
    if (is_open_ && document_.current_location().get(location) == simdjson::SUCCESS) {
      where += ", byte " + std::to_string(location - json_.data());
    }
    if (level_ == Level::kSpan) where += ": " + place_.ToString();
    if (level_ == Level::kResource) {
      where += ": resourceSpans[" + std::to_string(place_.resource) + "]";
    }
    return where + ": ";
  }

  // Text up to its closing quote, borrowed; false where it has escapes. `raw` starts behind the
  // opening quote. Strings are closed: simdjson has checked that. Reads 8 bytes at a time, which
  // the padding allows.
  static bool PlainText(const char* raw, std::string_view& out) {
    constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
    constexpr std::uint64_t kHighBits = 0x8080808080808080ULL;
    const auto zero_bytes = [](std::uint64_t word) { return (word - kOnes) & ~word & kHighBits; };
    for (const char* p = raw;; p += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, p, 8);
      const std::uint64_t found = zero_bytes(word ^ (kOnes * static_cast<unsigned char>('"'))) |
                                  zero_bytes(word ^ (kOnes * static_cast<unsigned char>('\\')));
      if (found == 0) continue;
      p += std::countr_zero(found) / 8;
      out = std::string_view(raw, static_cast<std::size_t>(p - raw));
      return *p == '"';
    }
  }

  template <class Function>
  bool MembersOf(simdjson::ondemand::object& object, Function&& on_member) {
    for (auto item : object) {
      simdjson::ondemand::field field;
      if (const auto error = std::move(item).get(field)) return Failed(error);
      std::string_view key;
      Value value = field.value();
      if (!PlainText(field.key().raw(), key)) {
        if (const auto error = field.unescaped_key().get(key)) return Failed(error);
      }
      bool is_null = false;
      if (const auto error = value.is_null().get(is_null)) return Failed(error);
      if (!is_null && !on_member(key, value)) return false;
    }
    return true;
  }

  const Place& place_;
  std::string_view json_;
  simdjson::ondemand::parser parser_;
  simdjson::ondemand::document document_;
  bool is_open_ = false;
  Level level_ = Level::kBody;
  simdjson::error_code error_ = simdjson::SUCCESS;
  Error failure_{.code = ErrorCode::kInternal, .message = {}};
};

}  // namespace fluoro::codec::otlp::internal
