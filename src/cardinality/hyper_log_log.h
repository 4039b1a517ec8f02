// How many different values there were, in little memory: counted while they are few, estimated by
// HyperLogLog beyond.
//
// Source: Flajolet, Fusy, Gandouet, Meunier: HyperLogLog (AofA 2007). Estimator without bias
// correction tables: Ertl: New cardinality estimation algorithms for HyperLogLog sketches,
// arXiv:1702.01284, algorithm 6.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace fluoro::cardinality {

/// What values are added by: the upper half of XXH3-64.
std::uint32_t HashOf(std::string_view text);
/// Of a number, by its bits.
inline std::uint32_t HashOf(std::uint64_t bits) {
  bits += 0x9e3779b97f4a7c15U;
  bits = (bits ^ (bits >> 32U)) * 0x9e3779b97f4a7c15U;
  bits = (bits ^ (bits >> 29U)) * 0xbf58476d1ce4e5b9U;
  return static_cast<std::uint32_t>(bits >> 32U);
}

/// A set of 32-bit hashes of which the size is known: exactly up to kCountedMax, beyond with a
/// relative standard error of 0.8 %, more once it was folded. The union of two is as if all had
/// been added to one, in whatever order. Not thread-safe, not even for reading.
class HyperLogLog {
 public:
  static constexpr unsigned kPrecisionMin = 6;
  static constexpr unsigned kPrecisionMax = 14;
  static constexpr std::size_t kCountedMax = 4'096;

  void Add(std::uint32_t hash) {
    if (registers_.empty()) {
      hashes_.push_back(hash);
      if (hashes_.size() >= settle_at_) Settle();
    } else {
      AddRegister(hash);
    }
  }
  /// So many different values are to come: beyond what is counted they are not collected first.
  void Expect(std::size_t different) {
    if (is_counted() && different > kCountedMax) TurnDense(kPrecisionMax);
  }
  void Merge(const HyperLogLog& other);
  [[nodiscard]] double Estimate() const;
  /// Relative standard error of Estimate: 1.04 / sqrt(registers); 0 while values are counted.
  [[nodiscard]] double Error() const;

  /// Takes half the memory or less, for a larger error. False: it is as small as it gets.
  bool Fold();
  /// What it occupies.
  [[nodiscard]] std::size_t bytes() const;

  [[nodiscard]] bool is_counted() const { return registers_.empty(); }
  /// If is_counted: all of them, ascending.
  [[nodiscard]] std::span<const std::uint32_t> hashes() const;
  /// Else 2 to the power of the precision of them: the highest rank of a hash each, 0 none.
  [[nodiscard]] std::span<const std::uint8_t> registers() const { return registers_; }
  /// From what hashes() gave, ascending, at most kCountedMax.
  static HyperLogLog OfHashes(std::vector<std::uint32_t> hashes);
  /// From what registers() gave. Whether such registers can be: IsRegisters.
  static HyperLogLog OfRegisters(std::vector<std::uint8_t> registers);
  static bool IsRegisters(std::span<const std::uint8_t> registers);

 private:
  void AddRegister(std::uint32_t hash) const;
  void Settle() const;
  void TurnDense(unsigned precision) const;

  // While counted; those behind sorted_ are not in order and may repeat. What is put in order for a
  // reader is the same set before and after.
  mutable std::vector<std::uint32_t> hashes_;
  mutable std::size_t sorted_ = 0;
  mutable std::size_t settle_at_ = 512;
  mutable std::vector<std::uint8_t> registers_;
  mutable unsigned precision_ = kPrecisionMax;
};

}  // namespace fluoro::cardinality
