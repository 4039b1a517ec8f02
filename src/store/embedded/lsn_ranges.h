// A set of LSNs as ranges.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

#include "base/error.h"

namespace fluoro::store {

class LsnRanges {
 public:
  LsnRanges() = default;
  /// Of sorted, distinct numbers.
  static LsnRanges Of(std::span<const std::uint64_t> sorted) {
    LsnRanges all;
    for (const std::uint64_t lsn : sorted) {
      if (!all.ranges_.empty() && all.ranges_.back().second + 1 == lsn) {
        all.ranges_.back().second = lsn;
      } else {
        all.ranges_.emplace_back(lsn, lsn);
      }
    }
    return all;
  }
  /// From the first LSN, 1.
  static LsnRanges UpTo(std::uint64_t lsn) {
    LsnRanges all;
    if (lsn > 0) all.ranges_.emplace_back(1, lsn);
    return all;
  }
  /// All from `lsn` on.
  static LsnRanges From(std::uint64_t lsn) {
    LsnRanges all;
    all.ranges_.emplace_back(lsn, UINT64_MAX);
    return all;
  }
  /// First and last of each range, one behind the other. Errors: kCorruption: not in order.
  static Result<LsnRanges> FromBounds(std::span<const std::uint64_t> bounds) {
    LsnRanges all;
    if (bounds.size() % 2 != 0 || !std::ranges::is_sorted(bounds))
      return Fail(ErrorCode::kCorruption, "ranges of LSNs are not in order");
    for (std::size_t i = 0; i < bounds.size(); i += 2)
      all.ranges_.emplace_back(bounds[i], bounds[i + 1]);
    return all;
  }
  [[nodiscard]] std::vector<std::uint64_t> Bounds() const {
    std::vector<std::uint64_t> bounds;
    for (const auto& [first, last] : ranges_) {
      bounds.push_back(first);
      bounds.push_back(last);
    }
    return bounds;
  }

  [[nodiscard]] bool empty() const { return ranges_.empty(); }
  /// 0: there is none.
  [[nodiscard]] std::uint64_t last() const { return ranges_.empty() ? 0 : ranges_.back().second; }
  [[nodiscard]] bool Contains(std::uint64_t lsn) const {
    const auto at = std::ranges::lower_bound(ranges_, lsn, {}, &Range::second);
    return at != ranges_.end() && at->first <= lsn;
  }
  [[nodiscard]] bool ContainsAllUpTo(std::uint64_t lsn) const {
    return !ranges_.empty() && ranges_.front().first <= 1 && ranges_.front().second >= lsn;
  }
  /// What is in both.
  [[nodiscard]] LsnRanges And(const LsnRanges& other) const {
    LsnRanges both;
    for (const auto& [first, last] : ranges_) {
      for (const auto& [other_first, other_last] : other.ranges_) {
        const Range shared{std::max(first, other_first), std::min(last, other_last)};
        if (shared.first <= shared.second) both.ranges_.push_back(shared);
      }
    }
    return both;
  }
  /// What is in one or both.
  [[nodiscard]] LsnRanges Or(const LsnRanges& other) const {
    std::vector<Range> sorted;
    std::ranges::merge(ranges_, other.ranges_, std::back_inserter(sorted));
    LsnRanges any;
    for (const Range& range : sorted) {
      // Those that touch become one, so that equal sets are equal.
      if (!any.ranges_.empty() && (any.ranges_.back().second == UINT64_MAX ||
                                   range.first <= any.ranges_.back().second + 1)) {
        any.ranges_.back().second = std::max(any.ranges_.back().second, range.second);
      } else {
        any.ranges_.push_back(range);
      }
    }
    return any;
  }
  bool operator==(const LsnRanges&) const = default;

 private:
  using Range = std::pair<std::uint64_t, std::uint64_t>;
  std::vector<Range> ranges_;
};

}  // namespace fluoro::store
