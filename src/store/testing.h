// For tests of the store: spans and batches from a seed, and a slow, obvious model of what a store
// holds.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "model/assembly.h"
#include "model/span.h"
#include "model/span_batch.h"

namespace fluoro::store::testing {

inline model::TraceId MakeTraceId(std::uint64_t number) {
  model::TraceId id;
  for (std::size_t i = 0; i < 8; ++i)
    id.bytes[15 - i] = static_cast<std::uint8_t>(number >> (8 * i));
  id.bytes[0] =
      static_cast<std::uint8_t>(number * 37 + 1);  // so that order of ids is not order of numbers
  return id;
}

inline model::SpanId MakeSpanId(std::uint64_t number) {
  model::SpanId id;
  for (std::size_t i = 0; i < 8; ++i)
    id.bytes[7 - i] = static_cast<std::uint8_t>(number >> (8 * i));
  return id;
}

inline model::AttributeValue RandomValue(Rng& rng, int depth) {
  switch (rng.Below(depth > 0 ? 8 : 6)) {
    case 0:
      return {};
    case 1:
      return {std::string(rng.Below(40), static_cast<char>('a' + rng.Below(26)))};
    case 2:
      return {rng.Chance(0.5)};
    case 3:
      return {static_cast<std::int64_t>(rng.Next() >> rng.Below(64))};
    case 4:
      return {rng.Unit() * 1e6};
    case 5:
      return {model::AttributeValue::Bytes{std::string("\0\xff", 2)}};
    case 6: {
      model::AttributeValue::Array array;
      for (std::uint64_t i = rng.Below(4); i > 0; --i)
        array.values.push_back(RandomValue(rng, depth - 1));
      return {array};
    }
    default: {
      model::AttributeValue::KvList list;
      for (std::uint64_t i = rng.Below(4); i > 0; --i) {
        list.entries.push_back({"k" + std::to_string(i), RandomValue(rng, depth - 1)});
      }
      return {list};
    }
  }
}

inline std::vector<model::Attribute> RandomAttributes(Rng& rng) {
  std::vector<model::Attribute> out;
  for (std::uint64_t i = rng.Below(6); i > 0; --i) {
    out.push_back(
        {"key." + std::to_string(rng.Below(9)), RandomValue(rng, 3),
         rng.Chance(0.3) ? model::AttributeRole::kAnnotation : model::AttributeRole::kPlain});
  }
  return out;
}

/// A span with every field in use now and then. Its content is a function of the generator.
inline model::Span RandomSpan(Rng& rng, const model::TraceId& trace, std::uint64_t span_number) {
  model::Span span;
  span.trace_id = trace;
  span.span_id = MakeSpanId(span_number);
  if (rng.Chance(0.7))
    span.parent_id = MakeSpanId(
        span_number > 1 ? span_number - 1 - rng.Below(std::min<std::uint64_t>(span_number - 1, 3))
                        : 77);
  span.name = "operation " + std::to_string(rng.Below(12));
  span.start_ns =
      1'700'000'000'000'000'000 + static_cast<std::int64_t>(rng.Below(3'600'000'000'000));
  span.end_ns = span.start_ns + static_cast<std::int64_t>(rng.Below(2'000'000'000));
  span.kind = static_cast<model::SpanKind>(rng.Below(6));
  span.status = static_cast<model::StatusCode>(rng.Below(3));
  span.flags = static_cast<std::uint32_t>(rng.Below(8));
  span.otel_flags = static_cast<std::uint32_t>(rng.Below(2));
  span.trace_state = rng.Chance(0.1) ? "vendor=1" : "";
  span.status_message = rng.Chance(0.2) ? "boom" : "";
  span.document = rng.Chance(0.2) ? R"({"name":"x"})" : "";
  auto resource = std::make_shared<model::Resource>();
  resource->attributes.push_back(
      {"service.name", {"service-" + std::to_string(rng.Below(5))}, model::AttributeRole::kPlain});
  resource->attributes.push_back(
      {"host.id", {"host-" + std::to_string(rng.Below(3))}, model::AttributeRole::kPlain});
  resource->schema_url = rng.Chance(0.5) ? "https://opentelemetry.io/schemas/1.27.0" : "";
  span.resource = std::move(resource);
  auto scope = std::make_shared<model::Scope>();
  scope->name = "scope-" + std::to_string(rng.Below(2));
  scope->version = "1.0";
  if (rng.Chance(0.2))
    scope->attributes.push_back({"s", {std::int64_t{1}}, model::AttributeRole::kPlain});
  span.scope = std::move(scope);
  span.attributes = RandomAttributes(rng);
  for (std::uint64_t i = rng.Below(3); i > 0; --i) {
    span.events.push_back({span.start_ns + static_cast<std::int64_t>(i), "event",
                           RandomAttributes(rng), static_cast<std::uint32_t>(rng.Below(2))});
  }
  if (rng.Chance(0.2)) {
    span.links.push_back(
        {MakeTraceId(rng.Below(9)), MakeSpanId(5), "a=b", RandomAttributes(rng), 2, 3});
  }
  span.dropped_attributes = static_cast<std::uint32_t>(rng.Below(2));
  return span;
}

inline model::SpanBatch MakeBatch(const std::vector<model::Span>& spans) {
  model::SpanBatch batch;
  for (const model::Span& span : spans) batch.AppendSpan(span);
  return batch;
}

/// What a store should hold: the spans of each trace in order of arrival.
class StoreModel {
 public:
  void Append(const std::vector<model::Span>& spans) {
    for (const model::Span& span : spans) traces_[span.trace_id].push_back(span);
  }
  void Delete(const model::TraceId& id) { traces_.erase(id); }
  [[nodiscard]] std::vector<model::Span> Trace(const model::TraceId& id) const {
    const auto at = traces_.find(id);
    if (at == traces_.end()) return {};
    std::vector<model::Span> spans = at->second;
    model::Deduplicate(spans);
    return spans;
  }
  [[nodiscard]] std::vector<model::TraceId> Ids() const {
    std::vector<model::TraceId> ids;
    for (const auto& [id, spans] : traces_) ids.push_back(id);
    return ids;
  }
  /// Newest start first, ties by larger id.
  [[nodiscard]] std::vector<model::TraceId> InSearchOrder() const {
    std::vector<std::pair<std::int64_t, model::TraceId>> order;
    for (const auto& [id, unused] : traces_) order.emplace_back(Start(id), id);
    std::sort(order.rbegin(), order.rend());
    std::vector<model::TraceId> ids;
    for (const auto& [start, id] : order) ids.push_back(id);
    return ids;
  }
  [[nodiscard]] std::int64_t Start(const model::TraceId& id) const {
    std::int64_t start = INT64_MAX;
    for (const model::Span& span : Trace(id)) start = std::min(start, span.start_ns);
    return start;
  }

 private:
  std::map<model::TraceId, std::vector<model::Span>> traces_;
};

}  // namespace fluoro::store::testing
