#include "analysis/ledger/token_estimate.h"

#include <algorithm>
#include <cmath>

namespace fluoro::analysis {
namespace {

constexpr double kNormal95 = 1.959964;
constexpr double kQuiet = 0.1;  ///< share of calls that are taken not to have waited

double NthOf(std::vector<double>& values, std::size_t place) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(std::min(place, values.size() - 1));
  std::ranges::nth_element(values, at);
  return *at;
}

std::vector<TokenSample> Thinned(std::span<const TokenSample> samples) {
  std::vector<TokenSample> kept;
  const std::size_t count = std::min(samples.size(), kLineSamplesMax);
  for (std::size_t i = 0; i < count; ++i) kept.push_back(samples[i * samples.size() / count]);
  return kept;
}

}  // namespace

std::optional<RobustLine> FitLine(std::span<const TokenSample> all) {
  const std::vector<TokenSample> samples = Thinned(all);
  if (samples.size() < kLineSamplesMin) return std::nullopt;
  std::vector<double> slopes;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    for (std::size_t j = i + 1; j < samples.size(); ++j) {
      const double tokens = samples[j].tokens - samples[i].tokens;
      if (tokens != 0) slopes.push_back((samples[j].ns - samples[i].ns) / tokens);
    }
  }
  if (slopes.size() < kLineSamplesMin) return std::nullopt;
  // The rank of the true slope among those of the pairs varies as Kendall's tau does.
  const auto n = static_cast<double>(samples.size());
  const auto pairs = static_cast<double>(slopes.size());
  const double spread = kNormal95 * std::sqrt(n * (n - 1) * (2 * n + 5) / 18);
  const auto rank = [&](double place) {
    return static_cast<std::size_t>(std::clamp(place, 0.0, pairs - 1));
  };
  RobustLine line{.samples = samples.size()};
  line.low = NthOf(slopes, rank(std::floor((pairs - spread) / 2)));
  line.high = NthOf(slopes, rank(std::ceil((pairs + spread) / 2)));
  const std::size_t half = slopes.size() / 2;
  line.slope = NthOf(slopes, half);
  if (slopes.size() % 2 == 0) line.slope = (line.slope + NthOf(slopes, half - 1)) / 2;
  return line;
}

TokenEstimate EstimateTokens(std::span<const TokenSample> first,
                             std::span<const TokenSample> rest) {
  TokenEstimate estimate{.prefill = FitLine(first), .decode = FitLine(rest), .phases = {}};
  if (!estimate.prefill || !estimate.prefill->is_sure()) return estimate;
  const auto calls = static_cast<double>(first.size());
  double mean_ns = 0;
  double mean_tokens = 0;
  std::vector<double> beside;
  for (const TokenSample& sample : first) {
    mean_ns += sample.ns / calls;
    mean_tokens += sample.tokens / calls;
    beside.push_back(sample.ns - estimate.prefill->slope * sample.tokens);
  }
  const auto quiet = static_cast<std::size_t>(kQuiet * calls);
  TokenEstimate::Phases phases;
  phases.base_ns = std::clamp(NthOf(beside, quiet), 0.0, mean_ns);
  // A line that is too steep must not make the rest negative.
  phases.prefill_ns =
      std::min(estimate.prefill->slope * mean_tokens, std::max(mean_ns - phases.base_ns, 0.0));
  phases.prefill_low_ns = std::min(estimate.prefill->low * mean_tokens, phases.prefill_ns);
  phases.prefill_high_ns = std::max(estimate.prefill->high * mean_tokens, phases.prefill_ns);
  phases.queue_ns = mean_ns - phases.base_ns - phases.prefill_ns;
  estimate.phases = phases;
  return estimate;
}

void TokenSamples::Add(const TokenSample& sample) {
  ++seen_;
  if (samples_.size() < kLineSamplesMax) {
    samples_.push_back(sample);
    return;
  }
  const std::uint64_t place = rng_.Below(seen_);
  if (place < kLineSamplesMax) samples_[static_cast<std::size_t>(place)] = sample;
}

}  // namespace fluoro::analysis
