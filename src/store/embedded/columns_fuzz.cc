// Any bytes as a column of integers or of texts: refused, or what the reference reader makes of
// them. input := what:u8 count:u16 column
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "store/embedded/columns.h"
#include "store/embedded/reference_cursor_for_test.h"

namespace {

using namespace fluoro::store;  // NOLINT(google-build-using-namespace): one purpose

void TryInts(std::string_view column, std::size_t count) {
  std::vector<std::uint64_t> values(count);
  ByteReader in(column);
  if (!DecodeInts(in, values)) return;
  reference::Cursor slow(column);
  std::set<std::string> seen;
  if (reference::Ints(slow, count, seen) != values || slow.failed()) __builtin_trap();
  std::string again;
  EncodeInts(values, again);
  std::vector<std::uint64_t> second(count);
  ByteReader back(again);
  if (!DecodeInts(back, second) || second != values) __builtin_trap();
}

void TryTexts(std::string_view column, std::size_t count) {
  ByteReader in(column);
  const auto fast = DecodeTexts(in, count);
  if (!fast) return;
  reference::Cursor slow(column);
  std::set<std::string> seen;
  const auto texts = reference::Texts(slow, count, seen);
  if (slow.failed() || texts.size() != count) __builtin_trap();
  TextColumn again;
  for (std::size_t i = 0; i < count; ++i) {
    if (fast->At(i) != texts[i]) __builtin_trap();
    again.Add(texts[i]);
  }
  std::string bytes;
  again.Encode(bytes);
  ByteReader back(bytes);
  const auto second = DecodeTexts(back, count);
  if (!second) __builtin_trap();
  for (std::size_t i = 0; i < count; ++i) {
    if (second->At(i) != texts[i]) __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const std::size_t count = data[1] + 256U * (data[2] % 16U);
  const std::string_view column(reinterpret_cast<const char*>(data) + 3, size - 3);
  if (data[0] % 2 == 0) {
    TryInts(column, count);
  } else {
    TryTexts(column, count);
  }
  return 0;
}
