// A kept HTTP/1.1 connection for loads: sends bodies, reads statuses, spends next to nothing.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "net/socket.h"

namespace fluoro::cli::bench {

/// A connected socket; `type`: SOCK_STREAM or SOCK_DGRAM. `address`: IPv4 and port. Errors:
/// kUnreachable.
Result<net::Fd> Connect(const std::string& address, int type);

/// Connects when first used and again after the server has closed. Not thread-safe.
class HttpConnection {
 public:
  explicit HttpConnection(std::string address) : address_(std::move(address)) {}
  /// The answer's status. Errors: kUnreachable, kCorruption (an answer without a length).
  Result<int> Post(std::string_view path, std::string_view content_type, std::string_view encoding,
                   std::string_view body);

 private:
  [[nodiscard]] Result<void> Write(std::string_view head, std::string_view body) const;
  Result<int> ReadAnswer();

  std::string address_;
  net::Fd socket_;
};

}  // namespace fluoro::cli::bench
