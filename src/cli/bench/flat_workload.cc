// The set of PERFORMANCE figures: every span alike, so that bytes and CPU a span mean something.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/clock.h"
#include "cli/bench/workload.h"

namespace fluoro::cli::bench {
namespace {

constexpr std::size_t kServicesCount = 20;
constexpr std::size_t kOperationsCount = 10;  // of each service
constexpr std::size_t kSpansPerTrace = 10;
constexpr double kErrors = 0.01;
constexpr std::array kNouns{"orders", "carts",  "users",  "payments", "items",
                            "stocks", "labels", "quotes", "reviews",  "offers"};
constexpr std::array kMethods{"GET", "GET", "GET", "POST", "PUT"};
constexpr std::array kCaches{"miss", "hit", "hit", "bypass"};
constexpr std::array kAgents{"okhttp/4.12.0 (Linux 6.1.0; x86_64) shop-client/3.14.2 java/21.0.4",
                             "Go-http-client/1.1 (linux; amd64; go1.23.2) shop-gateway/2.7.0",
                             "python-requests/2.32.3 CPython/3.12.6 Linux/6.1.0 shop-batch/1.9",
                             "Java-http-client/21.0.4 (Linux 6.1.0; x86_64) shop-client/3.14.2",
                             "axios/1.7.7 (node v20.18.0; linux; x64) shop-frontend/8.1.15",
                             "grpc-java-netty/1.66.0 (Linux 6.1.0; x86_64) shop-client/3.15.0"};

class FlatWorkload final : public Workload {
 public:
  explicit FlatWorkload(std::uint64_t seed) : Workload(seed) {
    auto scope = std::make_shared<model::Scope>();
    scope->name = "io.opentelemetry.http";
    scope->version = "2.4.1";
    scope_ = std::move(scope);
    for (std::size_t i = 0; i < kServicesCount; ++i) services_.push_back(MakeService(i));
  }

  // A root, then pairs of a client span and the server span that it calls, then one internal span.
  std::vector<model::Span> NextTrace(std::int64_t start_ns) override {
    const model::TraceId trace = NewTraceId(start_ns);
    std::vector<model::Span> spans;
    spans.reserve(kSpansPerTrace);
    std::array<std::size_t, kSpansPerTrace> services{};
    services[0] = rng_.Below(kServicesCount);
    spans.push_back(MakeSpan(services[0], model::SpanKind::kServer, start_ns, INT64_MAX));
    spans[0].trace_id = trace;
    while (spans.size() < kSpansPerTrace) {
      const std::size_t at = spans.size();
      const bool called = at % 2 == 0;
      // Clients hang below a server span, servers below the client before them.
      const std::size_t parent = called ? at - 1 : rng_.Below((at + 1) / 2) * 2;
      const model::Span& above = spans[parent];
      services[at] = called ? rng_.Below(kServicesCount) : services[parent];
      const std::int64_t room_ns = std::max<std::int64_t>(above.end_ns - above.start_ns, 2'000);
      const auto offset_ns =
          static_cast<std::int64_t>(rng_.Unit() * 0.4 * static_cast<double>(room_ns));
      const model::SpanKind kind = called                     ? model::SpanKind::kServer
                                   : at + 1 == kSpansPerTrace ? model::SpanKind::kInternal
                                                              : model::SpanKind::kClient;
      model::Span span =
          MakeSpan(services[at], kind, above.start_ns + offset_ns, room_ns - offset_ns);
      span.trace_id = trace;
      span.parent_id = above.span_id;
      spans.push_back(std::move(span));
    }
    return spans;
  }

 private:
  struct Operation {
    std::string name;
    std::string method;
    std::string route;
    double log_ns = 0;  // of the median duration
  };
  struct Service {
    std::string address;
    std::shared_ptr<const model::Resource> resource;
    std::vector<Operation> operations;
  };

  Service MakeService(std::size_t index) {
    Service service;
    const std::string name = fmt::format("service-{:02}", index);
    service.address = name + ".shop.svc.cluster.local";
    auto resource = std::make_shared<model::Resource>();
    const auto add = [&resource](std::string key, std::string value) {
      resource->attributes.push_back({std::move(key), Value(std::move(value))});
    };
    add("service.name", name);
    add("service.namespace", "shop");
    add("service.version", fmt::format("1.{}.0", index % 7));
    add("service.instance.id", Uuid());
    add("deployment.environment.name", "production");
    add("telemetry.sdk.language", index % 2 == 0 ? "java" : "go");
    service.resource = std::move(resource);
    for (std::size_t i = 0; i < kOperationsCount; ++i) {
      Operation operation;
      operation.method = kMethods[(index + i) % kMethods.size()];
      operation.route = fmt::format("/api/v{}/{}/{{id}}", 1 + index % 3, kNouns[i]);
      operation.name = operation.method + " " + operation.route;
      operation.log_ns = std::log(1e6) + rng_.Unit() * std::log(100.0);  // 1 to 100 ms
      service.operations.push_back(std::move(operation));
    }
    return service;
  }

  model::Span MakeSpan(std::size_t service_index, model::SpanKind kind, std::int64_t start_ns,
                       std::int64_t duration_ns_max) {
    const Service& service = services_[service_index];
    const Operation& operation = service.operations[rng_.Below(kOperationsCount)];
    const double wanted_ns = std::exp(operation.log_ns + 0.8 * Normal());
    const bool fails = rng_.Chance(kErrors);
    model::Span span;
    span.span_id = NewSpanId();
    span.name = operation.name;
    span.kind = kind;
    span.start_ns = start_ns;
    span.end_ns = start_ns + std::min(duration_ns_max, static_cast<std::int64_t>(wanted_ns));
    span.resource = service.resource;
    span.scope = scope_;
    if (fails) span.status = model::StatusCode::kError;
    span.attributes.reserve(15);
    const auto text = [&span](const char* key, std::string value) {
      span.attributes.push_back({key, Value(std::move(value))});
    };
    const auto number = [&span](const char* key, std::uint64_t value) {
      span.attributes.push_back({key, Value(static_cast<std::int64_t>(value))});
    };
    text("http.request.method", operation.method);
    text("http.route", operation.route);
    text("url.scheme", rng_.Chance(0.9) ? "https" : "http");
    text("network.protocol.version", rng_.Chance(0.8) ? "2" : "1.1");
    text("server.address", service.address);
    text("user_agent.original", kAgents[rng_.Below(kAgents.size())]);
    text("cache.result", kCaches[rng_.Below(kCaches.size())]);
    text("tenant", fmt::format("tenant-{}", Zipf(1'000)));
    text("enduser.id", fmt::format("user-{:06}", rng_.Below(100'000)));
    text("url.full",
         fmt::format("https://{}{}{}?page={}&size=5", service.address,
                     std::string_view(operation.route).substr(0, operation.route.rfind('/') + 1),
                     rng_.Below(1'000'000), rng_.Below(20)));
    text("request.id", fmt::format("{:016x}", rng_.Next()));
    number("http.response.status_code", fails ? 500 : 200);
    number("http.response.body.size", static_cast<std::uint64_t>(std::exp(8 + Normal())));
    number("network.peer.port", 32'768 + rng_.Below(28'232));
    number("thread.id", rng_.Below(200));
    return span;
  }

  std::shared_ptr<const model::Scope> scope_;
  std::vector<Service> services_;
};

}  // namespace

std::unique_ptr<Workload> MakeFlatWorkload(std::uint64_t seed) {
  return std::make_unique<FlatWorkload>(seed);
}

}  // namespace fluoro::cli::bench
