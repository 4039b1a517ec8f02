#include "sampling/suggest.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "sampling/cover.h"
#include "sampling/rule_json.h"

namespace fluoro::sampling {
namespace {

/// Of a normal distribution, on one side.
constexpr double k95 = 1.644854;
/// Rates are rounded up to it.
constexpr double kRateStep = 1e-4;
constexpr double kDayNs = 86'400e9;
constexpr std::size_t kRuleNameMax = 32;
constexpr std::uint8_t kAnyOutcome = kTailFault | kTailError | kTailThrottle | kTailTimeout;

double RoundedUp(double rate) {
  return std::clamp(std::ceil(rate / kRateStep - 1e-6) * kRateStep, 0.0, 1.0);
}

std::size_t Literals(std::string_view pattern) {
  return pattern.size() - static_cast<std::size_t>(std::ranges::count(pattern, '*'));
}

// "/users/{id}/orders" and its like as a pattern: what stands for a part of the path is any.
std::string PatternOf(std::string_view route) {
  std::string pattern;
  for (std::size_t i = 0; i < route.size();) {
    const char c = route[i];
    const bool is_part = i > 0 && route[i - 1] == '/';
    const char closes = c == '{'                            ? '}'
                        : c == '<'                          ? '>'
                        : is_part && (c == ':' || c == '*') ? '/'
                                                            : 0;
    if (closes == 0) {
      pattern += c;
      ++i;
      continue;
    }
    if (!pattern.ends_with('*')) pattern += '*';
    i = std::min(route.find(closes, i), route.size());
    if (closes != '/') i = std::min(i + 1, route.size());
  }
  return pattern;
}

// What of "shop /users/{id}" stands behind the service.
std::string_view RouteOf(std::string_view service, std::string_view text) {
  if (!text.starts_with(service) || text.size() <= service.size()) return {};
  std::string_view route = text.substr(service.size() + 1);
  // "GET /users/{id}"
  if (const std::size_t slash = route.find('/'); slash != std::string_view::npos && slash > 0)
    route.remove_prefix(slash);
  return route;
}

struct Candidate {
  std::string service, method, pattern;
  auto operator<=>(const Candidate&) const = default;
};

std::string Bounded(std::string_view text, std::size_t bytes_max) {
  const bool is_plain = text.find_first_of("*?") == std::string_view::npos;
  return text.size() <= bytes_max && is_plain ? std::string(text) : "*";
}

Candidate CandidateOf(const Request& request, std::string_view route_text) {
  Candidate out{.service = Bounded(request.service_name, 64),
                .method = Bounded(request.http_method, 10),
                .pattern = PatternOf(RouteOf(request.service_name, route_text))};
  if (out.pattern.empty() || out.pattern.size() > 128 ||
      !WildcardMatch(out.pattern, request.url_path))
    out.pattern = "*";
  return out;
}

Rule RuleOf(const Candidate& candidate, std::size_t number) {
  Rule rule;
  const std::string head = (number < 10 ? "0" : "") + std::to_string(number) + " ";
  // ASCII only: a name is cut by bytes.
  std::string name = candidate.method == "*" ? candidate.service : candidate.method;
  name += " " + (candidate.pattern == "*" ? candidate.service : candidate.pattern);
  std::ranges::replace_if(name, [](char c) { return c < ' ' || c > '~'; }, '_');
  rule.name = (head + name).substr(0, kRuleNameMax);
  rule.priority = static_cast<std::int32_t>(100 + number);
  rule.fixed_rate = 1;
  rule.reservoir = 0;
  rule.service_name = candidate.service;
  rule.http_method = candidate.method;
  rule.url_path = candidate.pattern;
  return rule;
}

}  // namespace

double MeanForFloor(double floor) {
  if (floor <= 0) return 0;
  const double root = (k95 + std::sqrt(k95 * k95 + 4 * floor)) / 2;
  return root * root;
}

std::uint32_t Suggester::NameOf(std::string_view name) {
  if (name.empty()) return 0;
  const auto [at, is_new] =
      name_numbers_.try_emplace(std::string(name), static_cast<std::uint32_t>(names_.size()));
  if (is_new) names_.emplace_back(name);
  return at->second + 1;
}

void Suggester::Add(const WhatIf::Trace& trace) {
  Held held{.trace = trace};
  held.route = NameOf(trace.route);
  held.tenant = NameOf(trace.tenant);
  if (trace.request != nullptr) {
    const Request& request = *trace.request;
    std::string key;
    for (const std::string* text : {&request.service_name, &request.service_type, &request.host,
                                    &request.http_method, &request.url_path, &request.resource_arn})
      key += *text + '\0';
    key += std::to_string(held.route);
    const auto [at, is_new] =
        request_numbers_.try_emplace(std::move(key), static_cast<std::uint32_t>(requests_.size()));
    if (is_new) requests_.push_back(Asked{.request = request, .route = held.route});
    held.request = at->second;
  }
  held.trace.request = nullptr;
  held.trace.route = held.trace.tenant = {};
  traces_.push_back(held);
}

WhatIf Suggester::ReplayOf(const std::vector<Rule>& rules) const {
  WhatIf what_if(rules);
  for (const Held& held : traces_) {
    WhatIf::Trace trace = held.trace;
    const auto& asked = requests_[held.request];
    trace.request = asked ? &asked->request : nullptr;
    if (held.route > 0) trace.route = names_[held.route - 1];
    if (held.tenant > 0) trace.tenant = names_[held.tenant - 1];
    what_if.Add(trace);
  }
  return what_if;
}

// Rates of head rules.
class Suggester::Heads {
 public:
  Heads(const Suggester& traffic, const SuggestOptions& options)
      : traffic_(traffic), options_(options) {}

  std::vector<Rule> Run() {
    std::vector<Rule> rules = Candidates();
    double cost = Solve(rules);
    if (rules.size() > kRulesMax + 1) {
      KeepThoseThatSaveMost(rules);
      cost = Solve(rules);
    }
    // Rules like Default are none, unless they keep requests from another rule.
    std::vector<Rule> fewer = rules;
    std::erase_if(fewer, [&](const Rule& rule) {
      return rule.name != kDefaultRuleName &&
             std::abs(rule.fixed_rate - rules.back().fixed_rate) < kRateStep / 2;
    });
    if (fewer.size() < rules.size() && Solve(fewer) <= cost * (1 + 1e-6)) rules = std::move(fewer);
    return rules;
  }

 private:
  // By how specific they are, Default last.
  std::vector<Rule> Candidates() const {
    std::map<Candidate, std::uint64_t> counts;
    for (const Held& held : traffic_.traces_) {
      const auto& asked = traffic_.requests_[held.request];
      if (!asked) continue;
      ++counts[CandidateOf(asked->request,
                           asked->route == 0 ? "" : traffic_.names_[asked->route - 1])];
    }
    std::vector<std::pair<Candidate, std::uint64_t>> most(counts.begin(), counts.end());
    std::ranges::stable_sort(most,
                             [](const auto& a, const auto& b) { return a.second > b.second; });
    most.resize(std::min(most.size(), kCandidateRulesMax));
    std::ranges::stable_sort(most, [](const auto& a, const auto& b) {
      const auto literals = [](const Candidate& candidate) {
        return Literals(candidate.pattern) + Literals(candidate.service) +
               Literals(candidate.method);
      };
      return literals(a.first) > literals(b.first);
    });
    std::vector<Rule> rules;
    for (const auto& [candidate, count] : most)
      rules.push_back(RuleOf(candidate, rules.size() + 1));
    rules.push_back(DefaultRule(1, 0));
    return rules;
  }

  // Which rule decides on each request.
  [[nodiscard]] std::vector<std::uint32_t> ColumnsOf(const std::vector<Rule>& rules) const {
    std::vector<std::uint32_t> columns;
    for (const auto& asked : traffic_.requests_) {
      const Rule* const rule = asked ? FindRule(rules, asked->request) : nullptr;
      columns.push_back(static_cast<std::uint32_t>(
          rule == nullptr ? rules.size() - 1 : static_cast<std::size_t>(rule - rules.data())));
    }
    return columns;
  }

  // Sets the rates; gives how many traces these record.
  double Solve(std::vector<Rule>& rules) const {
    const std::vector<std::uint32_t> columns = ColumnsOf(rules);
    std::vector<double> costs(rules.size());
    std::map<std::uint32_t, double> errors;
    std::vector<std::map<std::uint32_t, double>> parts(traffic_.names_.size());
    double all_errors = 0;
    for (const Held& held : traffic_.traces_) {
      const std::uint32_t column = columns[held.request];
      costs[column] += 1;
      if ((held.trace.facts.outcomes & kAnyOutcome) != 0) {
        errors[column] += 1;
        all_errors += 1;
      }
      if (held.route > 0) parts[held.route - 1][column] += 1;
      if (held.tenant > 0 && held.tenant != held.route) parts[held.tenant - 1][column] += 1;
    }
    std::vector<Demand> demands;
    const auto demand = [&](const std::map<std::uint32_t, double>& units, double need) {
      if (need > 0) demands.push_back({.units = {units.begin(), units.end()}, .need = need});
    };
    demand(errors, ErrorsWanted(all_errors));
    for (const auto& units : parts) {
      double all = 0;
      for (const auto& [column, count] : units) all += count;
      demand(units, std::min(all, FloorWanted()));
    }
    const std::vector<double> rates = CheapestRates(costs, demands);
    double cost = 0;
    for (std::size_t i = 0; i < rules.size(); ++i) {
      rules[i].fixed_rate = RoundedUp(rates[i]);
      cost += costs[i] * rules[i].fixed_rate;
    }
    return cost;
  }

  // What a rule saves: traces that it records other than Default would.
  void KeepThoseThatSaveMost(std::vector<Rule>& rules) const {
    const std::vector<std::uint32_t> columns = ColumnsOf(rules);
    std::vector<double> saves(rules.size());
    for (const Held& held : traffic_.traces_) {
      const std::uint32_t column = columns[held.request];
      saves[column] += std::abs(rules[column].fixed_rate - rules.back().fixed_rate);
    }
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i + 1 < rules.size(); ++i) order.push_back(i);
    std::ranges::stable_sort(order,
                             [&](std::size_t a, std::size_t b) { return saves[a] > saves[b]; });
    order.resize(kRulesMax);
    std::ranges::sort(order);
    std::vector<Rule> kept;
    for (const std::size_t i : order) kept.push_back(std::move(rules[i]));
    kept.push_back(std::move(rules.back()));
    rules = std::move(kept);
  }

  // So many of a month's errors that the share is reached in 19 of 20 months.
  [[nodiscard]] double ErrorsWanted(double all) const {
    const double share = options_.keep_errors;
    const double month = all * 30 * kDayNs / static_cast<double>(options_.window_ns);
    if (month <= 0 || share <= 0) return 0;
    return all * std::min(1.0, share + k95 * std::sqrt(share * (1 - share) / month));
  }
  [[nodiscard]] double FloorWanted() const {
    return MeanForFloor(options_.floor_a_day) * static_cast<double>(options_.window_ns) / kDayNs;
  }

  const Suggester& traffic_;
  const SuggestOptions& options_;
};

// What of the recorded traces stays.
class Suggester::Tails {
 public:
  Tails(WhatIf& recorded, const SuggestOptions& options)
      : recorded_(recorded), options_(options), all_(recorded.Run({})) {}

  TailPolicies Run() {
    const double floor_a_second = MeanForFloor(options_.floor_a_day) / 86'400;
    std::vector<TailPolicies> ways{Bad()};
    for (const double per_hour : {2.0, 10.0, 50.0}) {
      TailPolicy rare{.name = "rare"};
      rare.shapes_seen_per_hour_below = per_hour;
      ways.push_back(Bad());
      ways.back().policies.push_back(std::move(rare));
    }
    for (const double times : {1.0, 1.5, 3.0}) {
      if (floor_a_second <= 0) break;
      TailPolicy floor{.name = "floor"};
      floor.per_second = floor_a_second * times;
      ways.push_back(Bad());
      ways.back().policies.push_back(std::move(floor));
    }
    TailPolicies best;
    double least = INFINITY;
    for (TailPolicies& way : ways) {
      const double kept = WithRest(way);
      if (kept >= least) continue;
      least = kept;
      best = std::move(way);
    }
    return best;
  }

 private:
  static TailPolicies Bad() {
    TailPolicy bad{.name = "bad"};
    bad.outcomes = kAnyOutcome;
    return {.policies = {std::move(bad)}};
  }

  // Adds the least share of the rest that keeps every floor; gives how many traces are kept.
  double WithRest(TailPolicies& way) {
    TailPolicy rest{.name = "rest"};
    rest.keep = 0;
    way.policies.push_back(rest);
    const WhatIfResult without = recorded_.Run(way);
    double share = 0;
    const auto look = [&](const WhatIfResult::Parts& recorded, const WhatIfResult::Parts& kept) {
      std::map<std::string_view, double> kept_of;
      for (const auto& part : kept.parts) kept_of[part.name] = part.kept.expected;
      for (const auto& part : recorded.parts) {
        const double have = kept_of[part.name];
        const double more = part.kept.expected - have;
        const double wanted =
            std::min(part.kept.expected, MeanForFloor(options_.floor_a_day) *
                                             static_cast<double>(options_.window_ns) / kDayNs);
        if (more > 1e-9 && wanted > have) share = std::max(share, (wanted - have) / more);
      }
    };
    look(all_.routes, without.routes);
    look(all_.tenants, without.tenants);
    way.policies.back().keep = RoundedUp(share);
    return without.kept.expected +
           way.policies.back().keep * (all_.recorded.expected - without.kept.expected);
  }

  WhatIf& recorded_;
  const SuggestOptions& options_;
  WhatIfResult all_;
};

Suggestion Suggester::Run(const SuggestOptions& options) {
  Suggestion out;
  out.file.rules = Heads(*this, options).Run();
  WhatIf what_if = ReplayOf(*out.file.rules);
  out.file.policies = Tails(what_if, options).Run();
  out.predicted = what_if.Run(*out.file.policies);
  return out;
}

}  // namespace fluoro::sampling
