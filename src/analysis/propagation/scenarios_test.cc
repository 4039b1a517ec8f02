// Evidence that real senders leave, one case at a time; and what must not count as evidence.
#include <gmock/gmock.h>

#include <functional>

#include "analysis/propagation/finder.h"
#include "model/testing.h"
#include "store/testing.h"

namespace fluoro::analysis::propagation {
namespace {

using model::Span;
using model::SpanFlag;
using model::SpanKind;
using model::SpanSource;
using model::testing::OtelSpan;
using model::testing::SpanBuilder;
using model::testing::TestSpanId;
using model::testing::XRaySegment;
using model::testing::XRaySubsegment;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::int64_t kStartMs = 1'790'000'000'000;

model::TraceId TraceNumber(std::uint64_t number) { return store::testing::MakeTraceId(number); }
model::TraceId TimedTrace(std::uint64_t number, std::int64_t at_ms) {
  model::TraceId id = TraceNumber(number);
  const auto seconds = static_cast<std::uint32_t>(at_ms / 1'000);
  for (std::size_t i = 0; i < 4; ++i)
    id.bytes[i] = static_cast<std::uint8_t>(seconds >> (24 - 8 * i));
  return id;
}

/// Traces of a case by number of the request.
class Store {
 public:
  /// Requests come every second.
  static std::int64_t At(int request) { return kStartMs + request * 1'000; }
  static model::TraceId First(int request) {
    return TraceNumber(1'000 + static_cast<std::uint64_t>(request));
  }
  static model::TraceId Second(int request) {
    return TraceNumber(500'000 + static_cast<std::uint64_t>(request));
  }
  static std::uint64_t Id(int request, int span) {
    return static_cast<std::uint64_t>(request) * 100 + static_cast<std::uint64_t>(span) + 1;
  }
  void Add(std::vector<Span> spans) {
    finder_.Add(model::Assemble(model::testing::MakeTrace(std::move(spans))));
  }
  std::vector<BrokenEdge> Broken() {
    std::vector<BrokenEdge> out;
    for (BrokenEdge& edge : finder_.Find().edges) {
      if (!edge.causes.empty()) out.push_back(std::move(edge));
    }
    return out;
  }

 private:
  PropagationFinder finder_;
};

SpanBuilder Server(int request, int span, std::string_view service, std::int64_t from_ms,
                   std::int64_t to_ms) {
  return OtelSpan(Store::Id(request, span), SpanKind::kServer, "GET /x")
      .InTrace(Store::First(request))
      .Service(service)
      .Set("http.request.method", "GET")
      .Set("url.path", "/x/1")
      .Between(Store::At(request) + from_ms, Store::At(request) + to_ms);
}
SpanBuilder Client(int request, int span, std::string_view service, const std::string& host,
                   std::int64_t from_ms, std::int64_t to_ms) {
  return OtelSpan(Store::Id(request, span), SpanKind::kClient, "GET")
      .InTrace(Store::First(request))
      .Service(service)
      .Set("http.request.method", "GET")
      .Set("url.full", "http://" + host + "/x/1")
      .Set("http.response.status_code", 200)
      .Between(Store::At(request) + from_ms, Store::At(request) + to_ms);
}

std::string Texts(const Cause& cause) {
  std::string out;
  for (const std::string& sentence : cause.evidence) out += sentence + " ";
  return out;
}

TEST(Evidence, AHeaderThatArrivedNamesTheCaller) {
  Store store;
  for (int i = 0; i < 6; ++i) {
    store.Add({Server(i, 0, "front", 0, 100),
               Client(i, 1, "front", "back", 10, 90).Parent(Store::Id(i, 0))});
    const std::string caller = TestSpanId(Store::Id(i, 1)).ToHex();
    store.Add({Server(i, 2, "back", 12, 88)
                   .InTrace(Store::Second(i))
                   .Set("http.request.header.x-b3-traceid",
                        std::vector<std::string>{Store::First(i).ToHex()})
                   .Set("http.request.header.x_b3_spanid", std::vector<std::string>{caller})});
  }
  const auto broken = store.Broken();
  ASSERT_EQ(broken.size(), 1U);
  const Cause& cause = broken[0].causes.front();
  EXPECT_EQ(cause.kind, CauseKind::kDifferentPropagator);
  EXPECT_EQ(cause.confidence, Confidence::kHigh);
  EXPECT_THAT(Texts(cause), HasSubstr("(b3multi)"));
  EXPECT_THAT(cause.fix, HasSubstr("OTEL_PROPAGATORS=tracecontext,baggage,b3multi on back"));
  EXPECT_EQ(broken[0].survived, 0);
  EXPECT_EQ(cause.examples.size(), 5U);
}

TEST(Evidence, AnXRaySdkBeforeOpenTelemetryNeedsItsFormat) {
  Store store;
  for (int i = 0; i < 10; ++i) {
    const auto trace = TimedTrace(1'000 + static_cast<std::uint64_t>(i), Store::At(i));
    store.Add({XRaySegment(Store::Id(i, 0), "front")
                   .InTrace(trace)
                   .Between(Store::At(i), Store::At(i) + 100),
               XRaySubsegment(Store::Id(i, 1), Store::Id(i, 0), "back", "remote")
                   .InTrace(trace)
                   .Set("url.full", "http://back/x/1")
                   .Set("http.request.method", "GET")
                   .Set("http.response.status_code", 200)
                   .Between(Store::At(i) + 10, Store::At(i) + 90)});
    store.Add({Server(i, 2, "back", 12, 88).InTrace(Store::Second(i))});
  }
  const auto broken = store.Broken();
  ASSERT_EQ(broken.size(), 1U);
  EXPECT_EQ(broken[0].causes.front().kind, CauseKind::kDifferentPropagator);
  EXPECT_THAT(broken[0].causes.front().fix,
              HasSubstr("OTEL_PROPAGATORS=tracecontext,baggage,xray on back"));
  EXPECT_THAT(Texts(broken[0].causes.front()), HasSubstr("as X-Ray makes them"));
}

TEST(Evidence, ARootWithoutParentInTheSameTraceIsARewrittenParent) {
  Store store;
  for (int i = 0; i < 6; ++i) {
    store.Add({Server(i, 0, "front", 0, 100),
               Client(i, 1, "front", "back", 10, 90).Parent(Store::Id(i, 0)),
               Server(i, 2, "back", 12, 88)});
  }
  const auto broken = store.Broken();
  ASSERT_EQ(broken.size(), 1U);
  EXPECT_EQ(broken[0].causes.front().kind, CauseKind::kParentRewritten);
  EXPECT_EQ(broken[0].causes.front().examples.front().caller_trace,
            broken[0].causes.front().examples.front().callee_trace);
}

// The hop sends spans and one of them is missing: it is no proxy that rewrites.
TEST(Evidence, ACallThatReachedAnotherServiceLostThatOnesSpans) {
  Store store;
  for (int i = 0; i < 12; ++i) {
    std::vector<Span> spans{Server(i, 0, "front", 0, 100),
                            Client(i, 1, "front", "middle", 10, 90).Parent(Store::Id(i, 0)),
                            Server(i, 4, "back", 22, 70).Parent(Store::Id(i, 3))};
    if (i < 6) {
      spans.push_back(Server(i, 2, "middle", 12, 88).Parent(Store::Id(i, 1)));
      spans.push_back(Client(i, 3, "middle", "back", 20, 72).Parent(Store::Id(i, 2)));
    }
    store.Add(std::move(spans));
  }
  const auto broken = store.Broken();
  ASSERT_EQ(broken.size(), 1U);
  EXPECT_EQ(broken[0].caller + " " + broken[0].callee, "middle back");
  EXPECT_EQ(broken[0].causes.front().kind, CauseKind::kSpansDropped);
  EXPECT_DOUBLE_EQ(broken[0].share, 0.5);
}

SpanBuilder SqsSend(int i, bool with_id) {
  SpanBuilder span = XRaySubsegment(Store::Id(i, 1), Store::Id(i, 0), "SQS", "aws");
  span.InTrace(Store::First(i))
      .Set("aws.queue_url", "https://sqs.us-east-1.amazonaws.com/000000000000/jobs")
      .Set("aws.operation", "SendMessage")
      .Between(Store::At(i) + 10, Store::At(i) + 20);
  if (with_id) span.Set("message_id", "m-" + std::to_string(i));
  return span;
}
SpanBuilder SqsProcess(int i, int span_number, bool with_id) {
  SpanBuilder span = OtelSpan(Store::Id(i, span_number), SpanKind::kConsumer, "jobs process");
  span.InTrace(TraceNumber(700'000 + Store::Id(i, span_number)))
      .Service("worker")
      .Set("messaging.system", "aws_sqs")
      .Set("messaging.destination.name", "jobs")
      .Set("messaging.operation.type", "process")
      .Between(Store::At(i) + 200 + span_number, Store::At(i) + 300 + span_number);
  if (with_id) span.Set("messaging.message.id", "m-" + std::to_string(i));
  return span;
}

TEST(Evidence, MessagesOfSqsWithoutTheTraceHeader) {
  for (const bool with_ids : {true, false}) {
    SCOPED_TRACE(with_ids);
    Store store;
    for (int i = 0; i < 10; ++i) {
      store.Add({XRaySegment(Store::Id(i, 0), "api")
                     .InTrace(Store::First(i))
                     .Between(Store::At(i), Store::At(i) + 50),
                 SqsSend(i, with_ids)});
      if (i < 4) {
        store.Add(
            {SqsProcess(i, 2, with_ids).LinkTo(Store::First(i), TestSpanId(Store::Id(i, 1)))});
      } else {
        store.Add({SqsProcess(i, 2, with_ids)});
      }
      // Not processed in time: it comes again, and is the same message.
      if (i == 9 && with_ids) store.Add({SqsProcess(i, 3, true)});
    }
    const auto broken = store.Broken();
    ASSERT_EQ(broken.size(), 1U);
    EXPECT_EQ(broken[0].kind, EdgeKind::kMessage);
    EXPECT_EQ(broken[0].via, "jobs");
    EXPECT_DOUBLE_EQ(broken[0].share, 0.4);
    const Cause& cause = broken[0].causes.front();
    EXPECT_EQ(cause.kind, CauseKind::kQueue);
    EXPECT_EQ(cause.confidence, with_ids ? Confidence::kHigh : Confidence::kMedium);
    EXPECT_THAT(cause.fix, AllOf(HasSubstr("message system attribute AWSTraceHeader"),
                                 HasSubstr("MessageSystemAttributeNames")));
    EXPECT_EQ(cause.examples.front().caller_trace, Store::First(4));
  }
}

// A graph of steps run by `ainvoke` before Python 3.11: each step begins a trace of its own.
TEST(Evidence, StepsOfAnAgentThatShareItsSession) {
  Store store;
  for (int i = 0; i < 6; ++i) {
    const std::string session = "thread-" + std::to_string(i);
    store.Add({OtelSpan(Store::Id(i, 0), SpanKind::kInternal, "invoke_agent")
                   .InTrace(Store::First(i))
                   .Service("agent")
                   .Set("session.id", session)
                   .Between(Store::At(i), Store::At(i) + 950)});
    for (int step = 1; step <= 3; ++step) {
      store.Add({OtelSpan(Store::Id(i, step), SpanKind::kInternal, "ChatOpenAI")
                     .InTrace(TraceNumber(900'000 + Store::Id(i, step)))
                     .Service("agent")
                     .Set("session.id", session)
                     .Between(Store::At(i) + step * 200, Store::At(i) + step * 200 + 150)});
    }
  }
  const auto broken = store.Broken();
  ASSERT_EQ(broken.size(), 1U);
  EXPECT_EQ(broken[0].kind, EdgeKind::kInProcess);
  EXPECT_EQ(broken[0].via, "ChatOpenAI");
  const Cause& cause = broken[0].causes.front();
  EXPECT_EQ(cause.kind, CauseKind::kAsync);
  EXPECT_EQ(cause.confidence, Confidence::kMedium);  // the process is at work most of the time
  EXPECT_THAT(Texts(cause), HasSubstr("18 of them share session or run id"));
  // Suggested, not joined: the links name both traces.
  EXPECT_NE(cause.examples.front().caller_trace, cause.examples.front().callee_trace);
}

struct CleanCase {
  std::string_view name;
  /// Adds one request.
  std::function<void(Store&, int)> add;
};

std::vector<CleanCase> CleanCases() {
  const auto lost = [](Store& store, int i) {
    return Server(i, 2, "back", 12, 88).InTrace(store.Second(i));
  };
  return {
      {"a call that was refused, and a retry elsewhere at that time",
       [=](Store& store, int i) {
         store.Add({Server(i, 0, "front", 0, 100),
                    OtelSpan(Store::Id(i, 1), SpanKind::kClient, "GET")
                        .InTrace(Store::First(i))
                        .Service("front")
                        .Parent(Store::Id(i, 0))
                        .Set("http.request.method", "GET")
                        .Set("url.full", "http://back/x/1")
                        .Status(model::StatusCode::kError, "connection refused")
                        .Between(Store::At(i) + 10, Store::At(i) + 90)});
         store.Add({lost(store, i)});
       }},
      {"a gateway that was overloaded",
       [=](Store& store, int i) {
         Span call = Client(i, 1, "front", "back", 10, 90).Parent(Store::Id(i, 0));
         call.attributes.back().value = {std::int64_t{503}};
         store.Add({Server(i, 0, "front", 0, 100), call});
         store.Add({lost(store, i)});
       }},
      {"a database of the callee's name",
       [=](Store& store, int i) {
         store.Add({Server(i, 0, "front", 0, 100), Client(i, 1, "front", "back", 10, 90)
                                                       .Parent(Store::Id(i, 0))
                                                       .Set("db.system.name", "redis")});
         store.Add({lost(store, i)});
       }},
      {"a client around a client",
       [](Store& store, int i) {
         store.Add({Server(i, 0, "front", 0, 100),
                    Client(i, 1, "front", "back", 10, 90).Parent(Store::Id(i, 0)),
                    Client(i, 3, "front", "back", 11, 89).Parent(Store::Id(i, 1)),
                    Server(i, 2, "back", 12, 88).Parent(Store::Id(i, 3))});
         store.Add({Server(i, 4, "back", 12, 88).InTrace(Store::Second(i))});
       }},
      {"a caller that sends nothing here",
       [](Store& store, int i) {
         store.Add({Server(i, 0, "front", 0, 100).Parent(Store::Id(i, 9)),
                    Client(i, 1, "front", "back", 10, 90).Parent(Store::Id(i, 0)),
                    Server(i, 2, "back", 12, 88).Parent(Store::Id(i, 1))});
       }},
      {"a function whose platform sends its segments elsewhere",
       [](Store& store, int i) {
         store.Add({Server(i, 0, "front", 0, 100),
                    Client(i, 1, "front", "fn", 10, 90).Parent(Store::Id(i, 0)),
                    Server(i, 2, "fn", 12, 88)
                        .Parent(Store::Id(i, 9))
                        .Resource("cloud.platform", "aws_lambda")});
       }},
      {"a third party with a path of our own, at other times",
       [](Store& store, int i) {
         store.Add({Server(i, 0, "front", 0, 100),
                    Client(i, 1, "front", "api.example.com", 10, 90).Parent(Store::Id(i, 0))});
         store.Add({Server(i, 2, "back", 500, 560).InTrace(Store::Second(i))});
       }},
      {"a callee that is not sampled or sends nothing",
       [](Store& store, int i) {
         std::vector<Span> spans{Server(i, 0, "front", 0, 100),
                                 Client(i, 1, "front", "back", 10, 90).Parent(Store::Id(i, 0))};
         if (i % 2 == 0) spans.push_back(Server(i, 2, "back", 12, 88).Parent(Store::Id(i, 1)));
         store.Add(std::move(spans));
       }},
      {"polls that find no message, and messages of others",
       [](Store& store, int i) {
         store.Add({OtelSpan(Store::Id(i, 0), SpanKind::kConsumer, "jobs receive")
                        .InTrace(Store::First(i))
                        .Service("worker")
                        .Set("messaging.system", "kafka")
                        .Set("messaging.destination.name", "jobs")
                        .Set("messaging.operation.type", "receive")
                        .Between(Store::At(i), Store::At(i) + 10)});
         store.Add({OtelSpan(Store::Id(i, 1), SpanKind::kProducer, "jobs send")
                        .InTrace(Store::Second(i))
                        .Service("api")
                        .Set("messaging.system", "kafka")
                        .Set("messaging.destination.name", "jobs")
                        .Between(Store::At(i) - 20, Store::At(i) - 10)});
       }},
      {"a batch that is taken with links and processed one by one",
       [](Store& store, int i) {
         store.Add({OtelSpan(Store::Id(i, 1), SpanKind::kProducer, "jobs send")
                        .InTrace(Store::First(i))
                        .Service("api")
                        .Set("messaging.destination.name", "jobs")
                        .Between(Store::At(i), Store::At(i) + 10)});
         store.Add({OtelSpan(Store::Id(i, 2), SpanKind::kConsumer, "jobs receive")
                        .InTrace(Store::Second(i))
                        .Service("worker")
                        .Set("messaging.destination.name", "jobs")
                        .LinkTo(Store::First(i), TestSpanId(Store::Id(i, 1)))
                        .Between(Store::At(i) + 20, Store::At(i) + 80),
                    OtelSpan(Store::Id(i, 3), SpanKind::kConsumer, "jobs process")
                        .InTrace(Store::Second(i))
                        .Service("worker")
                        .Parent(Store::Id(i, 2))
                        .Set("messaging.destination.name", "jobs")
                        .Between(Store::At(i) + 30, Store::At(i) + 70)});
       }},
      {"jobs of a service that is at work all the time",
       [](Store& store, int i) {
         store.Add({Server(i, 0, "front", 0, 990)});
         store.Add({OtelSpan(Store::Id(i, 1), SpanKind::kInternal, "collect garbage")
                        .InTrace(Store::Second(i))
                        .Service("front")
                        .Between(Store::At(i) + 300, Store::At(i) + 310)});
       }},
      {"work that goes on behind the answer, with its context",
       [](Store& store, int i) {
         store.Add(
             {Server(i, 0, "front", 0, 100), OtelSpan(Store::Id(i, 1), SpanKind::kInternal, "audit")
                                                 .InTrace(Store::First(i))
                                                 .Service("front")
                                                 .Parent(Store::Id(i, 0))
                                                 .Between(Store::At(i) + 200, Store::At(i) + 300)});
       }},
      {"answers that come long after the call",
       [](Store& store, int i) {
         store.Add({Server(i, 0, "front", 0, 100),
                    Client(i, 1, "front", "back", 10, 20).Parent(Store::Id(i, 0)),
                    Server(i, 2, "back", 15 + (i * 37) % 400, 450 + (i * 53) % 300)
                        .Parent(Store::Id(i, 1))});
       }},
  };
}

TEST(NoEvidence, IsTakenForLoss) {
  for (const CleanCase& c : CleanCases()) {
    SCOPED_TRACE(c.name);
    Store store;
    for (int i = 0; i < 40; ++i) c.add(store, i);
    for (const BrokenEdge& edge : store.Broken())
      ADD_FAILURE() << edge.caller << " -> " << edge.callee << " " << edge.via << ": "
                    << CauseName(edge.causes.front().kind) << " " << Texts(edge.causes.front());
  }
}

// Anything may be stored: it ends, and shares stay shares.
TEST(PropagationFinder, TakesAnyTraces) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    PropagationFinder finder;
    for (std::uint64_t i = 0; i < 60; ++i) {
      std::vector<Span> spans;
      for (std::uint64_t n = 1 + rng.Below(12); n > 0; --n) {
        spans.push_back(store::testing::RandomSpan(rng, TraceNumber(i), 1 + rng.Below(40)));
        if (rng.Chance(0.3)) {
          spans.back().attributes.push_back(
              {"url.full",
               {std::string("http://service-1/") + std::to_string(rng.Below(3))},
               model::AttributeRole::kPlain});
          spans.back().attributes.push_back(
              {"messaging.destination.name", {std::string("q")}, model::AttributeRole::kPlain});
        }
        if (rng.Chance(0.05)) spans.back().end_ns = std::int64_t{1} << 61;
        if (rng.Chance(0.05)) spans.back().start_ns = -(std::int64_t{1} << 61);
      }
      finder.Add(model::Assemble(model::testing::MakeTrace(std::move(spans))));
    }
    for (const BrokenEdge& edge : finder.Find().edges) {
      EXPECT_GE(edge.share_low, 0);
      EXPECT_LE(edge.share_low, edge.share + 1e-9);
      EXPECT_LE(edge.share, edge.share_high + 1e-9);
      EXPECT_LE(edge.share_high, 1);
    }
  }
}

TEST(Tables, RowsAreBoundedAndCounted) {
  propagation::Tables tables;
  for (std::size_t i = 0; i < propagation::Tables::kRowsMax + 5; ++i)
    tables.Push(tables.sent, Message{});
  EXPECT_EQ(tables.sent.size(), propagation::Tables::kRowsMax);
  EXPECT_EQ(tables.left_out, 5U);
  for (TextId i = 0; i < propagation::Tables::kEdgesMax + 3; ++i)
    tables.EdgeAt({.caller = i, .callee = 1});
  EXPECT_EQ(tables.edges.size(), propagation::Tables::kEdgesMax);
  EXPECT_EQ(tables.left_out, 8U);
}

}  // namespace
}  // namespace fluoro::analysis::propagation
