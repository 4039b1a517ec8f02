#include "codec/zipkin/zipkin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codec/common/canonical_json_for_test.h"

namespace fluoro::codec::zipkin {
namespace {

using common::CanonicalJson;
using common::ReadFileForTest;
using model::Span;
using model::SpanKind;

std::vector<Span> SpansOf(const model::SpanBatch& batch) {
  std::vector<Span> spans;
  model::SpanReader reader(batch);
  for (std::uint32_t i = 0; i < batch.size(); ++i) spans.push_back(reader.Read(i));
  return spans;
}

std::vector<Span> Decode(std::string_view json, Version version = Version::kV2,
                         const model::Limits& limits = {}) {
  model::DecodeStats stats;
  const auto batch = DecodeSpans(json, version, limits, stats);
  EXPECT_TRUE(batch.has_value()) << (batch ? "" : batch.error().message);
  return batch ? SpansOf(*batch) : std::vector<Span>();
}

std::string TextOf(const model::AttributeValue* value) {
  return value == nullptr || value->AsString() == nullptr ? "-" : *value->AsString();
}

std::string Canonical(std::string_view json) {
  const auto tree = JsonTree::Parse(json);
  EXPECT_TRUE(tree.has_value());
  return tree ? CanonicalJson(tree->root()) : "";
}

TEST(ZipkinV2, BecomesSpans) {
  const auto spans = Decode(ReadFileForTest("src/codec/zipkin/testdata/v2.json"));
  ASSERT_EQ(spans.size(), 5U);

  const Span& root = spans[0];
  EXPECT_EQ(root.trace_id.ToHex(), "000000000000000086bb45d0b4f4f9d1");
  EXPECT_EQ(root.span_id.ToHex(), "86bb45d0b4f4f9d1");
  EXPECT_TRUE(root.parent_id.IsZero());
  EXPECT_EQ(root.kind, SpanKind::kServer);
  EXPECT_EQ(root.name, "get /");
  EXPECT_EQ(root.start_ns, 1'700'000'000'000'001'000);
  EXPECT_EQ(root.end_ns - root.start_ns, 90'000'000);
  EXPECT_EQ(root.source, model::SpanSource::kZipkin);
  EXPECT_EQ(root.service(), "gateway");
  EXPECT_EQ(TextOf(root.Find("network.local.address")), "10.0.0.1");
  EXPECT_EQ(*root.Find("network.local.port")->AsInt(), 8080);
  EXPECT_EQ(TextOf(root.Find("network.peer.address")), "::1");
  EXPECT_EQ(root.Find("peer.service"), nullptr);
  EXPECT_EQ(root.status, model::StatusCode::kError);
  EXPECT_EQ(root.status_message, "upstream said no");
  EXPECT_EQ(root.Find("error"), nullptr);
  EXPECT_EQ(TextOf(root.Find("empty")), "");

  const Span& client = spans[1];
  EXPECT_EQ(client.kind, SpanKind::kClient);
  EXPECT_EQ(client.parent_id, root.span_id);
  EXPECT_EQ(TextOf(client.Find("peer.service")), "orders");
  ASSERT_EQ(client.events.size(), 2U);
  EXPECT_EQ(client.events[0].name, "connected");
  EXPECT_EQ(client.events[0].time_ns, 1'700'000'000'010'500'000);

  const Span& server = spans[2];
  EXPECT_EQ(server.span_id, SharedSpanId(server.trace_id, client.span_id));
  EXPECT_EQ(server.parent_id, client.span_id);
  EXPECT_EQ(TextOf(server.Find("zipkin.id")), "05e3ac9a4f6e3b90");

  EXPECT_EQ(spans[3].kind, SpanKind::kInternal);
  EXPECT_EQ(spans[3].end_ns, spans[3].start_ns);
  EXPECT_EQ(spans[4].kind, SpanKind::kProducer);
  EXPECT_EQ(spans[4].service(), "");
}

TEST(ZipkinV2, SharedIdIsTheStartOfASha256) {
  // printf '\0\0\0\0\0\0\0\0\x86\xbb\x45\xd0\xb4\xf4\xf9\xd1\x05\xe3\xac\x9a\x4f\x6e\x3b\x90shared'
  //   | sha256sum
  EXPECT_EQ(SharedSpanId(*model::TraceId::Parse("000000000000000086bb45d0b4f4f9d1"),
                         *model::SpanId::Parse("05e3ac9a4f6e3b90"))
                .ToHex(),
            "3dacf83373463bf1");
}

TEST(ZipkinV2, ComesBackEqual) {
  const std::string json = ReadFileForTest("src/codec/zipkin/testdata/v2.json");
  EXPECT_EQ(Canonical(EncodeSpans(Decode(json))), Canonical(json));
}

TEST(ZipkinV2, TakesTheReceiveTimeForAMissingStart) {
  model::Limits limits;
  limits.receive_ns = 1'700'000'000'123'456'789;
  const auto spans = Decode(R"([{"traceId":"1","id":"2","duration":5},
                                {"traceId":"1","id":"3","timestamp":0}])",
                            Version::kV2, limits);
  ASSERT_EQ(spans.size(), 2U);
  EXPECT_EQ(spans[0].start_ns, limits.receive_ns);
  EXPECT_EQ(spans[0].end_ns, limits.receive_ns + 5'000);
  EXPECT_EQ(spans[1].start_ns, limits.receive_ns);
}

TEST(ZipkinV2, TakesArraysOfTraces) {
  EXPECT_EQ(
      Decode(
          R"([[{"traceId":"1","id":"2"}],[],[{"traceId":"3","id":"4"},{"traceId":"3","id":"5"}]])")
          .size(),
      3U);
}

TEST(ZipkinV2, IgnoresNullsZeroParentsAndSelfParents) {
  const auto spans = Decode(R"([{"traceId":"1","id":"2","parentId":null,"kind":null,"name":null,
      "tags":null,"annotations":null,"localEndpoint":null,"shared":null,"debug":false},
      {"traceId":"1","id":"2","parentId":"0000000000000000"},{"traceId":"1","id":"2","parentId":"2"}])");
  ASSERT_EQ(spans.size(), 3U);
  for (const Span& span : spans) {
    EXPECT_TRUE(span.parent_id.IsZero());
    EXPECT_TRUE(span.attributes.empty());
  }
}

TEST(Zipkin, SaysWhereTheBodyIsWrong) {
  struct Case {
    std::string json, message;
  };
  const Case cases[] = {
      {"", "byte 0: The document is empty."},
      {"{}", "byte 0: an array was expected"},
      {"[1]", "byte 1: span: an object was expected"},
      {"[[2]]", "byte 2: span: an object was expected"},
      {"[{}]", "byte 1: traceId: missing"},
      {R"([{"traceId":"1"}])", "byte 1: id: missing"},
      {R"([{"traceId":"x","id":"1"}])",
       "byte 12: traceId: 1 to 32 hex digits, not all zero, were expected"},
      {R"([{"traceId":"1","id":7}])", "byte 21: id: string was expected, not number"},
      {R"([{"traceId":"1","id":"11112222333344445"}])",
       "byte 21: id: 1 to 16 hex digits, not all zero, were expected"},
      {R"([{"traceId":"1","id":"2","parentId":"zz"}])",
       "byte 36: parentId: 1 to 16 hex digits, not all zero, were expected"},
      {R"([{"traceId":"1","id":"2","kind":"LOCAL"}])",
       "byte 32: kind: CLIENT, SERVER, PRODUCER or CONSUMER was expected"},
      {R"([{"traceId":"1","id":"2","timestamp":"x"}])",
       "byte 37: timestamp: a number of microseconds was expected"},
      {R"([{"traceId":"1","id":"2","timestamp":-1}])", "byte 37: timestamp: out of range"},
      {R"([{"traceId":"1","id":"2","timestamp":9000000000000000,"duration":9000000000000000}])",
       "byte 65: duration: out of range"},
      {R"([{"traceId":"1","id":"2","tags":{"a":{}}}])",
       "byte 37: tags.a: a string was expected, not object"},
      {R"([{"traceId":"1","id":"2","tags":[]}])", "byte 32: tags: object was expected, not array"},
      {R"([{"traceId":"1","id":"2","annotations":[5]}])",
       "byte 40: annotations: an object was expected"},
      {R"([{"traceId":"1","id":"2","localEndpoint":{"port":70000}}])",
       "byte 49: port: a number from 0 to 65535 was expected"},
      {R"([{"traceId":"1","id":"2"},)", "byte 26: Invalid value."},
  };
  for (const Case& c : cases) {
    model::DecodeStats stats;
    const auto batch = DecodeSpans(c.json, Version::kV2, {}, stats);
    ASSERT_FALSE(batch.has_value()) << c.json;
    EXPECT_EQ(batch.error(), (Error{ErrorCode::kCorruption, c.message})) << c.json;
  }
}

TEST(Zipkin, ChecksItsLimits) {
  model::DecodeStats stats;
  model::Limits limits;
  limits.body_bytes_max = 10;
  EXPECT_EQ(DecodeSpans(R"([{"traceId":"1"}])", Version::kV2, limits, stats).error().code,
            ErrorCode::kTooLarge);
  limits = {};
  const std::string deep = "[" + std::string(64, '[') + std::string(64, ']') + "]";
  EXPECT_EQ(DecodeSpans(deep, Version::kV2, limits, stats).error().code, ErrorCode::kTooLarge);

  limits.attributes_max = 1;
  limits.value_bytes_max = 3;
  limits.start_ns_min = 1'000'000;
  limits.start_ns_max = 9'000'000;
  const auto batch = DecodeSpans(R"([{"traceId":"1","id":"2","timestamp":999},
      {"traceId":"1","id":"3","timestamp":1000,"tags":{"a":"12345","b":"c"}},
      {"traceId":"1","id":"4","timestamp":9001}])",
                                 Version::kV2, limits, stats);
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->size(), 1U);
  EXPECT_EQ(stats.spans, 1U);
  EXPECT_EQ(stats.rejected_spans, 2U);
  EXPECT_EQ(stats.dropped_attributes, 1U);
  EXPECT_EQ(stats.truncated_values, 1U);
  const Span span = batch->MakeSpan(0);
  EXPECT_TRUE(span.Has(model::kTruncated));
  EXPECT_EQ(TextOf(span.Find("a")), "123");
}

TEST(Zipkin, GenAiContentMayBeLongerThanOtherTags) {
  model::Limits limits;
  limits.value_bytes_max = 4;
  limits.content_bytes_max = 8;
  limits.span_content_bytes_max = 14;
  const auto spans = Decode(
      R"([{"traceId":"1","id":"2","tags":{"db.statement":"0123456789","gen_ai.prompt":"0123456789",)"
      R"("input.value":"0123456789","output.value":"0123456789"}}])",
      Version::kV2, limits);
  ASSERT_EQ(spans.size(), 1U);
  EXPECT_EQ(TextOf(spans[0].Find("db.statement")), "0123");
  EXPECT_EQ(TextOf(spans[0].Find("gen_ai.prompt")), "01234567");
  EXPECT_EQ(TextOf(spans[0].Find("input.value")), "012345") << "14 bytes a span";
  EXPECT_EQ(TextOf(spans[0].Find("output.value")), "0123") << "as any other value";
}

TEST(ZipkinV1, SplitsASpanThatHoldsBothHalves) {
  const auto spans = Decode(ReadFileForTest("src/codec/zipkin/testdata/v1.json"), Version::kV1);
  ASSERT_EQ(spans.size(), 7U);
  const Span& client = spans[0];
  EXPECT_EQ(client.kind, SpanKind::kClient);
  EXPECT_EQ(client.service(), "front");
  EXPECT_EQ(client.span_id.ToHex(), "ebf33e1a81dc6f71");
  EXPECT_EQ(client.end_ns - client.start_ns, 300'000);
  EXPECT_EQ(TextOf(client.Find("http.path")), "/api");
  EXPECT_EQ(TextOf(client.Find("peer.service")), "back");
  EXPECT_EQ(*client.Find("network.peer.port")->AsInt(), 80);
  EXPECT_TRUE(client.events.empty());
  const Span& server = spans[1];
  EXPECT_EQ(server.kind, SpanKind::kServer);
  EXPECT_EQ(server.service(), "back");
  EXPECT_EQ(server.span_id, SharedSpanId(client.trace_id, client.span_id));
  EXPECT_EQ(server.parent_id, client.span_id);
  EXPECT_EQ(server.start_ns, 1'700'000'000'000'100'000);
  EXPECT_EQ(server.end_ns - server.start_ns, 150'000);
  EXPECT_EQ(TextOf(server.Find("rows")), "7");
  EXPECT_EQ(TextOf(server.Find("peer.service")), "front");
  ASSERT_EQ(server.events.size(), 1U);
  EXPECT_EQ(server.events[0].name, "cache miss");
}

TEST(ZipkinV1, ReadsEveryOtherShape) {
  const auto spans = Decode(ReadFileForTest("src/codec/zipkin/testdata/v1.json"), Version::kV1);
  ASSERT_EQ(spans.size(), 7U);
  const Span& joined = spans[2];
  EXPECT_EQ(joined.kind, SpanKind::kServer);
  EXPECT_EQ(joined.parent_id.ToHex(), "00000000000000aa");
  EXPECT_EQ(joined.end_ns - joined.start_ns, 50'000);
  const Span& local = spans[3];
  EXPECT_EQ(local.kind, SpanKind::kInternal);
  EXPECT_EQ(local.service(), "back");
  EXPECT_EQ(local.Find("lc"), nullptr);
  EXPECT_EQ(local.status_message, "broken");
  EXPECT_TRUE(*local.Find("zipkin.debug")->AsBool());
  const Span& query = spans[4];
  EXPECT_EQ(query.kind, SpanKind::kClient);
  EXPECT_EQ(query.service(), "back");
  EXPECT_EQ(TextOf(query.Find("peer.service")), "mysql");
  EXPECT_EQ(TextOf(query.Find("lc")), "jdbc");
  EXPECT_EQ(spans[5].kind, SpanKind::kProducer);
  EXPECT_EQ(spans[5].service(), "front");
  EXPECT_EQ(spans[6].kind, SpanKind::kConsumer);
  EXPECT_EQ(spans[6].service(), "worker");
  EXPECT_EQ(spans[6].parent_id, spans[5].span_id);
}

TEST(ZipkinV1, GoesOutAsTheSameV2) {
  const auto spans = Decode(ReadFileForTest("src/codec/zipkin/testdata/v1.json"), Version::kV1);
  const std::string v2 = EncodeSpans(spans);
  EXPECT_EQ(Decode(v2), spans);
}

TEST(Zipkin, WritesSpansOfOtherSources) {
  Span span;
  span.trace_id = *model::TraceId::Parse("5759e988bd862e3fe1be46a994272793");
  span.span_id = *model::SpanId::Parse("53995c3f42cd8ad8");
  span.name = "op";
  span.kind = SpanKind::kClient;
  span.start_ns = 1'700'000'000'000'000'999;
  span.end_ns = span.start_ns + 10;
  span.status = model::StatusCode::kError;
  span.trace_state = "a=b";
  model::Resource resource;
  resource.attributes = {{.key = "service.name", .value = {std::string("svc")}},
                         {.key = "host.id", .value = {std::string("h")}}};
  span.resource = std::make_shared<model::Resource>(resource);
  model::Scope scope;
  scope.name = "lib";
  scope.version = "2";
  span.scope = std::make_shared<model::Scope>(scope);
  span.attributes = {{.key = "n", .value = {std::int64_t{5}}},
                     {.key = "n", .value = {std::int64_t{6}}}};
  span.events = {{.time_ns = 1'700'000'000'000'001'000,
                  .name = "exception",
                  .attributes = {{.key = "exception.type", .value = {std::string("E")}}}}};
  EXPECT_EQ(
      EncodeSpans({&span, 1}),
      R"([{"traceId":"5759e988bd862e3fe1be46a994272793","id":"53995c3f42cd8ad8","kind":"CLIENT",)"
      R"("name":"op","timestamp":1700000000000000,"duration":1,)"
      R"("localEndpoint":{"serviceName":"svc"},)"
      R"("annotations":[{"timestamp":1700000000000001,"value":"\"exception\":{\"exception.type\":\"E\"}"}],)"
      R"("tags":{"host.id":"h","otel.scope.name":"lib","otel.scope.version":"2","w3c.tracestate":"a=b",)"
      R"("otel.status_code":"ERROR","n":"6","error":"true"}}])");
}

TEST(ZipkinData, LoadsWholeAndComesBackEqual) {
  const std::filesystem::path folder = "../shared/data/zipkin";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is absent";
  struct Case {
    std::string_view file;
    Version version;
    std::size_t spans;
  };
  static constexpr Case kCases[] = {
      {"yelp.json", Version::kV2, 16},
      {"messaging.json", Version::kV2, 4},
      {"skew.json", Version::kV2, 4},
      {"ascend.json", Version::kV2, 8},
      {"simple-db-p6.json", Version::kV2, 5},
      {"contrib-zipkin_v1_single_batch.json", Version::kV1, 5},
      {"contrib-zipkin_v2_single.json", Version::kV2, 1},
      {"contrib-receiver-sample1.json", Version::kV2, 9},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.file);
    const std::string json = ReadFileForTest(folder / c.file);
    const auto spans = Decode(json, c.version);
    EXPECT_EQ(spans.size(), c.spans);
    std::set<model::TraceId> traces;
    for (const Span& span : spans) traces.insert(span.trace_id);
    EXPECT_EQ(traces.size(), 1U);
    const bool v2 = c.version == Version::kV2;
    EXPECT_EQ(Canonical(v2 ? EncodeSpans(spans) : json), Canonical(json));
    EXPECT_EQ(Decode(EncodeSpans(spans)), spans);
  }
}

TEST(ZipkinData, HalvesOfOneCallHaveIdsOfTheirOwn) {
  const std::filesystem::path file = "../shared/data/zipkin/contrib-zipkin_v1_single_batch.json";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << file << " is absent";
  const auto spans = Decode(ReadFileForTest(file), Version::kV1);
  std::set<model::SpanId> ids;
  for (const Span& span : spans) ids.insert(span.span_id);
  EXPECT_EQ(ids.size(), spans.size());
}

}  // namespace
}  // namespace fluoro::codec::zipkin
