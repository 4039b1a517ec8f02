// OTLP over HTTP: POST /v1/traces and /v1/logs, protobuf and JSON. Source: OTLP specification,
// "OTLP/HTTP".
#pragma once

#include "ingest/pipeline.h"
#include "net/http.h"

namespace fluoro::ingest {

/// Whether the handler takes anything there: what is to be guarded.
bool IsOtlpPath(std::string_view path);

/// Answers POST and OPTIONS (CORS) of /v1/traces and /v1/logs; every other path is 404, method 405.
/// Success and partial success are 200 with an ExportTraceServiceResponse or
/// ExportLogsServiceResponse, errors carry a google.rpc.Status,
/// both in the request's encoding. Bad data 400 or 413, another content type 415, whatever may
/// succeed later 503 with Retry-After. `pipeline` must outlive the handler.
net::HttpHandler MakeOtlpHttpHandler(Pipeline& pipeline);

/// google.rpc.Status for what never reaches the handler.
net::HttpErrorAnswer MakeOtlpHttpErrorAnswer();

}  // namespace fluoro::ingest
