#include "sampling/rule_file.h"

#include <gtest/gtest.h>

namespace fluoro::sampling {
namespace {

constexpr std::string_view kBoth = R"({"SamplingRules":[
  {"RuleName":"payments","Priority":50,"FixedRate":0.2,"ReservoirSize":5,"ServiceName":"payment",
   "ServiceType":"*","Host":"*","HTTPMethod":"POST","URLPath":"*","ResourceARN":"*","Version":1,
   "Attributes":{"tier":"g*"}},
  {"RuleName":"Default","FixedRate":0.5,"ReservoirSize":1}],
 "TailPolicies":[{"Name":"bad","Outcomes":["fault"],"Keep":1},{"Name":"rest","Keep":0.05}]})";

TEST(RuleFile, ReadsBothPartsAndPrintsThemAgain) {
  const auto file = ParseRuleFile(kBoth);
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->rules->size(), 2U);
  const Rule& payments = file->rules->front();
  EXPECT_EQ(payments.priority, 50);
  EXPECT_EQ(payments.fixed_rate, 0.2);
  EXPECT_EQ(payments.reservoir, 5);
  EXPECT_EQ(payments.http_method, "POST");
  EXPECT_EQ(payments.attributes.at("tier"), "g*");
  EXPECT_EQ(file->rules->back(), DefaultRule(0.5, 1));
  EXPECT_EQ(file->policies->policies.size(), 2U);
  const auto again = ParseRuleFile(PrintRuleFile(*file));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, *file);
}

TEST(RuleFile, EachPartMayBeAbsent) {
  const auto rules = ParseRuleFile(R"({"SamplingRules":[]})");
  ASSERT_TRUE(rules);
  EXPECT_TRUE(rules->rules && rules->rules->empty());
  EXPECT_FALSE(rules->policies);
  const auto policies = ParseRuleFile(R"({"TailPolicies":[]})");
  ASSERT_TRUE(policies);
  EXPECT_FALSE(policies->rules);
  EXPECT_TRUE(policies->policies);
  EXPECT_EQ(PrintRuleFile({}), "{}");
  EXPECT_EQ(PrintRuleFile(*policies), R"({"TailPolicies":[]})");
}

TEST(RuleFile, SaysWhichPartIsWrong) {
  const auto of = [](std::string_view json) {
    const auto file = ParseRuleFile(json);
    return file ? std::string("taken") : file.error().message;
  };
  EXPECT_TRUE(of(R"({"SamplingRules":[{"RuleName":"a"}]})").starts_with("SamplingRules[0]"));
  EXPECT_TRUE(of(R"({"TailPolicies":[{"Name":"a"}]})").starts_with("TailPolicies[0].Keep"));
  EXPECT_TRUE(of(R"({"Rules":[]})").starts_with("Rules: "));
}

TEST(RuleFile, IsPutOverWhatStands) {
  Rule a;
  a.name = "a";
  Rule b;
  b.name = "b";
  Rule other_a = a;
  other_a.fixed_rate = 0.9;
  EXPECT_EQ(PutOver({a, DefaultRule()}, {other_a, b}), (std::vector{other_a, DefaultRule(), b}));
  EXPECT_EQ(PutOver({a, DefaultRule()}, {DefaultRule(1, 0)}), (std::vector{a, DefaultRule(1, 0)}));
  EXPECT_EQ(PutOver({a}, {}), std::vector{a});
}

}  // namespace
}  // namespace fluoro::sampling
