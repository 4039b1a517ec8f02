#include "sampling/what_if.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <tuple>
#include <utility>

#include "base/clock.h"
#include "sampling/quota.h"

namespace fluoro::sampling {
namespace {

constexpr double kSlowQuantile = 0.99;
constexpr double kRarePerHour = 10;
/// Of a normal distribution, on both sides.
constexpr double k95 = 1.959964;
/// Not that by which tail policies and whole weights draw.
constexpr std::uint64_t kDrawSeed = 2;
constexpr std::uint32_t kNoName = UINT32_MAX;
constexpr std::uint32_t kOtherName = UINT32_MAX - 1;

double DrawOf(const std::array<std::uint8_t, 16>& id) {
  return static_cast<double>(XXH3_64bits_withSeed(id.data(), id.size(), kDrawSeed)) * 0x1.0p-64;
}

std::size_t ClientOf(const std::array<std::uint8_t, 16>& id, std::size_t clients) {
  constexpr std::uint64_t kClientSeed = 3;
  return clients == 1 ? 0 : XXH3_64bits_withSeed(id.data(), id.size(), kClientSeed) % clients;
}

// Probability of being recorded, and between which it lies where the rule is not known.
struct Chance {
  double expected = 1;
  double low = 1;
  double high = 1;
};

// What of each rule's reservoir each client holds: one client all of it, some by the server's own
// division of what they report, very many evenly.
class Reservoirs {
 public:
  Reservoirs(const std::vector<Rule>& rules, std::size_t clients)
      : rules_(rules), clients_(clients), shares_(rules.size() * clients) {
    constexpr std::size_t kClientsDividedMax = 50;
    if (clients > 1 && clients <= kClientsDividedMax) {
      assigners_.resize(rules.size());
      // Without a quota a client borrows one a second.
      for (std::size_t i = 0; i < shares_.size(); ++i)
        shares_[i].quota = std::min(rules[i / clients].reservoir, 1);
      return;
    }
    for (std::size_t rule = 0; rule < rules.size(); ++rule) {
      const auto quotas = MaxMinFair(rules[rule].reservoir, std::vector<double>(clients, 1e9), 0);
      for (std::size_t client = 0; client < clients; ++client)
        shares_[rule * clients + client].quota = quotas[client];
    }
  }

  // Whether the reservoir takes a request; to be asked of each in order of start.
  bool Takes(std::size_t rule, std::size_t client, std::int64_t now_ns) {
    if (!assigners_.empty()) Report(now_ns);
    Share& share = shares_[rule * clients_ + client];
    ++share.requests;
    if (const std::int64_t second = now_ns / kNsPerSecond; share.second != second) {
      share.second = second;
      share.taken = 0;
    }
    if (share.taken >= share.quota) return false;
    ++share.taken;
    return true;
  }

 private:
  void Report(std::int64_t now_ns) {
    constexpr std::int64_t kEveryNs = kReportIntervalSeconds * kNsPerSecond;
    if (next_ns_ == INT64_MIN) next_ns_ = now_ns + kEveryNs;
    if (now_ns < next_ns_) return;
    next_ns_ = now_ns + kEveryNs;
    for (std::size_t i = 0; i < shares_.size(); ++i) {
      Share& share = shares_[i];
      if (share.requests == 0) continue;
      const std::size_t rule = i / clients_;
      const Target target =
          assigners_[rule].Accept(rules_[rule],
                                  {.client_id = std::to_string(i % clients_),
                                   .timestamp_ns = now_ns,
                                   .request_count = std::exchange(share.requests, 0)},
                                  now_ns);
      share.quota = target.reservoir_quota;
    }
  }

  struct Share {
    std::int32_t quota = 0;
    std::int32_t taken = 0;  // in the second
    std::int64_t second = INT64_MIN;
    std::int64_t requests = 0;  // to be reported
  };
  const std::vector<Rule>& rules_;
  std::size_t clients_;
  std::vector<Share> shares_;             // by rule, then client
  std::vector<QuotaAssigner> assigners_;  // by rule; empty: shares stay as they are
  std::int64_t next_ns_ = INT64_MIN;
};

// Sums that become a WhatIfFigure.
class Sum {
 public:
  void Add(const Chance& chance) {
    ++seen_;
    expected_ += chance.expected;
    low_ += chance.low;
    high_ += chance.high;
    variance_ += chance.expected * (1 - chance.expected);
    certain_ += chance.low >= 1 ? 1U : 0U;
  }
  [[nodiscard]] WhatIfFigure Figure() const {
    const double spread = k95 * std::sqrt(variance_);
    return {.seen = seen_,
            .expected = expected_,
            .low = std::max(low_ - spread, static_cast<double>(certain_)),
            .high = std::min(high_ + spread, static_cast<double>(seen_)),
            .certain = certain_};
  }

 private:
  std::uint64_t seen_ = 0, certain_ = 0;
  double expected_ = 0, low_ = 0, high_ = 0, variance_ = 0;
};

// By route or tenant.
class PartSums {
 public:
  PartSums(const std::vector<std::string>& names, std::uint64_t crowded_out)
      : names_(names), crowded_out_(crowded_out), sums_(names.size() + 1), missed_(sums_.size()) {
    missed_.assign(sums_.size(), {.expected = 1, .low = 1, .high = 1});
  }
  void Add(std::uint32_t name, const Chance& chance) {
    if (name == kNoName) return;
    const std::size_t place = name == kOtherName ? names_.size() : name;
    sums_[place].Add(chance);
    Chance& missed = missed_[place];
    missed.expected *= 1 - chance.expected;
    missed.low *= 1 - chance.high;
    missed.high *= 1 - chance.low;
  }
  [[nodiscard]] WhatIfResult::Parts Parts() const {
    WhatIfResult::Parts out;
    Sum covered;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const Chance& missed = missed_[i];
      covered.Add(
          {.expected = 1 - missed.expected, .low = 1 - missed.high, .high = 1 - missed.low});
      out.parts.push_back({.name = names_[i], .kept = sums_[i].Figure()});
    }
    std::ranges::sort(out.parts, [](const auto& a, const auto& b) {
      return std::tuple(b.kept.seen, std::string_view(a.name)) <
             std::tuple(a.kept.seen, std::string_view(b.name));
    });
    out.covered = covered.Figure();
    out.others = crowded_out_ > 0 ? 1 : 0;
    if (crowded_out_ > 0) out.parts.push_back({.name = "other", .kept = sums_.back().Figure()});
    return out;
  }

 private:
  const std::vector<std::string>& names_;
  std::uint64_t crowded_out_;
  std::vector<Sum> sums_;
  std::vector<Chance> missed_;  // that none of the part is kept
};

}  // namespace

std::uint32_t WhatIf::Names::NumberOf(std::string_view name) {
  if (name.empty()) return kNoName;
  if (const auto known = numbers.find(std::string(name)); known != numbers.end())
    return known->second;
  if (names.size() >= kPartsMax) {
    ++crowded_out;
    return kOtherName;
  }
  const auto number = static_cast<std::uint32_t>(names.size());
  names.emplace_back(name);
  numbers.emplace(name, number);
  return number;
}

void WhatIf::Add(const Trace& trace) {
  Held held{.id = trace.id,
            .facts = trace.facts,
            .spans = trace.spans,
            .bytes = trace.bytes,
            .route = routes_.NumberOf(trace.route),
            .tenant = tenants_.NumberOf(trace.tenant),
            .request_known = trace.request != nullptr,
            .filters_known = trace.filters_known};
  if (!rules_.empty()) {
    static const Request kNothing;
    const Rule* const rule = FindRule(rules_, trace.request != nullptr ? *trace.request : kNothing);
    held.rule = static_cast<std::uint16_t>(
        rule == nullptr ? rules_.size() - 1 : static_cast<std::size_t>(rule - rules_.data()));
  }
  traces_.push_back(held);
}

class WhatIf::Replay {
 public:
  Replay(WhatIf& what_if, const TailPolicies& policies)
      : what_if_(what_if),
        policies_(policies),
        routes_(what_if.routes_.names, what_if.routes_.crowded_out),
        tenants_(what_if.tenants_.names, what_if.tenants_.crowded_out),
        of_rules_(what_if.rules_.size()),
        taken_(policies.policies.size() + 1),
        kept_by_(taken_.size()) {
    for (const TailPolicy& policy : policies.policies) {
      result_.policies.push_back({.name = policy.name, .keep = policy.keep});
      if (policy.slower_than_route_quantile && slow_ == kSlowQuantile)
        slow_ = *policy.slower_than_route_quantile;
      if (policy.shapes_seen_per_hour_below && rare_ == kRarePerHour)
        rare_ = *policy.shapes_seen_per_hour_below;
      asks_filters_ = asks_filters_ || !policy.filter.empty();
    }
    result_.policies.push_back({.name = std::string(kUnmatchedReason)});
  }

  WhatIfResult Run() {
    LearnBytes();
    auto& traces = what_if_.traces_;
    const auto by_start = [](const Held& held) { return std::tie(held.facts.start_ns, held.id); };
    std::ranges::sort(traces, {}, by_start);
    DecideHeads();
    std::vector<std::uint32_t> order(traces.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    const auto window = [&](std::uint32_t i) {
      return traces[i].facts.arrival_ns / kJudgedTogetherNs;
    };
    std::ranges::stable_sort(order, {}, window);
    for (std::size_t begin = 0; begin < order.size();) {
      std::size_t end = begin + 1;
      while (end < order.size() && window(order[end]) == window(order[begin])) ++end;
      JudgeWindow(std::span(order).subspan(begin, end - begin));
      begin = end;
    }
    return Finish();
  }

 private:
  void LearnBytes() {
    std::uint64_t bytes = 0;
    std::uint64_t spans = 0;
    for (const Held& held : what_if_.traces_) {
      if (held.bytes == 0) continue;
      bytes += held.bytes;
      spans += held.spans;
    }
    bytes_a_span_ = spans == 0 ? 0 : static_cast<double>(bytes) / static_cast<double>(spans);
  }

  // In order of start: the first requests of a second take the reservoir.
  void DecideHeads() {
    const auto& rules = what_if_.rules_;
    heads_.resize(what_if_.traces_.size());
    if (rules.empty()) return;
    double least = 1;
    double most = 0;
    for (const Rule& rule : rules) {
      least = std::min(least, rule.fixed_rate);
      most = std::max(most, rule.reservoir > 0 ? 1 : rule.fixed_rate);
    }
    const std::size_t clients = what_if_.clients_;
    Reservoirs reservoirs(rules, clients);
    for (std::size_t i = 0; i < heads_.size(); ++i) {
      const Held& held = what_if_.traces_[i];
      const Rule& rule = rules[held.rule];
      const std::size_t client = ClientOf(held.id, clients);
      const double chance =
          reservoirs.Takes(held.rule, client, held.facts.start_ns) ? 1 : rule.fixed_rate;
      heads_[i] = {.expected = chance, .low = chance, .high = chance};
      if (held.request_known) continue;
      ++result_.unknown_requests;
      heads_[i].low = std::min(least, chance);
      heads_[i].high = std::max(most, chance);
    }
  }

  // `places` in order of start.
  void JudgeWindow(std::span<const std::uint32_t> places) {
    const auto& traces = what_if_.traces_;
    std::int64_t first_ns = INT64_MAX;
    std::int64_t last_ns = INT64_MIN;
    std::vector<bool> drawn(places.size());
    bool all_drawn = true;
    for (std::size_t i = 0; i < places.size(); ++i) {
      const Held& held = traces[places[i]];
      first_ns = std::min(first_ns, held.facts.arrival_ns);
      last_ns = std::max(last_ns, held.facts.arrival_ns);
      drawn[i] = DrawOf(held.id) < heads_[places[i]].expected;
      all_drawn = all_drawn && drawn[i];
      all_.Add(held.facts);
      if (drawn[i]) recorded_.Add(held.facts);
    }
    const std::int64_t since_ns = std::min(first_ns, last_ns - TailTraffic::kHourNs);
    all_.Forget(since_ns);
    recorded_.Forget(since_ns);
    // What is judged was recorded, so that its shape was seen once.
    for (std::size_t i = 0; i < places.size() && !all_drawn; ++i) {
      const TailFacts& facts = traces[places[i]].facts;
      if (!drawn[i] && !recorded_.SeenPerHour(facts.shape)) recorded_.Add(facts);
    }
    TailJudge classes(no_policies_, all_);
    TailJudge judge(policies_, recorded_);
    for (std::size_t i = 0; i < places.size(); ++i) Account(places[i], drawn[i], judge, classes);
  }

  void Account(std::uint32_t place, bool is_drawn, TailJudge& judge, TailJudge& classes) {
    const Held& held = what_if_.traces_[place];
    const Chance& head = heads_[place];
    const auto spans = static_cast<double>(held.spans);
    const double bytes = held.bytes > 0 ? static_cast<double>(held.bytes) : bytes_a_span_ * spans;
    ++result_.seen.traces;
    result_.seen.spans += held.spans;
    result_.seen.bytes += static_cast<std::uint64_t>(bytes);
    recorded_sum_.Add(head);
    result_.recorded_spans += head.expected * spans;
    result_.recorded_bytes += head.expected * bytes;
    if (!of_rules_.empty()) of_rules_[held.rule].Add(head);

    // Before the decision, which may take a token.
    const bool unknown = asks_filters_ && !held.filters_known;
    const TailJudge::Range range =
        unknown ? judge.RangeWithoutFilters(held.id, held.facts) : TailJudge::Range{};
    const TailDecision decision = judge.Judge(held.id, held.facts, is_drawn);
    result_.unknown_filters += unknown ? 1U : 0U;
    const auto through = [&](bool keep, bool may_drop, bool may_keep) {
      return Chance{.expected = keep ? head.expected : 0,
                    .low = may_drop ? 0 : head.low,
                    .high = may_keep ? head.high : 0};
    };
    const Chance kept = unknown ? through(decision.keep, range.may_drop, range.may_keep)
                                : through(decision.keep, !decision.keep, decision.keep);
    const std::size_t policy = decision.policy.value_or(policies_.policies.size());
    WhatIfResult::Policy& of_policy = result_.policies[policy];
    taken_[policy].Add(head);
    kept_by_[policy].Add(kept);
    of_policy.kept_spans += kept.expected * spans;
    of_policy.kept_bytes += kept.expected * bytes;
    kept_sum_.Add(kept);
    result_.kept_spans += kept.expected * spans;
    result_.kept_bytes += kept.expected * bytes;
    if (decision.keep) result_.weight += head.expected / decision.probability;
    routes_.Add(held.route, kept);
    tenants_.Add(held.tenant, kept);
    const bool in_class[] = {
        (held.facts.outcomes & kTailFault) != 0,    (held.facts.outcomes & kTailError) != 0,
        (held.facts.outcomes & kTailThrottle) != 0, (held.facts.outcomes & kTailTimeout) != 0,
        classes.IsSlow(held.facts, slow_),          classes.IsRare(held.facts, rare_)};
    for (std::size_t i = 0; i < classes_.size(); ++i) {
      if (in_class[i]) classes_.at(i).Add(kept);
    }
  }

  WhatIfResult Finish() {
    result_.recorded = recorded_sum_.Figure();
    result_.kept = kept_sum_.Figure();
    for (std::size_t i = 0; i < of_rules_.size(); ++i) {
      const Rule& rule = what_if_.rules_[i];
      result_.rules.push_back({.name = rule.name,
                               .fixed_rate = rule.fixed_rate,
                               .reservoir = rule.reservoir,
                               .recorded = of_rules_[i].Figure()});
    }
    for (std::size_t i = 0; i < result_.policies.size(); ++i) {
      result_.policies[i].taken = taken_[i].Figure();
      result_.policies[i].kept = kept_by_[i].Figure();
    }
    constexpr std::array kClasses{"fault", "error", "throttle", "timeout", "slow", "rare"};
    for (std::size_t i = 0; i < classes_.size(); ++i)
      result_.classes.push_back({.name = kClasses.at(i), .kept = classes_.at(i).Figure()});
    result_.routes = routes_.Parts();
    result_.tenants = tenants_.Parts();
    return std::move(result_);
  }

  WhatIf& what_if_;
  const TailPolicies& policies_;
  const TailPolicies no_policies_;
  WhatIfResult result_;
  double slow_ = kSlowQuantile;
  double rare_ = kRarePerHour;
  double bytes_a_span_ = 0;
  bool asks_filters_ = false;
  std::vector<Chance> heads_;  // by trace
  TailTraffic all_;
  TailTraffic recorded_;
  Sum recorded_sum_;
  Sum kept_sum_;
  PartSums routes_;
  PartSums tenants_;
  std::vector<Sum> of_rules_;
  std::vector<Sum> taken_;
  std::vector<Sum> kept_by_;
  std::array<Sum, 6> classes_;
};

WhatIfResult WhatIf::Run(const TailPolicies& policies) { return Replay(*this, policies).Run(); }

}  // namespace fluoro::sampling
