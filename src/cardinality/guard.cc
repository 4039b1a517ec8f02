#include "cardinality/guard.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace fluoro::cardinality {
namespace {

// A key that was not seen for so long makes room for a new one.
constexpr std::int64_t kIdleNs = 24 * kHourNs;
constexpr std::int64_t kDayNs = 24 * kHourNs;

bool IsGuardable(const KeyKind& kind, const KeyState& state) {
  return state.has_texts &&
         (kind.key_class == KeyClass::kGuarded || kind.key_class == KeyClass::kGrouped);
}

std::uint64_t Rounded(double estimate) {
  return static_cast<std::uint64_t>(std::llround(estimate));
}

void Remember(KnownValues& known, std::span<const std::uint32_t> hashes, std::int64_t hour,
              std::size_t known_max) {
  if (hour - known.since_hour >= 24) {
    known.yesterday = std::exchange(known.today, {});
    known.since_hour = hour;
  }
  const std::size_t before = known.today.size();
  for (const std::uint32_t hash : hashes) {
    if (known.today.size() >= known_max) break;
    if (!std::binary_search(known.today.begin(),
                            known.today.begin() + static_cast<std::ptrdiff_t>(before), hash))
      known.today.push_back(hash);
  }
  std::inplace_merge(known.today.begin(), known.today.begin() + static_cast<std::ptrdiff_t>(before),
                     known.today.end());
}

Hour& HourOf(KeyState& state, std::int64_t now_ns) {
  // A clock that was set back adds to the hour that was.
  const std::int64_t hour =
      state.hours.empty() ? now_ns / kHourNs : std::max(now_ns / kHourNs, state.hours.back().hour);
  if (state.hours.empty() || state.hours.back().hour < hour) {
    if (!state.hours.empty()) {
      const Hour& over = state.hours.back();
      state.curve.push_back(
          {.hour = over.hour,
           .spans = over.spans,
           .distinct = Rounded(over.distinct.Estimate()),
           .distinct_day = Rounded(state.DistinctDay(over.hour * kHourNs).Estimate())});
      if (state.curve.size() > kCurveHoursMax) state.curve.erase(state.curve.begin());
    }
    std::erase_if(state.hours, [&](const Hour& old) {
      return old.hour <= hour - static_cast<std::int64_t>(kHoursMax);
    });
    state.hours.push_back({.hour = hour, .distinct = {}});
  }
  return state.hours.back();
}

bool IsReadingDue(const KeyState& state, std::int64_t now_ns) {
  return state.readings.empty() || now_ns >= state.readings.back().at_ns + kReadingEveryNs;
}

void Read(KeyState& state, std::int64_t now_ns, std::uint64_t distinct_day) {
  if (!IsReadingDue(state, now_ns)) return;
  state.readings.push_back({.at_ns = now_ns, .distinct_day = distinct_day});
  if (state.readings.size() > kReadingsMax) state.readings.erase(state.readings.begin());
}

struct Growth {
  std::optional<double> per_hour;
  std::optional<std::int64_t> breach_ns;
};
// Against the oldest reading of the last hour.
Growth GrowthOf(const KeyState& state, std::uint64_t distinct, std::int64_t now_ns,
                std::optional<std::uint32_t> budget) {
  const auto before = std::ranges::find_if(state.readings, [&](const Reading& reading) {
    return reading.at_ns >= now_ns - kHourNs - kReadingEveryNs;
  });
  if (before == state.readings.end() || now_ns - before->at_ns < kReadingEveryNs) return {};
  const double hours = static_cast<double>(now_ns - before->at_ns) / static_cast<double>(kHourNs);
  Growth growth{
      .per_hour =
          (static_cast<double>(distinct) - static_cast<double>(before->distinct_day)) / hours,
      .breach_ns = std::nullopt};
  if (!budget || *growth.per_hour <= 0 || distinct >= *budget) return growth;
  const double left_ns = (static_cast<double>(*budget) - static_cast<double>(distinct)) /
                         *growth.per_hour * static_cast<double>(kHourNs);
  // What is years away is not foreseen.
  if (left_ns < 365.0 * static_cast<double>(kDayNs))
    growth.breach_ns = now_ns + static_cast<std::int64_t>(left_ns);
  return growth;
}

Index IndexOf(std::string_view key, const KeyKind& kind, const KeyState& state,
              const Settings& settings) {
  const Settings::Key* by_hand = settings.Find(key);
  if (by_hand != nullptr && by_hand->index) return *by_hand->index;
  if (kind.key_class == KeyClass::kContent) return Index::kNone;
  if (kind.key_class == KeyClass::kLookup) return Index::kLookup;
  return state.state == State::kGuarded ? settings.guarded_index : Index::kFull;
}

}  // namespace

IndexPolicy::IndexPolicy(const Settings& settings, std::set<std::string, std::less<>> unfiltered,
                         Known known)
    : unfiltered_(std::move(unfiltered)), known_(std::move(known)) {
  for (const auto& [key, by_hand] : settings.keys) {
    if (by_hand.index) by_hand_.emplace(key, *by_hand.index);
  }
}

bool IndexPolicy::HasFilter(std::string_view key) const {
  if (const auto at = by_hand_.find(key); at != by_hand_.end()) return at->second != Index::kNone;
  return !unfiltered_.contains(key) && KindOf(key).key_class != KeyClass::kContent;
}

bool IndexPolicy::IsOpen(std::string_view key) const {
  if (const auto at = by_hand_.find(key); at != by_hand_.end()) return at->second == Index::kFull;
  const KeyClass key_class = KindOf(key).key_class;
  return (key_class == KeyClass::kGrouped || key_class == KeyClass::kGuarded) &&
         !known_.contains(key);
}

std::string_view IndexPolicy::Group(std::string_view key, std::string_view value) const {
  const auto at = known_.find(key);
  return at == known_.end() || at->second.Contains(HashOf(value)) ? value : kOther;
}

KeyState* Guard::FindOrMake(const std::string& key, std::int64_t now_ns) {
  const auto at = keys_.find(key);
  if (at != keys_.end()) return &at->second;
  if (keys_.size() >= limits_.keys_max) {
    const auto idlest = std::ranges::min_element(
        keys_, {}, [](const auto& entry) { return entry.second.last_seen_ns; });
    if (idlest == keys_.end() || idlest->second.last_seen_ns > now_ns - kIdleNs) return nullptr;
    keys_.erase(idlest);
  }
  KeyState& state = keys_[key];
  state.first_seen_ns = now_ns;
  state.since_ns = now_ns;
  return &state;
}

void Guard::ForgetOld(std::int64_t now_ns) {
  std::erase_if(keys_, [&](const auto& entry) {
    return entry.second.last_seen_ns < now_ns - limits_.forget_ns;
  });
}

std::vector<StateChange> Guard::Absorb(BlockValues& values, std::int64_t now_ns,
                                       const Settings& settings) {
  ForgetOld(now_ns);
  as_of_ns_ = std::max(as_of_ns_, now_ns);
  crowded_out_ += values.crowded_out();
  std::vector<StateChange> changes;
  bool is_full = false;
  for (auto& [key, seen] : values.keys()) {
    KeyState* state = is_full && !keys_.contains(key) ? nullptr : FindOrMake(key, now_ns);
    if (state == nullptr) {
      is_full = true;
      ++crowded_out_;
      continue;
    }
    state->carriers |= seen.carriers;
    state->has_texts = state->has_texts || seen.has_texts;
    state->last_seen_ns = std::max(state->last_seen_ns, now_ns);
    Hour& hour = HourOf(*state, now_ns);
    hour.distinct.Merge(seen.distinct);
    for (auto [total, part, more] :
         {std::tuple(&state->spans, &hour.spans, seen.spans),
          std::tuple(&state->bytes, &hour.bytes, seen.bytes),
          std::tuple(&state->index_bytes, &hour.index_bytes, seen.index_bytes)}) {
      *total += more;
      *part += more;
    }
    state->first.Add(seen.first);
    const KeyKind kind = KindOf(key);
    const bool is_open = IndexOf(key, kind, *state, settings) == Index::kFull;
    if (is_open && IsGuardable(kind, *state))
      Remember(state->known, seen.texts.hashes(), hour.hour, settings.BudgetOf(key, kind));
    for (const HeavyHitters::Entry& entry : seen.hitters.entries()) {
      if (is_open || state->known.Contains(HashOf(std::string_view(entry.text))))
        state->hitters.Add(entry.text, entry.count);
    }
    // Of prompts, statements and the like nothing is shown.
    if (!seen.examples.empty() && kind.key_class != KeyClass::kContent)
      state->examples = std::move(seen.examples);
    if (auto change = Judge(key, *state, now_ns, settings, false))
      changes.push_back(*std::move(change));
  }
  Shrink();
  return changes;
}

std::optional<StateChange> Guard::Judge(const std::string& key, KeyState& state,
                                        std::int64_t now_ns, const Settings& settings,
                                        bool anew) const {
  const KeyKind kind = KindOf(key);
  const Settings::Key* by_hand = settings.Find(key);
  const bool is_guardable = IsGuardable(kind, state);
  // What somebody decided stands, and is told of all the same.
  const bool may_demote = by_hand == nullptr || !by_hand->index;
  const bool may_change = is_guardable && !(may_demote && state.state == State::kGuarded);
  if (!may_change && !anew && !IsReadingDue(state, now_ns)) return std::nullopt;
  const std::uint32_t budget = settings.BudgetOf(key, kind);
  const std::uint64_t distinct = Rounded(state.DistinctDay(now_ns).Estimate());
  Read(state, now_ns, distinct);
  const auto judge = [&]() -> std::pair<State, Why> {
    if (!is_guardable) return {State::kOk, Why::kNone};
    if (may_demote && state.state == State::kGuarded) {
      const bool has_calmed =
          state.why == Why::kBudget && distinct < (anew ? budget : budget / 2 + 1);
      if (!has_calmed) return {State::kGuarded, state.why};
    }
    if (may_demote && distinct >= budget) return {State::kGuarded, Why::kBudget};
    if (may_demote && state.first.AreUnique()) return {State::kGuarded, Why::kUnique};
    if (may_demote && state.first.AreIdLike()) return {State::kGuarded, Why::kIdLike};
    if (distinct * 2 > budget) return {State::kWatch, Why::kHalf};
    const Growth growth = GrowthOf(state, distinct, now_ns, budget);
    if (growth.breach_ns && *growth.breach_ns <= now_ns + kDayNs)
      return {State::kWatch, Why::kProjected};
    return {State::kOk, Why::kNone};
  };
  const auto [now, why] = judge();
  const State before = std::exchange(state.state, now);
  state.why = why;
  if (before == now) return std::nullopt;
  state.since_ns = now_ns;
  return StateChange{
      .key = key, .before = before, .now = now, .why = why, .distinct = distinct, .budget = budget};
}

std::vector<StateChange> Guard::JudgeAll(std::int64_t now_ns, const Settings& settings) {
  std::vector<StateChange> changes;
  for (auto& [key, state] : keys_) {
    if (auto change = Judge(key, state, now_ns, settings, true))
      changes.push_back(*std::move(change));
  }
  return changes;
}

std::shared_ptr<const IndexPolicy> Guard::MakePolicy(const Settings& settings) const {
  std::set<std::string, std::less<>> unfiltered;
  IndexPolicy::Known known;
  for (const auto& [key, state] : keys_) {
    const KeyKind kind = KindOf(key);
    const Index index = IndexOf(key, kind, state, settings);
    if (index == Index::kNone) unfiltered.insert(key);
    if (index != Index::kFull && IsGuardable(kind, state)) known.emplace(key, state.known);
  }
  return std::make_shared<const IndexPolicy>(settings, std::move(unfiltered), std::move(known));
}

namespace {

KeyReport ReportOf(const std::string& key, const KeyState& state, std::int64_t now_ns,
                   const Settings& settings) {
  const KeyKind kind = KindOf(key);
  const Settings::Key* by_hand = settings.Find(key);
  const HyperLogLog day = state.DistinctDay(now_ns);
  KeyReport report;
  report.key = key;
  report.key_class = kind.key_class;
  if (!state.has_texts && kind.key_class == KeyClass::kGuarded)
    report.key_class = KeyClass::kNumeric;
  report.budget_name = kind.budget;
  if (IsGuardable(kind, state)) report.budget = settings.BudgetOf(key, kind);
  report.carriers = state.carriers;
  report.state = state.state;
  report.why = state.why;
  report.since_ns = state.since_ns;
  report.index = IndexOf(key, kind, state, settings);
  report.by_hand = by_hand != nullptr && by_hand->index.has_value();
  report.distinct = Rounded(day.Estimate());
  report.error = day.Error();
  report.spans = state.spans;
  report.bytes = state.bytes;
  report.index_bytes = state.index_bytes;
  report.first_seen_ns = state.first_seen_ns;
  report.last_seen_ns = state.last_seen_ns;
  const Growth growth = GrowthOf(state, report.distinct, now_ns, report.budget);
  report.growth_per_hour = growth.per_hour;
  report.breach_ns = growth.breach_ns;
  report.pattern = state.first.Prevailing();
  report.examples = state.examples;
  return report;
}

}  // namespace

Census Guard::Report(std::int64_t now_ns, const Settings& settings) const {
  Census census{.as_of_ns = as_of_ns_,
                .keys = {},
                .keys_max = limits_.keys_max,
                .crowded_out = crowded_out_,
                .memory_bytes = MemoryBytes(),
                .memory_bytes_max = limits_.bytes_max};
  census.keys.reserve(keys_.size());
  for (const auto& [key, state] : keys_)
    census.keys.push_back(ReportOf(key, state, now_ns, settings));
  return census;
}

std::optional<KeyDetail> Guard::Report(std::string_view key, std::int64_t now_ns,
                                       const Settings& settings) const {
  const auto at = keys_.find(key);
  if (at == keys_.end()) return std::nullopt;
  const KeyState& state = at->second;
  KeyDetail detail{.report = ReportOf(at->first, state, now_ns, settings),
                   .values = state.hitters.Sorted(),
                   .other_spans = 0,
                   .hours = {}};
  std::uint64_t told = 0;
  for (const HeavyHitters::Entry& entry : detail.values) told += entry.count;
  detail.other_spans = state.spans - std::min(state.spans, told);
  for (const HourCount& count : state.curve)
    detail.hours.push_back({.count = count, .bytes = 0, .index_bytes = 0});
  for (const Hour& hour : state.hours) {
    const auto same = std::ranges::find_if(
        detail.hours, [&](const auto& report) { return report.count.hour == hour.hour; });
    const bool goes_on = same == detail.hours.end();
    KeyDetail::HourReport& report = goes_on ? detail.hours.emplace_back() : *same;
    if (goes_on) {
      report.count = {.hour = hour.hour,
                      .spans = hour.spans,
                      .distinct = Rounded(hour.distinct.Estimate()),
                      .distinct_day = detail.report.distinct};
    }
    report.bytes = hour.bytes;
    report.index_bytes = hour.index_bytes;
  }
  return detail;
}

std::size_t Guard::Count(State state) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(keys_, [&](const auto& entry) { return entry.second.state == state; }));
}

void Guard::ForgetTexts() {
  for (auto& [key, state] : keys_) {
    state.hitters.Clear();
    state.examples.clear();
  }
}

std::size_t Guard::MemoryBytes() const {
  std::size_t bytes = 0;
  for (const auto& [key, state] : keys_) bytes += key.size() + state.MemoryBytes();
  return bytes;
}

// The key with most gets less exact, until all fit or none can get smaller.
void Guard::Shrink() {
  std::size_t bytes = MemoryBytes();
  if (bytes <= limits_.bytes_max) return;
  std::vector<std::pair<std::size_t, KeyState*>> sizes;
  for (auto& [key, state] : keys_) sizes.emplace_back(state.MemoryBytes(), &state);
  std::ranges::make_heap(sizes);
  while (bytes > limits_.bytes_max && !sizes.empty()) {
    std::ranges::pop_heap(sizes);
    auto [before, state] = sizes.back();
    sizes.pop_back();
    Hour* largest = nullptr;
    for (Hour& hour : state->hours) {
      if (largest == nullptr || hour.distinct.bytes() > largest->distinct.bytes()) largest = &hour;
    }
    if (largest == nullptr || !largest->distinct.Fold()) continue;
    const std::size_t after = state->MemoryBytes();
    bytes -= before - std::min(before, after);
    sizes.emplace_back(after, state);
    std::ranges::push_heap(sizes);
  }
}

void Guard::Restore(Keys keys, std::uint64_t crowded_out, std::int64_t as_of_ns) {
  keys_ = std::move(keys);
  while (keys_.size() > limits_.keys_max) keys_.erase(std::prev(keys_.end()));
  crowded_out_ = crowded_out;
  as_of_ns_ = as_of_ns;
  Shrink();
}

}  // namespace fluoro::cardinality
