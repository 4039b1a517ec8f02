#include "analysis/compare/significance.h"

#include <gmock/gmock.h>

#include <cmath>

#include "base/rng.h"

namespace fluoro::analysis::compare {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;

// Printed tables: Abramowitz and Stegun, 26.8 and 26.10.
TEST(Significance, AgreesWithPrintedTables) {
  EXPECT_NEAR(ChiSquareTail(3.841459, 1), 0.05, 1e-6);
  EXPECT_NEAR(ChiSquareTail(6.634897, 1), 0.01, 1e-6);
  EXPECT_NEAR(ChiSquareTail(18.307038, 10), 0.05, 1e-6);
  EXPECT_NEAR(ChiSquareTail(124.342113, 100), 0.05, 1e-6);
  EXPECT_NEAR(StudentTail(2.228139, 10), 0.05, 1e-6);
  EXPECT_NEAR(StudentTail(-12.706205, 1), 0.05, 1e-6);
  EXPECT_NEAR(Student95(10), 2.228139, 1e-5);
  EXPECT_NEAR(Student95(1e9), kNormal95, 1e-4);
  EXPECT_NEAR(NormalTail(kNormal95), 0.05, 1e-9);
  EXPECT_NEAR(NormalTail(-kNormal95), 0.05, 1e-9);
}

TEST(Significance, HasAnAnswerForEveryInput) {
  EXPECT_EQ(ChiSquareTail(0, 3), 1);
  EXPECT_EQ(ChiSquareTail(-1, 3), 1);
  EXPECT_EQ(ChiSquareTail(std::nan(""), 3), 1);
  EXPECT_NEAR(ChiSquareTail(1e6, 1), 0, 1e-12);
  EXPECT_EQ(StudentTail(INFINITY, 5), 0);
  EXPECT_NEAR(StudentTail(0, 0.1), 1, 1e-12);
  EXPECT_GT(Student95(0.01), 12);
}

// The example of Benjamini and Hochberg's paper (1995): four of fifteen are finds at 5 %.
TEST(Significance, FindsWhatBenjaminiAndHochbergFind) {
  const std::vector<double> p{0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
                              0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000};
  const std::vector<double> q = AdjustForMany(p);
  EXPECT_EQ(std::ranges::count_if(q, [](double one) { return one <= kFalseFinds; }), 4);
  EXPECT_THAT(
      AdjustForMany(std::vector<double>{0.04, 0.01, 0.03}),
      ElementsAre(DoubleNear(0.04, 1e-12), DoubleNear(0.03, 1e-12), DoubleNear(0.04, 1e-12)));
  EXPECT_TRUE(AdjustForMany({}).empty());
}

}  // namespace
}  // namespace fluoro::analysis::compare
