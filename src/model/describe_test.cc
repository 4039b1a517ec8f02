#include <gmock/gmock.h>

#include "model/testing.h"

namespace fluoro::model {
namespace {

using testing::OtelSpan;
using testing::SpanBuilder;
using testing::TestSpanId;
using testing::XRaySegment;
using testing::XRaySubsegment;

Entity Described(const Span& span, const DescribeOptions& options = {}) {
  Entity entity = DescribeSpan(span, options).entity;
  entity.span = nullptr;  // the span may be a temporary
  return entity;
}

TEST(DescribeSpan, ServerSpanIsASegmentOfItsService) {
  const Span span = OtelSpan(1, SpanKind::kServer, "GET /")
                        .Service("example.com")
                        .BetweenNs(1478293361271000000, 1478293361449000000)
                        .Set("http.request.method", "GET")
                        .Set("http.response.status_code", 200);
  const Entity entity = Described(span);
  EXPECT_EQ(entity.role, EntityRole::kSegment);
  EXPECT_EQ(entity.name, "example.com");
  EXPECT_EQ(entity.name_space, "");
  EXPECT_EQ(entity.http.method, "GET");
  EXPECT_EQ(entity.http.status, 200);
  EXPECT_EQ(entity.outcome(), Outcome::kOk);
  EXPECT_EQ(entity.duration_ns(), 178'000'000);
}

TEST(DescribeSpan, SpansWithoutParentAreNamedAfterTheirService) {
  for (const SpanKind kind : {SpanKind::kUnspecified, SpanKind::kInternal, SpanKind::kProducer,
                              SpanKind::kConsumer, SpanKind::kServer}) {
    const Entity entity =
        Described(OtelSpan(1, kind, "job").Service("batch").Set("peer.service", "queue"));
    EXPECT_EQ(entity.role, EntityRole::kSegment) << static_cast<int>(kind);
    EXPECT_EQ(entity.name, "batch") << static_cast<int>(kind);
  }
}

TEST(DescribeSpan, RootClientSpanBecomesTwoDocuments) {
  const Span span = OtelSpan(1, SpanKind::kClient, "GET")
                        .Service("cron")
                        .Set("server.address", "api.example.com")
                        .Set("http.request.method", "GET")
                        .Set("http.response.status_code", 503)
                        .Between(0, 5);
  const SpanDescription both = DescribeSpan(span);
  ASSERT_TRUE(both.service_segment);
  const Entity& segment = *both.service_segment;
  EXPECT_EQ(both.entity.role, EntityRole::kSubsegment);
  EXPECT_EQ(both.entity.id, TestSpanId(1));
  EXPECT_EQ(both.entity.parent_id, segment.id);
  EXPECT_EQ(both.entity.name, "api.example.com");
  EXPECT_EQ(both.entity.name_space, "remote");
  EXPECT_EQ(segment.role, EntityRole::kSegment);
  EXPECT_EQ(segment.name, "cron");
  EXPECT_EQ(segment.name_space, "");
  EXPECT_TRUE(segment.http.empty());
  EXPECT_TRUE(segment.synthetic);
  EXPECT_TRUE(segment.fault);
  EXPECT_TRUE(segment.parent_id.IsZero());
  EXPECT_EQ(DescribeSpan(span).service_segment->id, segment.id) << "ids are derived, not random";
}

TEST(DescribeSpan, ExporterNamesKeepARootClientSpanOneSegment) {
  const SpanDescription one =
      DescribeSpan(OtelSpan(1, SpanKind::kClient, "GET").Service("cron"), {.exporter_names = true});
  EXPECT_FALSE(one.service_segment);
  EXPECT_EQ(one.entity.role, EntityRole::kSegment);
  EXPECT_EQ(one.entity.name, "GET");
  EXPECT_EQ(one.entity.name_space, "remote");
}

TEST(DescribeSpan, AwsApiCallIsAnAwsSubsegment) {
  const Entity entity = Described(OtelSpan(2, SpanKind::kClient, "S3.ListBuckets")
                                      .Parent(1)
                                      .Set("rpc.system", "aws-api")
                                      .Set("rpc.service", "S3")
                                      .Set("rpc.method", "ListBuckets"));
  EXPECT_EQ(entity.role, EntityRole::kSubsegment);
  EXPECT_EQ(entity.name, "S3");
  EXPECT_EQ(entity.name_space, "aws");
  EXPECT_EQ(entity.aws_operation, "ListBuckets");
}

TEST(DescribeSpan, LocalRootClientIsTwoDocuments) {
  const Span span = OtelSpan(2, SpanKind::kClient, "S3.ListBuckets")
                        .Parent(1)
                        .Service("other")
                        .Set("aws.span.kind", "LOCAL_ROOT")
                        .Set("aws.local.service", "app")
                        .Set("aws.remote.service", "AWS::S3")
                        .Set("rpc.system", "aws-api")
                        .Set("rpc.method", "ListBuckets");
  const SpanDescription both = DescribeSpan(span);
  ASSERT_TRUE(both.service_segment);
  EXPECT_EQ(both.entity.name, "S3");
  EXPECT_EQ(both.entity.name_space, "aws");
  EXPECT_EQ(both.service_segment->name, "app");
  EXPECT_EQ(both.service_segment->parent_id, TestSpanId(1));
  EXPECT_EQ(both.service_segment->aws_operation, "");
}

TEST(DescribeSpan, LocalRootServerAndInternalAreSegments) {
  for (const SpanKind kind : {SpanKind::kServer, SpanKind::kInternal}) {
    const SpanDescription one = DescribeSpan(OtelSpan(2, kind, "x")
                                                 .Parent(1)
                                                 .Set("aws.span.kind", "LOCAL_ROOT")
                                                 .Set("aws.local.service", "app"));
    EXPECT_FALSE(one.service_segment);
    EXPECT_EQ(one.entity.role, EntityRole::kSegment);
    EXPECT_EQ(one.entity.name, "app");
  }
}

TEST(DescribeSpan, ConsumerWithARemoteParentEntersItsService) {
  const SpanBuilder consumer =
      OtelSpan(2, SpanKind::kConsumer, "orders process").Parent(1).Service("worker");
  EXPECT_EQ(Described(consumer).role, EntityRole::kSubsegment);
  EXPECT_EQ(Described(SpanBuilder(consumer).OtelFlags(0x301)).role, EntityRole::kSegment);
  EXPECT_EQ(Described(consumer, {.service_entry = true}).role, EntityRole::kSegment);
}

TEST(DescribeSpan, NamesFollowTheirOrder) {
  struct Case {
    SpanKind kind;
    std::vector<std::pair<std::string, std::string>> attributes;
    std::string name;
    std::string name_space;
  };
  const std::vector<Case> cases = {
      {SpanKind::kClient, {{"aws.remote.service", "pay"}, {"peer.service", "x"}}, "pay", "remote"},
      {SpanKind::kProducer, {{"aws.remote.service", "q"}}, "q", "remote"},
      {SpanKind::kInternal, {{"aws.remote.service", "q"}}, "op", ""},
      {SpanKind::kClient, {{"peer.service", "x"}, {"aws.service", "y"}}, "x", "remote"},
      {SpanKind::kClient, {{"aws.service", "DynamoDB"}}, "DynamoDB", "aws"},
      {SpanKind::kClient,
       {{"db.name", "customers"}, {"db.connection_string", "jdbc:mysql://u@db.example.com:3306"}},
       "customers@db.example.com",
       "remote"},
      {SpanKind::kClient, {{"db.name", "customers"}}, "customers", "remote"},
      {SpanKind::kClient,
       {{"db.namespace", "customers"}, {"server.address", "db.example.com"}},
       "customers@db.example.com",
       "remote"},
      {SpanKind::kClient,
       {{"db.namespace", "customers"}, {"aws.xray.sql", "true"}},
       "op",
       "remote"},
      {SpanKind::kClient,
       {{"rpc.service", "cart.Cart"}, {"http.host", "h"}},
       "cart.Cart",
       "remote"},
      {SpanKind::kClient, {{"rpc.method", "cart.Cart/Add"}}, "cart.Cart", "remote"},
      {SpanKind::kClient, {{"http.host", "h:80"}, {"net.peer.name", "p"}}, "h:80", "remote"},
      {SpanKind::kClient, {{"net.peer.name", "p"}}, "p", "remote"},
      {SpanKind::kClient, {{"server.address", "s"}}, "s", "remote"},
      {SpanKind::kInternal, {{"server.address", "s"}}, "op", ""},
      {SpanKind::kClient, {}, "op", "remote"},
      {SpanKind::kClient, {{"peer.service", "???"}}, "op", "remote"},
  };
  for (const Case& c : cases) {
    SpanBuilder builder = OtelSpan(2, c.kind, "op").Parent(1).Service("own");
    for (const auto& [key, value] : c.attributes) builder.Set(key, value);
    const Entity entity = Described(builder);
    EXPECT_EQ(entity.name, c.name);
    EXPECT_EQ(entity.name_space, c.name_space) << c.name;
  }
}

TEST(DescribeSpan, NothingLeftOfTheNameGivesSpan) {
  EXPECT_EQ(Described(OtelSpan(2, SpanKind::kInternal, "???").Parent(1)).name, "span");
}

TEST(DescribeSpan, FlagsAsSentElseByStatus) {
  struct Case {
    std::uint32_t sent;
    int status;
    StatusCode code;
    std::string flags;  // f, e, t
  };
  const auto print = [](const Entity& e) {
    return std::string(e.fault ? "f" : "") + (e.error ? "e" : "") + (e.throttle ? "t" : "");
  };
  const std::vector<Case> xray = {
      {0, 200, StatusCode::kUnset, ""},
      {0, 404, StatusCode::kUnset, "e"},
      {0, 429, StatusCode::kUnset, "et"},
      {0, 503, StatusCode::kUnset, "f"},
      {0, 0, StatusCode::kError, ""},
      {SpanFlag::kError, 503, StatusCode::kError, "e"},
      {SpanFlag::kFault | SpanFlag::kThrottle, 200, StatusCode::kError, "ft"},
  };
  for (const Case& c : xray) {
    SpanBuilder builder = XRaySegment(1, "s").Flags(c.sent).Status(c.code);
    if (c.status != 0) builder.Set("http.response.status_code", c.status);
    EXPECT_EQ(print(Described(builder)), c.flags) << c.status;
  }
  const std::vector<Case> otel = {
      {0, 0, StatusCode::kError, "f"},    {0, 0, StatusCode::kUnset, ""},
      {0, 200, StatusCode::kError, "f"},  {0, 404, StatusCode::kError, "e"},
      {0, 429, StatusCode::kUnset, "et"}, {0, 500, StatusCode::kUnset, "f"},
      {0, 600, StatusCode::kUnset, ""},
  };
  for (const char* key : {"http.status_code", "http.response.status_code"}) {
    for (const Case& c : otel) {
      SpanBuilder builder = OtelSpan(1, SpanKind::kServer, "s").Status(c.code);
      if (c.status != 0) builder.Set(key, c.status);
      EXPECT_EQ(print(Described(builder)), c.flags) << c.status;
    }
  }
}

TEST(DescribeSpan, StatusMessageIsTheCauseWhereNoExceptionIs) {
  const Entity entity =
      Described(OtelSpan(1, SpanKind::kServer, "s").Status(StatusCode::kError, "boom"));
  EXPECT_TRUE(entity.fault);
  ASSERT_EQ(entity.exceptions.size(), 1U);
  EXPECT_EQ(entity.exceptions[0].message, "boom");
  EXPECT_EQ(entity.exceptions[0].type, "");
}

TEST(DescribeSpan, ExceptionEventsAreCausesWithoutFlags) {
  const Entity entity = Described(OtelSpan(2, SpanKind::kInternal, "s")
                                      .Parent(1)
                                      .Exception("java.io.IOException", "closed")
                                      .Exception("Other", "x"));
  EXPECT_EQ(entity.outcome(), Outcome::kOk);
  ASSERT_EQ(entity.exceptions.size(), 2U);
  EXPECT_EQ(entity.exceptions[0].type, "java.io.IOException");
  EXPECT_EQ(entity.exceptions[0].message, "closed");
  EXPECT_FALSE(entity.exceptions[0].remote);
  EXPECT_TRUE(Described(OtelSpan(2, SpanKind::kClient, "s").Parent(1).Exception("T", "m"))
                  .exceptions[0]
                  .remote);
}

TEST(DescribeSpan, AwsHttpFailureEventIsAnException) {
  const Entity entity = Described(
      OtelSpan(2, SpanKind::kClient, "s")
          .Parent(1)
          .Set("rpc.system", "aws-api")
          .Event("HTTP request failure",
                 {{"http.response.status_code", "503"}, {"aws.http.error_message", "slow down"}},
                 1'700'000'000'250'000'000));
  ASSERT_EQ(entity.exceptions.size(), 1U);
  EXPECT_EQ(entity.exceptions[0].type, "aws.http.error.event");
  EXPECT_EQ(entity.exceptions[0].message, "503@1700000000.250000@slow down");
  EXPECT_TRUE(entity.exceptions[0].remote);
}

TEST(DescribeSpan, BuildsUrlsOfOldAndNewNames) {
  struct Case {
    SpanKind kind;
    std::vector<std::pair<std::string, std::string>> attributes;
    std::optional<std::string> url;
  };
  const std::vector<Case> cases = {
      {SpanKind::kServer, {{"http.url", "https://a/b?c"}}, "https://a/b?c"},
      {SpanKind::kServer, {{"url.full", "https://a/b"}, {"http.url", "x"}}, "https://a/b"},
      {SpanKind::kServer,
       {{"http.scheme", "https"}, {"http.host", "a:8443"}, {"http.target", "/b?c"}},
       "https://a:8443/b?c"},
      {SpanKind::kServer,
       {{"url.scheme", "https"},
        {"server.address", "a"},
        {"server.port", "443"},
        {"url.path", "/b"},
        {"url.query", "c=1"}},
       "https://a/b?c=1"},
      {SpanKind::kServer,
       {{"http.method", "GET"}, {"net.host.name", "a"}, {"net.host.port", "81"}},
       "http://a:81/"},
      {SpanKind::kClient,
       {{"http.method", "GET"}, {"net.peer.name", "p"}, {"net.peer.port", "80"}},
       "http://p/"},
      {SpanKind::kClient, {{"http.method", "GET"}}, std::nullopt},
      {SpanKind::kClient, {{"server.address", "a"}}, std::nullopt},
  };
  for (const Case& c : cases) {
    SpanBuilder builder = OtelSpan(1, c.kind, "x").Parent(9);
    for (const auto& [key, value] : c.attributes) builder.Set(key, value);
    EXPECT_EQ(Described(builder).http.url, c.url) << c.url.value_or("none");
  }
}

TEST(DescribeSpan, ClientIpIsAnAddress) {
  const auto http = [](SpanBuilder builder) {
    return Described(builder.Set("http.request.method", "GET")).http;
  };
  const SpanBuilder server = OtelSpan(1, SpanKind::kServer, "x");
  EXPECT_EQ(http(SpanBuilder(server).Set("client.address", "203.0.113.9")).client_ip,
            "203.0.113.9");
  EXPECT_TRUE(http(SpanBuilder(server).Set("client.address", "203.0.113.9")).x_forwarded_for);
  EXPECT_FALSE(http(SpanBuilder(server).Set("client.address", "proxy.local")).client_ip);
  const HttpFields both =
      http(SpanBuilder(server).Set("http.client_ip", "203.0.113.9").Set("net.peer.ip", "10.0.0.1"));
  EXPECT_EQ(both.client_ip, "203.0.113.9");
  EXPECT_FALSE(both.x_forwarded_for);
  EXPECT_EQ(http(SpanBuilder(server).Set("network.peer.address", "::1")).client_ip, "::1");
}

TEST(DescribeSpan, OriginFollowsTheCloudPlatform) {
  const std::vector<std::tuple<std::string, std::string, std::string>> cases = {
      {"aws_ec2", "", "AWS::EC2::Instance"},
      {"aws_ecs", "fargate", "AWS::ECS::Fargate"},
      {"aws_ecs", "ec2", "AWS::ECS::EC2"},
      {"aws_ecs", "external", "AWS::ECS::Container"},
      {"aws_eks", "", "AWS::EKS::Container"},
      {"aws_elastic_beanstalk", "", "AWS::ElasticBeanstalk::Environment"},
      {"aws_app_runner", "", "AWS::AppRunner::Service"},
      {"aws_lambda", "", ""},
      {"gcp_cloud_run", "", ""},
  };
  for (const auto& [platform, launch, origin] : cases) {
    SpanBuilder builder = OtelSpan(1, SpanKind::kServer, "x").Resource("cloud.platform", platform);
    if (!launch.empty()) builder.Resource("aws.ecs.launchtype", launch);
    EXPECT_EQ(Described(builder).origin, origin) << platform;
    EXPECT_EQ(Described(builder.Resource("cloud.provider", "gcp")).origin, "") << platform;
  }
}

TEST(DescribeSpan, ReadsXRayMembers) {
  const Entity entity = Described(XRaySegment(1, "shop-web")
                                      .Parent(7)
                                      .Resource("aws.xray.origin", "AWS::ECS::Container")
                                      .Resource("cloud.account.id", "111122223333")
                                      .Resource("aws.xray.resource_arn", "arn:aws:x")
                                      .Resource("host.id", "i-0aa")
                                      .Resource("cloud.availability_zone", "us-east-1a")
                                      .Set("enduser.id", "alice")
                                      .Set("url.full", "https://shop.example.com/")
                                      .Set("client.address", "1.2.3.4, 5.6.7.8")
                                      .Set("user_agent.original", "curl")
                                      .Set("http.response_content_length", 12)
                                      .Set("aws.xray.cause", "1122334455667788"));
  EXPECT_EQ(entity.role, EntityRole::kSegment);
  EXPECT_EQ(entity.parent_id, TestSpanId(7));
  EXPECT_EQ(entity.origin, "AWS::ECS::Container");
  EXPECT_EQ(entity.account_id, "111122223333");
  EXPECT_EQ(entity.resource_arn, "arn:aws:x");
  EXPECT_EQ(entity.instance_id, "i-0aa");
  EXPECT_EQ(entity.availability_zone, "us-east-1a");
  EXPECT_EQ(entity.user, "alice");
  EXPECT_EQ(entity.http.url, "https://shop.example.com/");
  EXPECT_EQ(entity.http.client_ip, "1.2.3.4, 5.6.7.8");
  EXPECT_EQ(entity.http.content_length, 12);
  EXPECT_EQ(entity.cause_reference, "1122334455667788");
}

TEST(DescribeSpan, XRaySubsegmentKeepsItsOwnNameAndNamespace) {
  const Entity entity = Described(XRaySubsegment(2, 1, "db@host", "remote")
                                      .Service("segment")
                                      .Resource("cloud.account.id", "1")
                                      .Resource("aws.xray.origin", "AWS::EC2::Instance")
                                      .Set("aws.xray.traced", true)
                                      .Set("aws.xray.sql", true)
                                      .Set("aws.account_id", "2"));
  EXPECT_EQ(entity.name, "db@host");
  EXPECT_EQ(entity.name_space, "remote");
  EXPECT_EQ(entity.account_id, "2");
  EXPECT_EQ(entity.origin, "");
  EXPECT_TRUE(entity.http.traced);
  EXPECT_TRUE(entity.has_sql);
  EXPECT_EQ(Described(XRaySubsegment(2, 1, "local work")).name_space, "");
}

// Its members as attributes tell other readers what the document says; here they change nothing.
TEST(DescribeSpan, XRaySpansAreNotRenamedByTheirAttributes) {
  const Entity sql = Described(XRaySubsegment(2, 1, "query", "remote")
                                   .Set("aws.xray.sql", true)
                                   .Set("db.connection_string", "mysql://h")
                                   .Set("db.namespace", "shop"));
  EXPECT_EQ(sql.name, "query");
  const Entity call = Described(XRaySubsegment(2, 1, "S3", "aws").Set("aws.service", "other"));
  EXPECT_EQ(call.name, "S3");
  EXPECT_EQ(call.name_space, "aws");
  for (const char* provider : {"aws", "unknown"}) {
    const Entity segment = Described(XRaySegment(1, "s")
                                         .Resource("cloud.provider", provider)
                                         .Resource("aws.xray.origin", "AWS::EC2::Instance")
                                         .Resource("cloud.account.id", "1"));
    EXPECT_EQ(segment.origin, "AWS::EC2::Instance") << provider;
    EXPECT_EQ(segment.account_id, "1") << provider;
  }
  const Entity failed = Described(XRaySegment(1, "s")
                                      .Status(StatusCode::kError, "1122334455667788")
                                      .Set("aws.xray.cause", "1122334455667788"));
  EXPECT_FALSE(failed.fault || failed.error);
  EXPECT_TRUE(failed.exceptions.empty());
  EXPECT_EQ(failed.cause_reference, "1122334455667788");
}

TEST(DescribeSpan, SqlOnlyForKnownSystems) {
  const auto has_sql = [](const char* key, const char* system) {
    return Described(OtelSpan(2, SpanKind::kClient, "q").Parent(1).Set(key, system)).has_sql;
  };
  EXPECT_TRUE(has_sql("db.system", "mysql"));
  EXPECT_TRUE(has_sql("db.system.name", "microsoft.sql_server"));
  EXPECT_FALSE(has_sql("db.system", "redis"));
}

TEST(DescribeSpan, AwsMembersUnderTheirNames) {
  const Entity entity =
      Described(OtelSpan(2, SpanKind::kClient, "x")
                    .Parent(1)
                    .Set("aws.dynamodb.table_names", std::vector<std::string>{"t"})
                    .Set("aws.table_name", "other")
                    .Set("messaging.url", "https://q")
                    .Set("aws.queue.url", "https://p")
                    .Set("aws.requestId", "r")
                    .Set("aws.operation", "PutItem")
                    .Set("rpc.method", "x")
                    .Set("aws.region", "eu-west-1"));
  EXPECT_EQ(entity.aws_table_name, "t");
  EXPECT_EQ(entity.aws_queue_url, "https://q");
  EXPECT_EQ(entity.aws_request_id, "r");
  EXPECT_EQ(entity.aws_operation, "PutItem");
  EXPECT_EQ(entity.aws_region, "eu-west-1");
}

TEST(AnnotationsOf, TakesAnnotationsAndListedAttributes) {
  const std::vector<KeyValue> annotations = AnnotationsOf(
      OtelSpan(1, SpanKind::kServer, "x")
          .Resource("k8s.pod.name", "p-1")
          .Set("a-b", 1)
          .Set("not_listed", 2)
          .Set("list", std::vector<std::string>{"x"})
          .Annotate("tenant", "acme")
          .Annotate("bad key", "x")
          .Set("aws.xray.annotations",
               std::vector<std::string>{"a-b", "list", "absent", "otel.resource.k8s.pod.name"}));
  EXPECT_THAT(annotations, ::testing::ElementsAre(
                               KeyValue{"tenant", testing::ToValue("acme")},
                               KeyValue{"a_b", testing::ToValue(1)},
                               KeyValue{"otel.resource.k8s.pod.name", testing::ToValue("p-1")}));
}

TEST(AnnotationsOf, LastOfEqualKeysWins) {
  const std::vector<KeyValue> annotations =
      AnnotationsOf(OtelSpan(1, SpanKind::kServer, "x")
                        .Set("a-b", 1)
                        .Set("a/b", 2)
                        .Set("aws.xray.annotations", std::vector<std::string>{"a-b", "a/b"}));
  EXPECT_THAT(annotations, ::testing::ElementsAre(KeyValue{"a_b", testing::ToValue(2)}));
}

}  // namespace
}  // namespace fluoro::model
