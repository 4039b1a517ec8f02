// What a store keeps of a whole trace beside its spans, so that lists and filters need not read
// them: what model::Summarise says, in numbers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "model/assembly.h"

namespace fluoro::model {

/// Stored: never renumber.
enum SummaryBit : std::uint32_t {
  kSummaryKnown = 1U << 0,  ///< without it nothing is known of the trace
  kRootFault = 1U << 1,
  kRootError = 1U << 2,
  kRootThrottle = 1U << 3,
  kAnyThrottle = 1U << 4,  ///< of any segment or subsegment
  kAnyInProgress = 1U << 5,
  kRootInProgress = 1U << 6,  ///< there is no response time
  kAnyInferred = 1U << 7,     ///< a segment was inferred, or sent as inferred
};
inline constexpr std::uint32_t kSummaryBits = (1U << 8) - 1;

/// Services of a trace, clients left out: all, and those of which some segment (also an inferred
/// one) has a fault, an error, a throttle. Stored in this order.
enum class ServiceSet : std::uint8_t { kAll, kFault, kError, kThrottle };
inline constexpr std::size_t kServiceSets = 4;

/// Greatest status that a summary holds.
inline constexpr std::int32_t kSummaryStatusMax = 999'999;

/// One whole trace. Places are those of SummaryTexts.
struct StoredSummary {
  std::int64_t start_ns = 0;
  std::int64_t duration_ns = 0;
  std::int64_t response_ns = 0;  ///< 0 with kRootInProgress
  std::int32_t status = -1;      ///< of HTTP, of the root; -1: none
  std::uint32_t bits = 0;        ///< SummaryBit
  std::uint32_t name = 0;        ///< of the root's span: 1 + place among texts; 0: not known
  std::uint32_t entry = 0;       ///< the root's service: 1 + place among keys; 0: it has none
  std::array<std::uint32_t, kServiceSets> services{};  ///< 1 + place among sets; 0: not known

  [[nodiscard]] bool Has(SummaryBit bit) const { return (bits & bit) != 0; }
  [[nodiscard]] bool is_known() const { return Has(kSummaryKnown); }
  /// Of the root; as Entity::outcome.
  [[nodiscard]] Outcome outcome() const {
    return Has(kRootFault)      ? Outcome::kFault
           : Has(kRootThrottle) ? Outcome::kThrottle
           : Has(kRootError)    ? Outcome::kError
                                : Outcome::kOk;
  }
  bool operator==(const StoredSummary&) const = default;
};

/// What the summaries of one block point to.
struct SummaryTexts {
  std::vector<std::string> texts;
  std::vector<ServiceKey> keys;
  std::vector<std::vector<std::uint32_t>> sets;  ///< places among keys, ascending
};

}  // namespace fluoro::model
