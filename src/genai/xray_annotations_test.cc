#include "genai/xray_annotations.h"

#include <gmock/gmock.h>

#include "model/attribute_reader.h"
#include "model/testing.h"

namespace fluoro::genai {
namespace {

using model::SpanKind;
using model::testing::AssembleSpans;
using model::testing::OtelSpan;
using model::testing::TestSpanId;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Of(const model::AssembledTrace& trace, std::uint64_t id) {
  std::vector<std::string> printed;
  const auto annotations = XRayAnnotations(trace);
  for (const model::KeyValue& annotation :
       annotations(trace.entities[static_cast<std::size_t>(trace.Find(TestSpanId(id)))])) {
    printed.push_back(annotation.key + "=" + model::ScalarText(annotation.value));
  }
  return printed;
}

TEST(XRayAnnotations, AllInOrderWithInheritedLabels) {
  const auto trace = AssembleSpans({OtelSpan(1, SpanKind::kServer, "POST /chat")
                                        .Between(0, 2000)
                                        .Set("tenant.id", "acme")
                                        .Set("http.route", "/chat"),
                                    OtelSpan(2, SpanKind::kClient, "chat")
                                        .Parent(1)
                                        .Between(0, 1000)
                                        .Set("gen_ai.operation.name", "chat")
                                        .Set("gen_ai.provider.name", "openai")
                                        .Set("gen_ai.request.model", "m")
                                        .Set("experiment_id", "e")
                                        .Set("experiment_arm", "B")
                                        .Set("tool_name", "t")
                                        .Set("tool_latency_ms", 5)
                                        .Set("retry_count", 1)
                                        .Set("error.type", "timeout")
                                        .Set("gen_ai.usage.input_tokens", 10)
                                        .Set("gen_ai.usage.output_tokens", 4)
                                        .Set("gen_ai.usage.cache_read.input_tokens", 3)
                                        .Set("gen_ai.usage.reasoning.output_tokens", 2)
                                        .Set("gen_ai.usage.cost", 0.5)
                                        .Set("gen_ai.response.time_to_first_chunk", 0.5)
                                        .Set("gen_ai.response.finish_reasons", "stop")
                                        .Set("gen_ai.agent.name", "a")
                                        .Set("session.id", "s")});
  EXPECT_THAT(
      Of(trace, 2),
      ElementsAre("step_kind=llm", "model=m", "provider=openai", "tenant=acme", "route=/chat",
                  "experiment_id=e", "experiment_arm=B", "tool_name=t", "tool_latency_ms=5",
                  "retry_count=1", "timeout=true", "prompt_tokens=10", "completion_tokens=4",
                  "cached_tokens=3", "reasoning_tokens=2", "cost_usd=0.5", "ttft_ms=500",
                  "finish_reason=stop", "error_type=timeout", "agent_name=a", "session_id=s"));
  EXPECT_THAT(Of(trace, 1), IsEmpty()) << "other traffic comes back as it was sent";
}

}  // namespace
}  // namespace fluoro::genai
