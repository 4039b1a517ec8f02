#include "base/json_tree.h"

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/assert.h"

namespace fluoro {
namespace {

std::string At(std::size_t offset, std::string_view what) {
  return "byte " + std::to_string(offset) + ": " + std::string(what);
}

}  // namespace

std::string_view JsonTypeName(JsonType type) {
  static constexpr std::array<std::string_view, 7> kNames = {
      "null", "true or false", "number", "number", "string", "array", "object"};
  return kNames[static_cast<std::size_t>(type)];
}

// RapidJSON's handler: one node a value, a key node before each member's value.
class JsonTree::Builder {
 public:
  using Visit = std::function<Result<void>(JsonView)>;

  Builder(std::string_view text, const JsonLimits& limits, JsonTree& tree, const Visit* visit)
      : text_(text), limits_(limits), tree_(tree), visit_(visit) {}

  Result<void> Run() {
    FLUORO_ASSERT(text_.size() < UINT32_MAX);
    rapidjson::MemoryStream stream(text_.data(), text_.size());
    stream_ = &stream;
    rapidjson::Reader reader;
    const rapidjson::ParseResult parsed =
        reader.Parse<rapidjson::kParseNumbersAsStringsFlag>(stream, *this);
    if (error_) return std::unexpected(*std::move(error_));
    if (parsed.IsError()) {
      return Fail(ErrorCode::kCorruption,
                  At(parsed.Offset(), rapidjson::GetParseError_En(parsed.Code())));
    }
    // The parser takes a NUL byte for the end.
    if (stream.Tell() != text_.size()) {
      return Fail(ErrorCode::kCorruption, At(stream.Tell(), "a NUL byte after the document"));
    }
    return {};
  }

  bool Null() { return Scalar(JsonType::kNull, 0); }
  bool Bool(bool value) { return Scalar(JsonType::kBool, value ? 1 : 0); }
  // Numbers come as text: RapidJSON's own exact conversion counts the leading zeros of a zero.
  bool RawNumber(const char* data, rapidjson::SizeType bytes, bool) {
    const std::string_view text(data, bytes);
    std::int64_t whole = 0;
    if (text.find_first_of(".eE") == std::string_view::npos &&
        std::from_chars(data, data + bytes, whole).ec == std::errc()) {
      return Scalar(JsonType::kInt, static_cast<std::uint64_t>(whole));
    }
    double number = 0;
    if (std::from_chars(data, data + bytes, number).ec != std::errc()) {
      number = std::strtod(std::string(text).c_str(), nullptr);  // tells too small from too large
      if (!std::isfinite(number)) {
        return Stop(ErrorCode::kCorruption, TokenStart(), "Number too big to be stored in double.");
      }
    }
    return Scalar(JsonType::kDouble, std::bit_cast<std::uint64_t>(number));
  }
  // Not called where numbers come as text.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }
  bool String(const char* data, rapidjson::SizeType bytes, bool) {
    return Text(data, bytes) && Done();
  }
  bool Key(const char* data, rapidjson::SizeType bytes, bool) { return Text(data, bytes); }
  bool StartObject() { return Open(JsonType::kObject); }
  bool EndObject(rapidjson::SizeType) { return Close(); }
  bool StartArray() { return Open(JsonType::kArray); }
  bool EndArray(rapidjson::SizeType) { return Close(); }

 private:
  bool Stop(ErrorCode code, std::size_t offset, std::string_view what) {
    error_ = Error{code, At(offset, what)};
    return false;
  }

  // Between two tokens stand only white space, commas and colons.
  std::uint32_t TokenStart() {
    std::size_t at = token_end_;
    while (at < text_.size() && std::string_view(" \t\r\n,:").contains(text_[at])) ++at;
    token_end_ = stream_->Tell();
    return static_cast<std::uint32_t>(at);
  }

  Node* Add(JsonType type, std::uint64_t payload) {
    const std::uint32_t offset = TokenStart();
    auto& nodes = tree_.nodes_;
    if (visit_ != nullptr && depth_ == 0 && type != JsonType::kArray) {
      Stop(ErrorCode::kCorruption, offset, "an array was expected");
      return nullptr;
    }
    if (nodes.size() >= limits_.values_max) {
      Stop(ErrorCode::kTooLarge, offset,
           "more than " + std::to_string(limits_.values_max) + " values");
      return nullptr;
    }
    nodes.push_back({.type = type,
                     .offset = offset,
                     .next = static_cast<std::uint32_t>(nodes.size() + 1),
                     .bytes = 0,
                     .payload = payload});
    return &nodes.back();
  }

  bool Scalar(JsonType type, std::uint64_t payload) {
    return Add(type, payload) != nullptr && Done();
  }

  bool Text(const char* data, rapidjson::SizeType bytes) {
    Node* node = Add(JsonType::kString, tree_.texts_.size());
    if (node == nullptr) return false;
    node->bytes = bytes;
    tree_.texts_.append(data, bytes);
    return true;
  }

  bool Open(JsonType type) {
    if (depth_ >= limits_.depth_max) {
      return Stop(ErrorCode::kTooLarge, TokenStart(),
                  "nested deeper than " + std::to_string(limits_.depth_max) + " levels");
    }
    if (Add(type, 0) == nullptr) return false;
    ++depth_;
    if (visit_ != nullptr && depth_ == 1) {
      tree_.nodes_.clear();  // the outer array itself is not kept
      return true;
    }
    open_.push_back(static_cast<std::uint32_t>(tree_.nodes_.size() - 1));
    return true;
  }

  bool Close() {
    TokenStart();
    --depth_;
    if (visit_ != nullptr && depth_ == 0) return true;
    tree_.nodes_[open_.back()].next = static_cast<std::uint32_t>(tree_.nodes_.size());
    open_.pop_back();
    return Done();
  }

  // A value is whole.
  bool Done() {
    if (visit_ == nullptr || depth_ != 1) return true;
    if (auto visited = (*visit_)(tree_.root()); !visited) {
      error_ = std::move(visited).error();
      return false;
    }
    tree_.nodes_.clear();
    tree_.texts_.clear();
    return true;
  }

  std::string_view text_;
  JsonLimits limits_;
  JsonTree& tree_;
  const Visit* visit_;
  rapidjson::MemoryStream* stream_ = nullptr;
  std::vector<std::uint32_t> open_;
  std::size_t depth_ = 0;
  std::size_t token_end_ = 0;
  std::optional<Error> error_;
};

Result<JsonTree> JsonTree::Parse(std::string_view text, const JsonLimits& limits) {
  JsonTree tree;
  FLUORO_CHECK_OK(Builder(text, limits, tree, nullptr).Run());
  return tree;
}

Result<void> JsonTree::ForEachElement(std::string_view text, const JsonLimits& limits,
                                      const std::function<Result<void>(JsonView)>& visit) {
  JsonTree tree;
  return Builder(text, limits, tree, &visit).Run();
}

JsonType JsonView::type() const { return exists() ? tree_->nodes_[node_].type : JsonType::kNull; }

std::size_t JsonView::offset() const { return exists() ? tree_->nodes_[node_].offset : 0; }

std::optional<std::string_view> JsonView::String() const {
  if (type() != JsonType::kString) return std::nullopt;
  return tree_->TextOf(tree_->nodes_[node_]);
}

std::optional<bool> JsonView::Bool() const {
  if (type() != JsonType::kBool) return std::nullopt;
  return tree_->nodes_[node_].payload != 0;
}

std::optional<std::int64_t> JsonView::Int() const {
  if (type() != JsonType::kInt) return std::nullopt;
  return static_cast<std::int64_t>(tree_->nodes_[node_].payload);
}

std::optional<double> JsonView::Double() const {
  if (const auto whole = Int()) return static_cast<double>(*whole);
  if (type() != JsonType::kDouble) return std::nullopt;
  return std::bit_cast<double>(tree_->nodes_[node_].payload);
}

JsonView JsonView::operator[](std::string_view key) const {
  JsonView found;
  if (!IsObject()) return found;
  const auto& nodes = tree_->nodes_;
  for (std::uint32_t i = node_ + 1; i < nodes[node_].next; i = nodes[i + 1].next) {
    if (tree_->TextOf(nodes[i]) == key) found = JsonView(*tree_, i + 1);
  }
  return found;
}

std::vector<JsonView> JsonView::Elements() const {
  std::vector<JsonView> elements;
  if (!IsArray()) return elements;
  const auto& nodes = tree_->nodes_;
  for (std::uint32_t i = node_ + 1; i < nodes[node_].next; i = nodes[i].next) {
    elements.push_back(JsonView(*tree_, i));
  }
  return elements;
}

std::vector<JsonView::Member> JsonView::Members() const {
  std::vector<Member> members;
  if (!IsObject()) return members;
  const auto& nodes = tree_->nodes_;
  for (std::uint32_t i = node_ + 1; i < nodes[node_].next; i = nodes[i + 1].next) {
    members.push_back({tree_->TextOf(nodes[i]), JsonView(*tree_, i + 1)});
  }
  return members;
}

}  // namespace fluoro
