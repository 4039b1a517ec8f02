#include "cli/bench/http_connection.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace fluoro::cli::bench {

Result<net::Fd> Connect(const std::string& address, int type) {
  const auto colon = address.rfind(':');
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port =
      htons(static_cast<std::uint16_t>(std::strtoul(address.c_str() + colon + 1, nullptr, 10)));
  net::Fd socket(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
  if (inet_pton(AF_INET, address.substr(0, colon).c_str(), &peer.sin_addr) != 1 ||
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&peer), sizeof peer) != 0) {
    return Fail(ErrorCode::kUnreachable, "cannot connect to " + address);
  }
  return socket;
}

Result<int> HttpConnection::Post(std::string_view path, std::string_view content_type,
                                 std::string_view encoding, std::string_view body) {
  std::string head =
      fmt::format("POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: {}\r\ncontent-length: {}\r\n",
                  path, address_, content_type, body.size());
  if (!encoding.empty()) head += fmt::format("content-encoding: {}\r\n", encoding);
  head += "\r\n";
  if (socket_.get() < 0) {
    FLUORO_TRY(socket_, Connect(address_, SOCK_STREAM));
    const int one = 1;
    ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }
  FLUORO_CHECK_OK(Write(head, body));
  return ReadAnswer();
}

Result<void> HttpConnection::Write(std::string_view head, std::string_view body) const {
  std::array<iovec, 2> pieces{
      iovec{.iov_base = const_cast<char*>(head.data()), .iov_len = head.size()},
      iovec{.iov_base = const_cast<char*>(body.data()), .iov_len = body.size()}};
  while (pieces[0].iov_len + pieces[1].iov_len > 0) {
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = pieces.size();
    const ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    if (sent <= 0) return Fail(ErrorCode::kUnreachable, address_ + " closed the connection");
    auto left = static_cast<std::size_t>(sent);
    for (iovec& piece : pieces) {
      const std::size_t taken = std::min(left, piece.iov_len);
      piece.iov_base = static_cast<char*>(piece.iov_base) + taken;
      piece.iov_len -= taken;
      left -= taken;
    }
  }
  return {};
}

Result<int> HttpConnection::ReadAnswer() {
  constexpr std::string_view kEnd = "\r\n\r\n";
  std::string text;
  std::array<char, 4096> buffer;
  for (std::size_t wanted = SIZE_MAX; text.size() < wanted;) {
    const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got <= 0) return Fail(ErrorCode::kUnreachable, address_ + " closed the connection");
    text.append(buffer.data(), static_cast<std::size_t>(got));
    const auto end = text.find(kEnd);
    if (end == std::string::npos || wanted != SIZE_MAX) continue;
    std::string head = text.substr(0, end + 2);
    std::ranges::transform(head, head.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    const auto at = head.find("\r\ncontent-length:");
    if (at == std::string::npos)
      return Fail(ErrorCode::kCorruption, "an answer has no content-length");
    wanted = end + kEnd.size() + std::strtoull(head.c_str() + at + 17, nullptr, 10);
    if (head.find("\r\nconnection: close") != std::string::npos) {
      const int status = std::atoi(text.c_str() + text.find(' '));
      socket_.Close();
      return status;
    }
  }
  return std::atoi(text.c_str() + text.find(' '));
}

}  // namespace fluoro::cli::bench
