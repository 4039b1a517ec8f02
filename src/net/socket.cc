#include "net/socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <unistd.h>

#include <fmt/format.h>
#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

namespace fluoro::net {
namespace {

std::unexpected<Error> CannotListen(ErrorCode code, std::string_view address,
                                    std::string_view why) {
  return Fail(code, fmt::format("cannot listen on {}: {}", address, why));
}

std::unexpected<Error> CannotListen(std::string_view address, int error) {
  return CannotListen(error == EADDRINUSE ? ErrorCode::kAlreadyExists : ErrorCode::kIo, address,
                      std::generic_category().message(error));
}

}  // namespace

void Fd::Close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Result<HostPort> ParseHostPort(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  const auto bad = [&] {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is no address: HOST:PORT wanted, as 127.0.0.1:2000", address));
  };
  if (colon == std::string_view::npos) return bad();
  std::string_view host = address.substr(0, colon);
  const std::string_view port = address.substr(colon + 1);
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return bad();
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad();
  }
  if (port.empty() || port.size() > 5) return bad();
  unsigned number = 0;
  for (const char c : port) {
    if (c < '0' || c > '9') return bad();
    number = number * 10 + static_cast<unsigned>(c - '0');
  }
  if (number > 65'535) return bad();
  return HostPort{.host = std::string(host), .port = std::string(port)};
}

Result<BoundSocket> Bind(std::string_view address, int type) {
  FLUORO_TRY(const HostPort parts, ParseHostPort(address));
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = type;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(parts.host.empty() ? nullptr : parts.host.c_str(),
                                 parts.port.c_str(), &hints, &found);
  if (code != 0) return CannotListen(ErrorCode::kIo, address, ::gai_strerror(code));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);

  int error = EADDRNOTAVAIL;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    Fd fd(::socket(entry->ai_family, entry->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                   entry->ai_protocol));
    if (fd.get() < 0) {
      error = errno;
      continue;
    }
    const int one = 1;
    // Without it a restart within a minute finds the port taken. UDP has no such wait, and there
    // the option would let two processes share the port.
    if (type == SOCK_STREAM) {
      ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    }
    if (::bind(fd.get(), entry->ai_addr, entry->ai_addrlen) != 0 ||
        (type == SOCK_STREAM && ::listen(fd.get(), SOMAXCONN) != 0)) {
      error = errno;
      continue;
    }
    sockaddr_storage bound{};
    socklen_t bytes = sizeof bound;
    if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &bytes) != 0) {  // NOLINT
      error = errno;
      continue;
    }
    return BoundSocket{
        .fd = std::move(fd), .address = FormatAddress(bound), .family = entry->ai_family};
  }
  return CannotListen(address, error);
}

std::string FormatAddress(const sockaddr_storage& address) {
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  const socklen_t bytes =
      address.ss_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  if (::getnameinfo(reinterpret_cast<const sockaddr*>(&address), bytes, host.data(),  // NOLINT
                    host.size(), port.data(), port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "?";
  }
  return address.ss_family == AF_INET6 ? fmt::format("[{}]:{}", host.data(), port.data())
                                       : fmt::format("{}:{}", host.data(), port.data());
}

}  // namespace fluoro::net
