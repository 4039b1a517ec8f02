#include "api/ui/attributes_json.h"

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/faulty_fs.h"
#include "base/json_tree.h"
#include "base/metrics.h"
#include "control/attribute_settings.h"
#include "control/settings.h"
#include "store/embedded/embedded_store.h"
#include "store/testing.h"

namespace fluoro::api::ui {
namespace {

class AttributesJsonTest : public ::testing::Test {
 protected:
  AttributesJsonTest() {
    store::EmbeddedOptions options;
    options.folder = "data";
    options.background_thread = false;
    options.wal_allocate_bytes = 4'096;
    store_ = *store::OpenEmbeddedStore(fs_, clock_, metrics_, options);
    control_ = *control::Repository::Open(":memory:", clock_);
    model::SpanBatch batch;
    for (std::uint64_t i = 0; i < 300; ++i) {
      model::Span span;
      span.trace_id = store::testing::MakeTraceId(i + 1);
      span.span_id = store::testing::MakeSpanId(i + 1);
      span.start_ns = clock_.UnixNs();
      span.end_ns = span.start_ns + 1;
      span.resource = std::make_shared<model::Resource>();
      span.scope = std::make_shared<model::Scope>();
      span.attributes = {{"a/b", {"id " + std::to_string(i)}, model::AttributeRole::kAnnotation},
                         {"colour", {std::string(i % 3 == 0 ? "red" : "blue")}, {}},
                         {"size", {static_cast<std::int64_t>(i)}, {}}};
      batch.AppendSpan(span);
    }
    EXPECT_TRUE(store_->Append(std::move(batch), store::Durability::kSynced));
    EXPECT_TRUE(store_->SealAll());
  }
  store::AttributeCensus& Census() { return *store::AttributeCensus::Of(*store_); }
  JsonTree Get(std::string_view key = {}) {
    const auto answer = key.empty() ? AttributesJson(Census(), "") : AttributeJson(Census(), key);
    EXPECT_TRUE(answer) << answer.error().message;
    return *JsonTree::Parse(answer ? *answer : "{}");
  }
  Result<std::string> Change(std::string_view body) {
    auto answer = ChangeAttributesJson(*control_, "alice", body);
    Census().SetAttributeSettings(control::ReadAttributeSettings(*control_->Read()));
    return answer;
  }

  FaultyFs fs_;
  ManualClock clock_{1'790'000'000 * kNsPerSecond};
  Metrics metrics_;
  std::unique_ptr<store::EmbeddedStore> store_;
  std::unique_ptr<control::Repository> control_;
};

TEST_F(AttributesJsonTest, TellsEveryKey) {
  const JsonTree all = Get();
  const auto keys = all.root()["attributes"].Elements();
  ASSERT_EQ(keys.size(), 3U);
  const JsonView id = keys[0];
  EXPECT_EQ(id["key"].String(), "a/b");
  EXPECT_EQ(id["class"].String(), "guarded");
  EXPECT_EQ(id["state"].String(), "guarded");
  EXPECT_EQ(id["why"].String(), "nearly all of the first 200 values differ");
  EXPECT_EQ(id["index"].String(), "lookup");
  EXPECT_EQ(id["annotation"].Bool(), true);
  EXPECT_EQ(id["on"].Elements()[0].String(), "span");
  EXPECT_EQ(id["distinct"].Int(), 300);
  EXPECT_EQ(id["budget"].Int(), 1'000);
  EXPECT_EQ(id["budget_name"].String(), "user_key");
  EXPECT_TRUE(id["growth_per_hour"].IsNull());
  EXPECT_FALSE(id["remedy"].String()->empty());
  EXPECT_EQ(id["examples"].Elements().size(), 4U);
  EXPECT_EQ(keys[1]["state"].String(), "ok");
  EXPECT_EQ(keys[1]["remedy"].String(), "");
  EXPECT_EQ(keys[2]["class"].String(), "numeric");
  EXPECT_TRUE(keys[2]["budget"].IsNull());
  EXPECT_EQ(all.root()["keys"].Int(), 3);
  EXPECT_EQ(AttributesJson(Census(), "colour").error().message,
            "state: ok, watch or guarded wanted");
  const auto guarded = JsonTree::Parse(*AttributesJson(Census(), "guarded"));
  EXPECT_EQ(guarded->root()["attributes"].Elements().size(), 1U);
}

TEST_F(AttributesJsonTest, TellsTheValuesOfOneKey) {
  const JsonTree colour = Get("colour");
  const auto values = colour.root()["values"].Elements();
  ASSERT_EQ(values.size(), 2U);
  EXPECT_EQ(values[0]["value"].String(), "blue");
  EXPECT_EQ(values[0]["spans"].Int(), 200);
  EXPECT_EQ(values[1]["spans"].Int(), 100);
  EXPECT_EQ(colour.root()["other_spans"].Int(), 0);
  const auto hours = colour.root()["hours"].Elements();
  ASSERT_EQ(hours.size(), 1U);
  EXPECT_EQ(hours[0]["distinct"].Int(), 2);
  EXPECT_EQ(hours[0]["spans"].Int(), 300);
  const JsonTree ids = Get("a/b");
  EXPECT_EQ(ids.root()["values"].Elements().size(), 32U) << "known before it was guarded";
  EXPECT_EQ(ids.root()["other_spans"].Int(), 268);
  EXPECT_EQ(AttributeJson(Census(), "none").error().code, ErrorCode::kNotFound);
}

TEST_F(AttributesJsonTest, ChangesStandInTheRecordsAndTheirTrail) {
  ASSERT_TRUE(Change(R"({"key":"a/b","action":"index"})"));
  EXPECT_EQ(Get("a/b").root()["state"].String(), "ok");
  EXPECT_EQ(Get("a/b").root()["index"].String(), "full");
  EXPECT_EQ(Get("a/b").root()["by_hand"].Bool(), true);
  ASSERT_TRUE(Change(R"({"key":"colour","action":"demote"})"));
  EXPECT_EQ(Get("colour").root()["index"].String(), "none");
  ASSERT_TRUE(Change(R"({"key":"colour","action":"demote","to":"lookup"})"));
  EXPECT_EQ(Get("colour").root()["index"].String(), "lookup");
  EXPECT_EQ(*Change(R"({"key":"colour","budget":3})"),
            R"({"key":"colour","index":"lookup","budget":3})");
  ASSERT_TRUE(Change(R"({"key":"colour","action":"auto"})"));
  EXPECT_EQ(Get("colour").root()["index"].String(), "full");
  ASSERT_TRUE(Change(R"({"key":"colour","budget":3})"));
  EXPECT_EQ(Get("colour").root()["budget"].Int(), 3);
  EXPECT_EQ(Get("colour").root()["state"].String(), "watch");
  ASSERT_TRUE(Change(R"({"budgets":{"user_key":7},"guarded_index":"none"})"));
  ASSERT_TRUE(Change(R"({"key":"a/b","action":"auto"})"));
  EXPECT_EQ(Get("a/b").root()["budget"].Int(), 7);
  EXPECT_EQ(Get("a/b").root()["index"].String(), "none");
  const auto trail = control_->Audit(control::kAttributeKind, 20);
  ASSERT_TRUE(trail);
  EXPECT_EQ(trail->size(), 7U);
  EXPECT_EQ(trail->back().who, "alice");
  EXPECT_EQ(trail->back().name, "a/b");
  EXPECT_EQ(trail->back().after, R"({"index":"full"})");
}

TEST_F(AttributesJsonTest, NamesWhatIsWrong) {
  for (const auto& [body, message] : std::initializer_list<std::pair<std::string, std::string>>{
           {"[", "body: a JSON object wanted"},
           {R"({"key":"a"})", "action: index, demote or auto wanted"},
           {R"({"key":"a","action":"drop"})", "action: index, demote or auto wanted"},
           {R"({"key":"a","action":"demote","to":"full"})", "to: lookup or none wanted"},
           {R"({"key":"a","budget":0})", "budget: a number from 1 to 65536 wanted"},
           {R"({"key":"","action":"index"})", "key: 1 to 512 bytes wanted"},
           {R"({"budgets":{"colour":7}})", "budgets.colour: the name of a budget wanted"},
           {R"({"budgets":{"tenant":-7}})", "budgets.tenant: a number from 1 to 65536 wanted"},
           {R"({"guarded_index":"full"})", "guarded_index: lookup or none wanted"},
           {R"({"colour":1})", "colour: budgets or guarded_index wanted"}}) {
    const auto answer = Change(body);
    ASSERT_FALSE(answer) << body;
    EXPECT_EQ(answer.error().message, message);
    EXPECT_EQ(answer.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(control_->Read()->List(control::kAttributeKind).empty());
  EXPECT_FALSE(control::CheckAttributeRecord("k", R"({"index":"never"})"));
  EXPECT_TRUE(control::CheckAttributeRecord("k", R"({"index":"none","budget":5})"));
  EXPECT_TRUE(control::CheckSettingRecord("cardinality", R"({"budgets":{"route":5}})"));
  EXPECT_FALSE(control::CheckSettingRecord("cardinality", R"({"budgets":{"route":"5"}})"));
}

}  // namespace
}  // namespace fluoro::api::ui
