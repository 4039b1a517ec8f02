// HTTP as plain values: what a handler sees and answers. No Beast, no sockets in this header.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/percent.h"

namespace fluoro::net {

/// Header names are lower-case; repeated headers are joined with ", ".
using Headers = std::map<std::string, std::string, std::less<>>;

struct HttpRequest {
  std::string method;  ///< upper-case
  std::string path;    ///< undecoded, without query
  std::string query;   ///< text after '?', undecoded
  Headers headers;
  std::string body;  ///< inflated (Content-Encoding gzip, deflate, zstd are undone by the server)
  std::string peer;  ///< "127.0.0.1:51234"
  /// ARN of whoever sends it, once somebody has found out; never from the wire.
  std::string principal = {};

  // What signatures over the request as it was sent need.
  /// Values of a header that came more than once, in order; `headers` has them joined.
  std::vector<std::pair<std::string, std::vector<std::string>>> repeated_headers = {};
  std::string undone_encoding = {};  ///< Content-Encoding as sent, where the server undid one
  /// Lower-case hex SHA-256 of the body as received, where an encoding was undone and the request
  /// carries an AWS signature; else empty.
  std::string received_sha256 = {};

  [[nodiscard]] std::string_view Header(std::string_view lower_case_name) const;
  /// Media type in lower case without parameters: "application/json".
  [[nodiscard]] std::string ContentType() const;
  /// Decoded query parameters in order.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> QueryParameters() const;
};

/// Writes one piece of a streamed body; false: the client left, stop.
using StreamWriter = std::function<bool(std::string_view piece)>;

struct HttpResponse {
  int status = 200;
  Headers headers = {};
  std::string body = {};
  /// If set, the body is sent in chunks as it is written; runs on a thread of its own (bounded in
  /// number). An empty piece sends nothing and asks whether the client is still there. Returns true
  /// when the body is whole; after false, and when the server stops, the connection is closed
  /// without the last chunk, so that no reader takes a part for all. The connection closes after a
  /// streamed answer.
  std::function<bool(const StreamWriter&)> stream = {};

  static HttpResponse Json(int status, std::string body);
  static HttpResponse Text(int status, std::string body);
};

/// Runs on a worker thread and may block. Must not throw. Thread-safe.
using HttpHandler = std::function<HttpResponse(HttpRequest&&)>;

/// How one listener answers what never reaches a handler (bad framing, too large, unknown encoding,
/// overload).
using HttpErrorAnswer =
    std::function<HttpResponse(const HttpRequest& head, int status, std::string_view message)>;

using fluoro::PercentDecode;
using fluoro::PercentEncode;

/// ASCII letters only.
std::string LowerCase(std::string_view text);

/// "OK" for 200; "Status" for numbers we never send.
std::string_view StatusReason(int status);

}  // namespace fluoro::net
