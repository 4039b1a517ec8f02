#include "sampling/local_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/json_tree.h"
#include "sampling/rule.h"

namespace fluoro::sampling {
namespace {

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(LocalRules, ReadsVersionTwo) {
  const auto rules = ParseLocalRules(R"({"version": 2,
      "default": {"fixed_target": 1, "rate": 0.05},
      "rules": [{"description": "health", "host": "*", "http_method": "GET", "url_path": "/ping",
                 "fixed_target": 0, "rate": 0.0},
                {"host": "a", "http_method": "*", "url_path": "*", "fixed_target": 3, "rate": 1}]})");
  ASSERT_TRUE(rules) << rules.error().message;
  EXPECT_EQ(rules->version, 2);
  EXPECT_EQ(rules->fallback.fixed_target, 1);
  EXPECT_DOUBLE_EQ(rules->fallback.rate, 0.05);
  ASSERT_EQ(rules->rules.size(), 2U);
  const LocalRule health{.description = "health",
                         .host = "*",
                         .http_method = "GET",
                         .url_path = "/ping",
                         .fixed_target = 0,
                         .rate = 0};
  EXPECT_EQ(rules->rules[0], health);
  EXPECT_EQ(FindLocalRule(*rules, "a", "get", "/ping"), &rules->rules[0]);
  EXPECT_EQ(FindLocalRule(*rules, "a", "POST", "/ping"), &rules->rules[1]);
  EXPECT_EQ(FindLocalRule(*rules, "b", "POST", "/ping"), nullptr);
}

TEST(LocalRules, ReadsVersionOneWithServiceName) {
  const auto rules = ParseLocalRules(R"({"version":1,"default":{"fixed_target":0,"rate":1},"rules":[
      {"service_name":"shop","http_method":"*","url_path":"*","fixed_target":2,"rate":0.5}]})");
  ASSERT_TRUE(rules) << rules.error().message;
  EXPECT_EQ(rules->rules[0].host, "shop");
}

TEST(LocalRules, SaysWhichMemberIsWrong) {
  const std::string rule =
      R"({"host":"*","http_method":"*","url_path":"*","fixed_target":1,"rate":1})";
  const auto file = [](const std::string& rules) {
    return R"({"version":2,"default":{"fixed_target":1,"rate":0.05},"rules":[)" + rules + "]}";
  };
  struct Case {
    std::string json, message;
  };
  const Case cases[] = {
      {"[]", "local rules: an object was expected"},
      {"{", "not JSON: byte 1: Missing a name for object member."},
      {"{}", "version: missing"},
      {R"({"version":3})", "version: 1 or 2 was expected"},
      {R"({"version":"2"})", "version: 1 or 2 was expected"},
      {R"({"version":2})", "default: missing"},
      {R"({"version":2,"default":7})", "default: an object was expected"},
      {R"({"version":2,"default":{"rate":0.1}})", "default.fixed_target: missing"},
      {R"({"version":2,"default":{"fixed_target":1}})", "default.rate: missing"},
      {R"({"version":2,"default":{"fixed_target":1.5,"rate":0}})",
       "default.fixed_target: a whole number was expected"},
      {R"({"version":2,"default":{"fixed_target":-1,"rate":0}})",
       "default.fixed_target: -1 is less than 0"},
      {R"({"version":2,"default":{"fixed_target":1,"rate":"x"}})",
       "default.rate: a number was expected"},
      {R"({"version":2,"default":{"fixed_target":1,"rate":1,"host":"*"}})",
       "default.host: unknown member (the default takes only fixed_target and rate)"},
      {R"({"version":2,"default":{"fixed_target":1,"rate":1},"rules":{}})",
       "rules: an array was expected"},
      {R"({"version":2,"default":{"fixed_target":1,"rate":1},"rule":[]})", "rule: unknown member"},
      {file("5"), "rules[0]: an object was expected"},
      {file(rule + R"(,{"host":"*","http_method":"*","url_path":"*","fixed_target":1,"rate":1.5})"),
       "rules[1].rate: 1.5 is not between 0 and 1"},
      {file(R"({"host":"*","http_method":"*","url_path":7,"fixed_target":1,"rate":1})"),
       "rules[0].url_path: a string was expected, not number"},
      {file(R"({"http_method":"*","url_path":"*","fixed_target":1,"rate":1})"),
       "rules[0].host: missing"},
      {file(R"({"service_name":"*","http_method":"*","url_path":"*","fixed_target":1,"rate":1})"),
       "rules[0].service_name: unknown member in version 2 (the host is called host)"},
  };
  for (const Case& c : cases) {
    const auto rules = ParseLocalRules(c.json);
    ASSERT_FALSE(rules) << c.json;
    EXPECT_EQ(rules.error(), (Error{ErrorCode::kInvalidArgument, c.message})) << c.json;
  }
  EXPECT_EQ(ParseLocalRules(std::string(kLocalRulesBytesMax + 1, ' ')).error().code,
            ErrorCode::kTooLarge);
}

TEST(LocalRules, TreatTheFilesOfTheSdksAsTheSdksDo) {
  const std::filesystem::path folder = "../shared/data/xray/sampling";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is absent";
  struct Case {
    std::string_view file;
    bool good;
    std::size_t rules;
  };
  static constexpr Case kCases[] = {
      {"local-go-DefaultSamplingRules.json", true, 0},
      {"local-go-ExampleSamplingRules.json", true, 1},
      {"local-go-rule-v1-contains-host.json", false, 0},
      {"local-go-rule-v1-invalid.json", false, 0},
      {"local-go-rule-v1-sampling.json", true, 1},
      {"local-go-rule-v2-contains-service-name.json", false, 0},
      {"local-go-rule-v2-sampling.json", true, 1},
      {"local-python-sampling_rule.json", true, 0},
  };
  for (const Case& c : kCases) {
    const auto rules = ParseLocalRules(ReadFile(folder / c.file));
    EXPECT_EQ(rules.has_value(), c.good) << c.file;
    EXPECT_EQ(rules ? rules->rules.size() : 0, c.rules) << c.file;
  }
}

TEST(WildcardMatch, AgreesWithTheVectorsOfTheGoSdk) {
  const std::filesystem::path file = "../shared/data/xray/vectors/wildcard.json";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << file << " is absent";
  const auto tree = JsonTree::Parse(ReadFile(file));
  ASSERT_TRUE(tree);
  const auto cases = tree->root()["case_insensitive"].Elements();
  ASSERT_GE(cases.size(), 20U);
  for (const JsonView c : cases) {
    EXPECT_EQ(WildcardMatch(c["pattern"].String().value(), c["text"].String().value()),
              c["match"].Bool().value())
        << *c["pattern"].String() << " on " << *c["text"].String();
  }
}

}  // namespace
}  // namespace fluoro::sampling
