// Judging traces by tail policies. Pure: what a trace is, and what traffic it came in, is given.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "sampling/tail_policy.h"

namespace fluoro::sampling {

/// What policies look at in a trace.
struct TailFacts {
  std::int64_t start_ns = 0;
  std::int64_t arrival_ns = 0;
  std::uint64_t route = 0;           ///< hash of entry service and templated route
  std::uint64_t shape = 0;           ///< hash of the set of (service, operation)
  std::uint64_t filters = 0;         ///< bit i: the filter of policy i holds
  std::int16_t duration_bucket = 0;  ///< log bucket of the duration: more is longer
  std::uint8_t outcomes = 0;         ///< TailOutcome bits
};

/// Durations by route and counts by shape in the traffic around the traces that are judged.
/// Bounded: in ten minutes, routes beyond kRoutesMax are not called slow and shapes beyond
/// kShapesMax not rare. Not thread-safe.
class TailTraffic {
 public:
  static constexpr std::size_t kRoutesMax = 4'096;
  static constexpr std::size_t kShapesMax = 100'000;
  static constexpr std::int64_t kPartNs = 600'000'000'000;
  static constexpr std::int64_t kHourNs = 6 * kPartNs;

  void Add(const TailFacts& facts);
  /// Lets go of what arrived before, in parts of ten minutes.
  void Forget(std::int64_t before_ns);
  /// The bucket at rank floor(q x (n - 1)) of the n durations of a route; nullopt: none is known.
  [[nodiscard]] std::optional<std::int16_t> QuantileOf(std::uint64_t route, double q) const;
  /// How often a shape was seen an hour, over at least an hour; nullopt: there was no room for it.
  [[nodiscard]] std::optional<double> SeenPerHour(std::uint64_t shape) const;
  /// Traces of whose shape or route there was no room to take note.
  [[nodiscard]] std::uint64_t crowded_out() const { return crowded_out_; }

 private:
  struct Count {
    std::int16_t bucket = 0;
    std::uint32_t traces = 0;
  };
  using Durations = std::vector<Count>;  // ascending
  struct Part {
    std::int64_t number = 0;  // since the epoch
    std::unordered_map<std::uint64_t, Durations> routes;
    std::unordered_map<std::uint64_t, std::uint32_t> shapes;
  };
  static void AddTo(Durations& durations, std::int16_t bucket, std::uint32_t traces);
  Part& PartAt(std::int64_t ns);

  std::vector<Part> parts_;  // by number
  std::uint64_t crowded_out_ = 0;
};

struct TailDecision {
  bool keep = true;
  /// Of being kept; 1 / probability is the weight of what is kept.
  double probability = 1;
  /// Number of the policy that took the trace; nullopt: none.
  std::optional<std::size_t> policy;
};

/// Judges traces. In which order they are given matters to per_second only: give them by start.
/// What it borrows must outlive it and not change meanwhile. Not thread-safe.
class TailJudge {
 public:
  /// Buckets of per_second; what comes beyond shares one a policy.
  static constexpr std::size_t kBucketsMax = 10'000;

  TailJudge(const TailPolicies& policies, const TailTraffic& traffic)
      : policies_(policies), traffic_(traffic) {}
  /// `takes_token` false: as if it were judged, which leaves no trace in the buckets.
  TailDecision Judge(const std::array<std::uint8_t, 16>& trace_id, const TailFacts& facts,
                     bool takes_token = true);
  /// What can become of a trace of which it is not known which filters hold; buckets are taken to
  /// have tokens.
  struct Range {
    bool may_keep = false;
    bool may_drop = false;
  };
  [[nodiscard]] Range RangeWithoutFilters(const std::array<std::uint8_t, 16>& trace_id,
                                          TailFacts facts);
  /// Strictly slower than the quantile of its route.
  [[nodiscard]] bool IsSlow(const TailFacts& facts, double quantile);
  [[nodiscard]] bool IsRare(const TailFacts& facts, double per_hour_below);

 private:
  struct Bucket {
    double tokens = 0;
    std::int64_t filled_ns = 0;
  };
  [[nodiscard]] bool Takes(std::size_t policy, const TailFacts& facts);
  Bucket* BucketWithToken(std::size_t policy, const TailFacts& facts);

  const TailPolicies& policies_;
  const TailTraffic& traffic_;
  std::unordered_map<std::uint64_t, Bucket> buckets_;
  /// By route and quantile.
  std::unordered_map<std::uint64_t, std::optional<std::int16_t>> thresholds_;
  /// By shape, of the first that were asked for.
  std::unordered_map<std::uint64_t, std::optional<double>> seen_per_hour_;
};

}  // namespace fluoro::sampling
