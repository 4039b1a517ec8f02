// What a secret or a person's datum looks like in text, wherever it stands: mail addresses, phone
// and card numbers, account numbers, tokens and keys. Hand-written, one pass, no back-tracking.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace fluoro::redact {

enum class Detector : std::uint8_t {
  kEmail,   ///< local@domain.tld, also with the @ as %40 or \u0040
  kPhone,   ///< +49 30 1234567, 0049 30 1234567, (555) 234-5678, 555-234-5678
  kCard,    ///< payment card: issuer's first digits, length, Luhn (ISO/IEC 7812-1)
  kIban,    ///< country and its length, mod 97 (ISO 13616)
  kJwt,     ///< eyJ....eyJ....  (RFC 7519, compact form)
  kAwsKey,  ///< ids of access keys: AKIA..., ASIA...
  kApiKey,  ///< sk-..., ghp_..., xoxb-..., AIza... and other tokens known by their first letters
  kPrivateKey,   ///< -----BEGIN ... PRIVATE KEY----- to its END, or to the end of the text
  kBearer,       ///< the credentials behind "Bearer " and "Basic "
  kUrlPassword,  ///< scheme://user:PASSWORD@host
  kSecret,       ///< the value of password=, api_key=, "client_secret": ... (IsSecretName)
  kIpv4,         ///< off unless a rule asks for it
  kIpv6,         ///< off unless a rule asks for it
  kSsn,          ///< 123-45-6789; off unless a rule asks for it
};
inline constexpr std::size_t kDetectorsCount = 14;

/// "email", "phone", "card", "iban", "jwt", "aws-key", "api-key", "private-key", "bearer",
/// "url-password", "secret", "ipv4", "ipv6", "ssn".
std::string_view DetectorName(Detector detector);
std::optional<Detector> ParseDetector(std::string_view name);
/// Detectors that work unless a rule says otherwise.
bool IsOnByDefault(Detector detector);

/// Names whose values are secrets by what they are called: password, api_key, Authorization, ...
/// Any case; '-' and '_' are the same. The part behind the last '.' counts.
bool IsSecretName(std::string_view name);

/// Bytes [begin, end) of a text.
struct Finding {
  std::size_t begin = 0;
  std::size_t end = 0;
  Detector detector = Detector::kEmail;
};

using DetectorSet = std::bitset<kDetectorsCount>;

/// Finds secrets from left to right. Immutable; thread-safe.
class Scanner {
 public:
  explicit Scanner(DetectorSet detectors);

  /// The first finding that begins at or behind `from`; what stands before `from` is only looked at
  /// to see where words begin. `steps` grows by the bytes that were looked at. Work for all
  /// findings of a text is linear in its length.
  [[nodiscard]] std::optional<Finding> Next(std::string_view text, std::size_t from,
                                            std::size_t& steps) const;
  [[nodiscard]] const DetectorSet& detectors() const { return detectors_; }

 private:
  [[nodiscard]] std::optional<Finding> At(std::string_view text, std::size_t from, std::size_t i,
                                          std::size_t& steps) const;
  [[nodiscard]] bool Has(Detector detector) const {
    return detectors_.test(static_cast<std::size_t>(detector));
  }

  DetectorSet detectors_;
  std::bitset<std::size_t{1} << 16> triggers_;  ///< pairs of bytes at which something may stand
};

/// Cards only, as a number in JSON stands: for values that are no text. True: `digits` is one.
bool IsCardNumber(std::string_view digits);

}  // namespace fluoro::redact
