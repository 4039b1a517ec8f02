// Verifies AWS Signature Version 4, in the Authorization header or in the query of a presigned URL.
// Source: AWS, "Create a signed AWS API request"; docs/auth.md says what we decide ourselves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "auth/sigv4.h"
#include "base/mutex.h"

namespace fluoro::auth {

/// Why a request is not who it claims to be from, or that it claims nothing.
enum class SignatureFault : std::uint8_t {
  kMissing,       ///< no signature
  kIncomplete,    ///< malformed, or a part or a header that must be signed is missing
  kUnknownKey,    ///< no such access key, or a session token that is not its own
  kMismatch,      ///< the signature is another one, or it is for another service, body or time
  kExpiredToken,  ///< temporary keys that have run out
};

struct SignatureError {
  SignatureFault fault = SignatureFault::kMissing;
  std::string message{};  ///< in AWS's words where known; never holds what would have been right
};

/// What belongs to one access key.
struct KeySecret {
  std::string secret{};
  std::string session_token{};  ///< of temporary keys
  std::int64_t expires_ns = INT64_MAX;
};

struct VerifyOptions {
  std::int64_t now_ns = 0;
  std::span<const std::string_view> services{};  ///< names that a scope may have
  std::int64_t skew_ns = 300'000'000'000;        ///< distance of clocks that is still taken
  bool unsigned_payload = false;  ///< UNSIGNED-PAYLOAD is taken: over TLS or from this machine
};

/// Thread-safe. Keeps the last signing keys, at most `keys_max`.
class SigV4Verifier {
 public:
  using FindSecret = std::function<std::optional<KeySecret>(std::string_view access_key)>;

  explicit SigV4Verifier(std::size_t keys_max = 256);

  /// True if the request claims to be signed, by header or by query.
  static bool IsSigned(const HttpRequestView& request);

  /// The access key that signed. An unknown key takes as long as a wrong signature: it is verified
  /// against a secret that nobody has.
  std::expected<std::string, SignatureError> Verify(const HttpRequestView& request,
                                                    const VerifyOptions& options,
                                                    const FindSecret& find_secret);

  /// Signing keys kept.
  [[nodiscard]] std::size_t keys() const;

 private:
  struct CachedKey {
    std::string name;  ///< access key and scope
    Digest key;
    Digest secret_hash;  ///< a key that got another secret is another key
  };
  std::optional<Digest> FindKey(const std::string& name, const Digest& secret_hash);
  void KeepKey(const std::string& name, const Digest& secret_hash, const Digest& key);

  const std::size_t keys_max_;
  mutable Mutex mutex_;
  std::list<CachedKey> recent_ FLUORO_GUARDED_BY(mutex_);  ///< last used first
  std::map<std::string, std::list<CachedKey>::iterator> by_name_ FLUORO_GUARDED_BY(mutex_);
};

}  // namespace fluoro::auth
