#include "control/profile.h"

#include <gtest/gtest.h>

#include "control/sampling_rules.h"
#include "control/tail_policies.h"

namespace fluoro::control {
namespace {

class ProfileTest : public testing::Test {
 protected:
  [[nodiscard]] double DefaultRate() {
    return ReadSamplingRules(*repository_->Read()).rules.back().fixed_rate;
  }
  [[nodiscard]] std::size_t Policies() {
    return ReadTailPolicies(*repository_->Read()).policies.size();
  }
  ManualClock clock_{1'700'000'000 * kNsPerSecond};
  std::unique_ptr<Repository> repository_ = *Repository::Open(":memory:", clock_);
};

TEST_F(ProfileTest, SetsTheDefaultRuleAndTheTailPolicies) {
  ASSERT_TRUE(ApplyProfile(*repository_, Profile::kDev));
  EXPECT_EQ(DefaultRate(), 1);
  EXPECT_EQ(Policies(), 0U);
  ASSERT_TRUE(ApplyProfile(*repository_, Profile::kProd));
  EXPECT_EQ(DefaultRate(), 0.05);
  EXPECT_EQ(ReadTailPolicies(*repository_->Read()), sampling::BiasedTailPolicies());
  const auto revision = repository_->Read()->Find(kSamplingRuleKind, "Default")->revision;
  ASSERT_TRUE(ApplyProfile(*repository_, Profile::kProd));
  EXPECT_EQ(repository_->Read()->Find(kSamplingRuleKind, "Default")->revision, revision);
}

TEST_F(ProfileTest, LeavesWhatSomebodyChanged) {
  ASSERT_TRUE(ApplyProfile(*repository_, Profile::kProd));
  ASSERT_TRUE(repository_->Write("ann", [](Transaction& transaction) -> Result<void> {
    FLUORO_CHECK_OK(UpdateSamplingRule(transaction, {.name = "Default", .fixed_rate = 0.5}));
    return DeleteTailPolicy(transaction, "rest");
  }));
  ASSERT_TRUE(ApplyProfile(*repository_, Profile::kDev));
  EXPECT_EQ(DefaultRate(), 0.5);
  EXPECT_EQ(Policies(), 3U);
}

TEST(TailPolicies, AreOneRecordInOrder) {
  ManualClock clock(0);
  const auto repository = *Repository::Open(":memory:", clock);
  EXPECT_TRUE(ReadTailPolicies(*repository->Read()).empty());
  sampling::TailPolicies policies = sampling::BiasedTailPolicies();
  const auto put = [&] {
    return repository->Write(
        "ann", [&](Transaction& transaction) { return PutTailPolicies(transaction, policies); });
  };
  ASSERT_TRUE(put());
  EXPECT_EQ(ReadTailPolicies(*repository->Read()), policies);
  policies.policies[0].filter = "((";
  EXPECT_FALSE(put());
  EXPECT_EQ(
      repository
          ->Write("ann",
                  [](Transaction& transaction) { return DeleteTailPolicy(transaction, "none"); })
          .error()
          .code,
      ErrorCode::kNotFound);
  const auto snapshot = repository->Read();
  const Record* record = snapshot->Find(kTailPoliciesKind, kTailPoliciesName);
  EXPECT_TRUE(CheckTailPoliciesRecord(record->name, record->body));
  EXPECT_FALSE(CheckTailPoliciesRecord("other", record->body));
  EXPECT_FALSE(CheckTailPoliciesRecord(record->name, R"({"TailPolicies":[{"Name":"a"}]})"));
}

}  // namespace
}  // namespace fluoro::control
