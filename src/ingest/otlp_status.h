// How errors of the pipeline are told to OTLP exporters. Internal to ingest.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/error.h"

namespace fluoro::ingest {

inline constexpr std::int64_t kRetryDelayNs = kNsPerSecond;

// Numbers of google.rpc.Code.
inline constexpr int kGrpcInvalidArgument = 3;
inline constexpr int kGrpcPermissionDenied = 7;
inline constexpr int kGrpcResourceExhausted = 8;
inline constexpr int kGrpcUnimplemented = 12;
inline constexpr int kGrpcInternal = 13;
inline constexpr int kGrpcUnavailable = 14;
inline constexpr int kGrpcUnauthenticated = 16;

struct OtlpFailure {
  int http_status = 503;
  int grpc_code = kGrpcUnavailable;
  std::optional<std::int64_t> retry_delay_ns;  ///< set when the same request may succeed later
};

/// Data that can never be taken is the client's fault and must not be sent again; all else is ours
/// and retryable, as a plain 500 would make exporters drop the spans. `size_exceeded` tells a body
/// that is too large from one that nests too deeply.
OtlpFailure FailureOf(const Error& error, bool size_exceeded);

}  // namespace fluoro::ingest
