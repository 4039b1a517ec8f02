#include "query/json_pattern.h"

#include <rapidjson/encodedstream.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <charconv>
#include <expected>

#include "base/json.h"

namespace fluoro::query {
namespace {

/// Builds the tree from RapidJSON's events; refuses what nests too deep.
class TreeBuilder {
 public:
  explicit TreeBuilder(std::size_t nesting_max) : nesting_max_(nesting_max) {}

  bool Null() { return Add({}); }
  bool Bool(bool value) { return Add({value}); }
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }
  // RapidJSON 1.1 counts the leading zeros of zero for 0e92, which is undefined. False outside the
  // range of a double.
  bool RawNumber(const char* text, rapidjson::SizeType length, bool) {
    double value = 0;
    return std::from_chars(text, text + length, value).ec == std::errc{} && Add({value});
  }
  bool String(const char* text, rapidjson::SizeType length, bool) {
    return Add({std::string(text, length)});
  }
  bool StartObject() { return Open({JsonPattern::Object{}}); }
  bool Key(const char* text, rapidjson::SizeType length, bool) {
    keys_.emplace_back(text, length);
    return true;
  }
  bool EndObject(rapidjson::SizeType) { return Close(); }
  bool StartArray() { return Open({JsonPattern::Array{}}); }
  bool EndArray(rapidjson::SizeType) { return Close(); }

  [[nodiscard]] bool too_deep() const { return too_deep_; }
  JsonPattern Take() { return std::move(done_); }

 private:
  bool Open(JsonPattern container) {
    if (open_.size() == nesting_max_) {
      too_deep_ = true;
      return false;
    }
    open_.push_back(std::move(container));
    return true;
  }
  bool Close() {
    JsonPattern closed = std::move(open_.back());
    open_.pop_back();
    return Add(std::move(closed));
  }
  bool Add(JsonPattern value) {
    if (open_.empty()) {
      done_ = std::move(value);
    } else if (auto* array = std::get_if<JsonPattern::Array>(&open_.back().value)) {
      array->push_back(std::move(value));
    } else {
      std::get<JsonPattern::Object>(open_.back().value)
          .emplace_back(std::move(keys_.back()), std::move(value));
      keys_.pop_back();
    }
    return true;
  }

  std::size_t nesting_max_;
  bool too_deep_ = false;
  std::vector<JsonPattern> open_;
  std::vector<std::string> keys_;
  JsonPattern done_;
};

const JsonPattern* Member(const JsonPattern::Object& object, std::string_view name) {
  const auto it = std::ranges::find(object, name, &std::pair<std::string, JsonPattern>::first);
  return it == object.end() ? nullptr : &it->second;
}

}  // namespace

bool JsonPattern::operator==(const JsonPattern&) const = default;

std::expected<JsonLiteral, JsonFault> ReadJsonArray(std::string_view text, std::size_t begin,
                                                    std::size_t nesting_max) {
  const std::string_view input = text.substr(begin);
  if (!input.starts_with('['))
    return std::unexpected(JsonFault{.offset = begin, .too_deep = false});
  rapidjson::MemoryStream memory(input.data(), input.size());
  rapidjson::EncodedInputStream<rapidjson::UTF8<>, rapidjson::MemoryStream> stream(memory);
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseStopWhenDoneFlag |
                              rapidjson::kParseValidateEncodingFlag |
                              rapidjson::kParseNumbersAsStringsFlag;
  rapidjson::Reader reader;
  TreeBuilder builder(nesting_max);
  const auto result = reader.Parse<kFlags>(stream, builder);
  if (result.IsError()) {
    return std::unexpected(JsonFault{.offset = begin + std::min(result.Offset(), input.size()),
                                     .too_deep = builder.too_deep()});
  }
  return JsonLiteral{.pattern = builder.Take(), .end = begin + stream.Tell()};
}

bool JsonMatches(const JsonPattern& pattern, const JsonPattern& value) {
  if (const auto* object = std::get_if<JsonPattern::Object>(&pattern.value)) {
    const auto* members = std::get_if<JsonPattern::Object>(&value.value);
    if (members == nullptr) return false;
    return std::ranges::all_of(*object, [&](const auto& wanted) {
      const JsonPattern* found = Member(*members, wanted.first);
      return JsonMatches(wanted.second, found == nullptr ? JsonPattern{} : *found);
    });
  }
  if (const auto* array = std::get_if<JsonPattern::Array>(&pattern.value)) {
    const auto* elements = std::get_if<JsonPattern::Array>(&value.value);
    return elements != nullptr && std::ranges::equal(*array, *elements, JsonMatches);
  }
  return pattern == value;
}

void WriteJson(const JsonPattern& value, JsonWriter& writer) {
  if (const auto* object = std::get_if<JsonPattern::Object>(&value.value)) {
    writer.BeginObject();
    for (const auto& [key, member] : *object) {
      writer.Key(key);
      WriteJson(member, writer);
    }
    writer.EndObject();
  } else if (const auto* array = std::get_if<JsonPattern::Array>(&value.value)) {
    writer.BeginArray();
    for (const auto& element : *array) WriteJson(element, writer);
    writer.EndArray();
  } else if (const auto* text = std::get_if<std::string>(&value.value)) {
    writer.String(*text);
  } else if (const auto* number = std::get_if<double>(&value.value)) {
    writer.Double(*number);
  } else if (const auto* boolean = std::get_if<bool>(&value.value)) {
    writer.Bool(*boolean);
  } else {
    writer.Null();
  }
}

}  // namespace fluoro::query
