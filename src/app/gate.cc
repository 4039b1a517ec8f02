#include "app/gate.h"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "api/iam/iam_api.h"
#include "api/xray/xray_api.h"
#include "base/json.h"
#include "ingest/otlp_http.h"

namespace fluoro::app {
namespace {

constexpr std::array<std::string_view, 1> kXRayService{"xray"};
constexpr std::string_view kPut = "xray:PutTraceSegments";
constexpr int kGrpcPermissionDenied = 7;
constexpr int kGrpcUnauthenticated = 16;

std::string_view XRayTypeOf(auth::SignatureFault fault) {
  switch (fault) {
    case auth::SignatureFault::kMissing:
      return "MissingAuthenticationTokenException";
    case auth::SignatureFault::kIncomplete:
      return "IncompleteSignatureException";
    case auth::SignatureFault::kUnknownKey:
      return "UnrecognizedClientException";
    case auth::SignatureFault::kMismatch:
      return "InvalidSignatureException";
    case auth::SignatureFault::kExpiredToken:
      return "ExpiredTokenException";
  }
  return "InvalidSignatureException";
}

std::string_view QueryCodeOf(auth::SignatureFault fault) {
  switch (fault) {
    case auth::SignatureFault::kMissing:
      return "MissingAuthenticationToken";
    case auth::SignatureFault::kIncomplete:
      return "IncompleteSignature";
    case auth::SignatureFault::kUnknownKey:
      return "InvalidClientTokenId";
    case auth::SignatureFault::kMismatch:
      return "SignatureDoesNotMatch";
    case auth::SignatureFault::kExpiredToken:
      return "ExpiredToken";
  }
  return "SignatureDoesNotMatch";
}

net::HttpResponse Refuse(Form form, const net::HttpRequest& request, int status,
                         std::string_view code, std::string_view message) {
  static const net::HttpErrorAnswer kOtlpAnswer = ingest::MakeOtlpHttpErrorAnswer();
  net::HttpResponse answer;
  switch (form) {
    case Form::kXRay:
      return api::xray::XRayApi::ErrorAnswer(403, code, message);
    case Form::kQuery:
      return api::iam::ErrorAnswer(request, 403, code, message);
    case Form::kOtlp:
      answer = kOtlpAnswer(request, status, message);
      break;
    case Form::kUi: {
      JsonWriter out;
      out.BeginObject().Key("error").BeginObject();
      out.Key("code").String(status == 401 ? "unauthenticated" : "permission_denied");
      const std::string_view hint =
          code == XRayTypeOf(auth::SignatureFault::kMissing)
              ? ": this server asks for keys; set FLUORO_KEY, or AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY"
              : "";
      out.Key("message").String(fmt::format("{}{}", message, hint)).EndObject().EndObject();
      answer = net::HttpResponse::Json(status, out.Take());
      break;
    }
    case Form::kPlain:
      answer = net::HttpResponse::Text(status, std::string(message) + "\n");
      break;
  }
  if (status == 401) answer.headers["www-authenticate"] = R"(Bearer realm="fluoro")";
  return answer;
}

}  // namespace

auth::Gatekeeper::Outcome Identify(auth::Gatekeeper& gate, const net::HttpRequest& request,
                                   std::span<const std::string_view> services,
                                   bool unsigned_sampling) {
  std::vector<auth::Header> headers;
  if (gate.options().keys) {
    headers.reserve(request.headers.size() + 1);
    for (const auto& [name, value] : request.headers) {
      const auto repeated = std::ranges::find(request.repeated_headers, name,
                                              [](const auto& one) { return one.first; });
      if (repeated == request.repeated_headers.end()) {
        headers.push_back({name, value});
      } else {
        for (const std::string& one : repeated->second) headers.push_back({name, one});
      }
    }
    if (!request.undone_encoding.empty())
      headers.push_back({"content-encoding", request.undone_encoding});
  }
  const auth::HttpRequestView view{.method = request.method,
                                   .path = request.path,
                                   .query = request.query,
                                   .headers = headers,
                                   .body = request.body,
                                   .body_sha256 = request.received_sha256};
  return gate.Identify({.http = view,
                        .peer = request.peer,
                        .services = services,
                        .unsigned_sampling = unsigned_sampling});
}

net::HttpResponse RefuseUnknown(Form form, const net::HttpRequest& request,
                                const auth::SignatureError& error) {
  return Refuse(form, request, 401,
                form == Form::kQuery ? QueryCodeOf(error.fault) : XRayTypeOf(error.fault),
                error.message);
}

net::HttpResponse RefuseDenied(Form form, const net::HttpRequest& request,
                               std::string_view message) {
  return Refuse(form, request, 403, form == Form::kQuery ? "AccessDenied" : "AccessDeniedException",
                message);
}

net::HttpHandler GateOtlp(auth::Gatekeeper& gate, net::HttpHandler otlp) {
  return [&gate, otlp = std::move(otlp)](net::HttpRequest&& request) {
    // Browsers ask before they send a key; other paths have nothing to guard.
    const bool guarded = ingest::IsOtlpPath(request.path);
    if (!guarded || request.method == "OPTIONS") return otlp(std::move(request));
    const auto caller = Identify(gate, request, kXRayService, false);
    if (!caller) return RefuseUnknown(Form::kOtlp, request, caller.error());
    if (const auto allowed = caller->Check(kPut); !allowed) {
      gate.CountDenied();
      return RefuseDenied(Form::kOtlp, request, allowed.error().message);
    }
    return otlp(std::move(request));
  };
}

net::GrpcHandler GateGrpc(auth::Gatekeeper& gate, net::GrpcHandler otlp) {
  return [&gate, otlp = std::move(otlp)](const net::GrpcCall& call) -> net::GrpcAnswer {
    const auto caller = gate.IdentifyBearer(call.authorization);
    if (!caller) return {.code = kGrpcUnauthenticated, .message = caller.error().message};
    if (const auto allowed = caller->Check(kPut); !allowed) {
      gate.CountDenied();
      return {.code = kGrpcPermissionDenied, .message = allowed.error().message};
    }
    return otlp(call);
  };
}

}  // namespace fluoro::app
