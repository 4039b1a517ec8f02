// What encrypted files have that others have not, from anywhere.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "store/embedded/block_format.h"
#include "store/embedded/frames_for_test.h"
#include "store/embedded/held_deletions.h"
#include "store/embedded/wal_format.h"

namespace {

// A log frame whose sum is right, around a body that is sealed rightly or is these bytes.
void TryFrames(const std::string& bytes) {
  using namespace fluoro;         // NOLINT(google-build-using-namespace): one function
  using namespace fluoro::store;  // NOLINT(google-build-using-namespace): one function
  crypto::Keyring keys;
  const std::array<std::uint8_t, crypto::kKeyBytes> key{};
  if (!keys.Add("fuzz", crypto::Secret(key)) || !keys.Use("fuzz")) std::abort();
  const auto cipher = FileCipher::Make(&keys, FileKind::kLog, 1);
  const EncodedRecord record{.type = FrameType::kSpans,
                             .codec = FrameCodec::kNone,
                             .raw = static_cast<std::uint32_t>(bytes.size()),
                             .body = bytes};
  std::string file(kWalHeaderBytes, '\0');
  AppendFrames(record, 1, 0, 0, 7, file, cipher.get());
  AppendFrames(record, 2, 0, 0, 7, file);  // not sealed
  std::size_t found = 0;
  (void)WalkFrames(file, FrameReading(7, cipher.get()), [&](WalRecord& one) -> Result<void> {
    ++found;
    if (one.header.lsn != 1 || one.body != bytes) std::abort();
    return {};
  });
  if (found != 1) std::abort();
  (void)WalkFrames(file, FrameReading(7, nullptr, true),
                   [](WalRecord&) -> Result<void> { return {}; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fluoro::store;  // NOLINT(google-build-using-namespace): one function
  if (size == 0) return 0;
  const std::string rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      if (const auto rewrap = DecodeRewrap(rest)) {
        if (!DecodeRewrap(EncodeRewrap(*rewrap))) std::abort();
      }
      break;
    case 1:
      (void)DecodeBlockHeader(rest);
      break;
    case 2:
      if (const auto held = DecodeHeldDeletions(rest)) {
        if (DecodeHeldDeletions(EncodeHeldDeletions(*held)) != *held) std::abort();
      }
      break;
    case 3:
      (void)DecodeWalHeader(rest);
      break;
    default:
      TryFrames(rest);
  }
  return 0;
}
