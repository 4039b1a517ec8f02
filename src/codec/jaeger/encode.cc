#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/clock.h"
#include "codec/common/text.h"
#include "codec/jaeger/jaeger.h"
#include "codec/jaeger/keys.h"

namespace fluoro::codec::jaeger {
namespace {

using model::Attribute;
using model::AttributeType;
using model::AttributeValue;

constexpr std::string_view kUnknownService = "unknown_service";
constexpr int kAncestorsMax = 256;
// Above this JavaScript cannot tell whole numbers apart: they are written as strings.
constexpr std::int64_t kSafeIntegerMax = (std::int64_t{1} << 53) - 1;

void AppendTag(std::string_view key, const AttributeValue& value, JsonWriter& out) {
  out.BeginObject().Key("key").String(key).Key("type");
  switch (value.type()) {
    case AttributeType::kBool:
      out.String("bool").Key("value").Bool(*value.AsBool());
      break;
    case AttributeType::kInt: {
      const std::int64_t number = *value.AsInt();
      out.String("int64").Key("value");
      if (number > kSafeIntegerMax || number < -kSafeIntegerMax) {
        out.String(std::to_string(number));
      } else {
        out.Int(number);
      }
      break;
    }
    case AttributeType::kDouble:
      out.String("float64").Key("value").Double(*value.AsDouble());
      break;
    case AttributeType::kBytes:
      out.String("binary").Key("value").String(common::ValueText(value));
      break;
    case AttributeType::kNull:
    case AttributeType::kString:
    case AttributeType::kArray:
    case AttributeType::kKvList:
      out.String("string").Key("value").String(common::ValueText(value));
      break;
  }
  out.EndObject();
}

void AppendTags(const std::vector<Attribute>& attributes, std::string_view except,
                JsonWriter& out) {
  for (const Attribute& attribute : attributes) {
    if (attribute.key != except) AppendTag(attribute.key, attribute.value, out);
  }
}

bool HasAttribute(const model::Span& span, std::string_view key) {
  return std::any_of(span.attributes.begin(), span.attributes.end(),
                     [&](const Attribute& attribute) { return attribute.key == key; });
}

void AppendSpanTags(const model::Span& span, JsonWriter& out) {
  struct Derived {
    std::string_view key;
    std::string_view old_key;
    AttributeValue value;
    bool present;
  };
  const bool is_error = span.status == model::StatusCode::kError;
  const bool is_ok = span.status == model::StatusCode::kOk;
  const bool foreign = span.source != model::SpanSource::kJaeger;
  const std::string_view kind = internal::kKinds.at(static_cast<std::size_t>(span.kind));
  const Derived derived[] = {
      {internal::kScopeName,
       internal::kOldScopeName,
       {span.scope->name},
       !span.scope->name.empty()},
      {internal::kScopeVersion,
       internal::kOldScopeVersion,
       {span.scope->version},
       !span.scope->version.empty()},
      {internal::kSpanKind, {}, {std::string(kind)}, !kind.empty()},
      {internal::kStatusCode,
       {},
       {std::string(is_ok ? "OK" : "ERROR")},
       is_ok || (is_error && foreign)},
      {internal::kError, {}, {true}, is_error},
      {internal::kStatusDescription, {}, {span.status_message}, !span.status_message.empty()},
      {internal::kTraceState, {}, {span.trace_state}, !span.trace_state.empty()},
      {"in_progress", {}, {true}, span.Has(model::kInProgress)},
  };
  out.BeginArray();
  AppendTags(span.attributes, internal::kWarnings, out);
  for (const Derived& tag : derived) {
    if (tag.present && !HasAttribute(span, tag.key) &&
        (tag.old_key.empty() || !HasAttribute(span, tag.old_key))) {
      AppendTag(tag.key, tag.value, out);
    }
  }
  out.EndArray();
}

void AppendReference(std::string_view type, const model::TraceId& trace_id,
                     const model::SpanId& span_id, JsonWriter& out) {
  out.BeginObject().Key("refType").String(type);
  out.Key("traceID").String(common::ShortTraceId(trace_id));
  out.Key("spanID").String(span_id.ToHex()).EndObject();
}

bool IsChildOf(const model::Link& link) {
  return std::any_of(link.attributes.begin(), link.attributes.end(), [](const Attribute& a) {
    return a.key == internal::kRefType && a.value.AsString() != nullptr &&
           *a.value.AsString() == "child_of";
  });
}

void AppendLogs(const model::Span& span, JsonWriter& out) {
  out.BeginArray();
  for (const model::Event& event : span.events) {
    out.BeginObject().Key("timestamp").Int(event.time_ns / kNsPerUs).Key("fields").BeginArray();
    if (!event.name.empty()) AppendTag(internal::kEventField, {event.name}, out);
    AppendTags(event.attributes, {}, out);
    out.EndArray().EndObject();
  }
  out.EndArray();
}

void AppendWarnings(const model::Span& span, JsonWriter& out) {
  const AttributeValue* const warnings = span.Find(internal::kWarnings);
  if (warnings == nullptr || warnings->AsArray() == nullptr) {
    out.Null();
    return;
  }
  common::AppendValueJson(*warnings, out);
}

/// Numbers the processes of a trace p1, p2, ... in the order in which spans use them.
class Processes {
 public:
  explicit Processes(const model::Trace& trace) {
    for (const model::Span& span : trace.spans) by_id_.emplace(span.span_id, &span);
  }

  std::string IdFor(const model::Span& span) {
    const std::string service = ServiceOf(span);
    const auto key = std::make_pair(span.resource.get(), service);
    if (const auto it = by_resource_.find(key); it != by_resource_.end()) return it->second;
    JsonWriter json;
    json.BeginObject().Key("serviceName").String(service).Key("tags").BeginArray();
    AppendTags(span.resource->attributes, internal::kServiceName, json);
    json.EndArray().EndObject();
    std::string text = json.Take();
    const auto [it, is_new] = by_text_.try_emplace(text, "p" + std::to_string(texts_.size() + 1));
    if (is_new) texts_.push_back(std::move(text));
    by_resource_.emplace(key, it->second);
    return it->second;
  }

  void Append(JsonWriter& out) const {
    out.BeginObject();
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      out.Key("p" + std::to_string(i + 1)).Raw(texts_[i]);
    }
    out.EndObject();
  }

 private:
  // Parents may form a cycle, so the walk is bounded.
  std::string ServiceOf(const model::Span& span) const {
    const model::Span* at = &span;
    for (int i = 0; i < kAncestorsMax; ++i) {
      if (!at->service().empty()) return std::string(at->service());
      const auto parent = by_id_.find(at->parent_id);
      if (parent == by_id_.end()) break;
      at = parent->second;
    }
    return std::string(kUnknownService);
  }

  std::unordered_map<model::SpanId, const model::Span*> by_id_;
  std::map<std::pair<const model::Resource*, std::string>, std::string> by_resource_;
  std::unordered_map<std::string, std::string> by_text_;
  std::vector<std::string> texts_;
};

void AppendSpan(const model::Span& span, Processes& processes, JsonWriter& out) {
  out.BeginObject();
  out.Key("traceID").String(common::ShortTraceId(span.trace_id));
  out.Key("spanID").String(span.span_id.ToHex());
  if (span.otel_flags != 0) out.Key("flags").Uint(span.otel_flags);
  out.Key("operationName").String(span.name);
  out.Key("references").BeginArray();
  if (!span.parent_id.IsZero()) {
    AppendReference("CHILD_OF", span.trace_id, span.parent_id, out);
  }
  for (const model::Link& link : span.links) {
    AppendReference(IsChildOf(link) ? "CHILD_OF" : "FOLLOWS_FROM", link.trace_id, link.span_id,
                    out);
  }
  out.EndArray();
  out.Key("startTime").Int(span.start_ns / kNsPerUs);
  out.Key("duration").Int((span.end_ns - span.start_ns) / kNsPerUs);
  out.Key("tags");
  AppendSpanTags(span, out);
  out.Key("logs");
  AppendLogs(span, out);
  out.Key("processID").String(processes.IdFor(span));
  out.Key("warnings");
  AppendWarnings(span, out);
  out.EndObject();
}

}  // namespace

void AppendTrace(const model::Trace& trace, JsonWriter& out) {
  Processes processes(trace);
  out.BeginObject().Key("traceID").String(common::ShortTraceId(trace.id));
  out.Key("spans").BeginArray();
  for (const model::Span& span : trace.spans) AppendSpan(span, processes, out);
  out.EndArray().Key("processes");
  processes.Append(out);
  out.Key("warnings");
  if (trace.limit_exceeded || trace.IsPart()) {
    out.BeginArray();
    if (trace.limit_exceeded) out.String("the trace outgrew its limit; spans are missing");
    if (trace.IsPart()) {
      out.String("a part: " + std::to_string(trace.spans.size()) + " of " +
                 std::to_string(trace.TotalSpans()) + " spans");
    }
    out.EndArray();
  } else {
    out.Null();
  }
  out.EndObject();
}

}  // namespace fluoro::codec::jaeger
