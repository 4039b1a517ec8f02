#include "store/embedded/summary_pages.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"
#include "model/summary_testing.h"
#include "store/embedded/summary_builder.h"

namespace fluoro::store {
namespace {

using model::StoredSummary;
using model::SummaryTexts;
using model::testing::Print;

std::int64_t WildTime(Rng& rng) {
  constexpr std::int64_t kTimes[] = {INT64_MIN, -1, 0, 1'700'000'000'000'000'000, INT64_MAX};
  return rng.Chance(0.2) ? kTimes[rng.Below(std::size(kTimes))]
                         : static_cast<std::int64_t>(rng.Next() >> rng.Below(64));
}

SummaryTexts WildTexts(Rng& rng) {
  SummaryTexts texts;
  const auto text = [&] { return std::string(rng.Below(20), 'a') + std::to_string(rng.Below(99)); };
  for (std::uint64_t i = rng.Below(30); i > 0; --i) texts.texts.push_back(text());
  for (std::uint64_t i = 1 + rng.Below(30); i > 0; --i)
    texts.keys.push_back({text(), rng.Chance(0.5) ? "" : text(), rng.Chance(0.5) ? "" : text()});
  for (std::uint64_t i = rng.Below(30); i > 0; --i) {
    std::vector<std::uint32_t>& set = texts.sets.emplace_back();
    for (std::uint32_t key = 0; key < texts.keys.size(); ++key) {
      if (rng.Chance(0.3)) set.push_back(key);
    }
  }
  return texts;
}

StoredSummary WildSummary(Rng& rng, const SummaryTexts& texts) {
  if (rng.Chance(0.2)) return {};
  StoredSummary summary{
      .start_ns = WildTime(rng),
      .duration_ns = WildTime(rng),
      .response_ns = WildTime(rng),
      .status = static_cast<std::int32_t>(rng.Below(model::kSummaryStatusMax + 2)) - 1,
      .bits = static_cast<std::uint32_t>(rng.Below(model::kSummaryBits + 1)) | model::kSummaryKnown,
      .name = static_cast<std::uint32_t>(rng.Below(texts.texts.size() + 1)),
      .entry = static_cast<std::uint32_t>(rng.Below(texts.keys.size() + 1))};
  if (summary.Has(model::kRootInProgress)) summary.response_ns = 0;
  for (std::uint32_t& set : summary.services)
    set = static_cast<std::uint32_t>(rng.Below(texts.sets.size() + 1));
  return summary;
}

std::vector<TraceEntry> WildEntries(Rng& rng, std::size_t count) {
  std::vector<TraceEntry> traces(count);
  for (std::size_t i = 0; i < count; ++i) {
    traces[i].start_ns = WildTime(rng);
    traces[i].end_ns = WildTime(rng);
    traces[i].first_row = 3 * (count - i);
  }
  return traces;
}

bool AreEqual(const SummaryTexts& a, const SummaryTexts& b) {
  return a.texts == b.texts && a.keys == b.keys && a.sets == b.sets;
}

TEST(SummaryPages, GiveBackWhatWentIn) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const SummaryTexts texts = WildTexts(rng);
    const auto header = DecodeSummaryHeader(EncodeSummaryHeader(texts));
    ASSERT_TRUE(header) << header.error().message;
    EXPECT_TRUE(AreEqual(*header, texts));
    const auto traces = WildEntries(rng, 1 + rng.Below(600));
    std::vector<StoredSummary> summaries;
    for (std::size_t i = 0; i < traces.size(); ++i) summaries.push_back(WildSummary(rng, texts));
    std::vector<StoredSummary> back(traces.size());
    ASSERT_TRUE(DecodeSummaryPage(EncodeSummaryPage(summaries, traces), texts, traces, back));
    EXPECT_EQ(back, summaries);
  }
}

TEST(SummaryPages, CutAndFlippedBytesAreRefusedOrWithinTheirBounds) {
  Rng rng(5);
  const SummaryTexts texts = WildTexts(rng);
  const auto traces = WildEntries(rng, 20);
  std::vector<StoredSummary> summaries;
  for (std::size_t i = 0; i < traces.size(); ++i) summaries.push_back(WildSummary(rng, texts));
  const std::string page = EncodeSummaryPage(summaries, traces);
  const std::string header = EncodeSummaryHeader(texts);
  std::vector<StoredSummary> back(traces.size());
  for (std::size_t cut = 0; cut < page.size(); ++cut)
    EXPECT_FALSE(DecodeSummaryPage(page.substr(0, cut), texts, traces, back)) << cut;
  for (std::size_t cut = 0; cut < header.size(); ++cut)
    EXPECT_FALSE(DecodeSummaryHeader(header.substr(0, cut))) << cut;
  const auto flip = [](std::string bytes, std::size_t bit) {
    bytes[bit / 8] =
        static_cast<char>(static_cast<unsigned char>(bytes[bit / 8]) ^ (1U << (bit % 8)));
    return bytes;
  };
  for (std::size_t bit = 0; bit < page.size() * 8; ++bit) {
    if (!DecodeSummaryPage(flip(page, bit), texts, traces, back)) continue;
    for (const StoredSummary& summary : back) {
      EXPECT_LE(summary.name, texts.texts.size());
      EXPECT_LE(summary.entry, texts.keys.size());
      for (const std::uint32_t set : summary.services) EXPECT_LE(set, texts.sets.size());
    }
  }
  for (std::size_t bit = 0; bit < header.size() * 8; ++bit) {
    const auto read = DecodeSummaryHeader(flip(header, bit));
    if (!read) continue;
    for (const auto& set : read->sets) {
      EXPECT_TRUE(std::ranges::is_sorted(set));
      for (const std::uint32_t key : set) EXPECT_LT(key, read->keys.size());
    }
  }
}

TEST(SummaryBuilder, CopiesSummariesOfOtherBlocks) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    SummaryBuilder builder;
    std::vector<std::string> wanted;
    std::vector<TraceEntry> traces;
    for (int block = 0; block < 4; ++block) {
      SummaryTexts texts = WildTexts(rng);
      // Two that are equal are one.
      std::ranges::sort(texts.keys);
      texts.keys.erase(std::ranges::unique(texts.keys).begin(), texts.keys.end());
      for (auto& set : texts.sets)
        std::erase_if(set, [&](std::uint32_t key) { return key >= texts.keys.size(); });
      SummaryBuilder::Places places;
      for (std::uint64_t i = rng.Below(40); i > 0; --i) {
        const StoredSummary summary = WildSummary(rng, texts);
        traces.emplace_back().first_row = 7 * traces.size();
        wanted.push_back(Print(summary, texts));
        builder.Copy(traces.back().first_row, summary, texts, places);
      }
    }
    const auto texts = DecodeSummaryHeader(builder.EncodeHeader());
    ASSERT_TRUE(texts);
    const auto summaries = builder.Order(traces);
    for (std::size_t i = 0; i < traces.size(); ++i)
      EXPECT_EQ(Print(summaries[i], *texts), wanted[i]) << i;
  }
}

TEST(SummaryBuilder, WhatFindsNoPlaceIsNotKnown) {
  SummaryBuilder builder;
  SummaryTexts texts;
  constexpr std::uint32_t kKeys = kSummaryKeysMax + 10;
  for (std::uint32_t i = 0; i < kKeys; ++i) {
    texts.texts.push_back(i == 3 ? std::string(kSummaryTextBytesMax + 1, 'x') : std::to_string(i));
    texts.keys.push_back({.name = texts.texts.back(), .type = {}, .account_id = {}});
    texts.sets.push_back({i});
  }
  SummaryBuilder::Places places;
  std::vector<TraceEntry> traces(kKeys);
  for (std::uint32_t i = 0; i < kKeys; ++i) {
    traces[i].first_row = i;
    builder.Copy(i,
                 {.bits = model::kSummaryKnown,
                  .name = i + 1,
                  .entry = i % 2 == 0 ? i + 1 : 0,
                  .services = {i + 1, 0, 0, 0}},
                 texts, places);
  }
  const auto read = DecodeSummaryHeader(builder.EncodeHeader());
  ASSERT_TRUE(read) << read.error().message;
  const auto summaries = builder.Order(traces);
  EXPECT_EQ(summaries[3].name, 0U);
  EXPECT_TRUE(summaries[3].is_known());
  EXPECT_EQ(summaries[3].services[0], 0U);
  EXPECT_NE(summaries[4].entry, 0U);
  EXPECT_NE(summaries[kSummaryTextsMax - 1].name, 0U);
  EXPECT_EQ(summaries[kSummaryTextsMax + 5].name, 0U);
  EXPECT_FALSE(summaries[kKeys - 2].is_known()) << "its service has no place";
  EXPECT_TRUE(summaries[kKeys - 1].is_known());
  EXPECT_EQ(summaries[kKeys - 1].services[0], 0U);
}

}  // namespace
}  // namespace fluoro::store
