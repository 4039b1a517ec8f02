// OTLP over gRPC: TraceService/Export and LogsService/Export. Source: OTLP specification,
// "OTLP/gRPC".
#pragma once

#include <string>

#include "ingest/pipeline.h"
#include "net/grpc_server.h"

namespace fluoro::ingest {

/// Export of traces and of logs; metrics and all else are UNIMPLEMENTED. Bad data is
/// INVALID_ARGUMENT, too large RESOURCE_EXHAUSTED, whatever may succeed later UNAVAILABLE with
/// RetryInfo. `pipeline` must outlive the handler.
net::GrpcHandler MakeOtlpGrpcHandler(Pipeline& pipeline);

/// For GrpcServerOptions::overload_details: a google.rpc.Status of UNAVAILABLE with RetryInfo.
std::string MakeOtlpOverloadDetails();

}  // namespace fluoro::ingest
