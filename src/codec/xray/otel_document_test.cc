// OpenTelemetry spans as X-Ray documents.
#include <gmock/gmock.h>

#include <memory>

#include "codec/xray/encode.h"
#include "codec/xray/test_support.h"
#include "model/assembly.h"

namespace fluoro::codec::xray {
namespace {

using model::Attribute;
using model::AttributeValue;
using model::Span;
using model::SpanKind;
using model::StatusCode;
using testing::HasSubstr;
using testing::Not;

Attribute Text(std::string key, std::string value) {
  return {.key = std::move(key), .value = {.value = std::move(value)}};
}
Attribute Int(std::string key, std::int64_t value) {
  return {.key = std::move(key), .value = {.value = value}};
}
Attribute Texts(std::string key, const std::vector<std::string>& values) {
  AttributeValue::Array array;
  for (const std::string& value : values) array.values.push_back({.value = value});
  return {.key = std::move(key), .value = {.value = std::move(array)}};
}

std::shared_ptr<const model::Resource> Resource(std::vector<Attribute> attributes) {
  auto resource = std::make_shared<model::Resource>();
  resource->attributes = std::move(attributes);
  return resource;
}

// The span of the vector in the specification of the mapping.
Span ServerSpan() {
  Span span;
  span.trace_id = *model::TraceId::Parse("4efaaf4d1e8720b39541901950019ee5");
  span.span_id = *model::SpanId::Parse("53995c3f42cd8ad8");
  span.name = "GET /";
  span.kind = SpanKind::kServer;
  span.start_ns = 1478293361271000000;
  span.end_ns = 1478293361449000000;
  span.resource = Resource({Text("service.name", "example.com")});
  span.scope = std::make_shared<model::Scope>();
  return span;
}
Span ChildSpan(SpanKind kind) {
  Span span = ServerSpan();
  span.parent_id = span.span_id;
  span.span_id = *model::SpanId::Parse("53995c3f42cd8ad9");
  span.name = "work";
  span.kind = kind;
  return span;
}

std::vector<SegmentDocument> Encode(std::vector<Span> spans,
                                    const EncodeOptions& options = {.inferred = false}) {
  auto trace = std::make_shared<model::Trace>();
  trace->id = spans[0].trace_id;
  trace->spans = std::move(spans);
  return EncodeSegments(model::Assemble(trace), options);
}
std::string EncodeOne(const Span& span) {
  const auto entries = Encode({span});
  EXPECT_EQ(entries.size(), 1U);
  return entries.empty() ? "" : entries[0].document;
}

TEST(OtelDocument, FollowsTheVectorOfTheMapping) {
  Span span = ServerSpan();
  span.otel_flags = 0x101;
  auto scope = std::make_shared<model::Scope>();
  scope->name = "s";
  span.scope = scope;
  span.attributes = {Text("http.request.method", "GET"), Int("http.response.status_code", 200)};
  EXPECT_EQ(
      JsonDifference(
          EncodeOne(span),
          R"({"name":"example.com","id":"53995c3f42cd8ad8","trace_id":"1-4efaaf4d-1e8720b39541901950019ee5",)"
          R"("start_time":1478293361.271,"end_time":1478293361.449,"error":false,"fault":false,"throttle":false,)"
          R"("http":{"request":{"method":"GET"},"response":{"status":200,"content_length":0}},)"
          R"("aws":{"xray":{"auto_instrumentation":false}},"metadata":{"default":)"
          R"({"otel.resource.service.name":"example.com"},"otel":{"name":"GET /","flags":257,"scope":{"name":"s"}}}})"),
      "");
}

TEST(OtelDocument, PrintsMembersInXRaysOrder) {
  const std::string document = EncodeOne(ServerSpan());
  EXPECT_THAT(
      document,
      testing::StartsWith(
          R"({"id":"53995c3f42cd8ad8","name":"example.com","start_time":1478293361.271,"end_time":)"));
}

TEST(OtelDocument, NestsChildrenAsSubsegments) {
  Span call = ChildSpan(SpanKind::kClient);
  call.attributes = {Text("rpc.system", "aws-api"), Text("rpc.service", "S3"),
                     Text("rpc.method", "ListBuckets")};
  Span inner = ChildSpan(SpanKind::kInternal);
  inner.parent_id = call.span_id;
  inner.span_id = *model::SpanId::Parse("53995c3f42cd8ada");
  const auto entries = Encode({inner, call, ServerSpan()}, {.inferred = true});
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(
      JsonDifference(
          entries[0].document,
          R"({"name":"example.com","id":"53995c3f42cd8ad8","trace_id":"1-4efaaf4d-1e8720b39541901950019ee5",)"
          R"("start_time":1478293361.271,"end_time":1478293361.449,"error":false,"fault":false,"throttle":false,)"
          R"("aws":{"xray":{"auto_instrumentation":false}},"metadata":{"default":)"
          R"({"otel.resource.service.name":"example.com"},"otel":{"name":"GET /"}},"subsegments":[)"
          R"({"id":"53995c3f42cd8ad9","name":"S3","start_time":1478293361.271,"end_time":1478293361.449,)"
          R"("namespace":"aws","error":false,"throttle":false,"fault":false,"aws":{"operation":"ListBuckets"},)"
          R"("metadata":{"default":{"rpc.system":"aws-api","rpc.service":"S3"},"otel":{"name":"work"}},"subsegments":[)"
          R"({"id":"53995c3f42cd8ada","name":"work","start_time":1478293361.271,"end_time":1478293361.449,)"
          R"("error":false,"throttle":false,"fault":false}]}]})"),
      "");
  EXPECT_EQ(
      JsonDifference(
          entries[1].document,
          R"({"id":")" + entries[1].id +
              R"(","name":"S3","start_time":1478293361.271,"end_time":1478293361.449,)"
              R"("parent_id":"53995c3f42cd8ad9","inferred":true,"error":false,"throttle":false,"fault":false,)"
              R"("aws":{"operation":"ListBuckets"},"trace_id":"1-4efaaf4d-1e8720b39541901950019ee5",)"
              R"("origin":"AWS::S3"})"),
      "");
}

TEST(OtelDocument, MakesTwoDocumentsOfALocalRootCall) {
  Span span = ServerSpan();
  span.kind = SpanKind::kClient;
  span.attributes = {Text("aws.span.kind", "LOCAL_ROOT"), Text("aws.local.service", "app"),
                     Text("aws.remote.service", "AWS::S3"), Text("rpc.system", "aws-api"),
                     Text("kept", "x")};
  const auto entries = Encode({span});
  ASSERT_EQ(entries.size(), 1U);
  const std::string id = entries[0].id;
  EXPECT_NE(id, "53995c3f42cd8ad8");
  EXPECT_EQ(
      JsonDifference(
          entries[0].document,
          R"({"id":")" + id +
              R"(","name":"app","start_time":1478293361.271,"end_time":1478293361.449,)"
              R"("trace_id":"1-4efaaf4d-1e8720b39541901950019ee5","error":false,"throttle":false,"fault":false,)"
              R"("aws":{"xray":{"auto_instrumentation":false}},"metadata":{"default":)"
              R"({"otel.resource.service.name":"example.com"}},"subsegments":[{"id":"53995c3f42cd8ad8","name":"S3",)"
              R"("start_time":1478293361.271,"end_time":1478293361.449,"namespace":"aws","error":false,)"
              R"("throttle":false,"fault":false,"metadata":{"default":{"aws.span.kind":"LOCAL_ROOT",)"
              R"("aws.local.service":"app","aws.remote.service":"AWS::S3","rpc.system":"aws-api","kept":"x"},)"
              R"("otel":{"name":"GET /"}}}]})"),
      "");
}

TEST(OtelDocument, WritesHttpAndKeepsWhatItDoesNotTell) {
  Span span = ServerSpan();
  span.attributes = {Text("http.request.method", "GET"),
                     Text("url.scheme", "https"),
                     Text("server.address", "h"),
                     Int("server.port", 8443),
                     Text("url.path", "/a"),
                     Text("url.query", "q=1"),
                     Text("user_agent.original", "ua"),
                     Text("client.address", "203.0.113.7"),
                     Int("http.response.status_code", 404),
                     Text("http.route", "/{x}"),
                     Text("http.method", "POST")};
  const std::string document = EncodeOne(span);
  EXPECT_THAT(
      document,
      HasSubstr(
          R"("http":{"request":{"method":"GET","url":"https://h:8443/a?q=1","user_agent":"ua",)"
          R"("client_ip":"203.0.113.7","x_forwarded_for":true},)"
          R"("response":{"status":404,"content_length":0}})"));
  EXPECT_THAT(document, HasSubstr(R"("error":true,"throttle":false,"fault":false)"));
  EXPECT_THAT(
      document,
      HasSubstr(
          R"("default":{"otel.resource.service.name":"example.com","http.route":"/{x}","http.method":"POST"})"));
  EXPECT_THAT(document, HasSubstr(R"("otel":{"name":"GET /","status":{"code":"UNSET"}})"));
}

TEST(OtelDocument, WritesWhereTheServiceRuns) {
  Span span = ServerSpan();
  span.resource =
      Resource({Text("service.name", "s"), Text("cloud.provider", "aws"),
                Text("cloud.platform", "aws_ecs"), Text("aws.ecs.launchtype", "fargate"),
                Text("container.name", "c"), Text("cloud.account.id", "123"),
                Text("service.version", "7"), Text("telemetry.sdk.name", "opentelemetry"),
                Text("telemetry.sdk.language", "go"), Text("telemetry.sdk.version", "1.2"),
                Texts("aws.log.group.arns", {"arn:aws:logs:r:1:log-group:g:*"})});
  const std::string document = EncodeOne(span);
  EXPECT_THAT(
      document,
      HasSubstr(
          R"("aws":{"account_id":"123","ecs":{"container":"c","launch_type":"fargate"},)"
          R"("cloudwatch_logs":[{"log_group":"g","arn":"arn:aws:logs:r:1:log-group:g:*"}],)"
          R"("xray":{"sdk":"opentelemetry for go","sdk_version":"1.2","auto_instrumentation":false}})"));
  EXPECT_THAT(document, HasSubstr(R"("origin":"AWS::ECS::Fargate")"));
  EXPECT_THAT(document, HasSubstr(R"("service":{"version":"7"})"));
  span.resource =
      Resource({Text("service.name", "s"), Text("cloud.provider", "gcp"), Text("host.id", "h")});
  EXPECT_THAT(EncodeOne(span), Not(HasSubstr("\"aws\"")));
  span.attributes = {Text("aws.queue_url", "https://q")};
  EXPECT_THAT(EncodeOne(span), HasSubstr(R"("aws":{"queue_url":"https://q"})"));
}

TEST(OtelDocument, WritesSql) {
  Span span = ChildSpan(SpanKind::kClient);
  span.name = "SELECT shop";
  span.attributes = {Text("db.system", "postgresql"), Text("db.name", "shop"), Text("db.user", "u"),
                     Text("db.statement", "SELECT 1"),
                     Text("db.connection_string", "jdbc:postgresql://db.example.com:5432")};
  const std::string document = Encode({ServerSpan(), span})[0].document;
  EXPECT_THAT(document, HasSubstr(R"("name":"shop@db.example.com")"));
  EXPECT_THAT(
      document,
      HasSubstr(
          R"("sql":{"url":"SELECT shop","connection_string":"jdbc:postgresql://db.example.com:5432/shop",)"
          R"("database_type":"postgresql","user":"u","sanitized_query":"SELECT 1"})"));
  EXPECT_THAT(document, Not(HasSubstr("db.system")));
  span.attributes = {Text("db.system", "redis"), Text("db.statement", "GET k")};
  EXPECT_THAT(Encode({ServerSpan(), span})[0].document,
              HasSubstr(R"("default":{"db.system":"redis","db.statement":"GET k"})"));
}

model::Event Exception(std::vector<Attribute> attributes) {
  return {.time_ns = 1478293361300000001,
          .name = "exception",
          .attributes = std::move(attributes),
          .dropped_attributes = 0};
}

TEST(OtelDocument, MakesCausesOfExceptionEvents) {
  Span span = ServerSpan();
  span.kind = SpanKind::kInternal;
  span.resource = Resource({Text("service.name", "s"), Text("telemetry.sdk.language", "java")});
  span.events = {Exception(
      {Text("exception.type", "T"), Text("exception.message", "m"),
       Text("exception.stacktrace",
            "T: m\n\tat app//a.B.c(B.java:12)\n\tat a.D.e(Native Method)\nCaused by: U: n\nmore\n"
            "\tat a.F.g(F.java)\n\t... 3 more"),
       Text("exception.escaped", "true")})};
  const std::string document = EncodeOne(span);
  const std::size_t first = document.find(R"("id":")", document.find("exceptions")) + 6;
  const std::string id = document.substr(first, 16);
  const std::size_t second = document.find(R"("cause":")", first) + 9;
  const std::string cause = document.substr(second, 16);
  EXPECT_NE(id, cause);
  EXPECT_THAT(
      document,
      HasSubstr(
          R"("cause":{"exceptions":[{"id":")" + id +
          R"(","type":"T","message":"m","remote":false,"stack":[{"path":"B.java","line":12,"label":"/a.B.c"},)"
          R"({"path":"Native Method","line":0,"label":"a.D.e"}],"cause":")" +
          cause + R"("},{"id":")" + cause +
          R"(","type":"U","message":"n\nmore","remote":false,"stack":[{"path":"F.java","line":0,"label":"a.F.g"}]}]})"));
  EXPECT_THAT(document, HasSubstr(R"("error":false,"throttle":false,"fault":false)"));
  EXPECT_THAT(
      document,
      HasSubstr(
          R"("events":[{"time":1478293361.300000001,"name":"exception","attributes":{"exception.escaped":"true"}}])"));
}

TEST(OtelDocument, MakesACauseOfTheStatusMessage) {
  Span span = ServerSpan();
  span.status = StatusCode::kError;
  span.status_message = "boom";
  const std::string document = EncodeOne(span);
  EXPECT_THAT(document, HasSubstr(R"("message":"boom")"));
  EXPECT_THAT(document, HasSubstr(R"("fault":true)"));
  EXPECT_THAT(document, Not(HasSubstr(R"("status":{)")));
  span.status = StatusCode::kOk;
  EXPECT_THAT(EncodeOne(span), HasSubstr(R"("status":{"code":"OK","message":"boom"})"));
}

// What a reader would infer from the document (docs/formats/attributes.md) goes without saying.
TEST(OtelDocument, TellsAStatusOnlyWhereTheDocumentImpliesAnother) {
  constexpr std::string_view kUnset = R"("status":{"code":"UNSET"})";
  constexpr std::string_view kError = R"("status":{"code":"ERROR")";
  Span span = ServerSpan();
  span.events = {Exception({Text("exception.type", "T")})};
  EXPECT_THAT(EncodeOne(span), HasSubstr(kUnset));
  span.status = StatusCode::kError;
  EXPECT_THAT(EncodeOne(span), Not(HasSubstr(kError)));
  span.events.clear();
  span.status = StatusCode::kUnset;
  span.attributes = {Int("http.response.status_code", 0)};
  EXPECT_THAT(EncodeOne(span), HasSubstr(kUnset));
  span.attributes = {Int("http.response.status_code", 399)};
  EXPECT_THAT(EncodeOne(span), Not(HasSubstr(kUnset)));
}

// As a collector passes it on that took an X-Ray document.
TEST(OtelDocument, KeepsAReferenceToAnExceptionThatIsTheStatusMessageToo) {
  Span span = ServerSpan();
  span.status = StatusCode::kError;
  span.status_message = "3e9e11e3ab3fba60";
  span.attributes = {Text("aws.xray.cause", "3e9e11e3ab3fba60")};
  const std::string document = EncodeOne(span);
  EXPECT_THAT(document, HasSubstr(R"("cause":"3e9e11e3ab3fba60")"));
  EXPECT_THAT(document, Not(HasSubstr(R"("status":{)")));
}

TEST(OtelDocument, PutsListedAttributesIntoAnnotations) {
  Span span = ServerSpan();
  AttributeValue::KvList list;
  list.entries = {{.key = "k", .value = {.value = 1.5}}};
  span.attributes = {Int("a-b", 1),
                     Text("plain", "p"),
                     {.key = "map", .value = {.value = list}},
                     Texts("aws.xray.annotations", {"a-b", "map", "gone"}),
                     Text("enduser.id", "u")};
  const std::string document = EncodeOne(span);
  EXPECT_THAT(document, HasSubstr(R"("annotations":{"a_b":1})"));
  EXPECT_THAT(document, HasSubstr(R"("user":"u")"));
  EXPECT_THAT(
      document,
      HasSubstr(
          R"("default":{"otel.resource.service.name":"example.com","plain":"p","map":{"k":1.5}})"));
}

TEST(OtelDocument, SpreadsMetadataNamespaces) {
  Span span = ServerSpan();
  span.attributes = {Text("aws.xray.metadata.debug", R"({ "x" : [1] })"),
                     Text("aws.xray.metadata.DEFAULT", R"({"y":2})"),
                     Text("aws.xray.metadata.bad", "{no json"),
                     Text("aws.xray.metadata.otel", R"({"z":1})")};
  const std::string document = EncodeOne(span);
  EXPECT_THAT(document, HasSubstr(R"("debug":{"x":[1]})"));
  EXPECT_THAT(
      document,
      HasSubstr(
          R"("default":{"otel.resource.service.name":"example.com","aws.xray.metadata.bad":"{no json",)"
          R"("aws.xray.metadata.otel":"{\"z\":1}","y":2})"));
}

TEST(OtelDocument, LosesNothingThatXRayHasNoMemberFor) {
  Span span = ServerSpan();
  span.trace_state = "a=b";
  span.kind = SpanKind::kConsumer;
  auto scope = std::make_shared<model::Scope>();
  scope->name = "lib";
  scope->version = "1";
  scope->schema_url = "https://s";
  scope->attributes = {Int("n", 1)};
  scope->dropped_attributes = 2;
  span.scope = scope;
  auto resource = std::make_shared<model::Resource>(*span.resource);
  resource->schema_url = "https://r";
  resource->dropped_attributes = 3;
  resource->entity_refs = "\x1a\x01";
  span.resource = resource;
  span.events = {{.time_ns = 5, .name = "e", .attributes = {Int("x", 1)}, .dropped_attributes = 4}};
  span.links = {{.trace_id = span.trace_id,
                 .span_id = *model::SpanId::Parse("00000000000000aa"),
                 .trace_state = "c=d",
                 .attributes = {Text("l", "v")},
                 .dropped_attributes = 5,
                 .otel_flags = 1}};
  span.dropped_attributes = 6;
  span.dropped_events = 7;
  span.dropped_links = 8;
  span.attributes = {
      {.key = "bytes", .value = {.value = AttributeValue::Bytes{std::string("\0\xff", 2)}}},
      {.key = "nan", .value = {.value = std::numeric_limits<double>::quiet_NaN()}},
      {.key = "null", .value = {}},
      {.key = "twice", .value = {.value = std::int64_t{1}}},
      {.key = "twice", .value = {.value = std::int64_t{2}}}};
  const std::string document = EncodeOne(span);
  EXPECT_THAT(
      document,
      HasSubstr(
          R"("links":[{"trace_id":"1-4efaaf4d-1e8720b39541901950019ee5","id":"00000000000000aa","attributes":{"l":"v"}}])"));
  EXPECT_THAT(
      document,
      HasSubstr(
          R"("otel":{"name":"GET /","kind":"CONSUMER","trace_state":"a=b","scope":{"name":"lib","version":"1",)"
          R"("schema_url":"https://s","attributes":{"n":1},"dropped_attributes_count":2},)"
          R"("events":[{"time":0.000000005,"name":"e","attributes":{"x":1},"dropped_attributes_count":4}],)"
          R"("links":[{"trace_state":"c=d","flags":1,"dropped_attributes_count":5}],)"
          R"("resource":{"schema_url":"https://r","entity_refs":"GgE=","dropped_attributes_count":3},)"
          R"("dropped_attributes_count":6,"dropped_events_count":7,"dropped_links_count":8})"));
  EXPECT_THAT(document, HasSubstr(R"("bytes":"AP8=","nan":"NaN","null":null,"twice":2})"));
}

TEST(OtelDocument, GivesOrphansTheirPlaceAndResource) {
  const std::string document = EncodeOne(ChildSpan(SpanKind::kInternal));
  EXPECT_THAT(document, HasSubstr(R"("parent_id":"53995c3f42cd8ad8","type":"subsegment")"));
  EXPECT_THAT(document,
              HasSubstr(R"("otel":{"resource":{"attributes":{"service.name":"example.com"}}})"));
}

TEST(OtelDocument, CutsTheLongestTextsOfDocumentsBeyond64KiB) {
  Span span = ServerSpan();
  span.attributes = {Text("prompt", std::string(200'000, 'p')),
                     Text("short", std::string(2'000, 's'))};
  const std::string document = EncodeOne(span);
  EXPECT_LE(document.size(), std::size_t{64} << 10);
  EXPECT_THAT(document, HasSubstr("ppp...[truncated]"));
  EXPECT_THAT(document, HasSubstr(std::string(2'000, 's') + "\""));
}

TEST(OtelDocument, CanBeDecodedAgain) {
  Span call = ChildSpan(SpanKind::kClient);
  call.attributes = {Text("url.full", "https://h/x"), Text("http.request.method", "GET"),
                     Int("http.response.status_code", 500)};
  const auto entries = Encode({ServerSpan(), call});
  ASSERT_EQ(entries.size(), 1U);
  const Decoded d = Decode({entries[0].document});
  ASSERT_EQ(d.spans.size(), 2U);
  EXPECT_EQ(d.spans[1].start_ns, call.start_ns);
  EXPECT_EQ(d.spans[1].kind, SpanKind::kClient);
  EXPECT_EQ(Show(d.spans[1].Find("url.full")), "https://h/x");
  EXPECT_TRUE(d.spans[1].Has(model::kFault));
}

}  // namespace
}  // namespace fluoro::codec::xray
