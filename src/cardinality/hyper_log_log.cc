#include "cardinality/hyper_log_log.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numbers>
#include <utility>

#include "base/assert.h"

namespace fluoro::cardinality {
namespace {

constexpr unsigned kHashBits = 32;

// Ertl's sums over what registers say of few and of very many values.
double Sigma(double x) {
  if (x == 1) return INFINITY;
  double y = 1;
  double z = x;
  for (double before = -1; z != before;) {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  }
  return z;
}

double Tau(double x) {
  if (x == 0 || x == 1) return 0;
  double y = 1;
  double z = 1 - x;
  for (double before = -1; z != before;) {
    x = std::sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
  }
  return z / 3;
}

}  // namespace

std::uint32_t HashOf(std::string_view text) {
  return static_cast<std::uint32_t>(XXH3_64bits(text.data(), text.size()) >> 32U);
}

void HyperLogLog::AddRegister(std::uint32_t hash) const {
  const std::uint32_t rest = hash << precision_;
  const auto rank = static_cast<std::uint8_t>(
      rest == 0 ? kHashBits - precision_ + 1 : static_cast<unsigned>(std::countl_zero(rest)) + 1);
  std::uint8_t& at = registers_[hash >> (kHashBits - precision_)];
  at = std::max(at, rank);
}

// Those that came since the last time are put in order. Past what is counted the set turns dense.
void HyperLogLog::Settle() const {
  if (sorted_ == hashes_.size()) return;
  const auto middle = hashes_.begin() + static_cast<std::ptrdiff_t>(sorted_);
  std::sort(middle, hashes_.end());
  std::inplace_merge(hashes_.begin(), middle, hashes_.end());
  hashes_.erase(std::unique(hashes_.begin(), hashes_.end()), hashes_.end());
  sorted_ = hashes_.size();
  settle_at_ = std::max<std::size_t>(512, sorted_ * 2);
  if (sorted_ > kCountedMax) TurnDense(kPrecisionMax);
}

void HyperLogLog::TurnDense(unsigned precision) const {
  precision_ = precision;
  registers_.assign(std::size_t{1} << precision_, 0);
  for (const std::uint32_t hash : hashes_) AddRegister(hash);
  hashes_ = {};
  sorted_ = 0;
}

void HyperLogLog::Merge(const HyperLogLog& other) {
  other.Settle();
  if (other.is_counted()) {
    for (const std::uint32_t hash : other.hashes_) Add(hash);
    return;
  }
  if (is_counted()) TurnDense(other.precision_);
  while (precision_ > other.precision_) Fold();
  HyperLogLog folded;
  const HyperLogLog* from = &other;
  if (other.precision_ > precision_) {
    folded = other;
    while (folded.precision_ > precision_) folded.Fold();
    from = &folded;
  }
  for (std::size_t i = 0; i < registers_.size(); ++i)
    registers_[i] = std::max(registers_[i], from->registers_[i]);
}

double HyperLogLog::Estimate() const {
  Settle();
  if (is_counted()) return static_cast<double>(hashes_.size());
  const unsigned q = kHashBits - precision_;
  std::array<std::uint32_t, kHashBits + 2> counts{};
  for (const std::uint8_t rank : registers_) ++counts.at(rank);
  const auto m = static_cast<double>(registers_.size());
  double z = m * Tau(1 - counts.at(q + 1) / m);
  for (unsigned k = q; k >= 1; --k) z = 0.5 * (z + counts.at(k));
  z += m * Sigma(counts[0] / m);
  return m / (2 * std::numbers::ln2) * (m / z);
}

double HyperLogLog::Error() const {
  Settle();
  return is_counted() ? 0 : 1.04 / std::sqrt(static_cast<double>(registers_.size()));
}

// Registers of which only the last bit of the place differs become one: that bit was the first of
// what ranks are counted in.
bool HyperLogLog::Fold() {
  Settle();
  if (is_counted()) {
    const std::size_t bytes = hashes_.size() * sizeof(std::uint32_t);
    if (bytes < (std::size_t{2} << kPrecisionMin)) return false;
    TurnDense(
        std::min<unsigned>(static_cast<unsigned>(std::bit_width(bytes / 2)) - 1, kPrecisionMax));
    return true;
  }
  if (precision_ == kPrecisionMin) return false;
  --precision_;
  std::vector<std::uint8_t> half(std::size_t{1} << precision_);
  for (std::size_t i = 0; i < half.size(); ++i) {
    const std::uint8_t even = registers_[2 * i];
    const std::uint8_t odd = registers_[2 * i + 1];
    half[i] = std::max<std::uint8_t>(even == 0 ? 0 : static_cast<std::uint8_t>(even + 1),
                                     odd == 0 ? 0 : 1);
  }
  registers_ = std::move(half);
  return true;
}

std::size_t HyperLogLog::bytes() const {
  return hashes_.capacity() * sizeof(std::uint32_t) + registers_.capacity();
}

std::span<const std::uint32_t> HyperLogLog::hashes() const {
  Settle();
  return hashes_;
}

HyperLogLog HyperLogLog::OfHashes(std::vector<std::uint32_t> hashes) {
  HyperLogLog set;
  set.hashes_ = std::move(hashes);
  set.Settle();
  return set;
}

HyperLogLog HyperLogLog::OfRegisters(std::vector<std::uint8_t> registers) {
  FLUORO_ASSERT(IsRegisters(registers));
  HyperLogLog set;
  set.precision_ = static_cast<unsigned>(std::countr_zero(registers.size()));
  set.registers_ = std::move(registers);
  return set;
}

bool HyperLogLog::IsRegisters(std::span<const std::uint8_t> registers) {
  if (!std::has_single_bit(registers.size())) return false;
  const auto precision = static_cast<unsigned>(std::countr_zero(registers.size()));
  if (precision < kPrecisionMin || precision > kPrecisionMax) return false;
  return std::ranges::all_of(registers,
                             [&](std::uint8_t rank) { return rank <= kHashBits - precision + 1; });
}

}  // namespace fluoro::cardinality
