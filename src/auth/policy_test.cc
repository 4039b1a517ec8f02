#include "auth/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "auth/caller.h"
#include "auth/managed_policies.h"
#include "base/rng.h"

namespace fluoro::auth {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kGroupArn = "arn:aws:xray:us-east-1:123456789012:group/shop/ABC";

Policy Parsed(std::string_view document, PolicyKind kind = PolicyKind::kIdentity) {
  auto policy = Policy::Parse(document, kind);
  EXPECT_TRUE(policy) << document << ": " << policy.error().message;
  return policy ? *std::move(policy) : Policy();
}

Policy Statement(std::string_view members) {
  return Parsed(fmt::format(R"({{"Version":"2012-10-17","Statement":[{{{}}}]}})", members));
}

Decision Ask(const Policy& policy, std::string_view action, std::string_view resource = "*",
             const ConditionValues& conditions = {}) {
  return policy.Evaluate({.action = action, .resource = resource, .conditions = &conditions});
}

TEST(Policy, AllowsDeniesAndSaysNothing) {
  const Policy policy = Parsed(R"({"Version":"2012-10-17","Statement":[
      {"Effect":"Allow","Action":["xray:Get*","xray:PutTraceSegment?"],"Resource":"*"},
      {"Effect":"Deny","Action":"XRAY:getinsight*","Resource":["*"]}]})");
  EXPECT_EQ(Ask(policy, "xray:GetGroups"), Decision::kAllow);
  EXPECT_EQ(Ask(policy, "xray:PutTraceSegments"), Decision::kAllow);
  EXPECT_EQ(Ask(policy, "xray:GetInsightEvents"), Decision::kDeny);
  EXPECT_EQ(Ask(policy, "xray:DeleteGroup"), Decision::kNone);
  EXPECT_EQ(Ask(policy, "iam:GetRole"), Decision::kNone);
}

TEST(Policy, KnowsResourcesByCase) {
  const Policy policy =
      Statement(R"("Effect":"Allow","Action":"xray:*","Resource":"arn:aws:xray:*:*:group/shop/*")");
  EXPECT_EQ(Ask(policy, "xray:GetGroup", kGroupArn), Decision::kAllow);
  EXPECT_EQ(Ask(policy, "xray:GetGroup", "arn:aws:xray:us-east-1:123456789012:group/Shop/ABC"),
            Decision::kNone);
  // What has no resource is asked about "*", which is not within a group.
  EXPECT_EQ(Ask(policy, "xray:GetTraceSummaries"), Decision::kNone);
  const Policy others = Statement(
      R"("Effect":"Deny","NotAction":"xray:Get*","NotResource":"arn:aws:xray:*:*:group/shop/*")");
  EXPECT_EQ(Ask(others, "xray:DeleteGroup", kGroupArn), Decision::kNone);
  EXPECT_EQ(Ask(others, "xray:DeleteGroup", "arn:aws:xray:r:a:group/x/1"), Decision::kDeny);
  EXPECT_EQ(Ask(others, "xray:GetGroup", "arn:aws:xray:r:a:group/x/1"), Decision::kNone);
}

TEST(Policy, HoldsConditions) {
  const Policy policy = Statement(
      R"("Effect":"Allow","Action":"xray:CreateGroup","Resource":"*","Condition":{
         "StringEquals":{"aws:RequestTag/team":["shop","cart"]},
         "StringLike":{"aws:RequestTag/env":"prod-*"},
         "ForAllValues:StringEquals":{"aws:TagKeys":["team","env"]}})");
  ConditionValues values{{"aws:RequestTag/team", {"cart"}},
                         {"AWS:requesttag/env", {"prod-1"}},
                         {"aws:TagKeys", {"env", "team"}}};
  EXPECT_EQ(Ask(policy, "xray:CreateGroup", "*", values), Decision::kAllow);
  auto changed = values;
  changed["aws:TagKeys"].emplace_back("more");
  EXPECT_EQ(Ask(policy, "xray:CreateGroup", "*", changed), Decision::kNone);
  changed = values;
  changed["aws:RequestTag/team"] = {"Cart"};
  EXPECT_EQ(Ask(policy, "xray:CreateGroup", "*", changed), Decision::kNone);
  changed = values;
  changed.erase("aws:RequestTag/env");
  EXPECT_EQ(Ask(policy, "xray:CreateGroup", "*", changed), Decision::kNone);
  changed = values;
  changed.erase("aws:TagKeys");  // all of no values
  EXPECT_EQ(Ask(policy, "xray:CreateGroup", "*", changed), Decision::kAllow);
}

TEST(Policy, WhatItDoesNotKnowNeverOpensADoor) {
  for (const std::string_view condition :
       {R"("IpAddress":{"aws:SourceIp":"10.0.0.0/8"})", R"("StringEqualsIfExists":{"a":"b"})",
        R"("StringEquals":{"aws:RequestTag/x":"${aws:username}"})", R"("Bool":{"a":true})"}) {
    const ConditionValues values{{"aws:RequestTag/x", {"${aws:username}"}}, {"a", {"b"}}};
    for (const bool allow : {true, false}) {
      const Policy policy =
          Statement(fmt::format(R"("Effect":"{}","Action":"*","Resource":"*","Condition":{{{}}})",
                                allow ? "Allow" : "Deny", condition));
      EXPECT_EQ(Ask(policy, "xray:GetGroup", "*", values),
                allow ? Decision::kNone : Decision::kDeny)
          << condition;
    }
  }
  const std::string_view variable = R"("Action":"*","Resource":"arn:aws:xray:*:*:group/${a}/*")";
  EXPECT_EQ(
      Ask(Statement(fmt::format(R"("Effect":"Allow",{})", variable)), "xray:GetGroup", kGroupArn),
      Decision::kNone);
  EXPECT_EQ(
      Ask(Statement(fmt::format(R"("Effect":"Deny",{})", variable)), "xray:GetGroup", kGroupArn),
      Decision::kDeny);
}

TEST(Policy, KnowsPrincipalsOfResourcePolicies) {
  const auto ask = [](std::string_view principal, std::string_view who) {
    return Parsed(fmt::format(R"({{"Version":"2012-10-17","Statement":{{"Effect":"Allow",
                                   "Principal":{},"Action":"xray:*","Resource":"*"}}}})",
                              principal),
                  PolicyKind::kResource)
        .Evaluate({.action = "xray:PutResourcePolicy", .principal = who});
  };
  const std::string_view user = "arn:aws:iam::123456789012:user/u";
  EXPECT_EQ(ask(R"("*")", user), Decision::kAllow);
  EXPECT_EQ(ask(R"({"AWS":"*"})", user), Decision::kAllow);
  EXPECT_EQ(ask(R"({"AWS":["arn:aws:iam::123456789012:user/u"]})", user), Decision::kAllow);
  EXPECT_EQ(ask(R"({"AWS":"123456789012"})", user), Decision::kAllow);
  EXPECT_EQ(ask(R"({"AWS":"arn:aws:iam::123456789012:root"})", user), Decision::kAllow);
  EXPECT_EQ(ask(R"({"AWS":"arn:aws:iam::123456789013:root"})", user), Decision::kNone);
  EXPECT_EQ(ask(R"({"Service":"sns.amazonaws.com"})", user), Decision::kNone);
}

TEST(Policy, SaysWhatIsWrong) {
  const auto statement = [](std::string_view members) {
    return fmt::format(R"({{"Statement":[{{{}}}]}})", members);
  };
  for (const auto& [document, words] : std::initializer_list<std::pair<std::string, std::string>>{
           {"", "byte 0"},
           {"{", "byte 1"},
           {"[]", "a JSON object wanted"},
           {"{}", "at least one statement"},
           {R"({"Statement":[]})", "at least one statement"},
           {R"({"Version":"2013-01-01","Statement":[]})", "Version must be"},
           {R"({"version":"2012-10-17"})", "unknown element 'version'"},
           {R"({"Statement":[1]})", "statement 1: a JSON object wanted"},
           {statement(R"("Effect":"allow")"), "Effect must be"},
           {statement(R"("Effect":"Allow")"), "one of Action and NotAction wanted"},
           {statement(R"("Effect":"Allow","Action":"a:b","NotAction":"a:b")"),
            "one of Action and NotAction"},
           {statement(R"("Effect":"Allow","Action":[])"), "Action must be a string or a list"},
           {statement(R"("Effect":"Allow","Action":[1])"), "Action must hold strings"},
           {statement(R"("Effect":"Allow","Action":"xray","Resource":"*")"), "like xray:GetGroup"},
           {statement(R"("Effect":"Allow","Action":"*")"), "one of Resource and NotResource"},
           {statement(R"("Effect":"Allow","Action":"*","Resource":"x")"), "an ARN or *"},
           {statement(R"("Effect":"Allow","Action":"*","Resource":"*","Principal":"*")"),
            "no Principal"},
           {statement(R"("Effect":"Allow","Action":"*","Resource":"*","Resource":"*")"),
            "'Resource' is there twice"},
           {statement(R"("Effect":"Allow","Action":"*","Resource":"*","Condition":[])"),
            "Condition must be an object"},
           {R"({"Statement":[{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"},
                             {"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"}]})",
            "statement 2: Sid 'a' is there twice"},
           {std::string(100, '['), "deep"},
           {std::string(kPolicyBytesMax + 1, ' '), "at most 10240 are taken"}}) {
    const auto policy = Policy::Parse(document);
    ASSERT_FALSE(policy) << document;
    EXPECT_THAT(policy.error().message, HasSubstr(words)) << document;
  }
}

TEST(Policy, EndsQuicklyOnHostilePatterns) {
  std::string pattern;
  while (pattern.size() < 2'000) pattern += "a*";
  EXPECT_FALSE(MatchesPattern(pattern + "b", std::string(2'000, 'a')));
  EXPECT_TRUE(MatchesPattern(pattern, std::string(2'000, 'a')));
}

bool NaiveMatch(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*')
    return NaiveMatch(pattern.substr(1), text) ||
           (!text.empty() && NaiveMatch(pattern, text.substr(1)));
  return !text.empty() && (pattern[0] == '?' || pattern[0] == text[0]) &&
         NaiveMatch(pattern.substr(1), text.substr(1));
}

TEST(Policy, MatchesAsTheDefinitionSays) {
  Rng rng(7);
  const auto text = [&rng](std::string_view alphabet) {
    std::string out;
    for (std::uint64_t n = rng.Below(9); n > 0; --n) out += alphabet[rng.Below(alphabet.size())];
    return out;
  };
  for (int i = 0; i < 200'000; ++i) {
    const std::string pattern = text("ab*?");
    const std::string subject = text("ab");
    EXPECT_EQ(MatchesPattern(pattern, subject), NaiveMatch(pattern, subject))
        << pattern << " " << subject;
  }
}

/// Statements that are known to apply or not, in any order: a denial wins, else any allowance.
TEST(Policy, DecidesAsTheLogicSays) {
  for (std::uint64_t seed = 0; seed < 2'000; ++seed) {
    Rng rng(seed);
    std::string statements;
    bool denied = false;
    bool allowed = false;
    for (std::uint64_t n = 1 + rng.Below(6); n > 0; --n) {
      const bool allow = rng.Chance(0.7);
      const bool action = rng.Chance(0.6);
      const bool resource = rng.Chance(0.6);
      const bool condition = rng.Chance(0.6);
      (allow ? allowed : denied) |= action && resource && condition;
      statements += fmt::format(
          R"({}{{"Effect":"{}","Action":["a:b","{}"],"Resource":["{}","arn:x"],
               "Condition":{{"StringEquals":{{"k":["{}","z"]}}}}}})",
          statements.empty() ? "" : ",", allow ? "Allow" : "Deny",
          action ? "xray:Get*" : "xray:Put*", resource ? "arn:*shop*" : "arn:*cart*",
          condition ? "v" : "w");
    }
    const Policy policy = Parsed(fmt::format(R"({{"Statement":[{}]}})", statements));
    EXPECT_EQ(Ask(policy, "xray:GetGroup", kGroupArn, {{"k", {"v"}}}), denied    ? Decision::kDeny
                                                                       : allowed ? Decision::kAllow
                                                                                 : Decision::kNone)
        << seed << " " << statements;
  }
}

TEST(ManagedPolicies, AreThoseOfAws) {
  ASSERT_EQ(ManagedPolicies().size(), 6U);
  for (const ManagedPolicy& policy : ManagedPolicies()) {
    EXPECT_EQ(FindManagedPolicy(policy.Arn()), &policy);
    EXPECT_TRUE(Policy::Parse(policy.document)) << policy.name;
    EXPECT_EQ(policy.id.size(), 21U);
  }
  EXPECT_EQ(FindManagedPolicy("arn:aws:iam::aws:policy/AWSXrayDaemonWriteAccess"), nullptr);
  const auto may = [](std::string_view name, std::string_view action) {
    const ManagedPolicy* policy = FindManagedPolicy(std::string(kManagedPolicyPrefix).append(name));
    return Ask(Parsed(policy->document), action) == Decision::kAllow;
  };
  EXPECT_TRUE(may("AWSXRayDaemonWriteAccess", "xray:PutTraceSegments"));
  EXPECT_TRUE(may("AWSXRayDaemonWriteAccess", "xray:GetSamplingTargets"));
  EXPECT_FALSE(may("AWSXRayDaemonWriteAccess", "xray:GetTraceSummaries"));
  EXPECT_TRUE(may("AWSXrayWriteOnlyAccess", "xray:PutTelemetryRecords"));
  EXPECT_TRUE(may("AWSXrayReadOnlyAccess", "xray:BatchGetTraces"));
  EXPECT_FALSE(may("AWSXrayReadOnlyAccess", "xray:GetEncryptionConfig"));
  EXPECT_FALSE(may("AWSXrayReadOnlyAccess", "xray:PutTraceSegments"));
  EXPECT_TRUE(may("AWSXrayFullAccess", "xray:DeleteGroup"));
  EXPECT_TRUE(may("AWSXrayFullAccess", "xray:*"));
  EXPECT_FALSE(may("AWSXrayFullAccess", "iam:GetRole"));
  EXPECT_FALSE(may("AWSXrayReadOnlyAccess", "xray:*"));
  EXPECT_FALSE(may("AWSXrayCrossAccountSharingConfiguration", "xray:PutTraceSegments"));
}

TEST(Caller, IsDeniedByAnyAndAllowedByOne) {
  const auto set = [](std::initializer_list<std::string_view> documents) {
    PolicySet policies;
    for (const std::string_view document : documents)
      policies.push_back(std::make_shared<const Policy>(Parsed(document)));
    return std::make_shared<const PolicySet>(std::move(policies));
  };
  const std::string_view allow =
      R"({"Statement":{"Effect":"Allow","Action":"xray:*","Resource":"*"}})";
  const std::string_view deny =
      R"({"Statement":{"Effect":"Deny","Action":"xray:DeleteGroup","Resource":"*"}})";
  const Caller caller("arn:aws:iam::1:user/u", "AIDA", "AKIA", set({allow, deny}));
  EXPECT_TRUE(caller.May("xray:GetGroup"));
  EXPECT_FALSE(caller.May("xray:DeleteGroup"));
  EXPECT_EQ(caller.Check("xray:DeleteGroup", kGroupArn).error().message,
            "User: arn:aws:iam::1:user/u is not authorized to perform: xray:DeleteGroup on "
            "resource: arn:aws:xray:us-east-1:123456789012:group/shop/ABC");
  EXPECT_FALSE(Caller("a", "b", "c", set({})).May("xray:GetGroup"));
  EXPECT_TRUE(Caller::Root("123456789012").May("anything:AtAll"));
  const Caller sampler = Caller::UnsignedSampler("123456789012");
  EXPECT_TRUE(sampler.May("xray:GetSamplingTargets"));
  EXPECT_FALSE(sampler.May("xray:PutTraceSegments"));
}

}  // namespace
}  // namespace fluoro::auth
