// Which addresses the server itself may call, where a setting names a URL.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace fluoro::net {

/// A list of host names and address ranges, each with a port or for all of them. Immutable once
/// parsed; thread-safe.
class AddressList {
 public:
  /// "hooks.example.com", "hooks.example.com:8443", "10.1.0.0/16", "[::1]:9000", "fd00::/8",
  /// "localhost" (127.0.0.0/8 and ::1), separated by commas. Empty: nothing. Errors:
  /// kInvalidArgument naming the entry.
  static Result<AddressList> Parse(std::string_view text);

  /// Whether some entry names this host, in any case of letters, or any range could hold what it
  /// resolves to: what can be told of a URL before its name is resolved.
  [[nodiscard]] bool MayName(std::string_view host, std::uint16_t port) const;
  /// Whether a connection to this address (text of IPv4 or IPv6) may be made for a URL with this
  /// host: a range holds it, or the host is named and the address is none that only this machine or
  /// its neighbours have: loopback, link-local, unspecified, multicast, or IPv4 ones of these
  /// inside IPv6.
  [[nodiscard]] bool Allows(std::string_view host, std::string_view address,
                            std::uint16_t port) const;
  [[nodiscard]] bool empty() const { return names_.empty() && ranges_.empty(); }

 private:
  struct Name {
    std::string host;        ///< lower-case
    std::uint16_t port = 0;  ///< 0: any
  };
  struct Range {
    std::string network;  ///< 16 bytes; IPv4 as ::ffff:a.b.c.d
    int bits = 128;
    std::uint16_t port = 0;
  };
  Result<void> Add(std::string_view entry);

  std::vector<Name> names_;
  std::vector<Range> ranges_;
};

}  // namespace fluoro::net
