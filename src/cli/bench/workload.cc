#include "cli/bench/workload.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstring>

#include "base/clock.h"
#include "base/json.h"

namespace fluoro::cli::bench {
namespace {

constexpr std::size_t kServicesCount = 60;
constexpr std::size_t kPodsCount = 740;
constexpr std::size_t kRoutesCount = 350;

model::AttributeValue Value(auto value) {
  model::AttributeValue result;
  result.value = std::move(value);
  return result;
}

std::string Uuid(Rng& rng) {
  const std::uint64_t a = rng.Next();
  const std::uint64_t b = rng.Next();
  return fmt::format("{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}", a >> 32, a >> 16 & 0xffff, a & 0xfff,
                     b >> 52, b & 0xffffffffffff);
}

}  // namespace

Workload::Workload(std::uint64_t seed) : rng_(seed) {
  auto scope = std::make_shared<model::Scope>();
  scope->name = "io.opentelemetry.contrib.http";
  scope->version = "2.4.1";
  scope_ = std::move(scope);
  for (std::size_t i = 0; i < kRoutesCount; ++i)
    routes_.push_back(fmt::format("/api/v{}/{}/{{id}}", 1 + i % 3, i));
  for (std::size_t i = 0; i < kPodsCount; ++i) {
    const std::size_t service = i % kServicesCount;
    auto resource = std::make_shared<model::Resource>();
    const auto add = [&resource](std::string key, std::string value) {
      resource->attributes.push_back({std::move(key), Value(std::move(value))});
    };
    add("service.name", fmt::format("service-{:02}", service));
    add("service.namespace", "shop");
    add("service.version", fmt::format("1.{}.0", service % 7));
    add("service.instance.id", Uuid(rng_));
    add("telemetry.sdk.language", service % 2 == 0 ? "java" : "go");
    add("telemetry.sdk.name", "opentelemetry");
    add("telemetry.sdk.version", "1.40.0");
    add("k8s.pod.name", fmt::format("service-{:02}-{:08x}-{:05x}", service,
                                    rng_.Next() & 0xffffffff, rng_.Next() & 0xfffff));
    add("k8s.pod.uid", Uuid(rng_));
    add("k8s.namespace.name", "production");
    add("k8s.deployment.name", fmt::format("service-{:02}", service));
    add("k8s.node.name", fmt::format("ip-10-0-{}-{}", i % 8, i % 250));
    add("k8s.cluster.name", "main");
    add("container.id", fmt::format("{:016x}{:016x}", rng_.Next(), rng_.Next()));
    add("container.image.name", fmt::format("shop/service-{:02}", service));
    add("cloud.provider", "aws");
    add("cloud.region", "eu-west-1");
    add("cloud.availability_zone", fmt::format("eu-west-1{}", static_cast<char>('a' + i % 3)));
    add("host.name", fmt::format("ip-10-0-{}-{}", i % 8, i % 250));
    add("os.type", "linux");
    pods_.push_back({service, std::move(resource)});
  }
}

std::uint64_t Workload::Zipf(std::uint64_t bound) {
  return static_cast<std::uint64_t>(std::pow(static_cast<double>(bound), rng_.Unit())) - 1;
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

model::Span Workload::MakeSpan(const model::TraceId& trace, const model::SpanId& parent,
                               std::size_t service, bool server, std::int64_t start_ns,
                               std::int64_t duration_ns) {
  const Pod& pod =
      pods_[(service + kServicesCount * rng_.Below(kPodsCount / kServicesCount)) % kPodsCount];
  model::Span span;
  span.trace_id = trace;
  span.span_id = NewSpanId();
  span.parent_id = parent;
  span.start_ns = start_ns;
  span.end_ns = start_ns + duration_ns;
  span.kind = server ? model::SpanKind::kServer : model::SpanKind::kClient;
  span.resource = pod.resource;
  span.scope = scope_;
  const auto add = [&span](std::string key, auto value) {
    span.attributes.push_back({std::move(key), Value(std::move(value))});
  };
  const bool fails = rng_.Chance(0.01);
  if (server || rng_.Chance(0.5)) {
    const std::string& route = routes_[Zipf(kRoutesCount)];
    const bool get = rng_.Chance(0.7);
    span.name = (get ? "GET " : "POST ") + route;
    add("http.request.method", std::string(get ? "GET" : "POST"));
    add("http.route", route);
    add("url.full",
        fmt::format("https://shop.example{}/{}?page={}", route.substr(0, route.rfind('/')),
                    rng_.Below(1'000'000), rng_.Below(20)));
    add("http.response.status_code", static_cast<std::int64_t>(fails ? 500 : 200));
    add("server.address", fmt::format("service-{:02}.shop.svc", service));
    add("server.port", std::int64_t{8080});
    add("user_agent.original",
        fmt::format("Mozilla/5.0 (X11; Linux x86_64) Chrome/{}.0", 100 + Zipf(40)));
    add("network.peer.address",
        fmt::format("10.{}.{}.{}", rng_.Below(8), rng_.Below(256), rng_.Below(256)));
  } else {
    span.name = fmt::format("SELECT orders_{}", service % 12);
    add("db.system.name", std::string("postgresql"));
    add("db.namespace", std::string("shop"));
    add("db.query.text", fmt::format("SELECT id, total, state FROM orders_{} WHERE customer_id = "
                                     "{} AND state = 'open' ORDER BY created_at DESC LIMIT 20",
                                     service % 12, rng_.Below(1'000'000)));
    add("server.address", fmt::format("db-{}.shop.svc", service % 5));
    add("server.port", std::int64_t{5432});
    add("db.response.returned_rows", static_cast<std::int64_t>(Zipf(20)));
  }
  add("thread.id", static_cast<std::int64_t>(rng_.Below(200)));
  add("thread.name", fmt::format("http-nio-8080-exec-{}", rng_.Below(200)));
  add("tenant", fmt::format("tenant-{}", Zipf(500)));
  add("enduser.id", fmt::format("user-{}", Zipf(100'000)));
  add("request.id", Uuid(rng_));
  if (fails) {
    span.status = model::StatusCode::kError;
    span.events.push_back({span.end_ns,
                           "exception",
                           {{"exception.type", Value(std::string("java.io.IOException"))},
                            {"exception.message", Value(std::string("connection reset by peer"))}},
                           0});
  }
  return span;
}

std::vector<model::Span> Workload::NextTrace(std::int64_t start_ns) {
  const model::TraceId trace = NewTraceId(start_ns);
  // 8.6 on average, with a heavy tail.
  const std::size_t count =
      1 + static_cast<std::size_t>(std::min(400.0, 3.2 * std::pow(1 - rng_.Unit(), -0.58)));
  std::vector<model::Span> spans;
  const std::int64_t total_ns = static_cast<std::int64_t>(1e6 * std::exp(rng_.Unit() * 6));
  spans.push_back(MakeSpan(trace, {}, rng_.Below(8), true, start_ns, total_ns));
  while (spans.size() < count) {
    const model::Span& parent = spans[rng_.Below(spans.size())];
    const std::int64_t room_ns = std::max<std::int64_t>(1'000, parent.end_ns - parent.start_ns);
    const std::int64_t at_ns =
        parent.start_ns +
        static_cast<std::int64_t>(rng_.Unit() * 0.5 * static_cast<double>(room_ns));
    const auto duration_ns =
        static_cast<std::int64_t>((0.1 + 0.4 * rng_.Unit()) * static_cast<double>(room_ns));
    spans.push_back(MakeSpan(trace, parent.span_id, rng_.Below(kServicesCount),
                             spans.size() % 2 == 0, at_ns, duration_ns));
  }
  return spans;
}

std::string Workload::NextDocument(std::int64_t start_ns) {
  const std::int64_t end_ns = start_ns + static_cast<std::int64_t>(1e6 * std::exp(rng_.Unit() * 6));
  JsonWriter out;
  out.BeginObject()
      .Key("name")
      .String(fmt::format("service-{:02}", rng_.Below(kServicesCount)))
      .Key("id")
      .String(NewSpanId().ToHex());
  out.Key("trace_id")
      .String(NewTraceId(start_ns).ToXRay())
      .Key("start_time")
      .Seconds(start_ns)
      .Key("end_time")
      .Seconds(end_ns);
  out.Key("origin")
      .String("AWS::ECS::Fargate")
      .Key("user")
      .String(fmt::format("user-{}", Zipf(100'000)));
  out.Key("http").BeginObject().Key("request").BeginObject().Key("method").String("GET");
  out.Key("url")
      .String(fmt::format("https://shop.example/api/{}", rng_.Below(1'000'000)))
      .Key("client_ip")
      .String("203.0.113.7");
  out.Key("user_agent")
      .String(fmt::format("Mozilla/5.0 (X11; Linux x86_64) Chrome/{}.0", 100 + Zipf(40)))
      .EndObject();
  out.Key("response")
      .BeginObject()
      .Key("status")
      .Int(200)
      .Key("content_length")
      .Int(static_cast<std::int64_t>(rng_.Below(90'000)))
      .EndObject()
      .EndObject();
  out.Key("aws")
      .BeginObject()
      .Key("xray")
      .BeginObject()
      .Key("sdk")
      .String("X-Ray for Java")
      .Key("sdk_version")
      .String("2.18.2")
      .EndObject();
  out.Key("ecs")
      .BeginObject()
      .Key("container")
      .String(fmt::format("ip-10-0-{}", rng_.Below(250)))
      .EndObject()
      .EndObject();
  out.Key("annotations")
      .BeginObject()
      .Key("tenant")
      .String(fmt::format("tenant-{}", Zipf(500)))
      .Key("request_id")
      .String(Uuid(rng_))
      .EndObject();
  out.EndObject();
  return out.Take();
}

}  // namespace fluoro::cli::bench
