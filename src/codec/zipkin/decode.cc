#include "codec/zipkin/decode.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "codec/common/bounds.h"
#include "codec/common/text.h"
#include "codec/zipkin/zipkin.h"

namespace fluoro::codec::zipkin {
namespace internal {
namespace {

// JSON values of one span, or of one trace in an array of arrays.
constexpr std::size_t kValuesPerElementMax = 4'000'000;

}  // namespace

Result<std::optional<std::int64_t>> ReadOptionalTime(JsonView object, std::string_view member) {
  FLUORO_TRY(const std::int64_t ns, ReadTime(object, member));
  return ns == 0 ? std::optional<std::int64_t>() : std::optional(ns);
}

Result<std::string> ReadScalarText(JsonView value, std::string_view member) {
  if (const auto text = value.String()) return std::string(*text);
  if (const auto flag = value.Bool()) return std::string(*flag ? "true" : "false");
  if (const auto whole = value.Int()) return std::to_string(*whole);
  if (const auto number = value.Double()) return common::ValueText({*number});
  return Bad(value, member,
             "a string was expected, not " + std::string(JsonTypeName(value.type())));
}

Result<Ids> ReadIds(JsonView span) {
  Ids ids;
  for (const std::string_view member : {"traceId", "id", "parentId"}) {
    FLUORO_TRY(const JsonView value, ReadOptional(span, member, JsonType::kString));
    if (!value.exists()) {
      if (member == "parentId") continue;
      return Bad(span, member, "missing");
    }
    const std::string_view text = *value.String();
    if (member == "traceId") {
      const auto id = common::ParseTraceIdPadded(text);
      if (!id) return Bad(value, member, id.error().message);
      ids.trace_id = *id;
      continue;
    }
    // Old tracers write a parent of zeros for none.
    if (member == "parentId" && text.find_first_not_of('0') == std::string_view::npos) continue;
    const auto id = common::ParseSpanIdPadded(text);
    if (!id) return Bad(value, member, id.error().message);
    (member == "id" ? ids.id : ids.parent_id) = *id;
  }
  if (ids.parent_id == ids.id) ids.parent_id = {};
  return ids;
}

Result<Endpoint> ReadEndpoint(JsonView value, std::string_view member) {
  Endpoint endpoint;
  if (value.IsNull()) return endpoint;
  if (!value.IsObject()) return Bad(value, member, "an object was expected");
  FLUORO_TRY(endpoint.service, ReadText(value, "serviceName"));
  FLUORO_TRY(endpoint.ipv4, ReadText(value, "ipv4"));
  FLUORO_TRY(endpoint.ipv6, ReadText(value, "ipv6"));
  const JsonView port = value["port"];
  if (!port.IsNull()) {
    const auto number = port.Int();
    if (!number || *number < 0 || *number > 65'535) {
      return Bad(port, "port", "a number from 0 to 65535 was expected");
    }
    endpoint.port = *number;
  }
  return endpoint;
}

void AddText(model::Span& span, std::string_view key, std::string value) {
  span.attributes.push_back({.key = std::string(key), .value = {std::move(value)}});
}

void AddEndpoint(const Endpoint& endpoint, const EndpointKeys& keys, model::Span& span) {
  if (keys.service == kRemote.service && !endpoint.service.empty()) {
    AddText(span, keys.service, endpoint.service);
  }
  const std::string& address = endpoint.ipv4.empty() ? endpoint.ipv6 : endpoint.ipv4;
  if (!address.empty()) AddText(span, keys.address, address);
  if (!endpoint.ipv4.empty() && !endpoint.ipv6.empty()) {
    AddText(span, keys.second_address, endpoint.ipv6);
  }
  if (endpoint.port != 0) {
    span.attributes.push_back({.key = std::string(keys.port), .value = {endpoint.port}});
  }
}

void AddTag(model::Span& span, std::string_view key, std::string value) {
  if (key == kErrorTag) {
    span.status = model::StatusCode::kError;
    span.status_message = std::move(value);
  } else {
    AddText(span, key, std::move(value));
  }
}

void MakeShared(model::Span& span, const Ids& ids) {
  span.span_id = SharedSpanId(ids.trace_id, ids.id);
  span.parent_id = ids.id;
  AddText(span, kSharedIdKey, ids.id.ToHex());
  if (!ids.parent_id.IsZero()) AddText(span, kSharedParentKey, ids.parent_id.ToHex());
}

Sink::Sink(const model::Limits& limits, model::DecodeStats& stats, model::SpanBatch& batch)
    : limits_(limits), stats_(stats), batch_(batch), scope_(std::make_shared<model::Scope>()) {}

void Sink::Add(model::Span span, const std::string& service) {
  if (!common::AcceptsStart(limits_, span.start_ns, stats_)) return;
  if (resource_ == nullptr || resource_service_ != service) {
    model::Resource resource;
    if (!service.empty()) {
      resource.attributes.push_back({.key = std::string(kLocal.service), .value = {service}});
    }
    resource_flags_ = common::ApplyLimits(limits_, resource, stats_);
    resource_ = std::make_shared<const model::Resource>(std::move(resource));
    resource_service_ = service;
  }
  span.resource = resource_;
  span.scope = scope_;
  span.source = model::SpanSource::kZipkin;
  span.flags |= resource_flags_;
  common::ApplyLimits(limits_, span, stats_);
  batch_.AppendSpan(span);
  ++stats_.spans;
}

Result<void> DecodeV2(JsonView value, Sink& sink) {
  struct KindName {
    std::string_view name;
    model::SpanKind kind;
  };
  static constexpr KindName kKinds[] = {{"CLIENT", model::SpanKind::kClient},
                                        {"SERVER", model::SpanKind::kServer},
                                        {"PRODUCER", model::SpanKind::kProducer},
                                        {"CONSUMER", model::SpanKind::kConsumer}};
  model::Span span;
  FLUORO_TRY(const Ids ids, ReadIds(value));
  span.trace_id = ids.trace_id;
  span.span_id = ids.id;
  span.parent_id = ids.parent_id;
  FLUORO_TRY(span.name, ReadText(value, "name"));
  FLUORO_TRY(const std::string kind_name, ReadText(value, "kind"));
  span.kind = model::SpanKind::kInternal;
  if (!kind_name.empty()) {
    const auto* const kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                          [&](const KindName& k) { return k.name == kind_name; });
    if (kind == std::end(kKinds)) {
      return Bad(value["kind"], "kind", "CLIENT, SERVER, PRODUCER or CONSUMER was expected");
    }
    span.kind = kind->kind;
  }
  FLUORO_TRY(const auto start, ReadOptionalTime(value, "timestamp"));
  FLUORO_TRY(const auto duration, ReadOptionalTime(value, "duration"));
  span.start_ns = start.value_or(sink.limits().receive_ns);
  if (duration.value_or(0) > INT64_MAX - span.start_ns) {
    return Bad(value["duration"], "duration", "out of range");
  }
  span.end_ns = span.start_ns + duration.value_or(0);

  FLUORO_TRY(const Endpoint local, ReadEndpoint(value["localEndpoint"], "localEndpoint"));
  FLUORO_TRY(const Endpoint remote, ReadEndpoint(value["remoteEndpoint"], "remoteEndpoint"));
  AddEndpoint(local, kLocal, span);
  AddEndpoint(remote, kRemote, span);
  FLUORO_TRY(const JsonView shared, ReadOptional(value, "shared", JsonType::kBool));
  if (shared.Bool() == true) MakeShared(span, ids);
  FLUORO_TRY(const JsonView debug, ReadOptional(value, "debug", JsonType::kBool));
  if (debug.Bool() == true) {
    span.attributes.push_back({.key = std::string(kDebugKey), .value = {true}});
  }

  FLUORO_TRY(const JsonView tags, ReadOptional(value, "tags", JsonType::kObject));
  for (const auto& tag : tags.Members()) {
    FLUORO_TRY(std::string text, ReadScalarText(tag.value, "tags." + std::string(tag.key)));
    AddTag(span, tag.key, std::move(text));
  }
  FLUORO_TRY(const JsonView annotations, ReadOptional(value, "annotations", JsonType::kArray));
  for (const JsonView annotation : annotations.Elements()) {
    if (!annotation.IsObject()) return Bad(annotation, "annotations", "an object was expected");
    model::Event event;
    FLUORO_TRY(const auto time, ReadOptionalTime(annotation, "timestamp"));
    event.time_ns = time.value_or(span.start_ns);
    FLUORO_TRY(event.name, ReadText(annotation, "value"));
    span.events.push_back(std::move(event));
  }
  sink.Add(std::move(span), local.service);
  return {};
}

}  // namespace internal

model::SpanId SharedSpanId(const model::TraceId& trace_id, const model::SpanId& id) {
  std::string text(trace_id.bytes.begin(), trace_id.bytes.end());
  text.append(id.bytes.begin(), id.bytes.end());
  text.append("shared");
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int bytes = 0;
  FLUORO_ASSERT(
      EVP_Digest(text.data(), text.size(), digest.data(), &bytes, EVP_sha256(), nullptr) == 1);
  model::SpanId derived;
  std::copy_n(digest.begin(), derived.bytes.size(), derived.bytes.begin());
  return derived;
}

Result<model::SpanBatch> DecodeSpans(std::string_view json, Version version,
                                     const model::Limits& limits, model::DecodeStats& stats) {
  if (json.size() > limits.body_bytes_max) {
    return Fail(ErrorCode::kTooLarge, "body of " + std::to_string(json.size()) +
                                          " bytes, at most " +
                                          std::to_string(limits.body_bytes_max) + " are taken");
  }
  model::SpanBatch batch;
  internal::Sink sink(limits, stats, batch);
  const auto decode = version == Version::kV1 ? internal::DecodeV1 : internal::DecodeV2;
  const auto visit = [&](JsonView element) -> Result<void> {
    FLUORO_CHECK_OK(common::CheckRoom(limits, batch));
    if (element.IsObject()) return decode(element, sink);
    if (!element.IsArray()) return common::Bad(element, "span", "an object was expected");
    for (const JsonView span : element.Elements()) {
      if (!span.IsObject()) return common::Bad(span, "span", "an object was expected");
      FLUORO_CHECK_OK(decode(span, sink));
    }
    return {};
  };
  const JsonLimits json_limits{.depth_max = static_cast<std::size_t>(limits.nesting_max),
                               .values_max = internal::kValuesPerElementMax};
  FLUORO_CHECK_OK(JsonTree::ForEachElement(json, json_limits, visit));
  return batch;
}

}  // namespace fluoro::codec::zipkin
