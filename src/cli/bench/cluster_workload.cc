// Spans as a cluster sends them: many pods with much about themselves, routes and users by Zipf.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/bench/workload.h"

namespace fluoro::cli::bench {
namespace {

constexpr std::size_t kServicesCount = 60;
constexpr std::size_t kPodsCount = 740;
constexpr std::size_t kRoutesCount = 350;

class ClusterWorkload final : public Workload {
 public:
  explicit ClusterWorkload(std::uint64_t seed);
  std::vector<model::Span> NextTrace(std::int64_t start_ns) override;

 private:
  struct Pod {
    std::size_t service;
    std::shared_ptr<const model::Resource> resource;
  };
  model::Span MakeSpan(const model::TraceId& trace, const model::SpanId& parent,
                       std::size_t service, bool server, std::int64_t start_ns,
                       std::int64_t duration_ns);

  std::vector<Pod> pods_;
  std::shared_ptr<const model::Scope> scope_;
  std::vector<std::string> routes_;
};

ClusterWorkload::ClusterWorkload(std::uint64_t seed) : Workload(seed) {
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
    add("service.instance.id", Uuid());
    add("telemetry.sdk.language", service % 2 == 0 ? "java" : "go");
    add("telemetry.sdk.name", "opentelemetry");
    add("telemetry.sdk.version", "1.40.0");
    add("k8s.pod.name", fmt::format("service-{:02}-{:08x}-{:05x}", service,
                                    rng_.Next() & 0xffffffff, rng_.Next() & 0xfffff));
    add("k8s.pod.uid", Uuid());
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

model::Span ClusterWorkload::MakeSpan(const model::TraceId& trace, const model::SpanId& parent,
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
  add("request.id", Uuid());
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

std::vector<model::Span> ClusterWorkload::NextTrace(std::int64_t start_ns) {
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

}  // namespace

std::unique_ptr<Workload> MakeClusterWorkload(std::uint64_t seed) {
  return std::make_unique<ClusterWorkload>(seed);
}

}  // namespace fluoro::cli::bench
