// Zipkin's collector API: POST /api/v2/spans and /api/v1/spans with JSON.
// Source: Zipkin API (zipkin2-api.yaml, zipkin-api.yaml).
#pragma once

#include "ingest/pipeline.h"
#include "net/http.h"

namespace fluoro::ingest {

/// 202 with an empty body; bad JSON 400 with a line that says where; protobuf and Thrift 415.
/// `pipeline` must outlive the handler.
net::HttpHandler MakeZipkinHttpHandler(Pipeline& pipeline);

}  // namespace fluoro::ingest
