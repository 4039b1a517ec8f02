#include "model/describe_http.h"

#include <arpa/inet.h>

#include "model/fact_sources.h"

namespace fluoro::model::describe {
namespace {

bool IsIpAddress(const std::string& text) {
  in6_addr address{};
  return inet_pton(AF_INET, text.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

std::optional<std::string> IfAny(std::string text) {
  return text.empty() ? std::nullopt : std::optional(std::move(text));
}

bool IsDefaultPort(std::string_view scheme, std::string_view port) {
  return (scheme == "http" && port == "80") || (scheme == "https" && port == "443");
}

std::string HostAndPort(const Input& in, std::string_view scheme) {
  // `http.host` is the Host header, which brings its own port.
  if (std::string host = in.attributes.Text({"http.host"}); !host.empty()) return host;
  const bool server = in.span.kind == SpanKind::kServer;
  std::string host =
      server
          ? in.attributes.Text({"http.server_name", "net.host.name", "host.name", "server.address"})
          : in.attributes.Text(
                {"net.peer.name", "net.peer.ip", "server.address", "network.peer.address"});
  if (host.empty()) return {};
  const std::string port =
      server ? in.attributes.Text({"net.host.port", "server.port"})
             : in.attributes.Text({"net.peer.port", "server.port", "network.peer.port"});
  if (!port.empty() && !IsDefaultPort(scheme, port)) host += ":" + port;
  return host;
}

std::string Target(const Input& in) {
  std::string target = in.attributes.Text({"http.target", "url.path"});
  if (target.empty()) return "/";
  if (in.attributes.Find("http.target") == nullptr) {
    if (const std::string query = in.attributes.Text({"url.query"}); !query.empty()) {
      target += "?" + query;
    }
  }
  return target;
}

std::string UrlOf(const Input& in) {
  if (std::string url = in.attributes.Text(kUrlKeys); !url.empty()) return url;
  std::string scheme = in.attributes.Text({"url.scheme", "http.scheme"});
  if (scheme.empty()) scheme = "http";
  const std::string host = HostAndPort(in, scheme);
  if (host.empty()) return {};
  const std::string target = Target(in);
  return scheme + "://" + host + (target.starts_with('/') ? "" : "/") + target;
}

std::optional<std::int64_t> ContentLength(const Input& in) {
  if (const auto length =
          in.attributes.Integer({"http.response.body.size", "http.response_content_length",
                                 "messaging.message_payload_size_bytes"})) {
    return length;
  }
  for (const Event& event : in.span.events) {
    const AttributeReader attributes(event.attributes);
    if (attributes.Text({"message.type", "messaging.message.type"}) != "RECEIVED") continue;
    return attributes.Integer(
        {"messaging.message_payload_size_bytes", "message.uncompressed_size"});
  }
  return std::nullopt;
}

void SetClient(const Input& in, HttpFields& http) {
  const std::string client = in.attributes.Text({"http.client_ip", "client.address"});
  if (IsIpAddress(client)) {
    http.client_ip = client;
    http.x_forwarded_for = !in.attributes.HasAny({"net.peer.ip", "network.peer.address"});
    return;
  }
  const std::string peer = in.attributes.Text({"net.peer.ip", "network.peer.address"});
  if (IsIpAddress(peer)) http.client_ip = peer;
}

}  // namespace

std::optional<std::int64_t> StatusOf(const Input& in) { return in.attributes.Integer(kStatusKeys); }

HttpFields HttpOf(const Input& in) {
  HttpFields http;
  http.traced = in.attributes.IsTrue("aws.xray.traced");
  const bool xray = in.span.source == SpanSource::kXRay;
  if (!xray && !in.attributes.HasAny(kHttpKeys)) {
    return http;
  }
  http.method = IfAny(in.attributes.Text(kMethodKeys));
  http.user_agent = IfAny(in.attributes.Text(kUserAgentKeys));
  http.status = StatusOf(in);
  http.content_length = ContentLength(in);
  if (xray) {
    http.url = IfAny(in.attributes.Text({"url.full"}));
    http.client_ip = IfAny(in.attributes.Text({"client.address"}));
  } else {
    http.url = IfAny(UrlOf(in));
    SetClient(in, http);
  }
  if (in.attributes.Find("aws.xray.x_forwarded_for") != nullptr) {
    http.x_forwarded_for = in.attributes.IsTrue("aws.xray.x_forwarded_for");
  }
  return http;
}

}  // namespace fluoro::model::describe
