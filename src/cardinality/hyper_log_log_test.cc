#include "cardinality/hyper_log_log.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <unordered_set>

#include "base/rng.h"

namespace fluoro::cardinality {
namespace {

std::uint32_t Random(Rng& rng) { return static_cast<std::uint32_t>(rng.Next()); }

// As sets of 32-bit hashes are: with so many values some hashes are the same.
double DifferentHashes(double values) { return -0x1.0p32 * std::expm1(-values / 0x1.0p32); }

TEST(HyperLogLog, CountsExactlyWhileValuesAreFew) {
  Rng rng(1);
  HyperLogLog set;
  std::unordered_set<std::uint32_t> truth;
  while (truth.size() < HyperLogLog::kCountedMax) {
    const std::uint32_t hash = Random(rng);
    truth.insert(hash);
    set.Add(hash);
    if (rng.Chance(0.5)) set.Add(hash);
    if (truth.size() % 97 == 0) {
      EXPECT_EQ(set.Estimate(), static_cast<double>(truth.size()));
      EXPECT_EQ(set.Error(), 0);
    }
  }
  EXPECT_EQ(set.hashes().size(), truth.size());
  EXPECT_TRUE(set.is_counted());
  for (int i = 0; i < 1'000; ++i) set.Add(Random(rng));
  EXPECT_NEAR(set.Estimate(), 5'096, 5'096 * 0.05);
  EXPECT_FALSE(set.is_counted());
  EXPECT_NEAR(set.Error(), 0.008125, 1e-9);
}

// Over 40 seeds the mean error is that of sqrt(40) times as many registers, and the root of the
// mean square is the standard error within what 40 draws tell of it: bounds of five standard
// deviations, which one right program in a million runs would miss.
TEST(HyperLogLog, ErrsByItsStandardErrorAndWithoutBias) {
  constexpr int kSeeds = 40;
  for (const unsigned folds : {0U, 2U, 5U, 8U}) {
    for (const std::size_t values : {5'000U, 20'000U, 60'000U, 300'000U}) {
      double sum = 0;
      double squares = 0;
      double stated = 0;
      for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        Rng rng(seed * 1'000 + folds);
        HyperLogLog set;
        set.Expect(values);
        for (std::size_t i = 0; i < values; ++i) set.Add(Random(rng));
        for (unsigned fold = 0; fold < folds; ++fold) ASSERT_TRUE(set.Fold());
        stated = set.Error();
        const double error = set.Estimate() / DifferentHashes(static_cast<double>(values)) - 1;
        sum += error;
        squares += error * error;
      }
      const double mean = sum / kSeeds;
      const double deviation = std::sqrt(squares / kSeeds);
      // With many registers empty it is better than it says.
      EXPECT_LT(std::abs(mean), 5 * stated / std::sqrt(kSeeds)) << folds << " " << values;
      EXPECT_LT(deviation, stated * (1 + 5 / std::sqrt(2.0 * kSeeds))) << folds << " " << values;
      EXPECT_GT(deviation, stated * 0.2) << folds << " " << values;
    }
  }
}

TEST(HyperLogLog, UnionIsAsIfAllHadComeToOne) {
  Rng rng(7);
  for (int round = 0; round < 60; ++round) {
    HyperLogLog parts[3];
    HyperLogLog all;
    for (HyperLogLog& part : parts) {
      for (std::uint64_t i = rng.Below(round % 2 == 0 ? 2'000 : 9'000); i > 0; --i) {
        const auto hash = static_cast<std::uint32_t>(rng.Below(1U << 14U) * 262'147U);
        part.Add(hash);
        all.Add(hash);
      }
    }
    HyperLogLog forwards;
    for (const HyperLogLog& part : parts) forwards.Merge(part);
    HyperLogLog backwards = parts[2];
    backwards.Merge(parts[1]);
    backwards.Merge(parts[0]);
    EXPECT_EQ(forwards.Estimate(), all.Estimate()) << round;
    EXPECT_EQ(backwards.Estimate(), all.Estimate()) << round;
    // Folded before or after is the same.
    HyperLogLog folded = parts[0];
    folded.Expect(HyperLogLog::kCountedMax + 1);
    folded.Fold();
    folded.Fold();
    folded.Merge(parts[1]);
    folded.Merge(parts[2]);
    all.Expect(HyperLogLog::kCountedMax + 1);
    all.Fold();
    all.Fold();
    EXPECT_EQ(folded.Estimate(), all.Estimate()) << round;
  }
}

TEST(HyperLogLog, GetsSmallerUntilItCannot) {
  Rng rng(9);
  HyperLogLog set;
  for (int i = 0; i < 3'000; ++i) set.Add(Random(rng));
  std::size_t bytes = set.hashes().size() * sizeof(std::uint32_t);
  int folds = 0;
  while (set.Fold()) {
    EXPECT_LE(set.registers().size(), bytes / 2);
    bytes = set.registers().size();
    ++folds;
  }
  EXPECT_GT(folds, 5);
  EXPECT_EQ(set.registers().size(), 64U);
  EXPECT_NEAR(set.Estimate(), 3'000, 3'000 * 5 * set.Error());
}

TEST(HyperLogLog, KnowsRegistersThatCannotBe) {
  EXPECT_FALSE(HyperLogLog::IsRegisters(std::vector<std::uint8_t>(63)));
  EXPECT_FALSE(HyperLogLog::IsRegisters(std::vector<std::uint8_t>(32)));
  EXPECT_FALSE(HyperLogLog::IsRegisters(std::vector<std::uint8_t>(32'768)));
  std::vector<std::uint8_t> registers(64);
  EXPECT_TRUE(HyperLogLog::IsRegisters(registers));
  registers[5] = 27;
  EXPECT_TRUE(HyperLogLog::IsRegisters(registers));
  registers[5] = 28;
  EXPECT_FALSE(HyperLogLog::IsRegisters(registers));
}

}  // namespace
}  // namespace fluoro::cardinality
