// Any bytes as a log file's frames, as a batch's payload, as a tombstone: refused or safe to read.
#include <cstddef>
#include <cstdint>
#include <string>

#include "store/embedded/batch_codec.h"
#include "store/embedded/frames_for_test.h"
#include "store/embedded/wal_format.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fluoro;         // NOLINT(google-build-using-namespace): one function
  using namespace fluoro::store;  // NOLINT(google-build-using-namespace): one function
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  if (const auto decoded = DecodeBatch(bytes)) {
    model::SpanReader reader(decoded->batch);
    for (std::uint32_t i = 0; i < decoded->batch.size(); ++i) (void)reader.Read(i);
    std::string again;
    EncodeBatch(decoded->batch, decoded->arrival_ns, again);
    const auto second = DecodeBatch(again);
    if (!second || second->batch.trace_ids != decoded->batch.trace_ids) __builtin_trap();
  }
  (void)DecodeTombstone(bytes);
  (void)DecodeWalHeader(bytes);
  // A frame with a right sum around these bytes, so that what stands behind the sum is reached too.
  EncodedRecord record{
      .type = FrameType::kSpans, .codec = FrameCodec::kLz4, .raw = 4'096, .body = bytes};
  std::string file(kWalHeaderBytes, '\0');
  AppendFrames(record, 1, 0, 0, 7, file);
  file += bytes;
  (void)WalkFrames(file, 7, [](WalRecord& found) -> Result<void> {
    (void)DecodeBatch(found.body);
    return {};
  });
  return 0;
}
