#include "analysis/compare/differ.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "analysis/compare/significance.h"
#include "base/utf8.h"
#include "model/attribute_reader.h"

namespace fluoro::analysis::compare {
namespace {

using model::AttributeType;

constexpr auto kSelection = static_cast<std::size_t>(Side::kSelection);
constexpr auto kBaseline = static_cast<std::size_t>(Side::kBaseline);

// Numbers of a key are shown as they are up to so many, then in ranges.
constexpr std::size_t kExactNumbersMax = 12;
constexpr std::size_t kRanges = 8;
// From so many texts on, of which so many are distinct, a key is an id.
constexpr std::uint64_t kIdTextsMin = 20;
constexpr double kIdDistinct = 0.9;
// A cell of a table holds at least so many for the law of the G-test to hold (Cochran).
constexpr double kExpectedMin = 5;
// Below so many traces on a side nothing is tested.
constexpr double kTracesMin = 4;

// Buckets of an eighth of an octave, in the order of the numbers.
constexpr std::int32_t kBucketZero = 100'000;
constexpr double kBucketsAnOctave = 8;

std::int32_t BucketOf(double number) {
  if (number == 0) return 0;
  const auto place =
      static_cast<std::int32_t>(std::floor(std::log2(std::abs(number)) * kBucketsAnOctave + 1e-9));
  return number > 0 ? kBucketZero + place : -kBucketZero - place;
}

struct Range {
  double low = 0, high = 0;
};

Range RangeOf(std::int32_t bucket) {
  if (bucket == 0) return {0, 0};
  const int place = bucket > 0 ? bucket - kBucketZero : -kBucketZero - bucket;
  const double near = std::exp2(place / kBucketsAnOctave);
  const double far = std::exp2((place + 1) / kBucketsAnOctave);
  return bucket > 0 ? Range{near, far} : Range{-far, -near};
}

bool IsNumber(AttributeType type) {
  return type == AttributeType::kInt || type == AttributeType::kDouble;
}

double NumberOf(const model::AttributeValue& value) {
  if (const auto* number = value.AsInt()) return static_cast<double>(*number);
  if (const auto* number = value.AsDouble()) return *number;
  return 0;
}

// What a value adds to the divergence of the two sides.
double Contribution(const BySide& share) {
  const double middle = (share[0] + share[1]) / 2;
  double sum = 0;
  for (const double one : share) {
    if (one > 0) sum += one / 2 * std::log2(one / middle);
  }
  return sum;
}

double Divergence(const std::vector<BySide>& shares) {
  return std::max(
      0.0, std::accumulate(shares.begin(), shares.end(), 0.0, [](double sum, const BySide& share) {
        return sum + Contribution(share);
      }));
}

// Sum of 2 O ln(O/E) over a table of two rows, with Williams' correction.
double GStatistic(const std::vector<BySide>& shares, const BySide& traces) {
  const double all = traces[0] + traces[1];
  double g = 0;
  double inverse_columns = 0;
  for (const BySide& share : shares) {
    const double column = share[0] * traces[0] + share[1] * traces[1];
    if (column <= 0) continue;
    inverse_columns += all / column;
    for (std::size_t side = 0; side < kSides; ++side) {
      if (share[side] > 0)
        g += 2 * share[side] * traces[side] * std::log(share[side] * all / column);
    }
  }
  const double degrees = static_cast<double>(shares.size()) - 1;
  const double correction =
      1 + (all / traces[0] + all / traces[1] - 1) * (inverse_columns - 1) / (6 * all * degrees);
  return std::max(0.0, g / correction);
}

struct Test {
  double p = 1;
  double distance = 0;
};

// The part of the statistic that chance does not explain (James and Stein, positive part).
double Shrunk(double divergence, double g, double by_chance) {
  if (!(g > by_chance)) return 0;
  return std::sqrt(std::min(1.0, divergence * (1 - by_chance / g)));
}

// Cells that hold enough for the law of the test; what is left over is one more.
std::vector<BySide> Merged(std::vector<BySide> shares, const BySide& traces) {
  const double all = traces[0] + traces[1];
  const double least = std::min(traces[0], traces[1]);
  const auto expected = [&](const BySide& share) {
    return (share[0] * traces[0] + share[1] * traces[1]) / all * least;
  };
  std::ranges::sort(shares, std::greater<>(), expected);
  std::vector<BySide> merged;
  BySide rest{};
  for (const BySide& share : shares) {
    if (expected(share) >= kExpectedMin) {
      merged.push_back(share);
    } else {
      rest[0] += share[0];
      rest[1] += share[1];
    }
  }
  if (expected(rest) >= kExpectedMin) {
    merged.push_back(rest);
  } else if (!merged.empty()) {
    merged.back()[0] += rest[0];
    merged.back()[1] += rest[1];
  }
  return merged;
}

Test TestShares(const std::vector<BySide>& shares, const BySide& traces) {
  const std::vector<BySide> merged = Merged(shares, traces);
  if (merged.size() >= 2) {
    const double degrees = static_cast<double>(merged.size()) - 1;
    const double g = GStatistic(merged, traces);
    return {.p = ChiSquareTail(g, degrees), .distance = Shrunk(Divergence(merged), g, degrees)};
  }
  // So few are selected, or so rare are the values, that no table of several holds. The value that
  // differs most is tested against all others, as often as there were values to choose from.
  const auto lead = std::ranges::max_element(shares, {}, Contribution);
  const BySide rest{std::max(0.0, 1 - (*lead)[0]), std::max(0.0, 1 - (*lead)[1])};
  const std::vector<BySide> two{*lead, rest};
  const double choices = static_cast<double>(shares.size());
  const double g = GStatistic(two, traces);
  return {.p = std::min(1.0, choices * ChiSquareTail(g, 1)),
          .distance = Shrunk(Divergence(two), g, 1 + 2 * std::log(choices))};
}

}  // namespace

std::string_view VerdictName(Verdict verdict) {
  static constexpr std::array<std::string_view, 3> kNames{"sure", "maybe", "thin"};
  return kNames.at(static_cast<std::size_t>(verdict));
}

void Differ::Sums::Add(const Sums& other) {
  for (std::size_t side = 0; side < kSides; ++side) {
    weight[side] += other.weight[side];
    squares[side] += other.squares[side];
  }
}

void Differ::Add(const model::AssembledTrace& trace, Side side, double weight) {
  VisitAttributes(trace, [&](Origin origin, std::string_view key,
                             const model::AttributeValue& value) { See(origin, key, value); });
  const auto place = static_cast<std::size_t>(side);
  for (const std::size_t key : touched_) Count(keys_[key], trace.trace->id, place, weight);
  touched_.clear();
  texts_.clear();
  ++traces_[place];
  total_.Add(place, 1, weight);
}

void Differ::See(Origin origin, std::string_view name, const model::AttributeValue& value) {
  const double number = NumberOf(value);
  if (!std::isfinite(number)) return;
  auto& index = index_.at(static_cast<std::size_t>(origin));
  auto found = index.find(name);
  if (found == index.end()) {
    if (keys_.size() >= bounds_.keys_max) {
      ++values_left_out_;
      return;
    }
    found = index.emplace(name, keys_.size()).first;
    keys_.push_back({.name = {.origin = origin, .key = std::string(name)}});
  }
  Key& key = keys_[found->second];
  if (key.seen_spans++ == 0) touched_.push_back(found->second);
  // Most values of a trace are few and the same again: no map.
  std::string text = model::ScalarText(value);
  if (text.size() > bounds_.value_bytes_max)
    text = std::string(TruncateUtf8(text, bounds_.value_bytes_max)) + "...";
  const auto before = std::ranges::find_if(
      key.seen, [&](const Seen& seen) { return seen.text == text && seen.type == value.type(); });
  if (before != key.seen.end()) {
    ++before->count;
  } else if (key.seen.size() < bounds_.values_max) {
    texts_.push_back(std::move(text));
    key.seen.push_back({.text = texts_.back(), .type = value.type(), .number = number, .count = 1});
  } else {
    --key.seen_spans;
    ++values_left_out_;
  }
}

void Differ::Count(Key& key, const model::TraceId& id, std::size_t side, double weight) {
  key.carried.Add(side, 1, weight);
  for (const Seen& seen : key.seen) {
    const double part = static_cast<double>(seen.count) / static_cast<double>(key.seen_spans);
    const bool number = IsNumber(seen.type);
    if (number) {
      auto bucket = key.buckets.lower_bound(BucketOf(seen.number));
      if (key.buckets.size() < bounds_.buckets_max) {
        bucket = key.buckets.try_emplace(BucketOf(seen.number)).first;
      } else if (bucket == key.buckets.end()) {
        --bucket;
      }
      bucket->second.Add(side, part, weight);
    }
    const std::pair name(seen.type, std::string(seen.text));
    auto value = key.values.find(name);
    if (!key.dropped && !number) ++key.texts;
    if (value == key.values.end()) {
      if (!key.dropped && !number) ++key.distinct;
      if (key.values.size() >= bounds_.values_max) MakeRoom(key);
      value = key.values.try_emplace(name).first;
    }
    value->second.sums.Add(side, part, weight);
    if (!value->second.example[side]) value->second.example[side] = id;
  }
  key.seen.clear();
  key.seen_spans = 0;
}

void Differ::MakeRoom(Key& key) const {
  const auto of_both = [](const Value& value) {
    return value.sums.weight[0] + value.sums.weight[1];
  };
  std::vector<double> weights;
  for (const auto& [name, value] : key.values) weights.push_back(of_both(value));
  const auto middle = weights.begin() + static_cast<std::ptrdiff_t>(weights.size() / 2);
  std::ranges::nth_element(weights, middle);
  std::size_t to_go = weights.size() / 2;
  for (auto it = key.values.begin(); it != key.values.end() && to_go > 0;) {
    if (of_both(it->second) > *middle) {
      ++it;
      continue;
    }
    if (IsNumber(it->first.first)) {
      key.dropped_numbers = true;  // the buckets have them
    } else {
      key.other.Add(it->second.sums);
      key.dropped = true;
    }
    it = key.values.erase(it);
    --to_go;
  }
}

std::vector<Differ::Cell> Differ::CellsOf(const Key& key) const {
  const auto numbers = static_cast<std::size_t>(
      std::ranges::count_if(key.values, [](const auto& one) { return IsNumber(one.first.first); }));
  const bool ranges = key.dropped_numbers || numbers > kExactNumbersMax;
  std::vector<Cell> cells;
  for (const auto& [name, value] : key.values) {
    if (ranges && IsNumber(name.first)) continue;
    cells.push_back({.value = {.text = name.second, .type = name.first, .example = value.example},
                     .sums = value.sums});
  }
  if (ranges) {
    // Of both sides alike: each side has the same part in where the ranges lie.
    const auto half = [&](const Sums& sums) {
      double sum = 0;
      for (std::size_t side = 0; side < kSides; ++side) {
        if (total_.weight[side] > 0) sum += sums.weight[side] / total_.weight[side];
      }
      return sum;
    };
    double all = 0;
    for (const auto& [bucket, sums] : key.buckets) all += half(sums);
    double begun = 0;
    bool open = false;
    for (const auto& [bucket, sums] : key.buckets) {
      if (!open) {
        cells.push_back({.value = {.kind = ValueShare::Kind::kRange,
                                   .text = {},
                                   .type = AttributeType::kDouble,
                                   .low = RangeOf(bucket).low},
                         .sums = {}});
      }
      cells.back().sums.Add(sums);
      cells.back().value.high = RangeOf(bucket).high;
      begun += half(sums);
      open = begun < all / kRanges;
      if (!open) begun = 0;
    }
  }
  if (key.other.weight[0] + key.other.weight[1] > 0)
    cells.push_back({.value = {.kind = ValueShare::Kind::kOther, .text = {}}, .sums = key.other});
  Sums absent = total_;
  for (std::size_t side = 0; side < kSides; ++side) {
    absent.weight[side] = std::max(0.0, absent.weight[side] - key.carried.weight[side]);
    absent.squares[side] = std::max(0.0, absent.squares[side] - key.carried.squares[side]);
  }
  if (absent.weight[0] + absent.weight[1] > 1e-9)
    cells.push_back({.value = {.kind = ValueShare::Kind::kAbsent, .text = {}}, .sums = absent});
  for (Cell& cell : cells) {
    for (std::size_t side = 0; side < kSides; ++side)
      cell.value.share[side] = cell.sums.weight[side] / total_.weight[side];
  }
  return cells;
}

/// A key before its rank is known.
struct Differ::Judged {
  Finding finding;
  std::vector<BySide> shares;  ///< by value, as they come
};

Differ::Judged Differ::Judge(const Key& key) const {
  std::vector<Cell> cells = CellsOf(key);
  Judged out{.finding = {.name = key.name}, .shares = {}};
  for (const Cell& cell : cells) out.shares.push_back(cell.value.share);
  if (cells.size() >= 2) {
    // Traces of equal weight whose shares would vary as much as those of these do.
    BySide effective{};
    for (std::size_t side = 0; side < kSides; ++side) {
      double of_equals = 0;
      double variance = 0;
      const double weight = total_.weight[side];
      for (const Cell& cell : cells) {
        const double share = cell.value.share[side];
        of_equals += share * (1 - share);
        variance +=
            ((1 - 2 * share) * cell.sums.squares[side] + share * share * total_.squares[side]) /
            (weight * weight);
      }
      effective[side] = of_equals > 1e-12 && variance > 0 ? of_equals / variance
                                                          : weight * weight / total_.squares[side];
    }
    if (std::min(effective[0], effective[1]) >= kTracesMin) {
      const Test test = TestShares(out.shares, effective);
      out.finding.p = test.p;
      out.finding.distance = test.distance;
    }
  }
  std::ranges::stable_sort(cells, std::greater<>(),
                           [](const Cell& cell) { return Contribution(cell.value.share); });
  for (Cell& cell : cells) {
    if (out.finding.values.size() < kValuesShown) {
      out.finding.values.push_back(std::move(cell.value));
    } else {
      ++out.finding.values_more;
    }
  }
  return out;
}

DifferReport Differ::Report(const std::set<std::string>& given) const {
  DifferReport report;
  report.values_left_out = values_left_out_;
  for (std::size_t side = 0; side < kSides; ++side) {
    const double weight = total_.weight[side];
    report.sets[side] = {.traces = traces_[side],
                         .weight = weight,
                         .effective = weight > 0 ? weight * weight / total_.squares[side] : 0};
  }
  if (traces_[kSelection] == 0 || traces_[kBaseline] == 0) return report;

  std::vector<Judged> judged;
  for (const Key& key : keys_) {
    const double distinct = static_cast<double>(key.distinct) /
                            static_cast<double>(std::max<std::uint64_t>(1, key.texts));
    if (key.texts >= kIdTextsMin && distinct >= kIdDistinct) {
      report.ids.push_back({.name = key.name, .distinct = distinct});
    } else if (Judged one = Judge(key); given.contains(key.name.key)) {
      report.given.push_back(std::move(one.finding));
    } else {
      judged.push_back(std::move(one));
    }
  }
  report.tested = judged.size();
  std::vector<double> p_values;
  for (const Judged& one : judged) p_values.push_back(one.finding.p);
  const std::vector<double> q_values = AdjustForMany(p_values);
  for (std::size_t i = 0; i < judged.size(); ++i) {
    Finding& finding = judged[i].finding;
    finding.q = q_values[i];
    finding.verdict = finding.q <= kFalseFinds   ? Verdict::kSure
                      : finding.p <= kFalseFinds ? Verdict::kMaybe
                                                 : Verdict::kThin;
  }
  std::ranges::stable_sort(judged, std::greater<>(),
                           [](const Judged& one) { return one.finding.distance; });
  const Judged* last = nullptr;
  for (Judged& one : judged) {
    if (one.finding.distance <= 0) {
      ++report.alike;
      continue;
    }
    std::ranges::sort(one.shares);
    // Two names of one thing stand in one row.
    if (last != nullptr &&
        std::ranges::equal(last->shares, one.shares, [](const BySide& a, const BySide& b) {
          return std::abs(a[0] - b[0]) < 1e-9 && std::abs(a[1] - b[1]) < 1e-9;
        })) {
      report.findings.back().same_as.push_back(one.finding.name);
      continue;
    }
    report.findings.push_back(std::move(one.finding));
    last = &one;
  }
  return report;
}

}  // namespace fluoro::analysis::compare
