#include <algorithm>
#include <array>

#include "base/clock.h"
#include "base/json.h"
#include "codec/common/text.h"
#include "codec/zipkin/keys.h"
#include "codec/zipkin/zipkin.h"

namespace fluoro::codec::zipkin {
namespace {

using internal::EndpointKeys;
using internal::kLocal;
using internal::kRemote;
using model::Attribute;
using model::AttributeValue;

// In the order of SpanKind; Zipkin has no word for spans that stay inside their service.
constexpr std::array<std::string_view, 6> kKinds = {"",       "",         "SERVER",
                                                    "CLIENT", "PRODUCER", "CONSUMER"};

// Attributes that become other members than tags.
constexpr std::array<std::string_view, 10> kNoTags = {
    kRemote.service,    kRemote.address,        kRemote.second_address,
    kRemote.port,       kLocal.address,         kLocal.second_address,
    kLocal.port,        internal::kSharedIdKey, internal::kSharedParentKey,
    internal::kDebugKey};

std::string TextOf(const AttributeValue* value) {
  return value == nullptr ? std::string() : common::ValueText(*value);
}

void AppendEndpoint(const model::Span& span, std::string_view member, const EndpointKeys& keys,
                    const std::string& service, JsonWriter& out) {
  const std::string address = TextOf(span.Find(keys.address));
  const std::string second = TextOf(span.Find(keys.second_address));
  const AttributeValue* const port_value = span.Find(keys.port);
  const std::int64_t* const port = port_value == nullptr ? nullptr : port_value->AsInt();
  if (service.empty() && address.empty() && port == nullptr) return;
  const bool is_v6 = address.find(':') != std::string::npos;
  out.Key(member).BeginObject();
  if (!service.empty()) out.Key("serviceName").String(service);
  if (!address.empty()) out.Key(is_v6 ? "ipv6" : "ipv4").String(address);
  if (!second.empty()) out.Key("ipv6").String(second);
  if (port != nullptr) out.Key("port").Int(*port);
  out.EndObject();
}

// OpenTelemetry's form for events with attributes: "name": {...}.
std::string EventText(const model::Event& event) {
  if (event.attributes.empty()) return event.name;
  JsonWriter out;
  out.BeginObject().Key(event.name).BeginObject();
  for (const Attribute& attribute : event.attributes) {
    out.Key(attribute.key);
    common::AppendValueJson(attribute.value, out);
  }
  out.EndObject().EndObject();
  const std::string text = out.Take();
  return text.substr(1, text.size() - 2);
}

void AppendTags(const model::Span& span, JsonWriter& out) {
  std::vector<std::pair<std::string_view, std::string>> tags;
  const auto add = [&](std::string_view key, std::string value) {
    const auto same =
        std::find_if(tags.begin(), tags.end(), [&](const auto& tag) { return tag.first == key; });
    if (same != tags.end()) {
      same->second = std::move(value);
    } else {
      tags.emplace_back(key, std::move(value));
    }
  };
  const bool foreign = span.source != model::SpanSource::kZipkin;
  if (foreign) {
    for (const Attribute& attribute : span.resource->attributes) {
      if (attribute.key != kLocal.service) add(attribute.key, common::ValueText(attribute.value));
    }
    if (!span.scope->name.empty()) add("otel.scope.name", span.scope->name);
    if (!span.scope->version.empty()) add("otel.scope.version", span.scope->version);
    if (!span.trace_state.empty()) add("w3c.tracestate", span.trace_state);
    if (span.status == model::StatusCode::kOk) add("otel.status_code", "OK");
    if (span.status == model::StatusCode::kError) add("otel.status_code", "ERROR");
  }
  for (const Attribute& attribute : span.attributes) {
    if (std::find(kNoTags.begin(), kNoTags.end(), attribute.key) == kNoTags.end()) {
      add(attribute.key, common::ValueText(attribute.value));
    }
  }
  if (span.status == model::StatusCode::kError) {
    const bool empty = foreign && span.status_message.empty();
    add(internal::kErrorTag, empty ? "true" : span.status_message);
  }
  if (tags.empty()) return;
  out.Key("tags").BeginObject();
  for (const auto& [key, value] : tags) out.Key(key).String(value);
  out.EndObject();
}

// The attribute is believed only where it explains the span's id: a tag may have the same key.
bool IsShared(const model::Span& span, const std::string& shared_id) {
  const auto id = model::SpanId::Parse(shared_id);
  return id && SharedSpanId(span.trace_id, *id) == span.span_id;
}

void AppendSpan(const model::Span& span, JsonWriter& out) {
  const std::string shared_id = TextOf(span.Find(internal::kSharedIdKey));
  const bool shared = IsShared(span, shared_id);
  const std::string parent = shared ? TextOf(span.Find(internal::kSharedParentKey))
                             : span.parent_id.IsZero() ? std::string()
                                                       : span.parent_id.ToHex();
  out.BeginObject();
  out.Key("traceId").String(common::ShortTraceId(span.trace_id));
  if (!parent.empty()) out.Key("parentId").String(parent);
  out.Key("id").String(shared ? shared_id : span.span_id.ToHex());
  const std::string_view kind = kKinds.at(static_cast<std::size_t>(span.kind));
  if (!kind.empty()) out.Key("kind").String(kind);
  if (!span.name.empty()) out.Key("name").String(span.name);
  out.Key("timestamp").Int(span.start_ns / kNsPerUs);
  if (span.end_ns > span.start_ns) {
    // Zipkin has no durations below a microsecond.
    out.Key("duration").Int(std::max<std::int64_t>(1, (span.end_ns - span.start_ns) / kNsPerUs));
  }
  AppendEndpoint(span, "localEndpoint", kLocal, std::string(span.service()), out);
  AppendEndpoint(span, "remoteEndpoint", kRemote, TextOf(span.Find(kRemote.service)), out);
  if (!span.events.empty()) {
    out.Key("annotations").BeginArray();
    for (const model::Event& event : span.events) {
      out.BeginObject().Key("timestamp").Int(event.time_ns / kNsPerUs);
      out.Key("value").String(EventText(event)).EndObject();
    }
    out.EndArray();
  }
  AppendTags(span, out);
  if (span.Find(internal::kDebugKey) != nullptr) out.Key("debug").Bool(true);
  if (shared) out.Key("shared").Bool(true);
  out.EndObject();
}

}  // namespace

std::string EncodeSpans(std::span<const model::Span> spans) {
  JsonWriter out;
  out.BeginArray();
  for (const model::Span& span : spans) AppendSpan(span, out);
  out.EndArray();
  return out.Take();
}

}  // namespace fluoro::codec::zipkin
