#include "analysis/propagation/finder.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "analysis/propagation/traffic_testing.h"

namespace fluoro::analysis::propagation {
namespace {

using testing::Fault;
using testing::Make;
using testing::Options;
using testing::Traffic;

/// FLUORO_SEED begins elsewhere.
std::uint64_t FirstSeed() {
  const char* const text = std::getenv("FLUORO_SEED");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

PropagationReport Find(const Traffic& traffic) {
  PropagationFinder finder(traffic.settled_ns);
  for (const auto& trace : traffic.traces) finder.Add(model::Assemble(trace));
  return finder.Find();
}

std::string Print(const BrokenEdge& edge) {
  std::string out = edge.caller + " -> " + edge.callee + " " + edge.via + ": " +
                    std::to_string(edge.survived) + " of " + std::to_string(edge.calls) + ", " +
                    std::to_string(edge.share_low) + ".." + std::to_string(edge.share_high) + "\n";
  for (const Cause& cause : edge.causes) {
    out += "  " + std::string(CauseName(cause.kind)) + " " +
           std::string(ConfidenceName(cause.confidence)) + " " + std::to_string(cause.calls) + "\n";
    for (const std::string& sentence : cause.evidence) out += "    " + sentence + "\n";
    out += "    Fix: " + cause.fix + "\n";
  }
  return out;
}

std::string PrintBroken(const PropagationReport& report) {
  std::string out;
  for (const BrokenEdge& edge : report.edges) {
    if (!edge.causes.empty()) out += Print(edge);
  }
  return out;
}

const BrokenEdge* EdgeOf(const PropagationReport& report, const std::string& caller,
                         const std::string& callee, EdgeKind kind) {
  for (const BrokenEdge& edge : report.edges) {
    if (edge.caller == caller && edge.callee == callee && edge.kind == kind) return &edge;
  }
  return nullptr;
}

struct FaultCase {
  std::string_view name;
  Fault fault;
  std::string caller, callee;
  double share_min, share_max;
  CauseKind cause;
  EdgeKind kind = EdgeKind::kCall;
  Options options{};
};

std::vector<FaultCase> FaultCases() {
  const Options sampled{.requests = 16'000, .head_rate = 0.05};
  const Options tail{.requests = 1'000, .tail_rate = 0.3};
  const Options skewed{.skew_ns = 20'000'000};
  return {
      {"Strip", Fault::kStrip, "web", "orders", 0.1, 0.8, CauseKind::kHeaderStripped},
      {"StripByAddress", Fault::kStrip, "orders", "payment", 0.1, 0.8, CauseKind::kHeaderStripped},
      {"StripBesideRoots", Fault::kStrip, "web", "catalog", 0.1, 0.8, CauseKind::kHeaderStripped},
      {"StripSkewed", Fault::kStrip, "catalog", "inventory", 0.1, 0.8, CauseKind::kHeaderStripped,
       EdgeKind::kCall, skewed},
      {"StripHeadSampled", Fault::kStrip, "web", "orders", 0.4, 0.7, CauseKind::kHeaderStripped,
       EdgeKind::kCall, sampled},
      {"StripTailSampled", Fault::kStrip, "web", "orders", 0.2, 0.7, CauseKind::kHeaderStripped,
       EdgeKind::kCall, tail},
      {"StripAtHost", Fault::kStripAtHost, "web", "orders", 0.2, 0.6, CauseKind::kHeaderStripped},
      {"BadInstance", Fault::kBadInstance, "web", "orders", 0.3, 0.6,
       CauseKind::kDifferentPropagator},
      {"OtherFormat", Fault::kOtherFormat, "web", "orders", 1, 1, CauseKind::kDifferentPropagator},
      {"OtherFormatByAddress", Fault::kOtherFormat, "orders", "payment", 1, 1,
       CauseKind::kDifferentPropagator},
      {"NeverRead", Fault::kStrip, "web", "orders", 1, 1, CauseKind::kDifferentPropagator},
      {"ShortIds", Fault::kShortIds, "web", "orders", 0.1, 1, CauseKind::kIdTruncated},
      {"NewTraceId", Fault::kNewTraceId, "web", "orders", 0.1, 1, CauseKind::kTraceIdChanged},
      {"Rewrite", Fault::kRewrite, "web", "orders", 0.1, 1, CauseKind::kParentRewritten},
      {"DropClient", Fault::kDropClient, "web", "orders", 0.05, 0.6, CauseKind::kSpansDropped},
      {"DropServer", Fault::kDropServer, "web", "orders", 0.05, 0.6, CauseKind::kSpansDropped},
      {"SamplingDiffers",
       Fault::kSamplingDiffers,
       "web",
       "orders",
       0.4,
       0.6,
       CauseKind::kSamplingDiffers,
       EdgeKind::kCall,
       {.requests = 1'000, .head_rate = 0.5}},
      {"Queue", Fault::kQueue, "orders", "shipper", 0.1, 1, CauseKind::kQueue, EdgeKind::kMessage},
      {"Async", Fault::kAsync, "orders", "orders", 0.1, 1, CauseKind::kAsync, EdgeKind::kInProcess},
      {"ClockAhead", Fault::kClock, "web", "orders", 0, 0, CauseKind::kClock},
      {"ClockBehind",
       Fault::kClock,
       "web",
       "orders",
       0,
       0,
       CauseKind::kClock,
       EdgeKind::kCall,
       {.clock_ns = -2'000'000'000}},
  };
}

class Faults : public ::testing::TestWithParam<FaultCase> {};

// One fault on one edge: it is found there and named right, nothing is found elsewhere, and the
// true share lies in the interval.
TEST_P(Faults, AreFoundNamedAndMeasured) {
  constexpr int kSeeds = 20;
  const FaultCase& c = GetParam();
  int named = 0, measured = 0, elsewhere = 0;
  std::string wrong;
  for (std::uint64_t seed = FirstSeed(); seed < FirstSeed() + kSeeds; ++seed) {
    Options options = c.options;
    options.seed = seed;
    options.fault = c.fault;
    options.caller = c.caller;
    options.callee = c.callee;
    Rng rng(seed);
    options.fault_share = c.share_min + rng.Unit() * (c.share_max - c.share_min);
    const Traffic traffic = Make(options);
    const PropagationReport report = Find(traffic);
    const BrokenEdge* edge = EdgeOf(report, c.caller, c.callee, c.kind);
    const bool right = edge != nullptr && !edge->causes.empty() &&
                       edge->causes.front().kind == c.cause &&
                       !edge->causes.front().evidence.empty() &&
                       !edge->causes.front().fix.empty() && !edge->causes.front().examples.empty();
    const bool inside = edge != nullptr && edge->share_low <= traffic.share() + 1e-9 &&
                        edge->share_high >= traffic.share() - 1e-9;
    int others = 0;
    for (const BrokenEdge& other : report.edges) {
      const bool beside =
          c.cause == CauseKind::kClock && (other.caller == c.callee || other.callee == c.callee);
      others += &other != edge && !other.causes.empty() && !beside ? 1 : 0;
    }
    named += right ? 1 : 0;
    measured += inside ? 1 : 0;
    elsewhere += others > 0 ? 1 : 0;
    if (!right || !inside || others > 0) {
      wrong += "seed " + std::to_string(seed) + ", true share " + std::to_string(traffic.share()) +
               (right ? "" : ", NOT NAMED") + (inside ? "" : ", OUTSIDE") + "\n" +
               (edge == nullptr ? "  no edge\n" : Print(*edge)) + PrintBroken(report);
    }
  }
  EXPECT_GE(named, kSeeds * 9 / 10) << wrong;
  EXPECT_GE(measured, kSeeds * 9 / 10) << wrong;
  EXPECT_EQ(elsewhere, 0) << wrong;
}

INSTANTIATE_TEST_SUITE_P(Each, Faults, ::testing::ValuesIn(FaultCases()),
                         [](const auto& one) { return std::string(one.param.name); });

// Traffic without fault, however it was sampled, cut, skewed, busy and unfinished.
TEST(CleanTraffic, RaisesNoAlarm) {
  for (std::uint64_t seed = FirstSeed(); seed < FirstSeed() + 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed * 31);
    Options options{.seed = seed, .requests = 150 + static_cast<int>(rng.Below(200))};
    options.seconds = rng.Chance(0.3) ? 45 + rng.Unit() * 30 : 300;  // few seconds: dense
    if (rng.Chance(0.3)) {
      options.head_rate = 0.05;
      options.requests *= 10;
    } else if (rng.Chance(0.4)) {
      options.tail_rate = 0.1 + 0.5 * rng.Unit();
    }
    if (rng.Chance(0.5)) options.skew_ns = 20'000'000;
    if (rng.Chance(0.3)) options.cut_rate = 0.1;
    if (rng.Chance(0.3)) options.silent_rate = 0.3;
    options.slow_rate = rng.Chance(0.5) ? 0.1 : 0.01;
    const PropagationReport report = Find(Make(options));
    EXPECT_EQ(PrintBroken(report), "");
    EXPECT_GT(report.edges.size(), 0U);
  }
}

}  // namespace
}  // namespace fluoro::analysis::propagation
