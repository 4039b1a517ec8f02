// SpanBatch <-> the payload of a WAL frame: the batch's columns as byte planes, layout kept
// exactly.
//
// payload := version:u8 arrival_ns:fixed64 counts:varint[8] columns arena
// docs/formats/wal.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "model/span_batch.h"

namespace fluoro::store {

struct DecodedBatch {
  model::SpanBatch batch;
  std::int64_t arrival_ns = 0;
};

/// Appends the payload. Never fails.
void EncodeBatch(const model::SpanBatch& batch, std::int64_t arrival_ns, std::string& out);

/// The inverse. Checks every count, reference, range and enumerator, so that the batch is safe to
/// read whatever the bytes were. Errors: kCorruption, kUnsupported (version). Pure.
Result<DecodedBatch> DecodeBatch(std::string_view payload);

/// Checks what DecodeBatch checks, on a batch from elsewhere (a block's row group).
Result<void> CheckBatch(const model::SpanBatch& batch);

}  // namespace fluoro::store
