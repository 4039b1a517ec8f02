#include "sampling/client_sampler.h"

#include "base/clock.h"

namespace fluoro::sampling {

ClientSampler::Decision ClientSampler::Decide(const Request& request, std::int64_t now_ns,
                                              double draw) {
  const Rule* const rule = FindRule(rules_, request);
  if (rule == nullptr) return {};
  State& state = states_[static_cast<std::size_t>(rule - rules_.data())];
  const std::int64_t second = now_ns / kNsPerSecond;
  if (state.second != second) {
    state.second = second;
    state.taken = 0;
  }
  ++state.requests;
  const bool has_quota = state.target && state.target->reservoir_quota_ttl_s >= second;
  // Without a quota one request a second may be borrowed of a reservoir.
  const std::int32_t quota = has_quota             ? state.target->reservoir_quota
                             : rule->reservoir > 0 ? 1
                                                   : 0;
  if (state.taken < quota) {
    ++state.taken;
    ++(has_quota ? state.sampled : state.borrowed);
    return {.sampled = true, .rule = rule};
  }
  const double rate = state.target ? state.target->fixed_rate : rule->fixed_rate;
  const bool is_drawn = draw < rate;
  if (is_drawn) ++state.sampled;
  return {.sampled = is_drawn, .rule = rule};
}

std::vector<ClientSampler::RuleReport> ClientSampler::TakeReports(std::int64_t now_ns) {
  std::vector<RuleReport> reports;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    State& state = states_[i];
    if (state.requests == 0) continue;
    reports.push_back({.rule = i,
                       .report = {.client_id = client_id_,
                                  .timestamp_ns = now_ns,
                                  .request_count = state.requests,
                                  .sampled_count = state.sampled,
                                  .borrow_count = state.borrowed}});
    state.requests = state.sampled = state.borrowed = 0;
  }
  return reports;
}

void ClientSampler::Accept(std::size_t rule, const Target& target) {
  states_[rule].target = target;
}

}  // namespace fluoro::sampling
