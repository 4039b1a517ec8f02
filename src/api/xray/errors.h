// How operations of the X-Ray API answer: a JSON body, or an error with its shape's name.
// Source: botocore's service model xray/2016-04-12 (error shapes); AWS REST JSON 1.0 protocol.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "base/error.h"
#include "net/http.h"

namespace fluoro::api::xray {

struct ApiError {
  int status = 400;
  std::string type = "InvalidRequestException";
  std::string message{};
  std::string resource_name{};  ///< ResourceName, of the types that have it
  bool operator==(const ApiError&) const = default;
};

struct Answer {
  std::string body{};      ///< one JSON object
  net::Headers headers{};  ///< beside content type and request id
};

template <class T>
using ApiResult = std::expected<T, ApiError>;

/// 400 InvalidRequestException.
[[nodiscard]] std::unexpected<ApiError> Refuse(std::string message);

/// What a failure of the layers below becomes: kInvalidArgument, kTooLarge, kCorruption and
/// kNotFound are the client's fault; kUnavailable and kNoSpace throttle; a passed deadline and a
/// failing disk are ServiceUnavailable; all else is InternalFailure. The last two are logged and
/// tell no inner words.
[[nodiscard]] ApiError FromError(const Error& error);

/// A random (version 4) UUID.
std::string NewRequestId();

}  // namespace fluoro::api::xray

/// FLUORO_API_CHECK_OK(Call()): for Result<void> of the layers below.
#define FLUORO_API_CHECK_OK(...)                                                        \
  do {                                                                                  \
    if (auto fluoro_api_check = (__VA_ARGS__); !fluoro_api_check)                       \
      return std::unexpected(::fluoro::api::xray::FromError(fluoro_api_check.error())); \
  } while (false)
/// FLUORO_API_TRY(decl, expr): as FLUORO_TRY, where `expr` is a Result of the layers below.
#define FLUORO_API_TRY_INNER(decl, r, ...)                                              \
  auto r = (__VA_ARGS__);                                                               \
  if (!r) return std::unexpected(::fluoro::api::xray::FromError(std::move(r).error())); \
  decl = *std::move(r)
#define FLUORO_API_TRY(decl, ...) \
  FLUORO_API_TRY_INNER(decl, FLUORO_CONCAT(fluoro_api_try_, __COUNTER__), __VA_ARGS__)
