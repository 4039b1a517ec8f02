#include "auth/sigv4_verifier.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/clock.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/percent.h"

namespace fluoro::auth {
namespace {

/// The parts of a signature, wherever they stood.
struct Claim {
  std::string access_key{};
  std::string date{}, region{}, service{};
  std::string signed_headers{};
  std::string signature{};
  std::string time_text{};  ///< basic form
  std::int64_t time_s = 0;
  std::int64_t expires_s = 0;  ///< 0: in a header
  std::optional<std::string> session_token{};
  bool in_query = false;

  [[nodiscard]] Scope scope() const { return {date, region, service}; }
};

template <class T = Claim>
using ClaimResult = std::expected<T, SignatureError>;

std::unexpected<SignatureError> Fault(SignatureFault fault, std::string message) {
  return std::unexpected(SignatureError{fault, std::move(message)});
}

std::unexpected<SignatureError> Incomplete(std::string message) {
  return Fault(SignatureFault::kIncomplete, std::move(message));
}

std::unexpected<SignatureError> Mismatch() {
  return Fault(SignatureFault::kMismatch,
               "The request signature we calculated does not match the signature you provided. "
               "Check your AWS Secret Access Key and signing method. Consult the service "
               "documentation for details.");
}

std::unexpected<SignatureError> UnknownKey() {
  return Fault(SignatureFault::kUnknownKey,
               "The security token included in the request is invalid.");
}

bool IsLowerHex(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string_view TrimBlanks(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

ClaimResult<> WithCredential(Claim claim, std::string_view credential) {
  const auto pieces = Split(credential, '/');
  if (pieces.size() != 5 || pieces[4] != "aws4_request" ||
      std::ranges::any_of(pieces, [](std::string_view piece) { return piece.empty(); })) {
    return Incomplete(
        "Credential must have exactly 5 slash-delimited elements: "
        "KEYID/DATE/REGION/SERVICE/aws4_request");
  }
  claim.access_key = pieces[0];
  claim.date = pieces[1];
  claim.region = pieces[2];
  claim.service = pieces[3];
  return claim;
}

ClaimResult<> FromHeader(const HttpRequestView& request) {
  if (std::ranges::count(request.headers, "authorization", &Header::name) != 1)
    return Incomplete("more than one Authorization header");
  std::string_view text = request.Find("authorization");
  const std::size_t blank = text.find(' ');
  if (text.substr(0, blank) != kAlgorithm || blank == std::string_view::npos)
    return Incomplete("Unsupported AWS 'algorithm': AWS4-HMAC-SHA256 is understood");
  text.remove_prefix(blank + 1);
  std::optional<std::string_view> credential, signed_headers, signature;
  for (const std::string_view piece : Split(text, ',')) {
    const std::string_view part = TrimBlanks(piece);
    const std::size_t equals = part.find('=');
    const std::string_view name = part.substr(0, equals);
    std::optional<std::string_view>* const target = name == "Credential"      ? &credential
                                                    : name == "SignedHeaders" ? &signed_headers
                                                    : name == "Signature"     ? &signature
                                                                              : nullptr;
    if (target == nullptr || target->has_value() || equals == std::string_view::npos)
      return Incomplete("the Authorization header has a part that is unknown or there twice");
    *target = part.substr(equals + 1);
  }
  for (const auto& [part, name] : {std::pair{credential, "Credential"},
                                   {signed_headers, "SignedHeaders"},
                                   {signature, "Signature"}}) {
    if (!part || part->empty())
      return Incomplete(fmt::format("Authorization header requires '{}' parameter.", name));
  }
  Claim claim;
  claim.signed_headers = *signed_headers;
  claim.signature = *signature;
  if (request.Has("x-amz-security-token"))
    claim.session_token = request.Find("x-amz-security-token");
  const bool amz = request.Has("x-amz-date");
  const auto time =
      amz ? ParseBasicTime(request.Find("x-amz-date")) : ParseDateHeader(request.Find("date"));
  if (!time) {
    return Incomplete(
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header, in "
        "its form.");
  }
  claim.time_s = *time;
  return WithCredential(std::move(claim), *credential);
}

ClaimResult<> FromQuery(const HttpRequestView& request) {
  std::map<std::string, std::string, std::less<>> parameters;
  for (const std::string_view one : Split(request.query, '&')) {
    const std::size_t equals = one.find('=');
    std::string name = PercentDecode(one.substr(0, equals), false);
    if (!name.starts_with("X-Amz-") || equals == std::string_view::npos) continue;
    if (!parameters.try_emplace(name, PercentDecode(one.substr(equals + 1), false)).second)
      return Incomplete("the query has '" + name + "' twice");
  }
  for (const std::string_view name : {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date",
                                      "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"}) {
    if (!parameters.contains(name))
      return Incomplete(fmt::format("AWS query-string parameters must include '{}'.", name));
  }
  if (parameters["X-Amz-Algorithm"] != kAlgorithm)
    return Incomplete("Unsupported AWS 'algorithm': AWS4-HMAC-SHA256 is understood");
  Claim claim;
  claim.in_query = true;
  claim.signed_headers = parameters["X-Amz-SignedHeaders"];
  claim.signature = parameters["X-Amz-Signature"];
  if (const auto token = parameters.find("X-Amz-Security-Token"); token != parameters.end())
    claim.session_token = token->second;
  const auto time = ParseBasicTime(parameters["X-Amz-Date"]);
  if (!time) return Incomplete("X-Amz-Date must be in the ISO8601 form 'yyyyMMddTHHmmssZ'");
  claim.time_s = *time;
  const std::string& expires = parameters["X-Amz-Expires"];
  const auto [end, error] =
      std::from_chars(expires.data(), expires.data() + expires.size(), claim.expires_s);
  if (error != std::errc() || end != expires.data() + expires.size() || claim.expires_s < 1 ||
      claim.expires_s > kPresignSecondsMax)
    return Incomplete("X-Amz-Expires must be a number of seconds from 1 to 604800");
  return WithCredential(std::move(claim), parameters["X-Amz-Credential"]);
}

ClaimResult<> ReadClaim(const HttpRequestView& request) {
  const bool header = request.Find("authorization").starts_with("AWS4-");
  const bool query = request.query.find("X-Amz-Signature") != std::string_view::npos;
  if (header && query) return Incomplete("a signature in the header and one in the query");
  if (!header && !query && !request.Has("authorization"))
    return Fault(SignatureFault::kMissing, "Missing Authentication Token");
  auto claim = query ? FromQuery(request) : FromHeader(request);
  if (!claim) return claim;
  claim->time_text = BasicTime(claim->time_s);
  if (claim->signature.size() != 64 || !IsLowerHex(claim->signature))
    return Incomplete("Signature must be 64 hexadecimal digits in lower case");
  return claim;
}

ClaimResult<std::vector<std::string_view>> SignedNames(const HttpRequestView& request,
                                                       const Claim& claim) {
  auto names = Split(claim.signed_headers, ';');
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool lower = std::ranges::none_of(names[i], [](char c) { return c >= 'A' && c <= 'Z'; });
    if (names[i].empty() || !lower || (i > 0 && names[i] <= names[i - 1]))
      return Incomplete("SignedHeaders must be lower-case names in order, separated by ';'");
  }
  const auto is_signed = [&names](std::string_view name) {
    return std::ranges::find(names, name) != names.end();
  };
  if (!is_signed("host")) return Incomplete("'Host' must be a signed header");
  const std::string_view date = request.Has("x-amz-date") ? "x-amz-date" : "date";
  if (!claim.in_query && !is_signed(date))
    return Incomplete("'X-Amz-Date' or 'Date' must be a signed header");
  return names;
}

ClaimResult<void> CheckTime(const Claim& claim, const VerifyOptions& options) {
  if (std::string_view(claim.time_text).substr(0, 8) != claim.date) {
    return Fault(SignatureFault::kMismatch,
                 fmt::format("Date in Credential scope does not match YYYYMMDD from ISO-8601 "
                             "version of date from HTTP: '{}' != '{}'",
                             claim.date, claim.time_text));
  }
  // Years of four digits fit: 2^63 ns are 292 years, so seconds are compared where ns would not do.
  const std::int64_t now_s = options.now_ns / kNsPerSecond;
  constexpr std::int64_t kFarSeconds = std::int64_t{1} << 32;
  const bool far = claim.time_s - now_s > kFarSeconds || now_s - claim.time_s > kFarSeconds;
  const std::int64_t ahead_ns =
      far ? 0 : (claim.time_s - now_s) * kNsPerSecond - options.now_ns % kNsPerSecond;
  if ((far && claim.time_s > now_s) || ahead_ns > options.skew_ns) {
    return Fault(SignatureFault::kMismatch,
                 fmt::format("Signature not yet current: {} is still later than {} ({} + {} min.)",
                             claim.time_text, BasicTime(now_s + options.skew_ns / kNsPerSecond),
                             BasicTime(now_s), options.skew_ns / kNsPerSecond / 60));
  }
  const std::int64_t valid_ns =
      claim.expires_s > 0 ? claim.expires_s * kNsPerSecond : options.skew_ns;
  if (far || -ahead_ns > valid_ns) {
    return Fault(SignatureFault::kMismatch,
                 fmt::format("Signature expired: {} is now earlier than {} ({} - {} s)",
                             claim.time_text, BasicTime(now_s - valid_ns / kNsPerSecond),
                             BasicTime(now_s), valid_ns / kNsPerSecond));
  }
  return {};
}

/// What stands in the canonical request for the body, after it was held against the body.
ClaimResult<std::string> PayloadHash(const HttpRequestView& request, const VerifyOptions& options) {
  const auto of_body = [&request] {
    return request.body_sha256.empty() ? Sha256Hex(request.body) : std::string(request.body_sha256);
  };
  if (!request.Has("x-amz-content-sha256")) return of_body();
  const std::string_view sent = request.Find("x-amz-content-sha256");
  if (sent == kUnsignedPayload) {
    if (options.unsigned_payload) return std::string(sent);
    return Fault(SignatureFault::kMismatch,
                 "UNSIGNED-PAYLOAD is taken over TLS or from this machine only: sign the body");
  }
  if (sent.starts_with("STREAMING-")) {
    return Fault(SignatureFault::kMismatch,
                 fmt::format("X-Amz-Content-SHA256 '{}': bodies signed in chunks are not "
                             "supported; sign the whole body",
                             sent.substr(0, 64)));
  }
  std::string hash = of_body();
  if (!SameSecret(hash, sent)) {
    return Fault(SignatureFault::kMismatch,
                 "The provided 'x-amz-content-sha256' header does not match what was computed.");
  }
  return hash;
}

const std::string& NobodysSecret() {
  static const std::string secret = RandomText("abcdefghijklmnopqrstuvwxyz0123456789", 40);
  return secret;
}

}  // namespace

SigV4Verifier::SigV4Verifier(std::size_t keys_max)
    : keys_max_(std::max<std::size_t>(1, keys_max)) {}

bool SigV4Verifier::IsSigned(const HttpRequestView& request) {
  return request.Find("authorization").starts_with("AWS4-") ||
         request.query.find("X-Amz-Signature") != std::string_view::npos;
}

std::expected<std::string, SignatureError> SigV4Verifier::Verify(const HttpRequestView& request,
                                                                 const VerifyOptions& options,
                                                                 const FindSecret& find_secret) {
  FLUORO_TRY(const Claim claim, ReadClaim(request));
  FLUORO_TRY(const auto names, SignedNames(request, claim));
  FLUORO_CHECK_OK(CheckTime(claim, options));
  if (std::ranges::find(options.services, claim.service) == options.services.end()) {
    return Fault(SignatureFault::kMismatch,
                 fmt::format("Credential should be scoped to correct service: '{}'.",
                             Join(options.services, ',')));
  }
  FLUORO_TRY(const std::string payload_hash, PayloadHash(request, options));
  const std::string to_sign = StringToSign(
      claim.time_text, claim.scope(),
      CanonicalRequest(request, names, payload_hash,
                       claim.in_query ? std::string_view("X-Amz-Signature") : std::string_view{}));

  std::optional<KeySecret> found = find_secret(claim.access_key);
  const bool known = found.has_value();
  if (!known) found = KeySecret{.secret = NobodysSecret()};
  const std::string& secret = found->secret;
  const std::string name = claim.access_key + "/" + claim.scope().Text();
  const Digest secret_hash = Sha256(secret);
  std::optional<Digest> key = FindKey(name, secret_hash);
  const bool cached = key.has_value();
  if (!cached) key = SigningKey(secret, claim.scope());
  const bool same = SameSecret(Signature(*key, to_sign), claim.signature);
  const bool token_same = SameSecret(found->session_token, claim.session_token.value_or(""));
  if (!known || !same) {
    // A key that is in use would be refused faster than one that nobody has.
    if (cached) (void)SigningKey(NobodysSecret(), claim.scope());
    if (!known) return UnknownKey();
    return Mismatch();
  }
  if (!token_same) return UnknownKey();
  if (options.now_ns >= found->expires_ns)
    return Fault(SignatureFault::kExpiredToken,
                 "The security token included in the request is expired");
  if (!cached) KeepKey(name, secret_hash, *key);
  return claim.access_key;
}

std::optional<Digest> SigV4Verifier::FindKey(const std::string& name, const Digest& secret_hash) {
  MutexLock lock(mutex_);
  const auto found = by_name_.find(name);
  if (found == by_name_.end() || found->second->secret_hash != secret_hash) return std::nullopt;
  recent_.splice(recent_.begin(), recent_, found->second);
  return found->second->key;
}

void SigV4Verifier::KeepKey(const std::string& name, const Digest& secret_hash, const Digest& key) {
  MutexLock lock(mutex_);
  if (const auto found = by_name_.find(name); found != by_name_.end()) {
    recent_.erase(found->second);
    by_name_.erase(found);
  }
  recent_.push_front({name, key, secret_hash});
  by_name_[name] = recent_.begin();
  if (recent_.size() > keys_max_) {
    by_name_.erase(recent_.back().name);
    recent_.pop_back();
  }
}

std::size_t SigV4Verifier::keys() const {
  MutexLock lock(mutex_);
  return recent_.size();
}

}  // namespace fluoro::auth
