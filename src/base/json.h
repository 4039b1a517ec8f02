// JSON text out (streaming writer) and the depth check that stands before every JSON parser.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace fluoro {

/// Streaming writer of compact JSON. Strings are taken as UTF-8; invalid bytes become U+FFFD.
/// Not thread-safe. Nesting is the caller's duty.
class JsonWriter {
 public:
  JsonWriter();
  ~JsonWriter();
  JsonWriter(JsonWriter&&) noexcept;
  JsonWriter& operator=(JsonWriter&&) noexcept;

  JsonWriter& BeginObject();
  JsonWriter& EndObject();
  JsonWriter& BeginArray();
  JsonWriter& EndArray();
  JsonWriter& Key(std::string_view key);
  JsonWriter& String(std::string_view value);
  JsonWriter& Int(std::int64_t value);
  JsonWriter& Uint(std::uint64_t value);
  /// NaN and infinities, which JSON lacks, are written as null.
  JsonWriter& Double(double value);
  JsonWriter& Bool(bool value);
  JsonWriter& Null();
  /// `json` must be one valid JSON value; it is copied as it stands.
  JsonWriter& Raw(std::string_view json);
  /// Nanoseconds as exact decimal seconds, at most 9 digits after the point, no trailing zeros:
  /// 1478293361.271
  JsonWriter& Seconds(std::int64_t ns);

  /// The text so far; the writer is empty afterwards.
  std::string Take();
  [[nodiscard]] std::size_t size() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// "1478293361.271" for 1478293361271000000.
std::string DecimalSeconds(std::int64_t ns);

/// Calls visit(c) for each byte of `json` from `begin` on that is outside strings (quotes are not
/// visited), until it answers true; gives that place, or json.size(). Any bytes.
template <class Visit>
std::size_t FindOutsideStrings(std::string_view json, std::size_t begin, Visit&& visit) {
  bool in_string = false;
  for (std::size_t i = begin; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (visit(c)) {
      return i;
    }
  }
  return json.size();
}

/// True if arrays and objects of `json` nest deeper than `depth_max`. One linear pass, constant
/// stack, any bytes.
bool JsonDepthExceeds(std::string_view json, std::size_t depth_max);

/// True if `json` may hold more than `values_max` values: counts what stands before each, keys
/// included. One linear pass that builds nothing, any bytes.
bool JsonValuesExceed(std::string_view json, std::size_t values_max);

}  // namespace fluoro
