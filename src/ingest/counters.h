// Counters of one protocol. Internal to ingest.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "model/limits.h"

namespace fluoro::ingest {

/// Thread-safe.
class ProtocolCounters {
 public:
  ProtocolCounters(Metrics& metrics, const std::string& protocol);

  /// Spans that the store took.
  void Stored(std::uint64_t spans) { spans_.Add(static_cast<double>(spans)); }
  /// What decoding cut or left out; rejected spans are counted by reason through Rejected.
  void Decoded(const model::DecodeStats& stats);
  /// Events of single chunks of streamed answers, which became attributes (genai/stream.h).
  void Folded(std::uint64_t chunks);
  /// `reason` must come from our own code, never from traffic.
  void Rejected(std::string_view reason, std::uint64_t count = 1);

 private:
  Metrics& metrics_;
  const std::string protocol_;
  Counter spans_;
  Counter truncated_;
  Counter repaired_;
  Counter dropped_attributes_;
  Counter dropped_events_;
  Counter dropped_links_;
  Counter dropped_subsegments_;
  Counter folded_chunks_;
  Mutex mutex_;
  std::map<std::string, Counter, std::less<>> rejected_ FLUORO_GUARDED_BY(mutex_);
};

/// Label for a whole request that failed: "undecodable", "too_large", "unavailable", ...
std::string_view ReasonOf(ErrorCode code);

}  // namespace fluoro::ingest
