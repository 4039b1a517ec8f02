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
        const std::uint64_t is_set =
            (std::uint64_t{static_cast<unsigned char>(bits[at / 8])} >> (at % 8)) & 1U;
        value |= is_set << bit;
      }
      values.push_back((least + value) * factor);
    }
  }
  values.resize(count);
  return values;
}

namespace {

std::string Hex(std::uint64_t number, std::uint64_t digits) {
  std::string text;
  for (; digits > 0; --digits, number /= 16) text.insert(0, 1, "0123456789abcdef"[number % 16]);
  return text;
}

// What the pattern gives with the next number of each slot it has.
std::string Fill(const std::string& pattern, const std::vector<std::vector<std::uint64_t>>& slots,
                 std::vector<std::size_t>& used, Cursor& in) {
  std::string text;
  std::size_t slot = 0;
  const auto take = [&]() -> std::uint64_t {
    if (slot >= slots.size() || used[slot] >= slots[slot].size()) {
      in.Fail();
      return 0;
    }
    const std::uint64_t number = slots[slot][used[slot]++];
    ++slot;
    return number;
  };
  for (std::size_t at = 0; at < pattern.size() && !in.failed(); ++at) {
    const char mark = pattern[at];
    if (mark < 1 || mark > 4) {
      text += mark;
    } else if (mark == 1) {
      text += std::to_string(take());
    } else if (mark == 4) {
      const std::string digits = Hex(take(), 16) + Hex(take(), 16);
      text += digits.substr(0, 8) + "-" + digits.substr(8, 4) + "-" + digits.substr(12, 4) + "-" +
              digits.substr(16, 4) + "-" + digits.substr(20);
    } else {
      const std::uint64_t width =
          ++at < pattern.size() ? static_cast<unsigned char>(pattern[at]) : 0U;
      if (width == 0 || width > (mark == 2 ? 18U : 16U)) in.Fail();
      const std::uint64_t number = take();
      std::string digits = mark == 2 ? std::to_string(number) : Hex(number, 16);
      if (mark == 3 && digits.find_first_not_of('0') < 16 - width) in.Fail();
      if (mark == 3) digits = digits.substr(16 - width);
      if (digits.size() > width) in.Fail();
      text += std::string(in.failed() ? 0 : width - digits.size(), '0') + digits;
    }
  }
  return text;
}

std::vector<std::string> Templated(Cursor& in, std::uint64_t count, std::set<std::string>& seen) {
  const std::vector<std::string> patterns = Texts(in, count, seen, 1);
  std::vector<std::vector<std::uint64_t>> slots(std::min<std::uint64_t>(in.Count(), 9));
  if (slots.size() > 8) in.Fail();
  for (std::size_t slot = 0; slot < slots.size(); ++slot) {
    std::uint64_t numbers = 0;
    for (const std::string& pattern : patterns) {
      std::size_t has = 0;
      for (std::size_t at = 0; at < pattern.size(); ++at) {
        if (pattern[at] == 1) ++has;
        if (pattern[at] == 4) has += 2;
        if (pattern[at] != 2 && pattern[at] != 3) continue;
        ++has;
        ++at;
      }
      numbers += has > slot ? 1 : 0;
    }
    slots[slot] = Ints(in, numbers, seen);
  }
  std::vector<std::size_t> used(slots.size());
  std::vector<std::string> texts;
  for (const std::string& pattern : patterns) texts.push_back(Fill(pattern, slots, used, in));
  return texts;
}

}  // namespace

std::vector<std::string> Texts(Cursor& in, std::uint64_t count, std::set<std::string>& seen,
                               std::uint64_t kind_max) {
  const std::uint64_t kind = in.Fixed(1);
  if (kind > kind_max || count > kCountMax) in.Fail();
  if (!in.failed()) seen.insert("texts " + std::to_string(kind));
  if (kind == 2 && !in.failed()) return Templated(in, count, seen);
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
