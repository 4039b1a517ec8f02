#include "store/embedded/attribute_watch.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>
#include <vector>

namespace fluoro::store {
namespace {

using cardinality::FirstValues;
using cardinality::HashOf;
using cardinality::HeavyHitters;
using cardinality::KeyValues;
using cardinality::PatternOf;

// How often values come is counted of so many in a row group, or of all where they are not twice as
// many.
constexpr std::size_t kCountedValues = 512;
// The first values of a block are looked at one by one.
constexpr std::uint64_t kLookedAt = 2 * 8'192;

// Spans with one of `count` values of resources; where not every resource has the key, about.
std::uint64_t SpansOf(std::size_t count, std::span<const std::uint32_t> weights) {
  if (weights.empty()) return count;
  const std::uint64_t all = std::accumulate(weights.begin(), weights.end(), std::uint64_t{0});
  return count >= weights.size() ? all : all * count / weights.size();
}

void LookAtFirst(const TextColumn& texts, std::span<const std::uint64_t> hashes, KeyValues& seen) {
  if (hashes.empty()) {
    for (const std::uint32_t code : texts.codes()) {
      if (!seen.first.wants_ones()) break;
      seen.first.AddOne(HashOf(texts.Entry(code)));
    }
    for (std::uint32_t code = 0; code < texts.entries(); ++code) {
      const std::string_view text = texts.Entry(code);
      seen.AddExample(text);
      if (!seen.first.wants_different()) break;
      seen.first.AddDifferent({.hash = HashOf(text), .pattern = PatternOf(text)});
    }
    return;
  }
  std::size_t i = 0;
  texts.VisitUninterned([&](std::string_view text) {
    const auto hash = static_cast<std::uint32_t>(hashes[i++] >> 32U);
    seen.first.AddOne(hash);
    if (!seen.first.wants_different()) return;
    seen.AddExample(text);
    seen.first.AddDifferent({.hash = hash, .pattern = PatternOf(text)});
  });
}

// Of many values some are looked at, at irregular places: traces repeat.
void CountTexts(const TextColumn& texts, std::span<const std::uint32_t> weights, KeyValues& seen) {
  const std::vector<std::uint32_t>& codes = texts.codes();
  const std::size_t step = std::max<std::size_t>(codes.size() / kCountedValues, 1);
  const bool is_weighted = weights.size() == codes.size();
  std::vector<std::pair<std::uint64_t, std::uint32_t>> counts;  // count, code
  if (texts.entries() == 1) {
    counts.emplace_back(SpansOf(codes.size(), weights), 0);
  } else {
    std::vector<std::pair<std::uint32_t, std::uint64_t>> met;  // code, weight
    std::uint64_t random = codes.size();
    for (std::size_t i = 0; i < codes.size();) {
      met.emplace_back(codes[i], is_weighted ? weights[i] : 1);
      random = random * 6364136223846793005U + 1442695040888963407U;
      i += step == 1 ? 1 : 1 + (random >> 33U) % (2 * step - 1);
    }
    const std::size_t met_count = met.size();
    std::ranges::sort(met);
    for (const auto& [code, weight] : met) {
      if (counts.empty() || counts.back().second != code) counts.emplace_back(0, code);
      counts.back().first += weight;
    }
    if (step > 1) {
      for (auto& [count, code] : counts) count = count * codes.size() / met_count;
    }
  }
  const std::size_t most = std::min(counts.size(), HeavyHitters::kEntriesMax);
  std::ranges::partial_sort(counts, counts.begin() + static_cast<std::ptrdiff_t>(most),
                            std::greater<>());
  for (std::size_t i = 0; i < most; ++i)
    seen.hitters.Add(texts.Entry(counts[i].second), counts[i].first);
}

}  // namespace

std::uint8_t CarrierOf(AttributeOwner owner, model::AttributeRole role) {
  using namespace cardinality;  // NOLINT(google-build-using-namespace): bits of one enumeration
  constexpr std::array<std::uint8_t, kAttributeOwners> kBits{kResource, kScope, kSpan, kEvent,
                                                             kLink};
  const std::uint8_t bit = kBits.at(static_cast<std::size_t>(owner));
  return role == model::AttributeRole::kAnnotation ? static_cast<std::uint8_t>(bit | kAnnotation)
                                                   : bit;
}

void WatchTexts(const TextColumn& texts, std::span<const std::uint64_t> hashes,
                std::span<const std::uint32_t> weights, bool is_open,
                cardinality::KeyValues& seen) {
  seen.has_texts = true;
  if (seen.spans < kLookedAt) LookAtFirst(texts, hashes, seen);
  if (hashes.empty()) {
    seen.spans += SpansOf(texts.codes().size(), weights);
    texts.VisitEntryHashes([&](std::uint32_t hash) {
      seen.distinct.Add(hash);
      if (is_open) seen.texts.Add(hash);
    });
    CountTexts(texts, weights, seen);
    return;
  }
  // Nearly all differ: none comes often.
  seen.spans += SpansOf(hashes.size(), weights);
  seen.distinct.Expect(hashes.size());
  for (const std::uint64_t hash : hashes) {
    seen.distinct.Add(static_cast<std::uint32_t>(hash >> 32U));
    if (is_open) seen.texts.Add(static_cast<std::uint32_t>(hash >> 32U));
  }
}

void WatchNumbers(std::span<const std::uint64_t> numbers, std::span<const std::uint32_t> weights,
                  cardinality::KeyValues& seen) {
  seen.spans += SpansOf(numbers.size(), weights);
  // Most columns have few different numbers, which are passed over, or so many that they need not
  // be collected to be counted.
  constexpr std::size_t kSlots = 512;
  std::array<std::uint32_t, kSlots> last{};
  std::size_t added = 0;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::uint32_t hash = HashOf(numbers[i]);
    std::uint32_t& before = last.at(hash % kSlots);
    if (before == hash) continue;
    before = hash;
    seen.distinct.Add(hash);
    if (++added == kSlots && i < 2 * kSlots) seen.distinct.Expect(numbers.size());
  }
}

}  // namespace fluoro::store
