#include "control/tags.h"

#include <gtest/gtest.h>

namespace fluoro::control {
namespace {

constexpr std::string_view kArn = "arn:aws:xray:us-east-1:000000000000:sampling-rule/r";

class TagsTest : public testing::Test {
 protected:
  Result<void> Add(const Tags& tags) {
    return repository_->Write(
        "t", [&](Transaction& transaction) { return AddTags(transaction, kArn, tags); });
  }
  ManualClock clock_{0};
  std::unique_ptr<Repository> repository_ = *Repository::Open(":memory:", clock_);
};

TEST_F(TagsTest, AreAddedReplacedAndRemoved) {
  ASSERT_TRUE(Add({{"a", "1"}, {"b", ""}}));
  ASSERT_TRUE(Add({{"a", "2"}, {"Überschrift : x", "y@z"}}));
  EXPECT_EQ(ReadTags(*repository_->Read(), kArn),
            (Tags{{"a", "2"}, {"b", ""}, {"Überschrift : x", "y@z"}}));
  ASSERT_TRUE(repository_->Write("t", [](Transaction& transaction) {
    return RemoveTags(transaction, kArn, {"a", "unknown"});
  }));
  EXPECT_EQ(ReadTags(*repository_->Read(), kArn).size(), 2U);
  ASSERT_TRUE(repository_->Write(
      "t", [](Transaction& transaction) { return DeleteTags(transaction, kArn); }));
  EXPECT_TRUE(ReadTags(*repository_->Read(), kArn).empty());
}

TEST_F(TagsTest, HaveBounds) {
  Tags many;
  for (std::size_t i = 0; i < kTagsMax; ++i) many["k" + std::to_string(i)] = "v";
  ASSERT_TRUE(Add(many));
  EXPECT_EQ(Add({{"one more", "v"}}).error().code, ErrorCode::kTooLarge);
  EXPECT_TRUE(Add({{"k0", "other"}}));
  EXPECT_EQ(Add({{"aws:k", "v"}}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Add({{"k0", "a\nb"}}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(ReadTags(*repository_->Read(), kArn).size(), kTagsMax);
}

}  // namespace
}  // namespace fluoro::control
