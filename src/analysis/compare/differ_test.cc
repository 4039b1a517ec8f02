// Laws: what does not differ is not found, what is planted comes first, weights undo thinning, and
// every bound tells what it left out.
#include "analysis/compare/differ.h"

#include <gmock/gmock.h>

#include <functional>

#include "analysis/compare/selection.h"
#include "analysis/compare/traffic_for_test.h"

namespace fluoro::analysis::compare {
namespace {

using testing::RequestOf;
using testing::TraceOf;

constexpr auto kS = static_cast<std::size_t>(Side::kSelection);
constexpr auto kB = static_cast<std::size_t>(Side::kBaseline);

Side SideOf(bool selected) { return selected ? Side::kSelection : Side::kBaseline; }

std::size_t SureOf(const DifferReport& report) {
  return static_cast<std::size_t>(std::ranges::count_if(
      report.findings, [](const Finding& one) { return one.verdict == Verdict::kSure; }));
}

const Finding* FindKey(const DifferReport& report, std::string_view key) {
  for (const Finding& finding : report.findings) {
    if (finding.name.key == key) return &finding;
    for (const KeyName& same : finding.same_as) {
      if (same.key == key) return &finding;
    }
  }
  return nullptr;
}

const ValueShare* FindValue(const Finding& finding, std::string_view text) {
  for (const ValueShare& value : finding.values) {
    if (value.kind == ValueShare::Kind::kValue && value.text == text) return &value;
  }
  return nullptr;
}

// Share of seeds with a false find. `select` decides without looking at what is counted.
struct NullCase {
  std::string_view name;
  std::uint64_t traces;
  double selected;
  double thinned;  ///< of the traces, those that are kept with a probability of a tenth
};

class NullTest : public ::testing::TestWithParam<NullCase> {};

TEST_P(NullTest, WhatDoesNotDifferIsNotFound) {
  constexpr std::uint64_t kSeeds = 150;
  std::uint64_t false_finds = 0;
  std::uint64_t keys = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Rng rng(seed * 7919);
    Differ differ;
    for (std::uint64_t i = 0; i < GetParam().traces; ++i) {
      const bool thinned = rng.Chance(GetParam().thinned);
      const auto trace = TraceOf(rng, RequestOf(rng, seed * 100'000 + i));
      differ.Add(trace, SideOf(rng.Chance(GetParam().selected)), thinned ? 10 : 1);
    }
    const DifferReport report = differ.Report({});
    false_finds += SureOf(report) > 0 ? 1U : 0U;
    keys += report.tested;
  }
  RecordProperty("false_finds", static_cast<int>(false_finds));
  EXPECT_GT(keys, kSeeds * 15);  // so many were looked at
  EXPECT_LE(false_finds, kSeeds / 20) << GetParam().name;
}

INSTANTIATE_TEST_SUITE_P(Differ, NullTest,
                         ::testing::Values(NullCase{"a few selected", 300, 0.05, 0},
                                           NullCase{"halves", 300, 0.5, 0},
                                           NullCase{"thinned", 400, 0.2, 0.5}),
                         [](const auto& one) { return "Case" + std::to_string(one.index); });

// One database shard is slow; the slowest 5 % are selected.
TEST(Differ, APlantedCauseComesFirst) {
  constexpr int kSeeds = 40;
  int first = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Rng rng(seed);
    std::vector<testing::Request> requests;
    std::vector<std::pair<std::int64_t, double>> durations;
    for (std::uint64_t i = 0; i < 600; ++i) {
      requests.push_back(RequestOf(rng, i));
      if (requests.back().shard == "shard-7") requests.back().duration_ms *= 2.5;
      durations.emplace_back(static_cast<std::int64_t>(requests.back().duration_ms * 1e6), 1.0);
    }
    Selection selection;
    selection.slowest = 0.05;
    selection.duration_min_ns = SlowestFrom(durations, selection.slowest);
    Differ differ;
    for (const auto& request : requests) {
      const auto trace = TraceOf(rng, request);
      differ.Add(trace, SideOf(selection.Holds(query::TraceView(trace))), 1);
    }
    const DifferReport report = differ.Report({});
    ASSERT_EQ(report.sets[kS].traces, 30U);
    if (report.findings.empty()) continue;
    const Finding& found = report.findings.front();
    if (found.name.key != "db.shard" || found.verdict != Verdict::kSure) continue;
    ++first;
    EXPECT_EQ(found.values.front().text, "shard-7");
    EXPECT_GT(found.values.front().share[kS], found.values.front().share[kB]);
    ASSERT_TRUE(found.values.front().example[kS].has_value());
  }
  EXPECT_GE(first, kSeeds - 2);
}

// Ten failing requests among many: so few that no table of several cells holds.
TEST(Differ, FindsTheCauseOfAFew) {
  int first = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Rng rng(seed);
    Differ differ;
    for (std::uint64_t i = 0; i < 500; ++i) {
      testing::Request request = RequestOf(rng, i);
      request.fails = i % 50 == 0;
      if (request.fails) request.shard = rng.Chance(0.9) ? "shard-7" : "shard-1";
      differ.Add(TraceOf(rng, request), SideOf(request.fails), 1);
    }
    const DifferReport report = differ.Report({"outcome", "http.response.status_code"});
    EXPECT_EQ(report.given.size(), 2U);
    const Finding* const found = FindKey(report, "db.shard");
    if (found != nullptr && found->verdict == Verdict::kSure && found == &report.findings.front())
      ++first;
  }
  EXPECT_GE(first, 19);
}

TEST(Differ, CountsAbsentAsAValueAndFoldsNamesOfOneThing) {
  Rng rng(3);
  Differ differ;
  for (std::uint64_t i = 0; i < 400; ++i) {
    model::testing::SpanBuilder span(1, "root");
    span.InTrace(testing::TraceIdOf(i)).Between(0, 10).Set("always", 1);
    const bool selected = i % 4 == 0;
    if (rng.Chance(selected ? 0.2 : 0.9)) span.Set("cache.key", "k").Set("cache.name", "k");
    differ.Add(model::testing::AssembleSpans({span}), SideOf(selected), 1);
  }
  const DifferReport report = differ.Report({});
  const Finding* const found = FindKey(report, "cache.key");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->verdict, Verdict::kSure);
  ASSERT_EQ(found->same_as.size(), 1U);
  EXPECT_EQ(found->same_as.front().key, "cache.name");
  ASSERT_EQ(found->values.size(), 2U);
  EXPECT_TRUE(std::ranges::any_of(found->values, [](const ValueShare& value) {
    return value.kind == ValueShare::Kind::kAbsent && value.share[kS] > 0.7 &&
           value.share[kB] < 0.2;
  }));
  EXPECT_EQ(FindKey(report, "always"), nullptr);
}

TEST(Differ, NumbersAreComparedByRangesThatBothSidesShare) {
  Rng rng(5);
  Differ differ;
  for (std::uint64_t i = 0; i < 600; ++i) {
    const bool selected = i % 3 == 0;
    model::testing::SpanBuilder span(1, "root");
    span.InTrace(testing::TraceIdOf(i)).Between(0, 10);
    span.Set("body.size", static_cast<std::int64_t>((selected ? 4'000 : 1'000) *
                                                    std::exp(testing::Normal(rng))));
    span.Set("skew", testing::Normal(rng));
    span.Set("retries", selected ? 2 : static_cast<int>(rng.Below(2)));
    differ.Add(model::testing::AssembleSpans({span}), SideOf(selected), 1);
  }
  const DifferReport report = differ.Report({});
  const Finding* const retries = FindKey(report, "retries");
  ASSERT_NE(retries, nullptr);
  EXPECT_NE(FindValue(*retries, "2"), nullptr);
  EXPECT_NEAR(retries->distance, 1, 0.05);  // no value is shared
  const Finding* const size = FindKey(report, "body.size");
  ASSERT_NE(size, nullptr);
  EXPECT_EQ(size->verdict, Verdict::kSure);
  BySide sum{};
  for (const ValueShare& value : size->values) {
    EXPECT_EQ(value.kind, ValueShare::Kind::kRange);
    EXPECT_LT(value.low, value.high);
    for (std::size_t side = 0; side < kSides; ++side) sum[side] += value.share[side];
  }
  EXPECT_GT(size->values_more + size->values.size(), 5U);
  EXPECT_LE(size->values_more + size->values.size(), 9U);
  const Finding* const skew = FindKey(report, "skew");
  EXPECT_TRUE(skew == nullptr || skew->verdict != Verdict::kSure);
}

TEST(Differ, IdsAreFoldedAway) {
  Rng rng(5);
  Differ differ;
  for (std::uint64_t i = 0; i < 300; ++i)
    differ.Add(TraceOf(rng, RequestOf(rng, i)), SideOf(i % 2 == 0), 1);
  const DifferReport report = differ.Report({});
  ASSERT_EQ(report.ids.size(), 1U);
  EXPECT_EQ(report.ids.front().name.key, "request.id");
  EXPECT_EQ(report.ids.front().distinct, 1);
}

// What a store holds after thinning, weighted, says of shares what it held before.
TEST(Differ, WeightsUndoThinning) {
  Rng rng(11);
  Differ whole;
  Differ thinned;
  for (std::uint64_t i = 0; i < 4'000; ++i) {
    testing::Request request = RequestOf(rng, i);
    const bool selected = request.duration_ms > 150;
    if (selected && rng.Chance(0.4)) request.shard = "shard-7";
    const auto trace = TraceOf(rng, request);
    whole.Add(trace, SideOf(selected), 1);
    const double probability = selected ? 1 : request.shard == "shard-1" ? 0.8 : 0.2;
    if (rng.Chance(probability)) thinned.Add(trace, SideOf(selected), 1 / probability);
  }
  const DifferReport before = whole.Report({});
  const DifferReport after = thinned.Report({});
  EXPECT_NEAR(after.sets[kB].weight / before.sets[kB].weight, 1, 0.1);
  EXPECT_LT(after.sets[kB].effective, static_cast<double>(after.sets[kB].traces));
  const Finding* const was = FindKey(before, "db.shard");
  const Finding* const is = FindKey(after, "db.shard");
  ASSERT_NE(was, nullptr);
  ASSERT_NE(is, nullptr);
  EXPECT_EQ(is, &after.findings.front());
  EXPECT_NEAR(is->distance, was->distance, 0.06);
  for (const char* shard : {"shard-7", "shard-1"}) {
    const ValueShare* const value_was = FindValue(*was, shard);
    const ValueShare* const value_is = FindValue(*is, shard);
    if (value_was == nullptr || value_is == nullptr) continue;
    EXPECT_NEAR(value_is->share[kB], value_was->share[kB], 0.02) << shard;
    EXPECT_DOUBLE_EQ(value_is->share[kS], value_was->share[kS]) << shard;
  }
}

// The frequent value of a key with thousands is counted right beside "other"; keys without room
// are told.
TEST(Differ, BoundsHoldAndTellWhatTheyLeftOut) {
  Rng rng(2);
  Differ differ({.keys_max = 6, .values_max = 32, .value_bytes_max = 16, .buckets_max = 8});
  for (std::uint64_t i = 0; i < 2'000; ++i) {
    const bool selected = i % 2 == 0;
    model::testing::SpanBuilder span(1, "root");
    span.InTrace(testing::TraceIdOf(i)).Between(0, 10);
    const bool frequent = rng.Chance(selected ? 0.5 : 0.1);
    span.Set("many", frequent ? "frequent" : "rare-" + std::to_string(rng.Below(400)));
    span.Set("number", std::exp(10 * testing::Normal(rng)));
    span.Set("long", std::string(5'000, 'x') + std::to_string(i));
    span.Set("k" + std::to_string(i % 3), 1);
    differ.Add(model::testing::AssembleSpans({span}), SideOf(selected), 1);
  }
  const DifferReport report = differ.Report({});
  EXPECT_GT(report.values_left_out, 0U);
  const Finding* const many = FindKey(report, "many");
  ASSERT_NE(many, nullptr);
  const ValueShare* const frequent = FindValue(*many, "frequent");
  ASSERT_NE(frequent, nullptr);
  EXPECT_NEAR(frequent->share[kS], 0.5, 0.05);
  EXPECT_NEAR(frequent->share[kB], 0.1, 0.03);
  EXPECT_EQ(FindKey(report, "long"), nullptr);  // all alike once they are cut
}

// Shares of all values of a key sum to one on both sides, whatever was sent.
TEST(Differ, SharesSumToOneAndAWholeSideMayBeEmpty) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Rng rng(seed);
    Differ differ({.keys_max = 60, .values_max = 5, .value_bytes_max = 16, .buckets_max = 4});
    const std::uint64_t traces = 3 + rng.Below(60);
    for (std::uint64_t i = 0; i < traces; ++i) {
      std::vector<model::Span> spans;
      for (std::uint64_t n = 1 + rng.Below(4); n > 0; --n) {
        model::testing::SpanBuilder span(n, "s" + std::to_string(rng.Below(3)));
        span.InTrace(testing::TraceIdOf(i)).Between(0, 10);
        for (int keys = 0; keys < 4; ++keys) {
          const std::string key = "k" + std::to_string(rng.Below(3));
          switch (rng.Below(4)) {
            case 0:
              span.Set(key, static_cast<std::int64_t>(rng.Below(20)) - 10);
              break;
            case 1:
              span.Set(key, testing::Normal(rng));
              break;
            case 2:
              span.Set(key, rng.Chance(0.5));
              break;
            default:
              span.Set(key, std::to_string(rng.Below(9)));
          }
        }
        spans.push_back(span);
      }
      differ.Add(model::testing::AssembleSpans(std::move(spans)), SideOf(rng.Chance(0.4)),
                 1 + static_cast<double>(rng.Below(3)));
    }
    const DifferReport report = differ.Report({});
    for (const Finding& finding : report.findings) {
      EXPECT_GE(finding.distance, 0);
      EXPECT_LE(finding.distance, 1);
      EXPECT_LE(finding.p, finding.q);
      if (finding.values_more > 0) continue;
      BySide sum{};
      for (const ValueShare& value : finding.values) {
        for (std::size_t side = 0; side < kSides; ++side) sum[side] += value.share[side];
      }
      EXPECT_NEAR(sum[kS], 1, 1e-9) << seed << finding.name.key;
      EXPECT_NEAR(sum[kB], 1, 1e-9) << seed << finding.name.key;
    }
  }
  Differ differ;
  Rng rng(1);
  differ.Add(TraceOf(rng, RequestOf(rng, 1)), Side::kSelection, 1);
  EXPECT_TRUE(differ.Report({}).findings.empty());
}

TEST(Selection, TakesTheSlowestShareByWeight) {
  std::vector<std::pair<std::int64_t, double>> durations;
  for (std::int64_t i = 1; i <= 100; ++i) durations.emplace_back(i, 1.0);
  EXPECT_EQ(SlowestFrom(durations, 0.05), 96);
  durations.emplace_back(1'000, 50.0);  // one that stands for fifty
  EXPECT_EQ(SlowestFrom(durations, 0.05), 1'000);
  durations.clear();
  EXPECT_EQ(SlowestFrom(durations, 0.05), 0);
}

TEST(Selection, SaysWhatItAsksForAndWhatIsGivenByIt) {
  Selection selection;
  EXPECT_EQ(selection.Words(), "");
  selection.failing = true;
  selection.slowest = 0.05;
  selection.duration_min_ns = 1'200'000'000;
  selection.filter = *query::Filter::Parse(
      R"(annotation.shard = "7" OR service("db") { fault AND !annotation.tenant = "a" })");
  EXPECT_EQ(selection.Words(),
            "the slowest 5 % (1.2 s and more), failing, with " + selection.filter->text());
  EXPECT_THAT(selection.GivenKeys(),
              ::testing::ElementsAre("outcome", "service", "shard", "tenant"));
}

}  // namespace
}  // namespace fluoro::analysis::compare
