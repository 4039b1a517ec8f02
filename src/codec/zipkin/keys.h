// Attributes that the Zipkin codec writes on decoding and takes back on encoding
// (docs/formats/zipkin-jaeger.md).
#pragma once

#include <string_view>

namespace fluoro::codec::zipkin::internal {

/// Where the parts of an endpoint go. `service` of the local one is in the resource.
struct EndpointKeys {
  std::string_view service;
  std::string_view address;         ///< IPv4, or IPv6 where there is no IPv4
  std::string_view second_address;  ///< IPv6 where there is an IPv4 too
  std::string_view port;
};
inline constexpr EndpointKeys kLocal{.service = "service.name",
                                     .address = "network.local.address",
                                     .second_address = "zipkin.local.ipv6",
                                     .port = "network.local.port"};
inline constexpr EndpointKeys kRemote{.service = "peer.service",
                                      .address = "network.peer.address",
                                      .second_address = "zipkin.remote.ipv6",
                                      .port = "network.peer.port"};

/// Ids as sent, of a span that shares its id with the client half.
inline constexpr std::string_view kSharedIdKey = "zipkin.id";
inline constexpr std::string_view kSharedParentKey = "zipkin.parent_id";
inline constexpr std::string_view kDebugKey = "zipkin.debug";
inline constexpr std::string_view kErrorTag = "error";

}  // namespace fluoro::codec::zipkin::internal
