#include "genai/calls.h"

#include <gmock/gmock.h>

#include "genai/evidence.h"
#include "genai/fields.h"
#include "model/testing.h"

namespace fluoro::genai {
namespace {

using model::Span;
using model::SpanKind;
using model::testing::OtelSpan;
using model::testing::SpanBuilder;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

SpanBuilder Internal(std::uint64_t id, std::uint64_t parent, std::string_view operation) {
  return OtelSpan(id, SpanKind::kInternal, operation)
      .Parent(parent)
      .Between(0, 100)
      .Set("gen_ai.operation.name", operation);
}

SpanBuilder Chat(std::uint64_t id, std::uint64_t parent, std::int64_t input, std::int64_t output) {
  return OtelSpan(id, SpanKind::kClient, "chat")
      .Parent(parent)
      .Between(0, 100)
      .Set("gen_ai.operation.name", "chat")
      .Set("gen_ai.request.model", "gpt")
      .Set("gen_ai.usage.input_tokens", input)
      .Set("gen_ai.usage.output_tokens", output);
}

SpanBuilder Served(std::uint64_t id, std::uint64_t parent = 0) {
  return OtelSpan(id, SpanKind::kServer, "POST /v1/chat").Parent(parent).Between(0, 200);
}

// "kind model|tool prompt+completion tenant route", by span.
std::vector<std::string> CallsOf(const std::vector<Span>& spans) {
  CallFinder finder;
  for (const Span& span : spans) finder.Add(span);
  std::vector<std::string> calls;
  finder.Finish([&](const Call& call) {
    if (call.is_request) return;
    std::string text = std::string(StepKindName(call.kind)) + " " + std::string(call.model) +
                       std::string(call.tool) + " " + std::to_string(call.prompt_tokens) + "+" +
                       std::to_string(call.completion_tokens);
    if (!call.tenant.empty() || !call.route.empty())
      text += " " + std::string(call.tenant) + " " + std::string(call.route);
    calls.push_back(text);
  });
  return calls;
}

Call OnlyCall(const std::vector<Span>& spans) {
  CallFinder finder;
  for (const Span& span : spans) finder.Add(span);
  Call only;
  int calls = 0;
  finder.Finish([&](const Call& call) {
    if (call.is_request) return;
    only = call;
    only.provider = only.model = only.tool = only.tenant = only.route = {};
    ++calls;
  });
  EXPECT_EQ(calls, 1);
  return only;
}

// "ms..ms failed tenant route arm" of the request that the spans belong to; "" if none.
std::string RequestOf(const std::vector<Span>& spans) {
  CallFinder finder;
  for (const Span& span : spans) finder.Add(span);
  std::string text;
  finder.Finish([&](const Call& call) {
    if (!call.is_request) return;
    EXPECT_EQ(text, "");
    text = std::to_string(call.start_ns / 1'000'000) + ".." +
           std::to_string(call.end_ns / 1'000'000) + (call.failed ? " failed " : " ok ") +
           std::string(call.tenant) + " " + std::string(call.route) + " " +
           std::string(call.experiment_arm);
  });
  return text;
}

TEST(CallFinder, ARequestWithCallsIsTheSpanWithoutAParent) {
  const auto root = [] {
    return Served(9).Between(3, 90).Set("http.route", "/chat").Set("experiment_arm", "B");
  };
  EXPECT_EQ(RequestOf({Chat(2, 9, 10, 1).Between(4, 80).Set("tenant.id", "acme"), root()}),
            "3..90 ok acme /chat B");
  EXPECT_EQ(RequestOf({root()}), "");
  EXPECT_EQ(RequestOf({root().Status(model::StatusCode::kError), Chat(2, 9, 10, 1)}),
            "3..90 failed  /chat B");
  // Of several the earliest; without one the earliest of all.
  EXPECT_EQ(RequestOf({root(), Served(8).Between(2, 5), Chat(2, 9, 10, 1).Between(1, 4)}),
            "2..5 ok   B");
  EXPECT_EQ(RequestOf({Chat(2, 7, 10, 1).Between(6, 8), Chat(3, 7, 10, 1).Between(5, 7)}),
            "5..7 ok   ");
  EXPECT_EQ(RequestOf({root().InProgressSince(3), Chat(2, 9, 10, 1)}), "");
}

TEST(CallFinder, SpansWithoutGenAiAreNoCalls) {
  EXPECT_THAT(CallsOf({Served(1), OtelSpan(2, SpanKind::kClient, "GET")
                                      .Parent(1)
                                      .Set("http.url", "https://api.openai.com/v1/chat")}),
              IsEmpty());
}

TEST(CallFinder, AnAgentThatRepeatsWhatItsModelsUsedDoesNotCount) {
  EXPECT_THAT(CallsOf({Internal(1, 0, "invoke_agent")
                           .Set("gen_ai.usage.input_tokens", 30)
                           .Set("gen_ai.usage.output_tokens", 3),
                       Chat(2, 1, 10, 1), Chat(3, 1, 20, 2)}),
              ElementsAre("llm gpt 10+1", "llm gpt 20+2"));
}

TEST(CallFinder, AnAgentThatAloneTellsItsUsageCountsAndOfSeveralTheInnermost) {
  const auto agent = [](std::uint64_t id, std::uint64_t parent) {
    return Internal(id, parent, "invoke_agent")
        .Set("gen_ai.request.model", "gpt")
        .Set("gen_ai.usage.input_tokens", 30);
  };
  EXPECT_THAT(CallsOf({agent(1, 0), agent(2, 1),
                       Internal(3, 2, "execute_tool").Set("gen_ai.tool.name", "search")}),
              ElementsAre("agent gpt 30+0", "tool search 0+0"));
}

TEST(CallFinder, TwoInstrumentationsOfOneCallCountOnce) {
  // Equal tokens inside its time; the step between tells nothing.
  EXPECT_THAT(CallsOf({Chat(1, 0, 10, 1), Internal(2, 1, "invoke_workflow"), Chat(3, 2, 10, 1)}),
              ElementsAre("llm gpt 10+1"));
  // Equal answers, tokens counted otherwise.
  EXPECT_THAT(CallsOf({Chat(1, 0, 11, 1).Set("gen_ai.response.id", "r"),
                       Chat(2, 1, 10, 1).Set("gen_ai.response.id", "r")}),
              ElementsAre("llm gpt 10+1"));
  // Another call of which the first was part.
  EXPECT_THAT(CallsOf({Chat(1, 0, 11, 1), Chat(2, 1, 10, 1)}),
              ElementsAre("llm gpt 11+1", "llm gpt 10+1"));
  // Equal tokens by chance, outside of its time.
  EXPECT_THAT(CallsOf({Chat(1, 0, 10, 1), Chat(2, 1, 10, 1).Between(50, 400)}),
              ElementsAre("llm gpt 10+1", "llm gpt 10+1"));
  // A proxy that knows nothing of usage.
  EXPECT_THAT(CallsOf({Internal(1, 0, "chat"), Chat(2, 1, 10, 1), Chat(3, 1, 20, 2)}),
              ElementsAre("llm gpt 10+1", "llm gpt 20+2"));
}

TEST(CallFinder, TwoInstrumentationsThatDoNotKnowOfEachOtherCountOnce) {
  // Siblings with one answer, counted otherwise.
  EXPECT_THAT(CallsOf({Served(1), Chat(2, 1, 11, 2).Set("gen_ai.response.id", "r"),
                       Chat(3, 1, 10, 1).Set("gen_ai.response.id", "r").Between(1, 99)}),
              ElementsAre("llm gpt 10+1"));
  // A callback's step in a chain of its own, and the client's beside the chain.
  const std::vector<Span> seen{Served(1), Internal(2, 1, "invoke_workflow"),
                               Chat(3, 2, 10, 1).RecordedBy("callbacks"),
                               Chat(4, 1, 10, 1).Between(2, 98).RecordedBy("client")};
  EXPECT_THAT(CallsOf(seen), ElementsAre("llm gpt 10+1"));
  // Three views, two of which are above each other.
  EXPECT_THAT(CallsOf({Served(1), Chat(2, 1, 10, 1).RecordedBy("callbacks"),
                       Chat(3, 1, 10, 1).Between(2, 98).RecordedBy("client"),
                       Chat(4, 3, 10, 1).Between(3, 97).RecordedBy("wire")}),
              ElementsAre("llm gpt 10+1"));
  // Above each other, with one answer and equally long.
  EXPECT_THAT(CallsOf({Chat(1, 0, 10, 1).Set("gen_ai.response.id", "r"),
                       Chat(2, 1, 10, 1).Set("gen_ai.response.id", "r")}),
              ElementsAre("llm gpt 10+1"));
  // Samples of one prompt.
  EXPECT_THAT(CallsOf({Served(1), Chat(2, 1, 10, 1), Chat(3, 1, 10, 1).Between(1, 99)}),
              ElementsAre("llm gpt 10+1", "llm gpt 10+1"));
}

TEST(CallFinder, RequestsSentAgainAreRetriesOfTheirStep) {
  const auto request = [](std::uint64_t id, std::uint64_t parent, std::int64_t start, int status) {
    return OtelSpan(id, SpanKind::kClient, "POST")
        .Parent(parent)
        .Between(start, start + 20)
        .Set("http.url", "http://m/v1/chat/completions")
        .Set("http.status_code", status);
  };
  EXPECT_EQ(OnlyCall({Chat(1, 0, 10, 1), request(2, 1, 0, 429), request(3, 1, 30, 503),
                      request(4, 1, 60, 200)})
                .retries,
            2);
  EXPECT_EQ(OnlyCall({Chat(1, 0, 10, 1), request(2, 1, 0, 200), request(3, 1, 30, 200)}).retries,
            0);
  // Below a span that is no step; not beside each other.
  EXPECT_EQ(OnlyCall({Chat(1, 0, 10, 1), OtelSpan(9, SpanKind::kInternal, "transport").Parent(1),
                      request(2, 9, 0, 429), request(3, 9, 30, 200)})
                .retries,
            1);
  EXPECT_EQ(OnlyCall({Chat(1, 0, 10, 1), request(2, 1, 0, 429), request(3, 2, 30, 200)}).retries,
            0);
}

TEST(CallFinder, AnEngineBehindAClientIsItsShadow) {
  const auto engine = [](std::uint64_t parent, std::uint64_t id = 9) {
    return OtelSpan(id, SpanKind::kServer, "llm_request")
        .Parent(parent)
        .Between(10, 90)
        .Set("gen_ai.latency.e2e", 0.08)
        .Set("gen_ai.response.model", "llama")
        .Set("gen_ai.usage.input_tokens", 10);
  };
  EXPECT_THAT(CallsOf({Chat(1, 0, 10, 1), engine(1)}), ElementsAre("llm gpt 10+1"));
  EXPECT_THAT(CallsOf({engine(0)}), ElementsAre("llm llama 10+0"));
  EXPECT_THAT(CallsOf({Internal(1, 0, "chat"), engine(1)}), ElementsAre("llm llama 10+0"));
  // Of another engine it is none.
  EXPECT_THAT(CallsOf({engine(0, 8), engine(8)}), ElementsAre("llm llama 10+0", "llm llama 10+0"));
}

TEST(CallFinder, ARoleThatIsStatedDecides) {
  EXPECT_THAT(CallsOf({Chat(1, 0, 10, 1).Set("usage_role", "rollup"), Chat(2, 0, 20, 1)}),
              ElementsAre("llm gpt 20+1"));
  EXPECT_THAT(CallsOf({Internal(1, 0, "invoke_agent")
                           .Set("usage_role", "billable")
                           .Set("gen_ai.usage.input_tokens", 5),
                       Chat(2, 1, 20, 1)}),
              ElementsAre("agent  5+0", "llm gpt 20+1"));
}

TEST(CallFinder, AttemptsOfAToolAreOneCallAndRetries) {
  const auto tool = [](std::uint64_t id, std::uint64_t parent) {
    return Internal(id, parent, "execute_tool").Set("gen_ai.tool.name", "refund");
  };
  EXPECT_THAT(CallsOf({tool(1, 0), tool(2, 1), tool(3, 1)}), ElementsAre("tool refund 0+0"));
  // An agent in between calls it anew.
  EXPECT_THAT(CallsOf({tool(1, 0), Internal(2, 1, "invoke_agent"), tool(3, 2)}),
              ElementsAre("tool refund 0+0", "tool refund 0+0"));
  EXPECT_EQ(
      OnlyCall(
          {tool(1, 0), OtelSpan(2, SpanKind::kClient, "POST").Parent(1),
           OtelSpan(3, SpanKind::kClient, "POST").Parent(1).Set("http.request.resend_count", 2)})
          .retries,
      2);
  // What it repeats of its models is theirs.
  EXPECT_THAT(CallsOf({tool(1, 0).Set("gen_ai.usage.input_tokens", 10), Chat(2, 1, 10, 1)}),
              ElementsAre("tool refund 0+0", "llm gpt 10+1"));
}

TEST(CallFinder, TenantAndRouteAreInherited) {
  EXPECT_THAT(CallsOf({Served(1).Set("http.route", "/v1/chat").Set("tenant.id", "acme"),
                       Served(2, 1).Set("http.route", "/rag"), Chat(3, 2, 1, 1),
                       Chat(4, 1, 1, 1).Set("tenant", "globex").Set("url.path", "/completions")}),
              ElementsAre("llm gpt 1+1 acme /rag", "llm gpt 1+1 globex /v1/chat"));
  // One tenant anywhere in a trace is that of all.
  EXPECT_THAT(CallsOf({Served(1), Internal(2, 1, "plan").Set("tenant", "acme"), Chat(3, 1, 1, 1),
                       Chat(4, 77, 1, 1)}),
              ElementsAre("llm gpt 1+1 acme ", "llm gpt 1+1 acme "));
  // Two are not.
  EXPECT_THAT(CallsOf({Served(1), Internal(2, 1, "plan").Set("tenant", "acme"),
                       Internal(3, 1, "plan").Set("tenant", "globex"), Chat(4, 1, 1, 1)}),
              ElementsAre("llm gpt 1+1"));
}

TEST(CallFinder, TellsHowACallEnded) {
  EXPECT_FALSE(OnlyCall({Chat(1, 0, 1, 1)}).failed);
  const Call timeout = OnlyCall({Chat(1, 0, 1, 1).Set("error.type", "ReadTimeout")});
  EXPECT_TRUE(timeout.failed && timeout.timeout && !timeout.throttled);
  const Call throttled = OnlyCall({Chat(1, 0, 1, 1).Set("http.response.status_code", 429)});
  EXPECT_TRUE(throttled.failed && throttled.throttled && !throttled.timeout);
  EXPECT_TRUE(OnlyCall({Chat(1, 0, 1, 1).Status(model::StatusCode::kError)}).failed);
  EXPECT_THAT(CallsOf({Chat(1, 0, 1, 1).InProgressSince(0)}), IsEmpty());
}

TEST(CallFinder, TellsEachNumberAndNameOfACall) {
  CallFinder finder;
  finder.Add(Chat(1, 0, 1'000, 200)
                 .Between(5, 80)
                 .Set("gen_ai.provider.name", "openai")
                 .Set("gen_ai.response.model", "gpt-2026")
                 .Set("gen_ai.usage.cache_read.input_tokens", 300)
                 .Set("gen_ai.usage.cache_creation.input_tokens", 40)
                 .Set("gen_ai.usage.reasoning.output_tokens", 50)
                 .Set("http.request.resend_count", 6));
  int calls = 0;
  finder.Finish([&calls](const Call& call) {
    if (call.is_request) return;
    ++calls;
    EXPECT_EQ(call.kind, StepKind::kLlm);
    EXPECT_EQ(call.provider, "openai");
    EXPECT_EQ(call.model, "gpt-2026");
    EXPECT_EQ(call.tool, "");
    EXPECT_EQ(call.start_ns, 5'000'000);
    EXPECT_EQ(call.end_ns, 80'000'000);
    EXPECT_EQ(call.prompt_tokens, 1'000);
    EXPECT_EQ(call.completion_tokens, 200);
    EXPECT_EQ(call.cached_tokens, 300);
    EXPECT_EQ(call.cache_write_tokens, 40);
    EXPECT_EQ(call.reasoning_tokens, 50);
    EXPECT_EQ(call.retries, 6);
  });
  EXPECT_EQ(calls, 1);
}

TEST(CallFinder, StatedCostsAreWholeNanodollars) {
  EXPECT_EQ(OnlyCall({Chat(1, 0, 1, 1).Set("gen_ai.usage.cost", 0.0098112)}).cost_nano_usd,
            9'811'200);
  EXPECT_EQ(OnlyCall({Chat(1, 0, 1, 1).Set("llm.cost.total", "0")}).cost_nano_usd, 0);
  EXPECT_EQ(OnlyCall({Chat(1, 0, 1, 1)}).cost_nano_usd, std::nullopt);
  EXPECT_EQ(OnlyCall({Chat(1, 0, 1, 1).Set("gen_ai.usage.cost", 2e6)}).cost_nano_usd, std::nullopt);
  EXPECT_EQ(OnlyCall({Chat(1, 0, 1, 1)
                          .Set("gen_ai.usage.cost.amount", 1.0)
                          .Set("gen_ai.usage.cost.currency", "EUR")})
                .cost_nano_usd,
            std::nullopt);
}

TEST(CallFinder, ParentsInCirclesAndEqualIdsAreSurvived) {
  EXPECT_THAT(
      CallsOf({Chat(1, 2, 1, 1), Chat(2, 3, 2, 2), Chat(3, 1, 3, 3), Chat(4, 4, 4, 4),
               Chat(4, 1, 5, 5)}),
      ElementsAre("llm gpt 1+1", "llm gpt 2+2", "llm gpt 3+3", "llm gpt 4+4", "llm gpt 5+5"));
}

TEST(CallFinder, LongTextsAreCutBetweenCharacters) {
  std::string tenant(kCallTextMax - 1, 'x');
  tenant += "\xc3\xa9 and more";
  EXPECT_THAT(CallsOf({Chat(1, 0, 1, 1).Set("tenant", tenant)}),
              ElementsAre("llm gpt 1+1 " + std::string(kCallTextMax - 1, 'x') + " "));
}

TEST(Evidence, EverySourceOfUsageIsEvidence) {
  for (const Field& field : Fields()) {
    if (field.name != "prompt_tokens" && field.name != "completion_tokens" &&
        field.name != "cost_usd" && field.name != "tool_name")
      continue;
    for (const Source& source : field.sources) {
      if (source.when != nullptr && field.name == "tool_name") continue;  // of tools only
      EXPECT_EQ(EvidenceOf(source.key), Evidence::kSure) << source.key;
    }
    if (field.name != "tool_name") {
      EXPECT_EQ(EvidenceOf(field.name), Evidence::kSure) << field.name;
    }
  }
}

TEST(Evidence, TrafficOfOtherKindsHasNone) {
  for (const std::string_view key :
       {"http.route", "url.path", "server.address", "messaging.system", "aws.region", "llamas",
        "airport", "ai.telemetry.functionId", "traceloop.workflow.name", "", "g"})
    EXPECT_EQ(EvidenceOf(key), Evidence::kNone) << key;
  const auto aws = [](std::string_view service) {
    return OtelSpan(1, SpanKind::kClient, "call")
        .Set("rpc.system", "aws-api")
        .Set("rpc.service", service)
        .Build();
  };
  EXPECT_FALSE(HasEvidence(aws("DynamoDB")));
  EXPECT_TRUE(HasEvidence(aws("Bedrock Runtime")));
  EXPECT_TRUE(HasEvidence(aws("AWSBedrockRuntime")));
  EXPECT_TRUE(HasEvidence(aws("SageMaker Runtime")));
  EXPECT_FALSE(HasEvidence(aws("BedroXk")));
  EXPECT_FALSE(HasEvidence(aws("bedroc")));
  EXPECT_TRUE(HasEvidence(model::testing::XRaySubsegment(2, 1, "bedrock-runtime", "aws").Build()));
}

}  // namespace
}  // namespace fluoro::genai
