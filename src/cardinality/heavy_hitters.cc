#include "cardinality/heavy_hitters.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/assert.h"

namespace fluoro::cardinality {

std::string_view CutShown(std::string_view text) {
  if (text.size() <= kShownBytesMax) return text;
  std::size_t end = kShownBytesMax;
  while (end > kShownBytesMax - 4 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U)
    --end;
  return text.substr(0, end);
}

void HeavyHitters::Add(std::string_view text, std::uint64_t count) {
  text = CutShown(text);
  const auto at = std::ranges::find(entries_, text, &Entry::text);
  if (at != entries_.end()) {
    at->count += count;
  } else if (entries_.size() < kEntriesMax) {
    entries_.push_back({.text = std::string(text), .count = count, .over = 0});
  } else {
    Entry& rarest = *std::ranges::min_element(entries_, {}, &Entry::count);
    rarest = {.text = std::string(text), .count = rarest.count + count, .over = rarest.count};
  }
}

std::vector<HeavyHitters::Entry> HeavyHitters::Sorted() const {
  std::vector<Entry> sorted = entries_;
  std::ranges::sort(sorted, [](const Entry& a, const Entry& b) {
    return std::tie(b.count, a.text) < std::tie(a.count, b.text);
  });
  return sorted;
}

HeavyHitters HeavyHitters::Of(std::vector<Entry> entries) {
  FLUORO_ASSERT(entries.size() <= kEntriesMax);
  HeavyHitters hitters;
  hitters.entries_ = std::move(entries);
  return hitters;
}

}  // namespace fluoro::cardinality
