// The service over an embedded store, with traffic minute by minute and a clock that is told.
#include "api/insights/insight_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/assert.h"
#include "base/faulty_fs.h"
#include "model/testing.h"
#include "store/embedded/embedded_store.h"
#include "store/testing.h"

namespace fluoro::api::insights {
namespace {

using analysis::InsightState;
using model::testing::OtelSpan;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr std::int64_t kMinuteNs = 60 * kNsPerSecond;
/// The start of a minute.
constexpr std::int64_t kBeginNs = 1'700'006'400 * kNsPerSecond;

class Fixture : public ::testing::Test {
 protected:
  Fixture() {
    store::EmbeddedOptions options;
    options.folder = "data";
    options.background_thread = false;
    auto opened = store::OpenEmbeddedStore(fs_, clock_, metrics_, options);
    FLUORO_ASSERT(opened.has_value());
    store_ = *std::move(opened);
    auto control = control::Repository::Open(":memory:", clock_);
    FLUORO_ASSERT(control.has_value());
    control_ = *std::move(control);
    Restart();
  }

  void Restart() {
    service_.reset();
    service_.emplace(*store_, *control_, clock_, metrics_, InsightOptions{.place = {}});
  }

  void Enable(bool enabled, const std::string& group = "Default") {
    ASSERT_TRUE(control_->Write("test", [&](control::Transaction& change) -> Result<void> {
      FLUORO_TRY(
          auto updated,
          control::UpdateGroup(change, {}, {.name_or_arn = group, .insights_enabled = enabled}));
      return {};
    }));
  }

  /// Requests of web, which calls shop each time. `failing` of them fail in shop and in web.
  void Minute(int requests, int failing, const std::string& url = "http://web/") {
    std::vector<model::Span> spans;
    for (int i = 0; i < requests; ++i) {
      const model::TraceId trace = store::testing::MakeTraceId(++traces_);
      const std::int64_t at_ns = clock_.UnixNs() + i * kMinuteNs / requests;
      const auto span = [&](std::uint64_t id, std::uint64_t parent, model::SpanKind kind,
                            const std::string& service, std::int64_t ms) {
        auto builder = OtelSpan(id, kind, "GET /").InTrace(trace).Service(service);
        if (parent != 0) builder.Parent(parent);
        if (kind == model::SpanKind::kServer) builder.Set("url.full", url);
        if (i < failing) builder.Set("http.response.status_code", 500);
        model::Span made = builder;
        made.start_ns = at_ns;
        made.end_ns = at_ns + ms * kNsPerMs;
        spans.push_back(std::move(made));
      };
      span(1, 0, model::SpanKind::kServer, "web", 20);
      span(2, 1, model::SpanKind::kClient, "web", 12);
      span(3, 2, model::SpanKind::kServer, "shop", 10);
    }
    if (!spans.empty()) {
      ASSERT_TRUE(store_->Append(store::testing::MakeBatch(spans), store::Durability::kSynced));
    }
    clock_.Advance(kMinuteNs);
  }

  void Look() {
    clock_.Advance(30 * kNsPerSecond);
    service_->Look();
    clock_.Advance(-30 * kNsPerSecond);
  }

  std::vector<StoredInsight> Insights() { return ReadInsights(*control_->Read()); }

  ManualClock clock_{kBeginNs};
  Metrics metrics_;
  FaultyFs fs_;
  std::unique_ptr<store::EmbeddedStore> store_;
  std::unique_ptr<control::Repository> control_;
  std::optional<InsightService> service_;
  std::uint64_t traces_ = 0;
};

TEST_F(Fixture, FindsRecordsAndClosesAnIncident) {
  Enable(true);
  for (int i = 0; i < 40; ++i) Minute(10, 0), Look();
  EXPECT_THAT(Insights(), IsEmpty());
  for (int i = 0; i < 4; ++i) Minute(10, 5), Look();
  ASSERT_THAT(Insights(), SizeIs(1));
  StoredInsight stored = Insights()[0];
  EXPECT_EQ(stored.group_name, "Default");
  EXPECT_EQ(stored.group_arn, "arn:aws:xray:us-east-1:000000000000:group/Default");
  EXPECT_EQ(stored.insight.state, InsightState::kActive);
  EXPECT_EQ(stored.insight.root_cause.name, "shop");
  EXPECT_EQ(stored.insight.start_ns, kBeginNs + 40 * kMinuteNs);
  EXPECT_EQ(stored.insight.clients.total, 40);
  EXPECT_EQ(stored.insight.clients.fault, 20);
  for (int i = 0; i < 7; ++i) Minute(10, 0), Look();
  ASSERT_THAT(Insights(), SizeIs(1));
  stored = Insights()[0];
  EXPECT_EQ(stored.insight.state, InsightState::kClosed);
  EXPECT_EQ(stored.insight.end_ns, kBeginNs + 44 * kMinuteNs);
  EXPECT_EQ(
      metrics_.GetCounter("fluoro_insights_opened_total", "", {{"category", "FAULT"}}).value(), 1);
}

TEST_F(Fixture, GoesOnAfterARestartWithoutCountingTwice) {
  Enable(true);
  for (int i = 0; i < 40; ++i) Minute(10, 0), Look();
  for (int i = 0; i < 4; ++i) Minute(10, 5), Look();
  ASSERT_THAT(Insights(), SizeIs(1));
  const StoredInsight before = Insights()[0];
  Restart();
  Look();
  EXPECT_EQ(Insights()[0], before);
  Minute(10, 5);
  Look();
  ASSERT_THAT(Insights(), SizeIs(1));
  EXPECT_EQ(Insights()[0].insight.id, before.insight.id);
  EXPECT_EQ(Insights()[0].insight.clients.total, 50);
  for (int i = 0; i < 7; ++i) Minute(10, 0), Look();
  EXPECT_EQ(Insights()[0].insight.state, InsightState::kClosed);
}

TEST_F(Fixture, SwitchedOnItTellsOfThePastDay) {
  for (int i = 0; i < 40; ++i) Minute(10, 0);
  for (int i = 0; i < 5; ++i) Minute(10, 5);
  for (int i = 0; i < 20; ++i) Minute(10, 0);
  Look();
  EXPECT_THAT(Insights(), IsEmpty());
  Enable(true);
  Look();
  ASSERT_THAT(Insights(), SizeIs(1));
  EXPECT_EQ(Insights()[0].insight.state, InsightState::kClosed);
  EXPECT_EQ(Insights()[0].insight.start_ns, kBeginNs + 40 * kMinuteNs);
}

TEST_F(Fixture, AGroupSeesItsTracesOnly) {
  ASSERT_TRUE(control_->Write("test", [&](control::Transaction& change) -> Result<void> {
    FLUORO_TRY(auto made, control::CreateGroup(change, {},
                                               {.name_or_arn = "pay",
                                                .filter = "http.url CONTAINS \"/pay\"",
                                                .insights_enabled = true}));
    return {};
  }));
  for (int i = 0; i < 40; ++i) {
    Minute(10, 0, "http://web/pay");
    Minute(10, 0, "http://web/list");
    Look();
  }
  for (int i = 0; i < 5; ++i) Minute(10, 5, "http://web/list"), Look();
  EXPECT_THAT(Insights(), IsEmpty());
  for (int i = 0; i < 5; ++i) Minute(10, 5, "http://web/pay"), Look();
  ASSERT_THAT(Insights(), SizeIs(1));
  EXPECT_EQ(Insights()[0].group_name, "pay");
  EXPECT_EQ(Insights()[0].insight.root_cause.name, "shop");
}

TEST_F(Fixture, WhatNobodyWatchesIsClosed) {
  Enable(true);
  for (int i = 0; i < 40; ++i) Minute(10, 0), Look();
  for (int i = 0; i < 4; ++i) Minute(10, 5), Look();
  ASSERT_THAT(Insights(), SizeIs(1));
  Enable(false);
  Look();
  EXPECT_EQ(Insights()[0].insight.state, InsightState::kClosed);
  EXPECT_THAT(Insights()[0].insight.summary, StartsWith("Nobody watches any more. "));
}

TEST_F(Fixture, SilenceEndsAnIncident) {
  Enable(true);
  for (int i = 0; i < 40; ++i) Minute(10, 0), Look();
  for (int i = 0; i < 4; ++i) Minute(10, 5), Look();
  for (int i = 0; i < 17; ++i) Minute(0, 0), Look();
  ASSERT_THAT(Insights(), SizeIs(1));
  EXPECT_EQ(Insights()[0].insight.state, InsightState::kClosed);
}

TEST_F(Fixture, OldAndTooManyInsightsGo) {
  const auto put = [&](int number, std::int64_t update_ns, InsightState state) {
    StoredInsight stored{.group_name = "Default",
                         .group_arn = "arn:aws:xray:us-east-1:000000000000:group/Default",
                         .insight = {}};
    stored.insight.id = "id-" + std::to_string(number);
    stored.insight.state = state;
    stored.insight.update_ns = update_ns;
    stored.insight.top_services = {{.name = "a", .type = "", .account_id = ""}};
    return stored;
  };
  ASSERT_TRUE(control_->Write("", [&](control::Transaction& change) -> Result<void> {
    for (int i = 0; i < static_cast<int>(kInsightsMax) + 5; ++i) {
      FLUORO_CHECK_OK(change.Put(kInsightKind, "id-" + std::to_string(i),
                                 InsightBody(put(i, kBeginNs + i, InsightState::kClosed))));
    }
    FLUORO_CHECK_OK(change.Put(
        kInsightKind, "old",
        InsightBody(put(-1, kBeginNs - kRetentionNs - kMinuteNs, InsightState::kClosed))));
    return {};
  }));
  Enable(true);
  for (int i = 0; i < 20; ++i) Minute(1, 0), Look();
  const auto snapshot = control_->Read();
  EXPECT_EQ(snapshot->List(kInsightKind).size(), kInsightsMax);
  EXPECT_EQ(snapshot->Find(kInsightKind, "old"), nullptr);
  EXPECT_EQ(snapshot->Find(kInsightKind, "id-4"), nullptr);
  EXPECT_NE(snapshot->Find(kInsightKind, "id-5"), nullptr);
}

TEST_F(Fixture, AThreadLooksAndStops) {
  Enable(true);
  for (int i = 0; i < 3; ++i) Minute(5, 0);
  service_->Start();
  service_->Stop();
}

}  // namespace
}  // namespace fluoro::api::insights
