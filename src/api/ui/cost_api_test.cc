#include "api/ui/cost_api.h"

#include <gtest/gtest.h>

#include "base/json_tree.h"
#include "cost/records.h"
#include "cost/traffic_for_test.h"

namespace fluoro::api::ui {
namespace {

// 2026-11-15, noon.
constexpr std::int64_t kNow = 1'794'744'000 * kNsPerSecond;

class CostApiTest : public ::testing::Test {
 protected:
  CostContext Context() {
    return {.meter = meter_, .control = *folder_.control, .now_ns = clock_.UnixNs()};
  }
  JsonTree Cost(std::string_view body = "") {
    const auto answer = CostJson(Context(), body);
    EXPECT_TRUE(answer) << answer.error().message;
    return *JsonTree::Parse(answer ? *answer : "{}");
  }
  static JsonView Meter(const JsonTree& answer, std::string_view name) {
    for (const JsonView meter : answer.root()["meters"].Elements()) {
      if (meter["meter"].String() == name) return meter;
    }
    return {};
  }

  ManualClock clock_{kNow};
  cost::testing::TrafficFolder folder_{clock_};
  cost::CostMeter meter_{*folder_.store, *folder_.control, folder_.fs,
                         clock_,         folder_.metrics,  {.folder = "data/usage"}};
};

TEST_F(CostApiTest, TellsUnitsPricesPartsAndTheMonthsEnd) {
  for (std::uint64_t i = 0; i < 40; ++i)
    folder_.Put(i, {.service = i % 4 == 0 ? "pay" : "shop", .tenant = "acme", .rule = "orders"});
  meter_.counters().Scanned(12, {});
  const JsonTree day = Cost();
  EXPECT_EQ(day.root()["from"].String(), "2026-11-01");
  EXPECT_EQ(day.root()["to"].String(), "2026-11-15");
  EXPECT_EQ(Meter(day, "traces_recorded")["units"].Double(), 40);
  EXPECT_EQ(Meter(day, "traces_recorded")["free"].Double(), 40);
  EXPECT_EQ(Meter(day, "traces_recorded")["usd"].Double(), 0);
  EXPECT_EQ(Meter(day, "traces_scanned")["units"].Double(), 12);
  EXPECT_TRUE(Meter(day, "index_bytes")["usd"].IsNull()) << "no price is not a price of 0";
  ASSERT_EQ(day.root()["rows"].Elements().size(), 1U);
  const JsonTree service = Cost(R"({"by":"service"})");
  const auto rows = service.root()["rows"].Elements();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0]["name"].String(), "shop");
  EXPECT_EQ(rows[0]["units"]["traces_recorded"].Double(), 30);
  EXPECT_NEAR(*rows[1]["list_usd"].Double(), 10 * 5e-6, 1e-12);
  // 40 in the first half of the day: 80 a day, 15.5 days to go.
  const JsonView forecast = service.root()["forecast"];
  EXPECT_EQ(forecast["month"].String(), "2026-11");
  EXPECT_NEAR(*forecast["traces_recorded"]["expected"].Double(), 40 + 80 * 15.5, 1e-6);
}

TEST_F(CostApiTest, NamesWhatIsWrongWithAQuestion) {
  const auto wrong = [&](std::string_view body) {
    return CostJson(Context(), body).error().message;
  };
  EXPECT_EQ(wrong(R"({"by":"colour"})"), "by: day, service, group, tenant or rule wanted");
  EXPECT_EQ(wrong(R"({"from":-1})"), "from: a time in nanoseconds wanted");
  EXPECT_EQ(wrong(R"({"from":2000000000000000000,"to":1})"), "from: a time before `to` wanted");
  EXPECT_EQ(wrong(R"({"from":0})"), "from: at most 400 days before `to` wanted");
  EXPECT_EQ(wrong("["), "body: a JSON object wanted");
}

TEST_F(CostApiTest, PricesCanBePutAndTakenBack) {
  folder_.Put(1, {.service = "shop"});
  ASSERT_TRUE(PutPriceJson(Context(), "test",
                           R"({"meter":"traces_recorded","usd":2,"valid_from":"2026-11-10"})"));
  ASSERT_TRUE(PutPriceJson(Context(), "test",
                           R"({"meter":"span_bytes_in","usd":1e-9,"valid_from":"2026-11-10"})"));
  const JsonTree dear = Cost();
  EXPECT_EQ(Meter(dear, "traces_recorded")["usd"].Double(), 2);
  EXPECT_EQ(Meter(dear, "span_bytes_in")["usd"].Double(), 0);
  EXPECT_EQ(dear.root()["usd"].Double(), 2);
  const auto table = *JsonTree::Parse(PricesJson(Context()));
  std::size_t ours = 0;
  for (const JsonView row : table.root()["prices"].Elements())
    ours += *row["built_in"].Bool() ? 0U : 1U;
  EXPECT_EQ(ours, 2U);
  ASSERT_TRUE(DeletePriceJson(Context(), "test", "us-east-1/traces_recorded/2026-11-10"));
  EXPECT_EQ(Meter(Cost(), "traces_recorded")["usd"].Double(), 0);
  EXPECT_EQ(DeletePriceJson(Context(), "test", "us-east-1/x").error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(PutPriceJson(Context(), "test", R"({"meter":"nothing"})"));
  EXPECT_EQ(folder_.control->Audit(cost::kPriceKind, 10)->size(), 3U);
}

TEST_F(CostApiTest, BudgetsTellWhereTheyStand) {
  for (std::uint64_t i = 0; i < 60; ++i) folder_.Put(i, {.service = "shop"});
  ASSERT_TRUE(PutBudgetJson(Context(), "test",
                            R"({"name":"shop","usd_month":0.0004,"by":"service","of":"shop"})"));
  const auto budgets = *JsonTree::Parse(*BudgetsJson(Context()));
  const auto list = budgets.root()["budgets"].Elements();
  ASSERT_EQ(list.size(), 1U);
  EXPECT_NEAR(*list[0]["used_usd"].Double(), 60 * 5e-6, 1e-12);
  EXPECT_NEAR(*list[0]["share"].Double(), 0.75, 1e-9);
  EXPECT_EQ(list[0]["state"].String(), "warning");
  EXPECT_EQ(list[0]["of"].String(), "shop");
  ASSERT_TRUE(DeleteBudgetJson(Context(), "test", "shop"));
  EXPECT_TRUE(JsonTree::Parse(*BudgetsJson(Context()))->root()["budgets"].Elements().empty());
}

}  // namespace
}  // namespace fluoro::api::ui
