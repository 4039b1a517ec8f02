#include "analysis/ledger/replay.h"

#include <gmock/gmock.h>

#include <random>

#include "analysis/ledger/ledger_testing.h"
#include "analysis/ledger/step_what_if.h"

namespace fluoro::analysis {
namespace {

using model::AssembledTrace;
using testing::RandomSteps;

std::vector<StepChange> None(const AssembledTrace& trace) {
  return std::vector<StepChange>(trace.entities.size());
}

std::int64_t RootNs(const AssembledTrace& trace) { return trace.Root()->duration_ns(); }

void ForEachSeed(int seeds, const std::function<void(std::mt19937_64&)>& test) {
  for (int seed = 0; seed < seeds && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 rng(static_cast<std::uint64_t>(seed));
    test(rng);
  }
}

TEST(Replay, WithoutChangesNothingChanges) {
  ForEachSeed(500, [](std::mt19937_64& rng) {
    const AssembledTrace trace = model::testing::AssembleSpans(RandomSteps(rng));
    const Replay replay = ReplayTrace(trace, None(trace));
    EXPECT_EQ(replay.root_ns, RootNs(trace));
    for (std::size_t i = 0; i < replay.times.size(); ++i) {
      EXPECT_EQ(replay.times[i].start_ns, trace.entities[i].start_ns);
      EXPECT_EQ(replay.times[i].end_ns, trace.entities[i].end_ns);
    }
  });
}

// Path time of each entity with all below it.
std::vector<std::int64_t> PathBelow(const AssembledTrace& trace) {
  std::vector<std::int64_t> below(trace.entities.size(), 0);
  for (const PathInterval& part : CriticalPath(trace))
    below[static_cast<std::size_t>(part.entity)] += part.end_ns - part.start_ns;
  const auto order = ParentsFirst(trace);
  for (auto at = order.rbegin(); at != order.rend(); ++at) {
    const auto parent = trace.entities[static_cast<std::size_t>(*at)].parent;
    if (parent >= 0)
      below[static_cast<std::size_t>(parent)] += below[static_cast<std::size_t>(*at)];
  }
  return below;
}

TEST(Replay, SavesNoMoreThanThePathOfTheStepAndNothingOffThePath) {
  ForEachSeed(300, [](std::mt19937_64& rng) {
    const AssembledTrace trace = model::testing::AssembleSpans(RandomSteps(rng));
    const auto below = PathBelow(trace);
    for (std::size_t i = 0; i < trace.entities.size(); ++i) {
      auto changes = None(trace);
      std::int64_t before = 0;
      for (const double speed : {1.0, 1.5, 2.0, 10.0, StepChange::kTakesNoTime}) {
        changes[i].speed = speed;
        const Replay replay = ReplayTrace(trace, changes);
        const std::int64_t saved = RootNs(trace) - replay.root_ns;
        EXPECT_GE(saved, before) << "faster saved less: entity " << i << " at " << speed;
        EXPECT_LE(saved, below[i]);
        EXPECT_GE(replay.root_ns, 0);
        before = saved;
      }
    }
  });
}

TEST(Replay, MoreChangesNeverSaveLess) {
  ForEachSeed(300, [](std::mt19937_64& rng) {
    const AssembledTrace trace = model::testing::AssembleSpans(RandomSteps(rng));
    auto changes = None(trace);
    std::int64_t before = RootNs(trace);
    for (int round = 0; round < 6; ++round) {
      const std::size_t i = rng() % changes.size();
      if (!trace.entities[i].children.empty()) continue;  // would hide changes below it
      changes[i].speed = 3;
      const std::int64_t root_ns = ReplayTrace(trace, changes).root_ns;
      EXPECT_LE(root_ns, before);
      before = root_ns;
    }
  });
}

TEST(Replay, TheNewPathTilesTheNewRoot) {
  ForEachSeed(300, [](std::mt19937_64& rng) {
    const AssembledTrace trace = model::testing::AssembleSpans(RandomSteps(rng));
    auto changes = None(trace);
    for (auto& change : changes) {
      if (rng() % 4 == 0) change.speed = rng() % 2 == 0 ? 2 : StepChange::kTakesNoTime;
    }
    const Replay replay = ReplayTrace(trace, changes);
    std::int64_t sum = 0;
    for (const PathInterval& part : CriticalPath(trace, replay.times))
      sum += part.end_ns - part.start_ns;
    EXPECT_EQ(sum, replay.root_ns);
    EXPECT_EQ(replay.times[static_cast<std::size_t>(trace.root)].end_ns -
                  replay.times[static_cast<std::size_t>(trace.root)].start_ns,
              replay.root_ns);
  });
}

TEST(Replay, EndsOnDeepAndOnWideTraces) {
  std::vector<model::Span> spans;
  for (std::uint64_t id = 1; id <= 50'000; ++id) {
    spans.push_back(model::testing::OtelSpan(id, model::SpanKind::kInternal, "n")
                        .Service("s")
                        .Parent(id <= 25'000 ? id - 1 : 1)
                        .BetweenNs(0, 100));
  }
  const AssembledTrace trace = model::testing::AssembleSpans(std::move(spans));
  EXPECT_EQ(ReplayTrace(trace, None(trace)).root_ns, 100);
}

// root 0-100: a 10-30, b 30-60 (after a), c 5-90 beside both, d 92-98 after all.
class WhatIf : public ::testing::Test {
 protected:
  static testing::Told Make(std::int64_t c_end) {
    using testing::Line;
    const auto tool = [](std::uint64_t id, std::string name, std::int64_t from, std::int64_t to) {
      return Line{
          .id = id,
          .parent = 1,
          .name = name,
          .start_ms = from,
          .end_ms = to,
          .attributes = {{"step_kind", testing::Text("tool")}, {"tool_name", testing::Text(name)}}};
    };
    return testing::Told(testing::Decode(
        {{.id = 1, .name = "root", .kind = model::SpanKind::kServer, .end_ms = 100},
         tool(2, "a", 10, 30),
         tool(3, "b", 30, 60),
         tool(4, "c", 5, c_end),
         {.id = 5,
          .parent = 1,
          .name = "chat",
          .kind = model::SpanKind::kClient,
          .start_ms = 92,
          .end_ms = 98,
          .attributes = {{"gen_ai.operation.name", testing::Text("chat")},
                         {"gen_ai.request.model", testing::Text("gpt-4o:latest")}}}}));
  }
  static std::int64_t Ms(const testing::Told& told, std::string_view what_if) {
    const auto parsed = ParseStepWhatIf(what_if);
    EXPECT_TRUE(parsed) << what_if;
    return ReplayWith(told.View(), *parsed).new_root_ns / testing::kMs;
  }
};

TEST_F(WhatIf, WhatWaitedForAStepStillDoes) {
  const testing::Told told = Make(58);  // the path: a, b, d
  EXPECT_EQ(Ms(told, "tool=b:2x"), 98) << "c ends at 58 and holds d up";
  EXPECT_EQ(Ms(told, "tool=a:cached"), 98) << "b moves to 10-40, c is last";
  EXPECT_EQ(Ms(told, "tool=c:cached"), 100) << "off the path";
  EXPECT_EQ(Ms(told, "model=gpt-4o:latest:3x"), 96);
  EXPECT_EQ(Ms(told, "kind=tool:1x"), 100);
  EXPECT_EQ(Ms(told, "kind=tool:cached"), 50) << "chat still comes 32 ms after the last of them";
  EXPECT_EQ(Ms(told, "span=0000000000000005:cached"), 94);
  EXPECT_EQ(Ms(told, "tool=nothing:cached"), 100);
}

TEST_F(WhatIf, StepsBesideTheirSiblings) {
  const testing::Told told = Make(20);
  EXPECT_EQ(Ms(told, "tool=b:parallel"), 75) << "b runs 5-35, then d as late after it";
  EXPECT_EQ(Ms(told, "kind=llm:parallel"), 100) << "no neighbour of its kind";
}

TEST_F(WhatIf, RefusesWhatItCannotMean) {
  for (const std::string_view text :
       {"", "tool", "tool=a", "tool=:2x", "tool=a:0.5x", "tool=a:nanx", "tool=a:infx", "tool=a:2",
        "kind=nothing:2x", "span=12:2x", "colour=red:2x", "tool=a:slower"}) {
    EXPECT_FALSE(ParseStepWhatIf(text)) << text;
  }
}

}  // namespace
}  // namespace fluoro::analysis
