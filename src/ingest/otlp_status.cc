#include "ingest/otlp_status.h"

namespace fluoro::ingest {

OtlpFailure FailureOf(const Error& error, bool size_exceeded) {
  switch (error.code) {
    case ErrorCode::kTooLarge:
      if (size_exceeded) {
        return {.http_status = 413,
                .grpc_code = kGrpcResourceExhausted,
                .retry_delay_ns = std::nullopt};
      }
      [[fallthrough]];
    case ErrorCode::kCorruption:
    case ErrorCode::kInvalidArgument:
      return {
          .http_status = 400, .grpc_code = kGrpcInvalidArgument, .retry_delay_ns = std::nullopt};
    default:
      return {.http_status = 503, .grpc_code = kGrpcUnavailable, .retry_delay_ns = kRetryDelayNs};
  }
}

}  // namespace fluoro::ingest
