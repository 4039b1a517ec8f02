#include "sampling/rule_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fluoro::sampling {
namespace {

constexpr std::string_view kPayments =
    R"({"RuleName":"payments","Priority":50,"FixedRate":0.2,"ReservoirSize":5,"ServiceName":"payment",)"
    R"("ServiceType":"*","Host":"*","HTTPMethod":"POST","URLPath":"/pay*","ResourceARN":"*","Version":1,)"
    R"("Attributes":{"tenant":"acme"},"SamplingRateBoost":{"MaxRate":0.5,"CooldownWindowMinutes":10}})";

std::string With(std::string_view member) {
  return R"({"SamplingRules":[{"RuleName":"r","Priority":1,"FixedRate":0,"ReservoirSize":0,)" +
         std::string(member) + "}]}";
}

std::string ProblemOf(const std::string& json) {
  const auto rules = ParseRules(json);
  return rules ? "" : rules.error().message;
}

TEST(RuleJson, ReadsWhatItWrites) {
  const auto rules =
      ParseRules(R"({"SamplingRules":[)" + std::string(kPayments) + R"(],"TailPolicies":7})");
  ASSERT_TRUE(rules) << rules.error().message;
  ASSERT_EQ(rules->size(), 1U);
  const Rule& rule = rules->front();
  EXPECT_EQ(rule.name, "payments");
  EXPECT_EQ(rule.priority, 50);
  EXPECT_EQ(rule.fixed_rate, 0.2);
  EXPECT_EQ(rule.reservoir, 5);
  EXPECT_EQ(rule.service_name, "payment");
  EXPECT_EQ(rule.http_method, "POST");
  EXPECT_EQ(rule.url_path, "/pay*");
  EXPECT_EQ(rule.attributes, (std::map<std::string, std::string>{{"tenant", "acme"}}));
  EXPECT_EQ(rule.boost, (RateBoost{.max_rate = 0.5, .cooldown_minutes = 10}));
  EXPECT_EQ(ParseRules(PrintRules(*rules)), *rules);
}

TEST(RuleJson, PatternsMayBeAbsent) {
  const auto rules = ParseRules(With(R"("Host":null)"));
  ASSERT_TRUE(rules) << rules.error().message;
  EXPECT_EQ(rules->front().host, "*");
  EXPECT_EQ(rules->front().version, 1);
  EXPECT_EQ(ParseRules("{}"), std::vector<Rule>());
}

TEST(RuleJson, NamesTheMemberAndTheLimit) {
  EXPECT_EQ(ProblemOf("[]"), "sampling rules: an object wanted");
  EXPECT_EQ(ProblemOf(R"({"Rules":[]})"), "Rules: unknown member");
  EXPECT_EQ(ProblemOf(R"({"SamplingRules":{}})"), "SamplingRules: an array wanted");
  EXPECT_EQ(ProblemOf(R"({"SamplingRules":[1]})"), "SamplingRules[0]: an object wanted");
  EXPECT_EQ(ProblemOf(R"({"SamplingRules":[{"RuleName":"a","Priority":1,"FixedRate":0}]})"),
            "SamplingRules[0].ReservoirSize: missing");
  EXPECT_EQ(ProblemOf(With(R"("host":"*")")), "SamplingRules[0].host: unknown member");
  EXPECT_EQ(ProblemOf(With(R"("Host":1)")), "SamplingRules[0].Host: a string wanted");
  EXPECT_EQ(ProblemOf(With(R"("Host":")" + std::string(65, 'h') + '"')),
            "SamplingRules[0].Host: 65 characters, at most 64 wanted");
  EXPECT_EQ(ProblemOf(With(R"("Priority":10000)")), "SamplingRules[0].Priority: twice");
  EXPECT_EQ(ProblemOf(With(R"("Version":2)")),
            "SamplingRules[0].Version: 2 is not 1, the only version there is");
  EXPECT_EQ(ProblemOf(With(R"("Attributes":{"a":"1","b":"1","c":"1","d":"1","e":"1","f":"1"})")),
            "SamplingRules[0].Attributes: 6 of them, at most 5 wanted");
  EXPECT_EQ(ProblemOf(With(R"("Attributes":{"a":""})")),
            "SamplingRules[0].Attributes.a: keys and values of 1 to 32 characters wanted");
  EXPECT_EQ(ProblemOf(With(R"("SamplingRateBoost":{"MaxRate":2,"CooldownWindowMinutes":1})")),
            "SamplingRules[0].SamplingRateBoost.MaxRate: 2 is not between 0 and 1");
  EXPECT_EQ(ProblemOf(With(R"("SamplingRateBoost":{"MaxRate":1})")),
            "SamplingRules[0].SamplingRateBoost.CooldownWindowMinutes: a whole number wanted");
}

TEST(RuleJson, ChecksNumbers) {
  Rule rule;
  rule.name = "r";
  rule.priority = 0;
  EXPECT_EQ(CheckRule(rule).error().message, "Priority: 0 is not between 1 and 9999");
  rule.priority = 1;
  rule.fixed_rate = 1.5;
  EXPECT_EQ(CheckRule(rule).error().message, "FixedRate: 1.5 is not between 0 and 1");
  rule.fixed_rate = 1;
  rule.reservoir = -1;
  EXPECT_EQ(CheckRule(rule).error().message, "ReservoirSize: -1 is negative");
  rule.reservoir = 0;
  EXPECT_TRUE(CheckRule(rule));
}

TEST(RuleJson, TheDefaultRuleHasAFormOfItsOwn) {
  const auto of = [](std::string_view more) {
    return ProblemOf(R"({"SamplingRules":[{"RuleName":"Default","FixedRate":1,"ReservoirSize":3)" +
                     std::string(more) + "}]}");
  };
  EXPECT_EQ(of(""), "");
  EXPECT_EQ(of(R"(,"Priority":10000,"Host":"*")"), "");
  EXPECT_EQ(of(R"(,"Priority":9000)"),
            "SamplingRules[0].Priority: cannot be changed for the Default rule");
  EXPECT_EQ(of(R"(,"Host":"a")"), "SamplingRules[0].Host: cannot be changed for the Default rule");
  EXPECT_EQ(of(R"(,"SamplingRateBoost":{"MaxRate":1,"CooldownWindowMinutes":1})"),
            "SamplingRules[0].SamplingRateBoost: the Default rule cannot have one");
}

TEST(RuleJson, TakesSoManyAndEachOnce) {
  const auto of = [](std::size_t count, const std::string& name) {
    std::string rules;
    for (std::size_t i = 0; i < count; ++i) {
      rules += (i == 0 ? "" : ",") + (R"({"RuleName":")" + name) +
               (name == "same" ? "" : std::to_string(i)) +
               R"(","Priority":1,"FixedRate":0,"ReservoirSize":0})";
    }
    return ProblemOf(R"({"SamplingRules":[)" + rules + "]}");
  };
  EXPECT_EQ(of(25, "r"), "");
  EXPECT_EQ(of(26, "r"), "SamplingRules[25]: at most 25 rules beside Default");
  EXPECT_EQ(of(2, "same"), "SamplingRules[1].RuleName: 'same' twice");
}

}  // namespace
}  // namespace fluoro::sampling
