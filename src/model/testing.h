// Builders of spans and traces for the tests of every module.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/assembly.h"
#include "model/span.h"

namespace fluoro::model::testing {

/// The trace id all builders use: 1-581cf771-a006649127e371903a2de979.
inline TraceId TestTraceId() { return *TraceId::Parse("1-581cf771-a006649127e371903a2de979"); }

/// Big-endian bytes of `number`; 0 is "none".
inline SpanId TestSpanId(std::uint64_t number) {
  SpanId id;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    id.bytes[i] = static_cast<std::uint8_t>(number >> (56 - 8 * i));
  }
  return id;
}

inline AttributeValue ToValue(AttributeValue value) { return value; }
inline AttributeValue ToValue(std::string_view text) { return {std::string(text)}; }
inline AttributeValue ToValue(const std::string& text) { return {text}; }
inline AttributeValue ToValue(const char* text) { return {std::string(text)}; }
inline AttributeValue ToValue(bool flag) { return {flag}; }
inline AttributeValue ToValue(double number) { return {number}; }
inline AttributeValue ToValue(std::integral auto number) {
  return {static_cast<std::int64_t>(number)};
}
inline AttributeValue ToValue(const std::vector<std::string>& texts) {
  AttributeValue::Array array;
  for (const std::string& text : texts) array.values.push_back({text});
  return {std::move(array)};
}

/// Fluent maker of one span: `OtelSpan(1, SpanKind::kServer, "GET /").Service("web").Between(0,
/// 80)`.
class SpanBuilder {
 public:
  SpanBuilder(std::uint64_t id, std::string_view name) {
    span_.trace_id = TestTraceId();
    span_.span_id = TestSpanId(id);
    span_.name = name;
    span_.scope = std::make_shared<const Scope>();
  }

  SpanBuilder& InTrace(const TraceId& id) { return span_.trace_id = id, *this; }
  SpanBuilder& Parent(std::uint64_t id) { return span_.parent_id = TestSpanId(id), *this; }
  SpanBuilder& Kind(SpanKind kind) { return span_.kind = kind, *this; }
  SpanBuilder& Source(SpanSource source) { return span_.source = source, *this; }
  SpanBuilder& Status(StatusCode status, std::string_view message = {}) {
    span_.status = status;
    span_.status_message = message;
    return *this;
  }
  /// Milliseconds since the epoch.
  SpanBuilder& Between(std::int64_t start_ms, std::int64_t end_ms) {
    return BetweenNs(start_ms * 1'000'000, end_ms * 1'000'000);
  }
  SpanBuilder& BetweenNs(std::int64_t start_ns, std::int64_t end_ns) {
    span_.start_ns = start_ns;
    span_.end_ns = end_ns;
    return *this;
  }
  /// Sets kInProgress, and the end to the start.
  SpanBuilder& InProgressSince(std::int64_t start_ms) {
    return Between(start_ms, start_ms).Flags(SpanFlag::kInProgress);
  }
  /// SpanFlag bits, added to those there.
  SpanBuilder& Flags(std::uint32_t bits) { return span_.flags |= bits, *this; }
  SpanBuilder& OtelFlags(std::uint32_t bits) { return span_.otel_flags = bits, *this; }
  SpanBuilder& RecordedBy(std::string_view scope) {
    auto made = std::make_shared<model::Scope>();
    made->name = scope;
    span_.scope = std::move(made);
    return *this;
  }
  SpanBuilder& Service(std::string_view name) { return Resource("service.name", name); }
  template <class Value>
  SpanBuilder& Resource(std::string_view key, const Value& value) {
    resource_.attributes.push_back({std::string(key), ToValue(value), AttributeRole::kPlain});
    return *this;
  }
  template <class Value>
  SpanBuilder& Set(std::string_view key, const Value& value) {
    span_.attributes.push_back({std::string(key), ToValue(value), AttributeRole::kPlain});
    return *this;
  }
  template <class Value>
  SpanBuilder& Annotate(std::string_view key, const Value& value) {
    span_.attributes.push_back({std::string(key), ToValue(value), AttributeRole::kAnnotation});
    return *this;
  }
  SpanBuilder& Event(std::string_view name,
                     const std::vector<std::pair<std::string, std::string>>& attributes,
                     std::int64_t time_ns = 0) {
    model::Event event{.time_ns = time_ns, .name = std::string(name), .attributes = {}};
    for (const auto& [key, value] : attributes) {
      event.attributes.push_back({key, ToValue(value), AttributeRole::kPlain});
    }
    span_.events.push_back(std::move(event));
    return *this;
  }
  SpanBuilder& Exception(std::string_view type, std::string_view message,
                         std::string_view id = {}) {
    return Event("exception", {{"exception.type", std::string(type)},
                               {"exception.message", std::string(message)},
                               {"aws.xray.exception.id", std::string(id)}});
  }
  SpanBuilder& LinkTo(std::uint64_t id) { return LinkTo(span_.trace_id, TestSpanId(id)); }
  SpanBuilder& LinkTo(const TraceId& trace_id, SpanId id) {
    span_.links.push_back(
        {.trace_id = trace_id, .span_id = id, .trace_state = {}, .attributes = {}});
    return *this;
  }

  [[nodiscard]] Span Build() const {
    Span span = span_;
    span.resource = std::make_shared<const model::Resource>(resource_);
    return span;
  }
  operator Span() const {
    return Build();
  }  // NOLINT(google-explicit-constructor): reads as a list of spans

 private:
  Span span_;
  model::Resource resource_;
};

/// A span as OTLP brings it.
inline SpanBuilder OtelSpan(std::uint64_t id, SpanKind kind, std::string_view name) {
  return SpanBuilder(id, name).Kind(kind);
}

/// A segment as the decoder of X-Ray documents makes it.
inline SpanBuilder XRaySegment(std::uint64_t id, std::string_view name) {
  return SpanBuilder(id, name)
      .Source(SpanSource::kXRay)
      .Kind(SpanKind::kServer)
      .Flags(SpanFlag::kSegment)
      .Service(name);
}

/// A subsegment, embedded unless Flags(kIndependent) is added. `name_space`: "aws", "remote" or "".
inline SpanBuilder XRaySubsegment(std::uint64_t id, std::uint64_t parent, std::string_view name,
                                  std::string_view name_space = {}) {
  SpanBuilder builder(id, name);
  builder.Source(SpanSource::kXRay)
      .Kind(name_space.empty() ? SpanKind::kInternal : SpanKind::kClient)
      .Flags(SpanFlag::kSubsegment)
      .Parent(parent);
  if (!name_space.empty()) builder.Set("aws.xray.namespace", name_space);
  return builder;
}

/// A trace as the store gives it: after Deduplicate.
inline std::shared_ptr<const Trace> MakeTrace(std::vector<Span> spans) {
  auto trace = std::make_shared<Trace>();
  trace->id = spans.empty() ? TestTraceId() : spans.front().trace_id;
  Deduplicate(spans);
  trace->spans = std::move(spans);
  return trace;
}

inline AssembledTrace AssembleSpans(std::vector<Span> spans) {
  return Assemble(MakeTrace(std::move(spans)));
}

}  // namespace fluoro::model::testing
