// Which resources a batch has, by content.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "model/span_batch.h"

namespace fluoro::codec::xray {

/// Of one batch, from which rows may have been taken back since. Not thread-safe.
class ResourceIndex {
 public:
  /// If the batch has a resource equal to its last one, the last one is taken back to `before`,
  /// where the batch ended without it. Returns the resource's row.
  std::uint32_t Settle(model::SpanBatch& batch, const model::SpanBatch::Mark& before);

 private:
  std::unordered_map<std::uint64_t, std::uint32_t> rows_;  ///< the last one by hash
};

}  // namespace fluoro::codec::xray
