#include "analysis/usage.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace fluoro::analysis {
namespace {

double Units(const Amounts& amounts, Meter meter) {
  return amounts.at(static_cast<std::size_t>(meter));
}

UsageDay RandomDay(Rng& rng) {
  UsageDay day;
  for (std::uint64_t i = rng.Below(60); i > 0; --i) {
    const auto meter = static_cast<Meter>(rng.Below(kMeters));
    const double units = static_cast<double>(rng.Below(1'000'000)) / 8;
    day.Add(meter, units);
    day.AddTo(static_cast<Dimension>(rng.Below(kDimensions)),
              rng.Chance(0.1) ? "" : "n\"" + std::to_string(rng.Below(300)), meter, units);
  }
  return day;
}

TEST(UsageFile, ReadsWhatItPrintsAndRefusesEveryCut) {
  Rng rng(4);
  for (int round = 0; round < 100; ++round) {
    const UsageFile file{.day = static_cast<Day>(20'000 + round),
                         .counted_until_ns = static_cast<std::int64_t>(rng.Next() >> 1U),
                         .usage = RandomDay(rng)};
    const std::string text = PrintUsageFile(file);
    const auto again = ParseUsageFile(text);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, file);
    EXPECT_FALSE(ParseUsageFile(std::string_view(text).substr(0, rng.Below(text.size()))));
  }
  EXPECT_EQ(ParseUsageFile(R"({"version":2})").error().code, ErrorCode::kUnsupported);
}

TEST(UsageDay, RowsAreBoundedAndNothingIsLost) {
  UsageDay day;
  for (int i = 0; i < 1'000; ++i) {
    day.Add(Meter::kTracesRecorded, 1);
    day.AddTo(Dimension::kTenant, "tenant-" + std::to_string(i), Meter::kTracesRecorded, 1);
  }
  const auto& rows = day.By(Dimension::kTenant);
  EXPECT_EQ(rows.size(), kUsageRowsMax + 1);
  EXPECT_EQ(Units(rows.find(kOtherRow)->second, Meter::kTracesRecorded), 800);
  double sum = 0;
  for (const auto& [name, amounts] : rows) sum += Units(amounts, Meter::kTracesRecorded);
  EXPECT_EQ(sum, Units(day.total(), Meter::kTracesRecorded));
}

TEST(UsageDay, MergingAddsUp) {
  Rng rng(5);
  const UsageDay a = RandomDay(rng);
  const UsageDay b = RandomDay(rng);
  UsageDay ab = a;
  ab.Merge(b);
  UsageDay ba = b;
  ba.Merge(a);
  for (std::size_t i = 0; i < kMeters; ++i)
    EXPECT_DOUBLE_EQ(ab.total().at(i), a.total().at(i) + b.total().at(i));
  EXPECT_EQ(ab, ba);
  EXPECT_TRUE(UsageDay().IsZero());
  EXPECT_FALSE(ab.IsZero());
}

}  // namespace
}  // namespace fluoro::analysis
