#include "codec/xray/test_support.h"

#include <fstream>
#include <initializer_list>
#include <iterator>
#include <map>

#include "codec/xray/entity_writer.h"
#include "codec/xray/json_tape.h"

namespace fluoro::codec::xray {
namespace {

using Kind = JsonTape::Kind;

// Sign, digits without zeros around them, exponent of the last digit.
std::string CanonicalNumber(std::string_view number) {
  const bool negative = number.starts_with('-');
  if (negative) number.remove_prefix(1);
  long exponent = 0;
  if (const std::size_t at = number.find_first_of("eE"); at != std::string_view::npos) {
    exponent = std::stol(std::string(number.substr(at + 1)));
    number = number.substr(0, at);
  }
  std::string digits(number);
  if (const std::size_t point = digits.find('.'); point != std::string::npos) {
    exponent -= static_cast<long>(digits.size() - point - 1);
    digits.erase(point, 1);
  }
  digits.erase(0, digits.find_first_not_of('0'));
  while (digits.ends_with('0')) {
    digits.pop_back();
    ++exponent;
  }
  if (digits.empty()) return "0";
  return (negative ? "-" : "") + digits + "e" + std::to_string(exponent);
}

std::string Joined(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text += part;
  return text;
}

class Comparison {
 public:
  Comparison(const JsonTape& a, const JsonTape& b) : a_(a), b_(b), reader_a_(a), reader_b_(b) {}

  std::string Difference(std::uint32_t a, std::uint32_t b, const std::string& path) {
    const JsonTape::Node& x = a_.node(a);
    const JsonTape::Node& y = b_.node(b);
    std::string values = path + ": " + std::string(a_.Raw(x).substr(0, 80)) + " and " +
                         std::string(b_.Raw(y).substr(0, 80));
    if (x.kind != y.kind) return values;
    switch (x.kind) {
      case Kind::kNumber:
        return CanonicalNumber(a_.Raw(x)) == CanonicalNumber(b_.Raw(y)) ? "" : values;
      case Kind::kString: {
        std::string s;
        std::string t;
        return a_.String(x, s) == b_.String(y, t) ? "" : values;
      }
      case Kind::kArray: {
        std::vector<std::uint32_t> items_a;
        std::vector<std::uint32_t> items_b;
        reader_a_.ForEachValue(a, [&](std::uint32_t value) { items_a.push_back(value); });
        reader_b_.ForEachValue(b, [&](std::uint32_t value) { items_b.push_back(value); });
        if (items_a.size() != items_b.size()) return values;
        for (std::size_t i = 0; i < items_a.size(); ++i) {
          auto difference =
              Difference(items_a[i], items_b[i], Joined({path, "[", std::to_string(i), "]"}));
          if (!difference.empty()) return difference;
        }
        return "";
      }
      case Kind::kObject: {
        std::map<std::string, std::uint32_t> members_a;
        std::map<std::string, std::uint32_t> members_b;
        reader_a_.ForEachMember(
            a, [&](std::string_view name, std::uint32_t v) { members_a[std::string(name)] = v; });
        reader_b_.ForEachMember(
            b, [&](std::string_view name, std::uint32_t v) { members_b[std::string(name)] = v; });
        for (const auto& [name, value] : members_a) {
          const auto it = members_b.find(name);
          if (it == members_b.end()) return Joined({path, ".", name, ": only in the first"});
          auto difference = Difference(value, it->second, Joined({path, ".", name}));
          if (!difference.empty()) return difference;
        }
        for (const auto& [name, value] : members_b) {
          if (!members_a.contains(name)) return Joined({path, ".", name, ": only in the second"});
        }
        return "";
      }
      default:
        return "";
    }
  }

 private:
  const JsonTape& a_;
  const JsonTape& b_;
  NodeReader reader_a_;
  NodeReader reader_b_;
};

}  // namespace

const model::Span* Decoded::Find(std::string_view id) const {
  for (const model::Span& span : spans) {
    if (span.span_id.ToHex() == id) return &span;
  }
  return nullptr;
}

Decoded Decode(const std::vector<std::string>& documents, const model::Limits& limits) {
  Decoded decoded;
  for (const std::string& document : documents) {
    DecodeDocument(document, limits, decoded.batch, decoded.unprocessed, decoded.stats);
  }
  model::SpanReader reader(decoded.batch);
  for (std::uint32_t i = 0; i < decoded.batch.size(); ++i) decoded.spans.push_back(reader.Read(i));
  return decoded;
}

std::string Show(const model::AttributeValue* value) {
  if (value == nullptr) return "";
  if (const auto* text = value->AsString()) return *text;
  if (const auto* truth = value->AsBool()) return *truth ? "true" : "false";
  if (const auto* integer = value->AsInt()) return std::to_string(*integer);
  if (const auto* number = value->AsDouble()) return std::to_string(*number);
  if (const auto* array = value->AsArray()) {
    std::string out;
    for (const auto& item : array->values) out += (out.empty() ? "[" : ", ") + Show(&item);
    return out + "]";
  }
  return "?";
}

std::string JsonDifference(std::string_view a, std::string_view b) {
  constexpr std::uint32_t kDepthMax = 1000;
  JsonTape tape_a;
  JsonTape tape_b;
  if (const auto parsed = tape_a.Parse(a, kDepthMax); !parsed)
    return "first: " + parsed.error().message;
  if (const auto parsed = tape_b.Parse(b, kDepthMax); !parsed)
    return "second: " + parsed.error().message;
  return Comparison(tape_a, tape_b).Difference(JsonTape::kRoot, JsonTape::kRoot, "$");
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace fluoro::codec::xray
