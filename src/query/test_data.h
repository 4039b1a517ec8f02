// Test support: the JSON files of testdata/.
#pragma once

#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "query/filter.h"

namespace fluoro::query::testing {

/// A JSON file, by its path from the root of the repository. A null document (and a test failure)
/// if it is not there.
inline rapidjson::Document ReadJson(const std::string& path) {
  rapidjson::Document document;
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  document.Parse(text.data(), text.size());
  EXPECT_FALSE(document.HasParseError()) << path;
  return document;
}

inline const std::string kTestdata = "src/query/testdata/";

/// The groups of the fixture.
inline std::optional<std::string> FixtureGroups(std::string_view name) {
  if (name == "checkout-slow") return "http.url CONTAINS \"/checkout\" AND responsetime > 3";
  if (name == "faults") return "fault";
  if (name == "everything") return "";
  return std::nullopt;
}

}  // namespace fluoro::query::testing
