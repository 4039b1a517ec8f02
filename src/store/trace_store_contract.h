// What every TraceStore must do. Include it in a test of an implementation and instantiate:
//   INSTANTIATE_TEST_SUITE_P(Embedded, TraceStoreContract, ::testing::Values(MakeHarness));
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <utility>

#include "base/clock.h"
#include "model/log_record.h"
#include "model/testing.h"
#include "rollup/call_testing.h"
#include "rollup/testing.h"
#include "store/testing.h"
#include "store/trace_store.h"

namespace fluoro::store::testing {

/// One empty store under test.
class StoreHarness {
 public:
  virtual ~StoreHarness() = default;
  virtual TraceStore& store() = 0;
  /// Moves time on.
  virtual void Advance(std::int64_t ns) = 0;
  /// Lets the store move what is in memory to where it rests.
  virtual void Settle() = 0;
  /// Closes the store and opens it again on what it left.
  virtual void Reopen() = 0;
  [[nodiscard]] virtual std::int64_t NowNs() const = 0;
};

using MakeHarnessFunction = std::function<std::unique_ptr<StoreHarness>()>;

class TraceStoreContract : public ::testing::TestWithParam<MakeHarnessFunction> {
 protected:
  void SetUp() override { harness_ = GetParam()(); }
  TraceStore& store() { return harness_->store(); }

  void Append(const std::vector<model::Span>& spans) {
    const auto stored = store().Append(MakeBatch(spans), Durability::kSynced);
    ASSERT_TRUE(stored) << stored.error().message;
    model_.Append(spans);
  }
  void ExpectEqual(const model::TraceId& id) {
    const auto trace = store().ReadTrace(id);
    ASSERT_TRUE(trace) << trace.error().message;
    const auto wanted = model_.Trace(id);
    EXPECT_EQ(store().Exist(std::vector{id}), std::vector{!wanted.empty()});
    if (wanted.empty()) {
      EXPECT_EQ(*trace, nullptr) << id.ToHex();
      return;
    }
    ASSERT_NE(*trace, nullptr) << id.ToHex();
    EXPECT_EQ((*trace)->id, id);
    EXPECT_EQ((*trace)->spans, wanted) << id.ToHex();
    EXPECT_FALSE((*trace)->IsPart());
    const std::size_t middle = wanted.size() / 2;
    const auto rest = store().ReadTrace(id, middle);
    ASSERT_TRUE(rest);
    EXPECT_EQ((*rest)->spans_before, middle);
    EXPECT_TRUE(std::ranges::equal((*rest)->spans, std::span(wanted).subspan(middle)));
  }
  std::vector<model::TraceId> SearchIds(const query::Plan& plan, std::size_t limit = SIZE_MAX) {
    std::vector<model::TraceId> ids;
    const auto result = store().Search(plan, [&](const Match& match) {
      ids.push_back(match.trace.trace->id);
      return ids.size() < limit;
    });
    EXPECT_TRUE(result);
    if (result) last_ = *result;
    return ids;
  }
  void ExpectAllEqual() {
    for (const model::TraceId& id : model_.Ids()) ExpectEqual(id);
    EXPECT_EQ(SearchIds({}), model_.InSearchOrder());
    EXPECT_TRUE(last_.complete);
  }

  /// The sums of the model's traces, assembled one by one.
  [[nodiscard]] rollup::Rollup NaiveGraph(const GraphPlan& plan) const {
    rollup::Rollup naive(plan.period_ns);
    rollup::KeyTable keys;
    rollup::Rollup::Sink sink(naive, keys);
    const std::vector<rollup::RollupWindow> windows{
        {.from_ns = plan.from_ns, .until_ns = plan.until_ns}};
    sink.set_windows(windows);
    for (const model::TraceId& id : model_.Ids()) {
      auto trace = std::make_shared<model::Trace>();
      trace->id = id;
      trace->spans = model_.Trace(id);
      rollup::SampleTrace(model::Assemble(std::move(trace)), keys, sink);
    }
    return naive;
  }
  void ExpectGraph(const GraphPlan& plan, const rollup::testing::Printing& printing = {}) {
    const auto graph = store().Graph(plan);
    ASSERT_TRUE(graph) << graph.error().message;
    EXPECT_TRUE(graph->complete);
    EXPECT_EQ(rollup::testing::Print(graph->rollup, printing),
              rollup::testing::Print(NaiveGraph(plan), printing))
        << plan.from_ns << " " << plan.until_ns << " " << plan.period_ns;
  }
  /// All time, windows at and between whole minutes, with and without periods.
  void ExpectGraphs(Rng& rng, const rollup::testing::Printing& printing = {}) {
    const rollup::testing::TraceShape shape;
    for (const bool from_spans : {false, true}) {
      ExpectGraph({.from_spans = from_spans}, printing);
      ExpectGraph({.period_ns = 5 * rollup::kMinuteNs, .from_spans = from_spans}, printing);
      for (int i = 0; i < 3; ++i) {
        GraphPlan plan{.from_spans = from_spans};
        plan.from_ns = shape.from_ns + static_cast<std::int64_t>(rng.Below(4)) * rollup::kMinuteNs;
        plan.until_ns = plan.from_ns + static_cast<std::int64_t>(rng.Below(4)) * rollup::kMinuteNs;
        if (rng.Chance(0.7)) plan.from_ns += static_cast<std::int64_t>(rng.Below(50'000'000'000));
        if (rng.Chance(0.7)) plan.until_ns += static_cast<std::int64_t>(rng.Below(90'000'000'000));
        if (rng.Chance(0.3)) plan.period_ns = rollup::kMinuteNs;
        ExpectGraph(plan, printing);
      }
    }
  }

  void ExpectCalls(const CallsPlan& plan) {
    const auto calls = store().Calls(plan);
    ASSERT_TRUE(calls) << calls.error().message;
    EXPECT_TRUE(calls->complete);
    rollup::CallSums naive(plan.period_ns, plan.dimensions);
    for (const model::TraceId& id : model_.Ids()) {
      rollup::testing::AddCalls(model_.Trace(id),
                                {.from_ns = plan.from_ns, .until_ns = plan.until_ns}, naive);
    }
    EXPECT_EQ(rollup::testing::Print(calls->sums), rollup::testing::Print(naive))
        << plan.from_ns << " " << plan.until_ns << " " << plan.period_ns;
  }
  /// All time, windows at and between whole minutes, with and without periods and dimensions.
  void ExpectCallsOfWindows(Rng& rng) {
    const rollup::testing::TraceShape shape;
    ExpectCalls({});
    ExpectCalls({.period_ns = 5 * rollup::kMinuteNs, .dimensions = rollup::kByModel});
    for (int i = 0; i < 3; ++i) {
      CallsPlan plan;
      plan.from_ns = shape.from_ns + static_cast<std::int64_t>(rng.Below(4)) * rollup::kMinuteNs;
      plan.until_ns = plan.from_ns + static_cast<std::int64_t>(rng.Below(4)) * rollup::kMinuteNs;
      if (rng.Chance(0.7)) plan.from_ns += static_cast<std::int64_t>(rng.Below(50'000'000'000));
      if (rng.Chance(0.7)) plan.until_ns += static_cast<std::int64_t>(rng.Below(90'000'000'000));
      if (rng.Chance(0.3)) plan.period_ns = rollup::kMinuteNs;
      if (rng.Chance(0.5)) plan.dimensions = static_cast<std::uint8_t>(rng.Below(64));
      ExpectCalls(plan);
    }
  }

  std::unique_ptr<StoreHarness> harness_;
  StoreModel model_;
  SearchResult last_;
};

TEST_P(TraceStoreContract, GivesBackWhatWasAppended) {
  Rng rng(1);
  Append({RandomSpan(rng, MakeTraceId(1), 1), RandomSpan(rng, MakeTraceId(2), 2),
          RandomSpan(rng, MakeTraceId(1), 3)});
  EXPECT_EQ(store().Exist(std::vector{MakeTraceId(2), MakeTraceId(9), MakeTraceId(1)}),
            (std::vector{true, false, true}));
  EXPECT_EQ(*store().ReadTrace(MakeTraceId(9)), nullptr);
  EXPECT_EQ((*store().ReadTrace(MakeTraceId(1)))->spans, model_.Trace(MakeTraceId(1)));
  const auto behind = store().ReadTrace(MakeTraceId(1), 100);
  ASSERT_TRUE(behind);
  EXPECT_TRUE((*behind)->spans.empty());
  EXPECT_EQ((*behind)->spans_before, 2U);
}

TEST_P(TraceStoreContract, EmptyStoreAnswers) {
  EXPECT_TRUE(SearchIds({}).empty());
  EXPECT_TRUE(last_.complete);
  EXPECT_TRUE(store().Services(10)->empty());
  EXPECT_TRUE(store().Operations("x", 10)->empty());
  EXPECT_EQ(store().GetUsage().spans, 0U);
  EXPECT_EQ(*store().Delete(std::vector{MakeTraceId(1)}), 0U);
  EXPECT_TRUE(store().Append({}, Durability::kSynced));
}

// A log record is an event of its span, whichever of them comes first, and wherever they rest.
TEST_P(TraceStoreContract, LogRecordsBecomeEventsOfTheirSpans) {
  using model::testing::OtelSpan;
  for (const int order : {0, 1, 2}) {
    for (const bool settle : {false, true}) {
      const model::TraceId id =
          MakeTraceId(100 + 2 * static_cast<std::uint64_t>(order) + (settle ? 1 : 0));
      const std::int64_t now_ns = harness_->NowNs();
      const model::Span span = OtelSpan(1, model::SpanKind::kServer, "GET /")
                                   .InTrace(id)
                                   .BetweenNs(now_ns, now_ns + 100)
                                   .Event("own", {}, now_ns + 20);
      const auto record = [&](std::uint64_t number, std::int64_t at_ns) {
        return OtelSpan(number, model::SpanKind::kInternal, "log")
            .InTrace(id)
            .Parent(1)
            .BetweenNs(now_ns + at_ns, now_ns + at_ns)
            .Flags(model::kLogRecord)
            .Event("record", {{"n", std::to_string(number)}}, now_ns + at_ns)
            .Build();
      };
      const std::vector<model::Span> records = {record(7, 30), record(8, 10), record(7, 30)};
      const auto append = [&](const std::vector<model::Span>& spans) {
        ASSERT_TRUE(store().Append(MakeBatch(spans), Durability::kSynced));
        if (settle) harness_->Settle();
      };
      if (order == 0) append({span});
      if (order == 2) {
        append({records[0], span, records[1], records[2]});
      } else {
        append(records);
      }
      if (order == 1) append({span});
      for (const bool reopened : {false, true}) {
        if (reopened) harness_->Reopen();
        const auto trace = store().ReadTrace(id);
        ASSERT_TRUE(trace && *trace);
        ASSERT_EQ((*trace)->spans.size(), 1U) << order << settle << reopened;
        const std::vector<model::Event>& events = (*trace)->spans[0].events;
        ASSERT_EQ(events.size(), 3U) << "one sent twice is there once";
        EXPECT_EQ(*events[0].Find("n")->AsString(), "8");
        EXPECT_EQ(events[1].name, "own");
        EXPECT_EQ(*events[2].Find("n")->AsString(), "7");
        std::size_t spans = 0;
        const auto found = store().Search({}, [&](const Match& match) {
          if (match.trace.trace->id == id) spans = match.trace.trace->spans.size();
          return true;
        });
        ASSERT_TRUE(found);
        EXPECT_EQ(spans, 1U);
      }
    }
  }
}

TEST_P(TraceStoreContract, HoldsWhatAModelHoldsThroughSealsDeletesAndReopening) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SetUp();
    model_ = {};
    Rng rng(seed);
    std::uint64_t span_number = 0;
    for (int step = 0; step < 60; ++step) {
      switch (rng.Below(10)) {
        case 0:
          harness_->Settle();
          break;
        case 1:
          harness_->Reopen();
          break;
        case 2: {
          const model::TraceId id = MakeTraceId(rng.Below(40));
          ASSERT_TRUE(store().Delete(std::vector{id}));
          model_.Delete(id);
          break;
        }
        default: {
          std::vector<model::Span> spans;
          for (std::uint64_t i = 1 + rng.Below(8); i > 0; --i) {
            spans.push_back(RandomSpan(rng, MakeTraceId(rng.Below(40)), ++span_number));
          }
          Append(spans);
          if (rng.Chance(0.2)) Append(spans);  // sent twice: stored once
        }
      }
      harness_->Advance(rng.Chance(0.5) ? kNsPerSecond : 0);
    }
    ExpectAllEqual();
    harness_->Settle();
    ExpectAllEqual();
    harness_->Reopen();
    ExpectAllEqual();
  }
}

TEST_P(TraceStoreContract, SearchPagesWithTheCursorWithoutLossOrRepetition) {
  Rng rng(3);
  for (std::uint64_t i = 0; i < 30; ++i) {
    auto span = RandomSpan(rng, MakeTraceId(i % 20), i + 1);
    span.start_ns = 1'000'000'000 * static_cast<std::int64_t>(rng.Below(5));  // many ties
    span.end_ns = span.start_ns;
    span.flags = 0;
    Append({span});
    if (i % 7 == 6) harness_->Settle();
  }
  const auto all = SearchIds({});
  EXPECT_EQ(all, model_.InSearchOrder());
  std::vector<model::TraceId> paged;
  query::Plan plan;
  for (int page = 0; page < 100; ++page) {
    const auto ids = SearchIds(plan, 3);
    paged.insert(paged.end(), ids.begin(), ids.end());
    if (last_.complete) break;
    plan.after = last_.last;
  }
  EXPECT_EQ(paged, all);
}

TEST_P(TraceStoreContract, TimeRangesChooseByStartEventOrSegmentEnd) {
  Rng rng(4);
  const auto add = [&](std::uint64_t trace, std::uint64_t number, std::int64_t start,
                       std::int64_t end, bool segment) {
    auto span = RandomSpan(rng, MakeTraceId(trace), number);
    span.parent_id = segment ? model::SpanId{} : MakeSpanId(number - 1);
    span.start_ns = start;
    span.end_ns = end;
    span.kind = segment ? model::SpanKind::kServer : model::SpanKind::kInternal;
    span.flags = 0;
    span.document.clear();
    Append({span});
  };
  add(1, 1, 100, 200, true);
  harness_->Settle();
  add(1, 2, 300, 400, false);  // a late part of trace 1
  add(2, 3, 350, 360, true);
  for (int round = 0; round < 2; ++round) {
    const auto ids = [&](std::int64_t from, std::int64_t until, query::TimeRange range) {
      query::Plan plan;
      plan.from_ns = from;
      plan.until_ns = until;
      plan.time_range = range;
      return SearchIds(plan);
    };
    const std::vector<model::TraceId> none;
    const std::vector<model::TraceId> first{MakeTraceId(1)};
    const std::vector<model::TraceId> second{MakeTraceId(2)};
    const std::vector<model::TraceId> both{MakeTraceId(2), MakeTraceId(1)};
    EXPECT_EQ(ids(100, 101, query::TimeRange::kTraceStart), first);
    EXPECT_EQ(ids(101, 350, query::TimeRange::kTraceStart), none);
    EXPECT_EQ(ids(0, 351, query::TimeRange::kTraceStart), both);
    EXPECT_EQ(ids(390, 500, query::TimeRange::kEvent), first);
    EXPECT_EQ(ids(200, 201, query::TimeRange::kEvent), first);
    EXPECT_EQ(ids(210, 300, query::TimeRange::kEvent), none);
    EXPECT_EQ(ids(355, 356, query::TimeRange::kEvent), both);
    EXPECT_EQ(ids(200, 201, query::TimeRange::kService), first);
    EXPECT_EQ(ids(360, 361, query::TimeRange::kService), second);
    EXPECT_EQ(ids(210, 350, query::TimeRange::kService), none);
    harness_->Settle();
  }
}

TEST_P(TraceStoreContract, SearchStopsAtItsBounds) {
  Rng rng(5);
  for (std::uint64_t i = 0; i < 10; ++i) Append({RandomSpan(rng, MakeTraceId(i), i + 1)});
  query::Plan scan;
  scan.scan_max = 4;
  EXPECT_EQ(SearchIds(scan).size(), 4U);
  EXPECT_FALSE(last_.complete);
  EXPECT_EQ(last_.scanned_traces, 4U);
  EXPECT_NEAR(last_.scanned_share, 0.4, 1e-9);
  query::Plan late;
  late.deadline_ns = INT64_MIN;
  EXPECT_TRUE(SearchIds(late).empty());
  EXPECT_FALSE(last_.complete);
  std::stop_source source;
  source.request_stop();
  query::Plan stopped;
  stopped.stop = source.get_token();
  EXPECT_TRUE(SearchIds(stopped).empty());
  EXPECT_FALSE(last_.complete);
}

TEST_P(TraceStoreContract, SearchFilters) {
  Rng rng(6);
  for (std::uint64_t i = 0; i < 20; ++i) {
    auto span = RandomSpan(rng, MakeTraceId(i), i + 1);
    span.attributes = {
        {"color", {std::string(i % 2 == 0 ? "red" : "blue")}, model::AttributeRole::kAnnotation}};
    span.document.clear();
    span.flags = 0;
    Append({span});
    if (i == 10) harness_->Settle();
  }
  query::Plan plan;
  plan.filter = *query::Filter::Parse("annotation.color = \"red\"");
  EXPECT_EQ(SearchIds(plan).size(), 10U);
  EXPECT_EQ(last_.scanned_traces, 20U);
}

TEST_P(TraceStoreContract, GraphIsTheSumOfAllTraces) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SetUp();
    model_ = {};
    Rng rng(seed);
    ExpectGraphs(rng);
    for (std::uint64_t i = 0; i < 40; ++i) {
      Append(rollup::testing::RandomGraphTrace(rng, MakeTraceId(i)));
      if (rng.Chance(0.1)) harness_->Settle();
    }
    ExpectGraphs(rng);
    harness_->Settle();
    ExpectGraphs(rng);
    harness_->Reopen();
    ExpectGraphs(rng);
  }
  EXPECT_FALSE(store().Graph({.period_ns = 7}));
}

// Extents keep what was seen of spans that others replaced.
TEST_P(TraceStoreContract, GraphJoinsTracesThatComeInPieces) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SetUp();
    model_ = {};
    Rng rng(seed);
    for (int step = 0; step < 50; ++step) {
      if (rng.Chance(0.15)) harness_->Settle();
      if (rng.Chance(0.05)) harness_->Reopen();
      const model::TraceId id = MakeTraceId(rng.Below(12));
      std::vector<model::Span> spans;
      for (std::uint64_t i = 1 + rng.Below(4); i > 0; --i)
        spans.push_back(rollup::testing::RandomGraphSpan(rng, id, 1 + rng.Below(12)));
      Append(spans);
      harness_->Advance(rng.Chance(0.5) ? 20 * kNsPerSecond : 0);
      if (step % 10 == 9) ExpectGraphs(rng, {.extent = false});
    }
    harness_->Settle();
    ExpectGraphs(rng, {.extent = false});
    harness_->Reopen();
    ExpectGraphs(rng, {.extent = false});
  }
}

TEST_P(TraceStoreContract, GraphStopsAtItsBounds) {
  Rng rng(13);
  Append(rollup::testing::RandomGraphTrace(rng, MakeTraceId(1)));
  harness_->Settle();
  EXPECT_FALSE(store().Graph({.from_spans = true, .deadline_ns = INT64_MIN})->complete);
  std::stop_source source;
  source.request_stop();
  EXPECT_FALSE(store().Graph({.from_spans = true, .stop = source.get_token()})->complete);
}

TEST_P(TraceStoreContract, CallsAreThoseOfWholeTracesThatComeInPieces) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    Rng rng(seed + 40);
    harness_ = GetParam()();
    model_ = {};
    for (int step = 0; step < 60; ++step) {
      if (rng.Chance(0.15)) harness_->Settle();
      if (rng.Chance(0.05)) harness_->Reopen();
      const model::TraceId id = MakeTraceId(rng.Below(12));
      std::vector<model::Span> spans;
      for (std::uint64_t i = 1 + rng.Below(4); i > 0; --i)
        spans.push_back(rollup::testing::RandomCallSpan(rng, id, 1 + rng.Below(12)));
      Append(spans);
      harness_->Advance(rng.Chance(0.5) ? 20 * kNsPerSecond : 0);
      if (step % 10 == 9) ExpectCallsOfWindows(rng);
    }
    harness_->Settle();
    ExpectCallsOfWindows(rng);
    harness_->Reopen();
    ExpectCallsOfWindows(rng);
  }
}

TEST_P(TraceStoreContract, CallsStopAtTheirBounds) {
  Rng rng(13);
  std::vector<model::Span> spans;
  for (std::uint64_t number = 1; number < 20; ++number)
    spans.push_back(rollup::testing::RandomCallSpan(rng, MakeTraceId(1), number));
  Append(spans);
  EXPECT_FALSE(store().Calls({.deadline_ns = INT64_MIN})->complete);
  std::stop_source source;
  source.request_stop();
  EXPECT_FALSE(store().Calls({.stop = source.get_token()})->complete);
  const auto odd = store().Calls({.period_ns = rollup::kMinuteNs + 1});
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().code, ErrorCode::kInvalidArgument);
}

TEST_P(TraceStoreContract, ListsServicesAndOperationsOfHeadAndBlocks) {
  Rng rng(7);
  const auto span = [&](std::uint64_t number, const std::string& service, const std::string& name,
                        model::SpanKind kind) {
    auto made = RandomSpan(rng, MakeTraceId(number), number);
    auto resource = std::make_shared<model::Resource>();
    resource->attributes.push_back({"service.name", {service}, model::AttributeRole::kPlain});
    made.resource = std::move(resource);
    made.name = name;
    made.kind = kind;
    return made;
  };
  Append({span(1, "b", "read", model::SpanKind::kClient),
          span(2, "a", "x", model::SpanKind::kServer)});
  harness_->Settle();
  Append({span(3, "b", "read", model::SpanKind::kServer),
          span(4, "c", "y", model::SpanKind::kServer)});
  EXPECT_EQ(*store().Services(10), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(*store().Services(2), (std::vector<std::string>{"a", "b"}));
  using Operation = TraceStore::Operation;
  EXPECT_EQ(*store().Operations("b", 10),
            (std::vector<Operation>{{"read", model::SpanKind::kServer},
                                    {"read", model::SpanKind::kClient}}));
  EXPECT_EQ(store().Operations("b", 1)->size(), 1U);
}

TEST_P(TraceStoreContract, DeletesAreImmediateAndCountTraces) {
  Rng rng(8);
  Append({RandomSpan(rng, MakeTraceId(1), 1), RandomSpan(rng, MakeTraceId(2), 2)});
  harness_->Settle();
  Append({RandomSpan(rng, MakeTraceId(1), 3), RandomSpan(rng, MakeTraceId(3), 4)});
  EXPECT_EQ(*store().Delete(std::vector{MakeTraceId(1), MakeTraceId(3), MakeTraceId(4)}), 2U);
  model_.Delete(MakeTraceId(1));
  model_.Delete(MakeTraceId(3));
  ExpectAllEqual();
  EXPECT_EQ(store().GetUsage().traces, 1U);
  EXPECT_EQ(store().GetUsage().spans, 1U);
  harness_->Reopen();
  ExpectAllEqual();
  // What arrives after the deletion is a new trace.
  Append({RandomSpan(rng, MakeTraceId(1), 5)});
  harness_->Settle();
  ExpectAllEqual();
  harness_->Reopen();
  ExpectAllEqual();
}

TEST_P(TraceStoreContract, DropBeforeForgetsWhatArrivedEarlier) {
  Rng rng(9);
  Append({RandomSpan(rng, MakeTraceId(1), 1)});
  harness_->Settle();
  harness_->Advance(60 * kNsPerSecond);
  const std::int64_t between = harness_->NowNs();
  harness_->Advance(60 * kNsPerSecond);
  Append({RandomSpan(rng, MakeTraceId(2), 2)});
  harness_->Settle();
  ASSERT_TRUE(store().DropBefore(between));
  model_.Delete(MakeTraceId(1));
  ExpectAllEqual();
  EXPECT_EQ(*store().ReadTrace(MakeTraceId(1)), nullptr);
  harness_->Reopen();
  ExpectAllEqual();
  EXPECT_EQ(*store().ReadTrace(MakeTraceId(1)), nullptr);
}

TEST_P(TraceStoreContract, RevisionGrowsWithArrivals) {
  Rng rng(10);
  Append({RandomSpan(rng, MakeTraceId(1), 1)});
  const auto before = *store().ReadTrace(MakeTraceId(1));
  harness_->Settle();
  harness_->Advance(5 * kNsPerSecond);
  Append({RandomSpan(rng, MakeTraceId(1), 2)});
  const auto after = *store().ReadTrace(MakeTraceId(1));
  EXPECT_GT(after->revision, before->revision);
  EXPECT_GT(after->last_arrival_ns, before->last_arrival_ns);
  harness_->Settle();
  const auto settled = *store().ReadTrace(MakeTraceId(1));
  EXPECT_EQ(settled->revision, after->revision);
  EXPECT_EQ(settled->last_arrival_ns, after->last_arrival_ns);
}

TEST_P(TraceStoreContract, TellsTheListenerWhatWasCommitted) {
  std::atomic<std::size_t> spans = 0;
  store().SetCommitListener(
      [&](const std::shared_ptr<const model::SpanBatch>& batch) { spans += batch->size(); });
  Rng rng(11);
  Append({RandomSpan(rng, MakeTraceId(1), 1), RandomSpan(rng, MakeTraceId(1), 2)});
  EXPECT_EQ(spans, 2U);
  store().SetCommitListener(nullptr);
  Append({RandomSpan(rng, MakeTraceId(1), 3)});
  EXPECT_EQ(spans, 2U);
}

TEST_P(TraceStoreContract, ClosedStoreRefusesAppendsAndStillReads) {
  Rng rng(12);
  Append({RandomSpan(rng, MakeTraceId(1), 1)});
  ASSERT_TRUE(store().Close());
  const auto refused =
      store().Append(MakeBatch({RandomSpan(rng, MakeTraceId(2), 2)}), Durability::kSynced);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  ExpectEqual(MakeTraceId(1));
}

}  // namespace fluoro::store::testing
