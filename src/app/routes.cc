#include "app/routes.h"

#include <algorithm>
#include <array>

#include "ingest/otlp_http.h"

namespace fluoro::app {
namespace {

using auth::Caller;
using net::HttpRequest;
using net::HttpResponse;

constexpr std::array<std::string_view, 1> kXRayService{"xray"};
constexpr std::array<std::string_view, 2> kQueryServices{"iam", "sts"};

// What brings spans, and what samplers ask all the time, are no questions.
bool IsQuestion(std::string_view path) {
  return path != "/TraceSegments" && path != "/TelemetryRecords" && path != "/GetSamplingRules" &&
         path != "/SamplingTargets" && !ingest::IsOtlpPath(path) && !path.starts_with("/api/v") &&
         path != "/ui/api/import" && path != "/metrics";
}

std::string_view ErrorTypeOf(int status) {
  switch (status) {
    case 429:
      return "ThrottledException";
    case 503:
      return "ServiceUnavailable";
    case 500:
      return "InternalFailure";
    default:
      return "InvalidRequestException";
  }
}

bool IsXRayPath(const HttpRequest& request) { return api::xray::XRayApi::HasPath(request.path); }

bool IsForm(const HttpRequest& request) {
  return request.ContentType() == "application/x-www-form-urlencoded";
}

HttpResponse XRay(const Handlers& handlers, HttpRequest&& request, const Caller& caller) {
  return handlers.xray.Handle(request, caller);
}

HttpResponse Iam(const Handlers& handlers, HttpRequest&& request, const Caller& caller) {
  return handlers.iam.Handle(request, caller);
}

HttpResponse Ui(const Handlers& handlers, HttpRequest&& request, const Caller& caller) {
  return handlers.ui.Handle(request, caller);
}

HttpResponse Otlp(const Handlers& handlers, HttpRequest&& request, const Caller& /*caller*/) {
  return handlers.otlp(std::move(request));
}

HttpResponse Zipkin(const Handlers& handlers, HttpRequest&& request, const Caller& /*caller*/) {
  return handlers.zipkin(std::move(request));
}

HttpResponse Jaeger(const Handlers& handlers, HttpRequest&& request, const Caller& /*caller*/) {
  return handlers.jaeger.Handle(request);
}

HttpResponse Health(const Handlers& /*handlers*/, HttpRequest&& /*request*/,
                    const Caller& /*caller*/) {
  return HttpResponse::Text(200, "ok\n");
}

HttpResponse Ready(const Handlers& handlers, HttpRequest&& /*request*/, const Caller& /*caller*/) {
  return handlers.ready() ? HttpResponse::Text(200, "ready\n")
                          : HttpResponse::Text(503, "not ready\n");
}

HttpResponse ShowMetrics(const Handlers& handlers, HttpRequest&& /*request*/,
                         const Caller& /*caller*/) {
  HttpResponse answer = HttpResponse::Text(200, handlers.metrics.Render());
  answer.headers["content-type"] = "text/plain; version=0.0.4; charset=utf-8";
  return answer;
}

HttpResponse Nothing(const Handlers& /*handlers*/, HttpRequest&& request,
                     const Caller& /*caller*/) {
  if (request.method == "GET" || request.method == "HEAD")
    return HttpResponse::Text(404, "nothing here; the API is described in docs/api.md\n");
  return api::xray::XRayApi::ErrorAnswer(404, "UnknownOperationException",
                                         "no operation has the path " + request.path);
}

constexpr auto kRoutes = std::to_array<Route>({
    {"POST", "/*", Rule::kHandler, "", Form::kXRay, XRay, IsXRayPath},
    {"POST", "/", Rule::kHandler, "", Form::kQuery, Iam, IsForm},
    // Browsers ask for leave before they send a key.
    {"OPTIONS", "/v1/traces", Rule::kAnybody, "", Form::kOtlp, Otlp},
    {"", "/v1/traces", Rule::kAction, "xray:PutTraceSegments", Form::kOtlp, Otlp},
    {"", "/api/public/otel/v1/traces", Rule::kAction, "xray:PutTraceSegments", Form::kOtlp, Otlp},
    {"", "/otel/v1/traces", Rule::kAction, "xray:PutTraceSegments", Form::kOtlp, Otlp},
    {"OPTIONS", "/v1/logs", Rule::kAnybody, "", Form::kOtlp, Otlp},
    {"", "/v1/logs", Rule::kAction, "xray:PutTraceSegments", Form::kOtlp, Otlp},
    {"", "/api/v2/spans", Rule::kAction, "xray:PutTraceSegments", Form::kPlain, Zipkin},
    {"", "/api/v1/spans", Rule::kAction, "xray:PutTraceSegments", Form::kPlain, Zipkin},
    {"", "/ui/api/*", Rule::kHandler, "", Form::kUi, Ui},
    {"", "/api/traces*", Rule::kAction, "xray:BatchGetTraces", Form::kUi, Jaeger},
    {"", "/api/dependencies", Rule::kAction, "xray:GetServiceGraph", Form::kUi, Jaeger},
    {"", "/api/*", Rule::kAction, "xray:GetTraceSummaries", Form::kUi, Jaeger},
    {"", "/healthz", Rule::kAnybody, "", Form::kPlain, Health},
    {"", "/readyz", Rule::kAnybody, "", Form::kPlain, Ready},
    {"", "/metrics", Rule::kAction, "xray:GetServiceGraph", Form::kPlain, ShowMetrics},
    {"", "/*", Rule::kAnybody, "", Form::kPlain, Nothing},
});

bool Fits(const Route& route, const HttpRequest& request) {
  if (!route.method.empty() && route.method != request.method) return false;
  const bool prefix = route.path.ends_with('*');
  const std::string_view path = prefix ? route.path.substr(0, route.path.size() - 1) : route.path;
  if (prefix ? !request.path.starts_with(path) : request.path != path) return false;
  return route.takes == nullptr || route.takes(request);
}

HttpResponse Answer(const Handlers& handlers, HttpRequest&& request) {
  // The last line fits everything.
  const Route& route =
      *std::ranges::find_if(kRoutes, [&request](const Route& one) { return Fits(one, request); });
  if (route.rule == Rule::kAnybody)
    return route.handle(handlers, std::move(request), Caller::UnsignedSampler(""));
  const bool sampling = route.form == Form::kXRay &&
                        (request.path == "/GetSamplingRules" || request.path == "/SamplingTargets");
  const auto caller = route.form == Form::kQuery
                          ? Identify(handlers.gate, request, kQueryServices, false)
                          : Identify(handlers.gate, request, kXRayService, sampling);
  if (!caller) return RefuseUnknown(route.form, request, caller.error());
  if (route.rule == Rule::kAction) {
    if (const auto allowed = caller->Check(route.action); !allowed) {
      handlers.gate.CountDenied();
      return RefuseDenied(route.form, request, allowed.error().message);
    }
  }
  request.principal = caller->arn();
  const cost::QueryCpuTimer timer(IsQuestion(request.path) ? handlers.counters : nullptr);
  HttpResponse answer = route.handle(handlers, std::move(request), *caller);
  if (route.rule == Rule::kHandler && answer.status == 403) handlers.gate.CountDenied();
  return answer;
}

}  // namespace

std::span<const Route> Routes() { return kRoutes; }

net::HttpHandler MakeRoutes(Handlers handlers) {
  return [handlers = std::move(handlers)](net::HttpRequest&& request) {
    return Answer(handlers, std::move(request));
  };
}

net::HttpErrorAnswer MakeErrorAnswer(net::HttpErrorAnswer otlp_answer) {
  return [otlp_answer = std::move(otlp_answer)](const net::HttpRequest& head, int status,
                                                std::string_view message) {
    if (ingest::IsOtlpPath(head.path)) return otlp_answer(head, status, message);
    if (api::xray::XRayApi::HasPath(head.path)) {
      // A client of the API retries what is throttled; a plain 503 of the listener means the same.
      return status == 503 ? api::xray::XRayApi::ErrorAnswer(429, ErrorTypeOf(429), "Rate exceeded")
                           : api::xray::XRayApi::ErrorAnswer(status, ErrorTypeOf(status), message);
    }
    return net::HttpResponse::Text(status, std::string(message) + "\n");
  };
}

}  // namespace fluoro::app
