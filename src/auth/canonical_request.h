// The form of an HTTP request that AWS Signature Version 4 signs. Pure.
// Source: AWS, "Create a signed AWS API request", task 1; RFC 3986.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fluoro::auth {

struct Header {
  std::string_view name;  ///< lower-case
  std::string_view value;
};

/// A request as it was sent. Borrows everything.
struct HttpRequestView {
  std::string_view method{};          ///< upper-case
  std::string_view path{};            ///< undecoded
  std::string_view query{};           ///< behind '?', undecoded
  std::span<const Header> headers{};  ///< in order; repeated ones stand several times
  std::string_view body{};
  std::string_view body_sha256{};  ///< lower-case hex of the body as sent; empty: that of `body`

  /// Nothing if the header is absent; the first where it is repeated.
  [[nodiscard]] std::string_view Find(std::string_view lower_case_name) const;
  [[nodiscard]] bool Has(std::string_view lower_case_name) const;
};

/// Empty segments, `.` and `..` are resolved, each segment is percent-encoded (again, if it was
/// already); "/" where nothing is left. As every service but S3 wants it.
std::string CanonicalUri(std::string_view path);

/// name=value pairs, each decoded and encoded anew, sorted by name and value; a pair called
/// `left_out` does not count.
std::string CanonicalQuery(std::string_view query, std::string_view left_out = {});

/// "name:value\n" for each of `signed_names`, in their order: values trimmed, runs of blanks one
/// blank, repeated headers joined by commas. A header that is absent has an empty value.
std::string CanonicalHeaders(std::span<const Header> headers,
                             std::span<const std::string_view> signed_names);

/// The whole text. `payload_hash`: hex SHA-256 or a word such as UNSIGNED-PAYLOAD.
std::string CanonicalRequest(const HttpRequestView& request,
                             std::span<const std::string_view> signed_names,
                             std::string_view payload_hash, std::string_view query_left_out = {});

/// Pieces between separators: "a;b" -> a, b; "" -> "".
std::vector<std::string_view> Split(std::string_view text, char separator);
/// Joined by `separator`.
std::string Join(std::span<const std::string_view> pieces, char separator);

}  // namespace fluoro::auth
