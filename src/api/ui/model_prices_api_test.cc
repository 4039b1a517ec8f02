#include "api/ui/model_prices_api.h"

#include <gmock/gmock.h>

#include "api/ui/genai_cost.h"
#include "base/clock.h"
#include "base/json_tree.h"
#include "cost/model_prices.h"
#include "model/testing.h"

namespace fluoro::api::ui {
namespace {

using model::SpanKind;
using model::testing::AssembleSpans;
using model::testing::OtelSpan;
using ::testing::HasSubstr;

constexpr std::int64_t kNow = 1'794'744'000 * kNsPerSecond;  // 2026-11-15, noon

class ModelPricesApiTest : public ::testing::Test {
 protected:
  Result<std::string> Put(std::string_view body) {
    return PutModelPriceJson(*control_, "tester", body, clock_.UnixNs());
  }
  std::optional<std::int64_t> CostOf(std::int64_t start_ns) {
    const auto trace = AssembleSpans({OtelSpan(1, SpanKind::kClient, "chat")
                                          .BetweenNs(start_ns, start_ns + kNsPerSecond)
                                          .Set("gen_ai.operation.name", "chat")
                                          .Set("gen_ai.provider.name", "openai")
                                          .Set("gen_ai.request.model", "gpt-4o")
                                          .Set("gen_ai.usage.input_tokens", 1'000)});
    const auto cost = genai::PriceTrace(trace, *cache_.Of(*control_));
    return cost.unpriced_steps > 0 ? std::nullopt : std::optional(cost.cost_nano_usd);
  }

  ManualClock clock_{kNow};
  std::unique_ptr<control::Repository> control_ = *control::Repository::Open(":memory:", clock_);
  cost::ModelPriceCache cache_;
};

TEST_F(ModelPricesApiTest, AChangeHoldsFromItsDayAndTheOldEntryStays) {
  const std::int64_t yesterday = kNow - kDayNs;
  EXPECT_EQ(CostOf(kNow), 2'500'000);
  const auto put =
      Put(R"({"id":"openai/gpt-4o","match":["gpt-4o"],"provider":"openai","input":4})");
  ASSERT_TRUE(put) << put.error().message;
  EXPECT_EQ(*put, R"({"name":"openai/gpt-4o@2026-11-15"})");
  EXPECT_EQ(CostOf(kNow), 4'000'000) << "at once";
  EXPECT_EQ(CostOf(yesterday), 2'500'000);
  const auto table = *JsonTree::Parse(ModelPricesJson(*cache_.Of(*control_)));
  std::vector<std::string> of_id;
  for (const JsonView entry : table.root()["prices"].Elements()) {
    if (entry["id"].String() != "openai/gpt-4o") continue;
    of_id.push_back(std::string(*entry["name"].String()) + " to " +
                    std::string(entry["valid_to"].String().value_or("-")) +
                    (*entry["built_in"].Bool() ? " built in" : ""));
  }
  EXPECT_THAT(of_id, ::testing::ElementsAre("openai/gpt-4o@2026-08-21 to 2026-11-15 built in",
                                            "openai/gpt-4o@2026-11-15 to -"));
  // Of the same day: a correction.
  ASSERT_TRUE(Put(R"({"id":"openai/gpt-4o","match":["gpt-4o"],"provider":"openai","input":5})"));
  EXPECT_EQ(CostOf(kNow), 5'000'000);
  ASSERT_TRUE(DeleteModelPriceJson(*control_, "tester", "openai/gpt-4o@2026-11-15"));
  EXPECT_EQ(CostOf(kNow), 2'500'000);
  const auto again = DeleteModelPriceJson(*control_, "tester", "openai/gpt-4o@2026-11-15");
  EXPECT_EQ(again.error().code, ErrorCode::kNotFound);
  const auto audit = control_->Audit(cost::kModelPriceKind, 10);
  ASSERT_EQ(audit->size(), 3U);
  EXPECT_EQ(audit->at(0).who, "tester");
  EXPECT_THAT(audit->at(1).before, HasSubstr("\"input\":4"));
}

TEST_F(ModelPricesApiTest, RefusesWhatIsWrongAndTooMany) {
  EXPECT_THAT(Put(R"({"id":"a","match":["a"],"input":"cheap"})").error().message,
              HasSubstr("input: a number"));
  EXPECT_TRUE(control_->Read()->List(cost::kModelPriceKind).empty());
  ASSERT_TRUE(control_->Write("", [](control::Transaction& change) -> Result<void> {
    for (std::size_t i = 0; i < genai::kModelPricesMax; ++i) {
      const std::string body = R"({"id":"x)" + std::to_string(i) + R"(","match":["a"],"input":1})";
      FLUORO_CHECK_OK(cost::PutModelPrice(change, *genai::ParseModelPrice(body, 20'000)));
    }
    return {};
  }));
  EXPECT_EQ(Put(R"({"id":"one more","match":["a"],"input":1})").error().code, ErrorCode::kTooLarge);
}

TEST_F(ModelPricesApiTest, RecordsFromOutsideAreChecked) {
  const std::string body = R"({"id":"a","match":["a"],"valid_from":"2026-10-01","input":1})";
  EXPECT_TRUE(cost::CheckModelPriceRecord("a@2026-10-01", body));
  EXPECT_FALSE(cost::CheckModelPriceRecord("a@2026-10-02", body));
  EXPECT_FALSE(cost::CheckModelPriceRecord("a@2026-10-01", "{}"));
}

TEST_F(ModelPricesApiTest, AnAuditShowsEveryDollarAndWhatDidNotCount) {
  const auto trace = AssembleSpans({OtelSpan(1, SpanKind::kInternal, "invoke_agent")
                                        .BetweenNs(kNow, kNow + 2 * kNsPerSecond)
                                        .Set("gen_ai.operation.name", "invoke_agent")
                                        .Set("gen_ai.usage.input_tokens", 2'000),
                                    OtelSpan(2, SpanKind::kClient, "chat")
                                        .Parent(1)
                                        .BetweenNs(kNow, kNow + kNsPerSecond)
                                        .Set("gen_ai.operation.name", "chat")
                                        .Set("gen_ai.provider.name", "openai")
                                        .Set("gen_ai.request.model", "gpt-4o")
                                        .Set("gen_ai.usage.input_tokens", 1'000)
                                        .Set("gen_ai.usage.output_tokens", 10),
                                    OtelSpan(3, SpanKind::kClient, "chat")
                                        .Parent(1)
                                        .BetweenNs(kNow, kNow + kNsPerSecond)
                                        .Set("gen_ai.operation.name", "chat")
                                        .Set("gen_ai.request.model", "mine")
                                        .Set("gen_ai.usage.input_tokens", 7)});
  const auto audit = *JsonTree::Parse(AuditJson(trace, *cache_.Of(*control_)));
  const JsonView root = audit.root();
  EXPECT_EQ(root["cost_usd"].Double(), 0.0026);
  EXPECT_EQ(root["sums_to_cost"].Bool(), true);
  EXPECT_EQ(root["sum_of_lines_usd"].Double(), 0.0026);
  EXPECT_EQ(root["unpriced_tokens"].Int(), 7);
  EXPECT_EQ(root["unattributed_tokens"].Int(), 983);
  const auto counted = root["counted"].Elements();
  ASSERT_EQ(counted.size(), 2U);
  EXPECT_EQ(counted[0]["price"]["id"].String(), "openai/gpt-4o");
  const auto lines = counted[0]["lines"].Elements();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0]["text"].String(), "1000 tokens x 2.5 USD / 1M = 0.0025 USD");
  EXPECT_EQ(counted[1]["source"].String(), "unpriced");
  EXPECT_TRUE(counted[1]["cost_usd"].IsNull());
  const auto others = root["not_counted"].Elements();
  ASSERT_EQ(others.size(), 1U);
  EXPECT_EQ(others[0]["role"].String(), "rollup");
  EXPECT_EQ(others[0]["span_id"].String(), "0000000000000001");
}

}  // namespace
}  // namespace fluoro::api::ui
