#include "analysis/propagation/pairing.h"

#include <gmock/gmock.h>

#include <cmath>

#include "analysis/propagation/peers.h"
#include "analysis/propagation/share.h"
#include "base/rng.h"

namespace fluoro::analysis::propagation {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr TextId kCaller = 1, kCallee = 2, kOther = 3;

model::TraceId TraceNumber(std::uint64_t number) {
  model::TraceId id;
  for (std::size_t i = 0; i < 8; ++i) id.bytes[i] = static_cast<std::uint8_t>(number >> (8 * i));
  id.bytes[15] = 1;
  return id;
}

struct Rows {
  std::vector<LostCall> calls;
  std::vector<LostEntry> entries;
  std::vector<std::vector<TextId>> candidates;
  std::uint64_t next = 1;

  LostCall& Call(std::int64_t start_ns, std::int64_t end_ns, std::vector<TextId> to = {kCallee}) {
    LostCall& call = calls.emplace_back();
    call.trace = TraceNumber(next++);
    call.service = kCaller;
    call.start_ns = start_ns;
    call.end_ns = end_ns;
    candidates.push_back(std::move(to));
    return call;
  }
  LostEntry& Entry(std::int64_t start_ns, std::int64_t end_ns, TextId service = kCallee) {
    LostEntry& entry = entries.emplace_back();
    entry.trace = TraceNumber(next++);
    entry.service = service;
    entry.start_ns = start_ns;
    entry.end_ns = end_ns;
    return entry;
  }
  [[nodiscard]] Pairing Pair(std::int64_t offset_ns = 0) const {
    return PairByTime({.calls = calls,
                       .entries = entries,
                       .candidates = candidates,
                       .offset_ns = [=](TextId, TextId) { return offset_ns; }});
  }
};

std::int64_t Some(Rng& rng, double mean_ms) {
  return static_cast<std::int64_t>(-std::log(1 - rng.Unit()) * mean_ms * 1e6) + 1'000;
}

// `lost` calls a second for 100 s; with `together` each has its entry, else both are independent.
Rows RandomRows(std::uint64_t seed, int per_second, bool together) {
  Rng rng(seed);
  Rows rows;
  for (int i = 0; i < per_second * 100; ++i) {
    const auto start_ns = static_cast<std::int64_t>(rng.Unit() * 100e9);
    const std::int64_t length_ns = Some(rng, 50);
    const std::int64_t before_ns = Some(rng, 0.5), after_ns = Some(rng, 0.5);
    rows.Call(start_ns, start_ns + before_ns + length_ns + after_ns);
    const std::int64_t at_ns =
        together ? start_ns + before_ns : static_cast<std::int64_t>(rng.Unit() * 100e9);
    rows.Entry(at_ns, at_ns + length_ns);
  }
  return rows;
}

TEST(PairByTime, EveryCallFindsItsOwnEntry) {
  Rows rows;
  for (int i = 0; i < 50; ++i) {
    rows.Call(i * 1'000 * kMs, (i * 1'000 + 80) * kMs);
    rows.Entry((i * 1'000 + 1) * kMs, (i * 1'000 + 78) * kMs);
  }
  const Pairing pairing = rows.Pair();
  for (std::size_t i = 0; i < rows.calls.size(); ++i)
    EXPECT_EQ(pairing.entry_of[i], static_cast<std::int32_t>(i));
  EXPECT_EQ(pairing.proven.at({kCaller, kCallee}).pairs, 50U);
  EXPECT_LT(pairing.proven.at({kCaller, kCallee}).by_chance, 1);
}

struct MisfitCase {
  std::string_view name;
  void (*change)(LostCall&, LostEntry&);
};
constexpr MisfitCase kMisfits[] = {
    {"too early",
     [](LostCall& call, LostEntry& entry) { entry.start_ns = call.start_ns - 60 * kMs; }},
    {"too late", [](LostCall& call, LostEntry& entry) { entry.end_ns = call.end_ns + 60 * kMs; }},
    {"longer than the call",
     [](LostCall& call, LostEntry& entry) {
       entry.start_ns = call.start_ns - 10 * kMs;
       entry.end_ns = call.end_ns + 10 * kMs;
     }},
    {"another method",
     [](LostCall& call, LostEntry& entry) { call.request.method = 7, entry.request.method = 8; }},
    {"another path",
     [](LostCall& call, LostEntry& entry) { call.request.path = 7, entry.request.path = 8; }},
    {"another service", [](LostCall&, LostEntry& entry) { entry.service = kOther; }},
    {"the same trace", [](LostCall& call, LostEntry& entry) { entry.trace = call.trace; }},
};

TEST(PairByTime, WhatDoesNotFitIsNoPair) {
  for (const MisfitCase& c : kMisfits) {
    SCOPED_TRACE(c.name);
    Rows rows;
    for (int i = 0; i < 20; ++i) {
      LostCall& call = rows.Call(i * 1'000 * kMs, (i * 1'000 + 80) * kMs);
      c.change(call, rows.Entry((i * 1'000 + 1) * kMs, (i * 1'000 + 78) * kMs));
    }
    EXPECT_TRUE(rows.Pair().proven.empty());
  }
}

TEST(PairByTime, AProxyMayTakeAwayTheFirstPartOfThePath) {
  Rows rows;
  for (int i = 0; i < 20; ++i) {
    LostCall& call = rows.Call(i * 1'000 * kMs, (i * 1'000 + 80) * kMs);
    call.request = {.path = 100, .tail = 200};
    rows.Entry((i * 1'000 + 1) * kMs, (i * 1'000 + 78) * kMs).request = {.path = 200, .tail = 300};
  }
  EXPECT_EQ(rows.Pair().proven.size(), 1U);
}

TEST(PairByTime, WhoAnswersMayBeUnknownIfThePathSaysSomething) {
  for (const bool telling : {true, false}) {
    Rows rows;
    for (int i = 0; i < 20; ++i) {
      const auto path = static_cast<std::uint64_t>(telling ? 100 + i % 3 : 0);
      const std::uint64_t tail = telling ? 1 : 0;
      rows.Call(i * 1'000 * kMs, (i * 1'000 + 80) * kMs, {}).request = {.path = path, .tail = tail};
      rows.Entry((i * 1'000 + 1) * kMs, (i * 1'000 + 78) * kMs).request = {.path = path,
                                                                           .tail = tail};
    }
    EXPECT_EQ(rows.Pair().proven.size(), telling ? 1U : 0U);
  }
}

TEST(PairByTime, AKnownDifferenceOfClocksIsTakenOff) {
  for (const std::int64_t offset_ms : {2'000, -2'000}) {
    Rows rows;
    for (int i = 0; i < 20; ++i) {
      rows.Call(i * 777 * kMs, (i * 777 + 80) * kMs);
      rows.Entry((i * 777 + 1 + offset_ms) * kMs, (i * 777 + 78 + offset_ms) * kMs);
    }
    EXPECT_EQ(rows.Pair(offset_ms * kMs).proven.size(), 1U);
  }
}

TEST(PairByTime, ChanceProvesNothingAtAnyLoad) {
  for (const int per_second : {1, 5, 20, 100}) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      SCOPED_TRACE(std::to_string(per_second) + " a second, seed " + std::to_string(seed));
      EXPECT_TRUE(RandomRows(seed, per_second, false).Pair().proven.empty());
    }
  }
}

TEST(PairByTime, TruePairsAreProvenAtAnyLoad) {
  for (const int per_second : {1, 5, 20, 100}) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      SCOPED_TRACE(std::to_string(per_second) + " a second, seed " + std::to_string(seed));
      EXPECT_EQ(RandomRows(seed, per_second, true).Pair().proven.size(), 1U);
    }
  }
}

// One client that asks again as soon as it has its answer: at every instant some call is open, and
// the answer comes long after the callee's span ended.
TEST(PairByTime, TruePairsOfASteadyLoopAreProven) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    Rows rows;
    std::int64_t at_ns = 0;
    for (int i = 0; i < 24; ++i) {
      const std::int64_t before_ns = Some(rng, 0.5), length_ns = Some(rng, 1);
      const std::int64_t end_ns = at_ns + before_ns + length_ns + 10 * kMs + Some(rng, 2);
      rows.Call(at_ns, end_ns);
      rows.Entry(at_ns + before_ns, at_ns + before_ns + length_ns);
      at_ns = end_ns + 15 * kMs + Some(rng, 3);
    }
    EXPECT_EQ(rows.Pair().proven.size(), 1U);
  }
}

TEST(WilsonOf, AgreesWithPublishedValues) {
  // Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
  const Interval a = WilsonOf({81, 81}, {182, 182});
  EXPECT_NEAR(a.low, 0.2553, 5e-5);
  EXPECT_NEAR(a.high, 0.3662, 5e-5);
  const Interval b = WilsonOf({15, 15}, {133, 133});
  EXPECT_NEAR(b.low, 0.0624, 5e-5);
  EXPECT_NEAR(b.high, 0.1605, 5e-5);
  const Interval c = WilsonOf({0, 0}, {20, 20});
  EXPECT_EQ(c.low, 0);
  EXPECT_NEAR(c.high, 0.1611, 5e-5);
}

TEST(WilsonOf, WeightsWidenIt) {
  const Interval whole = WilsonOf({50, 50}, {50, 50});
  const Interval tenth = WilsonOf({50, 500}, {50, 500});  // five and five, each for ten
  EXPECT_LT(tenth.low, whole.low);
  EXPECT_NEAR(tenth.low, WilsonOf({5, 5}, {5, 5}).low, 1e-12);
}

class PeerNames : public ::testing::Test {
 protected:
  LostCall CallTo(const std::vector<std::string>& peers, const std::string& part = {}) {
    LostCall call;
    for (std::size_t i = 0; i < peers.size(); ++i) call.peers[i] = texts_.Id(peers[i]);
    call.request.part = texts_.Id(part);
    return call;
  }
  std::vector<std::string> Resolve(const LostCall& call) {
    std::vector<std::string> out;
    for (const TextId service : peers_.Resolve(call)) out.emplace_back(texts_.At(service));
    return out;
  }
  Texts texts_;
  PeerMap peers_{texts_};
};

TEST_F(PeerNames, ServicesAreFoundByTheirNameInAnyForm) {
  peers_.LearnService(texts_.Id("Orders"));
  for (const std::string peer : {"name:orders", "name:Orders", "host:orders", "host:orders:8080",
                                 "host:orders.shop.svc.cluster.local:8080", "rpc:orders"}) {
    EXPECT_THAT(Resolve(CallTo({peer})), ::testing::ElementsAre("Orders")) << peer;
  }
  for (const std::string peer :
       {"name:order", "host:10.0.0.1:8080", "host:api.orders.com", "rpc:x"})
    EXPECT_THAT(Resolve(CallTo({peer})), ::testing::IsEmpty()) << peer;
}

TEST_F(PeerNames, AnsweredCallsTeachAndThePathTellsServicesOfOneHostApart) {
  const LostCall a = CallTo({"host:gateway"}, "/a");
  const LostCall b = CallTo({"host:gateway"}, "/b");
  peers_.LearnCall(a.peers, a.request.part, texts_.Id("alpha"), 10);
  peers_.LearnCall(b.peers, b.request.part, texts_.Id("beta"), 5);
  EXPECT_THAT(Resolve(a), ::testing::ElementsAre("alpha"));
  EXPECT_THAT(Resolve(b), ::testing::ElementsAre("beta"));
  EXPECT_THAT(Resolve(CallTo({"host:gateway"}, "/c")), ::testing::ElementsAre("alpha", "beta"));
  EXPECT_THAT(Resolve(CallTo({"host:elsewhere"})), ::testing::IsEmpty());
}

TEST(Texts, AreBoundedAndSayWhatIsMissing) {
  Texts texts;
  for (std::size_t i = 0; i < Texts::kMax + 10; ++i) texts.Id("text " + std::to_string(i));
  EXPECT_EQ(texts.left_out(), 11U);  // number 0 stands for none
  EXPECT_EQ(texts.Id("text 5"), texts.Find("text 5"));
  EXPECT_EQ(texts.At(texts.Find("text 5")), "text 5");
  EXPECT_EQ(texts.Id("one more"), 0U);
  EXPECT_EQ(texts.At(0), "");
  EXPECT_EQ(texts.Id(""), 0U);
  const std::string longer(1'000, 'x');
  Texts cut;
  EXPECT_EQ(cut.At(cut.Id(longer)).size(), Texts::kBytesMax);
  EXPECT_EQ(cut.Find(longer), cut.Id(longer));
}

}  // namespace
}  // namespace fluoro::analysis::propagation
