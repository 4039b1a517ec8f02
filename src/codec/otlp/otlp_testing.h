// Test helpers: the vector of the OTLP examples, hand-made wire messages, random spans.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/hex.h"
#include "base/rng.h"
#include "codec/otlp/otlp.h"
#include "codec/otlp/wire.h"
#include "model/any_value.h"
#include "model/span.h"

namespace fluoro::codec::otlp {

inline std::string FromHexText(std::string_view hex) {
  std::string bytes(hex.size() / 2, '\0');
  const bool ok = FromHex(hex, {reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()});
  return ok ? bytes : std::string();
}

/// One SERVER span `GET /`, 171 bytes.
inline std::string VectorProtobuf() {
  return FromHexText(
      "0aa8010a1f0a1d0a0c736572766963652e6e616d65120d0a0b6578616d706c652e636f6d1284010a030a0173127d"
      "0a104efaaf4d1e8720b39541901950019ee5120853995c3f42cd8ad82a05474554202f300239c04b60d0faf38314"
      "41405cfcdafaf383144a1c0a13687474702e726571756573742e6d6574686f6412050a034745544a200a19687474"
      "702e726573706f6e73652e7374617475735f636f6465120318c801850101010000");
}
/// The same span.
inline constexpr std::string_view kVectorJson =
    R"({"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"example.com"}}]},"scopeSpans":[{"scope":{"name":"s"},"spans":[{"traceId":"4EFAAF4D1E8720B39541901950019EE5","spanId":"53995c3f42cd8ad8","name":"GET /","kind":2,"startTimeUnixNano":"1478293361271000000","endTimeUnixNano":"1478293361449000000","attributes":[{"key":"http.request.method","value":{"stringValue":"GET"}},{"key":"http.response.status_code","value":{"intValue":"200"}}],"flags":257}]}]}]})";

/// A message made field by field.
class Message {
 public:
  Message& Bytes(std::uint32_t field, std::string_view bytes) {
    internal::AppendField(field, bytes, out_);
    return *this;
  }
  Message& Sub(std::uint32_t field, const Message& message) { return Bytes(field, message.out_); }
  Message& Varint(std::uint32_t field, std::uint64_t value) {
    internal::AppendVarintField(field, value, out_);
    return *this;
  }
  Message& Fixed64(std::uint32_t field, std::uint64_t value) {
    internal::AppendFixed64Field(field, value, out_);
    return *this;
  }
  Message& Fixed32(std::uint32_t field, std::uint32_t value) {
    internal::AppendFixed32Field(field, value, out_);
    return *this;
  }
  Message& Raw(std::string_view bytes) {
    out_ += bytes;
    return *this;
  }
  [[nodiscard]] const std::string& str() const { return out_; }

 private:
  std::string out_;
};

inline constexpr std::string_view kTraceIdBytes = "ABCDEFGHIJKLMNOP";
inline constexpr std::string_view kSpanIdBytes = "12345678";

/// KeyValue with a string value.
inline Message StringPair(std::string_view key, std::string_view value) {
  return Message().Bytes(1, key).Sub(2, Message().Bytes(1, value));
}
/// Ids and a start time of 1000 ns.
inline Message MinimalSpan() {
  return Message().Bytes(1, kTraceIdBytes).Bytes(2, kSpanIdBytes).Fixed64(7, 1000);
}
/// A request of one resource and one scope.
inline std::string RequestOf(const std::vector<Message>& spans) {
  Message scope_spans;
  for (const Message& span : spans) scope_spans.Sub(2, span);
  return Message().Sub(1, Message().Sub(2, scope_spans)).str();
}
/// A JSON request around the members of one span.
inline std::string JsonRequestOf(std::string_view span_members) {
  return R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10",)"
         R"("spanId":"0102030405060708","startTimeUnixNano":"1000",)" +
         std::string(span_members) + "}]}]}]}";
}

inline std::string RandomText(Rng& rng, std::uint64_t bytes_max) {
  static constexpr std::string_view kParts[] = {"a",
                                                "Z",
                                                "0",
                                                " ",
                                                "\"",
                                                "\\",
                                                "\n",
                                                "\t",
                                                "\x01",
                                                "/",
                                                "\xc3\xa4",
                                                "\xe2\x82\xac",
                                                "\xf0\x9f\x98\x80"};
  std::string text;
  for (std::uint64_t i = rng.Below(bytes_max + 1); i > 0; --i) {
    text += kParts[rng.Below(std::size(kParts))];
  }
  return text;
}

inline model::AttributeValue RandomValue(Rng& rng, int depth) {
  using model::AttributeValue;
  switch (rng.Below(depth > 0 ? 8 : 6)) {
    case 0:
      return {};
    case 1:
      return {RandomText(rng, 30)};
    case 2:
      return {rng.Chance(0.5)};
    case 3:
      return {static_cast<std::int64_t>(rng.Next() >> rng.Below(64))};
    case 4:
      switch (rng.Below(4)) {
        case 0:
          return {-0.0};
        case 1:
          return {1.0 / 0.0};
        case 2:
          return {static_cast<double>(rng.Below(100))};
        default:
          return {rng.Unit() * 1e300};
      }
    case 5:
      return {AttributeValue::Bytes{std::string(rng.Below(5), static_cast<char>(rng.Below(256)))}};
    case 6: {
      AttributeValue::Array array;
      for (std::uint64_t i = rng.Below(4); i > 0; --i) {
        array.values.push_back(RandomValue(rng, depth - 1));
      }
      return {array};
    }
    default: {
      AttributeValue::KvList list;
      for (std::uint64_t i = rng.Below(4); i > 0; --i) {
        list.entries.push_back({RandomText(rng, 4), RandomValue(rng, depth - 1)});
      }
      return {list};
    }
  }
}

/// Distinct keys a role, as no protocol keeps one key twice.
inline std::vector<model::Attribute> RandomAttributes(Rng& rng, bool annotations) {
  static constexpr std::string_view kKeys[] = {"",
                                               "a",
                                               "http.request.method",
                                               "aws.xray.fault",
                                               "fluoro.flags",
                                               "fluoro.source",
                                               "aws.xray.annotations",
                                               "fluoro.attribute.x",
                                               "gen_ai.input.messages",
                                               "aws.xray.metadata.x",
                                               "aws.xray.document",
                                               "caf\xc3\xa9",
                                               "fluoro.annotation.a"};
  std::vector<model::Attribute> out;
  for (const std::string_view key : kKeys) {
    if (rng.Chance(0.3)) {
      out.push_back({std::string(key), RandomValue(rng, 3), model::AttributeRole::kPlain});
    }
    if (annotations && rng.Chance(0.2)) {
      out.push_back({std::string(key), RandomValue(rng, 1), model::AttributeRole::kAnnotation});
    }
  }
  return out;
}

/// A span as any decoder may leave it, of the given resource and scope.
inline model::Span RandomSpan(Rng& rng, std::shared_ptr<const model::Resource> resource,
                              std::shared_ptr<const model::Scope> scope) {
  model::Span span;
  for (auto& byte : span.trace_id.bytes) byte = static_cast<std::uint8_t>(rng.Next());
  for (auto& byte : span.span_id.bytes) byte = static_cast<std::uint8_t>(1 + rng.Below(255));
  if (rng.Chance(0.5)) span.parent_id.bytes[3] = 7;
  span.name = "n" + RandomText(rng, 20);
  span.start_ns = static_cast<std::int64_t>(1 + (rng.Next() >> (1 + rng.Below(62))));
  span.end_ns = span.start_ns + static_cast<std::int64_t>(rng.Below(2) * rng.Below(1'000'000));
  if (span.end_ns < span.start_ns) span.end_ns = span.start_ns;
  span.kind = static_cast<model::SpanKind>(rng.Below(6));
  span.status = static_cast<model::StatusCode>(rng.Below(3));
  span.source = static_cast<model::SpanSource>(rng.Chance(0.5) ? 0 : rng.Below(5));
  if (rng.Chance(0.3)) span.flags = static_cast<std::uint32_t>(rng.Below(1U << 12));
  if (rng.Chance(0.3)) span.otel_flags = static_cast<std::uint32_t>(rng.Next());
  if (rng.Chance(0.3)) span.trace_state = "a=b,c=" + RandomText(rng, 5);
  if (rng.Chance(0.3)) span.status_message = RandomText(rng, 10);
  span.resource = std::move(resource);
  span.scope = std::move(scope);
  const bool foreign = span.source != model::SpanSource::kOtlp || rng.Chance(0.1);
  span.attributes = RandomAttributes(rng, foreign);
  for (std::uint64_t i = rng.Below(3); i > 0; --i) {
    span.events.push_back({static_cast<std::int64_t>(rng.Below(1000)), RandomText(rng, 4),
                           RandomAttributes(rng, false), static_cast<std::uint32_t>(rng.Below(2))});
  }
  for (std::uint64_t i = rng.Below(3); i > 0; --i) {
    model::Link link;
    link.trace_id = span.trace_id;
    if (rng.Chance(0.8)) link.span_id = span.span_id;
    link.trace_state = RandomText(rng, 3);
    link.attributes = RandomAttributes(rng, false);
    link.dropped_attributes = static_cast<std::uint32_t>(rng.Below(3));
    link.otel_flags = static_cast<std::uint32_t>(rng.Next() >> rng.Below(64));
    span.links.push_back(std::move(link));
  }
  span.dropped_attributes = static_cast<std::uint32_t>(rng.Below(3));
  span.dropped_events = static_cast<std::uint32_t>(rng.Next() >> 40);
  span.dropped_links = static_cast<std::uint32_t>(rng.Below(3));
  if (span.source == model::SpanSource::kXRay) {
    span.document = rng.Chance(0.5)
                        ? R"({"id":"53995c3f42cd8ad8", "metadata":{"default":{"k":[1, 2]},"n":5}})"
                        : R"({ "name":"x","unknown":{"a":1.50} })";
  }
  return span;
}

/// Spans grouped by resource and scope, as EncodeTraces writes them.
inline std::vector<model::Span> RandomSpans(Rng& rng) {
  std::vector<model::Span> spans;
  for (std::uint64_t r = 0, resources = rng.Below(4); r < resources; ++r) {
    auto resource = std::make_shared<model::Resource>();
    resource->attributes = RandomAttributes(rng, false);
    resource->attributes.push_back(
        {"service.name", {"s" + std::to_string(r)}, model::AttributeRole::kPlain});
    resource->dropped_attributes = static_cast<std::uint32_t>(rng.Below(2));
    if (rng.Chance(0.5)) resource->schema_url = "https://example.com/" + RandomText(rng, 3);
    if (rng.Chance(0.5)) {
      resource->entity_refs =
          Message()
              .Sub(3, Message().Bytes(1, "u").Bytes(2, "host").Bytes(3, "host.id").Bytes(4, "d"))
              .Sub(3, Message().Bytes(2, "service").Bytes(3, "a").Bytes(3, "b"))
              .str();
    }
    for (std::uint64_t s = 0, scopes = 1 + rng.Below(3); s < scopes; ++s) {
      auto scope = std::make_shared<model::Scope>();
      scope->name = "scope" + std::to_string(s);
      scope->version = RandomText(rng, 3);
      scope->attributes = RandomAttributes(rng, false);
      scope->dropped_attributes = static_cast<std::uint32_t>(rng.Below(2));
      if (rng.Chance(0.3)) scope->schema_url = RandomText(rng, 3);
      for (std::uint64_t i = 1 + rng.Below(3); i > 0; --i) {
        spans.push_back(RandomSpan(rng, resource, scope));
      }
    }
  }
  return spans;
}

}  // namespace fluoro::codec::otlp
