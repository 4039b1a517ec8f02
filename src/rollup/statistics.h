// Counts and response times of requests, mergeable by addition.
// Source: X-Ray API, ServiceStatistics, EdgeStatistics, HistogramEntry.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "model/entity.h"
#include "rollup/counts.h"

namespace fluoro::rollup {

/// Log buckets (BucketOf); weights may be fractions. Values that were added one by one stay exact
/// (to the millisecond) until there are more than kExactMax distinct ones.
class DurationHistogram {
 public:
  static constexpr std::size_t kExactMax = DurationCounts::kExactMax;
  struct Entry {
    double seconds = 0;
    double count = 0;
  };
  void Add(std::int64_t duration_ns, double weight);
  void Merge(const DurationHistogram& other);
  /// Adds counts; what is below zero in them counts as zero.
  void Merge(const DurationCounts& counts);
  /// At most ~100 entries, ascending.
  [[nodiscard]] std::vector<Entry> Entries() const;
  /// 0 < q < 1; 0 if empty. Differs from the exact quantile by at most 2 % and half a microsecond.
  [[nodiscard]] std::int64_t QuantileNs(double q) const;
  [[nodiscard]] bool empty() const { return exact_.empty() && buckets_.empty(); }

 private:
  /// Weights by key, ascending: small, copied often.
  template <class Key>
  class Weights : public std::vector<std::pair<Key, double>> {
   public:
    double& operator[](Key key) {
      if (this->empty() || this->back().first < key) return this->emplace_back(key, 0.0).second;
      const auto at = std::ranges::lower_bound(*this, key, {}, &std::pair<Key, double>::first);
      if (at->first == key) return at->second;
      return this->emplace(at, key, 0.0)->second;
    }
  };
  Weights<std::int64_t> exact_;    ///< by millisecond
  Weights<std::int16_t> buckets_;  ///< by index; always filled
};

struct Statistics {
  double ok = 0;
  double error = 0;  ///< client errors without throttles
  double throttle = 0;
  double fault = 0;
  double response_seconds = 0;
  std::int64_t response_ns = 0;  ///< the same sum in whole ns: exact where all weights are 1
  DurationHistogram histogram;
  [[nodiscard]] double total() const { return ok + error + throttle + fault; }
  void Add(model::Outcome outcome, std::int64_t duration_ns, double weight);
  /// One request whose response time says nothing (asynchronous).
  void Count(model::Outcome outcome, double weight);
  void Merge(const Statistics& other);
};

}  // namespace fluoro::rollup
