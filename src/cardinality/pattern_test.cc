#include "cardinality/pattern.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "cardinality/heavy_hitters.h"
#include "cardinality/key_class.h"

namespace fluoro::cardinality {
namespace {

TEST(Pattern, IsToldByForm) {
  for (const auto& [text, pattern] : std::initializer_list<std::pair<std::string, Pattern>>{
           {"7f9c2ba4-e88f-827d-6160-45507605853e", Pattern::kUuid},
           {"7F9C2BA4-E88F-827D-6160-45507605853E", Pattern::kUuid},
           {"7f9c2ba4-e88f-827d-6160-45507605853", Pattern::kText},
           {"7f9c2ba4e88f", Pattern::kHex},
           {"1-67891233-abcdef012345678912345678", Pattern::kText},
           {"deadbeef", Pattern::kText},
           {"7f9c2b", Pattern::kText},
           {"42", Pattern::kNumber},
           {"-3.25", Pattern::kNumber},
           {"12345678", Pattern::kNumber},
           {"1.2.3", Pattern::kText},
           {"", Pattern::kText},
           {"-", Pattern::kText},
           {"ada@example.com", Pattern::kEmail},
           {"@example.com", Pattern::kText},
           {"a@b@c.d", Pattern::kText},
           {"2026-11-29T21:17:00Z", Pattern::kTimestamp},
           {"2026-11-29 21:17:00", Pattern::kTimestamp},
           {"2026-11-29", Pattern::kText},
           {"/orders/4213/items", Pattern::kPathId},
           {"https://shop.example/u/7f9c2ba4e88f?x=1", Pattern::kPathId},
           {"/orders/{id}", Pattern::kText},
           {"tenant-00421", Pattern::kNumbered},
           {"eu-west-1a", Pattern::kText},
           {"gpt-4o-mini", Pattern::kText}}) {
    EXPECT_EQ(PatternOf(text), pattern) << text << ": " << PatternName(PatternOf(text));
  }
}

TEST(Pattern, OnlyWhatNamesOneThingIsIdLike) {
  EXPECT_TRUE(IsIdLike(Pattern::kUuid) && IsIdLike(Pattern::kHex) && IsIdLike(Pattern::kNumber) &&
              IsIdLike(Pattern::kEmail));
  EXPECT_FALSE(IsIdLike(Pattern::kText) || IsIdLike(Pattern::kTimestamp) ||
               IsIdLike(Pattern::kPathId) || IsIdLike(Pattern::kNumbered));
}

TEST(KeyClass, FollowsTheFieldThatAKeyIsReadFor) {
  struct Case {
    std::string_view key;
    KeyClass key_class;
    std::uint32_t budget;
  };
  for (const Case& wanted :
       {Case{"tenant", KeyClass::kGuarded, 10'000}, Case{"tenant.id", KeyClass::kGuarded, 10'000},
        Case{"app.tenant", KeyClass::kGuarded, 10'000},
        Case{"http.route", KeyClass::kGuarded, 2'000},
        Case{"gen_ai.request.model", KeyClass::kGrouped, 500},
        Case{"llm.model_name", KeyClass::kGrouped, 500},
        Case{"gen_ai.tool.name", KeyClass::kGrouped, 1'000},
        Case{"error.type", KeyClass::kGrouped, 500},
        Case{"gen_ai.usage.input_tokens", KeyClass::kGuarded, 1'000},
        Case{"prompt_tokens", KeyClass::kNumeric, 1'000},
        Case{"session.id", KeyClass::kLookup, 1'000},
        Case{"gen_ai.response.id", KeyClass::kLookup, 1'000},
        Case{"gen_ai.input.messages", KeyClass::kContent, 1'000},
        Case{"llm.input_messages.0.message.content", KeyClass::kContent, 1'000},
        Case{"db.query.text", KeyClass::kContent, 1'000},
        Case{"calls/tenant", KeyClass::kGuarded, 10'000},
        Case{"calls/model", KeyClass::kGrouped, 500}, Case{"colour", KeyClass::kGuarded, 1'000}}) {
    const KeyKind kind = KindOf(wanted.key);
    EXPECT_EQ(kind.key_class, wanted.key_class)
        << wanted.key << " " << KeyClassName(kind.key_class);
    EXPECT_EQ(Settings().BudgetOf(wanted.key, kind), wanted.budget) << wanted.key;
  }
  Settings settings;
  settings.budgets = {{"tenant", 7}};
  settings.keys["tenant.id"].budget = 9;
  EXPECT_EQ(settings.BudgetOf("app.tenant", KindOf("app.tenant")), 7U);
  EXPECT_EQ(settings.BudgetOf("tenant.id", KindOf("tenant.id")), 9U);
}

TEST(HeavyHitters, KeepWhatComesOften) {
  HeavyHitters hitters;
  for (int round = 0; round < 100; ++round) {
    hitters.Add("often", 50);
    hitters.Add("less often", 20);
    for (int i = 0; i < 20; ++i) hitters.Add("once " + std::to_string(round * 20 + i), 1);
  }
  const auto sorted = hitters.Sorted();
  ASSERT_EQ(sorted.size(), HeavyHitters::kEntriesMax);
  EXPECT_EQ(sorted[0], (HeavyHitters::Entry{.text = "often", .count = 5'000, .over = 0}));
  EXPECT_EQ(sorted[1], (HeavyHitters::Entry{.text = "less often", .count = 2'000, .over = 0}));
  std::uint64_t all = 0;
  for (const auto& entry : sorted) all += entry.count;
  EXPECT_EQ(all, 9'000U) << "what has no name any more counts for who took its place";
}

TEST(HeavyHitters, CutLongTextsBetweenCharacters) {
  const std::string umlauts = "x" + [] {
    std::string text;
    for (int i = 0; i < 60; ++i) text += "\xc3\xa4";
    return text;
  }();
  const std::string_view cut = CutShown(umlauts);
  EXPECT_EQ(cut.size(), 63U);
  EXPECT_EQ(CutShown("short"), "short");
  EXPECT_EQ(CutShown(std::string(100, '\x80')).size(), 60U) << "of what is no text some is cut";
}

}  // namespace
}  // namespace fluoro::cardinality
