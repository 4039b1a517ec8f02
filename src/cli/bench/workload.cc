#include "cli/bench/workload.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <numbers>

#include "base/clock.h"
#include "base/json.h"

namespace fluoro::cli::bench {
namespace {

std::string_view TextOf(const model::Span& span, std::string_view key) {
  const model::AttributeValue* const value = span.Find(key);
  const std::string* const text = value == nullptr ? nullptr : value->AsString();
  return text == nullptr ? std::string_view{} : *text;
}

// A member of a document's `http`, or an annotation, or metadata.
bool IsTold(std::string_view key) {
  return key == "http.request.method" || key == "url.full" || key == "user_agent.original" ||
         key == "http.response.status_code" || key == "http.response.body.size";
}

// Annotation keys have letters, digits and underscores only.
std::string AnnotationKey(std::string_view key) {
  std::string result(key);
  for (char& c : result)
    if (c == '.') c = '_';
  return result;
}

void WriteHttp(const model::Span& span, JsonWriter& out) {
  const auto write_text = [&](std::string_view member, std::string_view key) {
    if (const std::string_view text = TextOf(span, key); !text.empty())
      out.Key(member).String(text);
  };
  const auto write_number = [&](std::string_view member, std::string_view key) {
    if (const model::AttributeValue* const value = span.Find(key); value && value->AsInt())
      out.Key(member).Int(*value->AsInt());
  };
  out.Key("http").BeginObject().Key("request").BeginObject();
  write_text("method", "http.request.method");
  write_text("url", "url.full");
  write_text("user_agent", "user_agent.original");
  out.EndObject().Key("response").BeginObject();
  write_number("status", "http.response.status_code");
  write_number("content_length", "http.response.body.size");
  out.EndObject().EndObject();
}

}  // namespace

std::unique_ptr<Workload> Workload::Make(WorkloadKind kind, std::uint64_t seed) {
  switch (kind) {
    case WorkloadKind::kFlat:
      return MakeFlatWorkload(seed);
    case WorkloadKind::kCluster:
      return MakeClusterWorkload(seed);
    case WorkloadKind::kGenAi:
      break;
  }
  return MakeGenAiWorkload(seed);
}

std::uint64_t Workload::Zipf(std::uint64_t bound) {
  return static_cast<std::uint64_t>(std::pow(static_cast<double>(bound), rng_.Unit())) - 1;
}

double Workload::Normal() {
  const double radius = std::sqrt(-2 * std::log(1 - rng_.Unit()));
  return radius * std::cos(2 * std::numbers::pi * rng_.Unit());
}

std::string Workload::Uuid() {
  const std::uint64_t a = rng_.Next();
  const std::uint64_t b = rng_.Next();
  return fmt::format("{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}", a >> 32, a >> 16 & 0xffff, a & 0xfff,
                     b >> 52, b & 0xffffffffffff);
}

model::SpanId Workload::NewSpanId() {
  const std::uint64_t bits = rng_.Next() | 1;
  model::SpanId id;
  std::memcpy(id.bytes.data(), &bits, 8);
  return id;
}

model::TraceId Workload::NewTraceId(std::int64_t start_ns) {
  const auto seconds = static_cast<std::uint32_t>(start_ns / kNsPerSecond);
  const std::uint64_t halves[2] = {rng_.Next(), rng_.Next()};
  model::TraceId id;
  std::memcpy(id.bytes.data(), halves, 16);
  for (std::size_t i = 0; i < 4; ++i)
    id.bytes[i] = static_cast<std::uint8_t>(seconds >> (24 - 8 * i));
  return id;
}

std::string SegmentDocument(const model::Span& span) {
  JsonWriter out;
  // The ids first: their places are constants.
  out.BeginObject().Key("id").String(span.span_id.ToHex());
  out.Key("trace_id").String(span.trace_id.ToXRay());
  if (!span.parent_id.IsZero()) out.Key("parent_id").String(span.parent_id.ToHex());
  out.Key("name").String(span.service());
  out.Key("start_time").Seconds(span.start_ns).Key("end_time").Seconds(span.end_ns);
  if (span.status == model::StatusCode::kError) out.Key("fault").Bool(true);
  if (const std::string_view user = TextOf(span, "enduser.id"); !user.empty())
    out.Key("user").String(user);
  WriteHttp(span, out);
  out.Key("aws").BeginObject().Key("xray").BeginObject().Key("sdk").String("X-Ray for Java");
  out.Key("sdk_version").String("2.18.2").EndObject().EndObject();
  out.Key("annotations").BeginObject();
  for (const model::Attribute& attribute : span.attributes)
    if (const std::string* text = attribute.value.AsString(); text && !IsTold(attribute.key))
      out.Key(AnnotationKey(attribute.key)).String(*text);
  out.EndObject().Key("metadata").BeginObject().Key("default").BeginObject();
  for (const model::Attribute& attribute : span.attributes)
    if (const std::int64_t* number = attribute.value.AsInt(); number && !IsTold(attribute.key))
      out.Key(attribute.key).Int(*number);
  out.EndObject().EndObject().EndObject();
  return out.Take();
}

}  // namespace fluoro::cli::bench
