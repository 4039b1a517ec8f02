// Which traces were sealed lately, a few bytes each.
#pragma once

#include <xxhash.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "model/ids.h"

namespace fluoro::store {

/// Remembers at least the last half of what its memory holds. Not thread-safe.
class RecentTraces {
 public:
  /// @param bytes  of both halves; at least a few hundred ids.
  explicit RecentTraces(std::uint64_t bytes) {
    slots_ = 1'024;
    while (slots_ * 2 * 2 * sizeof(std::uint32_t) <= bytes) slots_ *= 2;
  }
  /// May say yes of one in a thousand million others.
  [[nodiscard]] bool MayContain(const model::TraceId& id) const {
    const std::uint64_t hash = HashOf(id);
    return Has(young_, hash) || Has(old_, hash);
  }
  void Add(const model::TraceId& id) {
    if (young_.empty()) young_.assign(slots_, 0);
    const std::uint64_t hash = HashOf(id);
    if (Has(young_, hash)) return;
    if (used_ >= slots_ / 4 * 3) {
      old_ = std::exchange(young_, std::vector<std::uint32_t>(slots_, 0));
      used_ = 0;
    }
    std::size_t at = hash & (slots_ - 1);
    while (young_[at] != 0) at = (at + 1) & (slots_ - 1);
    young_[at] = Print(hash);
    ++used_;
  }
  /// Ids that Add takes before it forgets the first.
  [[nodiscard]] std::size_t room() const { return slots_ / 4 * 3; }

 private:
  static std::uint64_t HashOf(const model::TraceId& id) {
    return XXH3_64bits(id.bytes.data(), id.bytes.size());
  }
  static std::uint32_t Print(std::uint64_t hash) {
    return static_cast<std::uint32_t>(hash >> 32) | 1U;
  }
  [[nodiscard]] bool Has(const std::vector<std::uint32_t>& half, std::uint64_t hash) const {
    if (half.empty()) return false;
    for (std::size_t at = hash & (slots_ - 1); half[at] != 0; at = (at + 1) & (slots_ - 1)) {
      if (half[at] == Print(hash)) return true;
    }
    return false;
  }

  std::size_t slots_;
  std::size_t used_ = 0;
  std::vector<std::uint32_t> young_, old_;
};

}  // namespace fluoro::store
