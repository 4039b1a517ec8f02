// X-Ray members as attributes (docs/formats/attributes.md), and what real senders get wrong.
#include <gmock/gmock.h>

#include "codec/xray/test_support.h"

namespace fluoro::codec::xray {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string Segment(std::string_view more) {
  return R"({"name":"a","id":"70de5b6f19ff9a0a","trace_id":"1-581cf771-a006649127e371903a2de979",)"
         R"("start_time":1,"end_time":2,)" +
         std::string(more) + "}";
}
std::string Subsegment(std::string_view more) {
  return Segment(R"("type":"subsegment","parent_id":"53995c3f42cd8ad8",)" + std::string(more));
}

// "key=value" of every attribute in order; annotations as "@key=value".
std::vector<std::string> ShowAll(const std::vector<model::Attribute>& attributes) {
  std::vector<std::string> out;
  for (const model::Attribute& a : attributes) {
    out.push_back((a.role == model::AttributeRole::kAnnotation ? "@" : "") + a.key + "=" +
                  Show(&a.value));
  }
  return out;
}
std::vector<std::string> SpanAttributes(const std::string& document) {
  const Decoded d = Decode({document});
  EXPECT_THAT(d.unprocessed, IsEmpty()) << document;
  return d.spans.empty() ? std::vector<std::string>{} : ShowAll(d.spans[0].attributes);
}
std::vector<std::string> ResourceAttributes(const std::string& document) {
  const Decoded d = Decode({document});
  EXPECT_THAT(d.unprocessed, IsEmpty()) << document;
  return d.spans.empty() ? std::vector<std::string>{} : ShowAll(d.spans[0].resource->attributes);
}

TEST(XRayMapping, DescribesWhereASegmentRuns) {
  EXPECT_THAT(
      ResourceAttributes(Segment(
          R"("origin":"AWS::ECS::Fargate","resource_arn":"arn:x","service":{"version":"7","runtime":"CPython",)"
          R"("runtime_version":"3.11","compiler":"gc"},"aws":{"account_id":123456789012,)"
          R"("ec2":{"instance_id":"i-1","instance_type":"m5.large","ami_id":"ami-1","availability_zone":null},)"
          R"("ecs":{"container":"c","container_id":"cid","container_arn":"carn","cluster_arn":"clarn","task_arn":"tarn",)"
          R"("task_family":"fam","launch_type":"fargate","availability_zone":"us-west-2c"},)"
          R"("xray":{"sdk":"X-Ray for Node.js","sdk_version":"3.5.0","auto_instrumentation":true,"package":"p"},)"
          R"("cloudwatch_logs":[{"log_group":"g1","arn":"a1"},{"log_group":"g2"},{"arn":"a3"},7]})")),
      ElementsAre("service.name=a", "aws.xray.origin=AWS::ECS::Fargate", "cloud.platform=aws_ecs",
                  "aws.xray.resource_arn=arn:x", "cloud.account.id=123456789012",
                  "service.version=7", "process.runtime.name=CPython",
                  "process.runtime.version=3.11", "cloud.provider=aws", "host.id=i-1",
                  "host.type=m5.large", "host.image.id=ami-1", "container.name=c",
                  "container.id=cid", "aws.ecs.container.arn=carn", "aws.ecs.cluster.arn=clarn",
                  "aws.ecs.task.arn=tarn", "aws.ecs.task.family=fam", "aws.ecs.launchtype=fargate",
                  "cloud.availability_zone=us-west-2c", "telemetry.sdk.name=X-Ray for Node.js",
                  "telemetry.sdk.language=Node.js", "telemetry.sdk.version=3.5.0",
                  "aws.xray.auto_instrumentation=true", "aws.log.group.names=[g1, g2]",
                  "aws.log.group.arns=[a1, a3]"));
  EXPECT_THAT(
      ResourceAttributes(Segment(
          R"("aws":{"eks":{"pod":"p","cluster_name":"c","container_id":"i"},)"
          R"("elastic_beanstalk":{"environment":"e","version_label":"v","deployment_id":32},)"
          R"("tracing":{"sdk":"old"}})")),
      ElementsAre("service.name=a", "cloud.provider=aws", "k8s.pod.name=p", "k8s.cluster.name=c",
                  "container.id=i", "service.namespace=e", "service.instance.id=32",
                  "service.version=v", "telemetry.sdk.name=old"));
}

TEST(XRayMapping, TakesADeploymentsLabelOnlyForAVersionThatWasNotSent) {
  const struct {
    std::string_view members;
    std::string version;
  } cases[] = {
      {R"("service":{"version":"7"},"aws":{"elastic_beanstalk":{"version_label":"v"}})", "7"},
      {R"("service":{"version":"7"},"aws":{"elastic_beanstalk":{"version_label":null}})", "7"},
      {R"("service":{"version":""},"aws":{"elastic_beanstalk":{"version_label":"v"}})", "v"},
      {R"("service":{"runtime":"r"},"aws":{"elastic_beanstalk":{"version_label":"v"}})", "v"},
      {R"("aws":{"elastic_beanstalk":{"environment":"e"}})", ""},
  };
  for (const auto& c : cases) {
    std::vector<std::string> versions;
    for (std::string& attribute : ResourceAttributes(Segment(c.members))) {
      if (attribute.starts_with("service.version=")) versions.push_back(std::move(attribute));
    }
    if (c.version.empty()) {
      EXPECT_THAT(versions, IsEmpty()) << c.members;
    } else {
      EXPECT_THAT(versions, ElementsAre("service.version=" + c.version)) << c.members;
    }
  }
}

TEST(XRayMapping, TellsTheProviderByTheAwsBlock) {
  const struct {
    std::string_view members;
    std::string_view provider;
  } cases[] = {
      {R"("aws":{})", "aws"},       {R"("aws":{"operation":"Query"})", "aws"},
      {R"("aws":null)", "unknown"}, {R"("aws":"x")", "unknown"},
      {R"("aws":[])", "unknown"},   {R"("origin":"AWS::EC2::Instance")", "unknown"},
      {R"("user":"u")", "unknown"},
  };
  for (const auto& c : cases) {
    for (const std::string& document : {Segment(c.members), Subsegment(c.members)}) {
      const Decoded d = Decode({document});
      ASSERT_EQ(d.spans.size(), 1U) << document;
      EXPECT_EQ(Show(d.spans[0].resource->Find("cloud.provider")), c.provider) << document;
    }
  }
}

TEST(XRayMapping, SharesTheResourceOfSubsegmentsThatTellNothingOfTheirPlace) {
  const std::string bare = Subsegment(R"("namespace":"remote")");
  const std::string placed = Subsegment(R"("aws":{"ec2":{"instance_id":"i"}})");
  EXPECT_EQ(Decode({bare, bare, bare}).batch.resource_rows.size(), 1U);
  EXPECT_EQ(Decode({bare, placed, bare}).batch.resource_rows.size(), 3U);
  EXPECT_EQ(Decode({Segment(R"("user":"u")"), bare, bare}).batch.resource_rows.size(), 2U);
}

TEST(XRayMapping, GivesIndependentSubsegmentsAResourceWithoutAService) {
  EXPECT_THAT(
      ResourceAttributes(Subsegment(
          R"("origin":"AWS::EC2::Instance","service":{"version":"1"},"user":"u","resource_arn":"r",)"
          R"("aws":{"account_id":"1","xray":{"sdk":"opentelemetry for java"}})")),
      ElementsAre("cloud.provider=aws", "telemetry.sdk.name=opentelemetry for java",
                  "telemetry.sdk.language=java"));
  EXPECT_THAT(SpanAttributes(Subsegment(R"("user":"u","aws":{"account_id":"1"})")),
              ElementsAre("aws.account_id=1"));
  EXPECT_THAT(ResourceAttributes(Subsegment(R"("namespace":"aws")")),
              ElementsAre("cloud.provider=unknown"));
}

TEST(XRayMapping, ReadsHttp) {
  EXPECT_THAT(
      SpanAttributes(Segment(
          R"("user":"u1","http":{"request":{"method":"GET","url":"http://h/","user_agent":"ua",)"
          R"("client_ip":"1.2.3.4, 5.6.7.8","x_forwarded_for":true},"response":{"status":200,"content_length":86}})")),
      ElementsAre("enduser.id=u1", "http.request.method=GET", "url.full=http://h/",
                  "user_agent.original=ua", "aws.xray.x_forwarded_for=true",
                  "client.address=1.2.3.4, 5.6.7.8", "http.response.status_code=200",
                  "http.response_content_length=86"));
  // Node: strings where numbers belong, nothing as ""; Python: a list of addresses.
  EXPECT_THAT(
      SpanAttributes(Segment(
          R"("user":"","http":{"request":{"client_ip":["1.2.3.4","5.6.7.8"],"method":null},)"
          R"("response":{"status":"","content_length":"12"}})")),
      ElementsAre("client.address=1.2.3.4, 5.6.7.8", "http.response_content_length=12"));
  EXPECT_THAT(
      SpanAttributes(Segment(R"("http":{"response":{"status":"404","content_length":-1}})")),
      ElementsAre("http.response.status_code=404", "http.response_content_length=-1"));
  for (const std::string_view traced :
       {R"("traced":true)", R"("http":{"request":{"traced":true}})"}) {
    EXPECT_THAT(SpanAttributes(Subsegment(traced)), ElementsAre("aws.xray.traced=true"));
  }
}

TEST(XRayMapping, DropsMembersOfTheWrongType) {
  EXPECT_THAT(
      SpanAttributes(Segment(
          R"("user":{"x":1},"http":7,"aws":"x","sql":[],"cause":5,"annotations":[1],"links":{},"subsegments":"no",)"
          R"("error":"yes","origin":[])")),
      IsEmpty());
  EXPECT_THAT(SpanAttributes(Segment(
                  R"("http":{"request":[],"response":{"status":200.5,"content_length":{}}})")),
              IsEmpty());
}

TEST(XRayMapping, ReadsAwsCalls) {
  EXPECT_THAT(
      SpanAttributes(Subsegment(
          R"("namespace":"aws","aws":{"operation":"UpdateItem","region":"us-west-2","request_id":"r",)"
          R"("queue_url":"q","table_name":"t","table_names":["t","u"],"topic_arn":"ta","bucket_name":"b",)"
          R"("function_name":"f","resource_names":["x",null,"y"],"retries":2,"account_id":"1",)"
          R"("xray":{"sampling_rule_name":"r1","rule_name":"r2"}})")),
      ElementsAre("aws.xray.namespace=aws", "aws.service=a", "aws.account_id=1",
                  "aws.operation=UpdateItem", "aws.region=us-west-2", "aws.request_id=r",
                  "aws.queue_url=q", "aws.table_name=t", "aws.dynamodb.table_names=[t, u]",
                  "aws.sns.topic.arn=ta", "aws.s3.bucket=b", "aws.lambda.function_name=f",
                  "aws.xray.resource_names=[x, y]", "aws.xray.retries=2",
                  "aws.xray.sampling_rule=r1"));
  EXPECT_THAT(SpanAttributes(Segment(R"("aws":{"xray":{"rule_name":"Default"}})")),
              ElementsAre("aws.xray.sampling_rule=Default"));
  // Only what is called there has the name of an AWS service.
  EXPECT_THAT(SpanAttributes(Segment(R"("namespace":"aws")")), IsEmpty());
  EXPECT_THAT(SpanAttributes(Subsegment(R"("namespace":"remote")")),
              ElementsAre("aws.xray.namespace=remote"));
}

TEST(XRayMapping, ReadsSql) {
  EXPECT_THAT(
      SpanAttributes(Subsegment(
          R"("namespace":"remote","sql":{"url":"jdbc:x","connection_string":"y","database_type":"PostgreSQL",)"
          R"("user":"u","sanitized_query":"SELECT 1","preparation":"statement"})")),
      ElementsAre("aws.xray.namespace=remote", "aws.xray.sql=true", "db.query.text=SELECT 1",
                  "db.system.name=PostgreSQL", "db.user=u", "db.connection_string=jdbc:x"));
  EXPECT_THAT(SpanAttributes(Subsegment(R"("sql":{})")), ElementsAre("aws.xray.sql=true"));
  EXPECT_THAT(SpanAttributes(Subsegment(R"("sql":{"url":"","connection_string":"a//b/c"})")),
              ElementsAre("aws.xray.sql=true", "db.connection_string=a//b/c"));
}

TEST(XRayMapping, SplitsTheUrlOfADatabaseFromItsName) {
  const struct {
    std::string url;
    std::string connection;
    std::string database;  // empty: the URL stays whole
  } cases[] = {
      {"jdbc:postgresql://aawijb5u25wdoy.cpamxznpdoq8.us-west-2.rds.amazonaws.com:5432/ebdb",
       "jdbc:postgresql://aawijb5u25wdoy.cpamxznpdoq8.us-west-2.rds.amazonaws.com:5432", "ebdb"},
      {"mysql://u@h/shop?useSSL=false", "mysql://u@h", "shop"},
      {"mysql://h/a/b", "mysql://h/a", "b"},
      {"mysql://h/shop/", "mysql://h", "shop/"},
      {"mysql://h/shop?x=/y", "mysql://h/shop?x=", "y"},  // so does the receiver
      {"mysql://h/?a=b", "mysql://h/?a=b", ""},
      {"mysql://h/", "mysql://h/", ""},
      {"mysql://h", "mysql://h", ""},
      {"//h/shop", "//h/shop", ""},
      {"jdbc:oracle:thin:@h:1521:orcl", "jdbc:oracle:thin:@h:1521:orcl", ""},
      {"a///b", "a///b", ""},
      {"a//b/c", "a//b", "c"},
      {"/", "/", ""},
  };
  for (const auto& c : cases) {
    const Decoded d = Decode({Subsegment(R"("sql":{"url":")" + c.url + R"("})")});
    ASSERT_EQ(d.spans.size(), 1U) << c.url;
    EXPECT_EQ(Show(d.spans[0].Find("db.connection_string")), c.connection) << c.url;
    EXPECT_EQ(Show(d.spans[0].Find("db.namespace")), c.database) << c.url;
  }
}

TEST(XRayMapping, TakesOnlyAwsAndRemoteAsNamespace) {
  for (const std::string_view value : {"\"local\"", "\"\"", "null", "\"other\"", "1"}) {
    const Decoded d = Decode({Subsegment("\"namespace\":" + std::string(value))});
    ASSERT_EQ(d.spans.size(), 1U) << value;
    EXPECT_THAT(d.spans[0].attributes, IsEmpty()) << value;
    EXPECT_EQ(d.spans[0].kind, model::SpanKind::kInternal) << value;
  }
}

TEST(XRayMapping, IndexesScalarAnnotations) {
  const Decoded d = Decode({Segment(
      R"("annotations":{"s":"text","i":124,"big":123456789012345678901234567890,"f":1.5,"e":1e3,"t":true,)"
      R"("dotted.key":"d","nan":NaN,"inf":-Infinity,"a":[1],"o":{},"n":null,"":"no key","over":1e999,)"
      R"("twice":1,"twice":"last","esc\u0061ped":"\u00e9"})")});
  ASSERT_EQ(d.spans.size(), 1U);
  EXPECT_THAT(
      ShowAll(d.spans[0].attributes),
      ElementsAre("@s=text", "@i=124", "@big=123456789012345677877719597056.000000", "@f=1.500000",
                  "@e=1000.000000", "@t=true", "@dotted.key=d", "@twice=last", "@escaped=\u00e9"));
  EXPECT_EQ(d.spans[0].dropped_attributes, 4U);
  EXPECT_EQ(d.stats.dropped_attributes, 4U);
  EXPECT_EQ(JsonDifference(R"({"nan":null,"inf":null})", R"({"nan":NaN,"inf":-Infinity})"), "");
  EXPECT_EQ(d.spans[0].document.find("NaN"), std::string::npos);
}

TEST(XRayMapping, TakesTheLastOfManyEqualAnnotations) {
  std::string members;
  for (int round = 0; round < 3; ++round) {
    for (int key = 0; key < 100; ++key) {
      members +=
          (members.empty() ? "\"k" : ",\"k") + std::to_string(key) + "\":" + std::to_string(round);
    }
  }
  const Decoded d = Decode({Segment("\"annotations\":{" + members + "}")});
  ASSERT_EQ(d.spans.size(), 1U);
  EXPECT_EQ(d.spans[0].attributes.size(), 100U);
  for (const auto& attribute : d.spans[0].attributes) EXPECT_EQ(Show(&attribute.value), "2");
}

TEST(XRayMapping, KeepsFlags) {
  const struct {
    std::string_view members;
    std::uint32_t flags;
    model::StatusCode status;
  } cases[] = {
      {R"("fault":true)", model::kFault, model::StatusCode::kError},
      {R"("error":true,"throttle":true)", model::kError | model::kThrottle,
       model::StatusCode::kError},
      {R"("error":false,"fault":false,"throttle":false)", 0, model::StatusCode::kUnset},
      {R"("http":{"response":{"status":404}})", 0, model::StatusCode::kError},
      {R"("http":{"response":{"status":399}})", 0, model::StatusCode::kUnset},
      {R"("http":{"response":{"status":100}})", 0, model::StatusCode::kUnset},
      {R"("http":{"response":{"status":99}})", 0, model::StatusCode::kError},
      {R"("http":{"response":{"status":0}})", 0, model::StatusCode::kError},
      {R"("http":{"response":{"status":""}})", 0, model::StatusCode::kUnset},
      {R"("throttle":true)", model::kThrottle, model::StatusCode::kUnset},
      {R"("cause":"53995c3f42cd8ad8")", 0, model::StatusCode::kError},
      {R"("cause":{"id":"53995c3f42cd8ad8"},"http":{"response":{"status":200}})", 0,
       model::StatusCode::kError},
      {R"("cause":{"exceptions":[{"message":"m"}]},"fault":false)", 0, model::StatusCode::kError},
      {R"("cause":"")", 0, model::StatusCode::kUnset},
      {R"("cause":null)", 0, model::StatusCode::kUnset},
      {R"("cause":5)", 0, model::StatusCode::kUnset},
      {R"("inferred":true)", model::kSentInferred, model::StatusCode::kUnset},
      {R"("Dummy":false,"stubbed":true)", 0, model::StatusCode::kUnset},
      {R"("type":"segment")", 0, model::StatusCode::kUnset},
  };
  for (const auto& c : cases) {
    const Decoded d = Decode({Segment(c.members)});
    ASSERT_EQ(d.spans.size(), 1U) << c.members;
    EXPECT_EQ(d.spans[0].flags, c.flags | model::kSegment) << c.members;
    EXPECT_EQ(d.spans[0].status, c.status) << c.members;
  }
}

// Shows each event as the values of type, message, id, stack, remote, truncated, skipped, cause.
std::vector<std::string> ShowExceptions(const model::Span& span) {
  std::vector<std::string> out;
  for (const model::Event& event : span.events) {
    EXPECT_EQ(event.name, "exception");
    std::string line;
    for (const std::string_view key :
         {"exception.type", "exception.message", "aws.xray.exception.id", "exception.stacktrace",
          "aws.xray.exception.remote", "aws.xray.exception.truncated", "aws.xray.exception.skipped",
          "aws.xray.exception.cause"}) {
      line += (line.empty() ? "" : "|") + Show(event.Find(key));
    }
    out.push_back(line);
  }
  return out;
}

TEST(XRayMapping, ReadsEverySendersCause) {
  // A reference: Python, .NET, Java; any text.
  EXPECT_THAT(SpanAttributes(Segment(R"("cause":"abcdefghijklmnop")")),
              ElementsAre("aws.xray.cause=abcdefghijklmnop"));
  EXPECT_EQ(Decode({Segment(R"("cause":"abcdefghijklmnop")")}).spans[0].status_message,
            "abcdefghijklmnop");
  // Node: the id of the subsegment that holds it.
  for (const std::string_view cause :
       {R"({"id":"53995c3f42cd8ad8","exceptions":[]})", R"({"id":"53995c3f42cd8ad8"})",
        R"({"id":"53995c3f42cd8ad8","message":"m"})"}) {
    const Decoded d = Decode({Segment("\"cause\":" + std::string(cause))});
    EXPECT_EQ(Show(d.spans[0].Find("aws.xray.cause")), "53995c3f42cd8ad8") << cause;
    EXPECT_EQ(d.spans[0].status_message, "") << cause;
    EXPECT_THAT(d.spans[0].events, IsEmpty()) << cause;
  }
  // Full.
  Decoded d = Decode({Segment(
      R"("cause":{"working_directory":"/w","paths":["a"],"exceptions":[{"id":"3e9e11e3ab3fba60","type":"T","message":"m",)"
      R"("remote":true,"truncated":2,"skipped":1,"cause":"3e9e11e3ab3fba61",)"
      R"("stack":[{"path":"p.go","line":203,"label":"main"},{"path":null,"line":null},{"label":"x"},7]}]})")});
  ASSERT_EQ(d.spans.size(), 1U);
  EXPECT_THAT(
      ShowExceptions(d.spans[0]),
      ElementsAre(
          "T|m|3e9e11e3ab3fba60|T: m\n\tat main(p.go: 203)\n\tat <unknown>(<unknown>: <unknown>)\n"
          "\tat x(<unknown>: <unknown>)\n|true|2|1|3e9e11e3ab3fba61"));
  EXPECT_EQ(d.spans[0].events[0].time_ns, 2'000'000'000);
  // Ruby, Java: exceptions without ids get stable ones.
  const std::string ruby =
      Segment(R"("cause":{"exceptions":[{"message":"m1","type":""},{"message":"m2"}]})");
  d = Decode({ruby});
  ASSERT_EQ(d.spans[0].events.size(), 2U);
  const std::string id = Show(d.spans[0].events[0].Find("aws.xray.exception.id"));
  EXPECT_EQ(id.size(), 16U);
  EXPECT_NE(id, Show(d.spans[0].events[1].Find("aws.xray.exception.id")));
  EXPECT_EQ(id, Show(Decode({ruby}).spans[0].events[0].Find("aws.xray.exception.id")));
  // Java: a message and nothing else.
  d = Decode({Segment(R"("cause":{"message":"boom","exceptions":[null]})")});
  ASSERT_EQ(d.spans[0].events.size(), 1U);
  EXPECT_EQ(Show(d.spans[0].events[0].Find("exception.message")), "boom");
}

TEST(XRayMapping, ReadsLinks) {
  const Decoded d = Decode({Segment(
      R"("links":[{"trace_id":"1-4efaaf4d-1e8720b39541901950019ee5","id":"53995c3f42cd8ad8",)"
      R"("attributes":{"a":"x","n":[1,{"b":2.5}]}},{"trace_id":"1-4efaaf4d-1e8720b39541901950019ee5"},{"id":"x"},7])")});
  ASSERT_EQ(d.spans.size(), 1U);
  ASSERT_EQ(d.spans[0].links.size(), 2U);
  EXPECT_EQ(d.spans[0].links[0].trace_id.ToHex(), "4efaaf4d1e8720b39541901950019ee5");
  EXPECT_EQ(d.spans[0].links[0].span_id.ToHex(), "53995c3f42cd8ad8");
  EXPECT_THAT(ShowAll(d.spans[0].links[0].attributes), ElementsAre("a=x", "n=[1, ?]"));
  EXPECT_TRUE(d.spans[0].links[1].span_id.IsZero());
  EXPECT_EQ(d.spans[0].dropped_links, 2U);
}

TEST(XRayMapping, CutsLongTextInColumnsOnly) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += "\u00e9";
  const std::string document =
      Segment("\"user\":\"" + text + "\",\"annotations\":{\"a\":\"" + text + "\"}");
  const Decoded d = Decode({document});
  ASSERT_EQ(d.spans.size(), 1U);
  EXPECT_EQ(Show(d.spans[0].Find("enduser.id")), text.substr(0, 500));
  EXPECT_EQ(Show(d.spans[0].FindAnnotation("a")), text);
  EXPECT_TRUE(d.spans[0].Has(model::kTruncated));
  EXPECT_EQ(d.stats.truncated_values, 1U);
  EXPECT_EQ(d.spans[0].document, document);
}

TEST(XRayMapping, RepairsInvalidUtf8AndHalfSurrogatePairs) {
  // Go cuts names on bytes.
  Decoded d = Decode({Segment("\"user\":\"caf\xc3\",\"annotations\":{\"\xff\":\"x\"}")});
  ASSERT_EQ(d.spans.size(), 1U);
  EXPECT_EQ(Show(d.spans[0].Find("enduser.id")), "caf\ufffd");
  EXPECT_EQ(Show(d.spans[0].FindAnnotation("\ufffd")), "x");
  EXPECT_TRUE(d.spans[0].Has(model::kTextRepaired));
  EXPECT_EQ(d.stats.repaired_texts, 1U);
  d = Decode({Segment(R"("user":"a\ud800b")")});
  EXPECT_EQ(Show(d.spans[0].Find("enduser.id")), "a\ufffdb");
  EXPECT_TRUE(d.spans[0].Has(model::kTextRepaired));
}

TEST(XRayMapping, AcceptsPythonsEmbeddedSubsegments) {
  const Decoded d = Decode({Segment(
      R"("in_progress":false,"subsegments":[{"id":"53995c3f42cd8ad8","name":"## f","start_time":1.25,"end_time":1.5,)"
      R"("in_progress":false,"trace_id":"1-581cf771-a006649127e371903a2de979","type":"subsegment",)"
      R"("parent_id":"ffffffffffffffff","namespace":"local","precursor_ids":["x"]}])")});
  ASSERT_EQ(d.spans.size(), 2U);
  EXPECT_EQ(d.spans[1].parent_id, d.spans[0].span_id);
  EXPECT_EQ(d.spans[1].flags, model::kSubsegment);
  EXPECT_EQ(d.spans[1].name, "## f");
  EXPECT_EQ(d.spans[1].start_ns, 1'250'000'000);
}

TEST(XRayMapping, TakesTheLastOfEqualNamesAndClampsTimes) {
  const Decoded d =
      Decode({Segment(R"("name":"b","n\u0061me":"c","start_time":"5","end_time":4.5)")});
  ASSERT_EQ(d.spans.size(), 1U);
  EXPECT_EQ(d.spans[0].name, "c");
  EXPECT_EQ(d.spans[0].start_ns, 5'000'000'000);
  EXPECT_EQ(d.spans[0].end_ns, 5'000'000'000);
}

TEST(XRayMapping, KeepsAParentOfASegmentOnlyIfItIsAnId) {
  EXPECT_EQ(Decode({Segment(R"("parent_id":"53995C3F42CD8AD8")")}).spans[0].parent_id.ToHex(),
            "53995c3f42cd8ad8");
  for (const std::string_view bad : {"\"\"", "\"x\"", "\"0000000000000000\"", "7", "null"}) {
    EXPECT_TRUE(Decode({Segment("\"parent_id\":" + std::string(bad))}).spans[0].parent_id.IsZero())
        << bad;
  }
}

}  // namespace
}  // namespace fluoro::codec::xray
