// Thinning: what leaves the live window is judged by tail policies, once, on all pieces.
#include "store/embedded/thinning.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "store/embedded/merge.h"
#include "store/embedded/store_fixture_for_test.h"

namespace fluoro::store {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the suite of this module

constexpr std::int64_t kNow = 1'700'010'000'000'000'000;
constexpr double kFraction = 0.2;

std::shared_ptr<const query::TailFilters> Policies(double rest = kFraction) {
  sampling::TailPolicies policies;
  policies.policies.resize(2);
  policies.policies[0].name = "bad";
  policies.policies[0].outcomes = sampling::kTailFault | sampling::kTailError |
                                  sampling::kTailThrottle | sampling::kTailTimeout;
  policies.policies[1].name = "rest";
  policies.policies[1].keep = rest;
  return std::make_shared<const query::TailFilters>(*query::TailFilters::Compile(policies));
}

// From how many spans on row groups are copied.
class ThinningTest : public StoreFixture, public ::testing::WithParamInterface<std::uint64_t> {
 protected:
  ThinningTest() : StoreFixture(kNow, 7) {
    options_.merge.window_ns[0] = 10 * kNsPerSecond;
    options_.merge.window_ns[1] = 40 * kNsPerSecond;
    options_.merge.copy_spans = GetParam();
    options_.live_window_ns = 60 * kNsPerSecond;
    options_.tail_policies = Policies();
    Open();
  }
  void Append(std::uint64_t trace, std::size_t count, bool fault = false) {
    std::vector<model::Span> spans;
    for (std::size_t i = 0; i < count; ++i) {
      model::Span& span = spans.emplace_back(RandomSpan(rng_, MakeTraceId(trace), ++number_));
      span.flags = fault && i == 0 ? std::uint32_t{model::SpanFlag::kFault} : 0U;
      span.status = model::StatusCode::kOk;
      span.start_ns = clock_.UnixNs();
      span.end_ns = span.start_ns + 1'000'000;
      span.attributes.clear();
    }
    ASSERT_TRUE(store_->Append(MakeBatch(spans), Durability::kSynced));
    for (auto& span : spans) sent_[trace].push_back(std::move(span));
  }
  void SealAndWait(std::int64_t seconds) {
    ASSERT_TRUE(store_->SealAll());
    Wait(seconds);
  }
  void Wait(std::int64_t seconds) {
    clock_.Advance(seconds * kNsPerSecond);
    ASSERT_TRUE(store_->RunMaintenance());
  }
  std::shared_ptr<const model::Trace> Read(std::uint64_t trace) {
    auto read = store_->ReadTrace(MakeTraceId(trace));
    EXPECT_TRUE(read) << read.error().message;
    return read ? *read : nullptr;
  }
  void ExpectKept(std::uint64_t trace, const std::string& reason, double probability) {
    const auto read = Read(trace);
    ASSERT_NE(read, nullptr) << trace;
    EXPECT_TRUE(read->spans == sent_[trace]) << trace;
    EXPECT_EQ(read->kept.reason, reason) << trace;
    EXPECT_EQ(read->kept.probability, probability) << trace;
  }
  std::set<model::TraceId> Skeletons() {
    std::set<model::TraceId> ids;
    EXPECT_TRUE(store_->VisitDropped(INT64_MIN, INT64_MAX, [&](const DroppedTrace& trace) {
      EXPECT_TRUE(ids.insert(trace.id).second) << "twice";
      return true;
    }));
    return ids;
  }
  void ExpectSound() {
    const auto report = VerifyFolder(fs_, "data");
    ASSERT_TRUE(report);
    for (const auto& item : report->items) EXPECT_EQ(item.problem, "") << item.file;
  }
  static bool IsKept(std::uint64_t trace) {
    return sampling::IsInFraction(MakeTraceId(trace).bytes, kFraction);
  }
  // The first trace from `from` on that the fraction keeps, or drops.
  static std::uint64_t TraceThatIs(bool kept, std::uint64_t from) {
    while (IsKept(from) != kept) ++from;
    return from;
  }

  std::map<std::uint64_t, std::vector<model::Span>> sent_;
};

INSTANTIATE_TEST_SUITE_P(CopySpans, ThinningTest, ::testing::Values(1, 20, 4'096));

TEST_P(ThinningTest, KeepsWhatPoliciesKeepAndReturnsTheBytesOfTheRest) {
  constexpr std::uint64_t kTraces = 120;
  for (std::uint64_t trace = 0; trace < kTraces; ++trace) {
    Append(trace, 1 + trace % 4, trace % 10 == 0);
    if (trace % 5 == 4) SealAndWait(1);
  }
  Wait(30);
  for (std::uint64_t trace = 0; trace < kTraces; ++trace) ExpectKept(trace, "all", 1);
  const auto before = store_->GetUsage();
  const auto graph_before = store_->Graph({});
  Wait(200);
  for (int round = 0; round < 2; ++round) {
    std::set<model::TraceId> dropped;
    std::uint64_t spans = 0;
    for (std::uint64_t trace = 0; trace < kTraces; ++trace) {
      if (trace % 10 == 0) {
        ExpectKept(trace, "bad", 1);
      } else if (IsKept(trace)) {
        ExpectKept(trace, "rest", kFraction);
      } else {
        EXPECT_EQ(Read(trace), nullptr) << trace;
        dropped.insert(MakeTraceId(trace));
        continue;
      }
      spans += sent_[trace].size();
    }
    EXPECT_EQ(Skeletons(), dropped);
    const auto after = store_->GetUsage();
    EXPECT_EQ(after.spans, spans);
    EXPECT_LT(after.disk_bytes, before.disk_bytes);
    // Made before: exact.
    const auto graph_after = store_->Graph({});
    ASSERT_TRUE(graph_before && graph_after);
    const auto rows_before = graph_before->rollup.Rows();
    const auto rows_after = graph_after->rollup.Rows();
    std::int64_t seen_before = 0;
    std::int64_t seen_after = 0;
    for (const auto& row : rows_before) seen_before += row.cell->seen;
    for (const auto& row : rows_after) seen_after += row.cell->seen;
    EXPECT_EQ(seen_after, seen_before);
    EXPECT_GT(seen_after, 0);
    std::size_t visited = 0;
    const auto found = store_->Search({}, [&](const Match& match) {
      ++visited;
      EXPECT_FALSE(dropped.contains(match.trace.trace->id));
      return true;
    });
    ASSERT_TRUE(found);
    EXPECT_EQ(visited, kTraces - dropped.size());
    EXPECT_EQ(found->damaged, std::vector<std::string>());
    ExpectSound();
    Open();  // whose log still holds rows of what was dropped
  }
  EXPECT_GT(metrics_.GetCounter("fluoro_store_thinned_bytes_total", "").value(), 0);
}

// By spans alone: what is kept stands, by its weight, for what there was.
TEST_P(ThinningTest, AGraphOfSpansWeighsWhatWasKept) {
  constexpr std::uint64_t kTraces = 600;
  for (std::uint64_t trace = 0; trace < kTraces; ++trace) {
    Append(trace, 1);
    if (trace % 2 == 0) continue;
    Append(trace, 1, trace % 30 == 1);
    if (trace % 100 == 99) SealAndWait(1);
  }
  const auto seen = [&] {
    const auto graph = store_->Graph({.from_spans = true});
    EXPECT_TRUE(graph);
    std::int64_t sum = 0;
    const auto rows = graph->rollup.Rows();
    for (const auto& row : rows) {
      if (graph->rollup.series()[row.series].kind == rollup::SeriesKind::kNode)
        sum += row.cell->seen;
    }
    return sum;
  };
  const std::int64_t before = seen();
  Wait(300);
  EXPECT_LT(store_->GetUsage().spans, 300U);
  // Of 580 traces each is kept with 1/5: the deviation of the estimate is 5 sqrt(580 x 0.16)
  // traces.
  EXPECT_NEAR(static_cast<double>(seen()) / static_cast<double>(before), 1, 0.35);
  EXPECT_GT(before, 500);
}

TEST(WholeWeight, IsRightOnAverage) {
  for (const double probability : {1.0, 0.5, 0.05, 0.3, 0.7, 0.013}) {
    const model::Kept kept{.reason = "rest", .probability = probability};
    double sum = 0;
    constexpr std::uint64_t kTraces = 20'000;
    for (std::uint64_t trace = 0; trace < kTraces; ++trace) {
      const auto weight = static_cast<double>(WholeWeight(MakeTraceId(trace), &kept));
      EXPECT_LT(std::abs(weight - 1 / probability), 1);
      sum += weight;
    }
    EXPECT_NEAR(sum / kTraces, 1 / probability, 0.02) << probability;
  }
  EXPECT_EQ(WholeWeight(MakeTraceId(1), nullptr), 1);
}

TEST_P(ThinningTest, WithoutPoliciesEverythingStays) {
  store_->SetTailPolicies(nullptr);
  for (std::uint64_t trace = 0; trace < 30; ++trace) {
    Append(trace, 2);
    SealAndWait(7);
  }
  Wait(1'000);
  for (std::uint64_t trace = 0; trace < 30; ++trace) ExpectKept(trace, "all", 1);
  EXPECT_TRUE(Skeletons().empty());
  // And once there are some, what has left the live window is judged.
  store_->SetTailPolicies(Policies(0));
  Wait(1);
  for (std::uint64_t trace = 0; trace < 30; ++trace) EXPECT_EQ(Read(trace), nullptr);
  // What was judged stays judged.
  store_->SetTailPolicies(Policies(1));
  Wait(1'000);
  EXPECT_EQ(Skeletons().size(), 30U);
  ExpectSound();
}

TEST_P(ThinningTest, ATraceIsJudgedOnAllItsPieces) {
  const std::uint64_t bad = TraceThatIs(false, 0);
  const std::uint64_t kept = TraceThatIs(true, bad + 1);
  const std::uint64_t dropped = TraceThatIs(false, kept + 1);
  for (int piece = 0; piece < 4; ++piece) {
    for (const std::uint64_t trace : {bad, kept, dropped})
      Append(trace, 3, trace == bad && piece == 2);
    SealAndWait(4);  // over two windows
  }
  Wait(300);
  ExpectKept(bad, "bad", 1);
  ExpectKept(kept, "rest", kFraction);
  EXPECT_EQ(Read(dropped), nullptr);
  Open();
  EXPECT_EQ(Read(dropped), nullptr);
  ExpectSound();
}

TEST_P(ThinningTest, ATraceThatGoesOnIsNotJudgedBeforeItsYoungestPiece) {
  const std::uint64_t bad = TraceThatIs(false, 0);
  const std::uint64_t kept = TraceThatIs(true, bad + 1);
  const std::uint64_t dropped = TraceThatIs(false, kept + 1);
  const std::uint64_t in_head = TraceThatIs(false, dropped + 1);
  for (const std::uint64_t trace : {bad, kept, dropped, in_head}) Append(trace, 2);
  SealAndWait(20);
  Wait(70);
  for (const std::uint64_t trace : {bad, kept, dropped}) Append(trace, 2, trace == bad);
  SealAndWait(8);
  Append(in_head, 1);
  Wait(9);  // the first block is out of the live window, whole traces are not
  for (const std::uint64_t trace : {bad, kept, dropped, in_head}) ExpectKept(trace, "all", 1);
  EXPECT_GT(metrics_.GetCounter("fluoro_store_thinning_waits_total", "").value(), 0);
  Wait(200);
  for (int round = 0; round < 2; ++round) {
    ExpectKept(bad, "bad", 1);
    ExpectKept(kept, "rest", kFraction);
    EXPECT_EQ(Read(dropped), nullptr);
    EXPECT_EQ(Read(in_head), nullptr);
    ExpectSound();
    Open();
  }
}

TEST_P(ThinningTest, WhatComesLaterFollowsAndAnErrorKeepsWhatIsLeft) {
  const std::uint64_t kept = TraceThatIs(true, 0);
  const std::uint64_t kept_then_bad = TraceThatIs(true, kept + 1);
  const std::uint64_t dropped = TraceThatIs(false, kept_then_bad + 1);
  const std::uint64_t dropped_then_bad = TraceThatIs(false, dropped + 1);
  const std::uint64_t bad = TraceThatIs(false, dropped_then_bad + 1);
  for (const std::uint64_t trace : {kept, kept_then_bad, dropped, dropped_then_bad, bad})
    Append(trace, 2, trace == bad);
  SealAndWait(200);
  EXPECT_EQ(Read(dropped_then_bad), nullptr);
  sent_[dropped_then_bad].clear();
  sent_[dropped].clear();
  for (const std::uint64_t trace : {kept, kept_then_bad, dropped, dropped_then_bad, bad})
    Append(trace, 1, trace == kept_then_bad || trace == dropped_then_bad);
  ExpectKept(dropped, "all", 1);  // in the live window
  SealAndWait(200);
  ExpectKept(kept, "rest", kFraction);
  ExpectKept(kept_then_bad, "bad", 1);
  EXPECT_EQ(Read(dropped), nullptr);
  ExpectKept(dropped_then_bad, "bad", 1);
  ExpectKept(bad, "bad", 1);
  ExpectSound();
}

TEST_P(ThinningTest, ABlockOfWhichNothingIsKeptLeavesSumsAndSkeletons) {
  store_->SetTailPolicies(Policies(0));
  options_.tail_policies = Policies(0);
  for (std::uint64_t trace = 0; trace < 12; ++trace) {
    Append(trace, 2);
    SealAndWait(5);
  }
  const auto before = store_->Graph({});
  Wait(300);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(Skeletons().size(), 12U);
    EXPECT_EQ(store_->GetUsage().spans, 0U);
    const auto after = store_->Graph({});
    ASSERT_TRUE(before && after);
    EXPECT_EQ(after->rollup.Rows().size(), before->rollup.Rows().size());
    EXPECT_EQ(after->spans_read, 0U);
    ExpectSound();
    Open();
  }
  Append(50, 1);
  SealAndWait(1);
  ExpectKept(50, "all", 1);
}

TEST_P(ThinningTest, DeletedTracesLeaveNoSkeleton) {
  for (std::uint64_t trace = 0; trace < 20; ++trace) Append(trace, 1);
  SealAndWait(5);
  ASSERT_TRUE(store_->Delete(std::vector{MakeTraceId(3), MakeTraceId(4)}));
  Wait(300);
  EXPECT_FALSE(Skeletons().contains(MakeTraceId(3)));
  EXPECT_FALSE(Skeletons().contains(MakeTraceId(4)));
  EXPECT_EQ(Read(3), nullptr);
}

// A quiet server with its default windows, over six hours.
TEST(Thinning, JudgesEachWindowOnceItHasLeftTheLiveWindow) {
  for (const std::int64_t live_minutes : {1, 15, 60, 180}) {
    SCOPED_TRACE(live_minutes);
    FaultyFs fs;
    ManualClock clock(kNow / (7'200 * kNsPerSecond) * (7'200 * kNsPerSecond));
    Metrics metrics;
    EmbeddedOptions options;
    options.folder = "data";
    options.background_thread = false;
    options.wal_allocate_bytes = 4'096;
    options.live_window_ns = live_minutes * 60 * kNsPerSecond;
    options.tail_policies = Policies(0);
    auto store = *OpenEmbeddedStore(fs, clock, metrics, options);
    Rng rng(5);
    const std::int64_t begin_ns = clock.UnixNs();
    std::int64_t lag_max_ns = 0;
    for (std::uint64_t minute = 0; minute < 360; ++minute) {
      model::Span span = RandomSpan(rng, MakeTraceId(minute), minute + 1);
      span.flags = 0;
      span.status = model::StatusCode::kOk;
      span.attributes.clear();
      span.start_ns = clock.UnixNs();
      span.end_ns = span.start_ns + 1;
      ASSERT_TRUE(store->Append(MakeBatch({span}), Durability::kSynced));
      ASSERT_TRUE(store->SealAll());
      clock.Advance(60 * kNsPerSecond);
      ASSERT_TRUE(store->RunMaintenance());
      std::int64_t oldest_ns = clock.UnixNs();
      std::uint64_t traces = 0;
      ASSERT_TRUE(store->Search({}, [&](const Match& match) {
        oldest_ns = std::min(oldest_ns, match.trace.start_ns);
        ++traces;
        return true;
      }));
      EXPECT_GE(traces,
                std::min<std::uint64_t>(minute + 1, static_cast<std::uint64_t>(live_minutes)))
          << "all of the live window is there";
      lag_max_ns = std::max(lag_max_ns, clock.UnixNs() - oldest_ns - options.live_window_ns);
    }
    const std::int64_t window_ns = JudgingWindow(options.merge, options.live_window_ns);
    EXPECT_LE(lag_max_ns, window_ns + 60 * kNsPerSecond);
    const std::int64_t hours = (clock.UnixNs() - begin_ns) / (3'600 * kNsPerSecond);
    EXPECT_EQ(hours, 6);
    std::size_t blocks = 0;
    const auto names = fs.List("data/blocks");
    for (const std::string& name : *names) blocks += name.ends_with(".flb") ? 1U : 0U;
    EXPECT_LE(blocks, 40U);
  }
}

}  // namespace
}  // namespace fluoro::store
