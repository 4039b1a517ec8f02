#include "api/xray/errors.h"

#include <cstdint>
#include <utility>

#include "base/log.h"
#include "base/uuid.h"

namespace fluoro::api::xray {

std::unexpected<ApiError> Refuse(std::string message) {
  return std::unexpected(ApiError{.message = std::move(message)});
}

ApiError FromError(const Error& error) {
  switch (error.code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kTooLarge:
    case ErrorCode::kNotFound:
    case ErrorCode::kAlreadyExists:
      return {.message = error.message};
    case ErrorCode::kUnavailable:
    case ErrorCode::kNoSpace:
      return {.status = 429, .type = "ThrottledException", .message = "Rate exceeded"};
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kCancelled:
      return {.status = 503, .type = "ServiceUnavailable", .message = "The request took too long"};
    case ErrorCode::kIo:
      log::Error("x-ray api: the store cannot read or write", {{"error", error.message}});
      return {.status = 503, .type = "ServiceUnavailable", .message = "Storage failed"};
    default:
      log::Error("x-ray api: internal failure",
                 {{"code", std::string(ErrorCodeName(error.code))}, {"error", error.message}});
      return {.status = 500, .type = "InternalFailure", .message = "Internal failure"};
  }
}

std::string NewRequestId() { return NewUuid(); }

}  // namespace fluoro::api::xray
