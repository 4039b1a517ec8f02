#include "control/groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fluoro::control {
namespace {

class GroupsTest : public testing::Test {
 protected:
  Result<Group> Create(const std::string& name, const std::string& filter = "") {
    return Write([&](Transaction& transaction) {
      return CreateGroup(transaction, place_, {.name_or_arn = name, .filter = filter});
    });
  }
  Result<Group> Update(const GroupUpdate& update) {
    return Write(
        [&](Transaction& transaction) { return UpdateGroup(transaction, place_, update); });
  }
  Result<Group> Delete(const std::string& name) {
    return Write([&](Transaction& transaction) { return DeleteGroup(transaction, place_, name); });
  }
  std::vector<Group> All() { return ReadGroups(*repository_->Read(), place_); }

  template <class Change>
  Result<Group> Write(const Change& change) {
    Result<Group> done = Fail(ErrorCode::kInternal, "not run");
    (void)repository_->Write("t", [&](Transaction& transaction) -> Result<void> {
      done = change(transaction);
      if (!done) return std::unexpected(done.error());
      return {};
    });
    return done;
  }

  ManualClock clock_{1'700'000'000 * kNsPerSecond};
  Place place_{.account_id = "123456789012", .region = "eu-west-1"};
  std::unique_ptr<Repository> repository_ = *Repository::Open(":memory:", clock_);
};

TEST_F(GroupsTest, DefaultIsThereFirst) {
  ASSERT_EQ(All().size(), 1U);
  EXPECT_EQ(All()[0].arn, "arn:aws:xray:eu-west-1:123456789012:group/Default");
  const auto created = Create("Alpha", "responsetime > 5");
  ASSERT_TRUE(created) << created.error().message;
  EXPECT_THAT(created->arn, testing::MatchesRegex(
                                "arn:aws:xray:eu-west-1:123456789012:group/Alpha/[A-Z2-7]{52}"));
  EXPECT_EQ(All()[0].name, "Default");
  EXPECT_EQ(All()[1], *created);
}

TEST_F(GroupsTest, AreFoundByNameAndArn) {
  const auto created = *Create("slow");
  const auto find = [&](std::string_view what) {
    return FindGroup(*repository_->Read(), place_, what);
  };
  EXPECT_EQ(find("slow"), created);
  EXPECT_EQ(find(created.arn), created);
  EXPECT_EQ(find("arn:aws:xray:eu-west-1:123456789012:group/slow"), created);
  EXPECT_EQ(find("Slow"), std::nullopt);
  EXPECT_EQ(find("arn:aws:xray:eu-west-1:123456789012:group"), std::nullopt);
  EXPECT_TRUE(find("Default"));
}

TEST_F(GroupsTest, UpdateLeavesWhatItDoesNotName) {
  const auto created = *Create("slow", "responsetime > 5");
  ASSERT_TRUE(Update({.name_or_arn = created.arn, .insights_enabled = true}));
  const auto updated = Update({.name_or_arn = "slow", .filter = "responsetime > 6"});
  ASSERT_TRUE(updated);
  EXPECT_EQ(updated->arn, created.arn);
  EXPECT_TRUE(updated->insights_enabled);
  EXPECT_EQ(updated->filter, "responsetime > 6");
}

TEST_F(GroupsTest, OfDefaultOnlyInsightsChange) {
  ASSERT_TRUE(Update({.name_or_arn = "Default", .insights_enabled = true}));
  EXPECT_TRUE(All()[0].insights_enabled);
  EXPECT_EQ(All().size(), 1U);
  EXPECT_FALSE(Update({.name_or_arn = "Default", .filter = "fault"}));
  EXPECT_FALSE(Delete("Default"));
}

TEST_F(GroupsTest, RefusesBadOnes) {
  ASSERT_TRUE(Create("a"));
  EXPECT_EQ(Create("a").error(), (Error{ErrorCode::kAlreadyExists, "Group name already exists"}));
  EXPECT_FALSE(Create("Default"));
  EXPECT_FALSE(Create("with space"));
  EXPECT_FALSE(Create(""));
  EXPECT_THAT(Create("b", "responsetime >").error().message,
              testing::HasSubstr("Invalid input symbol"));
  EXPECT_FALSE(Update({.name_or_arn = "a", .notifications_enabled = true}));
  EXPECT_TRUE(
      Update({.name_or_arn = "a", .insights_enabled = true, .notifications_enabled = true}));
  EXPECT_EQ(Update({.name_or_arn = "none"}).error(),
            (Error{ErrorCode::kNotFound, "Group not found"}));
  EXPECT_EQ(Delete("none").error(), (Error{ErrorCode::kNotFound, "Group not found"}));
}

TEST_F(GroupsTest, ThereAreSoManyAtMost) {
  for (std::size_t i = 0; i < kGroupsMax; ++i) ASSERT_TRUE(Create("g" + std::to_string(i)));
  EXPECT_EQ(Create("more").error().code, ErrorCode::kTooLarge);
  ASSERT_TRUE(Delete("g3"));
  EXPECT_TRUE(Create("more"));
}

TEST_F(GroupsTest, FiltersMayNameOtherGroupsButNotThemselves) {
  ASSERT_TRUE(Create("a", "fault"));
  ASSERT_TRUE(Create("b", "group.name = \"a\" AND responsetime > 1"));
  EXPECT_FALSE(Create("c", "group.name = \"none\""));
  EXPECT_FALSE(Create("c", "group.name = \"c\""));
  EXPECT_FALSE(Update({.name_or_arn = "a", .filter = "group.name = \"b\""}));
  const auto lookup = LookupIn(repository_->Read(), place_);
  EXPECT_EQ(lookup("a"), "fault");
  EXPECT_EQ(lookup("none"), std::nullopt);
}

TEST_F(GroupsTest, ADeletedGroupComesBackWithAnotherArn) {
  const auto first = *Create("a");
  ASSERT_TRUE(Delete(first.arn));
  EXPECT_NE(Create("a")->arn, first.arn);
}

TEST_F(GroupsTest, RecordsAreChecked) {
  ASSERT_TRUE(Create("a", "fault"));
  ASSERT_TRUE(Create("b", "group.name = \"a\""));
  for (const Record& record : repository_->Read()->List(kGroupKind))
    EXPECT_TRUE(CheckGroupRecord(record.name, record.body));
  EXPECT_FALSE(CheckGroupRecord("c", repository_->Read()->List(kGroupKind)[0].body));
  EXPECT_FALSE(CheckGroupRecord("a", "{}"));
  EXPECT_FALSE(
      CheckGroupRecord("a", R"({"GroupName":"a","GroupARN":"x","FilterExpression":"(("})"));
}

}  // namespace
}  // namespace fluoro::control
