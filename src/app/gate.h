// The gate in front of every handler: who sends a request, and how each protocol is told no.
#pragma once

#include <expected>
#include <string_view>

#include "auth/gatekeeper.h"
#include "net/grpc_server.h"
#include "net/http.h"

namespace fluoro::app {

/// How somebody who may not come in is told so.
enum class Form : std::uint8_t {
  kXRay,   ///< {"__type","Message"}, always 403
  kQuery,  ///< IAM's and STS's XML
  kOtlp,   ///< google.rpc.Status in the request's encoding, 401 or 403
  kUi,     ///< {"error":{"code","message"}}, 401 or 403
  kPlain,  ///< a line of text, 401 or 403
};

/// Who sends it. `unsigned_sampling`: see auth::GateRequest.
auth::Gatekeeper::Outcome Identify(auth::Gatekeeper& gate, const net::HttpRequest& request,
                                   std::span<const std::string_view> services,
                                   bool unsigned_sampling);

net::HttpResponse RefuseUnknown(Form form, const net::HttpRequest& request,
                                const auth::SignatureError& error);
/// `message`: of auth::Caller::Check.
net::HttpResponse RefuseDenied(Form form, const net::HttpRequest& request,
                               std::string_view message);

/// For a listener that speaks OTLP over HTTP and nothing else: POST /v1/traces and /v1/logs need
/// xray:PutTraceSegments. `gate` and what `otlp` uses must outlive the result.
net::HttpHandler GateOtlp(auth::Gatekeeper& gate, net::HttpHandler otlp);
/// The same for gRPC, where bearer keys only are taken: no client signs gRPC calls for AWS.
net::GrpcHandler GateGrpc(auth::Gatekeeper& gate, net::GrpcHandler otlp);

}  // namespace fluoro::app
