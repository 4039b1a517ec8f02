// What a list shows of a trace.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/assembly.h"
#include "model/stored_summary.h"
#include "model/summary.h"

namespace fluoro::store {

struct Outline {
  model::TraceId id;
  std::int64_t start_ns = 0;
  std::int64_t duration_ns = 0;
  std::optional<std::int64_t> response_ns{};  ///< absent while the root is in progress
  std::string root_service{};  ///< that the root's segment belongs to; of an orphan its own name
  std::string root_name{};     ///< of the root's span; its X-Ray name if that has none
  model::Outcome outcome = model::Outcome::kOk;  ///< of the root
  std::optional<std::int64_t> http_status{};     ///< likewise
  std::vector<std::string> services{};           ///< names, in order, each once; no clients
  std::uint64_t spans = 0;
  bool partial = false;    ///< anything in progress
  double probability = 1;  ///< with which it was kept
  bool operator==(const Outline&) const = default;
};

/// Pure.
Outline OutlineOf(const model::AssembledTrace& trace, const model::TraceSummary& summary);
/// The same from a summary whose name and services are known.
Outline OutlineOf(const model::TraceId& id, const model::StoredSummary& summary,
                  const model::SummaryTexts& texts, std::uint64_t spans, double probability);

}  // namespace fluoro::store
