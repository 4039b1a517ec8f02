#include "api/xray/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "auth/managed_policies.h"

namespace fluoro::api::xray {
namespace {

using ::testing::HasSubstr;

auth::Caller With(std::string_view document) {
  auto policy = auth::Policy::Parse(document);
  EXPECT_TRUE(policy) << policy.error().message;
  return auth::Caller("arn:aws:iam::123456789012:user/u", "AIDA", "AKIA",
                      std::make_shared<const auth::PolicySet>(auth::PolicySet{
                          std::make_shared<const auth::Policy>(*std::move(policy))}));
}

/// "" where it is allowed.
std::string Refusal(const auth::Caller& caller, std::string_view name, std::string_view body) {
  for (const Operation& operation : Operations()) {
    if (operation.name != name) continue;
    const auto request = Request::Parse(body, *operation.input);
    EXPECT_TRUE(request) << name << request.error().message;
    const auto allowed = CheckAccess(caller, operation, request->members(),
                                     {.account_id = "123456789012", .region = "eu-west-1"});
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

TEST(CheckAccess, RefusesWhoeverHasNoPolicyEveryOperation) {
  const auth::Caller nobody("arn:aws:iam::123456789012:user/u", "AIDA", "AKIA",
                            std::make_shared<const auth::PolicySet>());
  for (const Operation& operation : Operations()) {
    if (operation.input == nullptr) continue;
    const auto request = Request::Parse("", Shape{.kind = ShapeKind::kStructure});
    ASSERT_TRUE(request) << operation.name;
    EXPECT_FALSE(CheckAccess(nobody, operation, request->members(), {})) << operation.name;
  }
}

}  // namespace
}  // namespace fluoro::api::xray
