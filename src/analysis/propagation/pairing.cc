#include "analysis/propagation/pairing.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <unordered_map>

namespace fluoro::analysis::propagation {
namespace {

constexpr std::size_t kReachMax = 256;
constexpr std::uint32_t kPairsMin = 5;
constexpr int kShifts = 5;

struct Match {
  std::uint32_t call = 0;
  std::int32_t entry = -1;
  std::int64_t cost_ns = 0;
};

class Matcher {
 public:
  explicit Matcher(const PairingInput& input) : in_(input), order_(input.calls.size()) {
    std::iota(order_.begin(), order_.end(), 0U);
    // Short calls have the fewest entries to choose from.
    std::ranges::stable_sort(
        order_, {}, [&](std::uint32_t i) { return in_.calls[i].end_ns - in_.calls[i].start_ns; });
    std::vector<std::uint32_t> by_start(input.entries.size());
    std::iota(by_start.begin(), by_start.end(), 0U);
    std::ranges::stable_sort(by_start, {},
                             [&](std::uint32_t i) { return in_.entries[i].start_ns; });
    for (const std::uint32_t i : by_start) {
      const LostEntry& entry = in_.entries[i];
      by_service_[entry.service].push_back(i);
      if (entry.request.tail != 0) by_path_[entry.request.path].push_back(i);
      first_ns_ = std::min(first_ns_, entry.start_ns);
      last_ns_ = std::max(last_ns_, entry.start_ns);
    }
  }

  [[nodiscard]] std::vector<Match> Run(double shift) {
    std::vector<Match> out;
    if (first_ns_ > last_ns_) return out;
    used_.assign(in_.entries.size(), false);
    for (const std::uint32_t i : order_) {
      const std::int64_t start_ns = Shifted(in_.calls[i].start_ns, shift);
      Match best{.call = i, .cost_ns = INT64_MAX};
      if (in_.candidates[i].empty()) {
        // Who answered is not known: the path has to say something.
        if (in_.calls[i].request.tail == 0) continue;
        for (const std::uint64_t path : {in_.calls[i].request.path, in_.calls[i].request.tail}) {
          if (const auto found = by_path_.find(path); found != by_path_.end())
            Choose(found->second, i, start_ns, best);
        }
      }
      for (const TextId service : in_.candidates[i]) {
        if (const auto found = by_service_.find(service); found != by_service_.end())
          Choose(found->second, i, start_ns, best);
      }
      if (best.entry < 0) continue;
      used_[static_cast<std::size_t>(best.entry)] = true;
      out.push_back(best);
    }
    return out;
  }

 private:
  // Turned round within the time that there are entries of, so that as many are in reach.
  [[nodiscard]] std::int64_t Shifted(std::int64_t ns, double shift) const {
    if (shift == 0) return ns;
    const std::int64_t length = last_ns_ - first_ns_ + 1;
    const auto by = static_cast<std::int64_t>(shift * static_cast<double>(length));
    std::int64_t at = (ns - first_ns_ + by) % length;
    if (at < 0) at += length;
    return first_ns_ + at;
  }

  void Choose(const std::vector<std::uint32_t>& among, std::uint32_t index, std::int64_t start_ns,
              Match& best) const {
    const LostCall& call = in_.calls[index];
    const std::int64_t end_ns = start_ns + (call.end_ns - call.start_ns);
    TextId offset_of = 0;
    std::int64_t offset_ns = 0;
    std::int64_t reach_from_ns = start_ns - kSkewNs;
    std::int64_t reach_until_ns = end_ns + kSkewNs;
    if (!among.empty()) {
      offset_of = in_.entries[among.front()].service;
      offset_ns = in_.offset_ns(call.service, offset_of);
      reach_from_ns += std::min<std::int64_t>(offset_ns, 0);
      reach_until_ns += std::max<std::int64_t>(offset_ns, 0);
    }
    auto at = std::ranges::lower_bound(among, reach_from_ns, {},
                                       [&](std::uint32_t i) { return in_.entries[i].start_ns; });
    for (std::size_t seen = 0; at != among.end() && seen < kReachMax; ++at) {
      const LostEntry& entry = in_.entries[*at];
      if (entry.start_ns > reach_until_ns) break;
      if (entry.service != offset_of) {
        offset_of = entry.service;
        offset_ns = in_.offset_ns(call.service, offset_of);
      }
      const std::int64_t early_ns = entry.start_ns - offset_ns - start_ns;
      const std::int64_t late_ns = end_ns - (entry.end_ns - offset_ns);
      if (early_ns < -kSkewNs || late_ns < -kSkewNs) continue;
      if (entry.end_ns - entry.start_ns > end_ns - start_ns + 1'000'000) continue;
      ++seen;
      if (used_[*at] || entry.trace == call.trace || !call.request.Fits(entry.request)) continue;
      // A callee begins soon after the call; how soon its answer is back says less.
      const std::int64_t cost_ns = 4 * std::abs(early_ns) + std::abs(late_ns);
      if (cost_ns >= best.cost_ns) continue;
      best.cost_ns = cost_ns;
      best.entry = static_cast<std::int32_t>(*at);
    }
  }

  const PairingInput& in_;
  std::vector<std::uint32_t> order_;
  std::unordered_map<TextId, std::vector<std::uint32_t>> by_service_;
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> by_path_;
  std::vector<bool> used_;
  std::int64_t first_ns_ = INT64_MAX;
  std::int64_t last_ns_ = INT64_MIN;
};

std::size_t CountUpTo(const std::vector<std::int64_t>& sorted, std::int64_t most) {
  return static_cast<std::size_t>(std::ranges::upper_bound(sorted, most) - sorted.begin());
}

// True pairs fit closely, those of chance do not: where load pairs everything with everything, the
// closest may still be proven.
Pairing::Edge Judge(std::vector<std::int64_t> costs, std::vector<std::int64_t> chance) {
  std::ranges::sort(costs);
  std::ranges::sort(chance);
  for (const double quantile : {1.0, 0.75, 0.5, 0.25}) {
    const auto count =
        static_cast<std::size_t>(std::ceil(quantile * static_cast<double>(costs.size())));
    if (count < kPairsMin) break;
    const std::int64_t most = costs[count - 1];
    const auto pairs = static_cast<double>(CountUpTo(costs, most));
    const double expected = static_cast<double>(CountUpTo(chance, most)) / kShifts;
    if (pairs < 3 * expected + 3 * std::sqrt(expected) || pairs < expected + kPairsMin) continue;
    return {.pairs = static_cast<std::uint32_t>(pairs), .by_chance = expected, .cost_ns_max = most};
  }
  return {};
}

}  // namespace

Pairing PairByTime(const PairingInput& input) {
  struct Costs {
    std::vector<std::int64_t> true_times;
    std::vector<std::int64_t> shifted;
  };
  std::map<ServicePair, Costs> costs;
  const auto edge_of = [&](const Match& match) -> Costs& {
    return costs[{input.calls[match.call].service,
                  input.entries[static_cast<std::size_t>(match.entry)].service}];
  };
  Matcher matcher(input);
  const std::vector<Match> matches = matcher.Run(0);
  for (const Match& match : matches) edge_of(match).true_times.push_back(match.cost_ns);
  for (int i = 1; i <= kShifts && !matches.empty(); ++i) {
    for (const Match& match : matcher.Run(static_cast<double>(i) / (kShifts + 1)))
      edge_of(match).shifted.push_back(match.cost_ns);
  }
  Pairing out;
  out.entry_of.assign(input.calls.size(), -1);
  for (auto& [edge, one] : costs) {
    const Pairing::Edge judged = Judge(std::move(one.true_times), std::move(one.shifted));
    if (judged.pairs > 0) out.proven.emplace(edge, judged);
  }
  for (const Match& match : matches) {
    const auto proven =
        out.proven.find({input.calls[match.call].service,
                         input.entries[static_cast<std::size_t>(match.entry)].service});
    if (proven != out.proven.end() && match.cost_ns <= proven->second.cost_ns_max)
      out.entry_of[match.call] = match.entry;
  }
  return out;
}

}  // namespace fluoro::analysis::propagation
