// Ledger, waste and times of tokens, asked of a real store.
#include "api/ui/ledger_json.h"

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/faulty_fs.h"
#include "base/json_tree.h"
#include "model/testing.h"
#include "store/embedded/embedded_store.h"
#include "store/testing.h"

namespace fluoro::api::ui {
namespace {

constexpr std::int64_t kNow = 1'795'953'600'000'000'000;  // 2026-11-29T12:00:00Z
constexpr std::int64_t kMs = 1'000'000;

class LedgerJsonTest : public ::testing::Test {
 protected:
  void SetUp() override {
    store::EmbeddedOptions options;
    options.folder = "data";
    options.background_thread = false;
    options.wal_allocate_bytes = 4'096;
    store_ = *store::OpenEmbeddedStore(fs_, clock_, metrics_, options);
  }

  using Builder = model::testing::SpanBuilder;
  static Builder Span(std::uint64_t trace, std::uint64_t id, std::uint64_t parent,
                      std::string_view name, std::int64_t from_ms, std::int64_t to_ms) {
    return Builder(100 * trace + id, name)
        .InTrace(store::testing::MakeTraceId(trace))
        .Parent(parent == 0 ? 0 : 100 * trace + parent)
        .Kind(parent == 0 ? model::SpanKind::kServer : model::SpanKind::kInternal)
        .Service("assistant")
        .BetweenNs(kNow + from_ms * kMs, kNow + to_ms * kMs);
  }

  // gateway 0-1000: chat 100-500 (0.25 USD, first token after 100 ms), tool 500-900, of which its
  // first attempt failed.
  void PutAgent(std::uint64_t trace, std::string_view tenant) {
    Put({Span(trace, 1, 0, "POST /agent", 0, 1'000).Set("tenant", tenant),
         Span(trace, 2, 1, "chat m", 100, 500)
             .Set("gen_ai.operation.name", "chat")
             .Set("gen_ai.request.model", "m")
             .Set("gen_ai.usage.input_tokens", 100)
             .Set("gen_ai.usage.output_tokens", 11)
             .Set("gen_ai.usage.cost", 0.25)
             .Set("ttft_ms", 100),
         Span(trace, 3, 1, "execute_tool search", 500, 900)
             .Set("gen_ai.operation.name", "execute_tool")
             .Set("gen_ai.tool.name", "search"),
         Span(trace, 4, 3, "GET", 500, 600)
             .Set("http.request.method", "GET")
             .Set("error.type", "timeout")
             .Status(model::StatusCode::kError),
         Span(trace, 5, 3, "GET", 650, 900)
             .Set("http.request.method", "GET")
             .Set("http.request.resend_count", 1)});
  }

  void Put(const std::vector<model::Span>& spans) {
    model::SpanBatch batch;
    for (const model::Span& span : spans) batch.AppendSpan(span);
    ASSERT_TRUE(store_->Append(std::move(batch), store::Durability::kWritten));
  }

  using Ask = Result<std::string> (*)(const LedgerContext&, std::string_view);
  Result<std::string> Answer(Ask ask, std::string_view body) {
    return ask({.store = *store_,
                .prices = genai::ModelPrices::BuiltIn(),
                .now_monotonic_ns = clock_.MonotonicNs()},
               body);
  }
  JsonTree Tree(Ask ask, std::string_view body) {
    const auto answer = Answer(ask, body);
    EXPECT_TRUE(answer) << answer.error().message;
    return *JsonTree::Parse(answer ? *answer : "{}");
  }

  ManualClock clock_{kNow + 3600 * kNsPerSecond};
  FaultyFs fs_;
  Metrics metrics_;
  std::unique_ptr<store::EmbeddedStore> store_;
};

std::string TraceText(std::uint64_t trace) { return store::testing::MakeTraceId(trace).ToHex(); }

std::int64_t Sum(const JsonView& rows, std::string_view key) {
  std::int64_t sum = 0;
  for (const JsonView& row : rows.Elements()) sum += row[key].Int().value_or(0);
  return sum;
}

TEST_F(LedgerJsonTest, OneTrace) {
  PutAgent(1, "acme");
  const JsonTree tree =
      Tree(LedgerJson, R"({"trace":")" + TraceText(1) + R"(","by":["kind","tool","tenant"]})");
  const JsonView root = tree.root();
  EXPECT_EQ(root["root_ns"].Int(), 1'000 * kMs);
  EXPECT_EQ(Sum(root["rows"], "path_ns"), 1'000 * kMs);
  EXPECT_EQ(Sum(root["rows"], "waste_ns"), 150 * kMs);
  EXPECT_EQ(root["usd"].Double(), 0.25);
  const JsonView first = root["rows"].Elements().at(0);
  EXPECT_EQ(first["path_ns"].Int(), 400 * kMs);
  EXPECT_EQ(first["tenant"].String(), "acme");
  EXPECT_FALSE(root["trace"]["flags"]["root_in_progress"].Bool().value());
  EXPECT_EQ(root["trace"]["links"]["count"].Int(), 0);
}

TEST_F(LedgerJsonTest, ManyTracesByTenant) {
  for (std::uint64_t trace = 1; trace <= 9; ++trace)
    PutAgent(trace, trace <= 6 ? "acme" : "globex");
  const JsonTree tree = Tree(LedgerJson, R"({"by":["tenant"]})");
  const JsonView root = tree.root();
  ASSERT_EQ(root["rows"].Elements().size(), 2U);
  const JsonView acme = root["rows"].Elements()[0];
  EXPECT_EQ(acme["tenant"].String(), "acme");
  EXPECT_EQ(acme["traces"].Int(), 6);
  EXPECT_EQ(acme["path_ns"].Int(), 6'000 * kMs);
  EXPECT_NEAR(acme["share"].Double().value(), 6.0 / 9, 1e-9);
  EXPECT_NEAR(acme["path_p95_ns"].Double().value(), 1e9, 2e7);
  EXPECT_EQ(acme["usd"].Double(), 1.5);
  EXPECT_EQ(root["root_ns"].Int(), 9'000 * kMs);
  EXPECT_TRUE(root["complete"].Bool().value());

  const JsonTree filtered = Tree(LedgerJson, R"({"expression":"annotation.tenant = \"globex\""})");
  EXPECT_EQ(filtered.root()["traces"].Int(), 3);
  const JsonTree bounded = Tree(LedgerJson, R"({"traces":2})");
  EXPECT_EQ(bounded.root()["traces"].Int(), 2);
  EXPECT_FALSE(bounded.root()["complete"].Bool().value());
  const JsonTree first = Tree(LedgerJson, R"({"clock":"first_token"})");
  EXPECT_EQ(first.root()["root_ns"].Int(), 9 * 200 * kMs);
}

TEST_F(LedgerJsonTest, WhatIf) {
  PutAgent(1, "acme");
  PutAgent(2, "acme");
  const JsonTree tree = Tree(LedgerJson, R"({"what_if":"tool=search:2x"})");
  const JsonView change = tree.root()["what_if"];
  EXPECT_EQ(change["steps"].Int(), 2);
  EXPECT_EQ(change["saved_ns"].Int(), 400 * kMs);
  EXPECT_EQ(change["new_mean_ns"].Int(), 800 * kMs);
  EXPECT_EQ(Sum(change["path"], "path_ns"), 1'600 * kMs);
  const JsonTree cached = Tree(LedgerJson, R"({"what_if":"model=m:cached"})");
  EXPECT_EQ(cached.root()["what_if"]["saved_usd"].Double(), 0.5);
}

TEST_F(LedgerJsonTest, WasteOfOneAndOfMany) {
  PutAgent(1, "acme");
  PutAgent(2, "acme");
  const JsonTree one = Tree(WasteJson, R"({"trace":")" + TraceText(1) + "\"}");
  const auto findings = one.root()["trace"]["findings"].Elements();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0]["tool"].String(), "search");
  EXPECT_EQ(findings[0]["cause"].String(), "timeout");
  EXPECT_EQ(findings[0]["failed"].Elements().at(0).String(),
            model::testing::TestSpanId(104).ToHex());
  EXPECT_EQ(findings[0]["recoverable_ns"].Int(), 150 * kMs);
  EXPECT_EQ(one.root()["trace"]["without_ns"].Int(), 850 * kMs);
  const JsonTree many = Tree(WasteJson, R"({"by":["tool"]})");
  const auto rows = many.root()["rows"].Elements();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0]["tool"].String(), "search");
  EXPECT_EQ(rows[0]["waste_ns"].Int(), 300 * kMs);
  EXPECT_EQ(many.root()["timeouts_partial"].Int(), 2);
  EXPECT_EQ(many.root()["worst"].Elements().size(), 2U);
}

TEST_F(LedgerJsonTest, TimesOfTokens) {
  for (std::uint64_t trace = 1; trace <= 20; ++trace)
    Put({Span(trace, 1, 0, "chat m", 0, 100 + 20 * static_cast<std::int64_t>(trace))
             .Kind(model::SpanKind::kClient)
             .Set("gen_ai.operation.name", "chat")
             .Set("gen_ai.request.model", "m")
             .Set("gen_ai.usage.input_tokens", static_cast<std::int64_t>(100 * trace))
             .Set("gen_ai.usage.output_tokens", static_cast<std::int64_t>(1 + trace))
             .Set("ttft_ms", static_cast<std::int64_t>(50 + 10 * trace))});
  const JsonTree tree = Tree(TtftJson, "{}");
  const auto models = tree.root()["models"].Elements();
  ASSERT_EQ(models.size(), 1U);
  EXPECT_EQ(models[0]["calls"].Int(), 20);
  EXPECT_TRUE(models[0]["phases"].IsNull());
  const JsonView estimate = models[0]["estimate"];
  EXPECT_TRUE(estimate["estimated"].Bool().value());
  EXPECT_NEAR(estimate["prefill"]["ns_per_token"].Double().value(), 100'000, 1);
  EXPECT_EQ(estimate["phases"]["base_ns"].Int(), 50 * kMs);
  EXPECT_EQ(estimate["phases"]["queue_ns"].Int(), 0);
  const JsonTree one = Tree(TtftJson, R"({"trace":")" + TraceText(7) + "\"}");
  EXPECT_EQ(one.root()["steps"].Elements().at(0)["first_token_ns"].Int(), 120 * kMs);
}

TEST_F(LedgerJsonTest, LinkedTracesShareWhatABatchCost) {
  Put({Span(1, 1, 0, "POST /ingest", 0, 400).Set("tenant", "acme").Set("http.route", "/ingest"),
       Span(1, 2, 1, "send", 370, 398).Kind(model::SpanKind::kProducer)});
  Put({Span(2, 1, 0, "process", 12'398, 13'400)
           .Kind(model::SpanKind::kConsumer)
           .LinkTo(store::testing::MakeTraceId(1), model::testing::TestSpanId(102))
           .LinkTo(store::testing::MakeTraceId(77), model::testing::TestSpanId(1))
           .LinkTo(store::testing::MakeTraceId(78), model::testing::TestSpanId(1))});
  const JsonTree tree = Tree(LedgerJson, R"({"trace":")" + TraceText(2) + "\"}");
  const JsonView links = tree.root()["trace"]["links"];
  EXPECT_EQ(links["count"].Int(), 3);
  const auto shown = links["shown"].Elements();
  ASSERT_EQ(shown.size(), 3U);
  EXPECT_EQ(shown[0]["queue_ns"].Int(), 12'000 * kMs);
  EXPECT_EQ(shown[0]["tenant"].String(), "acme");
  EXPECT_EQ(shown[0]["route"].String(), "/ingest");
  EXPECT_TRUE(shown[1]["queue_ns"].IsNull());
  EXPECT_EQ(Sum(links["shown"], "share_ns"), 1'002 * kMs);
}

TEST_F(LedgerJsonTest, RefusesWhatItDoesNotUnderstand) {
  PutAgent(1, "acme");
  for (const std::string_view body :
       {R"({"trace":"x"})", R"({"by":["colour"]})", R"({"by":"kind"})", R"({"clock":"noon"})",
        R"({"what_if":"everything"})", R"({"what_if":7})", R"({"traces":0})",
        R"({"traces":1000000})", R"({"expression":"(("})", "[]", R"({"from":5,"to":1})"}) {
    for (const Ask ask : {LedgerJson, WasteJson, TtftJson}) {
      const auto answer = Answer(ask, body);
      ASSERT_FALSE(answer) << body;
      EXPECT_EQ(answer.error().code, ErrorCode::kInvalidArgument) << body;
    }
  }
  EXPECT_EQ(Answer(LedgerJson, R"({"trace":")" + TraceText(5) + "\"}").error().code,
            ErrorCode::kNotFound);
}

}  // namespace
}  // namespace fluoro::api::ui
