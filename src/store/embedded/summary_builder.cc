#include "store/embedded/summary_builder.h"

#include <xxhash.h>

#include <algorithm>
#include <numeric>

namespace fluoro::store {
namespace {

using model::StoredSummary;

std::uint64_t HashOf(std::string_view bytes, std::uint64_t seed = 0) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace

template <class IsAt>
std::uint32_t SummaryBuilder::Index::Find(std::uint64_t hash, const IsAt& is_at) {
  if (2 * (used_ + 1) > slots_.size()) {
    std::vector<Slot> before(std::max<std::size_t>(256, slots_.size() * 2));
    before.swap(slots_);
    for (const Slot& slot : before) {
      if (slot.place == UINT32_MAX) continue;
      std::size_t at = slot.hash & (slots_.size() - 1);
      while (slots_[at].place != UINT32_MAX) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = slot;
    }
  }
  hash_ = hash;
  at_ = hash & (slots_.size() - 1);
  for (; slots_[at_].place != UINT32_MAX; at_ = (at_ + 1) & (slots_.size() - 1)) {
    if (slots_[at_].hash == hash && is_at(slots_[at_].place)) return slots_[at_].place;
  }
  return UINT32_MAX;
}

void SummaryBuilder::Index::Add(std::uint32_t place) {
  slots_[at_] = {.hash = hash_, .place = place};
  ++used_;
}

// Names that are cut into patterns and numbers are nearly all different: none of them would find a
// place for long.
Result<void> SummaryBuilder::BeginGroup(const ColumnReader& column) {
  has_names_ = false;
  FLUORO_TRY(const std::string_view counts, column(static_cast<std::uint32_t>(RowColumn::kCounts)));
  ByteReader counts_in(counts);
  FLUORO_TRY(const std::uint64_t spans, counts_in.TakeCount(kRowGroupSpansMax));
  FLUORO_TRY(const std::string_view bytes, column(static_cast<std::uint32_t>(RowColumn::kNames)));
  ByteReader in(bytes);
  if (TakeTemplatedKind(in)) return {};
  FLUORO_TRY(names_, DecodeUncutTexts(in, spans));
  name_places_.assign(names_.entries.size(), 0);
  has_names_ = true;
  return {};
}

std::uint32_t SummaryBuilder::NameOf(std::size_t group_row) {
  if (!has_names_) return 0;
  const std::size_t code = names_.CodeOf(group_row);
  std::uint32_t& known = name_places_[code];
  if (known == 0) known = PlaceText(names_.Entry(code)) + 1;
  return known - 1;
}

std::uint32_t SummaryBuilder::PlaceText(std::string_view text) {
  if (text.empty() || text.size() > kSummaryTextBytesMax) return 0;
  const std::uint32_t known = text_index_.Find(
      HashOf(text), [&](std::uint32_t place) { return texts_.texts[place] == text; });
  if (known != UINT32_MAX) return known + 1;
  if (texts_.texts.size() >= kSummaryTextsMax) return 0;
  text_index_.Add(static_cast<std::uint32_t>(texts_.texts.size()));
  texts_.texts.emplace_back(text);
  return static_cast<std::uint32_t>(texts_.texts.size());
}

std::uint32_t SummaryBuilder::PlaceKey(const model::ServiceKey& key) {
  for (const std::string* text : {&key.name, &key.type, &key.account_id}) {
    if (text->size() > kSummaryTextBytesMax) return 0;
  }
  const std::uint64_t hash = HashOf(key.name, HashOf(key.type, HashOf(key.account_id)));
  const std::uint32_t known =
      key_index_.Find(hash, [&](std::uint32_t place) { return texts_.keys[place] == key; });
  if (known != UINT32_MAX) return known + 1;
  if (texts_.keys.size() >= kSummaryKeysMax) return 0;
  key_index_.Add(static_cast<std::uint32_t>(texts_.keys.size()));
  texts_.keys.push_back(key);
  return static_cast<std::uint32_t>(texts_.keys.size());
}

std::uint32_t SummaryBuilder::PlaceKey(rollup::KeyId key, const rollup::KeyTable& keys) {
  if (keys_ != &keys || generation_ != keys.generation()) {
    keys_ = &keys;
    generation_ = keys.generation();
    key_places_.clear();
  }
  if (key >= key_places_.size()) key_places_.resize(keys.size(), 0);
  std::uint32_t& known = key_places_[key];
  if (known == 0) known = PlaceKey(keys.KeyAt(key)) + 1;
  return known - 1;
}

std::uint32_t SummaryBuilder::PlaceSet() {
  if (set_.size() > kSummarySetKeysMax) return 0;
  std::ranges::sort(set_);
  const std::string_view bytes(reinterpret_cast<const char*>(set_.data()),
                               set_.size() * sizeof set_[0]);
  const std::uint32_t known = set_index_.Find(
      HashOf(bytes), [&](std::uint32_t place) { return texts_.sets[place] == set_; });
  if (known != UINT32_MAX) return known + 1;
  if (texts_.sets.size() >= kSummarySetsMax) return 0;
  set_index_.Add(static_cast<std::uint32_t>(texts_.sets.size()));
  texts_.sets.push_back(set_);
  return static_cast<std::uint32_t>(texts_.sets.size());
}

void SummaryBuilder::Add(std::uint64_t block_row, std::size_t group_row,
                         const rollup::TraceFacts& facts, const rollup::FactsTable& table) {
  const rollup::Facts& root = table.At(facts.root_facts);
  StoredSummary summary{
      .start_ns = facts.start_ns,
      .duration_ns = WrapSub(facts.end_ns, facts.start_ns),
      .response_ns = root.in_progress ? 0 : WrapSub(facts.root_end_ns, facts.root_start_ns),
      .status = facts.root_is_synthetic ? -1 : root.status,
      .bits = model::kSummaryKnown,
      // An orphan is shown under another name, which no fact tells.
      .name = facts.root_is_segment ? NameOf(group_row + facts.root) : 0};
  const auto set_if = [&](bool is_so, model::SummaryBit bit) {
    summary.bits |= is_so ? std::uint32_t{bit} : 0U;
  };
  set_if(root.fault, model::kRootFault);
  set_if(root.error, model::kRootError);
  set_if(root.throttle, model::kRootThrottle);
  set_if(facts.throttle, model::kAnyThrottle);
  set_if(facts.in_progress, model::kAnyInProgress);
  set_if(root.in_progress, model::kRootInProgress);
  set_if(facts.inferred, model::kAnyInferred);
  if (facts.root_is_segment) {
    summary.entry = PlaceKey(root.key, table.keys());
    if (summary.entry == 0) return;
  }
  for (std::size_t i = 0; i < model::kServiceSets; ++i) {
    set_.clear();
    bool is_known = true;
    for (const rollup::KeyId key : facts.services[i]) {
      const std::uint32_t place = PlaceKey(key, table.keys());
      is_known = is_known && place != 0;
      set_.push_back(place - 1);
    }
    if (is_known) summary.services[i] = PlaceSet();
  }
  entries_.push_back({.block_row = block_row, .summary = summary});
}

std::uint32_t SummaryBuilder::CopyKey(std::uint32_t key, const model::SummaryTexts& texts,
                                      Places& places) {
  places.keys.resize(texts.keys.size(), 0);
  std::uint32_t& known = places.keys[key];
  if (known == 0) known = PlaceKey(texts.keys[key]) + 1;
  return known - 1;
}

std::uint32_t SummaryBuilder::CopySet(std::uint32_t set, const model::SummaryTexts& texts,
                                      Places& places) {
  places.sets.resize(texts.sets.size(), 0);
  if (places.sets[set] == 0) {
    set_.clear();
    bool is_known = true;
    for (const std::uint32_t key : texts.sets[set]) {
      const std::uint32_t place = CopyKey(key, texts, places);
      is_known = is_known && place != 0;
      set_.push_back(place - 1);
    }
    places.sets[set] = (is_known ? PlaceSet() : 0) + 1;
  }
  return places.sets[set] - 1;
}

void SummaryBuilder::Copy(std::uint64_t block_row, const StoredSummary& of,
                          const model::SummaryTexts& texts, Places& places) {
  if (!of.is_known()) return;
  StoredSummary summary = of;
  if (of.name != 0) {
    places.texts.resize(texts.texts.size(), 0);
    std::uint32_t& known = places.texts[of.name - 1];
    if (known == 0) known = PlaceText(texts.texts[of.name - 1]) + 1;
    summary.name = known - 1;
  }
  if (of.entry != 0) {
    summary.entry = CopyKey(of.entry - 1, texts, places);
    if (summary.entry == 0) return;
  }
  for (std::uint32_t& set : summary.services) {
    if (set != 0) set = CopySet(set - 1, texts, places);
  }
  entries_.push_back({.block_row = block_row, .summary = summary});
}

std::vector<StoredSummary> SummaryBuilder::Order(std::span<const TraceEntry> traces) {
  std::vector<StoredSummary> summaries(traces.size());
  std::ranges::sort(entries_, {}, &Entry::block_row);
  for (std::size_t i = 0; i < traces.size(); ++i) {
    const auto at = std::ranges::lower_bound(entries_, traces[i].first_row, {}, &Entry::block_row);
    if (at != entries_.end() && at->block_row == traces[i].first_row) summaries[i] = at->summary;
  }
  return summaries;
}

}  // namespace fluoro::store
