#include "model/assembly.h"

#include <gmock/gmock.h>

#include <random>
#include <set>

#include "model/testing.h"

namespace fluoro::model {
namespace {

using testing::AssembleSpans;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::OtelSpan;
using testing::SpanBuilder;
using testing::TestSpanId;
using ::testing::UnorderedElementsAre;
using testing::XRaySegment;
using testing::XRaySubsegment;

// "from[type] -> to[type]", links with "~>".
std::vector<std::string> Calls(const AssembledTrace& trace) {
  const auto print = [&](std::int32_t service) {
    const ServiceKey& key = trace.services[static_cast<std::size_t>(service)].key;
    return key.name + "[" + key.type + "]";
  };
  std::vector<std::string> calls;
  for (const Call& call : trace.calls) {
    calls.push_back(print(call.from) + (call.link ? " ~> " : " -> ") + print(call.to));
  }
  return calls;
}

const Entity& ById(const AssembledTrace& trace, std::uint64_t id) {
  return trace.entities[static_cast<std::size_t>(trace.Find(TestSpanId(id)))];
}

const Entity* Inferred(const AssembledTrace& trace) {
  for (const Entity& entity : trace.entities) {
    if (entity.role == EntityRole::kInferred) return &entity;
  }
  return nullptr;
}

TEST(Assemble, EmptyTraceHasNothing) {
  const AssembledTrace trace = AssembleSpans({});
  EXPECT_EQ(trace.Root(), nullptr);
  EXPECT_THAT(trace.entities, IsEmpty());
  EXPECT_THAT(trace.services, IsEmpty());
  EXPECT_EQ(trace.Find(TestSpanId(1)), -1);
}

TEST(Assemble, MinimalSegmentIsCalledByItsClient) {
  const AssembledTrace trace = AssembleSpans({XRaySegment(1, "example.com").Between(0, 178)});
  ASSERT_NE(trace.Root(), nullptr);
  EXPECT_EQ(trace.Root()->name, "example.com");
  EXPECT_THAT(Calls(trace), ElementsAre("example.com[client] -> example.com[]"));
  EXPECT_TRUE(trace.services[0].root);
  EXPECT_TRUE(trace.services[1].client);
  EXPECT_FALSE(trace.in_progress);
  EXPECT_EQ(trace.end_ns - trace.start_ns, 178'000'000);
}

TEST(Assemble, InProgressThenCompleteIsOneSegment) {
  const Span begun = XRaySegment(1, "example.com").InProgressSince(0);
  EXPECT_TRUE(AssembleSpans({begun}).in_progress);
  const AssembledTrace trace =
      AssembleSpans({begun, XRaySegment(1, "example.com").Between(0, 178)});
  EXPECT_FALSE(trace.in_progress);
  EXPECT_EQ(trace.entities.size(), 1U);
}

TEST(Assemble, IndependentSubsegmentSentBeforeItsSegmentIsAttached) {
  const Span call = XRaySubsegment(2, 1, "api", "remote")
                        .Flags(SpanFlag::kIndependent)
                        .Between(10, 20)
                        .Set("url.full", "https://api/health")
                        .Set("http.request.method", "GET")
                        .Set("http.response.status_code", 200);
  const AssembledTrace alone = AssembleSpans({call});
  EXPECT_EQ(alone.root, 0) << "the earliest orphan stands in";
  EXPECT_EQ(alone.entities[0].segment, -1);
  EXPECT_EQ(alone.entities[0].parent_id, TestSpanId(1));

  const AssembledTrace trace = AssembleSpans({call, XRaySegment(1, "example.com").Between(0, 178)});
  EXPECT_EQ(ById(trace, 2).parent, trace.root);
  const Entity* inferred = Inferred(trace);
  ASSERT_NE(inferred, nullptr);
  EXPECT_EQ(inferred->parent_id, TestSpanId(2));
  EXPECT_EQ(inferred->origin, "");
  EXPECT_EQ(inferred->http.url, "https://api/health");
  EXPECT_THAT(Calls(trace), UnorderedElementsAre("example.com[client] -> example.com[]",
                                                 "example.com[] -> api[remote]"));
  EXPECT_EQ(AssembleSpans({call}).entities[1].id, inferred->id) << "ids are derived";
}

TEST(Assemble, InferredNodesAreNamedByService) {
  struct Case {
    std::string name;
    std::string name_space;
    std::vector<std::pair<std::string, std::string>> attributes;
    std::string origin;
    ServiceKey node;
  };
  const std::vector<Case> cases = {
      {"DynamoDB",
       "aws",
       {{"aws.table_name", "t"}},
       "AWS::DynamoDB::Table",
       {"t", "AWS::DynamoDB::Table", ""}},
      {"dynamodb", "aws", {}, "AWS::DynamoDB", {"dynamodb", "AWS::DynamoDB", ""}},
      {"AmazonDynamoDBv2",
       "aws",
       {{"aws.table_name", "t"}},
       "AWS::DynamoDB::Table",
       {"t", "AWS::DynamoDB::Table", ""}},
      {"DynamoDB",
       "aws",
       {{"aws.xray.resource_names", "t2"}},
       "AWS::DynamoDB::Table",
       {"t2", "AWS::DynamoDB::Table", ""}},
      {"sqs",
       "aws",
       {{"aws.queue_url", "https://sqs/1/q"}},
       "AWS::SQS::Queue",
       {"https://sqs/1/q", "AWS::SQS::Queue", ""}},
      {"SQS", "aws", {}, "AWS::SQS", {"SQS", "AWS::SQS", ""}},
      {"sns", "aws", {{"aws.sns.topic.arn", "arn:t"}}, "AWS::SNS", {"SNS", "AWS::SNS", ""}},
      {"AmazonSNS", "aws", {}, "AWS::SNS", {"SNS", "AWS::SNS", ""}},
      {"S3", "aws", {}, "AWS::S3", {"S3", "AWS::S3", ""}},
      {"s3", "aws", {{"aws.s3.bucket", "b"}}, "AWS::S3", {"S3", "AWS::S3", ""}},
      {"Lambda",
       "aws",
       {{"aws.lambda.function_name", "fn"}},
       "AWS::Lambda",
       {"fn", "AWS::Lambda", ""}},
      {"SimpleSystemsManagement",
       "aws",
       {},
       "AWS::SimpleSystemsManagement",
       {"SimpleSystemsManagement", "AWS::SimpleSystemsManagement", ""}},
      {"db@host", "remote", {{"sql", ""}}, "Database::SQL", {"db@host", "Database::SQL", ""}},
      {"db@host", "", {{"sql", ""}}, "Database::SQL", {"db@host", "Database::SQL", ""}},
      {"api", "remote", {}, "", {"api", "remote", ""}},
      {"DynamoDB",
       "aws",
       {{"aws.account_id", "42"}},
       "AWS::DynamoDB",
       {"DynamoDB", "AWS::DynamoDB", "42"}},
      {"pay",
       "remote",
       {{"aws.remote.resource.type", "AWS::Kinesis::Stream"},
        {"aws.remote.resource.identifier", "clicks"}},
       "AWS::Kinesis::Stream",
       {"clicks", "AWS::Kinesis::Stream", ""}},
  };
  for (const Case& c : cases) {
    SpanBuilder call = XRaySubsegment(2, 1, c.name, c.name_space).Between(1, 2);
    for (const auto& [key, value] : c.attributes) {
      key == "sql" ? call.Set("aws.xray.sql", true) : call.Set(key, value);
    }
    const AssembledTrace trace = AssembleSpans({XRaySegment(1, "app").Between(0, 9), call});
    const Entity* inferred = Inferred(trace);
    ASSERT_NE(inferred, nullptr) << c.name;
    EXPECT_EQ(inferred->name, c.name) << "the document keeps the name";
    EXPECT_EQ(inferred->origin, c.origin);
    EXPECT_EQ(inferred->name_space, "");
    const ServiceNode& node = trace.services[static_cast<std::size_t>(inferred->service)];
    EXPECT_EQ(node.key, c.node) << node.key.name << " " << node.key.type;
    EXPECT_TRUE(node.inferred);
  }
}

TEST(Assemble, LocalSubsegmentsInferNothing) {
  const AssembledTrace trace = AssembleSpans(
      {XRaySegment(1, "app").Between(0, 9), XRaySubsegment(2, 1, "## work").Between(1, 2)});
  EXPECT_EQ(Inferred(trace), nullptr);
  EXPECT_EQ(trace.calls.size(), 1U);
}

TEST(Assemble, RealCalleeReplacesTheInferredOne) {
  const AssembledTrace trace =
      AssembleSpans({XRaySegment(1, "shop-web").Between(0, 80),
                     XRaySubsegment(2, 1, "cart.internal", "remote").Between(10, 70),
                     XRaySegment(3, "cart-api").Parent(2).Between(15, 65)});
  EXPECT_EQ(Inferred(trace), nullptr);
  EXPECT_THAT(Calls(trace),
              UnorderedElementsAre("shop-web[client] -> shop-web[]", "shop-web[] -> cart-api[]"));
  const Call& call = trace.calls.back();
  EXPECT_EQ(call.caller_entity, trace.Find(TestSpanId(2)));
  EXPECT_EQ(call.callee_entity, trace.Find(TestSpanId(3)));
  EXPECT_EQ(ById(trace, 3).segment, trace.Find(TestSpanId(3)));
  EXPECT_EQ(ById(trace, 2).segment, trace.root);
}

TEST(Assemble, SegmentCalledByASegmentIsItsOwnCallerEntity) {
  const AssembledTrace trace =
      AssembleSpans({XRaySegment(1, "fn").Resource("aws.xray.origin", "AWS::Lambda").Between(0, 9),
                     XRaySegment(2, "fn")
                         .Resource("aws.xray.origin", "AWS::Lambda::Function")
                         .Parent(1)
                         .Between(1, 8)});
  EXPECT_THAT(Calls(trace), UnorderedElementsAre("fn[client] -> fn[AWS::Lambda]",
                                                 "fn[AWS::Lambda] -> fn[AWS::Lambda::Function]"));
  EXPECT_EQ(trace.calls[1].caller_entity, trace.calls[1].callee_entity);
}

TEST(Assemble, TracedCallWaitsForItsCallee) {
  auto trace = std::make_shared<Trace>();
  trace->id = testing::TestTraceId();
  trace->last_arrival_ns = 100'000'000'000;
  trace->spans = {XRaySegment(1, "app").Between(0, 9),
                  XRaySubsegment(2, 1, "api", "remote").Between(1, 2).Set("aws.xray.traced", true)};
  EXPECT_EQ(Inferred(Assemble(trace, {.now_ns = 129'999'999'999})), nullptr);
  EXPECT_NE(Inferred(Assemble(trace, {.now_ns = 130'000'000'000})), nullptr);
  EXPECT_NE(Inferred(Assemble(trace)), nullptr);
  EXPECT_FALSE(Assemble(trace, {.now_ns = 0}).in_progress) << "waiting is not being partial";
}

TEST(Assemble, OtelClientSpanIsTheCallersSubsegmentForTheServerSpan) {
  const AssembledTrace trace = AssembleSpans(
      {OtelSpan(1, SpanKind::kServer, "GET /").Service("front").Between(0, 80),
       OtelSpan(2, SpanKind::kInternal, "render").Service("front").Parent(1).Between(1, 79),
       OtelSpan(3, SpanKind::kClient, "GET").Service("front").Parent(2).Between(10, 70),
       OtelSpan(4, SpanKind::kServer, "GET /cart").Service("cart").Parent(3).Between(15, 65),
       OtelSpan(5, SpanKind::kClient, "SELECT")
           .Service("cart")
           .Parent(4)
           .Set("db.system", "postgresql")
           .Set("db.namespace", "carts")
           .Set("server.address", "db")
           .Between(20, 30)});
  EXPECT_THAT(Calls(trace), UnorderedElementsAre("front[client] -> front[]", "front[] -> cart[]",
                                                 "cart[] -> carts@db[Database::SQL]"));
  EXPECT_EQ(ById(trace, 3).segment, trace.root);
  EXPECT_EQ(ById(trace, 5).segment, trace.Find(TestSpanId(4)));
}

TEST(Assemble, ServerUnderServerCallsWithItsOwnData) {
  const AssembledTrace trace = AssembleSpans(
      {OtelSpan(1, SpanKind::kServer, "GET /").Service("front").Between(0, 80),
       OtelSpan(4, SpanKind::kServer, "GET /cart").Service("cart").Parent(1).Between(15, 65)});
  EXPECT_THAT(Calls(trace), UnorderedElementsAre("front[client] -> front[]", "front[] -> cart[]"));
  EXPECT_EQ(trace.calls[1].caller_entity, trace.Find(TestSpanId(4)));
}

TEST(Assemble, SpansThatEnterAnotherServiceAreSegmentsWhateverTheirKind) {
  const AssembledTrace trace = AssembleSpans(
      {OtelSpan(1, SpanKind::kUnspecified, "Recv.").Service("front").Between(0, 80),
       OtelSpan(2, SpanKind::kUnspecified, "Send").Service("front").Parent(1).Between(1, 79),
       OtelSpan(3, SpanKind::kUnspecified, "Recv.").Service("cart").Parent(2).Between(10, 70),
       OtelSpan(4, SpanKind::kClient, "GET")
           .Service("proxy")
           .Parent(3)
           .Set("server.address", "api")
           .Between(20, 30)});
  EXPECT_THAT(Calls(trace), UnorderedElementsAre("front[client] -> front[]", "front[] -> cart[]",
                                                 "cart[] -> proxy[]", "proxy[] -> api[remote]"));
  EXPECT_EQ(ById(trace, 3).role, EntityRole::kSegment);
  EXPECT_EQ(ById(trace, 4).role, EntityRole::kSubsegment);
}

TEST(Assemble, SpansUnderASharedZipkinIdAreChildrenOfTheirServicesHalf) {
  const auto zipkin = [](std::uint64_t id, SpanKind kind, std::string_view service) {
    return OtelSpan(id, kind, "op").Source(SpanSource::kZipkin).Service(service);
  };
  const AssembledTrace trace = AssembleSpans(
      {zipkin(1, SpanKind::kServer, "front").Between(0, 80),
       zipkin(2, SpanKind::kClient, "front").Parent(1).Between(10, 70),
       // Sent with id 2 and `shared`, as the decoder leaves it.
       zipkin(3, SpanKind::kServer, "cart")
           .Parent(2)
           .Set("zipkin.id", TestSpanId(2).ToHex())
           .Between(15, 65),
       zipkin(4, SpanKind::kClient, "cart").Parent(2).Set("peer.service", "db").Between(20, 30),
       zipkin(5, SpanKind::kInternal, "cart").Parent(2).Between(30, 40),
       zipkin(6, SpanKind::kInternal, "front").Parent(2).Between(11, 12)});
  EXPECT_THAT(Calls(trace), UnorderedElementsAre("front[client] -> front[]", "front[] -> cart[]",
                                                 "cart[] -> db[remote]"));
  EXPECT_EQ(ById(trace, 4).parent, trace.Find(TestSpanId(3)));
  EXPECT_EQ(ById(trace, 5).parent, trace.Find(TestSpanId(3)));
  EXPECT_EQ(ById(trace, 6).parent, trace.Find(TestSpanId(2)));
  EXPECT_EQ(ById(trace, 3).parent, trace.Find(TestSpanId(2)));

  // The caller's half did not come.
  const AssembledTrace half = AssembleSpans(
      {zipkin(3, SpanKind::kServer, "cart").Parent(2).Set("zipkin.id", TestSpanId(2).ToHex()),
       zipkin(4, SpanKind::kServer, "stock").Parent(2).Between(20, 30),
       zipkin(5, SpanKind::kInternal, "price").Parent(2).Between(40, 50)});
  EXPECT_EQ(ById(half, 4).parent, half.Find(TestSpanId(3)));
  EXPECT_EQ(ById(half, 5).parent, half.Find(TestSpanId(3)));
  EXPECT_THAT(Calls(half), UnorderedElementsAre("cart[client] -> cart[]", "cart[] -> stock[]",
                                                "cart[] -> price[]"));
}

TEST(Assemble, RootClientSpanCallsFromASyntheticSegment) {
  const AssembledTrace trace = AssembleSpans(
      {OtelSpan(1, SpanKind::kClient, "GET").Service("cron").Between(0, 80),
       OtelSpan(2, SpanKind::kServer, "GET /").Service("api").Parent(1).Between(5, 70)});
  ASSERT_NE(trace.Root(), nullptr);
  EXPECT_TRUE(trace.Root()->synthetic);
  EXPECT_THAT(Calls(trace), UnorderedElementsAre("cron[client] -> cron[]", "cron[] -> api[]"));
  EXPECT_EQ(trace.entities[0].synthetic, true) << "the parent stands before the child";
  EXPECT_EQ(ById(trace, 1).parent, trace.root);
}

TEST(Assemble, InternalSpanWithoutItsParentIsAnOrphan) {
  const AssembledTrace trace = AssembleSpans(
      {OtelSpan(2, SpanKind::kInternal, "work").Service("s").Parent(1).Between(5, 9),
       OtelSpan(3, SpanKind::kInternal, "more").Service("s").Parent(2).Between(3, 9)});
  EXPECT_EQ(trace.root, trace.Find(TestSpanId(2)));
  EXPECT_EQ(trace.entities[0].segment, -1);
  EXPECT_EQ(trace.entities[1].segment, -1);
  EXPECT_THAT(trace.services, IsEmpty());
  EXPECT_THAT(trace.calls, IsEmpty());
}

TEST(Assemble, SegmentCalledByAnOrphanIsTheRoot) {
  const AssembledTrace trace =
      AssembleSpans({OtelSpan(2, SpanKind::kClient, "GET").Service("a").Parent(1).Between(0, 9),
                     OtelSpan(3, SpanKind::kServer, "GET /").Service("b").Parent(2).Between(1, 8)});
  EXPECT_EQ(trace.root, trace.Find(TestSpanId(3)));
  EXPECT_THAT(Calls(trace), ElementsAre("b[client] -> b[]"));
}

TEST(Assemble, TwoRootsEachHaveAClientAndTheEarlierIsTheRoot) {
  const AssembledTrace trace =
      AssembleSpans({OtelSpan(1, SpanKind::kServer, "x").Service("late").Between(5, 9),
                     OtelSpan(2, SpanKind::kServer, "x").Service("early").Between(1, 2)});
  EXPECT_EQ(trace.Root()->name, "early");
  EXPECT_THAT(Calls(trace),
              UnorderedElementsAre("late[client] -> late[]", "early[client] -> early[]"));
}

TEST(Assemble, SegmentsSentAsInferredAreNeverTheRoot) {
  const AssembledTrace trace = AssembleSpans(
      {XRaySegment(1, "app").Between(5, 9), XRaySubsegment(2, 1, "DynamoDB", "aws").Between(6, 7),
       XRaySegment(3, "DynamoDB")
           .Parent(2)
           .Flags(SpanFlag::kSentInferred)
           .Resource("aws.xray.origin", "AWS::DynamoDB::Table")
           .Set("aws.table_name", "t")
           .Between(6, 7),
       XRaySegment(4, "stray").Flags(SpanFlag::kSentInferred).Between(0, 1)});
  EXPECT_EQ(trace.Root()->name, "app");
  EXPECT_EQ(Inferred(trace), nullptr) << "the one that was sent stands";
  EXPECT_THAT(Calls(trace),
              UnorderedElementsAre("app[client] -> app[]", "app[] -> t[AWS::DynamoDB::Table]"));
}

TEST(Assemble, MessagesAndLinksAreAsynchronousCalls) {
  const AssembledTrace trace = AssembleSpans(
      {OtelSpan(1, SpanKind::kServer, "POST /").Service("shop").Between(0, 50),
       OtelSpan(2, SpanKind::kProducer, "orders publish").Service("shop").Parent(1).Between(5, 10),
       OtelSpan(3, SpanKind::kConsumer, "orders process")
           .Service("worker")
           .Parent(2)
           .Between(30, 40),
       OtelSpan(4, SpanKind::kConsumer, "orders audit")
           .Service("audit")
           .LinkTo(2)
           .Between(70, 80)});
  EXPECT_THAT(Calls(trace), UnorderedElementsAre("shop[client] -> shop[]", "shop[] ~> worker[]",
                                                 "shop[] ~> audit[]"));
  for (const Call& call : trace.calls) {
    if (!call.link) continue;
    EXPECT_EQ(call.caller_entity, trace.Find(TestSpanId(2)));
    const bool worker = call.callee_entity == trace.Find(TestSpanId(3));
    EXPECT_EQ(call.age_ns, worker ? 20'000'000 : 60'000'000);
  }
}

TEST(Assemble, SameServiceCallingItselfIsASelfEdge) {
  const AssembledTrace trace =
      AssembleSpans({OtelSpan(1, SpanKind::kServer, "x").Service("s").Between(0, 9),
                     OtelSpan(2, SpanKind::kClient, "x").Service("s").Parent(1).Between(1, 8),
                     OtelSpan(3, SpanKind::kServer, "x").Service("s").Parent(2).Between(2, 7)});
  EXPECT_THAT(Calls(trace), UnorderedElementsAre("s[client] -> s[]", "s[] -> s[]"));
}

TEST(Assemble, CyclesAreCutAtTheEarliestStart) {
  const AssembledTrace trace = AssembleSpans(
      {XRaySubsegment(1, 3, "a").Between(5, 6), XRaySubsegment(2, 1, "b").Between(4, 6),
       XRaySubsegment(3, 2, "c").Between(7, 8), XRaySubsegment(4, 4, "self").Between(9, 10)});
  EXPECT_EQ(ById(trace, 2).parent, -1);
  EXPECT_EQ(ById(trace, 2).parent_id, TestSpanId(1)) << "as sent";
  EXPECT_EQ(ById(trace, 3).parent, trace.Find(TestSpanId(2)));
  EXPECT_EQ(ById(trace, 1).parent, trace.Find(TestSpanId(3)));
  EXPECT_EQ(ById(trace, 4).parent, -1);
  EXPECT_EQ(trace.root, trace.Find(TestSpanId(2)));
}

TEST(Assemble, LongChainsAndCyclesEnd) {
  constexpr std::uint64_t kSpans = 30'000;
  for (const bool cycle : {false, true}) {
    std::vector<Span> spans;
    spans.reserve(kSpans);
    for (std::uint64_t i = 1; i <= kSpans; ++i) {
      const std::uint64_t parent = i > 1 ? i - 1 : cycle ? kSpans : 0;
      spans.push_back(
          OtelSpan(i, SpanKind::kInternal, "x").Service("s").Parent(parent).BetweenNs(0, 9));
    }
    const AssembledTrace trace = AssembleSpans(std::move(spans));
    EXPECT_EQ(trace.entities.size(), kSpans);
    EXPECT_GE(trace.root, 0);
  }
}

TEST(DeriveSpanId, DependsOnEachPart) {
  const TraceId trace_id = testing::TestTraceId();
  const SpanId id = DeriveSpanId(trace_id, TestSpanId(1), "a");
  EXPECT_EQ(id, DeriveSpanId(trace_id, TestSpanId(1), "a"));
  EXPECT_NE(id, DeriveSpanId(trace_id, TestSpanId(1), "b"));
  EXPECT_NE(id, DeriveSpanId(trace_id, TestSpanId(2), "a"));
  EXPECT_FALSE(id.IsZero());
}

// Random forests with cycles, orphans, self-parents, duplicates, both protocols.
std::vector<Span> RandomSpans(std::mt19937_64& rng) {
  const auto below = [&](std::uint64_t n) { return rng() % n; };
  const std::uint64_t count = 1 + below(40);
  std::vector<Span> spans;
  for (std::uint64_t i = 1; i <= count; ++i) {
    const std::uint64_t id = below(20) == 0 ? 1 + below(count) : i;
    const std::uint64_t parent = below(count + 3);
    const auto start = static_cast<std::int64_t>(below(100));
    const auto end = start + static_cast<std::int64_t>(below(50));
    const std::string service = "s" + std::to_string(below(4));
    SpanBuilder builder(id, "n");
    switch (below(4)) {
      case 0:
        builder = XRaySegment(id, service);
        break;
      case 1:
        builder = XRaySubsegment(id, 0, "call", below(2) == 0 ? "remote" : "");
        if (below(2) == 0) builder.Flags(SpanFlag::kIndependent);
        break;
      default:
        builder = OtelSpan(id, static_cast<SpanKind>(below(6)), "n").Service(service);
        if (below(8) == 0) builder.Set("aws.span.kind", "LOCAL_ROOT");
    }
    builder.Parent(parent).Between(start, end);
    if (below(6) == 0) builder.InProgressSince(start);
    if (below(6) == 0) builder.LinkTo(1 + below(count));
    spans.push_back(builder);
  }
  return spans;
}

TEST(Assemble, HoldsItsInvariantsOnRandomForests) {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 rng(seed);
    const AssembledTrace trace = AssembleSpans(RandomSpans(rng));
    std::map<const Span*, int> primary;
    for (std::size_t i = 0; i < trace.entities.size(); ++i) {
      const Entity& entity = trace.entities[i];
      if (entity.role != EntityRole::kInferred && !entity.synthetic) ++primary[entity.span];
      EXPECT_TRUE(entity.role != EntityRole::kSegment || entity.segment == static_cast<int>(i));
      EXPECT_EQ(entity.IsSegment(), entity.service >= 0);
      if (entity.parent >= 0) {
        const std::vector<std::int32_t>& siblings =
            trace.entities[static_cast<std::size_t>(entity.parent)].children;
        EXPECT_EQ(std::count(siblings.begin(), siblings.end(), static_cast<int>(i)), 1);
      }
      std::size_t steps = 0;
      for (std::int32_t at = static_cast<std::int32_t>(i); at >= 0;
           at = trace.entities[static_cast<std::size_t>(at)].parent) {
        ASSERT_LE(++steps, trace.entities.size()) << "cycle";
      }
      EXPECT_TRUE(std::is_sorted(entity.children.begin(), entity.children.end(),
                                 [&](std::int32_t a, std::int32_t b) {
                                   return trace.entities[static_cast<std::size_t>(a)].start_ns <
                                          trace.entities[static_cast<std::size_t>(b)].start_ns;
                                 }));
    }
    EXPECT_EQ(primary.size(), trace.trace->spans.size());
    for (const auto& [span, times] : primary) EXPECT_EQ(times, 1);
    ASSERT_GE(trace.root, 0);
    for (const Call& call : trace.calls) {
      EXPECT_GE(call.from, 0);
      EXPECT_GE(call.to, 0);
      EXPECT_GE(call.caller_entity, 0);
      EXPECT_GE(call.age_ns, 0);
      EXPECT_TRUE(trace.entities[static_cast<std::size_t>(call.callee_entity)].IsSegment());
    }
    std::set<ServiceKey> keys;
    for (const ServiceNode& node : trace.services) EXPECT_TRUE(keys.insert(node.key).second);
  }
}

}  // namespace
}  // namespace fluoro::model
