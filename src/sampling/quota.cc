#include "sampling/quota.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include "base/clock.h"

namespace fluoro::sampling {
namespace {

constexpr std::int64_t kIntervalsUntilDead = 3;
// A client may have taken what it gives back in the second that its clock shows, and an answer may
// be under way for a while: given on sooner, it would be taken twice.
constexpr std::int64_t kReturnNs = 2 * kNsPerSecond;
constexpr std::size_t kClientsAtBaseInterval = 1'000;
constexpr std::int32_t kIntervalSecondsMax = 60;
// Fleets above kClientsAtBaseInterval are divided anew at most once in this time.
constexpr std::int64_t kDivisionNs = kNsPerSecond;

constexpr std::int64_t kWindowSeconds = 10;
constexpr std::int64_t kWindowsKeptSeconds = std::int64_t{30} * 60;
constexpr std::int64_t kAheadSecondsMax = std::int64_t{10} * 60;
constexpr std::int64_t kRepetitionSeconds = 60;
constexpr std::size_t kBookedPerSecondMax = 100'000;

std::int64_t FloorDiv(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

/// The average of what was known and what is reported is steadier than the report; but what chance
/// does not explain is another demand, and is taken as it is.
/// @param rate, known  requests a second
/// @param seconds      that the report is about
double Demand(double known, double rate, double seconds) {
  const double off = std::abs(rate - known) * seconds;
  const double by_chance = 3 * std::sqrt(std::max(rate, known) * seconds);
  return off > by_chance ? rate : (known + rate) / 2;
}

/// Whole units per second that a client can use, at most the reservoir.
std::int32_t WholeDemand(double demand, std::int32_t reservoir) {
  if (!(demand > 0)) return 0;
  const double whole = std::ceil(demand);
  return whole >= reservoir ? reservoir : static_cast<std::int32_t>(whole);
}

/// The same for demands that are much the same: within a factor of 1.4.
int Magnitude(double demand) {
  return demand > 0 ? static_cast<int>(std::floor(2 * std::log2(demand))) : -10'000;
}

/// The highest level L such that clients taking min(cap, L) each do not take more than `units`.
std::int32_t WaterLevel(std::vector<std::int32_t> caps, std::int64_t units) {
  std::sort(caps.begin(), caps.end());
  std::int64_t left = units;
  for (std::size_t i = 0; i < caps.size(); ++i) {
    const auto rest = static_cast<std::int64_t>(caps.size() - i);
    if (caps[i] > left / rest) return static_cast<std::int32_t>(left / rest);
    left -= caps[i];
  }
  return caps.empty() ? 0 : caps.back();
}

}  // namespace

std::vector<std::int32_t> MaxMinFair(std::int32_t reservoir, const std::vector<double>& demands,
                                     std::int64_t rotation, const std::vector<std::int32_t>& held) {
  std::vector<std::int32_t> shares(demands.size(), 0);
  if (reservoir <= 0 || demands.empty()) return shares;
  std::vector<std::int32_t> caps(demands.size());
  std::transform(demands.begin(), demands.end(), caps.begin(),
                 [&](double demand) { return WholeDemand(demand, reservoir); });

  // More clients than units: whoever wants something takes its turn.
  std::vector<std::size_t> wanting;
  for (std::size_t i = 0; i < caps.size(); ++i) {
    if (caps[i] > 0) wanting.push_back(i);
  }
  const auto units = static_cast<std::size_t>(reservoir);
  if (wanting.empty() && demands.size() > units) {
    wanting.resize(demands.size());
    std::iota(wanting.begin(), wanting.end(), std::size_t{0});
  }
  if (wanting.size() > units) {
    const auto turn = static_cast<std::uint64_t>(std::max<std::int64_t>(rotation, 0));
    const std::size_t first = (turn % wanting.size()) * units % wanting.size();
    for (std::size_t i = 0; i < units; ++i) shares[wanting[(first + i) % wanting.size()]] = 1;
    return shares;
  }

  const std::int32_t level = WaterLevel(caps, reservoir);
  std::int64_t left = reservoir;
  for (std::size_t i = 0; i < caps.size(); ++i) {
    shares[i] = std::min(caps[i], level);
    left -= shares[i];
  }
  std::vector<std::size_t> order(demands.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto wanted = [&](std::size_t i) { return demands[i] > 0 ? demands[i] : 0; };  // NaN: 0
  const auto rank = [&](std::size_t i) {
    return held.empty() ? std::tuple(0, 0, wanted(i))
                        : std::tuple(Magnitude(wanted(i)), held[i], wanted(i));
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return rank(a) > rank(b); });
  // The units that did not suffice for a whole level more.
  for (const std::size_t i : order) {
    if (left > 0 && shares[i] < caps[i]) {
      ++shares[i];
      --left;
    }
  }
  // All demands met: the rest is for bursts.
  const auto clients = static_cast<std::int64_t>(shares.size());
  const auto each = static_cast<std::int32_t>(left / clients);
  left %= clients;
  for (const std::size_t i : order) shares[i] += each + (left-- > 0 ? 1 : 0);
  return shares;
}

std::int32_t ReportInterval(std::size_t clients) {
  const std::size_t thousands = (clients + kClientsAtBaseInterval - 1) / kClientsAtBaseInterval;
  const std::size_t factor =
      std::clamp<std::size_t>(thousands, 1, kIntervalSecondsMax / kReportIntervalSeconds);
  return static_cast<std::int32_t>(factor) * static_cast<std::int32_t>(kReportIntervalSeconds);
}

void QuotaAssigner::Drop(const std::string& client_id) {
  const auto it = clients_.find(client_id);
  promised_ -= it->second.quota;
  by_deadline_.erase({it->second.deadline_ns, client_id});
  clients_.erase(it);
}

void QuotaAssigner::DropSilent(std::int64_t now_ns) {
  while (!by_deadline_.empty() && by_deadline_.begin()->first < now_ns) {
    Drop(std::string(by_deadline_.begin()->second));
  }
}

void QuotaAssigner::Divide(std::int32_t reservoir, std::int64_t now_ns) {
  const bool fresh = now_ns >= divided_ns_ && now_ns - divided_ns_ < kDivisionNs;
  if (clients_.size() > kClientsAtBaseInterval && fresh && divided_reservoir_ == reservoir) return;
  divided_ns_ = now_ns;
  divided_reservoir_ = reservoir;
  std::vector<double> demands;
  std::vector<std::int32_t> held;
  demands.reserve(clients_.size());
  held.reserve(clients_.size());
  for (const auto& [id, client] : clients_) {
    demands.push_back(client.demand);
    held.push_back(client.quota);
  }
  const auto shares =
      MaxMinFair(reservoir, demands, now_ns / (kQuotaTtlSeconds * kNsPerSecond), held);
  std::size_t i = 0;
  waiting_ = 0;
  for (auto& [id, client] : clients_) {
    client.share = shares[i++];
    if (client.quota == 0 && client.share > 0) ++waiting_;
  }
}

Target QuotaAssigner::Accept(const Rule& rule, const Report& report, std::int64_t now_ns) {
  DropSilent(now_ns);
  auto it = clients_.find(report.client_id);
  const bool is_new = it == clients_.end();
  if (is_new) {
    if (clients_.size() >= kClientsPerRuleMax) {
      Drop(std::string(by_deadline_.begin()->second));
      ++crowded_out_;
    }
    it = clients_.try_emplace(report.client_id).first;
  } else {
    by_deadline_.erase({it->second.deadline_ns, it->first});
  }
  Client& client = it->second;

  if (is_new || report.timestamp_ns != client.last_timestamp_ns) {
    const double elapsed_s = is_new ? 0
                                    : (static_cast<double>(report.timestamp_ns) -
                                       static_cast<double>(client.last_timestamp_ns)) /
                                          static_cast<double>(kNsPerSecond);
    const double seconds = std::max(elapsed_s, static_cast<double>(client.interval_s));
    const double rate =
        static_cast<double>(std::max<std::int64_t>(report.request_count, 0)) / seconds;
    client.demand = is_new ? rate : Demand(client.demand, rate, seconds);
    client.last_timestamp_ns = report.timestamp_ns;
  }
  client.interval_s = ReportInterval(clients_.size());
  client.deadline_ns = now_ns + kIntervalsUntilDead * client.interval_s * kNsPerSecond;
  by_deadline_.emplace(client.deadline_ns, it->first);

  const std::int32_t reservoir = std::max(rule.reservoir, 0);
  if (is_new) client.share = reservoir / static_cast<std::int32_t>(clients_.size());
  Divide(reservoir, now_ns);
  while (!returned_.empty() && returned_.begin()->first <= now_ns) {
    promised_ -= returned_.begin()->second;
    returned_.erase(returned_.begin());
  }
  const std::int64_t free = reservoir - (promised_ - client.quota);
  // Who has something leaves a unit to each that has nothing.
  const std::int64_t left =
      client.quota == 0
          ? free
          : std::max<std::int64_t>(free - waiting_, std::min<std::int64_t>(free, client.quota));
  const auto quota =
      static_cast<std::int32_t>(std::clamp<std::int64_t>(left, 0, std::max(client.share, 0)));
  if (quota < client.quota) {
    returned_[now_ns + kReturnNs] += client.quota - quota;
  } else {
    promised_ += quota - client.quota;
  }
  client.quota = quota;
  return {.fixed_rate = rule.fixed_rate,
          .reservoir_quota = quota,
          .reservoir_quota_ttl_s = FloorDiv(now_ns, kNsPerSecond) + kQuotaTtlSeconds,
          .interval_s = client.interval_s};
}

void StatisticsWindows::Prune(std::int64_t now_ns) {
  const std::int64_t now_s = FloorDiv(now_ns, kNsPerSecond);
  const std::int64_t oldest = now_s - kWindowsKeptSeconds;
  for (auto rule = windows_.begin(); rule != windows_.end();) {
    auto& windows = rule->second;
    windows.erase(windows.begin(), windows.lower_bound(oldest));
    rule = windows.empty() ? windows_.erase(rule) : std::next(rule);
  }
  booked_.erase(booked_.begin(), booked_.lower_bound(now_s - kRepetitionSeconds));
}

void StatisticsWindows::Forget(const std::string& rule_name) { windows_.erase(rule_name); }

void StatisticsWindows::Add(const std::string& rule_name, const Report& report,
                            std::int64_t now_ns) {
  Prune(now_ns);
  const std::int64_t now_s = FloorDiv(now_ns, kNsPerSecond);
  const std::int64_t time_s = FloorDiv(report.timestamp_ns, kNsPerSecond);
  const std::int64_t window_s = FloorDiv(time_s, kWindowSeconds) * kWindowSeconds;
  if (window_s < now_s - kWindowsKeptSeconds || time_s > now_s + kAheadSecondsMax) return;

  const std::string key =
      rule_name + '\0' + report.client_id + '\0' + std::to_string(report.timestamp_ns);
  const std::uint64_t hash = XXH3_64bits(key.data(), key.size());
  for (const auto& [second, hashes] : booked_) {
    if (hashes.contains(hash)) return;
  }
  auto& hashes = booked_[now_s];
  if (hashes.size() < kBookedPerSecondMax) hashes.insert(hash);

  Window& window = windows_[rule_name][window_s];
  window.request_count += report.request_count;
  window.sampled_count += report.sampled_count;
  window.borrow_count += report.borrow_count;
}

}  // namespace fluoro::sampling
