#include "api/ui/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/profile.h"
#include "control/sampling_rules.h"

namespace fluoro::api::ui {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kFile =
    R"({"SamplingRules":[{"RuleName":"pay","Priority":50,"FixedRate":0.2,"ReservoirSize":5,"Host":"a/b"}],)"
    R"("TailPolicies":[{"Name":"bad","Filter":"fault","Keep":1},{"Name":"rest","Keep":0.05}]})";

class RulesTest : public testing::Test {
 protected:
  RulesTest() { EXPECT_TRUE(control::ApplyProfile(*control_, control::Profile::kNone)); }

  static net::HttpRequest Asking(std::string path, std::string_view body = "",
                                 std::string query = "") {
    net::HttpRequest request;
    request.path = std::move(path);
    request.query = std::move(query);
    request.body = body;
    request.headers["content-type"] = "application/json";
    request.principal = "user/ann";
    return request;
  }
  net::HttpResponse Put(std::string_view file) {
    return PutRules(*control_, Asking("/ui/api/rules", file));
  }

  ManualClock clock_{1'700'000'000 * kNsPerSecond};
  std::unique_ptr<control::Repository> control_ = *control::Repository::Open(":memory:", clock_);
};

TEST_F(RulesTest, AFileIsPutAndListed) {
  const net::HttpResponse put = Put(kFile);
  EXPECT_EQ(put.status, 200) << put.body;
  EXPECT_EQ(put.body, R"({"sampling_rules":1,"tail_policies":2})");
  const std::string listed = ListRules(*control_).body;
  EXPECT_THAT(listed, HasSubstr(R"("RuleName":"pay")"));
  EXPECT_THAT(listed, HasSubstr(R"("RuleName":"Default")"));
  EXPECT_THAT(listed, HasSubstr(R"("TailPolicies":[{"Name":"bad")"));
  EXPECT_EQ(Put(listed).status, 200) << "what is listed can be put";
  EXPECT_EQ(ListRules(*control_).body, listed);
}

TEST_F(RulesTest, WhatAFileDoesNotSpeakOfStays) {
  ASSERT_EQ(Put(kFile).status, 200);
  EXPECT_EQ(Put(R"({"SamplingRules":[]})").body, R"({"sampling_rules":0,"tail_policies":null})");
  EXPECT_THAT(ListTailPolicies(*control_).body, HasSubstr("bad"));
  ASSERT_EQ(Put(R"({"TailPolicies":[]})").status, 200);
  EXPECT_EQ(ListTailPolicies(*control_).body, R"({"TailPolicies":[]})");
  EXPECT_EQ(control::ReadSamplingRules(*control_->Read()).rules.size(), 2U);
}

TEST_F(RulesTest, ABadFileChangesNothing) {
  const net::HttpResponse refused =
      Put(R"({"SamplingRules":[{"RuleName":"a","Priority":1,"FixedRate":1,"ReservoirSize":1}],)"
          R"("TailPolicies":[{"Name":"x","Filter":"((","Keep":1}]})");
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body, HasSubstr("TailPolicies[0].Filter"));
  EXPECT_EQ(control::ReadSamplingRules(*control_->Read()).rules.size(), 1U);
  EXPECT_EQ(Put("[]").status, 400);
}

TEST_F(RulesTest, OneIsDeleted) {
  ASSERT_EQ(Put(kFile).status, 200);
  EXPECT_EQ(DeleteRule(*control_, Asking("/ui/api/rules/pay")).body, R"({"deleted":"pay"})");
  EXPECT_EQ(DeleteRule(*control_, Asking("/ui/api/rules/pay")).status, 404);
  EXPECT_EQ(DeleteRule(*control_, Asking("/ui/api/rules/Default")).status, 400);
  EXPECT_EQ(DeleteTailPolicy(*control_, Asking("/ui/api/tail-policies/b%61d")).status, 200);
  EXPECT_EQ(DeleteTailPolicy(*control_, Asking("/ui/api/tail-policies/bad")).status, 404);
  EXPECT_THAT(ListTailPolicies(*control_).body, HasSubstr("rest"));
}

TEST_F(RulesTest, TailPoliciesAreReplaced) {
  const auto put = [&](std::string_view body) {
    return PutTailPolicies(*control_, Asking("/ui/api/tail-policies", body));
  };
  EXPECT_EQ(put(R"({"TailPolicies":[{"Name":"a","Keep":1}]})").body, R"({"tail_policies":1})");
  EXPECT_EQ(put(R"({"TailPolicies":[{"Name":"b","Keep":2}]})").status, 400);
  EXPECT_THAT(ListTailPolicies(*control_).body, HasSubstr(R"("Name":"a")"));
}

TEST_F(RulesTest, RecordsLeaveAndComeBack) {
  ASSERT_EQ(Put(kFile).status, 200);
  const std::string text = ExportRecords(*control_, Asking("/ui/api/records")).body;
  const auto other = *control::Repository::Open(":memory:", clock_);
  const net::HttpResponse imported = ImportRecords(*other, Asking("/ui/api/records", text));
  EXPECT_EQ(imported.body, R"({"changed":3})") << "Default, pay, tail policies";
  EXPECT_EQ(ListRules(*other).body, ListRules(*control_).body);
  EXPECT_EQ(ExportRecords(*control_, Asking("/ui/api/records", "", "kind=group")).body,
            R"({"records":[]})");
  net::HttpRequest form = Asking("/ui/api/records", text);
  form.headers["content-type"] = "text/plain";
  EXPECT_EQ(ImportRecords(*other, form).status, 400);
}

TEST_F(RulesTest, TheAuditTrailIsTold) {
  ASSERT_EQ(Put(kFile).status, 200);
  const std::string lines =
      Audit(*control_, Asking("/ui/api/audit", "", "kind=sampling-rule&limit=1")).body;
  EXPECT_THAT(lines,
              HasSubstr(R"("who":"user/ann","kind":"sampling-rule","name":"pay","revision":1,)"
                        R"("before":null,"after":{"RuleName":"pay")"));
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 1);
  EXPECT_EQ(Audit(*control_, Asking("/ui/api/audit", "", "limit=x")).status, 400);
  EXPECT_EQ(Audit(*control_, Asking("/ui/api/audit", "", "limit=10001")).status, 400);
}

}  // namespace
}  // namespace fluoro::api::ui
