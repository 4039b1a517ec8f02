#include "redact/detector.h"

#include <algorithm>
#include <string>

#include "base/base64.h"

namespace fluoro::redact {
namespace {

constexpr std::array<std::string_view, kDetectorsCount> kNames = {
    "email",       "phone",  "card",         "iban",   "jwt",  "aws-key", "api-key",
    "private-key", "bearer", "url-password", "secret", "ipv4", "ipv6",    "ssn"};

// Bounds of what is looked at from one place: they keep the work linear.
constexpr std::size_t kLocalPartMax = 64;  // RFC 5321 4.5.3.1
constexpr std::size_t kDomainMax = 255;
constexpr std::size_t kNumberMax = 40;
constexpr std::size_t kNameMax = 40;
constexpr std::size_t kUserInfoMax = 256;
constexpr std::size_t kBasicMax = 1024;
constexpr std::size_t kApiKeyMax = 512;
constexpr std::size_t kHeaderMax = 512;

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
constexpr bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
constexpr bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool IsAlpha(char c) { return IsUpper(c) || IsLower(c); }
constexpr bool IsAlnum(char c) { return IsAlpha(c) || IsDigit(c); }
constexpr bool IsHexDigit(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
constexpr bool IsToken(char c) { return IsAlnum(c) || c == '_' || c == '-'; }
// Letters of any script: bytes of UTF-8 beyond ASCII count as such.
constexpr bool IsLetter(char c) { return IsAlpha(c) || (c & 0x80) != 0; }
constexpr bool IsLocalPart(char c) {
  return IsAlnum(c) || (c & 0x80) != 0 ||
         std::string_view("._%+-'").find(c) != std::string_view::npos;
}
constexpr char ToLower(char c) { return IsUpper(c) ? static_cast<char>(c + ('a' - 'A')) : c; }
constexpr char At0(std::string_view text, std::size_t i) {
  return i < text.size() ? text[i] : '\0';
}
constexpr char Before(std::string_view text, std::size_t i) { return i > 0 ? text[i - 1] : '\0'; }

template <class Is>
std::size_t RunEnd(std::string_view text, std::size_t i, std::size_t end_max, Is is) {
  const std::size_t end = std::min(text.size(), end_max);
  while (i < end && is(text[i])) ++i;
  return i;
}

// A number ends here: neither a letter nor a decimal point with more digits follows.
bool IsNumberEnd(std::string_view text, std::size_t i) {
  const char c = At0(text, i);
  return !IsAlnum(c) && c != '_' && !(c == '.' && IsDigit(At0(text, i + 1)));
}

bool PassesLuhn(std::string_view digits) {
  unsigned sum = 0;
  bool twice = false;
  for (std::size_t i = digits.size(); i-- > 0; twice = !twice) {
    unsigned d = static_cast<unsigned>(digits[i] - '0');
    if (twice) d = d > 4 ? 2 * d - 9 : 2 * d;
    sum += d;
  }
  return sum % 10 == 0;
}

// First digits and lengths of the issuers (ISO/IEC 7812 ranges as they publish them).
bool IsIssuer(std::string_view digits) {
  const auto front = [digits](std::size_t count) {
    unsigned value = 0;
    for (const char c : digits.substr(0, count))
      value = 10 * value + static_cast<unsigned>(c - '0');
    return value;
  };
  const std::size_t n = digits.size();
  if (digits[0] == '4') return n == 16 || n == 19;  // Visa
  const unsigned two = front(2);
  const unsigned three = front(3);
  const unsigned four = front(4);
  if (two >= 51 && two <= 55) return n == 16;        // Mastercard
  if (four >= 2221 && four <= 2720) return n == 16;  // Mastercard
  if (two == 34 || two == 37) return n == 15;        // American Express
  if (four == 6011 || two == 65 || (three >= 644 && three <= 649)) return n >= 16;  // Discover
  if (four >= 3528 && four <= 3589) return n >= 16;                                 // JCB
  if ((three >= 300 && three <= 305) || two == 36 || two == 38) return n >= 14;     // Diners Club
  return two == 62 && n >= 16;                                                      // UnionPay
}

// [i, end) of a card number that begins at digit `i`: in one piece, or in groups of 4-4-4-4(-3) or
// 4-6-5(4) with one separator.
std::size_t CardEnd(std::string_view text, std::size_t i) {
  std::array<std::size_t, 5> groups{};
  std::size_t count = 0;
  std::string digits;
  char separator = '\0';
  std::size_t at = i;
  while (count < groups.size()) {
    const std::size_t end = RunEnd(text, at, at + 20, IsDigit);
    groups[count++] = end - at;
    digits.append(text.substr(at, end - at));
    at = end;
    const char next = At0(text, at);
    if ((next != ' ' && next != '-') || !IsDigit(At0(text, at + 1))) break;
    if (separator != '\0' && next != separator) break;
    if (groups[count - 1] > 6) break;
    separator = next;
    ++at;
  }
  if (!IsDigit(text[at - 1])) --at;
  const bool four = groups[0] == 4;
  bool shape = count == 1;
  if (count == 4 || count == 5) {
    shape = four && groups[1] == 4 && groups[2] == 4 && groups[3] == 4 &&
            (count == 4 || groups[4] <= 3);
  } else if (count == 3) {
    shape = four && groups[1] == 6 && (groups[2] == 5 || groups[2] == 4);
  }
  // What goes on in groups is another number.
  const bool goes_on = count > 1 && (At0(text, at) == separator) && IsDigit(At0(text, at + 1));
  if (!shape || goes_on || digits.size() < 14 || digits.size() > 19 || !IsNumberEnd(text, at))
    return 0;
  return IsIssuer(digits) && PassesLuhn(digits) ? at : 0;
}

// Country and 9 to 15 digits in all, in groups: as many groups as make a number.
std::size_t InternationalPhoneEnd(std::string_view text, std::size_t i) {
  constexpr std::string_view kSeparators = " -.()/";
  std::size_t at = i;
  std::size_t digits = 0;
  std::size_t end = 0;
  while (at < text.size() && at < i + kNumberMax) {
    const std::size_t group_end = RunEnd(text, at, at + 16, IsDigit);
    digits += group_end - at;
    if (digits > 15) break;
    at = group_end;
    if (digits >= 9 && IsNumberEnd(text, at)) end = at;
    const std::size_t next = RunEnd(
        text, at, at + 2, [&](char c) { return kSeparators.find(c) != std::string_view::npos; });
    if (next == at || !IsDigit(At0(text, next))) break;
    at = next;
  }
  return end;
}

// North American form: area and exchange of three digits, the first of each 2 to 9.
std::size_t NationalPhoneEnd(std::string_view text, std::size_t i) {
  std::size_t at = i;
  const bool bracket = text[at] == '(';
  if (bracket) ++at;
  const auto group = [&](std::size_t count, bool first_big) {
    if (RunEnd(text, at, at + count + 1, IsDigit) != at + count) return false;
    if (first_big && text[at] < '2') return false;
    at += count;
    return true;
  };
  if (!group(3, true)) return 0;
  char separator = At0(text, at);
  if (bracket) {
    if (separator != ')') return 0;
    ++at;
    if (At0(text, at) == ' ') ++at;
    separator = '-';
  } else {
    if (separator != '-' && separator != '.' && separator != ' ') return 0;
    ++at;
  }
  if (!group(3, true)) return 0;
  const char second = At0(text, at);
  if (second != separator && !(bracket && (second == ' ' || second == '.'))) return 0;
  ++at;
  if (!group(4, false)) return 0;
  return IsNumberEnd(text, at) && At0(text, at) != '-' ? at : 0;
}

std::size_t SsnEnd(std::string_view text, std::size_t i) {
  const auto digits = [&](std::size_t at, std::size_t count) {
    return RunEnd(text, at, at + count + 1, IsDigit) == at + count;
  };
  if (!digits(i, 3) || At0(text, i + 3) != '-' || !digits(i + 4, 2) || At0(text, i + 6) != '-' ||
      !digits(i + 7, 4))
    return 0;
  const std::string_view area = text.substr(i, 3);
  if (area == "000" || area == "666" || area[0] == '9' || text.substr(i + 4, 2) == "00" ||
      text.substr(i + 7, 4) == "0000")
    return 0;
  const std::size_t end = i + 11;
  return IsNumberEnd(text, end) && At0(text, end) != '-' ? end : 0;
}

std::size_t Ipv4End(std::string_view text, std::size_t i) {
  std::size_t at = i;
  for (int part = 0; part < 4; ++part) {
    if (part > 0 && At0(text, at++) != '.') return 0;
    const std::size_t end = RunEnd(text, at, at + 4, IsDigit);
    if (end == at || end - at > 3) return 0;
    unsigned value = 0;
    for (const char c : text.substr(at, end - at))
      value = 10 * value + static_cast<unsigned>(c - '0');
    if (value > 255) return 0;
    at = end;
  }
  return IsNumberEnd(text, at) ? at : 0;
}

// Around the first colon at `colon`: eight groups, or fewer with "::".
std::optional<Finding> Ipv6At(std::string_view text, std::size_t from, std::size_t colon) {
  std::size_t begin = colon;
  while (begin > from && colon - begin < 4 && IsHexDigit(text[begin - 1])) --begin;
  if (IsAlnum(Before(text, begin)) || Before(text, begin) == ':') return std::nullopt;
  const std::size_t end =
      RunEnd(text, begin, begin + 46, [](char c) { return IsHexDigit(c) || c == ':'; });
  if (end - begin > 39 || end - begin < 6 || IsAlnum(At0(text, end))) return std::nullopt;
  std::size_t colons = 0;
  std::size_t group = 0;
  bool empty_group = false;
  for (std::size_t i = begin; i < end; ++i) {
    if (text[i] != ':') {
      if (++group > 4) return std::nullopt;
      continue;
    }
    ++colons;
    group = 0;
    if (At0(text, i + 1) == ':') {
      if (empty_group) return std::nullopt;
      empty_group = true;
    }
  }
  const bool whole = empty_group ? colons >= 2 && colons <= 7 : colons == 7;
  if (!whole || (text[end - 1] == ':' && text[end - 2] != ':')) return std::nullopt;
  return Finding{begin, end, Detector::kIpv6};
}

// Lengths by country, ISO 13616 registry.
constexpr std::string_view kIbanLengths =
    "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BR29BY28CH21CR22CY28CZ24DE22DK18DO28EE20EG29ES24FI18FO18FR"
    "27"
    "GB22GE22GI23GL18GR27GT28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC"
    "27"
    "MD24ME22MK19MR27MT31MU30NL18NO15PK24PL28PS29PT25QA29RO24RS22SA24SC31SD18SE24SI19SK24SM27ST25SV"
    "28"
    "TN24TR26UA29VA22VG24XK20";

std::size_t IbanEnd(std::string_view text, std::size_t i) {
  std::size_t wanted = 0;
  for (std::size_t c = 0; c < kIbanLengths.size(); c += 4) {
    if (kIbanLengths.substr(c, 2) == text.substr(i, 2)) {
      wanted =
          static_cast<std::size_t>(10 * (kIbanLengths[c + 2] - '0') + (kIbanLengths[c + 3] - '0'));
      break;
    }
  }
  if (wanted == 0) return 0;
  std::string compact;
  std::size_t at = i;
  while (at < text.size() && compact.size() < wanted) {
    const char c = text[at];
    if (IsUpper(c) || IsDigit(c)) {
      compact.push_back(c);
    } else if ((c != ' ' && c != '-') ||
               !(IsUpper(At0(text, at + 1)) || IsDigit(At0(text, at + 1)))) {
      return 0;
    }
    ++at;
  }
  if (compact.size() != wanted || IsAlnum(At0(text, at))) return 0;
  unsigned remainder = 0;
  const auto feed = [&remainder](char c) {
    remainder = IsDigit(c) ? (10 * remainder + static_cast<unsigned>(c - '0')) % 97
                           : (100 * remainder + static_cast<unsigned>(c - 'A') + 10) % 97;
  };
  for (const char c : compact.substr(4)) feed(c);
  for (const char c : compact.substr(0, 4)) feed(c);
  return remainder == 1 ? at : 0;
}

std::size_t JwtEnd(std::string_view text, std::size_t i) {
  std::size_t end = RunEnd(text, i, text.size(), IsToken);
  if (end - i < 12 || At0(text, end) != '.') return 0;
  for (int part = 0; part < 4 && At0(text, end) == '.'; ++part) {
    const std::size_t next = RunEnd(text, end + 1, text.size(), IsToken);
    if (part == 0 && next - end < 5) return 0;
    end = next;
  }
  return end;
}

struct Prefix {
  std::string_view text;
  std::size_t tail_min;
};
// Tokens that say what they are. By the first letters that their issuers publish.
constexpr auto kPrefixes = std::to_array<Prefix>({
    {"sk-", 16},     // OpenAI, Anthropic, OpenRouter, DeepSeek, Langfuse (sk-lf-)
    {"pk-lf-", 16},  // Langfuse
    {"sk_live_", 10},    {"sk_test_", 10}, {"rk_live_", 10}, {"rk_test_", 10},  // Stripe
    {"whsec_", 16},                                                             // Stripe webhooks
    {"ghp_", 20},        {"gho_", 20},     {"ghu_", 20},     {"ghs_", 20},     {"ghr_", 20},
    {"github_pat_", 20},                 // GitHub
    {"glpat-", 16},      {"glsa_", 20},  // GitLab, Grafana
    {"xoxb-", 10},       {"xoxp-", 10},    {"xoxa-", 10},    {"xoxr-", 10},    {"xoxs-", 10},
    {"xapp-", 10},                          // Slack
    {"AIza", 30},        {"ya29.", 20},     // Google
    {"hf_", 20},                            // Hugging Face
    {"npm_", 30},        {"pypi-AgE", 30},  // package registries
    {"dop_v1_", 40},                        // DigitalOcean
    {"SG.", 30},                            // SendGrid
    {"lsv2_", 20},                          // LangSmith
    {"gsk_", 20},        {"xai-", 20},     {"pplx-", 20},    {"nvapi-", 20},   {"r8_", 20},
    {"fw_", 20},         {"pcsk_", 20},    {"tvly-", 16},  // model and search providers
    {"shpat_", 20},      {"ATATT3", 30},   {"dapi", 32},     {"sntrys_", 20},
});

std::size_t ApiKeyEnd(std::string_view text, std::size_t i) {
  for (const Prefix& prefix : kPrefixes) {
    if (!text.substr(i).starts_with(prefix.text)) continue;
    const std::size_t tail = i + prefix.text.size();
    const std::size_t end = RunEnd(text, tail, tail + kApiKeyMax,
                                   [](char c) { return IsToken(c) || c == '.' || c == '='; });
    // A sentence may end behind it.
    std::size_t last = end;
    while (last > tail && (text[last - 1] == '.' || text[last - 1] == '-')) --last;
    if (last - tail < prefix.tail_min) continue;
    const std::string_view body = text.substr(tail, last - tail);
    if (std::ranges::any_of(body, IsDigit)) return last;
  }
  return 0;
}

std::size_t AwsKeyEnd(std::string_view text, std::size_t i) {
  const std::string_view front = text.substr(i, 4);
  if (front != "AKIA" && front != "ASIA" && front != "ABIA" && front != "ACCA") return 0;
  const std::size_t end =
      RunEnd(text, i + 4, i + 21, [](char c) { return IsUpper(c) || IsDigit(c); });
  return end == i + 20 && !IsAlnum(At0(text, end)) ? end : 0;
}

std::size_t PrivateKeyEnd(std::string_view text, std::size_t i) {
  constexpr std::string_view kBegin = "-----BEGIN ";
  if (!text.substr(i).starts_with(kBegin)) return 0;
  const std::size_t label = i + kBegin.size();
  const std::size_t label_end =
      RunEnd(text, label, label + 48, [](char c) { return IsUpper(c) || c == ' ' || IsDigit(c); });
  if (text.substr(label, label_end - label).find("PRIVATE KEY") == std::string_view::npos) return 0;
  constexpr std::string_view kEnd = "-----END ";
  const std::size_t end = text.find(kEnd, label_end);
  if (end == std::string_view::npos) return text.size();
  const std::size_t close = text.find("-----", end + kEnd.size());
  if (close == std::string_view::npos || close > end + kEnd.size() + 48) return text.size();
  return close + 5;
}

// Credentials of an Authorization header.
std::optional<Finding> BearerAt(std::string_view text, std::size_t i) {
  const auto word = [&](std::string_view lower) {
    if (text.size() - i <= lower.size()) return false;
    for (std::size_t k = 0; k < lower.size(); ++k) {
      if (ToLower(text[i + k]) != lower[k]) return false;
    }
    return true;
  };
  const auto credential = [](char c) {
    return IsToken(c) || c == '.' || c == '~' || c == '+' || c == '/' || c == '=';
  };
  if (word("bearer ")) {
    const std::size_t begin = i + 7;
    const std::size_t end = RunEnd(text, begin, text.size(), credential);
    const std::string_view token = text.substr(begin, end - begin);
    if (token.size() >= 12 && std::ranges::any_of(token, IsDigit))
      return Finding{begin, end, Detector::kBearer};
  } else if (word("basic ")) {
    const std::size_t begin = i + 6;
    const std::size_t end = RunEnd(text, begin, begin + kBasicMax, credential);
    const auto decoded = FromBase64(text.substr(begin, end - begin));
    if (decoded && decoded->find(':') != std::string::npos)
      return Finding{begin, end, Detector::kBearer};
  }
  return std::nullopt;
}

// `slashes`: behind "://".
std::optional<Finding> UrlPasswordAt(std::string_view text, std::size_t slashes) {
  const std::size_t end = RunEnd(text, slashes, slashes + kUserInfoMax, [](char c) {
    return static_cast<unsigned char>(c) > ' ' &&
           std::string_view("/?#\"'<>@\\").find(c) == std::string_view::npos;
  });
  if (At0(text, end) != '@') return std::nullopt;
  const std::size_t colon = text.substr(slashes, end - slashes).find(':');
  if (colon == std::string_view::npos || slashes + colon + 1 == end) return std::nullopt;
  return Finding{slashes + colon + 1, end, Detector::kUrlPassword};
}

constexpr auto kSecretNames = std::to_array<std::string_view>({
    "accesskey",
    "accesstoken",
    "accountkey",
    "apikey",
    "apitoken",
    "authorization",
    "authtoken",
    "awssecretaccesskey",
    "awssessiontoken",
    "clientsecret",
    "connectionpassword",
    "cookie",
    "credentials",
    "dbpassword",
    "idtoken",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "proxyauthorization",
    "pwd",
    "refreshtoken",
    "secret",
    "secretaccesskey",
    "secretkey",
    "sessiontoken",
    "setcookie",
    "sharedaccesskey",
    "sharedaccesssignature",
    "xamzsecuritytoken",
    "xapikey",
    "xauthtoken",
    "xgoogapikey",
});

// Without '-' and '_', in small letters; "" if too long to be one of ours.
struct PlainName {
  std::array<char, kNameMax> text{};
  std::size_t bytes = 0;
  explicit PlainName(std::string_view name) {
    for (const char c : name) {
      if (c == '-' || c == '_') continue;
      if (bytes == text.size()) {
        bytes = 0;
        return;
      }
      text[bytes++] = ToLower(c);
    }
  }
  [[nodiscard]] std::string_view view() const { return {text.data(), bytes}; }
};

// Names that tell of a secret in addresses and forms only.
constexpr auto kSecretParameters = std::to_array<std::string_view>(
    {"sig", "signature", "token", "xamzcredential", "xamzsignature"});

bool IsSecretParameter(std::string_view name) {
  return std::ranges::binary_search(kSecretParameters, PlainName(name).view());
}
bool IsSecretHeader(std::string_view name) {
  const PlainName plain(name);
  return plain.view() == "authorization" || plain.view() == "cookie" || plain.view() == "apikey";
}

// What stands for a value in a statement: ?, $1, %s, :name, @name.
bool IsParameterMark(std::string_view value) {
  if (value == "?" || value == "%s") return true;
  if (value[0] == '$') return value.size() <= 3 && std::ranges::all_of(value.substr(1), IsDigit);
  return (value[0] == ':' || value[0] == '@') &&
         std::ranges::all_of(value.substr(1), [](char c) { return IsAlpha(c) || c == '_'; });
}

// The value behind a name of a secret; `i` is '=' or ':'. Behind ':' only what stands in quotes, or
// the rest of the line of a header.
std::optional<Finding> SecretAt(std::string_view text, std::size_t from, std::size_t i) {
  if (At0(text, i + 1) == '=') return std::nullopt;
  const auto is_gap = [](char c) { return c == ' ' || c == '"' || c == '\'' || c == '\\'; };
  std::size_t name_end = i;
  while (name_end > from && i - name_end < 3 && is_gap(text[name_end - 1])) --name_end;
  std::size_t name = name_end;
  while (name > from && name_end - name < kNameMax && IsToken(text[name - 1])) --name;
  const std::string_view word = text.substr(name, name_end - name);
  if (word.empty() || !(IsSecretName(word) || (text[i] == '=' && IsSecretParameter(word))))
    return std::nullopt;
  std::size_t begin = i + 1;
  while (At0(text, begin) == ' ' && begin < i + 4) ++begin;
  while (At0(text, begin) == '\\' && begin < i + 4) ++begin;
  const char quote = At0(text, begin);
  if (quote == '"' || quote == '\'') {
    ++begin;
    const std::size_t end = RunEnd(
        text, begin, text.size(), [quote](char c) { return c != quote && c != '\\' && c != '\n'; });
    if (end == begin) return std::nullopt;
    return Finding{begin, end, Detector::kSecret};
  }
  if (text[i] == '=') {
    const std::size_t end = RunEnd(text, begin, text.size(), [](char c) {
      return static_cast<unsigned char>(c) > ' ' &&
             std::string_view("&;,\"'<>)}]").find(c) == std::string_view::npos;
    });
    if (end == begin || IsParameterMark(text.substr(begin, end - begin))) return std::nullopt;
    return Finding{begin, end, Detector::kSecret};
  }
  // "Password: required" is prose, "Authorization: Basic YTpi" is none.
  const bool header = word.find('-') != std::string_view::npos || IsSecretHeader(word);
  const auto in_line = [](char c) {
    return c != '\n' && c != '\r' && c != '"' && c != '\'' && c != '<';
  };
  if (!header) return std::nullopt;
  const std::size_t near = RunEnd(text, begin, begin + kHeaderMax, in_line);
  if (!std::ranges::any_of(text.substr(begin, near - begin), IsDigit)) return std::nullopt;
  return Finding{begin, RunEnd(text, near, text.size(), in_line), Detector::kSecret};
}

// `at`: the @, which is `bytes` long.
std::optional<Finding> EmailAt(std::string_view text, std::size_t from, std::size_t at,
                               std::size_t bytes) {
  std::size_t begin = at;
  while (begin > from && at - begin < kLocalPartMax && IsLocalPart(text[begin - 1])) --begin;
  while (begin < at && !IsAlnum(text[begin]) && (text[begin] & 0x80) == 0) ++begin;
  if (begin == at || text[at - 1] == '.') return std::nullopt;
  std::size_t end = at + bytes;
  std::size_t label = end;
  std::size_t dots = 0;
  std::size_t good_end = 0;
  while (end < text.size() && end < at + bytes + kDomainMax) {
    label = end;
    end = RunEnd(text, end, at + bytes + kDomainMax,
                 [](char c) { return IsAlnum(c) || c == '-' || (c & 0x80) != 0; });
    if (end == label) break;
    const std::string_view name = text.substr(label, end - label);
    std::size_t letters = 0;
    while (letters < name.size() && IsLetter(name[letters])) ++letters;
    const bool is_top = letters >= 2 && (letters == name.size() || name[letters] == '-');
    if (dots > 0 && is_top && name.back() != '-') good_end = end;
    if (At0(text, end) != '.') break;
    ++dots;
    ++end;
  }
  if (good_end == 0) return std::nullopt;
  return Finding{begin, good_end, Detector::kEmail};
}

}  // namespace

std::string_view DetectorName(Detector detector) {
  return kNames[static_cast<std::size_t>(detector)];
}

std::optional<Detector> ParseDetector(std::string_view name) {
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Detector>(found - kNames.begin());
}

bool IsOnByDefault(Detector detector) { return detector < Detector::kIpv4; }

bool IsSecretName(std::string_view name) {
  return std::ranges::binary_search(kSecretNames,
                                    PlainName(name.substr(name.rfind('.') + 1)).view());
}

bool IsCardNumber(std::string_view digits) {
  return digits.size() >= 14 && digits.size() <= 19 && std::ranges::all_of(digits, IsDigit) &&
         IsIssuer(digits) && PassesLuhn(digits);
}

Scanner::Scanner(DetectorSet detectors) : detectors_(detectors) {
  static_assert(std::ranges::is_sorted(kSecretNames));
  const auto pair = [this](char a, char b) {
    triggers_.set(std::size_t{static_cast<unsigned char>(a)} << 8 | static_cast<unsigned char>(b));
  };
  const auto first = [&pair](char a) {
    for (int b = 0; b < 256; ++b) pair(a, static_cast<char>(b));
  };
  if (Has(Detector::kEmail)) {
    first('@');
    pair('%', '4');
    pair('\\', 'u');
  }
  if (Has(Detector::kCard) || Has(Detector::kPhone) || Has(Detector::kIpv4) ||
      Has(Detector::kSsn)) {
    for (char c = '0'; c <= '9'; ++c) first(c);
  }
  if (Has(Detector::kPhone)) {
    first('+');
    first('(');
  }
  if (Has(Detector::kIban)) {
    for (std::size_t c = 0; c < kIbanLengths.size(); c += 4)
      pair(kIbanLengths[c], kIbanLengths[c + 1]);
  }
  if (Has(Detector::kJwt)) pair('e', 'y');
  if (Has(Detector::kAwsKey)) {
    for (const char c : {'K', 'S', 'B', 'C'}) pair('A', c);
  }
  if (Has(Detector::kApiKey)) {
    for (const Prefix& prefix : kPrefixes) pair(prefix.text[0], prefix.text[1]);
  }
  if (Has(Detector::kPrivateKey)) pair('-', '-');
  if (Has(Detector::kBearer)) {
    for (const char a : {'b', 'B'}) {
      for (const char b : {'a', 'A', 'e', 'E'}) pair(a, b);
    }
  }
  if (Has(Detector::kUrlPassword)) pair(':', '/');
  if (Has(Detector::kSecret)) {
    first('=');
    first(':');
  }
  if (Has(Detector::kIpv6)) first(':');
}

std::optional<Finding> Scanner::At(std::string_view text, std::size_t from, std::size_t i,
                                   std::size_t& steps) const {
  const char c = text[i];
  const char before = Before(text, i);
  const auto found = [&](std::size_t end, Detector detector) -> std::optional<Finding> {
    if (end == 0) return std::nullopt;
    return Finding{i, end, detector};
  };
  if (c == '@' || c == '%' || c == '\\') {
    std::size_t bytes = 1;
    if (c == '%') bytes = text.substr(i).starts_with("%40") ? 3 : 0;
    if (c == '\\') bytes = text.substr(i).starts_with("\\u0040") ? 6 : 0;
    if (bytes == 0) return std::nullopt;
    steps += kLocalPartMax;
    auto email = EmailAt(text, from, i, bytes);
    if (email) steps += email->end - i;
    return email;
  }
  if (IsDigit(c)) {
    if (IsAlnum(before) || before == '.') return std::nullopt;
    steps += kNumberMax;
    std::optional<Finding> result;
    if (Has(Detector::kCard) && (result = found(CardEnd(text, i), Detector::kCard))) return result;
    if (Has(Detector::kIpv4) && (result = found(Ipv4End(text, i), Detector::kIpv4))) return result;
    if (before == '-' || before == '_') return std::nullopt;
    if (Has(Detector::kSsn) && (result = found(SsnEnd(text, i), Detector::kSsn))) return result;
    if (!Has(Detector::kPhone)) return std::nullopt;
    if ((result = found(NationalPhoneEnd(text, i), Detector::kPhone))) return result;
    if (c == '1' && (At0(text, i + 1) == '-' || At0(text, i + 1) == ' ') && i + 2 < text.size() &&
        (IsDigit(text[i + 2]) || text[i + 2] == '('))
      return found(NationalPhoneEnd(text, i + 2), Detector::kPhone);
    // 00 and the country, in groups: in one piece it may be any number.
    if (c == '0' && At0(text, i + 1) == '0') {
      const std::size_t end = InternationalPhoneEnd(text, i + 2);
      if (end != 0 && !std::ranges::all_of(text.substr(i, end - i), IsDigit))
        return found(end, Detector::kPhone);
    }
    return std::nullopt;
  }
  if (c == '+' && Has(Detector::kPhone)) {
    if (IsAlnum(before) || before == '+' || At0(text, i + 1) < '1' || At0(text, i + 1) > '9')
      return std::nullopt;
    steps += kNumberMax;
    return found(InternationalPhoneEnd(text, i + 1), Detector::kPhone);
  }
  if (c == '(' && Has(Detector::kPhone)) {
    if (IsAlnum(before) || !IsDigit(At0(text, i + 1))) return std::nullopt;
    steps += kNumberMax;
    return found(NationalPhoneEnd(text, i), Detector::kPhone);
  }
  if (c == '=' || c == ':') {
    if (c == ':' && Has(Detector::kUrlPassword) && text.substr(i).starts_with("://")) {
      steps += kUserInfoMax;
      return UrlPasswordAt(text, i + 3);
    }
    if (Has(Detector::kSecret)) {
      steps += kNameMax;
      if (auto secret = SecretAt(text, from, i)) {
        steps += secret->end - i;
        return secret;
      }
    }
    if (c == ':' && Has(Detector::kIpv6)) {
      steps += kNumberMax;
      return Ipv6At(text, from, i);
    }
    return std::nullopt;
  }
  if (c == '-') {
    if (before == '-' || !Has(Detector::kPrivateKey)) return std::nullopt;
    const std::size_t end = PrivateKeyEnd(text, i);
    steps += end > i ? end - i : kNameMax;
    return found(end, Detector::kPrivateKey);
  }
  // Words.
  if (IsToken(before) && before != '-') return std::nullopt;
  if (Has(Detector::kBearer) && (c == 'b' || c == 'B')) {
    auto bearer = BearerAt(text, i);
    steps += bearer ? bearer->end - i : kNameMax;
    if (bearer) return bearer;
  }
  if (before == '-') return std::nullopt;
  std::optional<Finding> result;
  if (Has(Detector::kJwt) && c == 'e' && text.substr(i).starts_with("eyJ")) {
    const std::size_t end = JwtEnd(text, i);
    steps += std::max(end, RunEnd(text, i, text.size(), IsToken)) - i;
    if ((result = found(end, Detector::kJwt))) return result;
  }
  if (Has(Detector::kAwsKey) && c == 'A' && (result = found(AwsKeyEnd(text, i), Detector::kAwsKey)))
    return result;
  if (Has(Detector::kIban) && IsUpper(c) && IsDigit(At0(text, i + 2)) &&
      IsDigit(At0(text, i + 3))) {
    steps += kNumberMax;
    if ((result = found(IbanEnd(text, i), Detector::kIban))) return result;
  }
  if (Has(Detector::kApiKey)) {
    const std::size_t end = ApiKeyEnd(text, i);
    steps += end > i ? end - i : kNameMax;
    return found(end, Detector::kApiKey);
  }
  return std::nullopt;
}

std::optional<Finding> Scanner::Next(std::string_view text, std::size_t from,
                                     std::size_t& steps) const {
  const std::size_t last = text.empty() ? 0 : text.size() - 1;  // a pair begins before it
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  for (std::size_t i = from; i < last; ++i) {
    if (!triggers_[std::size_t{bytes[i]} << 8 | bytes[i + 1]]) [[likely]]
      continue;
    // Most pairs of letters stand inside words, where nothing begins.
    if (IsAlpha(text[i]) && i > 0 && (IsAlnum(text[i - 1]) || text[i - 1] == '_')) continue;
    if (auto finding = At(text, from, i, steps)) {
      steps += i - from;
      return finding;
    }
  }
  if (last > from) steps += last - from;
  return std::nullopt;
}

}  // namespace fluoro::redact
