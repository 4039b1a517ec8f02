#include "net/address_list.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "net/http.h"

namespace fluoro::net {
namespace {

constexpr std::string_view kMapped{"\0\0\0\0\0\0\0\0\0\0\xff\xff", 12};
constexpr int kMappedBits = 96;
/// 64:ff9b::/96, behind which translators reach IPv4.
constexpr std::string_view kTranslated{"\0\x64\xff\x9b\0\0\0\0\0\0\0\0", 12};

/// 16 bytes, IPv4 mapped.
std::optional<std::string> Bytes(std::string_view text) {
  const std::string terminated(text);
  std::string bytes(16, '\0');
  if (inet_pton(AF_INET6, terminated.c_str(), bytes.data()) == 1) {
    if (bytes.starts_with(kTranslated)) bytes.replace(0, kMapped.size(), kMapped);
    return bytes;
  }
  in_addr v4{};
  if (inet_pton(AF_INET, terminated.c_str(), &v4) != 1) return std::nullopt;
  bytes.replace(0, kMapped.size(), kMapped);
  std::memcpy(bytes.data() + kMapped.size(), &v4, sizeof v4);
  return bytes;
}

bool Holds(std::string_view network, int bits, std::string_view address) {
  for (std::size_t i = 0; i < 16 && bits > 0; ++i, bits -= 8) {
    const int mask = bits >= 8 ? 0xff : 0xff << (8 - bits) & 0xff;
    if (((network[i] ^ address[i]) & mask) != 0) return false;
  }
  return true;
}

/// What no name from outside may lead to.
bool IsOfThisMachineOrLink(const std::string& address) {
  struct Special {
    std::string_view network;
    int bits;
  };
  static constexpr Special kSpecial[] = {
      {"0.0.0.0", 8}, {"127.0.0.0", 8}, {"169.254.0.0", 16},    {"224.0.0.0", 3},
      {"::", 127},                                               // unspecified and loopback
      {"fe80::", 10}, {"ff00::", 8},    {"fd00:ec2::254", 128},  // where clouds tell secrets of the
                                                                 // machine
  };
  return std::ranges::any_of(kSpecial, [&](const Special& special) {
    const bool v4 = special.network.find('.') != std::string_view::npos;
    return Holds(*Bytes(special.network), special.bits + (v4 ? kMappedBits : 0), address);
  });
}

std::optional<int> Number(std::string_view text, int max) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0 || number > max)
    return std::nullopt;
  return number;
}

bool IsHostName(std::string_view host) {
  return !host.empty() && host.size() <= 253 && std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
  });
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

Result<void> AddressList::Add(std::string_view entry) {
  const auto bad = [&](std::string_view why) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("'{}': {}; HOST, HOST:PORT, an address or a range such as 10.0.0.0/8 wanted",
                    entry, why));
  };
  std::string_view host = entry;
  std::uint16_t port = 0;
  const auto take_port = [&](std::string_view text) {
    const auto number = Number(text, 65'535);
    if (number) port = static_cast<std::uint16_t>(*number);
    return number && port != 0;
  };
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    if (end == std::string_view::npos) return bad("no ]");
    const std::string_view rest = host.substr(end + 1);
    host = host.substr(1, end - 1);
    if (!rest.empty() && (!rest.starts_with(':') || !take_port(rest.substr(1))))
      return bad("bad port");
  } else if (std::ranges::count(host, ':') == 1) {
    const std::size_t colon = host.find(':');
    if (!take_port(host.substr(colon + 1))) return bad("bad port");
    host = host.substr(0, colon);
  }
  const std::size_t slash = host.find('/');
  if (const auto network = Bytes(host.substr(0, slash))) {
    const bool v4 = host.find(':') == std::string_view::npos;
    int bits = 128;
    if (slash != std::string_view::npos) {
      const auto number = Number(host.substr(slash + 1), v4 ? 32 : 128);
      if (!number) return bad("bad length of the prefix");
      bits = *number + (v4 ? kMappedBits : 0);
    }
    ranges_.push_back({.network = *network, .bits = bits, .port = port});
    return {};
  }
  const std::string name = LowerCase(host);
  if (!IsHostName(name)) return bad("no host");
  if (name == "localhost") {
    ranges_.push_back({.network = *Bytes("127.0.0.0"), .bits = kMappedBits + 8, .port = port});
    ranges_.push_back({.network = *Bytes("::1"), .bits = 128, .port = port});
    return {};
  }
  names_.push_back({.host = name, .port = port});
  return {};
}

Result<AddressList> AddressList::Parse(std::string_view text) {
  AddressList list;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view entry = Trimmed(text.substr(0, comma));
    if (!entry.empty()) FLUORO_CHECK_OK(list.Add(entry));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return list;
}

bool AddressList::MayName(std::string_view host, std::uint16_t port) const {
  const auto fits = [&](const auto& entry) { return entry.port == 0 || entry.port == port; };
  if (const auto address = Bytes(host)) return Allows(host, host, port);
  const std::string name = LowerCase(host);
  return std::ranges::any_of(ranges_, fits) || std::ranges::any_of(names_, [&](const Name& entry) {
           return fits(entry) && entry.host == name;
         });
}

bool AddressList::Allows(std::string_view host, std::string_view address,
                         std::uint16_t port) const {
  const auto bytes = Bytes(address.substr(0, address.find('%')));
  if (!bytes) return false;
  const auto in_range = [&](const Range& range) {
    return (range.port == 0 || range.port == port) && Holds(range.network, range.bits, *bytes);
  };
  if (std::ranges::any_of(ranges_, in_range)) return true;
  const std::string name = LowerCase(host);
  return !IsOfThisMachineOrLink(*bytes) && std::ranges::any_of(names_, [&](const Name& entry) {
    return (entry.port == 0 || entry.port == port) && entry.host == name;
  });
}

}  // namespace fluoro::net
