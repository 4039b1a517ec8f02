#include "cardinality/guard.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <unordered_set>

#include "base/rng.h"

namespace fluoro::cardinality {
namespace {

constexpr std::int64_t kNow = 500'000 * kHourNs;
constexpr std::int64_t kMinuteNs = kHourNs / 60;

void Put(BlockValues& block, std::string_view key, std::string_view text) {
  KeyValues* seen = block.Of(key);
  if (seen == nullptr) return;
  const std::uint32_t hash = HashOf(text);
  seen->carriers |= kSpan;
  seen->has_texts = true;
  ++seen->spans;
  seen->bytes += text.size();
  seen->distinct.Add(hash);
  seen->texts.Add(hash);
  seen->first.AddOne(hash);
  seen->first.AddDifferent({.hash = hash, .pattern = PatternOf(text)});
  seen->hitters.Add(text, 1);
  seen->AddExample(text);
}

std::string Word(std::size_t i) {
  std::string word = "w";
  for (; i > 0; i /= 26) word += static_cast<char>('a' + i % 26);
  return word;
}

class GuardTest : public ::testing::Test {
 protected:
  /// So many words, from number `first` on, each twice, so that their shape says nothing.
  std::vector<StateChange> PutWords(std::string_view key, std::size_t first, std::size_t count) {
    BlockValues block(1'000);
    for (std::size_t i = 0; i < 2 * count; ++i) Put(block, key, Word(first + i / 2));
    return guard_.Absorb(block, now_, settings_);
  }
  KeyReport Report(std::string_view key) { return guard_.Report(key, now_, settings_)->report; }
  State StateOf(std::string_view key) { return Report(key).state; }

  std::int64_t now_ = kNow;
  Settings settings_;
  Guard guard_{GuardLimits()};
};

TEST_F(GuardTest, WarnsBeforeTheBudgetAndDemotesAtIt) {
  EXPECT_TRUE(PutWords("colour", 0, 400).empty());
  EXPECT_EQ(StateOf("colour"), State::kOk);
  EXPECT_EQ(Report("colour").distinct, 400U);
  EXPECT_EQ(Report("colour").error, 0);
  EXPECT_EQ(Report("colour").spans, 800U);
  const auto warned = PutWords("colour", 400, 101);
  ASSERT_EQ(warned.size(), 1U);
  EXPECT_EQ(warned[0].now, State::kWatch);
  EXPECT_EQ(warned[0].why, Why::kHalf);
  EXPECT_EQ(Report("colour").index, Index::kFull);
  const auto demoted = PutWords("colour", 501, 499);
  ASSERT_EQ(demoted.size(), 1U);
  EXPECT_EQ(demoted[0].before, State::kWatch);
  EXPECT_EQ(demoted[0].now, State::kGuarded);
  EXPECT_EQ(demoted[0].why, Why::kBudget);
  EXPECT_EQ(demoted[0].distinct, 1'000U);
  EXPECT_EQ(demoted[0].budget, 1'000U);
  EXPECT_EQ(Report("colour").index, Index::kLookup);
}

TEST_F(GuardTest, KnownValuesStayGroupedAndNewOnesAreOthers) {
  PutWords("colour", 0, 1'000);
  PutWords("colour", 1'000, 300);
  const auto policy = guard_.MakePolicy(settings_);
  std::size_t known = 0;
  for (std::size_t i = 0; i < 1'000; ++i)
    known += policy->Group("colour", Word(i)) == Word(i) ? 1U : 0U;
  EXPECT_EQ(known, 1'000U);
  for (std::size_t i = 1'000; i < 1'300; ++i) EXPECT_EQ(policy->Group("colour", Word(i)), kOther);
  EXPECT_EQ(policy->Group("shape", "round"), "round");
  EXPECT_TRUE(policy->HasFilter("colour")) << "exact values are still found fast";
  EXPECT_FALSE(policy->IsOpen("colour"));
  settings_.guarded_index = Index::kNone;
  EXPECT_FALSE(guard_.MakePolicy(settings_)->HasFilter("colour"));
  // Of new values none is shown by name.
  const auto detail = guard_.Report("colour", now_, settings_);
  for (const auto& value : detail->values) EXPECT_NE(policy->Group("colour", value.text), kOther);
  std::uint64_t told = detail->other_spans;
  for (const auto& value : detail->values) told += value.count;
  EXPECT_EQ(told, detail->report.spans);
}

TEST_F(GuardTest, TellsIdsByTheirFirstValues) {
  struct Case {
    std::string name;
    std::size_t different, times;
    std::function<std::string(std::size_t)> value;
    State state;
    Why why;
  };
  const auto number = [](std::size_t i) { return std::to_string(1'000 + i * 7); };
  const auto mixed = [&](std::size_t i) { return i % 5 == 0 ? Word(i) : number(i); };
  const auto rarely = [&](std::size_t i) { return i % 4 == 0 ? Word(i) : number(i); };
  // `times` in a row each.
  for (const Case& wanted :
       std::initializer_list<Case>{{"unique", 200, 1, Word, State::kGuarded, Why::kUnique},
                                   {"too few", 199, 1, Word, State::kOk, Why::kNone},
                                   {"twice", 300, 2, Word, State::kOk, Why::kNone},
                                   {"numbers", 200, 3, number, State::kGuarded, Why::kIdLike},
                                   {"few numbers", 60, 100, number, State::kOk, Why::kNone},
                                   {"four of five", 210, 2, mixed, State::kGuarded, Why::kIdLike},
                                   {"three of four", 210, 2, rarely, State::kOk, Why::kNone}}) {
    BlockValues block(10);
    for (std::size_t i = 0; i < wanted.different * wanted.times; ++i)
      Put(block, wanted.name, wanted.value(i / wanted.times));
    guard_.Absorb(block, now_, settings_);
    EXPECT_EQ(StateOf(wanted.name), wanted.state) << wanted.name;
    EXPECT_EQ(Report(wanted.name).why, wanted.why) << wanted.name;
  }
  // Nineteen of twenty are enough, also over several blocks.
  for (const auto& [repeated, state] :
       {std::pair<std::size_t, State>{10, State::kGuarded}, {11, State::kOk}}) {
    const std::string key = "with " + std::to_string(repeated);
    for (std::size_t begin = 0; begin < 200; begin += 50) {
      BlockValues block(10);
      for (std::size_t i = begin; i < begin + 50; ++i)
        Put(block, key, i < repeated + 1 ? "same" : Word(i));
      guard_.Absorb(block, now_, settings_);
    }
    EXPECT_EQ(StateOf(key), state) << key;
  }
  EXPECT_EQ(Report("numbers").pattern, Pattern::kNumber);
}

TEST_F(GuardTest, ForeseesTheBreach) {
  PutWords("colour", 0, 100);
  EXPECT_FALSE(Report("colour").growth_per_hour) << "nothing is known of growth yet";
  now_ += 30 * kMinuteNs;
  EXPECT_TRUE(PutWords("colour", 100, 5).empty()) << "10 an hour take three days";
  EXPECT_NEAR(*Report("colour").growth_per_hour, 10, 1e-9);
  EXPECT_EQ(*Report("colour").breach_ns, now_ + static_cast<std::int64_t>(89.5 * kHourNs));
  now_ += 30 * kMinuteNs;
  const auto changes = PutWords("colour", 105, 45);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].why, Why::kProjected);
  EXPECT_NEAR(*Report("colour").growth_per_hour, 50, 1e-9);
  EXPECT_EQ(*Report("colour").breach_ns, now_ + 17 * kHourNs);
  // It stops growing.
  for (int i = 0; i < 8; ++i) {
    now_ += 20 * kMinuteNs;
    PutWords("colour", 0, 150);
  }
  EXPECT_EQ(StateOf("colour"), State::kOk);
  EXPECT_EQ(*Report("colour").growth_per_hour, 0);
  EXPECT_FALSE(Report("colour").breach_ns);
  // Many values at once and then no more is no growth.
  BlockValues block(10);
  for (std::size_t i = 0; i < 600; ++i) Put(block, "shape", Word(i / 2));
  guard_.Absorb(block, now_, settings_);
  EXPECT_EQ(StateOf("shape"), State::kOk);
}

TEST_F(GuardTest, DoesWhatSomebodyDecided) {
  PutWords("colour", 0, 1'200);
  ASSERT_EQ(StateOf("colour"), State::kGuarded);
  settings_.keys["colour"].index = Index::kFull;
  auto changes = guard_.JudgeAll(now_, settings_);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].now, State::kWatch) << "it is told of all the same";
  EXPECT_TRUE(Report("colour").by_hand);
  PutWords("colour", 1'200, 500);
  auto policy = guard_.MakePolicy(settings_);
  EXPECT_EQ(policy->Group("colour", "never seen"), "never seen");
  EXPECT_TRUE(policy->IsOpen("colour"));
  settings_.keys["colour"].index = Index::kNone;
  guard_.JudgeAll(now_, settings_);
  policy = guard_.MakePolicy(settings_);
  EXPECT_FALSE(policy->HasFilter("colour"));
  EXPECT_EQ(policy->Group("colour", Word(3)), Word(3));
  EXPECT_EQ(policy->Group("colour", "never seen"), kOther);
  PutWords("colour", 5'000, 1);
  EXPECT_EQ(guard_.MakePolicy(settings_)->Group("colour", Word(5'000)), kOther);
  // Keys that nobody has seen, too.
  settings_.keys["later"].index = Index::kNone;
  EXPECT_FALSE(guard_.MakePolicy(settings_)->HasFilter("later"));
  settings_.keys.clear();
  guard_.JudgeAll(now_, settings_);
  EXPECT_EQ(StateOf("colour"), State::kGuarded) << "left to itself it is over its budget";
  settings_.keys["colour"].budget = 2'000;
  changes = guard_.JudgeAll(now_, settings_);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].now, State::kWatch);
  settings_.keys["colour"].budget = 4'000;
  guard_.JudgeAll(now_, settings_);
  EXPECT_EQ(StateOf("colour"), State::kOk);
}

TEST_F(GuardTest, ABudgetIsOfADayAndWhatCalmsDownIsIndexedAgain) {
  PutWords("colour", 0, 1'000);
  ASSERT_EQ(StateOf("colour"), State::kGuarded);
  for (int hour = 0; hour < 23; ++hour) {
    now_ += kHourNs;
    PutWords("colour", 0, 20);
    ASSERT_EQ(StateOf("colour"), State::kGuarded) << hour;
  }
  now_ += kHourNs;
  const auto changes = PutWords("colour", 0, 20);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].now, State::kOk);
  EXPECT_EQ(changes[0].distinct, 20U);
  const auto detail = guard_.Report("colour", now_, settings_);
  ASSERT_EQ(detail->hours.size(), 25U);
  EXPECT_EQ(detail->hours.front().count.distinct, 1'000U);
  EXPECT_EQ(detail->hours[3].count.distinct, 20U);
  EXPECT_EQ(detail->hours[3].count.distinct_day, 1'000U);
  EXPECT_EQ(detail->hours.back().count.distinct_day, 20U);
  EXPECT_EQ(detail->hours.back().count.spans, 40U);
}

TEST_F(GuardTest, NumbersAndIdsAndContentAreNotGuarded) {
  for (const std::string_view key : {"session.id", "gen_ai.input.messages"}) {
    BlockValues block(10);
    for (std::size_t i = 0; i < 5'000; ++i) Put(block, key, Word(i));
    guard_.Absorb(block, now_, settings_);
    EXPECT_EQ(StateOf(key), State::kOk);
    EXPECT_FALSE(Report(key).budget);
    EXPECT_TRUE(guard_.Report(key, now_, settings_)->values.empty()) << "no value is shown by name";
  }
  EXPECT_EQ(Report("session.id").index, Index::kLookup);
  EXPECT_EQ(Report("gen_ai.input.messages").index, Index::kNone);
  EXPECT_TRUE(Report("gen_ai.input.messages").examples.empty());
  BlockValues block(10);
  KeyValues* seen = block.Of("size");
  seen->spans = 5'000;
  for (std::uint64_t i = 0; i < 5'000; ++i) seen->distinct.Add(HashOf(i));
  guard_.Absorb(block, now_, settings_);
  EXPECT_EQ(StateOf("size"), State::kOk);
  EXPECT_EQ(Report("size").key_class, KeyClass::kNumeric);
}

TEST_F(GuardTest, AClockThatIsSetBackAddsToTheHourThatWas) {
  PutWords("colour", 0, 10);
  now_ -= 5 * kHourNs;
  PutWords("colour", 10, 10);
  now_ += 5 * kHourNs;
  PutWords("colour", 20, 10);
  EXPECT_EQ(Report("colour").distinct, 30U);
  EXPECT_EQ(guard_.Report("colour", now_, settings_)->hours.size(), 1U);
}

// A bug gives every request a tenant of its own, from the fifth hour on.
TEST_F(GuardTest, AHundredThousandTenants) {
  Rng rng(3);
  std::vector<StateChange> changes;
  std::unordered_set<std::string> truth;
  std::size_t next = 0;
  for (int minute = 0; minute < 15 * 60; minute += 10) {
    now_ += 10 * kMinuteNs;
    BlockValues block(100);
    for (int i = 0; i < 3'000; ++i) Put(block, "tenant.id", "tenant " + Word(rng.Below(900)));
    if (minute >= 5 * 60) {
      for (int i = 0; i < 1'667; ++i) Put(block, "tenant.id", "bug " + Word(next++));
    }
    const auto more = guard_.Absorb(block, now_, settings_);
    changes.insert(changes.end(), more.begin(), more.end());
  }
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_EQ(changes[0].now, State::kWatch);
  EXPECT_EQ(changes[0].why, Why::kProjected) << "long before half of it";
  EXPECT_LT(changes[0].distinct, 3'000U);
  EXPECT_EQ(changes[1].now, State::kGuarded);
  EXPECT_EQ(changes[1].why, Why::kBudget);
  EXPECT_NEAR(static_cast<double>(changes[1].distinct), 10'000, 1'800);
  const KeyReport report = Report("tenant.id");
  EXPECT_NEAR(static_cast<double>(report.distinct), 900 + static_cast<double>(next),
              5 * 0.0082 * 101'000);
  const auto policy = guard_.MakePolicy(settings_);
  for (std::size_t i = 0; i < 900; ++i) {
    const std::string tenant = "tenant " + Word(i);
    ASSERT_EQ(policy->Group("tenant.id", tenant), tenant) << "who was there before stays";
  }
  EXPECT_EQ(policy->Group("tenant.id", "bug " + Word(next - 1)), kOther);
}

TEST_F(GuardTest, MemoryIsBoundedWhateverKeysCome) {
  Guard guard{{.keys_max = 2'000, .bytes_max = std::size_t{16} << 20}};
  std::size_t next = 0;
  for (int i = 0; i < 50; ++i) {
    now_ += kMinuteNs;
    BlockValues block(2'000);
    for (int key = 0; key < 2'000; ++key) {
      const std::string name = "key " + std::to_string(next++);
      for (std::size_t value = 0; value < 20; ++value) Put(block, name, Word(value));
    }
    EXPECT_EQ(block.Of("one more"), nullptr);
    guard.Absorb(block, now_, settings_);
    EXPECT_LE(guard.keys().size(), 2'000U);
    EXPECT_LE(guard.MemoryBytes(), std::size_t{16} << 20);
  }
  EXPECT_EQ(next, 100'000U);
  EXPECT_EQ(guard.crowded_out(), 98'000U + 50U);
  // Those that came first keep their places until they are not seen for a day.
  now_ += 25 * kHourNs;
  BlockValues block(2'000);
  Put(block, "new", "value");
  guard.Absorb(block, now_, settings_);
  EXPECT_TRUE(guard.keys().contains("new"));
  EXPECT_EQ(guard.keys().size(), 2'000U);
  now_ += 8 * 24 * kHourNs;
  guard.Absorb(block, now_, settings_);
  EXPECT_EQ(guard.keys().size(), 1U) << "what nobody sends any more is forgotten";
}

TEST_F(GuardTest, WithoutRoomSetsGetLessExactAndSayso) {
  Guard guard{{.keys_max = 100, .bytes_max = 400'000}};
  Rng rng(5);
  for (int hour = 0; hour < 6; ++hour) {
    now_ += kHourNs;
    BlockValues block(100);
    for (int key = 0; key < 20; ++key) {
      KeyValues* seen = block.Of("key " + std::to_string(key));
      seen->has_texts = true;
      for (int i = 0; i < 10'000; ++i) seen->distinct.Add(static_cast<std::uint32_t>(rng.Next()));
    }
    guard.Absorb(block, now_, settings_);
    EXPECT_LE(guard.MemoryBytes(), 400'000U) << hour;
  }
  for (const KeyReport& report : guard.Report(now_, settings_).keys) {
    EXPECT_GT(report.error, 0.01);
    EXPECT_LT(report.error, 0.07);
    EXPECT_NEAR(static_cast<double>(report.distinct), 60'000, 60'000 * 5 * report.error);
  }
}

TEST_F(GuardTest, ForgetsTextsWhereSpansWereDeleted) {
  PutWords("colour", 0, 50);
  ASSERT_FALSE(Report("colour").examples.empty());
  guard_.ForgetTexts();
  EXPECT_TRUE(Report("colour").examples.empty());
  EXPECT_TRUE(guard_.Report("colour", now_, settings_)->values.empty());
  EXPECT_EQ(guard_.Report("colour", now_, settings_)->other_spans, 100U);
  EXPECT_EQ(Report("colour").distinct, 50U);
}

}  // namespace
}  // namespace fluoro::cardinality
