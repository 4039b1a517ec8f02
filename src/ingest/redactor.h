// The redaction policy of a pipeline, as it stands now, and its counters. Internal to ingest.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/mutex.h"
#include "model/limits.h"
#include "model/span_batch.h"
#include "redact/policy.h"

namespace fluoro::ingest {

/// Thread-safe.
class Redactor {
 public:
  explicit Redactor(Metrics& metrics) : metrics_(metrics) {}

  /// Null: nothing is redacted.
  void Set(std::shared_ptr<const redact::Policy> policy);
  [[nodiscard]] std::shared_ptr<const redact::Policy> policy() const;

  void Redact(const model::Limits& limits, model::SpanBatch& batch);
  /// A text that goes into an answer.
  void Redact(std::string& text);

 private:
  struct Active {
    std::shared_ptr<const redact::Policy> policy;
    std::vector<Counter> counters;  ///< by index of its rules
  };
  [[nodiscard]] std::shared_ptr<Active> active() const;
  static void Count(Active& active, const redact::Tally& tally);

  Metrics& metrics_;
  mutable Mutex mutex_;
  std::shared_ptr<Active> active_ FLUORO_GUARDED_BY(mutex_);
  std::set<std::string> labels_ FLUORO_GUARDED_BY(mutex_);  ///< names that have a counter
};

}  // namespace fluoro::ingest
