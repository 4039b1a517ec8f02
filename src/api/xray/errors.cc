#include "api/xray/errors.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/hex.h"
#include "base/log.h"
#include "base/rng.h"

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

std::string NewRequestId() {
  std::array<std::uint8_t, 16> bytes{};
  const std::array<std::uint64_t, 2> random{RandomSeed(), RandomSeed()};
  std::memcpy(bytes.data(), random.data(), bytes.size());
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0fU) | 0x40U);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3fU) | 0x80U);
  std::string text = ToHex(bytes);
  for (const std::size_t dash : {8U, 13U, 18U, 23U}) text.insert(dash, "-");
  return text;
}

}  // namespace fluoro::api::xray
