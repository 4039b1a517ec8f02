#include "analysis/propagation/request.h"

#include <algorithm>

#include "propagation/context.h"

namespace fluoro::analysis::propagation {
namespace {

using model::AttributeReader;
using model::Entity;
using model::SpanKind;
using model::SpanSource;

std::string Lower(std::string text) {
  for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return text;
}

struct Url {
  std::string host;
  std::string path;
};
Url SplitUrl(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  url.remove_prefix(scheme + 3);
  const std::size_t end = url.find_first_of("/?#");
  std::string_view host = url.substr(0, end);
  if (const std::size_t at = host.rfind('@'); at != std::string_view::npos)
    host.remove_prefix(at + 1);
  std::string_view path = end == std::string_view::npos ? std::string_view() : url.substr(end);
  path = path.substr(0, path.find_first_of("?#"));
  return {.host = std::string(host), .path = path.empty() ? "/" : std::string(path)};
}

std::string UrlText(const Entity& entity, const AttributeReader& attributes) {
  if (entity.span->source == SpanSource::kXRay) return entity.http.url.value_or(std::string());
  return attributes.Text({"url.full", "http.url"});
}

std::string PathOf(const Entity& entity, const AttributeReader& attributes) {
  std::string path = SplitUrl(UrlText(entity, attributes)).path;
  if (path.empty()) path = attributes.Text({"url.path", "http.target"});
  if (!path.empty()) return path.substr(0, path.find_first_of("?#"));
  const std::string method = attributes.Text({"rpc.method"});
  if (method.empty() || entity.name_space == "aws") return {};
  if (method.find('/') != std::string::npos) return method.starts_with('/') ? method : "/" + method;
  const std::string service = attributes.Text({"rpc.service"});
  return service.empty() ? std::string() : "/" + service + "/" + method;
}

// Behind the last '/' of a URL, the last ':' of an ARN.
std::string LastPart(const std::string& name) { return name.substr(name.find_last_of("/:") + 1); }

std::string WithPort(std::string host, const std::string& port) {
  if (host.empty() || port.empty() || port == "80" || port == "443") return host;
  return host + ":" + port;
}

bool Contains(std::string_view text, std::initializer_list<std::string_view> parts) {
  return std::ranges::any_of(
      parts, [&](std::string_view part) { return text.find(part) != std::string_view::npos; });
}

constexpr std::string_view kHeaderPrefix = "http.request.header.";

std::optional<std::string> Captured(const model::Span& span, std::string_view name) {
  const AttributeReader attributes(span.attributes);
  std::string key = std::string(kHeaderPrefix) + std::string(name);
  std::vector<std::string> values = attributes.Strings(key);
  if (values.empty()) {
    // Older instrumentations write `_`.
    std::replace(key.begin() + static_cast<std::ptrdiff_t>(kHeaderPrefix.size()), key.end(), '-',
                 '_');
    values = attributes.Strings(key);
  }
  if (values.empty()) return std::nullopt;
  return values.front();
}

bool HasCaptured(const model::Span& span) {
  return std::ranges::any_of(span.attributes, [](const model::Attribute& attribute) {
    return std::string_view(attribute.key).starts_with(kHeaderPrefix);
  });
}

}  // namespace

std::uint64_t HashOfText(std::string_view text) {
  if (text.empty()) return 0;
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) {
    hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3ULL;
  }
  return hash == 0 ? 1 : hash;
}

bool IsCall(const Entity& entity) {
  const model::Span& span = *entity.span;
  if (entity.has_sql || entity.synthetic) return false;
  if (span.source == SpanSource::kXRay) {
    if (entity.role != model::EntityRole::kSubsegment || entity.name_space.empty()) return false;
    if (entity.name_space == "remote") return true;
    return !entity.aws_queue_url.empty() || !entity.aws_topic_arn.empty() ||
           !entity.aws_function_name.empty();
  }
  if (span.kind != SpanKind::kClient && span.kind != SpanKind::kProducer) return false;
  return span.Find("db.system") == nullptr && span.Find("db.system.name") == nullptr;
}

bool IsAnswered(const Entity& entity, const AttributeReader& attributes) {
  if (const auto grpc = attributes.Integer({"rpc.grpc.status_code", "rpc.response.status_code"})) {
    return *grpc != 4 && *grpc != 8 && *grpc != 14;
  }
  if (entity.http.status) {
    const std::int64_t status = *entity.http.status;
    return status > 0 && status != 429 && (status < 502 || status > 504);
  }
  return entity.outcome() == model::Outcome::kOk;
}

Request RequestOf(const Entity& entity, const AttributeReader& attributes, Texts& texts) {
  Request request;
  const std::string path = PathOf(entity, attributes);
  request.method = texts.Id(entity.http.method.value_or(std::string()));
  request.path = HashOfText(path);
  if (path.size() > 1 && path.starts_with('/')) {
    const std::size_t end = std::min(path.find('/', 1), path.size());
    request.part = texts.Id(std::string_view(path).substr(0, end));
    request.tail =
        end == path.size() ? HashOfText("/") : HashOfText(std::string_view(path).substr(end));
  }
  return request;
}

std::string HostOf(const Entity& entity, const AttributeReader& attributes, bool called) {
  std::string host = SplitUrl(UrlText(entity, attributes)).host;
  if (host.empty()) host = attributes.Text({"http.host"});
  if (host.empty() && called) {
    host = WithPort(attributes.Text({"server.address", "net.host.name", "http.server_name"}),
                    attributes.Text({"server.port", "net.host.port"}));
  } else if (host.empty()) {
    host = WithPort(
        attributes.Text({"server.address", "net.peer.name", "network.peer.address", "net.peer.ip"}),
        attributes.Text({"server.port", "net.peer.port", "network.peer.port"}));
  }
  return host.empty() ? host : "host:" + Lower(std::move(host));
}

Peers PeersOf(const Entity& call, const AttributeReader& attributes, const std::string& host,
              Texts& texts) {
  Peers peers{};
  std::size_t count = 0;
  const auto add = [&](std::string_view prefix, const std::string& text) {
    if (!text.empty() && count < peers.size())
      peers[count++] = texts.Id(std::string(prefix) + text);
  };
  if (call.span->source == SpanSource::kXRay) {
    add("name:", call.name_space == "aws" ? call.aws_function_name : call.name);
  } else {
    add("name:", attributes.Text({"peer.service", "service.peer.name", "aws.remote.service"}));
    add("name:", call.aws_function_name);
  }
  if (call.name_space != "aws") add("rpc:", attributes.Text({"rpc.service"}));
  add("", host);
  return peers;
}

std::optional<MessageFields> MessageOf(const Entity& entity, const AttributeReader& attributes) {
  MessageFields fields;
  fields.destination = LastPart(
      attributes.Text({"messaging.destination.name", "messaging.destination", "aws.queue_name"}));
  fields.system = Lower(attributes.Text({"messaging.system"}));
  if (fields.destination.empty() && !entity.aws_queue_url.empty()) {
    fields.destination = LastPart(entity.aws_queue_url);
    if (fields.system.empty()) fields.system = "aws_sqs";
  }
  if (fields.destination.empty() && !entity.aws_topic_arn.empty()) {
    fields.destination = LastPart(entity.aws_topic_arn);
    if (fields.system.empty()) fields.system = "aws_sns";
  }
  if (fields.destination.empty()) return std::nullopt;
  fields.id = attributes.Text(
      {"messaging.message.id", "messaging.message_id", "aws.message_id", "message_id"});
  const std::string operation =
      Lower(attributes.Text({"messaging.operation.type", "messaging.operation",
                             "messaging.operation.name", "aws.operation"}));
  fields.receive = Contains(operation, {"receive", "poll", "delete", "settle", "ack"});
  return fields;
}

std::optional<CapturedHeader> CapturedHeaderOf(const model::Span& span) {
  if (!HasCaptured(span)) return std::nullopt;
  const auto found =
      fluoro::propagation::Extract([&](std::string_view name) { return Captured(span, name); });
  if (!found || !found->context.trace_id || !found->context.parent_id) return std::nullopt;
  return CapturedHeader{found->format, *found->context.trace_id, *found->context.parent_id};
}

std::string CapturedVia(const model::Span& span) {
  if (!HasCaptured(span)) return {};
  std::string via = Captured(span, "via").value_or(std::string());
  // `1.1 proxy.example (nginx), 1.0 other`: the last one is the nearest.
  if (const std::size_t comma = via.rfind(','); comma != std::string::npos) via.erase(0, comma + 1);
  const std::size_t begin = via.find_first_not_of(' ');
  if (begin == std::string::npos) return {};
  via.erase(0, begin);
  const std::size_t space = via.find(' ');
  if (space == std::string::npos) return via;
  via.erase(0, space + 1);
  return via.substr(0, via.find(' '));
}

}  // namespace fluoro::analysis::propagation
