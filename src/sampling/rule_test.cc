#include "sampling/rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fluoro::sampling {
namespace {

Rule Named(std::string name, std::int32_t priority) {
  Rule rule;
  rule.name = std::move(name);
  rule.priority = priority;
  return rule;
}

TEST(WildcardMatch, FollowsTheTable) {
  struct Case {
    std::string_view pattern, text;
    bool matches;
  };
  static constexpr Case kCases[] = {
      {"*", "", true},
      {"*", "anything", true},
      {"?", "", false},
      {"?", "x", true},
      {"?", "xy", false},
      {"a*c?e", "ABBCDE", true},
      {"a*c?e", "abbce", false},
      {"", "", true},
      {"", "x", false},
      {"*.example.com", "api.example.com:443", false},
      {"*.example.com", "API.Example.COM", true},
      {"/api/*", "/api/", true},
      {"/api/*", "/api", false},
      {"**", "", true},
      {"*a", "bba", true},
      {"*a", "bab", false},
      {"a?*b", "ab", false},
      {"a?*b", "axb", true},
      {"*ab", "aab", true},
      {"/caf?/x", "/caf\xc3\xa9/x", true},
      {"/caf?\?/x", "/caf\xc3\xa9/x", false},
      {"*?", "\xc3\xa9", true},
      {"[a-z]", "b", false},
      {"a.c", "abc", false},
  };
  for (const Case& c : kCases) {
    EXPECT_EQ(WildcardMatch(c.pattern, c.text), c.matches) << c.pattern << " on " << c.text;
  }
}

TEST(WildcardMatch, EndsSoonOnPatternsThatMakeBacktrackersExplode) {
  std::string pattern;
  for (int i = 0; i < 60; ++i) pattern += "*a";
  EXPECT_FALSE(WildcardMatch(pattern + "*b", std::string(500, 'a')));
  EXPECT_TRUE(WildcardMatch(pattern + "*b", std::string(500, 'a') + "b"));
}

TEST(Matches, WantsEveryFieldAndEveryAttribute) {
  Rule rule = Named("r", 1);
  rule.service_name = "pay*";
  rule.service_type = "AWS::EC2::Instance";
  rule.host = "*.shop";
  rule.http_method = "POST";
  rule.url_path = "/v?/charge";
  rule.resource_arn = "arn:*";
  rule.attributes = {{"tenant", "ac*"}};
  const Request good{.service_name = "Payment",
                     .service_type = "aws::ec2::instance",
                     .host = "eu.shop",
                     .http_method = "post",
                     .url_path = "/v2/charge",
                     .resource_arn = "arn:x",
                     .attributes = {{"tenant", "acme"}, {"other", "1"}}};
  EXPECT_TRUE(Matches(rule, good));
  for (std::string Request::* field :
       {&Request::service_name, &Request::service_type, &Request::host, &Request::http_method,
        &Request::url_path, &Request::resource_arn}) {
    Request bad = good;
    bad.*field = "";
    EXPECT_FALSE(Matches(rule, bad));
  }
  Request bad = good;
  bad.attributes["tenant"] = "globex";
  EXPECT_FALSE(Matches(rule, bad));
  bad.attributes.erase("tenant");
  EXPECT_FALSE(Matches(rule, bad));
}

TEST(FindRule, TakesTheLowestPriorityThenTheFirstName) {
  const std::vector<Rule> rules = {DefaultRule(), Named("c", 9), Named("b", 5), Named("a", 5)};
  EXPECT_EQ(FindRule(rules, {})->name, "a");
}

TEST(FindRule, TakesDefaultLastWhateverItsPriority) {
  std::vector<Rule> rules = {DefaultRule(), Named("z", 20'000)};
  rules[0].priority = 1;
  EXPECT_EQ(FindRule(rules, {})->name, "z");
  rules[1].host = "elsewhere";
  EXPECT_EQ(FindRule(rules, {})->name, "Default");
}

TEST(FindRule, GivesNullWhereNothingMatches) {
  std::vector<Rule> rules = {Named("only", 1)};
  rules[0].url_path = "/x";
  EXPECT_EQ(FindRule(rules, {.url_path = "/y"}), nullptr);
  EXPECT_EQ(FindRule({}, {}), nullptr);
}

TEST(DefaultRule, TakesOneASecondAndFivePercentOfAllTraffic) {
  const Rule rule = DefaultRule();
  EXPECT_EQ(rule.name, "Default");
  EXPECT_EQ(rule.priority, 10'000);
  EXPECT_EQ(rule.reservoir, 1);
  EXPECT_DOUBLE_EQ(rule.fixed_rate, 0.05);
  EXPECT_TRUE(Matches(rule, {}));
}

}  // namespace
}  // namespace fluoro::sampling
