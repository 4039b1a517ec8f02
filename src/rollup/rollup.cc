#include "rollup/rollup.h"

#include <algorithm>

#include "base/assert.h"

namespace fluoro::rollup {
namespace {

std::int64_t SaturatingAdd(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b > 0 ? INT64_MAX : INT64_MIN;
}

std::int64_t SaturatingProduct(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  if (!__builtin_mul_overflow(a, b, &product)) return product;
  return (a < 0) == (b < 0) ? INT64_MAX : INT64_MIN;
}

// A series as two words.
std::uint64_t KeysOf(const Series& series) { return std::uint64_t{series.from} << 32 | series.to; }
std::uint64_t RestOf(const Series& series) {
  return std::uint64_t{series.alias} << 8 | static_cast<std::uint64_t>(series.kind) << 2 |
         (series.client ? 2U : 0U) | (series.link ? 1U : 0U);
}
std::uint64_t HashOf(std::uint64_t keys, std::uint64_t rest) {
  const std::uint64_t hash = keys * 0x9e3779b97f4a7c15ULL ^ rest * 0xff51afd7ed558ccdULL;
  return hash ^ (hash >> 32);
}

std::uint64_t HashOf(std::uint32_t period, std::uint32_t series) {
  const std::uint64_t both = (std::uint64_t{period} << 32 | series) * 0x9e3779b97f4a7c15ULL;
  return both ^ (both >> 32);
}

}  // namespace

void Cell::AddSecond(SeriesKind kind) {
  second = kind == SeriesKind::kNode ? std::make_unique<DurationCounts>(times)
                                     : std::make_unique<DurationCounts>();
}

void Cell::AddEnded(const std::array<std::int64_t, 4>& outcomes, std::int64_t added_real,
                    std::int64_t added_from_real) {
  const auto of = [&](model::Outcome outcome) {
    return outcomes[static_cast<std::size_t>(outcome)];
  };
  seen += outcomes[0] + outcomes[1] + outcomes[2] + outcomes[3];
  ok += of(model::Outcome::kOk);
  error += of(model::Outcome::kError);
  throttle += of(model::Outcome::kThrottle);
  fault += of(model::Outcome::kFault);
  real += added_real;
  from_real += added_from_real;
}

void Cell::AddResponse(std::int64_t added_ns) {
  response_ns = SaturatingAdd(response_ns, added_ns);
}

void Cell::Add(const CellSample& sample) {
  const std::int64_t count = sample.times;
  if (count > 0) {
    start_ns = std::min(start_ns, sample.start_ns);
    end_ns = std::max(end_ns, sample.end_ns);
  }
  std::array<std::int64_t, 4> outcomes{};
  if (sample.in_progress) {
    seen += count;
  } else {
    outcomes[static_cast<std::size_t>(sample.outcome)] = count;
  }
  AddEnded(outcomes, sample.real ? count : 0, sample.from_real ? count : 0);
  if (sample.in_progress) return;
  const bool is_link = sample.kind == CellSample::Kind::kLink;
  if (second == nullptr && NeedsSecond(sample))
    AddSecond(is_link ? SeriesKind::kEdge : SeriesKind::kNode);
  if (!is_link) {
    const std::int64_t duration_ns = sample.end_ns - sample.start_ns;
    AddResponse(SaturatingProduct(duration_ns, count));
    times.Add(duration_ns, count);
  }
  if (second != nullptr && sample.kind != CellSample::Kind::kCall)
    second->Add(sample.other_ns, count);
}

void Cell::Merge(const Cell& other, SeriesKind kind, std::int64_t times_added) {
  seen += other.seen * times_added;
  ok += other.ok * times_added;
  error += other.error * times_added;
  throttle += other.throttle * times_added;
  fault += other.fault * times_added;
  real += other.real * times_added;
  from_real += other.from_real * times_added;
  response_ns = SaturatingAdd(response_ns, other.response_ns * times_added);
  if (times_added > 0) {
    start_ns = std::min(start_ns, other.start_ns);
    end_ns = std::max(end_ns, other.end_ns);
  }
  const bool node = kind == SeriesKind::kNode;
  if (other.second != nullptr) {
    if (second == nullptr)
      second = node ? std::make_unique<DurationCounts>(times) : std::make_unique<DurationCounts>();
    second->Merge(*other.second, times_added);
  } else if (second != nullptr && node) {
    second->Merge(other.times, times_added);
  }
  times.Merge(other.times, times_added);
}

bool Cell::IsZero() const {
  return seen == 0 && ok == 0 && error == 0 && throttle == 0 && fault == 0 && real == 0 &&
         from_real == 0 && response_ns == 0 && times.IsZero() &&
         (second == nullptr || second->IsZero());
}

std::size_t Cell::bytes() const {
  return sizeof(Cell) + times.bytes() +
         (second == nullptr ? 0 : sizeof(DurationCounts) + second->bytes());
}

std::size_t Rollup::SeriesHash::operator()(const Series& series) const {
  return HashOf(KeysOf(series), RestOf(series));
}

Rollup::Rollup(std::int64_t period_ns, const Limits& limits)
    : period_ns_(period_ns), limits_(limits) {
  FLUORO_ASSERT(period_ns >= 0);
}

std::int64_t Rollup::StartOf(std::int64_t ns) const { return PeriodStart(ns, period_ns_); }

std::uint32_t Rollup::PeriodAt(std::int64_t ns) {
  if (!periods_.empty()) {
    const std::int64_t start_ns = periods_[last_period_].start_ns;
    if (period_ns_ == 0 || (ns >= start_ns && ns - start_ns < period_ns_)) return last_period_;
  }
  const std::int64_t start_ns = StartOf(ns);
  const auto [at, added] =
      period_ids_.try_emplace(start_ns, static_cast<std::uint32_t>(periods_.size()));
  if (added) periods_.push_back({.start_ns = start_ns});
  return last_period_ = at->second;
}

std::uint32_t Rollup::FindSeries(const Series& series) {
  const auto [at, added] =
      series_ids_.try_emplace(series, static_cast<std::uint32_t>(series_.size()));
  if (added) series_.push_back(series);
  return at->second;
}

void Rollup::GrowSlots() {
  slots_.assign(std::max<std::size_t>(64, slots_.size() * 2), 0);
  const std::size_t mask = slots_.size() - 1;
  for (std::uint32_t cell = 0; cell < cells_.size(); ++cell) {
    std::size_t at = HashOf(places_[cell].period, places_[cell].series) & mask;
    while (slots_[at] != 0) at = (at + 1) & mask;
    slots_[at] = cell + 1;
  }
}

Cell* Rollup::Find(std::uint32_t period, std::uint32_t series, bool may_add) {
  if (2 * (cells_.size() + 1) > slots_.size()) GrowSlots();
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = HashOf(period, series) & mask;
  for (; slots_[at] != 0; at = (at + 1) & mask) {
    const std::uint32_t cell = slots_[at] - 1;
    if (places_[cell].period == period && places_[cell].series == series) return &cells_[cell];
  }
  if (!may_add) return nullptr;
  slots_[at] = static_cast<std::uint32_t>(cells_.size()) + 1;
  places_.push_back({.period = period, .series = series});
  ++periods_[period].series;
  return &cells_.emplace_back();
}

Cell& Rollup::At(std::int64_t ns, std::uint32_t series) {
  const std::uint32_t period = PeriodAt(ns);
  const bool room =
      periods_[period].series < limits_.series_per_period_max && cells_.size() < limits_.cells_max;
  if (Cell* const cell = Find(period, series, room)) return *cell;
  ++crowded_out_;
  return *Find(period, FindSeries({.kind = SeriesKind::kOther}), true);
}

std::uint32_t Rollup::Adopt(const Rollup& other, std::uint32_t number) {
  Series series = other.series_[number];
  if (series.kind == SeriesKind::kOther) return FindSeries(series);
  series.to = keys_.Find(other.keys_.KeyAt(series.to));
  if (series.kind != SeriesKind::kNode) series.from = keys_.Find(other.keys_.KeyAt(series.from));
  series.alias = keys_.Text(other.keys_.TextAt(series.alias));
  return FindSeries(series);
}

void Rollup::Merge(const Rollup& other, const Window& periods, std::int64_t times) {
  Widen(other.first_ns_, other.last_ns_);
  std::vector<std::uint32_t> numbers(other.series_.size(), UINT32_MAX);
  for (std::size_t i = 0; i < other.cells_.size(); ++i) {
    const Place& place = other.places_[i];
    const std::int64_t start_ns = other.periods_[place.period].start_ns;
    if (!periods.Holds(start_ns)) continue;
    std::uint32_t& number = numbers[place.series];
    if (number == UINT32_MAX) number = Adopt(other, place.series);
    At(start_ns, number).Merge(other.cells_[i], other.series_[place.series].kind, times);
  }
}

std::vector<Rollup::Row> Rollup::Rows() const {
  std::vector<Row> rows;
  rows.reserve(cells_.size());
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    if (cells_[i].IsZero()) continue;
    rows.push_back({.period_ns = periods_[places_[i].period].start_ns,
                    .series = places_[i].series,
                    .cell = &cells_[i]});
  }
  std::ranges::sort(rows, [](const Row& a, const Row& b) {
    return std::pair(a.period_ns, a.series) < std::pair(b.period_ns, b.series);
  });
  return rows;
}

void Rollup::Widen(std::int64_t first_ns, std::int64_t last_ns) {
  first_ns_ = std::min(first_ns_, first_ns);
  last_ns_ = std::max(last_ns_, last_ns);
}

std::size_t Rollup::bytes() const {
  std::size_t bytes = slots_.capacity() * sizeof(std::uint32_t) +
                      places_.capacity() * sizeof(Place) +
                      series_.size() * (2 * sizeof(Series) + 48) + periods_.size() * 64 +
                      keys_.texts() * 96 + keys_.size() * 64;
  for (const Cell& cell : cells_) bytes += cell.bytes();
  return bytes;
}

inline bool Rollup::Sink::Wants(const Measured& measured) const {
  if (windows_.empty()) return true;
  const std::int64_t instant_ns = measured.instant_ns();
  if (windows_.size() == 1) return windows_.front().Holds(instant_ns);
  return std::ranges::any_of(windows_,
                             [instant_ns](const Window& w) { return w.Holds(instant_ns); });
}

// Numbers of theirs mean nothing any more once they were given anew.
inline void Rollup::Sink::Follow() {
  if (generation_ == keys_.generation()) return;
  generation_ = keys_.generation();
  key_ids_.clear();
  text_ids_.clear();
  known_.clear();
  nears_ = {};
  near_ = nullptr;
  tries_ = 0;
}

Rollup::Sink::Near* Rollup::Sink::FindNear(std::int64_t ns) {
  const std::int64_t period_ns = rollup_.period_ns_;
  const std::int64_t start_ns = rollup_.StartOf(ns);
  const auto number = period_ns == 0 ? 0 : static_cast<std::size_t>(start_ns / period_ns);
  NearPeriod& place = nears_[number % nears_.size()];
  if (place.near == nullptr || (period_ns != 0 && !place.window.Holds(ns))) {
    if (tried_ns_ != start_ns) tries_ = 0;
    tried_ns_ = start_ns;
    if (period_ns != 0 && ++tries_ < kNearTrial) return nullptr;
    tries_ = 0;
    place.window = {};
    if (period_ns != 0) {
      place.window.from_ns = start_ns;
      if (start_ns < INT64_MAX - period_ns) place.window.until_ns = start_ns + period_ns;
    }
    place.near = std::make_unique<Near>();
  }
  near_ = &place;
  return place.near.get();
}

KeyId Rollup::Sink::Key(KeyId id) {
  if (id >= key_ids_.size()) key_ids_.resize(std::max<std::size_t>(keys_.size(), id + 1), 0);
  if (key_ids_[id] == 0) key_ids_[id] = rollup_.keys_.Find(keys_.KeyAt(id)) + 1;
  return key_ids_[id] - 1;
}

Rollup::Sink::Known& Rollup::Sink::KnownOf(const Series& theirs) {
  if (known_.empty()) known_.resize(kKnown);
  const std::uint64_t keys = KeysOf(theirs);
  const std::uint64_t rest = RestOf(theirs);
  const std::uint64_t hash = HashOf(keys, rest);
  for (std::size_t i = 0; i < kKnownTries; ++i) {
    Known& known = known_[(hash + i) % kKnown];
    if (known.number_plus_one == 0) break;
    if (known.keys == keys && known.rest == rest) return known;
  }
  Series ours = theirs;
  ours.to = Key(theirs.to);
  if (theirs.kind != SeriesKind::kNode) ours.from = Key(theirs.from);
  if (theirs.kind == SeriesKind::kAlias) ours.alias = Text(theirs.alias);
  std::size_t free = 0;
  while (free + 1 < kKnownTries && known_[(hash + free) % kKnown].number_plus_one != 0) ++free;
  return known_[(hash + free) % kKnown] = {
             .keys = keys, .rest = rest, .number_plus_one = rollup_.FindSeries(ours) + 1};
}

// Of a node or an edge.
std::uint32_t Rollup::Sink::NearCellOf(const Series& theirs, std::int64_t ns) {
  Near* const near = IsNear(theirs) ? NearAt(ns) : nullptr;
  if (near == nullptr) return CellOf(theirs, ns);
  std::uint32_t& known = theirs.kind == SeriesKind::kNode
                             ? near->nodes[theirs.to]
                             : near->edges[theirs.client ? 1 : 0][theirs.from][theirs.to];
  if (known != 0) return known - 1;
  const std::uint32_t cell = CellOf(theirs, ns);
  // What had no place may find one later.
  if (rollup_.series_[rollup_.places_[cell].series].kind != SeriesKind::kOther) known = cell + 1;
  return cell;
}

std::uint32_t Rollup::Sink::CellOf(const Series& theirs, std::int64_t ns) {
  Known& known = KnownOf(theirs);
  const std::uint32_t period = rollup_.PeriodAt(ns);
  if (known.cell_plus_one != 0 && known.period == period) return known.cell_plus_one - 1;
  const Cell& cell = rollup_.At(ns, known.number_plus_one - 1);
  const auto index = static_cast<std::uint32_t>(&cell - rollup_.cells_.data());
  // What had no place may find one later.
  if (rollup_.places_[index].series == known.number_plus_one - 1) {
    known.period = period;
    known.cell_plus_one = index + 1;
  }
  return index;
}

TextId Rollup::Sink::Text(TextId id) {
  if (id >= text_ids_.size()) text_ids_.resize(std::max<std::size_t>(keys_.texts(), id + 1), 0);
  if (text_ids_[id] == 0) text_ids_[id] = rollup_.keys_.Text(keys_.TextAt(id)) + 1;
  return text_ids_[id] - 1;
}

std::uint32_t Rollup::Sink::AliasCellOf(const Series& theirs, std::int64_t ns) {
  Near* const near = IsNear(theirs) && !theirs.client ? NearAt(ns) : nullptr;
  if (near == nullptr) return CellOf(theirs, ns);
  Near::Alias& known = near->aliases[theirs.from][theirs.to];
  if (known.cell != 0 && known.name == theirs.alias) return known.cell - 1;
  const std::uint32_t cell = CellOf(theirs, ns);
  if (rollup_.series_[rollup_.places_[cell].series].kind != SeriesKind::kOther)
    known = {.name = theirs.alias, .cell = cell + 1};
  return cell;
}

void Rollup::Sink::Put(std::uint32_t cell, const CellSample& sample) {
  if (accumulators_ != nullptr) {
    accumulators_->AddAny(sample, cell);
  } else {
    rollup_.cells_[cell].Add(sample);
  }
}

void Rollup::Sink::AddWanted(const NodeSample& sample) {
  const Measured& measured = sample.measured;
  const std::uint32_t cell =
      NearCellOf({.kind = SeriesKind::kNode, .to = sample.key}, measured.instant_ns());
  Put(cell, {.start_ns = measured.start_ns,
             .end_ns = measured.end_ns,
             .other_ns = sample.total_ns(),
             .times = sign_,
             .kind = CellSample::Kind::kNode,
             .outcome = measured.outcome,
             .in_progress = measured.in_progress,
             .real = !sample.inferred});
}

void Rollup::Sink::AddWanted(const EdgeSample& sample) {
  const Measured& measured = sample.measured;
  const Series series{.kind = SeriesKind::kEdge,
                      .client = sample.from_client,
                      .link = sample.link,
                      .from = sample.from,
                      .to = sample.to};
  const std::int64_t instant_ns = measured.instant_ns();
  Put(NearCellOf(series, instant_ns),
      {.start_ns = measured.start_ns,
       .end_ns = measured.end_ns,
       .other_ns = sample.age_ns,
       .times = sign_,
       .kind = sample.link ? CellSample::Kind::kLink : CellSample::Kind::kCall,
       .outcome = measured.outcome,
       .in_progress = measured.in_progress,
       .real = !sample.to_inferred,
       .from_real = !sample.from_inferred});
  if (sample.alias != 0) AddAlias(series, sample.alias, instant_ns);
}

// @param series  of the edge.
void Rollup::Sink::AddAlias(Series series, TextId alias, std::int64_t ns) {
  series.kind = SeriesKind::kAlias;
  series.alias = alias;
  rollup_.cells_[AliasCellOf(series, ns)].seen += sign_;
}

void Rollup::Sink::Add(const NodeSample& sample) {
  const Measured& measured = sample.measured;
  if (!Wants(measured)) return;
  Follow();
  rollup_.Widen(measured.instant_ns(), measured.instant_ns());
  AddWanted(sample);
}

void Rollup::Sink::Add(const EdgeSample& sample) {
  const Measured& measured = sample.measured;
  if (!Wants(measured)) return;
  Follow();
  rollup_.Widen(measured.instant_ns(), measured.instant_ns());
  AddWanted(sample);
}

void Rollup::Sink::AddAll(std::span<const SpanSample> samples) {
  if (samples.empty()) return;
  Follow();
  std::int64_t first_ns = INT64_MAX;
  std::int64_t last_ns = INT64_MIN;
  for (const SpanSample& sample : samples) {
    const std::int64_t instant_ns = sample.measured().instant_ns();
    first_ns = std::min(first_ns, instant_ns);
    last_ns = std::max(last_ns, instant_ns);
  }
  const bool are_wanted =
      windows_.empty() || std::ranges::any_of(windows_, [&](const Window& window) {
        return window.Holds(first_ns) && window.Holds(last_ns);
      });
  if (are_wanted) {
    rollup_.Widen(first_ns, last_ns);
    AddSpans<true>(samples, NearOf(first_ns, last_ns));
  } else {
    AddSpans<false>(samples, NearOf(first_ns, last_ns));
  }
}

template <bool kIsWanted>
void Rollup::Sink::AddSpans(std::span<const SpanSample> samples, const Near* near) {
  Accumulators* const accumulators =
      sign_ > 0 && sign_ <= Accumulators::kTimesMax ? accumulators_ : nullptr;
  if (accumulators != nullptr) accumulators->Reserve(2 * samples.size(), sign_);
  const DurationBuckets& buckets = DurationBuckets::Get();
  for (const SpanSample& sample : samples) {
    if (!kIsWanted) {
      const Measured measured = sample.measured();
      if (!Wants(measured)) continue;
      rollup_.Widen(measured.instant_ns(), measured.instant_ns());
    }
    const auto duration_ns =
        static_cast<std::uint64_t>(sample.end_ns) - static_cast<std::uint64_t>(sample.start_ns);
    if (accumulators != nullptr && !sample.in_progress && !sample.link &&
        duration_ns <= static_cast<std::uint64_t>(Accumulators::kDurationMaxNs)) [[likely]] {
      AddEnded(sample, buckets, near, *accumulators);
      continue;
    }
    if (sample.is_node) AddWanted(sample.node());
    if (sample.is_edge) AddWanted(sample.edge());
  }
}

// @param near  of the sample's period; null: there is none, or samples lie in several.
[[gnu::always_inline]] inline void Rollup::Sink::AddEnded(const SpanSample& sample,
                                                          const DurationBuckets& buckets,
                                                          const Near* near,
                                                          Accumulators& accumulators) {
  const std::int64_t duration_ns = sample.end_ns - sample.start_ns;
  const Accumulators::Ended ended{.start_ns = sample.start_ns,
                                  .end_ns = sample.end_ns,
                                  .duration_ns = duration_ns,
                                  .times = sign_,
                                  .bucket = static_cast<std::size_t>(buckets.Of(duration_ns)),
                                  .outcome = sample.outcome};
  const bool is_near = near != nullptr && (sample.from | sample.to) < kNearKeys;
  if (sample.is_node) {
    const std::uint32_t known = is_near ? near->nodes[sample.to] : 0;
    const std::uint32_t cell =
        known != 0 ? known - 1
                   : NearCellOf({.kind = SeriesKind::kNode, .to = sample.to}, sample.end_ns);
    accumulators.AddNode(cell, ended, !sample.inferred, sample.other_ns);
  }
  if (!sample.is_edge) return;
  const std::uint32_t known =
      is_near ? near->edges[sample.from_client ? 1 : 0][sample.from][sample.to] : 0;
  const Series series{.kind = SeriesKind::kEdge,
                      .client = sample.from_client,
                      .from = sample.from,
                      .to = sample.to};
  const std::uint32_t cell = known != 0 ? known - 1 : NearCellOf(series, sample.end_ns);
  accumulators.AddCall(cell, ended, !sample.inferred);
  if (sample.alias == 0) return;
  if (is_near) {
    const Near::Alias& alias = near->aliases[sample.from][sample.to];
    if (alias.cell != 0 && alias.name == sample.alias && !sample.from_client) {
      rollup_.cells_[alias.cell - 1].seen += sign_;
      return;
    }
  }
  AddAlias(series, sample.alias, sample.end_ns);
}

}  // namespace fluoro::rollup
