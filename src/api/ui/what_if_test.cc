// What is predicted, against what a store holds once it was applied.
#include "api/ui/what_if.h"

#include <gtest/gtest.h>

#include <set>

#include "base/clock.h"
#include "base/faulty_fs.h"
#include "base/json_tree.h"
#include "base/rng.h"
#include "model/testing.h"
#include "sampling/client_sampler.h"
#include "sampling/rule_file.h"
#include "store/embedded/embedded_store.h"
#include "store/testing.h"

namespace fluoro::api::ui {
namespace {

constexpr std::int64_t kNow = 1'700'010'000'000'000'000;

// Requests of a shop: an entry span, sometimes a second one that fails.
std::vector<model::Span> RequestOf(Rng& rng, std::uint64_t number, std::int64_t start_ns) {
  static constexpr std::array kPaths{"/", "/items/", "/orders", "/pay"};
  const std::uint64_t route = rng.Below(kPaths.size());
  const auto id = store::testing::MakeTraceId(number);
  std::string path = kPaths.at(route);
  if (route == 1) path += std::to_string(rng.Below(5'000));
  std::vector<model::Span> spans;
  const std::int64_t duration_ns = 1'000'000 * static_cast<std::int64_t>(1 + rng.Below(200));
  spans.push_back(model::testing::SpanBuilder(2 * number + 1, "request")
                      .InTrace(id)
                      .Kind(model::SpanKind::kServer)
                      .Service(route == 3 ? "payment" : "shop")
                      .BetweenNs(start_ns, start_ns + duration_ns)
                      .Set("url.path", path)
                      .Set("http.route", kPaths.at(route))
                      .Set("http.request.method", route < 2 ? "GET" : "POST")
                      .Set("server.address", "shop.example")
                      .Set("tenant", "tenant-" + std::to_string(rng.Below(5)))
                      .Build());
  if (rng.Chance(route == 3 ? 0.3 : 0.02)) {
    spans.push_back(model::testing::SpanBuilder(2 * number + 2, "query")
                        .InTrace(id)
                        .Parent(2 * number + 1)
                        .Kind(model::SpanKind::kClient)
                        .Service("shop")
                        .BetweenNs(start_ns, start_ns + 1'000)
                        .Set("http.response.status_code", 500)
                        .Status(model::StatusCode::kError)
                        .Build());
  }
  return spans;
}

class WhatIfStoreTest : public ::testing::Test {
 protected:
  struct Folder {
    FaultyFs fs;
    Metrics metrics;
    std::unique_ptr<store::EmbeddedStore> store;
  };
  std::unique_ptr<Folder> Open(std::shared_ptr<const query::TailFilters> policies = nullptr) {
    auto folder = std::make_unique<Folder>();
    store::EmbeddedOptions options;
    options.folder = "data";
    options.background_thread = false;
    options.wal_allocate_bytes = 4'096;
    options.live_window_ns = 600 * kNsPerSecond;
    options.tail_policies = std::move(policies);
    folder->store = *store::OpenEmbeddedStore(folder->fs, clock_, folder->metrics, options);
    return folder;
  }
  static void Put(Folder& folder, const std::vector<model::Span>& spans) {
    model::SpanBatch batch;
    for (const model::Span& span : spans) batch.AppendSpan(span);
    ASSERT_TRUE(folder.store->Append(std::move(batch), store::Durability::kWritten));
  }
  std::string Ask(Folder& folder, const std::string& file) {
    auto answer = WhatIfJson({.store = *folder.store,
                              .now_monotonic_ns = clock_.MonotonicNs(),
                              .now_ns = clock_.UnixNs(),
                              .prices = prices_},
                             "{\"policies\":" + file + "}");
    EXPECT_TRUE(answer) << answer.error().message;
    return answer ? *answer : "{}";
  }
  static std::uint64_t TracesIn(Folder& folder, std::string_view filter = "") {
    query::Plan plan;
    if (!filter.empty()) plan.filter = *query::Filter::Parse(filter);
    std::uint64_t traces = 0;
    EXPECT_TRUE(folder.store->Search(plan, [&](const store::Match&) {
      ++traces;
      return true;
    }));
    return traces;
  }

  ManualClock clock_{kNow};
  analysis::PriceTable prices_ = analysis::PriceTable::BuiltIn();
};

double At(JsonView root, std::initializer_list<std::string_view> path) {
  for (const std::string_view key : path) root = root[key];
  return root.Double().value_or(-1);
}

// 60,000 requests at rates that make 1 % more than four deviations.
TEST_F(WhatIfStoreTest, HeadRulesRecordWhatWasPredictedFromAllTraffic) {
  const std::string file = R"({"SamplingRules":[
    {"RuleName":"items","Priority":1,"FixedRate":0.7,"ReservoirSize":2,"URLPath":"/items/*"},
    {"RuleName":"pay","Priority":2,"FixedRate":0.9,"ReservoirSize":0,"ServiceName":"payment"},
    {"RuleName":"Default","FixedRate":0.6,"ReservoirSize":5}]})";
  Rng rng(11);
  const auto all = Open();
  const auto recorded = Open();
  sampling::ClientSampler client("one", *sampling::ParseRuleFile(file)->rules);
  for (std::size_t i = 0; i < client.rules().size(); ++i)
    client.Accept(i, {.fixed_rate = client.rules()[i].fixed_rate,
                      .reservoir_quota = client.rules()[i].reservoir,
                      .reservoir_quota_ttl_s = INT64_MAX});
  std::uint64_t faults = 0;
  for (std::uint64_t batch = 0; batch < 120; ++batch) {
    std::vector<model::Span> of_all;
    std::vector<model::Span> of_recorded;
    for (std::uint64_t i = 0; i < 500; ++i) {
      clock_.Advance(20'000'000);
      const auto spans = RequestOf(rng, batch * 500 + i, clock_.UnixNs());
      const query::RootRequest root = query::RootRequestOf(spans.front());
      const auto decision =
          client.Decide(query::SamplingRequestOf(query::ViewOf(root)), clock_.UnixNs(), rng.Unit());
      of_all.insert(of_all.end(), spans.begin(), spans.end());
      if (!decision.sampled) continue;
      of_recorded.insert(of_recorded.end(), spans.begin(), spans.end());
      if (spans.size() > 1) ++faults;
    }
    Put(*all, of_all);
    Put(*recorded, of_recorded);
  }
  const std::string answer = Ask(*all, file);
  const auto told = *JsonTree::Parse(answer);
  const double expected = At(told.root(), {"recorded", "expected"});
  const double spread = At(told.root(), {"recorded", "high"}) - expected;
  ASSERT_LT(4 * spread / 1.96, 0.01 * expected);
  const auto happened = static_cast<double>(TracesIn(*recorded));
  EXPECT_NEAR(expected / happened, 1, 0.01) << answer;
  EXPECT_EQ(At(told.root(), {"seen", "traces"}), 60'000);
  for (const JsonView one : told.root()["classes"].Elements()) {
    if (one["name"].String() == "fault") {
      EXPECT_GE(static_cast<double>(faults), At(one, {"low"}) * 0.98);
      EXPECT_LE(static_cast<double>(faults), At(one, {"high"}) * 1.02);
    }
  }
  // 20 minutes, at 5 millionths of a dollar beyond 100,000 traces.
  const double window_ns = At(told.root(), {"window_ns"});
  EXPECT_NEAR(At(told.root(), {"recorded", "usd_month"}),
              (expected * 30 * 86'400e9 / window_ns - 100'000) * 5e-6, 1e-6);
  EXPECT_EQ(At(told.root(), {"tenants", "seen"}), 5);
  EXPECT_EQ(At(told.root(), {"routes", "kept"}), 4);
}

// Policies are applied by the merges of the store; the draw is the trace's id, so that of outcomes
// and fractions nothing is left to chance. Slow and rare are by the hour before each merge.
TEST_F(WhatIfStoreTest, TailPoliciesKeepWhatWasPredictedThroughMerges) {
  for (const std::string_view biased : {"", R"(
    {"Name":"slow","SlowerThanRouteQuantile":0.9,"Keep":1},
    {"Name":"rare","ShapesSeenPerHourBelow":10,"Keep":1},)"}) {
    SCOPED_TRACE(biased);
    const std::string file =
        R"({"TailPolicies":[{"Name":"bad","Outcomes":["fault","error"],"Keep":1},)" +
        std::string(biased) + R"({"Name":"rest","Keep":0.2}]})";
    const auto policies = std::make_shared<const query::TailFilters>(
        *query::TailFilters::Compile(*sampling::ParseTailPolicies(file)));
    Rng rng(12);
    const auto folder = Open();
    // Two hours, so that what is judged together is on the traffic of an hour.
    for (std::uint64_t minute = 0; minute < 120; ++minute) {
      std::vector<model::Span> spans;
      for (std::uint64_t i = 0; i < 100; ++i) {
        clock_.Advance(600'000'000);
        for (auto& span : RequestOf(rng, minute * 100 + i, clock_.UnixNs()))
          spans.push_back(std::move(span));
      }
      Put(*folder, spans);
      ASSERT_TRUE(folder->store->SealAll());
    }
    const std::string before = Ask(*folder, file);
    const auto told = *JsonTree::Parse(before);
    folder->store->SetTailPolicies(policies);
    for (int round = 0; round < 12; ++round) {
      clock_.Advance(900 * kNsPerSecond);
      ASSERT_TRUE(folder->store->RunMaintenance());
    }
    const auto kept = static_cast<double>(TracesIn(*folder));
    const double expected = At(told.root(), {"kept", "expected"});
    EXPECT_EQ(At(told.root(), {"kept", "low"}), expected);
    if (biased.empty()) {
      EXPECT_EQ(expected, kept);
    } else {
      EXPECT_NEAR(expected / kept, 1, 0.01);
    }
    EXPECT_LT(kept, 6'000);
    // Skeletons know what head rules ask for: the same answer as before thinning.
    const std::string rules = R"({"SamplingRules":[{"RuleName":"items","Priority":1,"FixedRate":0.5,
      "ReservoirSize":0,"URLPath":"/items/*","HTTPMethod":"GET","Host":"shop.*"}]})";
    const std::string again = Ask(*folder, rules);
    const auto after = *JsonTree::Parse(again);
    EXPECT_EQ(At(after.root(), {"seen", "traces"}), 12'000);
    EXPECT_EQ(At(after.root(), {"unknown_requests"}), 0);
    EXPECT_GT(At(after.root(), {"thinned_before"}), 6'000);
    EXPECT_EQ(At(after.root(), {"tenants", "seen"}), 5);
    std::uint64_t items = 0;
    Rng repeat(12);
    for (std::uint64_t i = 0; i < 12'000; ++i) {
      const auto spans = RequestOf(repeat, i, 0);
      items += query::RootRequestOf(spans.front()).path.starts_with("/items/") ? 1U : 0U;
    }
    EXPECT_EQ(At(after.root()["rules"].Elements().front(), {"matched"}),
              static_cast<double>(items));
  }
}

}  // namespace
}  // namespace fluoro::api::ui
