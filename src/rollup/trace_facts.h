// What a joined trace is as a whole: the numbers of model::Summarise.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "model/stored_summary.h"
#include "rollup/facts.h"

namespace fluoro::rollup {

/// Reused from trace to trace.
struct TraceFacts {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;  ///< of what is not in progress; at least the start
  std::int64_t root_start_ns = 0;
  std::int64_t root_end_ns = 0;
  std::uint32_t root = 0;  ///< place of the span that is the root, or that it holds
  FactsId root_facts = 0;
  bool root_is_segment = false;    ///< else an orphan, and no service was entered
  bool root_is_synthetic = false;  ///< a segment made around the span: it has no HTTP fields
  bool in_progress = false;        ///< anything
  bool throttle = false;           ///< anything
  bool inferred = false;           ///< some segment
  /// By model::ServiceSet; each key once, in no order.
  std::array<std::vector<KeyId>, model::kServiceSets> services;

  void AddService(KeyId key, const Facts& facts);
};

}  // namespace fluoro::rollup
