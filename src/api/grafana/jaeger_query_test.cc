#include "api/grafana/jaeger_query.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <memory>
#include <string>

#include "base/memory_fs.h"
#include "base/metrics.h"
#include "model/span_batch.h"
#include "store/embedded/embedded_store.h"

namespace fluoro::api::grafana {
namespace {

constexpr std::int64_t kNowNs = 1'700'000'000 * kNsPerSecond;

std::string At(std::string_view json, std::string_view pointer) {
  simdjson::dom::parser parser;
  simdjson::dom::element value;
  if (parser.parse(simdjson::padded_string(json)).at_pointer(pointer).get(value) !=
      simdjson::SUCCESS)
    return "<absent>";
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) return std::string(text);
  return simdjson::minify(value);
}

struct SpanSpec {
  std::string trace_id;
  std::string id;
  std::string parent;
  std::string service;
  std::string name;
  std::int64_t start_ms_ago = 1'000;
  std::int64_t duration_ms = 100;
  model::SpanKind kind = model::SpanKind::kServer;
  model::SpanSource source = model::SpanSource::kOtlp;
  std::string zipkin_id{};
};

class JaegerQueryTest : public testing::Test {
 protected:
  JaegerQueryTest() {
    store::EmbeddedOptions options;
    options.folder = "data";
    options.background_thread = false;
    auto store = store::OpenEmbeddedStore(fs_, clock_, metrics_, options);
    EXPECT_TRUE(store);
    store_ = *std::move(store);
    query_ = std::make_unique<JaegerQuery>(*store_, clock_);
  }

  void Put(const std::vector<SpanSpec>& specs) {
    model::SpanBatch batch;
    for (const SpanSpec& spec : specs) {
      const std::uint32_t begin = batch.AttributesEnd();
      batch.AddString("service.name", spec.service);
      model::ResourceRow resource;
      resource.attributes = {begin, batch.AttributesEnd()};
      resource.service = batch.AddText(spec.service);
      const std::uint32_t resource_index = batch.AddResource(resource);
      const std::uint32_t scope = batch.AddScope({});
      const std::uint32_t span =
          batch.BeginSpan(*model::TraceId::Parse(spec.trace_id), *model::SpanId::Parse(spec.id));
      if (!spec.parent.empty()) batch.parent_ids[span] = *model::SpanId::Parse(spec.parent);
      batch.names[span] = batch.AddText(spec.name);
      batch.start_ns[span] = kNowNs - spec.start_ms_ago * kNsPerMs;
      batch.end_ns[span] = batch.start_ns[span] + spec.duration_ms * kNsPerMs;
      batch.kinds[span] = spec.kind;
      batch.sources[span] = spec.source;
      batch.resources[span] = resource_index;
      batch.scopes[span] = scope;
      batch.AddString("color", spec.name + "-blue");
      if (!spec.zipkin_id.empty()) batch.AddString("zipkin.id", spec.zipkin_id);
      batch.EndSpan(span);
    }
    ASSERT_TRUE(store_->Append(std::move(batch), store::Durability::kSynced));
  }

  net::HttpResponse Get(std::string path, std::string query = "", std::string method = "GET") {
    net::HttpRequest request;
    request.method = std::move(method);
    request.path = std::move(path);
    request.query = std::move(query);
    return query_->Handle(request);
  }

  ManualClock clock_{kNowNs};
  Metrics metrics_;
  MemoryFs fs_;
  std::unique_ptr<store::EmbeddedStore> store_;
  std::unique_ptr<JaegerQuery> query_;
};

const std::string kFirst = "0123456789abcdef0123456789abcdef";
const std::string kSecond = "00000000000000000000000000000abc";

std::vector<SpanSpec> TwoTraces() {
  return {
      {.trace_id = kFirst,
       .id = "00000000000000a1",
       .parent = "",
       .service = "shop",
       .name = "GET /"},
      {.trace_id = kFirst,
       .id = "00000000000000a2",
       .parent = "00000000000000a1",
       .service = "shop",
       .name = "call",
       .start_ms_ago = 990,
       .duration_ms = 50,
       .kind = model::SpanKind::kClient},
      {.trace_id = kFirst,
       .id = "00000000000000a3",
       .parent = "00000000000000a2",
       .service = "pay me/now",
       .name = "POST /pay",
       .start_ms_ago = 980,
       .duration_ms = 30},
      {.trace_id = kSecond,
       .id = "00000000000000b1",
       .parent = "",
       .service = "shop",
       .name = "GET /",
       .start_ms_ago = 500,
       .duration_ms = 5},
  };
}

TEST_F(JaegerQueryTest, ListsServicesAndOperations) {
  Put(TwoTraces());
  EXPECT_EQ(Get("/api/services").body,
            R"({"data":["pay me/now","shop"],"total":2,"limit":0,"offset":0,"errors":null})");
  EXPECT_EQ(At(Get("/api/services/shop/operations").body, "/data"), R"(["GET /","call"])");
  EXPECT_EQ(At(Get("/api/services/pay%20me%2Fnow/operations").body, "/data"), R"(["POST /pay"])");
  EXPECT_EQ(At(Get("/api/operations", "service=shop").body, "/data"),
            R"([{"name":"GET /","spanKind":"server"},{"name":"call","spanKind":"client"}])");
  EXPECT_EQ(At(Get("/api/operations", "service=shop&spanKind=client").body, "/data"),
            R"([{"name":"call","spanKind":"client"}])");
  EXPECT_EQ(At(Get("/api/services/nobody/operations").body, "/data"), "[]");
}

TEST_F(JaegerQueryTest, FindsTracesNewestFirst) {
  Put(TwoTraces());
  const std::string all = Get("/api/traces", "service=shop").body;
  EXPECT_EQ(At(all, "/total"), "2");
  EXPECT_EQ(At(all, "/limit"), "100");
  EXPECT_EQ(At(all, "/errors"), "null");
  EXPECT_EQ(At(all, "/data/1/traceID"), kFirst);
  EXPECT_EQ(At(all, "/data/1/spans/2/spanID").size(), 16U);
  EXPECT_EQ(At(Get("/api/traces", "service=shop&limit=1").body, "/total"), "1");
  EXPECT_EQ(At(Get("/api/traces", "service=shop&operation=call").body, "/total"), "1");
  EXPECT_EQ(At(Get("/api/traces", "service=pay+me%2Fnow").body, "/total"), "1");
  EXPECT_EQ(At(Get("/api/traces", "service=shop&minDuration=90ms").body, "/total"), "1");
  EXPECT_EQ(At(Get("/api/traces", "service=shop&tags=%7B%22color%22%3A%22call-blue%22%7D").body,
               "/total"),
            "1");
  EXPECT_EQ(
      At(Get("/api/traces", "service=shop&operation=call&tag=color:GET+/-blue").body, "/total"),
      "0");
  EXPECT_EQ(At(Get("/api/traces", "service=shop&end=1699999999200000").body, "/total"), "1");
  EXPECT_EQ(At(Get("/api/traces", "service=nobody").body, "/data"), "[]");
}

TEST_F(JaegerQueryTest, GetsTracesById) {
  Put(TwoTraces());
  const std::string one = Get("/api/traces/" + kFirst).body;
  EXPECT_EQ(At(one, "/total"), "1");
  EXPECT_EQ(At(one, "/data/0/traceID"), kFirst);
  EXPECT_EQ(At(Get("/api/traces/0000000000000abc").body, "/total"), "1") << "16 digits are padded";
  const std::string several = Get("/api/traces", "traceID=" + kFirst + "&traceID=ffff").body;
  EXPECT_EQ(At(several, "/total"), "1");
  EXPECT_EQ(At(several, "/errors/0/msg"), "trace not found");
  EXPECT_EQ(At(several, "/errors/0/traceID"), "0000000000000000000000000000ffff");
}

TEST_F(JaegerQueryTest, ErrorsHaveJaegersForm) {
  const net::HttpResponse missing = Get("/api/traces/" + kFirst);
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(
      missing.body,
      R"({"data":null,"total":0,"limit":0,"offset":0,"errors":[{"code":404,"msg":"trace not found"}]})");
  EXPECT_EQ(Get("/api/traces").status, 400);
  EXPECT_EQ(Get("/api/traces", "service=shop&start=x").status, 400);
  EXPECT_EQ(Get("/api/traces/xyz").status, 400);
  EXPECT_EQ(Get("/api/operations").status, 400);
  EXPECT_EQ(Get("/api/dependencies", "endTs=x").status, 400);
  EXPECT_EQ(Get("/api/nothing").status, 404);
  EXPECT_EQ(Get("/api/services", "", "POST").status, 405);
}

TEST_F(JaegerQueryTest, DependenciesCountCallsBetweenServices) {
  Put(TwoTraces());
  EXPECT_EQ(At(Get("/api/dependencies").body, "/data"),
            R"([{"parent":"shop","child":"pay me/now","callCount":1}])");
  EXPECT_EQ(At(Get("/api/dependencies", "endTs=1700000000000&lookback=100").body, "/data"), "[]");
}

TEST_F(JaegerQueryTest, DependenciesCountACallOfSharedIdOnce) {
  std::vector<SpanSpec> specs = {{.trace_id = kFirst,
                                  .id = "00000000000000a1",
                                  .parent = "",
                                  .service = "shop",
                                  .name = "call"},
                                 {.trace_id = kFirst,
                                  .id = "00000000000000b1",
                                  .parent = "00000000000000a1",
                                  .service = "pay",
                                  .name = "charge",
                                  .zipkin_id = "00000000000000a1"},
                                 {.trace_id = kFirst,
                                  .id = "00000000000000c1",
                                  .parent = "00000000000000a1",
                                  .service = "pay",
                                  .name = "query",
                                  .kind = model::SpanKind::kInternal}};
  for (SpanSpec& spec : specs) spec.source = model::SpanSource::kZipkin;
  Put(specs);
  EXPECT_EQ(At(Get("/api/dependencies").body, "/data"),
            R"([{"parent":"shop","child":"pay","callCount":1}])");
}

}  // namespace
}  // namespace fluoro::api::grafana
