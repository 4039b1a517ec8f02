// A blocking TCP client that sends exactly the bytes it is told to. For tests.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "net/socket.h"

namespace fluoro::net {

inline sockaddr_in LoopbackOf(std::string_view address) {
  sockaddr_in target{};
  target.sin_family = AF_INET;
  target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  target.sin_port = htons(static_cast<std::uint16_t>(
      std::atoi(std::string(address.substr(address.rfind(':') + 1)).c_str())));
  return target;
}

/// For a stop that no machine is too slow for.
inline constexpr std::int64_t kStopDeadlineNs = 600'000'000'000;

class RawClient {
 public:
  explicit RawClient(std::string_view address) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const sockaddr_in target = LoopbackOf(address);
    connected_ =
        ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&target), sizeof target) == 0;
    // A server that never answers makes a test fail instead of hang. The machine itself may stand
    // still for minutes.
    const timeval limit{.tv_sec = 600, .tv_usec = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }

  [[nodiscard]] bool connected() const { return connected_; }

  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void EndSending() { ::shutdown(fd_.get(), SHUT_WR); }
  void Close() { fd_.Close(); }

  /// Everything until the server closes.
  std::string ReadAll() {
    while (ReadSome()) {
    }
    return std::move(buffer_);
  }

  /// One answer with Content-Length; what follows stays for the next call.
  std::string ReadAnswer() {
    std::size_t end = std::string::npos;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!ReadSome()) return std::move(buffer_);
    }
    std::size_t bytes = end + 4;
    if (const std::size_t at = buffer_.find("content-length: "); at < end) {
      bytes += static_cast<std::size_t>(std::atoi(buffer_.c_str() + at + 16));
    }
    while (buffer_.size() < bytes) {
      if (!ReadSome()) break;
    }
    std::string answer = buffer_.substr(0, bytes);
    buffer_.erase(0, bytes);
    return answer;
  }

  /// Reads until the text so far holds `text`; false at the end of the stream.
  bool ReadUntil(std::string_view text) {
    while (buffer_.find(text) == std::string::npos) {
      if (!ReadSome()) return false;
    }
    return true;
  }

 private:
  bool ReadSome() {
    char piece[16'384];
    const ssize_t got = ::recv(fd_.get(), piece, sizeof piece, 0);
    if (got <= 0) return false;
    buffer_.append(piece, static_cast<std::size_t>(got));
    return true;
  }

  Fd fd_;
  bool connected_ = false;
  std::string buffer_;
};

/// Number in an answer's status line; 0 without one.
inline int StatusOf(std::string_view answer) {
  if (!answer.starts_with("HTTP/1.1 ") || answer.size() < 12) return 0;
  return std::atoi(std::string(answer.substr(9, 3)).c_str());
}

}  // namespace fluoro::net
