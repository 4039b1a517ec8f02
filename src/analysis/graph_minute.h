// One period of a service graph as the anomaly detector reads it.
#pragma once

#include <cstdint>
#include <vector>

#include "model/assembly.h"
#include "rollup/counts.h"
#include "rollup/rollup.h"

namespace fluoro::analysis {

/// Completed requests. Counts are not below zero.
struct RequestSums {
  double total = 0;
  double ok = 0;
  double fault = 0;
  double seconds = 0;                                   ///< sum of response times
  std::vector<rollup::DurationCounts::Bucket> times{};  ///< ascending
  void Add(const RequestSums& other);
};

struct GraphMinute {
  struct Service {
    model::ServiceKey key;
    RequestSums requests;  ///< the callee's view; empty if it is known by calls alone
  };
  /// Calls that somebody waited for, in the caller's view.
  struct Call {
    std::int32_t from = kClient;  ///< index into services
    std::int32_t to = 0;
    RequestSums requests;
  };
  static constexpr std::int32_t kClient = -1;  ///< the clients in front of a root service

  std::int64_t start_ns = 0;
  std::vector<Service> services;
  std::vector<Call> calls;
};

/// The periods of a rollup, ascending; those without requests are absent. Pure.
std::vector<GraphMinute> MinutesOf(const rollup::Rollup& rollup);

}  // namespace fluoro::analysis
