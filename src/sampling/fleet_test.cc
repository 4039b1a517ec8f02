// Fleets of clients on a virtual clock: hundreds of samplers as the X-Ray SDKs have them, against
// the division of one reservoir.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <map>
#include <queue>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/rng.h"
#include "sampling/client_sampler.h"
#include "sampling/quota.h"

namespace fluoro::sampling {
namespace {

constexpr std::int64_t kSecond = kNsPerSecond;
constexpr std::int64_t kIntervalNs = kReportIntervalSeconds * kSecond;
// A multiple of the time after which turns pass on.
constexpr std::int64_t kStart = 1'800'000'000 * kSecond;

std::uint64_t Seed() {
  const char* const text = std::getenv("FLUORO_SEED");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

/// Without a fixed rate, so that whatever is sampled comes out of the reservoir or is borrowed.
Rule WithReservoir(std::int32_t reservoir) { return DefaultRule(0, reservoir); }

class Fleet {
 public:
  Fleet(std::int32_t reservoir, std::uint64_t seed) : rule_(WithReservoir(reservoir)), rng_(seed) {}

  /// @param requests_per_s  as a Poisson process.
  /// @return its number
  std::size_t Join(double requests_per_s) {
    const std::size_t number = clients_.size();
    // Most clocks are a little off, some by minutes.
    const std::int64_t off_by_s = number % 10 == 0 ? 120 : 2;
    const auto offset =
        static_cast<std::int64_t>((rng_.Unit() * 2 - 1) * static_cast<double>(off_by_s * kSecond));
    Client& client = clients_.emplace_back("client" + std::to_string(number), std::vector{rule_});
    client.offset_ns = offset;
    client.requests_per_s = requests_per_s;
    events_.push({now_ns_ + NextGap(client), number, Kind::kRequest, client.demand_revision});
    events_.push(
        {now_ns_ + static_cast<std::int64_t>(rng_.Below(kIntervalNs)), number, Kind::kReport, 0});
    return number;
  }
  /// It sends nothing any more, neither requests nor reports.
  void Leave(std::size_t number) { clients_[number].has_left = true; }
  void SetDemand(std::size_t number, double requests_per_s) {
    Client& client = clients_[number];
    client.requests_per_s = requests_per_s;
    events_.push({now_ns_ + NextGap(client), number, Kind::kRequest, ++client.demand_revision});
  }

  void Run(std::int64_t seconds) {
    const std::int64_t until = now_ns_ + seconds * kSecond;
    while (!events_.empty() && events_.top().at_ns <= until) {
      const Event event = events_.top();
      events_.pop();
      now_ns_ = event.at_ns;
      Client& client = clients_[event.client];
      if (client.has_left) continue;
      switch (event.kind) {
        case Kind::kRequest:
          if (event.revision == client.demand_revision) Ask(event.client);
          break;
        case Kind::kReport:
          Report(event.client);
          break;
        case Kind::kAnswer:
          client.sampler.Accept(0, client.answer);
          client.quota_until_s = client.answer.reservoir_quota_ttl_s;
          break;
      }
    }
    now_ns_ = until;
  }

  struct Worst {
    std::int64_t taken = 0;     ///< in ten seconds, of quotas
    std::int64_t allowed = 0;   ///< ten times the reservoir
    std::int64_t borrowed = 0;  ///< in ten seconds
    double fill = 0;            ///< of the reservoir, on average
  };

  /// Over every ten of the seconds in which the clients count.
  Worst CheckTenSeconds() {
    Worst worst{.allowed = 10LL * rule_.reservoir};
    const std::int64_t first = kStart / kSecond;
    const std::int64_t last = now_ns_ / kSecond;
    for (std::int64_t second = first; second + 10 <= last; ++second) {
      Second ten;
      for (auto at = seconds_.lower_bound(second); at != seconds_.lower_bound(second + 10); ++at) {
        ten.taken += at->second.taken;
        ten.borrowed += at->second.borrowed;
        ten.borrowers += at->second.borrowers;
      }
      EXPECT_LE(ten.taken, worst.allowed) << "from second " << second - first;
      EXPECT_LE(ten.borrowed, ten.borrowers) << "from second " << second - first;
      worst.taken = std::max(worst.taken, ten.taken);
      worst.borrowed = std::max(worst.borrowed, ten.borrowed);
    }
    std::int64_t sum = 0;
    for (const auto& [second, counted] : seconds_) sum += counted.taken;
    worst.fill = static_cast<double>(sum) /
                 (static_cast<double>(rule_.reservoir) * static_cast<double>(last - first));
    return worst;
  }

  /// By demands as they are: what MaxMinFair would give.
  [[nodiscard]] std::vector<std::int32_t> Fair() const {
    std::map<std::string, double> demands;  // by id, as the server has them
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      if (!clients_[i].has_left)
        demands.emplace("client" + std::to_string(i), clients_[i].requests_per_s);
    }
    std::vector<double> ordered;
    for (const auto& [id, demand] : demands) ordered.push_back(demand);
    const auto shares = MaxMinFair(rule_.reservoir, ordered, now_ns_ / (300 * kSecond));
    std::vector<std::int32_t> by_number(clients_.size(), 0);
    std::size_t i = 0;
    for (const auto& [id, demand] : demands) by_number[std::stoul(id.substr(6))] = shares[i++];
    return by_number;
  }
  [[nodiscard]] std::int32_t QuotaOf(std::size_t number) const {
    return clients_[number].answer.reservoir_quota;
  }
  [[nodiscard]] std::int64_t TakenOf(std::size_t number) const { return clients_[number].taken; }
  [[nodiscard]] bool IsHere(std::size_t number) const { return !clients_[number].has_left; }
  [[nodiscard]] std::size_t size() const { return clients_.size(); }
  Rng& rng() { return rng_; }

 private:
  enum class Kind { kRequest, kReport, kAnswer };
  struct Event {
    std::int64_t at_ns;
    std::size_t client;
    Kind kind;
    int revision;
    bool operator>(const Event& other) const { return at_ns > other.at_ns; }
  };
  struct Client {
    Client(std::string id, std::vector<Rule> rules) : sampler(std::move(id), std::move(rules)) {}
    ClientSampler sampler;
    std::int64_t offset_ns = 0;  ///< of its clock
    double requests_per_s = 0;
    int demand_revision = 0;
    bool has_left = false;
    Target answer;
    std::int64_t quota_until_s = INT64_MIN;
    std::int64_t taken = 0;
    std::int64_t last_lent_second = INT64_MIN;
  };
  /// Counts of one second: of each client by its own clock, less the whole seconds by which it is
  /// off, since quotas hold from second to second of that clock.
  struct Second {
    std::int64_t taken = 0, borrowed = 0;
    std::int64_t borrowers = 0;  ///< that were asked while they had no quota
  };

  std::int64_t NextGap(const Client& client) {
    if (client.requests_per_s <= 0) return std::int64_t{1} << 60;
    return static_cast<std::int64_t>(-std::log(1 - rng_.Unit()) / client.requests_per_s *
                                     static_cast<double>(kSecond));
  }

  static std::int64_t SecondOf(const Client& client, std::int64_t now_ns) {
    std::int64_t fraction = client.offset_ns % kSecond;
    if (fraction < 0) fraction += kSecond;
    return (now_ns + fraction) / kSecond;
  }

  void Ask(std::size_t number) {
    Client& client = clients_[number];
    const std::int64_t its_now = now_ns_ + client.offset_ns;
    const bool has_quota = client.quota_until_s >= its_now / kSecond;
    Second& second = seconds_[SecondOf(client, now_ns_)];
    if (!has_quota && client.last_lent_second != SecondOf(client, now_ns_)) {
      client.last_lent_second = SecondOf(client, now_ns_);
      ++second.borrowers;
    }
    if (client.sampler.Decide({}, its_now, rng_.Unit()).sampled) {
      client.taken += has_quota ? 1 : 0;
      ++(has_quota ? second.taken : second.borrowed);
    }
    events_.push({now_ns_ + NextGap(client), number, Kind::kRequest, client.demand_revision});
  }

  void Report(std::size_t number) {
    Client& client = clients_[number];
    // The clients' jitter.
    events_.push({now_ns_ + kIntervalNs + static_cast<std::int64_t>(rng_.Below(kSecond / 10)),
                  number, Kind::kReport, 0});
    const auto reports = client.sampler.TakeReports(now_ns_ + client.offset_ns);
    if (reports.empty()) return;
    client.answer = assigner_.Accept(rule_, reports[0].report, now_ns_);
    const std::int64_t answered_ns =
        now_ns_ + static_cast<std::int64_t>(rng_.Below(50 * kNsPerMs)) + 1;
    events_.push({answered_ns, number, Kind::kAnswer, 0});
  }

  Rule rule_;
  Rng rng_;
  QuotaAssigner assigner_;
  std::deque<Client> clients_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::map<std::int64_t, Second> seconds_;
  std::int64_t now_ns_ = kStart;
};

void Tell(std::uint64_t seed, std::size_t clients, const Fleet::Worst& worst) {
  std::cout << "seed " << seed << ": " << clients << " clients, at most " << worst.taken << " of "
            << worst.allowed << " taken in ten seconds, " << worst.borrowed
            << " borrowed, filled to " << static_cast<int>(worst.fill * 100) << " %\n";
}

/// Of one in some seconds to a hundred a second, as services are; or all more than there is for
/// them.
double RandomDemand(Rng& rng, bool is_crowded) {
  return is_crowded ? 6 + rng.Unit() * 9 : std::exp(rng.Unit() * 6 - 1.5);
}

TEST(FleetTest, TheReservoirIsNeverExceededWhileClientsComeGoAndChange) {
  for (std::uint64_t seed = Seed(); seed < Seed() + 4; ++seed) {
    SCOPED_TRACE("FLUORO_SEED=" + std::to_string(seed));
    Fleet fleet(static_cast<std::int32_t>(100 + 150 * (seed % 3)), seed);
    const bool is_crowded = seed % 2 == 0;
    for (int i = 0; i < 200; ++i) fleet.Join(RandomDemand(fleet.rng(), is_crowded));
    for (int minute = 0; minute < 12; ++minute) {
      for (int i = 0; i < 8; ++i) {
        const std::size_t number = fleet.rng().Below(fleet.size());
        if (fleet.IsHere(number)) fleet.Leave(number);
        fleet.Join(RandomDemand(fleet.rng(), is_crowded));
        const std::size_t other = fleet.rng().Below(fleet.size());
        if (fleet.IsHere(other)) fleet.SetDemand(other, RandomDemand(fleet.rng(), is_crowded));
        fleet.Run(static_cast<std::int64_t>(3 + fleet.rng().Below(10)));
      }
    }
    const Fleet::Worst worst = fleet.CheckTenSeconds();
    Tell(seed, fleet.size(), worst);
    // Whoever asks for one request in some seconds has a unit all the same.
    EXPECT_GE(worst.fill, 0.6);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(FleetTest, EveryClientIsServed) {
  // As many units as clients and more: each has his part, although the first took all.
  for (const std::uint64_t seed : {Seed(), std::uint64_t{31}}) {
    SCOPED_TRACE("FLUORO_SEED=" + std::to_string(seed));
    Fleet enough(400, seed);
    for (int i = 0; i < 300; ++i) enough.Join(5);
    enough.Run(60);
    for (std::size_t i = 0; i < enough.size(); ++i) EXPECT_GE(enough.QuotaOf(i), 1) << i;
    enough.Run(60);
    for (std::size_t i = 0; i < enough.size(); ++i) EXPECT_GE(enough.TakenOf(i), 50) << i;
  }
  // A unit for each sixth: everybody has his turn.
  const std::uint64_t seed = Seed();
  SCOPED_TRACE("FLUORO_SEED=" + std::to_string(seed));
  Fleet few(50, seed);
  for (int i = 0; i < 300; ++i) few.Join(2);
  few.Run(7LL * 300);
  for (std::size_t i = 0; i < few.size(); ++i) EXPECT_GE(few.TakenOf(i), 100) << i;
  Tell(seed, few.size(), few.CheckTenSeconds());
}

// A report tells of a change in full when all of its ten seconds lie behind it; until then the
// shares are of a mixture. Two intervals later everybody has his own.
TEST(FleetTest, ChangesOfDemandAreFollowedTwoIntervalsAfterTheyAreReported) {
  for (std::uint64_t seed = Seed(); seed < Seed() + 4; ++seed) {
    SCOPED_TRACE("FLUORO_SEED=" + std::to_string(seed));
    Fleet fleet(900, seed);
    for (int i = 0; i < 200; ++i) fleet.Join(i % 2 == 0 ? 40 : 1.5);
    fleet.Run(120);
    // The busy half falls idle, the idle half becomes busy.
    for (std::size_t i = 0; i < 200; ++i) fleet.SetDemand(i, i % 2 == 0 ? 1.5 : 40);
    const auto fair = fleet.Fair();
    const auto missing = [&] {
      std::int64_t units = 0;
      std::int64_t wanted = 0;
      for (std::size_t i = 1; i < 200; i += 2) {
        units += std::max(0, fair[i] - fleet.QuotaOf(i));
        wanted += fair[i];
      }
      return static_cast<double>(units) / static_cast<double>(wanted);
    };
    fleet.Run(20);
    const double after_two = missing();
    fleet.Run(10);
    const double after_three = missing();
    fleet.Run(30);
    std::cout << "seed " << seed << ": " << after_two * 100
              << " % of the parts missing after two intervals, " << after_three * 100
              << " % after three, " << missing() * 100 << " % after six\n";
    EXPECT_LE(after_two, 0.3);
    EXPECT_LE(after_three, 0.08);
    if (testing::Test::HasFailure()) return;
  }
}

// The SDKs report nothing while nothing is asked, and keep a promise for 300 seconds although they
// are taken for dead after 30: what they then take too much ends with their next report.
TEST(FleetTest, AClientThatWasSilentKeepsItsOldPromiseUntilItsNextReport) {
  Fleet fleet(10, Seed());
  const std::size_t first = fleet.Join(50);
  fleet.Run(40);
  EXPECT_EQ(fleet.QuotaOf(first), 10);
  fleet.SetDemand(first, 0);
  const std::size_t second = fleet.Join(50);
  fleet.Run(70);
  EXPECT_EQ(fleet.QuotaOf(second), 10);
  const std::int64_t before = fleet.TakenOf(first);
  fleet.SetDemand(first, 50);
  fleet.Run(60);
  const std::int64_t taken = fleet.TakenOf(first) - before;
  EXPECT_EQ(fleet.QuotaOf(first) + fleet.QuotaOf(second), 10);
  // At most eleven seconds of the old promise, and of the new one what is left of the minute.
  EXPECT_LE(taken, 11 * 10 + 50 * 5);
}

}  // namespace
}  // namespace fluoro::sampling
