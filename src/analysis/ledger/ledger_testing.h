// For tests: traces written as lines, sent as OTLP through the real decoder; random traces.
#pragma once

#include <fmt/format.h>

#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "analysis/ledger/ledger.h"
#include "base/json.h"
#include "codec/otlp/otlp.h"
#include "genai/trace_cost.h"
#include "model/span_batch.h"
#include "model/testing.h"

namespace fluoro::analysis::testing {

inline constexpr std::int64_t kMs = 1'000'000;
/// 2026-11-29T12:00:00Z.
inline constexpr std::int64_t kBeginNs = 1'795'953'600'000'000'000;

/// One span, in milliseconds from kBeginNs.
struct Line {
  std::uint64_t id = 0;
  std::uint64_t parent = 0;  ///< 0: none
  std::string name;
  model::SpanKind kind = model::SpanKind::kInternal;
  std::int64_t start_ms = 0;
  std::int64_t end_ms = 0;
  std::vector<std::pair<std::string, model::AttributeValue>> attributes = {};
  bool error = false;
  std::vector<std::pair<std::string, std::int64_t>> events = {};  ///< name, ms
  std::vector<std::pair<std::string, std::uint64_t>> links = {};  ///< trace id in hex, span
};

inline model::AttributeValue Text(std::string_view text) { return {std::string(text)}; }
inline model::AttributeValue Whole(std::int64_t number) { return {number}; }
inline model::AttributeValue Real(double number) { return {number}; }
inline model::AttributeValue Flag(bool flag) { return {flag}; }

inline void WriteOtlp(JsonWriter& out, const Line& line, std::string_view trace_id) {
  out.BeginObject().Key("traceId").String(trace_id);
  out.Key("spanId").String(model::testing::TestSpanId(line.id).ToHex());
  if (line.parent != 0)
    out.Key("parentSpanId").String(model::testing::TestSpanId(line.parent).ToHex());
  out.Key("name").String(line.name).Key("kind").Int(static_cast<int>(line.kind));
  out.Key("startTimeUnixNano").String(std::to_string(kBeginNs + line.start_ms * kMs));
  out.Key("endTimeUnixNano").String(std::to_string(kBeginNs + line.end_ms * kMs));
  out.Key("attributes").BeginArray();
  for (const auto& [key, value] : line.attributes) {
    out.BeginObject().Key("key").String(key).Key("value").BeginObject();
    if (const auto* text = value.AsString()) out.Key("stringValue").String(*text);
    if (const auto* whole = value.AsInt()) out.Key("intValue").String(std::to_string(*whole));
    if (const auto* real = value.AsDouble()) out.Key("doubleValue").Double(*real);
    if (const auto* flag = value.AsBool()) out.Key("boolValue").Bool(*flag);
    out.EndObject().EndObject();
  }
  out.EndArray().Key("events").BeginArray();
  for (const auto& [name, ms] : line.events) {
    out.BeginObject().Key("name").String(name);
    out.Key("timeUnixNano").String(std::to_string(kBeginNs + ms * kMs)).EndObject();
  }
  out.EndArray().Key("links").BeginArray();
  for (const auto& [trace, span] : line.links) {
    out.BeginObject().Key("traceId").String(trace);
    out.Key("spanId").String(model::testing::TestSpanId(span).ToHex()).EndObject();
  }
  out.EndArray();
  if (line.error) out.Key("status").BeginObject().Key("code").Int(2).EndObject();
  out.EndObject();
}

inline constexpr std::string_view kTraceHex = "581cf771a006649127e371903a2de979";

/// The trace as the store would give it.
inline model::AssembledTrace Decode(const std::vector<Line>& lines,
                                    std::string_view trace_id = kTraceHex) {
  JsonWriter out;
  out.BeginObject().Key("resourceSpans").BeginArray().BeginObject();
  out.Key("resource").BeginObject().Key("attributes").BeginArray().BeginObject();
  out.Key("key").String("service.name").Key("value").BeginObject();
  out.Key("stringValue").String("assistant").EndObject().EndObject().EndArray().EndObject();
  out.Key("scopeSpans").BeginArray().BeginObject().Key("spans").BeginArray();
  for (const Line& line : lines) WriteOtlp(out, line, trace_id);
  out.EndArray().EndObject().EndArray().EndObject().EndArray().EndObject();
  const auto decoded = codec::otlp::DecodeTraces(out.Take(), codec::otlp::Encoding::kJson, {});
  if (!decoded || decoded->batch.size() != lines.size()) return {};
  model::SpanReader reader(decoded->batch);
  std::vector<model::Span> spans;
  for (std::uint32_t i = 0; i < decoded->batch.size(); ++i) spans.push_back(reader.Read(i));
  return model::testing::AssembleSpans(std::move(spans));
}

/// A trace with all that is asked of it.
struct Told {
  model::AssembledTrace trace;
  genai::TraceCost cost;
  genai::TraceLabels labels;
  explicit Told(model::AssembledTrace told)
      : trace(std::move(told)),
        cost(genai::PriceTrace(trace, genai::ModelPrices::BuiltIn())),
        labels(genai::LabelsOf(trace)) {}
  [[nodiscard]] TraceView View() const { return TraceView::Of(trace, cost, labels); }
  [[nodiscard]] std::int32_t At(std::uint64_t id) const {
    return trace.Find(model::testing::TestSpanId(id));
  }
};

/// A forest of steps of all kinds, some failed, some beyond their parents, some without an end,
/// some each other's parents.
inline std::vector<model::Span> RandomSteps(std::mt19937_64& rng) {
  using model::SpanKind;
  const std::uint64_t count = 1 + rng() % 40;
  std::vector<model::Span> spans;
  for (std::uint64_t id = 1; id <= count; ++id) {
    const auto start = static_cast<std::int64_t>(rng() % 200);
    const auto end = start + static_cast<std::int64_t>(rng() % 90);
    auto span = model::testing::OtelSpan(id, static_cast<SpanKind>(rng() % 6),
                                         "n" + std::to_string(rng() % 3));
    span.Service("s").Parent(rng() % (count + 2)).BetweenNs(start, end);
    if (rng() % 10 == 0) span.BetweenNs(start, start).Flags(model::SpanFlag::kInProgress);
    constexpr std::string_view kKinds[] = {"llm",   "tool",  "http",  "db",     "retriever",
                                           "agent", "chain", "cache", "gateway"};
    span.Set("step_kind", kKinds[rng() % std::size(kKinds)]);
    span.Set("tool_name", "t" + std::to_string(rng() % 3));
    span.Set("model", "m" + std::to_string(rng() % 3));
    if (rng() % 4 == 0) span.Set("tenant", "tenant" + std::to_string(rng() % 3));
    if (rng() % 4 == 0) span.Status(model::StatusCode::kError, "timeout");
    spans.push_back(span);
  }
  return spans;
}

}  // namespace fluoro::analysis::testing
