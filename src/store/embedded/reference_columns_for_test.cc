#include <algorithm>

#include "store/embedded/reference_cursor_for_test.h"

namespace fluoro::store::reference {

std::vector<std::uint64_t> Ints(Cursor& in, std::uint64_t count, std::set<std::string>& seen) {
  std::vector<std::uint64_t> values;
  const std::uint64_t kind = in.Fixed(1);
  if (in.failed() || count > kCountMax) {
    in.Fail();
    return std::vector<std::uint64_t>(std::min(count, kCountMax));
  }
  seen.insert("ints " + std::to_string(kind));
  if (kind == 0) return std::vector<std::uint64_t>(count, in.Varint());
  if (kind > 2) in.Fail();
  const std::uint64_t factor = kind == 2 ? in.Varint() : 1;
  while (values.size() < count && !in.failed()) {
    const std::uint64_t group = std::min<std::uint64_t>(count - values.size(), 128);
    const std::uint64_t least = in.Varint();
    const std::uint64_t width = in.Fixed(1);
    if (width > 64) in.Fail();
    const std::string bits = in.Bytes((group * width + 7) / 8);
    for (std::uint64_t i = 0; i < group && !in.failed(); ++i) {
      std::uint64_t value = 0;
      for (std::uint64_t bit = 0; bit < width; ++bit) {
        const std::uint64_t at = i * width + bit;
        const std::uint64_t is_set = (static_cast<unsigned char>(bits[at / 8]) >> (at % 8)) & 1U;
        value |= is_set << bit;
      }
      values.push_back((least + value) * factor);
    }
  }
  values.resize(count);
  return values;
}

std::vector<std::string> Texts(Cursor& in, std::uint64_t count, std::set<std::string>& seen) {
  const std::uint64_t kind = in.Fixed(1);
  if (kind > 1 || count > kCountMax) in.Fail();
  if (!in.failed()) seen.insert("texts " + std::to_string(kind));
  const std::uint64_t entries = kind == 1 ? in.Count() : count;
  std::vector<std::string> texts;
  for (const std::uint64_t length : Ints(in, entries, seen)) {
    texts.emplace_back(in.failed() ? 0 : std::min<std::uint64_t>(length, kCountMax * 16), '\0');
    if (texts.back().size() != length) in.Fail();
  }
  for (std::string& text : texts) text = in.Bytes(text.size());
  if (kind == 0 || in.failed()) {
    texts.resize(std::min(count, kCountMax));
    return texts;
  }
  std::vector<std::string> values;
  for (const std::uint64_t code : Ints(in, count, seen)) {
    if (code >= texts.size()) in.Fail();
    values.push_back(in.failed() ? std::string() : texts[code]);
  }
  return values;
}

}  // namespace fluoro::store::reference
