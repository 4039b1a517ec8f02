// Test support: the JSON files of testdata/.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "query/filter.h"

namespace fluoro::query::testing {

/// A value of a JSON file. Reading it as what it is not throws, which fails the test.
class Json {
 public:
  explicit Json(simdjson::dom::element element) : element_(element) {}
  [[nodiscard]] bool Has(std::string_view key) const {
    return element_.at_key(key).error() == simdjson::SUCCESS;
  }
  Json operator[](std::string_view key) const { return Json(element_.at_key(key)); }
  [[nodiscard]] std::vector<Json> Items() const {
    std::vector<Json> items;
    for (const auto item : element_.get_array()) items.emplace_back(item);
    return items;
  }
  [[nodiscard]] std::vector<std::pair<std::string, Json>> Members() const {
    std::vector<std::pair<std::string, Json>> members;
    for (const auto member : element_.get_object())
      members.emplace_back(std::string(member.key), Json(member.value));
    return members;
  }
  [[nodiscard]] std::string Text() const { return std::string(element_.get_string().value()); }
  [[nodiscard]] double Number() const { return element_.get_double(); }
  [[nodiscard]] std::int64_t Int() const { return element_.get_int64(); }
  [[nodiscard]] bool Bool() const { return element_.get_bool(); }
  [[nodiscard]] bool IsInt() const { return element_.is_int64(); }
  [[nodiscard]] bool IsBool() const { return element_.is_bool(); }

 private:
  simdjson::dom::element element_;
};

/// A JSON file, by its path from the root of the repository. Throws if it is not there.
class JsonFile {
 public:
  explicit JsonFile(const std::string& path) : root_(parser_.load(path)) {}
  Json operator[](std::string_view key) const { return root_[key]; }

 private:
  simdjson::dom::parser parser_;
  Json root_;
};

inline const std::string kTestdata = "src/query/testdata/";

/// The groups of the fixture.
inline std::optional<std::string> FixtureGroups(std::string_view name) {
  if (name == "checkout-slow") return "http.url CONTAINS \"/checkout\" AND responsetime > 3";
  if (name == "faults") return "fault";
  if (name == "everything") return "";
  return std::nullopt;
}

}  // namespace fluoro::query::testing
