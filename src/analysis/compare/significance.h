// Tails of the laws that the comparisons test against, and the control of false finds over many
// tests. Sources: docs/compare.md.
#pragma once

#include <span>
#include <vector>

namespace fluoro::analysis::compare {

/// Share of false finds, and one minus the coverage of every interval.
inline constexpr double kFalseFinds = 0.05;
/// The normal law lies within so many deviations with 95 %.
inline constexpr double kNormal95 = 1.959963984540054;

/// P(X >= statistic) of chi-square; 1 for a statistic <= 0. `degrees` > 0.
double ChiSquareTail(double statistic, double degrees);
/// P(|Z| >= |z|) of the standard normal law.
double NormalTail(double z);
/// P(|T| >= |t|) of Student's law; `degrees` > 0.
double StudentTail(double t, double degrees);
/// Student's law lies within so many deviations with 95 %; `degrees` > 0.
double Student95(double degrees);

/// Benjamini and Hochberg: for each p-value the least share of false finds at which it is still a
/// find, in the same order. Finds are those <= kFalseFinds.
std::vector<double> AdjustForMany(std::span<const double> p_values);

}  // namespace fluoro::analysis::compare
