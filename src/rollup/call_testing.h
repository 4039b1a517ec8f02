// For tests: spans of GenAI work in every convention, naive sums of their calls, and sums as text.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/rng.h"
#include "genai/calls.h"
#include "model/span.h"
#include "rollup/call_sums.h"
#include "rollup/testing.h"

namespace fluoro::rollup::testing {

/// One span in three is a step of GenAI work; others may name tenant or route, or are like any.
inline model::Span RandomCallSpan(Rng& rng, const model::TraceId& trace, std::uint64_t number) {
  model::Span span = RandomGraphSpan(rng, trace, number);
  const auto set = [&span](std::string key, model::AttributeValue value) {
    span.attributes.push_back({std::move(key), std::move(value), model::AttributeRole::kPlain});
  };
  const auto text = [&](std::string key, const std::vector<std::string>& of) {
    set(std::move(key), {of[rng.Below(of.size())]});
  };
  const auto count = [&](std::string key, std::uint64_t below) {
    set(std::move(key), {static_cast<std::int64_t>(rng.Below(below))});
  };
  if (rng.Chance(0.1)) text("tenant.id", {"acme", "globex"});
  if (rng.Chance(0.1)) text("http.route", {"/chat", "/agent/{id}"});
  if (rng.Chance(0.05)) count("http.request.resend_count", 3);
  if (!rng.Chance(0.35)) return span;
  if (rng.Chance(0.2)) span.status = model::StatusCode::kError;
  if (rng.Chance(0.1)) text("error.type", {"timeout", "rate_limit_exceeded", "other"});
  if (rng.Chance(0.1)) text("usage_role", {"billable", "rollup", "wrapper", "engine_shadow"});
  if (rng.Chance(0.3)) set("gen_ai.usage.cost", {static_cast<double>(rng.Below(900)) * 1e-5});
  switch (rng.Below(8)) {
    case 0:
      text("openinference.span.kind", {"LLM", "EMBEDDING", "TOOL", "AGENT", "RERANKER"});
      text("llm.model_name", {"m1", "m2"});
      if (rng.Chance(0.7)) count("llm.token_count.prompt", 900);
      break;
    case 1:
      text("gen_ai.operation.name", {"execute_tool"});
      text("gen_ai.tool.name", {"search", "refund"});
      if (rng.Chance(0.3)) text("gen_ai.tool.call.id", {"c1", "c2"});
      break;
    case 2:
      text("gen_ai.operation.name", {"invoke_agent", "invoke_workflow"});
      if (rng.Chance(0.7)) count("gen_ai.usage.input_tokens", 3);
      break;
    case 3:
      set("gen_ai.latency.time_in_queue", {0.5});
      count("gen_ai.usage.output_tokens", 3);
      break;
    case 4:
      set("rpc.system", {std::string("aws-api")});
      text("rpc.service", {"Bedrock Runtime", "S3", "DynamoDB"});
      text("rpc.method", {"Converse", "GetObject", "ApplyGuardrail"});
      break;
    default:
      text("gen_ai.operation.name", {"chat", "embeddings", "rerank", "apply_guardrail"});
      text("gen_ai.provider.name", {"openai", "anthropic"});
      text("gen_ai.request.model", {"m1", "m2", "m3"});
      if (rng.Chance(0.3)) text("gen_ai.response.model", {"m1-2026"});
      if (rng.Chance(0.2)) text("gen_ai.response.id", {"r1", "r2"});
      if (rng.Chance(0.8)) {
        count("gen_ai.usage.input_tokens", 3);
        count("gen_ai.usage.output_tokens", 3);
      }
      if (rng.Chance(0.3)) count("gen_ai.usage.cache_read.input_tokens", 3);
  }
  return span;
}

inline void AddCalls(const std::vector<model::Span>& spans, const RollupWindow& window,
                     CallSums& sums) {
  genai::CallFinder finder;
  for (const model::Span& span : spans) finder.Add(span);
  finder.Finish([&](const genai::Call& call) {
    if (window.Holds(call.end_ns)) sums.Add(call);
  });
}

/// Rows in words, so that they do not depend on numbers of series.
inline std::map<std::string, std::string> Print(const CallSums& sums) {
  std::map<std::string, std::string> out;
  for (const CallSums::Row& row : sums.Rows()) {
    const CallSeries& series = sums.series()[row.series];
    std::string name =
        std::to_string(row.period_ns / kMinuteNs) + " " + std::to_string(series.kind);
    for (const TextId text : series.texts) name += "|" + sums.TextAt(text);
    name += "|" + std::to_string(series.prompt_class);
    name += "|" + std::to_string(static_cast<int>(series.bill));
    const CallCell& cell = *row.cell;
    std::string& value = out[name];
    for (const std::int64_t number :
         {cell.calls, cell.failed, cell.throttled, cell.timeouts, cell.retries, cell.prompt_tokens,
          cell.completion_tokens, cell.cached_tokens, cell.cache_write_tokens,
          cell.reasoning_tokens, cell.cost_nano_usd, cell.duration_ns, cell.cache_write_1h_tokens,
          cell.engine_ns, cell.milli_units, cell.streamed, cell.first_token_ns})
      value += std::to_string(number) + " ";
    for (const auto& bucket : cell.times.Buckets())
      value += std::to_string(bucket.index) + ":" + std::to_string(bucket.count) + " ";
    for (const auto& bucket : cell.first_tokens.Buckets())
      value += "first " + std::to_string(bucket.index) + ":" + std::to_string(bucket.count) + " ";
  }
  return out;
}

}  // namespace fluoro::rollup::testing
