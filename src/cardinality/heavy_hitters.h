// The values that come most often, with how often about.
//
// Source: Metwally, Agrawal, El Abbadi: Efficient Computation of Frequent and Top-k Elements in
// Data Streams (ICDT 2005), "Space-Saving".
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fluoro::cardinality {

/// Longest text that is kept of a value; longer ones are cut between characters.
inline constexpr std::size_t kShownBytesMax = 64;
std::string_view CutShown(std::string_view text);

/// At most kEntriesMax values. Not thread-safe.
class HeavyHitters {
 public:
  static constexpr std::size_t kEntriesMax = 32;
  struct Entry {
    std::string text;
    std::uint64_t count = 0;
    std::uint64_t over = 0;  ///< by so much the count may be too high
    bool operator==(const Entry&) const = default;
  };
  /// A value without a place takes that of the rarest one, and its count with it.
  void Add(std::string_view text, std::uint64_t count);
  /// Most frequent first.
  [[nodiscard]] std::vector<Entry> Sorted() const;
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  /// At most kEntriesMax.
  static HeavyHitters Of(std::vector<Entry> entries);
  void Clear() { entries_.clear(); }

 private:
  std::vector<Entry> entries_;
};

}  // namespace fluoro::cardinality
