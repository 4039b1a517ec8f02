#include "ingest/otlp_http.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "ingest/otlp_status.h"

namespace fluoro::ingest {
namespace {

using codec::otlp::Encoding;

constexpr std::string_view kProtobufType = "application/x-protobuf";
constexpr std::string_view kJsonType = "application/json";
constexpr std::string_view kCorsHeaders =
    "content-type, content-encoding, authorization, traceparent, tracestate, baggage, "
    "x-amzn-trace-id, x-requested-with";

std::optional<Encoding> EncodingOf(const net::HttpRequest& request) {
  const std::string type = request.ContentType();
  if (type == kProtobufType) return Encoding::kProtobuf;
  if (type == kJsonType) return Encoding::kJson;
  return std::nullopt;
}

net::HttpResponse Encoded(int status, std::string body, Encoding encoding) {
  net::HttpResponse response;
  response.status = status;
  response.headers["content-type"] = encoding == Encoding::kProtobuf ? kProtobufType : kJsonType;
  // Exporters in browsers read answers across origins; no answer depends on who asks.
  response.headers["access-control-allow-origin"] = "*";
  response.body = std::move(body);
  return response;
}

net::HttpResponse Failed(const OtlpFailure& failure, std::string_view message, Encoding encoding) {
  net::HttpResponse response = Encoded(
      failure.http_status,
      codec::otlp::EncodeStatus(failure.grpc_code, message, failure.retry_delay_ns, encoding),
      encoding);
  if (failure.retry_delay_ns) {
    response.headers["retry-after"] = std::to_string(*failure.retry_delay_ns / kNsPerSecond);
  }
  return response;
}

OtlpFailure FailureOfStatus(int status) {
  OtlpFailure failure{
      .http_status = status, .grpc_code = kGrpcInternal, .retry_delay_ns = std::nullopt};
  switch (status) {
    case 401:
      failure.grpc_code = kGrpcUnauthenticated;
      break;
    case 403:
      failure.grpc_code = kGrpcPermissionDenied;
      break;
    case 404:
    case 405:
      failure.grpc_code = kGrpcUnimplemented;
      break;
    case 413:
    case 431:
      failure.grpc_code = kGrpcResourceExhausted;
      break;
    case 429:
    case 503:
      failure.grpc_code = kGrpcUnavailable;
      failure.retry_delay_ns = kRetryDelayNs;
      break;
    default:
      if (status < 500) failure.grpc_code = kGrpcInvalidArgument;
  }
  return failure;
}

/// Letters, digits, '-', ',' and blanks: names of headers and nothing that could be another header.
bool IsHeaderList(std::string_view text) {
  return !text.empty() && text.size() <= 1'024 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == ',' || c == ' ';
  });
}

net::HttpResponse Preflight(const net::HttpRequest& request) {
  net::HttpResponse response;
  response.status = 204;
  const std::string_view wanted = request.Header("access-control-request-headers");
  response.headers["allow"] = "POST, OPTIONS";
  response.headers["access-control-allow-origin"] = "*";
  response.headers["access-control-allow-methods"] = "POST, OPTIONS";
  response.headers["access-control-allow-headers"] = IsHeaderList(wanted) ? wanted : kCorsHeaders;
  response.headers["access-control-max-age"] = "7200";
  return response;
}

/// One path, and how its requests are taken and answered.
struct Signal {
  std::string_view path;
  std::string_view protocol;
  Result<Pipeline::OtlpAnswer> (Pipeline::*take)(std::string_view, Encoding, std::string_view);
  std::string (*encode)(std::uint64_t, std::string_view, Encoding);
};
// Under what base URL SDKs of Langfuse and LangSmith send, too: the address alone changes.
constexpr auto kSignals = std::to_array<Signal>(
    {{"/v1/traces", "otlp_http", &Pipeline::ExportOtlp, codec::otlp::EncodeResponse},
     {"/api/public/otel/v1/traces", "otlp_http", &Pipeline::ExportOtlp,
      codec::otlp::EncodeResponse},
     {"/otel/v1/traces", "otlp_http", &Pipeline::ExportOtlp, codec::otlp::EncodeResponse},
     {"/v1/logs", "otlp_http_logs", &Pipeline::ExportOtlpLogs, codec::otlp::EncodeLogsResponse}});

net::HttpResponse Export(Pipeline& pipeline, const net::HttpRequest& request,
                         const Signal& signal) {
  const auto encoding = EncodingOf(request);
  if (!encoding) {
    return Failed(FailureOfStatus(415),
                  "Content-Type must be application/x-protobuf or application/json",
                  Encoding::kJson);
  }
  const auto exported = (pipeline.*signal.take)(request.body, *encoding, signal.protocol);
  if (!exported) {
    const bool size_exceeded = request.body.size() > pipeline.LimitsNow().body_bytes_max;
    return Failed(FailureOf(exported.error(), size_exceeded), exported.error().message, *encoding);
  }
  return Encoded(200, signal.encode(exported->rejected_spans, exported->message, *encoding),
                 *encoding);
}

const Signal* SignalAt(std::string_view path) {
  const auto* const signal = std::ranges::find(kSignals, path, &Signal::path);
  return signal == kSignals.end() ? nullptr : signal;
}

}  // namespace

bool IsOtlpPath(std::string_view path) { return SignalAt(path) != nullptr; }

net::HttpHandler MakeOtlpHttpHandler(Pipeline& pipeline) {
  return [&pipeline](net::HttpRequest&& request) {
    const Encoding encoding = EncodingOf(request).value_or(Encoding::kJson);
    const Signal* const signal = SignalAt(request.path);
    if (signal == nullptr) {
      return Failed(FailureOfStatus(404),
                    "traces and logs only, at POST /v1/traces and POST /v1/logs", encoding);
    }
    if (request.method == "OPTIONS") return Preflight(request);
    if (request.method != "POST") {
      net::HttpResponse response = Failed(FailureOfStatus(405), "POST wanted", encoding);
      response.headers["allow"] = "POST, OPTIONS";
      return response;
    }
    return Export(pipeline, request, *signal);
  };
}

net::HttpErrorAnswer MakeOtlpHttpErrorAnswer() {
  return [](const net::HttpRequest& head, int status, std::string_view message) {
    return Failed(FailureOfStatus(status), message, EncodingOf(head).value_or(Encoding::kJson));
  };
}

}  // namespace fluoro::ingest
