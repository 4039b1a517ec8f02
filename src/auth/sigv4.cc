#include "auth/sigv4.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include "base/assert.h"
#include "base/hex.h"
#include "base/percent.h"

namespace fluoro::auth {
namespace {

using std::chrono::sys_days;

constexpr std::int64_t kDaySeconds = 86'400;

// As botocore leaves out: what proxies change, and what clients add after signing.
constexpr auto kNeverSigned = std::to_array<std::string_view>(
    {"authorization", "connection", "expect", "keep-alive", "proxy-authenticate",
     "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "user-agent",
     "x-amzn-trace-id"});

std::optional<int> Digits(std::string_view text) {
  int number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  return number;
}

struct Parts {
  std::optional<int> year, month, day, hour, minute, second;
};

std::optional<std::int64_t> UnixSeconds(const Parts& parts) {
  if (!parts.year || !parts.month || !parts.day || !parts.hour || !parts.minute || !parts.second)
    return std::nullopt;
  if (*parts.hour > 23 || *parts.minute > 59 || *parts.second > 59) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*parts.year),
                                         std::chrono::month(static_cast<unsigned>(*parts.month)),
                                         std::chrono::day(static_cast<unsigned>(*parts.day))};
  if (!date.ok()) return std::nullopt;
  const std::int64_t minutes = std::int64_t{*parts.hour} * 60 + *parts.minute;
  return sys_days(date).time_since_epoch().count() * kDaySeconds + minutes * 60 + *parts.second;
}

std::vector<std::string_view> SignedNames(std::span<const Header> headers) {
  std::vector<std::string_view> names;
  for (const Header& header : headers) {
    if (std::ranges::find(kNeverSigned, header.name) == kNeverSigned.end())
      names.push_back(header.name);
  }
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  return names;
}

std::string HashOf(const HttpRequestView& request) {
  if (const std::string_view sent = request.Find("x-amz-content-sha256"); !sent.empty())
    return std::string(sent);
  return request.body_sha256.empty() ? Sha256Hex(request.body) : std::string(request.body_sha256);
}

}  // namespace

std::string BasicTime(std::int64_t unix_s) {
  const std::chrono::sys_seconds time{std::chrono::seconds(unix_s)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

std::optional<std::int64_t> ParseBasicTime(std::string_view text) {
  if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
  return UnixSeconds({.year = Digits(text.substr(0, 4)),
                      .month = Digits(text.substr(4, 2)),
                      .day = Digits(text.substr(6, 2)),
                      .hour = Digits(text.substr(9, 2)),
                      .minute = Digits(text.substr(11, 2)),
                      .second = Digits(text.substr(13, 2))});
}

std::optional<std::int64_t> ParseDateHeader(std::string_view text) {
  if (text.size() != 29) return ParseBasicTime(text);
  static constexpr auto kMonths = std::to_array<std::string_view>(
      {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"});
  const auto month = std::ranges::find(kMonths, text.substr(8, 3));
  if (text.substr(3, 2) != ", " || text[7] != ' ' || text[11] != ' ' || text[16] != ' ' ||
      text[19] != ':' || text[22] != ':' || text.substr(25) != " GMT" || month == kMonths.end())
    return std::nullopt;
  return UnixSeconds({.year = Digits(text.substr(12, 4)),
                      .month = static_cast<int>(month - kMonths.begin()) + 1,
                      .day = Digits(text.substr(5, 2)),
                      .hour = Digits(text.substr(17, 2)),
                      .minute = Digits(text.substr(20, 2)),
                      .second = Digits(text.substr(23, 2))});
}

std::string Scope::Text() const {
  return fmt::format("{}/{}/{}/aws4_request", date, region, service);
}

Digest SigningKey(std::string_view secret, const Scope& scope) {
  Digest key = HmacSha256("AWS4" + std::string(secret), scope.date);
  for (const std::string_view step :
       {scope.region, scope.service, std::string_view("aws4_request")}) {
    key = HmacSha256(AsText(key), step);
  }
  return key;
}

std::string StringToSign(std::string_view basic_time, const Scope& scope,
                         std::string_view canonical_request) {
  return fmt::format("{}\n{}\n{}\n{}", kAlgorithm, basic_time, scope.Text(),
                     Sha256Hex(canonical_request));
}

std::string Signature(const Digest& signing_key, std::string_view string_to_sign) {
  return ToHex(HmacSha256(AsText(signing_key), string_to_sign));
}

std::vector<std::pair<std::string, std::string>> Sign(const HttpRequestView& request,
                                                      const Credentials& credentials,
                                                      const SignOptions& options) {
  const std::string time = BasicTime(options.unix_s);
  const Scope scope{std::string_view(time).substr(0, 8), options.region, options.service};
  std::vector<Header> headers(request.headers.begin(), request.headers.end());
  headers.push_back({"x-amz-date", time});
  if (!credentials.session_token.empty())
    headers.push_back({"x-amz-security-token", credentials.session_token});
  const auto names = SignedNames(headers);
  HttpRequestView whole = request;
  whole.headers = headers;
  const std::string text =
      StringToSign(time, scope, CanonicalRequest(whole, names, HashOf(request)));
  std::vector<std::pair<std::string, std::string>> added;
  for (std::size_t i = request.headers.size(); i < headers.size(); ++i)
    added.emplace_back(headers[i].name, headers[i].value);
  added.emplace_back("authorization",
                     fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", kAlgorithm,
                                 credentials.access_key, scope.Text(), Join(names, ';'),
                                 Signature(SigningKey(credentials.secret, scope), text)));
  return added;
}

std::string Presign(const HttpRequestView& request, const Credentials& credentials,
                    const SignOptions& options) {
  FLUORO_ASSERT(options.expires_s > 0 && options.expires_s <= kPresignSecondsMax);
  const std::string time = BasicTime(options.unix_s);
  const Scope scope{std::string_view(time).substr(0, 8), options.region, options.service};
  const auto names = SignedNames(request.headers);
  std::string query(request.query);
  const auto add = [&query](std::string_view name, std::string_view value) {
    if (!query.empty()) query += '&';
    query += fmt::format("{}={}", name, PercentEncode(value));
  };
  add("X-Amz-Algorithm", kAlgorithm);
  add("X-Amz-Credential", credentials.access_key + "/" + scope.Text());
  add("X-Amz-Date", time);
  add("X-Amz-Expires", std::to_string(options.expires_s));
  add("X-Amz-SignedHeaders", Join(names, ';'));
  if (!credentials.session_token.empty()) add("X-Amz-Security-Token", credentials.session_token);
  HttpRequestView whole = request;
  whole.query = query;
  const std::string text =
      StringToSign(time, scope, CanonicalRequest(whole, names, HashOf(request)));
  add("X-Amz-Signature", Signature(SigningKey(credentials.secret, scope), text));
  return query;
}

}  // namespace fluoro::auth
