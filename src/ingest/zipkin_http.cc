#include "ingest/zipkin_http.h"

#include <string>

namespace fluoro::ingest {
namespace {

using net::HttpResponse;

HttpResponse Failed(const Error& error) {
  const std::string line = error.message + "\n";
  switch (error.code) {
    case ErrorCode::kCorruption:
    case ErrorCode::kInvalidArgument:
      return HttpResponse::Text(400, line);
    case ErrorCode::kTooLarge:
      return HttpResponse::Text(413, line);
    default: {
      HttpResponse response = HttpResponse::Text(503, line);
      response.headers["retry-after"] = "1";
      return response;
    }
  }
}

}  // namespace

net::HttpHandler MakeZipkinHttpHandler(Pipeline& pipeline) {
  return [&pipeline](net::HttpRequest&& request) {
    const bool v1 = request.path == "/api/v1/spans";
    if (!v1 && request.path != "/api/v2/spans") {
      return HttpResponse::Text(404, "POST /api/v2/spans or /api/v1/spans\n");
    }
    if (request.method != "POST") {
      HttpResponse response = HttpResponse::Text(405, "POST wanted\n");
      response.headers["allow"] = "POST";
      return response;
    }
    const std::string type = request.ContentType();
    if (type == "application/x-protobuf" || type == "application/x-thrift") {
      return HttpResponse::Text(415, "Content-Type must be application/json\n");
    }
    const auto stored = pipeline.PutZipkin(
        request.body, v1 ? codec::zipkin::Version::kV1 : codec::zipkin::Version::kV2);
    if (!stored) return Failed(stored.error());
    HttpResponse response;
    response.status = 202;
    return response;
  };
}

}  // namespace fluoro::ingest
