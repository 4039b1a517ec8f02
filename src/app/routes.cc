#include "app/routes.h"

namespace fluoro::app {
namespace {

bool IsOtlpPath(std::string_view path) { return path == "/v1/traces"; }

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

net::HttpResponse Answer(const Handlers& handlers, net::HttpRequest&& request) {
  const auth::Caller caller = auth::Caller::Root("000000000000");
  const std::string_view path = request.path;
  const bool post = request.method == "POST";
  if (post && api::xray::XRayApi::HasPath(path)) return handlers.xray.Handle(request, caller);
  if (IsOtlpPath(path)) return handlers.otlp(std::move(request));
  if (path == "/api/v2/spans" || path == "/api/v1/spans")
    return handlers.zipkin(std::move(request));
  if (path.starts_with("/ui/api/")) return handlers.ui.Handle(request);
  if (path.starts_with("/api/")) return handlers.jaeger.Handle(request);
  if (path == "/healthz") return net::HttpResponse::Text(200, "ok\n");
  if (path == "/readyz")
    return handlers.ready() ? net::HttpResponse::Text(200, "ready\n")
                            : net::HttpResponse::Text(503, "not ready\n");
  if (path == "/metrics") {
    net::HttpResponse answer = net::HttpResponse::Text(200, handlers.metrics.Render());
    answer.headers["content-type"] = "text/plain; version=0.0.4; charset=utf-8";
    return answer;
  }
  if (request.method == "GET" || request.method == "HEAD")
    return net::HttpResponse::Text(404, "nothing here; the API is described in docs/api.md\n");
  return api::xray::XRayApi::ErrorAnswer(404, "UnknownOperationException",
                                         "no operation has the path " + request.path);
}

}  // namespace

net::HttpHandler MakeRoutes(Handlers handlers) {
  return [handlers = std::move(handlers)](net::HttpRequest&& request) {
    return Answer(handlers, std::move(request));
  };
}

net::HttpErrorAnswer MakeErrorAnswer(net::HttpErrorAnswer otlp_answer) {
  return [otlp_answer = std::move(otlp_answer)](const net::HttpRequest& head, int status,
                                                std::string_view message) {
    if (IsOtlpPath(head.path)) return otlp_answer(head, status, message);
    if (api::xray::XRayApi::HasPath(head.path)) {
      // A client of the API retries what is throttled; a plain 503 of the listener means the same.
      return status == 503 ? api::xray::XRayApi::ErrorAnswer(429, ErrorTypeOf(429), "Rate exceeded")
                           : api::xray::XRayApi::ErrorAnswer(status, ErrorTypeOf(status), message);
    }
    return net::HttpResponse::Text(status, std::string(message) + "\n");
  };
}

}  // namespace fluoro::app
