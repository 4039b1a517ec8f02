#include "cardinality/block_values.h"

#include <algorithm>

#include "base/assert.h"

namespace fluoro::cardinality {

void FirstValues::AddDifferent(Value value) {
  if (!wants_different()) return;
  const auto at = std::ranges::lower_bound(different_, value.hash, {}, &Value::hash);
  if (at == different_.end() || at->hash != value.hash) different_.insert(at, value);
}

void FirstValues::Add(const FirstValues& later) {
  for (const std::uint32_t hash : later.ones_) AddOne(hash);
  for (const Value& value : later.different_) AddDifferent(value);
}

bool FirstValues::AreUnique() const {
  if (wants_ones()) return false;
  std::vector<std::uint32_t> sorted = ones_;
  std::ranges::sort(sorted);
  const auto differ =
      static_cast<std::size_t>(std::ranges::unique(sorted).begin() - sorted.begin());
  return differ * 100 >= kValuesMax * 95;
}

bool FirstValues::AreIdLike() const {
  return !wants_different() &&
         static_cast<std::size_t>(std::ranges::count_if(
             different_, [](const Value& value) { return IsIdLike(value.pattern); })) *
                 100 >=
             kValuesMax * 80;
}

Pattern FirstValues::Prevailing() const {
  std::array<std::size_t, kPatterns> counts{};
  for (const Value& value : different_) ++counts.at(static_cast<std::size_t>(value.pattern));
  return static_cast<Pattern>(std::ranges::max_element(counts) - counts.begin());
}

FirstValues FirstValues::Of(std::vector<std::uint32_t> ones, std::vector<Value> different) {
  FLUORO_ASSERT(ones.size() <= kValuesMax && different.size() <= kValuesMax);
  FirstValues first;
  first.ones_ = std::move(ones);
  first.different_ = std::move(different);
  return first;
}

void HashSet::Add(std::uint32_t hash) {
  if (sorted_ >= kBudgetMax) return;
  hashes_.push_back(hash);
  if (hashes_.size() >= 2 * sorted_ + 4'096) Settle();
}

void HashSet::Settle() {
  std::ranges::sort(hashes_);
  hashes_.erase(std::ranges::unique(hashes_).begin(), hashes_.end());
  if (hashes_.size() > kBudgetMax) hashes_.resize(kBudgetMax);
  sorted_ = hashes_.size();
}

std::span<const std::uint32_t> HashSet::hashes() {
  if (sorted_ < hashes_.size()) Settle();
  return hashes_;
}

void KeyValues::AddExample(std::string_view text) {
  text = CutShown(text);
  if (examples.size() < kExamplesMax && !text.empty() &&
      std::ranges::find(examples, text) == examples.end())
    examples.emplace_back(text);
}

KeyValues* BlockValues::Of(std::string_view key) {
  const auto at = keys_.find(key);
  if (at != keys_.end()) return &at->second;
  if (keys_.size() >= keys_max_) {
    ++crowded_out_;
    return nullptr;
  }
  return &keys_.try_emplace(std::string(key)).first->second;
}

}  // namespace fluoro::cardinality
