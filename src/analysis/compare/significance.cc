#include "analysis/compare/significance.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <cstddef>
#include <numeric>

namespace fluoro::analysis::compare {
namespace {

namespace policies = boost::math::policies;
// Answers with the nearest number there is where the library would throw.
using Quiet = policies::policy<
    policies::domain_error<policies::ignore_error>, policies::pole_error<policies::ignore_error>,
    policies::overflow_error<policies::ignore_error>,
    policies::evaluation_error<policies::ignore_error>, policies::promote_double<false>>;
using Student = boost::math::students_t_distribution<double, Quiet>;

// Less than one degree has no useful quantile, and more than this is the normal law.
double Bounded(double degrees) { return std::clamp(degrees, 1.0, 1e6); }

}  // namespace

double ChiSquareTail(double statistic, double degrees) {
  if (!(statistic > 0)) return 1;
  return boost::math::gamma_q(degrees / 2, statistic / 2, Quiet());
}

double NormalTail(double z) { return std::erfc(std::abs(z) / std::sqrt(2.0)); }

double StudentTail(double t, double degrees) {
  if (std::isinf(t)) return 0;
  return 2 * boost::math::cdf(boost::math::complement(Student(Bounded(degrees)), std::abs(t)));
}

double Student95(double degrees) {
  return boost::math::quantile(boost::math::complement(Student(Bounded(degrees)), kFalseFinds / 2));
}

std::vector<double> AdjustForMany(std::span<const double> p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(p_values.size());
  double least = 1;
  for (std::size_t rank = order.size(); rank > 0; --rank) {
    least = std::min(least, p_values[order[rank - 1]] * static_cast<double>(order.size()) /
                                static_cast<double>(rank));
    adjusted[order[rank - 1]] = least;
  }
  return adjusted;
}

}  // namespace fluoro::analysis::compare
