#include "api/xray/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "auth/managed_policies.h"
#include "control/groups.h"
#include "control/tags.h"

namespace fluoro::api::xray {
namespace {

using ::testing::HasSubstr;

const control::Place kPlace{.account_id = "123456789012", .region = "eu-west-1"};

auth::Caller With(std::string_view document) {
  auto policy = auth::Policy::Parse(document);
  EXPECT_TRUE(policy) << policy.error().message;
  return auth::Caller("arn:aws:iam::123456789012:user/u", "AIDA", "AKIA",
                      std::make_shared<const auth::PolicySet>(auth::PolicySet{
                          std::make_shared<const auth::Policy>(*std::move(policy))}));
}

/// "" where it is allowed.
std::string Refusal(const auth::Caller& caller, std::string_view name, std::string_view body,
                    const control::Snapshot& records = control::Snapshot({}, 0)) {
  for (const Operation& operation : Operations()) {
    if (operation.name != name) continue;
    const auto request = Request::Parse(body, *operation.input);
    EXPECT_TRUE(request) << name << request.error().message;
    const auto allowed = CheckAccess(caller, operation, request->members(), records, kPlace);
    if (allowed) return "";
    EXPECT_EQ(allowed.error().status, 403);
    EXPECT_EQ(allowed.error().type, "AccessDeniedException");
    return allowed.error().message;
  }
  ADD_FAILURE() << "no operation " << name;
  return "";
}

TEST(CheckAccess, AsksForTheOperationOnEverything) {
  const auth::Caller reader =
      With(auth::FindManagedPolicy("arn:aws:iam::aws:policy/AWSXrayReadOnlyAccess")->document);
  EXPECT_EQ(Refusal(reader, "BatchGetTraces", R"({"TraceIds":[]})"), "");
  EXPECT_EQ(Refusal(reader, "PutTraceSegments", R"({"TraceSegmentDocuments":[]})"),
            "User: arn:aws:iam::123456789012:user/u is not authorized to perform: "
            "xray:PutTraceSegments on resource: *");
  EXPECT_EQ(Refusal(auth::Caller::Root("123456789012"), "PutTraceSegments",
                    R"({"TraceSegmentDocuments":[]})"),
            "");
}

TEST(CheckAccess, KnowsGroupsByEverySpelling) {
  const ManualClock clock(1'700'000'000 * kNsPerSecond);
  const auto repository = *control::Repository::Open(":memory:", clock);
  control::Group group;
  ASSERT_TRUE(repository->Write("test", [&](control::Transaction& transaction) -> Result<void> {
    FLUORO_TRY(group, control::CreateGroup(transaction, kPlace, {.name_or_arn = "shop"}));
    FLUORO_CHECK_OK(control::AddTags(transaction, group.arn, {{"team", "blue"}}));
    return {};
  }));
  const auto records = repository->Read();
  const std::string by_name = R"({"GroupName":"shop"})";
  const std::string by_arn = R"({"GroupARN":")" + group.arn + R"("})";
  const std::string by_short_arn =
      R"({"GroupARN":")" + group.arn.substr(0, group.arn.rfind('/')) + R"("})";
  const auto statement = [](std::string_view effect, std::string_view resource) {
    return With(R"({"Statement":[{"Effect":"Allow","Action":"xray:CreateGroup","Resource":"*"},
                    {"Effect":")" +
                std::string(effect) + R"(","Action":"xray:*Group","Resource":")" +
                std::string(resource) + R"("}]})");
  };
  const auth::Caller exact = statement("Allow", group.arn);
  const auth::Caller other = statement("Allow", kPlace.Arn("group/cart/*"));
  const auth::Caller all_but = With(
      R"({"Statement":[{"Effect":"Allow","Action":"xray:*","Resource":"*"},
          {"Effect":"Deny","Action":"xray:*","Resource":")" +
      group.arn + R"("}]})");
  const auth::Caller tagged = With(
      R"({"Statement":{"Effect":"Allow","Action":"xray:*","Resource":"*",
          "Condition":{"StringEquals":{"aws:ResourceTag/team":"blue"}}}})");
  for (const std::string& body : {by_name, by_arn, by_short_arn}) {
    for (const char* operation : {"GetGroup", "UpdateGroup", "DeleteGroup"}) {
      EXPECT_EQ(Refusal(exact, operation, body, *records), "") << operation << body;
      EXPECT_THAT(Refusal(other, operation, body, *records),
                  HasSubstr("on resource: " + group.arn));
      EXPECT_THAT(Refusal(all_but, operation, body, *records), HasSubstr(group.arn)) << body;
      EXPECT_EQ(Refusal(tagged, operation, body, *records), "") << operation << body;
    }
  }
  EXPECT_NE(Refusal(tagged, "GetGroup", R"({"GroupName":"Default"})", *records), "");
  // Both at once: both must be allowed.
  EXPECT_NE(Refusal(other, "GetGroup", R"({"GroupName":"cart","GroupARN":")" + group.arn + R"("})",
                    *records),
            "");
}

TEST(CheckAccess, KnowsSamplingRulesAndTags) {
  const auth::Caller caller = With(
      R"({"Statement":{"Effect":"Allow","Action":"xray:*SamplingRule",
          "Resource":"arn:aws:xray:*:*:sampling-rule/shop-*",
          "Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}}}})");
  const auto create = [](std::string_view name, std::string_view tag) {
    return R"({"SamplingRule":{"RuleName":")" + std::string(name) +
           R"(","ResourceARN":"*","Priority":1,"FixedRate":0.1,"ReservoirSize":1,"ServiceName":"*",
              "ServiceType":"*","Host":"*","HTTPMethod":"*","URLPath":"*","Version":1},
              "Tags":[{"Key":")" +
           std::string(tag) + R"(","Value":"x"}]})";
  };
  EXPECT_EQ(Refusal(caller, "CreateSamplingRule", create("shop-1", "team")), "");
  EXPECT_NE(Refusal(caller, "CreateSamplingRule", create("cart-1", "team")), "");
  EXPECT_NE(Refusal(caller, "CreateSamplingRule", create("shop-1", "other")), "");
  EXPECT_EQ(Refusal(caller, "DeleteSamplingRule", R"({"RuleName":"shop-1"})"), "");
  EXPECT_EQ(Refusal(caller, "DeleteSamplingRule",
                    R"({"RuleARN":"arn:aws:xray:eu-west-1:123456789012:sampling-rule/shop-1"})"),
            "");
  EXPECT_NE(Refusal(caller, "DeleteSamplingRule",
                    R"({"RuleName":"shop-1","RuleARN":"arn:aws:xray:r:a:sampling-rule/cart"})"),
            "");
  EXPECT_EQ(Refusal(caller, "UpdateSamplingRule",
                    R"({"SamplingRuleUpdate":{"RuleName":"shop-1","FixedRate":0.2}})"),
            "");
}

TEST(CheckAccess, RefusesWhoeverHasNoPolicyEveryOperation) {
  const auth::Caller nobody("arn:aws:iam::123456789012:user/u", "AIDA", "AKIA",
                            std::make_shared<const auth::PolicySet>());
  for (const Operation& operation : Operations()) {
    if (operation.input == nullptr) continue;
    const auto request = Request::Parse("", Shape{.kind = ShapeKind::kStructure});
    ASSERT_TRUE(request) << operation.name;
    EXPECT_FALSE(
        CheckAccess(nobody, operation, request->members(), control::Snapshot({}, 0), kPlace))
        << operation.name;
  }
}

}  // namespace
}  // namespace fluoro::api::xray
