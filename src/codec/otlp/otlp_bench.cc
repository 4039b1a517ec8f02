// Decoding and encoding of a realistic request: spans of about 700 bytes with 12 attributes each,
// some with an exception event or a link. Prints spans/s (items) and bytes/s.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "base/rng.h"
#include "codec/otlp/otlp.h"

namespace fluoro::codec::otlp {
namespace {

using model::Attribute;
using model::AttributeRole;
using model::Span;

constexpr int kSpansCount = 2'000;
constexpr int kSpansPerResource = 250;

Attribute Text(std::string key, std::string value) {
  return {std::move(key), {std::move(value)}, AttributeRole::kPlain};
}
Attribute Number(std::string key, std::int64_t value) {
  return {std::move(key), {value}, AttributeRole::kPlain};
}

std::string Uuid(Rng& rng) {
  std::string text;
  for (int i = 0; i < 36; ++i) {
    text += i == 8 || i == 13 || i == 18 || i == 23 ? '-' : "0123456789abcdef"[rng.Below(16)];
  }
  return text;
}

std::vector<Attribute> HttpAttributes(Rng& rng) {
  std::vector<Attribute> list = {
      Text("http.request.method", rng.Chance(0.7) ? "GET" : "POST"),
      Text("url.full",
           "https://shop.example.com/api/v2/orders/" + std::to_string(rng.Below(1'000'000))),
      Text("http.route", "/api/v2/orders/{id}"),
      Number("http.response.status_code", rng.Chance(0.95) ? 200 : 503),
      Text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120"),
      Text("client.address", "10.0." + std::to_string(rng.Below(256)) + ".17"),
      Text("request.id", Uuid(rng)),
      Number("http.response.body.size", static_cast<std::int64_t>(rng.Below(100'000)))};
  list.push_back(Text("server.address", "shop.example.com"));
  list.push_back(Text("network.protocol.version", "1.1"));
  if (rng.Chance(0.5)) list.push_back(Text("enduser.id", Uuid(rng)));
  list.push_back(Text("thread.name", "http-nio-8080-exec-" + std::to_string(rng.Below(64))));
  list.push_back(Number("thread.id", static_cast<std::int64_t>(rng.Below(64))));
  return list;
}

std::vector<Attribute> DatabaseAttributes(Rng& rng) {
  std::vector<Attribute> list = {
      Text("db.system.name", "postgresql"),
      Text("db.namespace", "orders"),
      Text("db.query.text",
           "SELECT o.id, o.total, c.name FROM orders o JOIN customers c ON c.id = o.customer WHERE "
           "o.id = " +
               std::to_string(rng.Below(1'000'000)) +
               " AND o.state <> 'cancelled' ORDER BY o.created_at DESC LIMIT 50"),
      Text("db.operation.name", "SELECT"),
      Text("server.address", "orders-db-" + std::to_string(rng.Below(4)) + ".internal"),
      Number("server.port", 5432),
      Text("request.id", Uuid(rng)),
      Text("code.function.name", "com.example.orders.repository.OrderRepository.findById"),
      {"db.rows", {rng.Unit() * 100}, AttributeRole::kPlain},
      {"db.cached", {rng.Chance(0.2)}, AttributeRole::kPlain}};
  list.push_back(Text("thread.name", "pool-" + std::to_string(rng.Below(8)) + "-thread-1"));
  list.push_back(Number("thread.id", static_cast<std::int64_t>(rng.Below(64))));
  return list;
}

std::vector<Span> MakeSpans() {
  Rng rng(7);
  std::vector<Span> spans;
  auto scope = std::make_shared<model::Scope>();
  scope->name = "io.opentelemetry.tomcat-10.0";
  scope->version = "2.9.0-alpha";
  std::shared_ptr<model::Resource> resource;
  for (int i = 0; i < kSpansCount; ++i) {
    if (i % kSpansPerResource == 0) {
      resource = std::make_shared<model::Resource>();
      resource->attributes = {Text("service.name", "orders-" + std::to_string(i)),
                              Text("service.version", "1.42.0"),
                              Text("k8s.pod.name", "orders-7d9f8b6c5-" + std::to_string(i)),
                              Text("host.name", "ip-10-0-3-17.eu-central-1.compute.internal"),
                              Text("cloud.region", "eu-central-1"),
                              Text("telemetry.sdk.language", "java")};
    }
    Span span;
    for (auto& byte : span.trace_id.bytes) byte = static_cast<std::uint8_t>(rng.Next());
    for (auto& byte : span.span_id.bytes) byte = static_cast<std::uint8_t>(rng.Next());
    for (auto& byte : span.parent_id.bytes) byte = static_cast<std::uint8_t>(rng.Next());
    const bool http = rng.Chance(0.5);
    span.name = http ? "GET /api/v2/orders/{id}" : "SELECT orders";
    span.kind = http ? model::SpanKind::kServer : model::SpanKind::kClient;
    span.start_ns = 1'700'000'000'000'000'000 + static_cast<std::int64_t>(rng.Below(1ULL << 40));
    span.end_ns = span.start_ns + static_cast<std::int64_t>(rng.Below(1ULL << 30));
    span.resource = resource;
    span.scope = scope;
    span.otel_flags = 0x101;
    span.attributes = http ? HttpAttributes(rng) : DatabaseAttributes(rng);
    if (rng.Chance(0.05)) {
      span.status = model::StatusCode::kError;
      span.events.push_back({span.start_ns,
                             "exception",
                             {Text("exception.type", "java.net.SocketTimeoutException"),
                              Text("exception.message", "Read timed out"),
                              Text("exception.stacktrace", std::string(600, 's'))},
                             0});
    }
    if (rng.Chance(0.02)) {
      span.links.push_back({span.trace_id, span.span_id, "", {}, 0, 0});
    }
    spans.push_back(std::move(span));
  }
  return spans;
}

void Report(benchmark::State& state, std::size_t bytes) {
  state.SetItemsProcessed(state.iterations() * kSpansCount);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
  state.counters["bytes_per_span"] = static_cast<double>(bytes) / kSpansCount;
}

void Decode(benchmark::State& state, Encoding encoding) {
  const std::string body = EncodeTraces(MakeSpans(), encoding);
  for (auto _ : state) {
    auto decoded = DecodeTraces(body, encoding, {});
    if (!decoded || decoded->batch.size() != kSpansCount) state.SkipWithError("not decoded");
    benchmark::DoNotOptimize(decoded);
  }
  Report(state, body.size());
}

void Encode(benchmark::State& state, Encoding encoding) {
  const std::vector<Span> spans = MakeSpans();
  std::size_t bytes = 0;
  for (auto _ : state) {
    const std::string body = EncodeTraces(spans, encoding);
    bytes = body.size();
    benchmark::DoNotOptimize(body.data());
  }
  Report(state, bytes);
}

BENCHMARK_CAPTURE(Decode, protobuf, Encoding::kProtobuf);
BENCHMARK_CAPTURE(Decode, json, Encoding::kJson);
BENCHMARK_CAPTURE(Encode, protobuf, Encoding::kProtobuf);
BENCHMARK_CAPTURE(Encode, json, Encoding::kJson);

}  // namespace
}  // namespace fluoro::codec::otlp
