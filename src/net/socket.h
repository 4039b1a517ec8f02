// Addresses as users write them, and sockets bound to them. Internal to net.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace fluoro::net {

/// A file descriptor with one owner.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      Close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { Close(); }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] int Release() { return std::exchange(fd_, -1); }
  void Close();

 private:
  int fd_;
};

struct HostPort {
  std::string host;  ///< without brackets; empty: every interface
  std::string port;
};
/// "127.0.0.1:2000", "[::1]:0", "localhost:2000", ":2000". Errors: kInvalidArgument.
Result<HostPort> ParseHostPort(std::string_view address);

struct BoundSocket {
  Fd fd;                ///< close-on-exec; a TCP socket listens
  std::string address;  ///< with its real port
  int family = 0;       ///< AF_INET or AF_INET6
};
/// `type`: SOCK_STREAM or SOCK_DGRAM. Errors: kInvalidArgument (the text), kAlreadyExists (the port
/// is taken), kIo, each as "cannot listen on 127.0.0.1:2000: Address already in use".
Result<BoundSocket> Bind(std::string_view address, int type);

/// "127.0.0.1:51234", "[::1]:51234".
std::string FormatAddress(const sockaddr_storage& address);

}  // namespace fluoro::net
