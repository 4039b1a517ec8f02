#include "model/describe_names.h"

#include <algorithm>
#include <array>
#include <span>

namespace fluoro::model::describe {
namespace {

constexpr std::uint32_t kParentIsRemote = 0x300;  // OTLP Span.flags: known, and remote

bool IsXRay(const Input& in) { return in.span.source == SpanSource::kXRay; }

bool IsCallOrMessage(SpanKind kind) {
  return kind == SpanKind::kClient || kind == SpanKind::kProducer || kind == SpanKind::kConsumer;
}

bool IsServiceEntry(const Input& in) {
  if (in.span.parent_id.IsZero()) return true;
  if (in.options.exporter_names) return false;
  return in.options.service_entry || (in.span.kind == SpanKind::kConsumer &&
                                      (in.span.otel_flags & kParentIsRemote) == kParentIsRemote);
}

// `mysql://user@db.example.com:3306/x` (also behind `jdbc:`) -> `db.example.com`.
std::string_view HostOfConnection(std::string_view connection) {
  if (connection.starts_with("jdbc:")) connection.remove_prefix(5);
  const std::size_t scheme = connection.find("://");
  if (scheme == std::string_view::npos) return {};
  std::string_view host = connection.substr(scheme + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  if (const std::size_t at = host.rfind('@'); at != std::string_view::npos) {
    host.remove_prefix(at + 1);
  }
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

std::string DatabaseName(const Input& in) {
  // A subsegment of X-Ray that came round by another protocol: the database never named it.
  if (in.attributes.Find("aws.xray.sql") != nullptr) return {};
  std::string name = in.attributes.Text({"db.namespace", "db.name"});
  if (name.empty()) return {};
  const std::string connection = in.attributes.Text({"db.connection_string"});
  std::string host(HostOfConnection(connection));
  if (host.empty() && !in.options.exporter_names) host = in.attributes.Text({"server.address"});
  if (!host.empty()) name += "@" + host;
  return name;
}

std::string RemoteService(const Input& in) {
  std::string name = in.attributes.Text({"aws.remote.service"});
  if (!in.aws_api) return name;
  for (const std::string_view prefix : {"AWS.SDK.", "AWS::"}) {
    if (name.starts_with(prefix)) return name.substr(prefix.size());
  }
  return name;
}

// New conventions fold the service into `rpc.method`: `package.Service/Method`.
std::string RpcService(const Input& in) {
  if (std::string name = in.attributes.Text({"rpc.service"}); !name.empty()) return name;
  const std::string method = in.attributes.Text({"rpc.method"});
  const std::size_t slash = method.rfind('/');
  return slash == std::string::npos ? std::string() : method.substr(0, slash);
}

std::string LocalServiceOf(const Input& in) { return in.attributes.Text({"aws.local.service"}); }
std::string ServiceOf(const Input& in) { return in.resource.Text({"service.name"}); }

std::string PeerName(const Input& in) {
  std::string name = in.attributes.Text({"net.peer.name"});
  const bool calls = in.span.kind == SpanKind::kClient || in.span.kind == SpanKind::kProducer;
  return name.empty() && calls ? in.attributes.Text({"server.address"}) : name;
}

struct Rule {
  std::string (*name)(const Input&);
  bool (*applies)(const Input&);
  bool sets_aws = false;
};

bool Always(const Input&) { return true; }

// In order; the first that gives a name wins. Source: awsxrayexporter,
// internal/translator/segment.go.
constexpr std::array kExporterRules = {
    Rule{LocalServiceOf,
         [](const Input& in) {
           return in.span.kind == SpanKind::kServer ||
                  (in.span.kind == SpanKind::kInternal && in.local_root);
         }},
    Rule{RemoteService,
         [](const Input& in) {
           return IsCallOrMessage(in.span.kind) ||
                  (in.local_root && in.span.kind == SpanKind::kUnspecified);
         }},
    Rule{[](const Input& in) { return in.attributes.Text({"peer.service", "service.peer.name"}); },
         Always},
    Rule{[](const Input& in) { return in.attributes.Text({"aws.service"}); }, Always, true},
    Rule{DatabaseName, Always},
    Rule{ServiceOf, [](const Input& in) { return in.span.kind == SpanKind::kServer; }},
    Rule{RpcService, Always},
    Rule{[](const Input& in) { return in.attributes.Text({"http.host"}); }, Always},
    Rule{PeerName, Always},
    Rule{[](const Input& in) { return in.span.name; }, Always},
};

// A segment is called after its service; what it says about peers names others.
constexpr std::array kSegmentRules = {
    Rule{LocalServiceOf, Always},
    Rule{ServiceOf, Always},
    Rule{RpcService, Always},
    Rule{[](const Input& in) { return in.attributes.Text({"http.host"}); }, Always},
    Rule{[](const Input& in) { return in.span.name; }, Always},
};

Naming FirstName(std::span<const Rule> rules, const Input& in) {
  for (const Rule& rule : rules) {
    if (!rule.applies(in)) continue;
    if (std::string name = CleanName(rule.name(in)); !name.empty()) {
      return {std::move(name), rule.sets_aws};
    }
  }
  return {"span", false};
}

}  // namespace

Shape ShapeOf(const Input& in) {
  if (IsXRay(in)) {
    return in.span.Has(SpanFlag::kSubsegment) ? Shape::kSubsegment : Shape::kSegment;
  }
  const SpanKind kind = in.span.kind;
  if (kind == SpanKind::kServer) return Shape::kSegment;
  if (in.local_root) {
    return kind == SpanKind::kInternal ? Shape::kSegment : Shape::kTwoDocuments;
  }
  if (!IsServiceEntry(in)) return Shape::kSubsegment;
  return kind == SpanKind::kClient && !in.options.exporter_names ? Shape::kTwoDocuments
                                                                 : Shape::kSegment;
}

Naming NameOf(const Input& in, Shape shape) {
  if (IsXRay(in)) {
    std::string name = CleanName(in.span.name);
    return {name.empty() ? "span" : std::move(name), false};
  }
  const bool by_service = shape == Shape::kSegment && !in.options.exporter_names;
  return by_service ? FirstName(kSegmentRules, in) : FirstName(kExporterRules, in);
}

std::string ServiceSegmentName(const Input& in) { return FirstName(kSegmentRules, in).name; }

std::string NameSpaceOf(const Input& in, Shape shape, const Naming& naming) {
  const bool segment = shape == Shape::kSegment;
  if (segment && (IsXRay(in) || in.local_root || !in.options.exporter_names)) return {};
  if (std::string sent = in.attributes.Text({"aws.xray.namespace"}); !sent.empty()) {
    return sent == "aws" || sent == "remote" ? sent : std::string();
  }
  if (IsXRay(in)) return {};
  if (in.aws_api || naming.by_aws_service) return "aws";
  if (in.span.kind == SpanKind::kClient || shape == Shape::kTwoDocuments) return "remote";
  const bool calls_service = !segment && IsCallOrMessage(in.span.kind) &&
                             in.attributes.Find("aws.remote.service") != nullptr;
  return calls_service ? "remote" : std::string();
}

}  // namespace fluoro::model::describe
