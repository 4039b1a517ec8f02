#include "ingest/otlp_grpc.h"

#include <string_view>

#include "ingest/otlp_status.h"

namespace fluoro::ingest {
namespace {

using codec::otlp::Encoding;

constexpr std::string_view kExportTraces =
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
constexpr std::string_view kExportLogs =
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

net::GrpcAnswer Failed(int code, std::string message,
                       std::optional<std::int64_t> retry_delay_ns = std::nullopt) {
  std::string details =
      codec::otlp::EncodeStatus(code, message, retry_delay_ns, Encoding::kProtobuf);
  return {.code = code, .message = std::move(message), .status_details = std::move(details)};
}

}  // namespace

net::GrpcHandler MakeOtlpGrpcHandler(Pipeline& pipeline) {
  return [&pipeline](const net::GrpcCall& call) -> net::GrpcAnswer {
    const bool logs = call.method == kExportLogs;
    if (!logs && call.method != kExportTraces) {
      return Failed(kGrpcUnimplemented,
                    "traces and logs only: TraceService/Export and LogsService/Export");
    }
    const auto exported =
        logs ? pipeline.ExportOtlpLogs(call.body, Encoding::kProtobuf, "otlp_grpc_logs")
             : pipeline.ExportOtlp(call.body, Encoding::kProtobuf, "otlp_grpc");
    if (!exported) {
      const bool size_exceeded = call.body.size() > pipeline.LimitsNow().body_bytes_max;
      const OtlpFailure failure = FailureOf(exported.error(), size_exceeded);
      return Failed(failure.grpc_code, exported.error().message, failure.retry_delay_ns);
    }
    // Both answers have the same fields.
    return {.body = codec::otlp::EncodeResponse(exported->rejected_spans, exported->message,
                                                Encoding::kProtobuf)};
  };
}

std::string MakeOtlpOverloadDetails() {
  return codec::otlp::EncodeStatus(kGrpcUnavailable, "overloaded; try again", kRetryDelayNs,
                                   Encoding::kProtobuf);
}

}  // namespace fluoro::ingest
