// Queue, prefill and decode of models whose engine reports nothing, estimated from many calls: what
// grows with the prompt is prefill, what grows with the answer is decode. Estimates, and marked so.
// Method: docs/genai.md, "Time to first token".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/rng.h"

namespace fluoro::analysis {

/// One call. Nanoseconds.
struct TokenSample {
  double tokens = 0;  ///< of the prompt without what a cache held; or further ones of the answer
  double ns = 0;      ///< until the first token; or from it to the end
};

/// A line through samples that a few wild ones do not bend: the median of the slopes between all
/// pairs, and between which two of them it lies with 95 % probability.
/// Source: Theil 1950, Sen 1968.
struct RobustLine {
  double slope = 0;  ///< ns a token
  double low = 0, high = 0;
  std::size_t samples = 0;
  /// Certainly above zero; else the times do not tell what a token costs.
  [[nodiscard]] bool is_sure() const { return low > 0; }
};
inline constexpr std::size_t kLineSamplesMin = 8;
inline constexpr std::size_t kLineSamplesMax = 400;

/// Nullopt: fewer than kLineSamplesMin samples, or all of one number of tokens. Pure; memory and
/// time by the square of kLineSamplesMax, of more samples evenly chosen ones are used.
std::optional<RobustLine> FitLine(std::span<const TokenSample> samples);

/// Of one model. Nanoseconds.
struct TokenEstimate {
  std::optional<RobustLine> prefill;  ///< by each token of the prompt
  std::optional<RobustLine> decode;   ///< by each further token of the answer
  /// Means over the calls; known where the prefill line is sure. They sum to the mean time to first
  /// token.
  struct Phases {
    double base_ns = 0;  ///< what the quietest tenth takes besides prefill: the way there and back
    double prefill_ns = 0, prefill_low_ns = 0, prefill_high_ns = 0;
    double queue_ns = 0;  ///< the rest
  };
  std::optional<Phases> phases;
};

/// `first`: of calls until the first token; `rest`: after it. Pure.
TokenEstimate EstimateTokens(std::span<const TokenSample> first, std::span<const TokenSample> rest);

/// Up to kLineSamplesMax samples of as many as there are, each as likely. Not thread-safe.
class TokenSamples {
 public:
  void Add(const TokenSample& sample);
  [[nodiscard]] std::span<const TokenSample> samples() const { return samples_; }
  [[nodiscard]] std::uint64_t seen() const { return seen_; }

 private:
  std::vector<TokenSample> samples_;
  std::uint64_t seen_ = 0;
  Rng rng_{1};
};

}  // namespace fluoro::analysis
