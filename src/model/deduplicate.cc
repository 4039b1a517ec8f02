#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <utility>

#include "model/assembly.h"

namespace fluoro::model {
namespace {

constexpr std::uint32_t kNone = UINT32_MAX;

bool Has(const SpanKey& key, SpanFlag flag) { return (key.flags & flag) != 0; }
bool IsComplete(const SpanKey& key) {
  return !Has(key, SpanFlag::kInProgress) && !Has(key, SpanFlag::kIncompleteEmbedded);
}

// True if `later` takes the place of `earlier`, which came before it under the same id. Of two
// alike the later stands, so that the subsegments it brought stand too.
bool Replaces(const SpanKey& later, const SpanKey& earlier) {
  if (IsComplete(later) != IsComplete(earlier)) return IsComplete(later);
  if (Has(later, SpanFlag::kSubsegment) && Has(earlier, SpanFlag::kSubsegment) &&
      later.IsEmbedded() != earlier.IsEmbedded()) {
    return later.IsEmbedded();
  }
  return true;
}

// Places of spans in order of (id, place): the versions of one id stand together, oldest first.
// Vectors and no maps, since a trace may have a million spans.
class Versions {
 public:
  explicit Versions(std::span<const SpanKey> keys) : keys_(keys), places_(keys.size()) {
    for (std::uint32_t i = 0; i < places_.size(); ++i) places_[i] = i;
    std::sort(places_.begin(), places_.end(), [this](std::uint32_t a, std::uint32_t b) {
      return std::tie(keys_[a].id, a) < std::tie(keys_[b].id, b);
    });
  }

  [[nodiscard]] bool AllDiffer() const {
    return std::adjacent_find(places_.begin(), places_.end(),
                              [this](std::uint32_t a, std::uint32_t b) {
                                return keys_[a].id == keys_[b].id;
                              }) == places_.end();
  }

  // The last version of an id before a place; kNone if there is none.
  [[nodiscard]] std::uint32_t LatestBefore(const SpanId& id, std::uint32_t place) const {
    const auto after = std::lower_bound(places_.begin(), places_.end(), place,
                                        [&](std::uint32_t at, std::uint32_t wanted) {
                                          return std::tie(keys_[at].id, at) < std::tie(id, wanted);
                                        });
    if (after == places_.begin() || keys_[*(after - 1)].id != id) return kNone;
    return *(after - 1);
  }

  // Calls `take(first version's place, winner's place)` for every id; only versions that `competes`
  // admits can win.
  template <class Predicate, class Take>
  void ForEachWinner(Predicate&& competes, Take&& take) const {
    for (std::size_t begin = 0; begin < places_.size();) {
      std::uint32_t winner = kNone;
      std::size_t end = begin;
      for (; end < places_.size() && keys_[places_[end]].id == keys_[places_[begin]].id; ++end) {
        const std::uint32_t place = places_[end];
        if (competes(place) && (winner == kNone || Replaces(keys_[place], keys_[winner]))) {
          winner = place;
        }
      }
      if (winner != kNone) take(places_[begin], winner);
      begin = end;
    }
  }

 private:
  std::span<const SpanKey> keys_;
  std::vector<std::uint32_t> places_;
};

// For each span the document it came in: itself, unless it is embedded. kNone where its parents
// cannot be followed.
std::vector<std::uint32_t> DocumentsOf(std::span<const SpanKey> keys, const Versions& versions) {
  std::vector<std::uint32_t> documents(keys.size(), kNone);
  for (std::uint32_t i = 0; i < keys.size(); ++i) {
    if (!keys[i].IsEmbedded()) {
      documents[i] = i;
    } else if (const std::uint32_t parent = versions.LatestBefore(keys[i].parent, i);
               parent != kNone) {
      documents[i] = documents[parent];
    }
  }
  return documents;
}

}  // namespace

bool SpanKey::IsEmbedded() const {
  return Has(*this, SpanFlag::kSubsegment) && !Has(*this, SpanFlag::kIndependent);
}

bool FewAndDifferent(std::span<const SpanKey> keys) {
  std::array<std::uint64_t, 16> ids{};
  if (keys.size() > ids.size()) return false;
  std::uint64_t alike = 0;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    std::memcpy(&ids[i], keys[i].id.bytes.data(), sizeof ids[i]);
    for (std::size_t j = 0; j < i; ++j) alike |= std::uint64_t{ids[j] == ids[i]};
  }
  return alike == 0;
}

std::vector<std::uint32_t> StandingSpans(std::span<const SpanKey> keys) {
  const auto all = [&keys] {
    std::vector<std::uint32_t> standing(keys.size());
    std::iota(standing.begin(), standing.end(), 0U);
    return standing;
  };
  if (FewAndDifferent(keys)) return all();
  const Versions versions(keys);
  if (versions.AllDiffer()) return all();
  const std::vector<std::uint32_t> documents = DocumentsOf(keys, versions);
  std::vector<bool> document_wins(keys.size());
  versions.ForEachWinner(
      [&](std::uint32_t place) { return !keys[place].IsEmbedded(); },
      [&](std::uint32_t, std::uint32_t winner) { document_wins[winner] = true; });
  // An embedded subsegment goes with the version of the document it came in.
  const auto stands = [&](std::uint32_t place) {
    return documents[place] == kNone || document_wins[documents[place]];
  };
  std::vector<std::uint32_t> winner_at(keys.size(), kNone);
  versions.ForEachWinner(
      stands, [&](std::uint32_t first, std::uint32_t winner) { winner_at[first] = winner; });
  std::erase(winner_at, kNone);
  return winner_at;
}

void Deduplicate(std::vector<Span>& spans) {
  std::vector<SpanKey> keys;
  keys.reserve(spans.size());
  for (const Span& span : spans) keys.push_back({span.span_id, span.parent_id, span.flags});
  const std::vector<std::uint32_t> standing = StandingSpans(keys);
  std::vector<Span> kept;
  kept.reserve(standing.size());
  for (const std::uint32_t place : standing) kept.push_back(std::move(spans[place]));
  spans = std::move(kept);
}

}  // namespace fluoro::model
