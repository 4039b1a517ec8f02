// AWS Signature Version 4: keys, times, signing. Pure: time and secrets come in as arguments.
// Source: AWS, "Create a signed AWS API request".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/canonical_request.h"
#include "auth/digest.h"

namespace fluoro::auth {

inline constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";
inline constexpr std::int64_t kPresignSecondsMax = 604'800;  ///< a week

/// "20150830T123600Z". `unix_s` in the years 0 to 9999.
std::string BasicTime(std::int64_t unix_s);
/// Only that form, and only real dates.
std::optional<std::int64_t> ParseBasicTime(std::string_view text);
/// "Sun, 06 Nov 1994 08:49:37 GMT" (the weekday is not compared) or the basic form.
std::optional<std::int64_t> ParseDateHeader(std::string_view text);

/// What a signature is for.
struct Scope {
  std::string_view date{};  ///< "20150830"
  std::string_view region{};
  std::string_view service{};
  /// "20150830/us-east-1/xray/aws4_request"
  [[nodiscard]] std::string Text() const;
};

/// HMAC chain over date, region, service.
Digest SigningKey(std::string_view secret, const Scope& scope);
std::string StringToSign(std::string_view basic_time, const Scope& scope,
                         std::string_view canonical_request);
/// Lower-case hex.
std::string Signature(const Digest& signing_key, std::string_view string_to_sign);

struct Credentials {
  std::string access_key{};
  std::string secret{};
  std::string session_token{};  ///< of temporary keys; empty otherwise
};

struct SignOptions {
  std::string_view region = "us-east-1";
  std::string_view service = "xray";
  std::int64_t unix_s = 0;
  std::int64_t expires_s = 900;  ///< Presign only; 1 to kPresignSecondsMax
};

/// Headers to add: x-amz-date, x-amz-security-token where there is one, authorization. `request`
/// must hold host and neither of those; of its headers all are signed that proxies leave alone.
std::vector<std::pair<std::string, std::string>> Sign(const HttpRequestView& request,
                                                      const Credentials& credentials,
                                                      const SignOptions& options);

/// The whole query of a presigned URL, `request.query` included.
std::string Presign(const HttpRequestView& request, const Credentials& credentials,
                    const SignOptions& options);

}  // namespace fluoro::auth
