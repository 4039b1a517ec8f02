// Comparison of JSON texts by content, for the round-trip tests of the codecs.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/json_tree.h"

namespace fluoro::codec::common {

/// Same content, same text: members in order of their keys, null members and empty containers left
/// out. `rewrite(path, value)` may give another JSON text for a value; path is "[].tags.x".
inline std::string CanonicalJson(
    JsonView value, const std::function<std::string(std::string_view, JsonView)>& rewrite = {},
    const std::string& path = "", bool sort_arrays = false) {
  if (rewrite) {
    if (std::string other = rewrite(path, value); !other.empty()) return other;
  }
  std::vector<std::string> parts;
  const auto join = [&](char open, char close) {
    if (open == '{' || sort_arrays) std::sort(parts.begin(), parts.end());
    std::string text(1, open);
    for (const std::string& part : parts) text += (text.size() > 1 ? "," : "") + part;
    return text + close;
  };
  switch (value.type()) {
    case JsonType::kNull:
      return "null";
    case JsonType::kBool:
      return *value.Bool() ? "true" : "false";
    case JsonType::kInt:
      return std::to_string(*value.Int());
    case JsonType::kDouble:
      return JsonWriter().Double(*value.Double()).Take();
    case JsonType::kString:
      return JsonWriter().String(*value.String()).Take();
    case JsonType::kArray:
      for (const JsonView item : value.Elements()) {
        parts.push_back(CanonicalJson(item, rewrite, path + "[]", sort_arrays));
      }
      return join('[', ']');
    case JsonType::kObject:
      for (const auto& member : value.Members()) {
        std::string text =
            CanonicalJson(member.value, rewrite, path + "." + std::string(member.key), sort_arrays);
        if (text == "null" || text == "{}" || text == "[]" || text == "-") continue;
        parts.push_back(JsonWriter().String(member.key).Take() + ":" + std::move(text));
      }
      return join('{', '}');
  }
  return "";
}

inline std::string ReadFileForTest(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace fluoro::codec::common
