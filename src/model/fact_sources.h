// Attribute keys from which DescribeSpan and InferSegment read facts that searches ask for: for
// readers that decide by columns which spans can have a fact at all. Each list holds every key its
// fact can come from.
#pragma once

#include <array>
#include <string_view>

namespace fluoro::model {

inline constexpr std::array<std::string_view, 2> kMethodKeys = {"http.request.method",
                                                                "http.method"};
inline constexpr std::array<std::string_view, 2> kUserAgentKeys = {"user_agent.original",
                                                                   "http.user_agent"};
inline constexpr std::array<std::string_view, 2> kStatusKeys = {"http.response.status_code",
                                                                "http.status_code"};
inline constexpr std::array<std::string_view, 2> kUserKeys = {"enduser.id", "user.id"};
/// Hold a whole URL. Where neither does, it is composed of a host (kHostKeys) and other parts.
inline constexpr std::array<std::string_view, 2> kUrlKeys = {"url.full", "http.url"};
inline constexpr std::array<std::string_view, 8> kHostKeys = {
    "http.host",     "http.server_name", "net.host.name",  "host.name",
    "net.peer.name", "net.peer.ip",      "server.address", "network.peer.address"};
/// A span that did not come as an X-Ray document is about HTTP if it has one of these.
inline constexpr std::array<std::string_view, 16> kHttpKeys = {"http.method",
                                                               "http.request.method",
                                                               "http.client_ip",
                                                               "http.user_agent",
                                                               "user_agent.original",
                                                               "http.status_code",
                                                               "http.response.status_code",
                                                               "http.url",
                                                               "url.full",
                                                               "http.scheme",
                                                               "url.scheme",
                                                               "http.host",
                                                               "http.target",
                                                               "http.server_name",
                                                               "net.host.port",
                                                               "url.path"};
inline constexpr std::array<std::string_view, 4> kClientIpKeys = {
    "http.client_ip", "client.address", "net.peer.ip", "network.peer.address"};

inline constexpr std::array<std::string_view, 1> kAvailabilityZoneResourceKeys = {
    "cloud.availability_zone"};
inline constexpr std::array<std::string_view, 1> kInstanceIdResourceKeys = {"host.id"};
inline constexpr std::array<std::string_view, 2> kArnResourceKeys = {"aws.xray.resource_arn",
                                                                     "cloud.resource_id"};

/// A service is named by the span's name, by one of these or by a part of one, by two of them
/// around an `@`, or by one of kFixedServiceNames.
inline constexpr std::array<std::string_view, 23> kServiceNameKeys = {
    "aws.local.service",
    "aws.remote.service",
    "peer.service",
    "service.peer.name",
    "aws.service",
    "db.namespace",
    "db.name",
    "rpc.service",
    "rpc.method",
    "http.host",
    "net.peer.name",
    "server.address",
    "aws.dynamodb.table_names",
    "aws.table_name",
    "aws.table.name",
    "aws.xray.resource_names",
    "messaging.url",
    "aws.queue_url",
    "aws.queue.url",
    "aws.sqs.queue.url",
    "aws.lambda.function_name",
    "faas.invoked_name",
    "aws.remote.resource.identifier"};
inline constexpr std::array<std::string_view, 1> kServiceNameResourceKeys = {"service.name"};
inline constexpr std::array<std::string_view, 3> kFixedServiceNames = {"span", "SNS", "S3"};

}  // namespace fluoro::model
