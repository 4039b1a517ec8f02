#include "control/sampling_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sampling/rule_json.h"

namespace fluoro::control {
namespace {

class SamplingRulesTest : public testing::Test {
 protected:
  template <class Change>
  auto Write(const Change& change) -> decltype(change(std::declval<Transaction&>())) {
    std::optional<decltype(change(std::declval<Transaction&>()))> done;
    const auto written = repository_->Write("test", [&](Transaction& transaction) -> Result<void> {
      done = change(transaction);
      if (!*done) return std::unexpected(done->error());
      return {};
    });
    EXPECT_EQ(written.has_value(), done->has_value());
    return *done;
  }
  static sampling::Rule Named(const std::string& name, std::int32_t priority = 100) {
    sampling::Rule rule;
    rule.name = name;
    rule.priority = priority;
    return rule;
  }
  Result<sampling::Rule> Create(const sampling::Rule& rule) {
    return Write([&](Transaction& transaction) { return CreateSamplingRule(transaction, rule); });
  }
  Result<sampling::Rule> Update(const SamplingRuleUpdate& update) {
    return Write([&](Transaction& transaction) { return UpdateSamplingRule(transaction, update); });
  }
  Result<sampling::Rule> Delete(const std::string& name) {
    return Write([&](Transaction& transaction) { return DeleteSamplingRule(transaction, name); });
  }
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    for (const auto& rule : ReadSamplingRules(*repository_->Read()).rules)
      names.push_back(rule.name);
    return names;
  }

  ManualClock clock_{1'700'000'000 * kNsPerSecond};
  std::unique_ptr<Repository> repository_ = *Repository::Open(":memory:", clock_);
};

TEST_F(SamplingRulesTest, DefaultIsThereAndLast) {
  EXPECT_THAT(Names(), testing::ElementsAre("Default"));
  ASSERT_TRUE(Create(Named("z", 5)));
  ASSERT_TRUE(Create(Named("b", 9)));
  ASSERT_TRUE(Create(Named("a", 9)));
  EXPECT_THAT(Names(), testing::ElementsAre("z", "a", "b", "Default"));
}

TEST_F(SamplingRulesTest, CreateRefusesTwiceAndTooMany) {
  for (std::size_t i = 0; i < sampling::kRulesMax; ++i)
    ASSERT_TRUE(Create(Named("r" + std::to_string(i))));
  EXPECT_EQ(Create(Named("r0")).error(), (Error{ErrorCode::kAlreadyExists, "Rule already exists"}));
  EXPECT_EQ(Create(Named("Default", 10'000)).error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(Create(Named("one more")).error().code, ErrorCode::kTooLarge);
  // A record of Default takes no place from the others.
  ASSERT_TRUE(Update({.name = "Default", .fixed_rate = 1}));
  ASSERT_TRUE(Delete("r0"));
  EXPECT_TRUE(Create(Named("one more")));
}

TEST_F(SamplingRulesTest, UpdateLeavesWhatItDoesNotName) {
  sampling::Rule rule = Named("r");
  rule.attributes = {{"a", "b"}};
  rule.boost = sampling::RateBoost{};
  rule.host = "*.example.com";
  ASSERT_TRUE(Create(rule));
  clock_.Advance(kNsPerSecond);
  const auto updated = Update({.name = "r", .priority = 7, .fixed_rate = 0.5});
  ASSERT_TRUE(updated);
  rule.priority = 7;
  rule.fixed_rate = 0.5;
  rule.created_ns = clock_.UnixNs() - kNsPerSecond;
  rule.modified_ns = clock_.UnixNs();
  EXPECT_EQ(*updated, rule);
  EXPECT_EQ(ReadSamplingRules(*repository_->Read()).rules.front(), rule);
  EXPECT_EQ(Update({.name = "r", .priority = 10'000}).error().message,
            "Priority: 10000 is not between 1 and 9999");
  EXPECT_EQ(Update({.name = "none"}).error(),
            (Error{ErrorCode::kNotFound, "Sampling rule does not exist"}));
}

TEST_F(SamplingRulesTest, OfDefaultOnlyRateAndReservoirChange) {
  const auto updated = Update({.name = "Default", .reservoir = 0, .fixed_rate = 1, .host = "*"});
  ASSERT_TRUE(updated) << updated.error().message;
  EXPECT_EQ(updated->created_ns, 0);
  const auto rules = ReadSamplingRules(*repository_->Read()).rules;
  ASSERT_EQ(rules.size(), 1U);
  EXPECT_EQ(rules.front().fixed_rate, 1);
  EXPECT_EQ(rules.front().reservoir, 0);
  EXPECT_FALSE(Update({.name = "Default", .host = "a"}));
  EXPECT_EQ(Delete("Default").error().message, "Default rule cannot be deleted");
}

TEST_F(SamplingRulesTest, TellsWhenTheyWereChangedLast) {
  const auto last = [&] { return ReadSamplingRules(*repository_->Read()).last_modification_ns; };
  EXPECT_EQ(last(), 0);
  ASSERT_TRUE(Create(Named("r")));
  EXPECT_EQ(last(), clock_.UnixNs());
  clock_.Advance(kNsPerSecond);
  const auto deleted = Delete("r");
  ASSERT_TRUE(deleted);
  EXPECT_EQ(deleted->name, "r");
  EXPECT_EQ(last(), clock_.UnixNs());
  EXPECT_EQ(Delete("r").error().code, ErrorCode::kNotFound);
}

TEST_F(SamplingRulesTest, ComeThroughExportAndImport) {
  ASSERT_TRUE(Create(Named("r")));
  ASSERT_TRUE(Update({.name = "Default", .fixed_rate = 0.5}));
  const std::vector<std::string> kinds{std::string(kSamplingRuleKind)};
  const std::string text = ExportRecords(*repository_->Read(), kinds);
  const auto other = *Repository::Open(":memory:", clock_);
  const RecordChecks checks{{std::string(kSamplingRuleKind), CheckSamplingRuleRecord}};
  ASSERT_TRUE(ImportRecords(*other, "test", text, checks));
  EXPECT_EQ(ReadSamplingRules(*other->Read()).rules, ReadSamplingRules(*repository_->Read()).rules);
  EXPECT_FALSE(
      CheckSamplingRuleRecord("other", repository_->Read()->List(kSamplingRuleKind)[0].body));
}

}  // namespace
}  // namespace fluoro::control
