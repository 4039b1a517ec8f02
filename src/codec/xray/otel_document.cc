#include "codec/xray/otel_document.h"

#include <utility>

#include "codec/xray/otel_metadata.h"
#include "codec/xray/stack_trace.h"
#include "model/assembly.h"
#include "model/attribute_reader.h"

namespace fluoro::codec::xray {
namespace {

using model::AttributeReader;
using model::Entity;
using model::EntityRole;
using model::Span;
using Names = AttributeUse::Names;

constexpr std::size_t kDocumentBytesMax = std::size_t{64} << 10;  // X-Ray's limit of one document

class OtelDocument {
 public:
  OtelDocument(const Entity& entity, bool with_resource,
               const std::vector<model::KeyValue>& annotations)
      : entity_(entity),
        annotations_(annotations),
        span_(*entity.span),
        with_resource_(with_resource),
        attributes_(span_.attributes),
        resource_(span_.resource->attributes),
        told_{.attributes = AttributeUse(span_.attributes),
              .stacks = std::vector<bool>(span_.events.size()),
              .status_message = false} {}

  DocumentParts Run() {
    DocumentParts parts;
    parts.name = JsonText(entity_.name);
    parts.start_time = DecimalSeconds(entity_.start_ns);
    if (entity_.in_progress) {
      parts.in_progress = "true";
      told_.attributes.TellAll("aws.xray.inprogress");
    } else {
      parts.end_time = DecimalSeconds(entity_.end_ns);
    }
    if (!entity_.name_space.empty()) parts.name_space = JsonText(entity_.name_space);
    told_.attributes.Tell({"aws.xray.namespace"}, entity_.name_space);
    parts.error = Flag(entity_.error, "aws.xray.error");
    parts.throttle = Flag(entity_.throttle, "aws.xray.throttle");
    parts.fault = Flag(entity_.fault, "aws.xray.fault");
    parts.http = Http();
    parts.aws = Aws();
    if (entity_.has_sql) parts.sql = Sql();
    parts.cause = Cause();
    if (!entity_.user.empty()) {
      parts.user = JsonText(entity_.user);
      told_.attributes.Tell({"enduser.id"}, entity_.user);
    }
    if (!entity_.origin.empty()) parts.origin = JsonText(entity_.origin);
    if (entity_.role == EntityRole::kSegment) {
      parts.service = Service();
      if (!entity_.resource_arn.empty()) parts.resource_arn = JsonText(entity_.resource_arn);
    }
    if (TellsLinks()) parts.links = LinksJson(span_);
    parts.annotations = AnnotationsJson(entity_, annotations_, told_);
    parts.metadata = Metadata(parts);
    return parts;
  }

 private:
  std::string Flag(bool set, std::string_view attribute) {
    told_.attributes.Tell({attribute}, set ? "true" : "false");
    return set ? "true" : "false";
  }

  // A message that was received links its service segment, every other span itself.
  [[nodiscard]] bool TellsLinks() const {
    if (span_.links.empty()) return false;
    const bool consumer = span_.kind == model::SpanKind::kConsumer;
    if (entity_.synthetic) return consumer;
    return !(consumer && entity_.role == EntityRole::kSubsegment &&
             attributes_.Text({"aws.span.kind"}) == "LOCAL_ROOT");
  }

  // Shrinks the longest texts until the document fits.
  std::string Metadata(const DocumentParts& parts) {
    constexpr std::size_t kTextBytesMin = 256;
    const std::size_t others = WriteDocument({}, parts).size();
    std::string metadata = MetadataJson(entity_, told_, with_resource_, SIZE_MAX);
    for (std::size_t text_bytes = kDocumentBytesMax / 2;
         others + metadata.size() > kDocumentBytesMax && text_bytes >= kTextBytesMin;
         text_bytes /= 2) {
      metadata = MetadataJson(entity_, told_, with_resource_, text_bytes);
    }
    return metadata;
  }

  std::string Http() {
    const model::HttpFields& http = entity_.http;
    if (http.empty()) return {};
    JsonWriter json;
    json.BeginObject();
    if (http.method || http.url || http.user_agent || http.client_ip || http.traced) {
      json.Key("request").BeginObject();
      Member(json, "method", http.method, {"http.request.method", "http.method"});
      Member(json, "url", http.url, {"url.full", "http.url"});
      if (http.url && !attributes_.HasAny({"url.full", "http.url"})) {
        told_.attributes.TellWithin(
            {"http.scheme", "url.scheme", "http.host", "http.server_name", "net.host.name",
             "host.name", "server.address", "net.peer.name", "net.peer.ip", "net.host.port",
             "server.port", "net.peer.port", "network.peer.address", "network.peer.port",
             "http.target", "url.path", "url.query"},
            *http.url);
      }
      Member(json, "user_agent", http.user_agent, {"user_agent.original", "http.user_agent"});
      Member(json, "client_ip", http.client_ip,
             {"http.client_ip", "client.address", "net.peer.ip", "network.peer.address"});
      if (http.client_ip && http.x_forwarded_for) json.Key("x_forwarded_for").Bool(true);
      told_.attributes.Tell({"aws.xray.x_forwarded_for"}, http.x_forwarded_for ? "true" : "false");
      if (http.traced) {
        json.Key("traced").Bool(true);
        told_.attributes.TellAll("aws.xray.traced");
      }
      json.EndObject();
    }
    json.Key("response").BeginObject();
    if (http.status) {
      json.Key("status").Int(*http.status);
      told_.attributes.Tell({"http.response.status_code", "http.status_code"},
                            std::to_string(*http.status));
    }
    const std::int64_t length = http.content_length.value_or(0);
    json.Key("content_length").Int(length);
    told_.attributes.Tell({"http.response.body.size", "http.response_content_length",
                           "messaging.message_payload_size_bytes"},
                          std::to_string(length));
    json.EndObject().EndObject();
    return json.Take();
  }

  void Member(JsonWriter& json, std::string_view name, const std::optional<std::string>& text,
              Names names) {
    if (text) Member(json, name, *text, names);
  }
  void Member(JsonWriter& json, std::string_view name, const std::string& text, Names names) {
    if (text.empty()) return;
    json.Key(name).String(text);
    told_.attributes.Tell(names, text);
  }
  void ResourceMember(JsonWriter& json, std::string_view name, std::string_view attribute) const {
    if (const std::string text = resource_.Text({attribute}); !text.empty())
      json.Key(name).String(text);
  }

  std::string Aws() {
    const std::string provider = resource_.Text({"cloud.provider"});
    const bool foreign = !provider.empty() && provider != "aws" && provider != "unknown";
    constexpr std::size_t kEmptyObject = 1;
    JsonWriter json;
    json.BeginObject();
    Member(json, "account_id", entity_.account_id, {"aws.account_id"});
    if (with_resource_ && !foreign) AwsPlace(json);
    Member(json, "operation", entity_.aws_operation, {"aws.operation", "rpc.method"});
    Member(json, "region", entity_.aws_region, {"aws.region"});
    Member(json, "request_id", entity_.aws_request_id, {"aws.request_id", "aws.requestId"});
    Member(json, "queue_url", entity_.aws_queue_url, {"aws.queue_url", "aws.queue.url"});
    Member(json, "table_name", entity_.aws_table_name, {"aws.table_name", "aws.table.name"});
    if (const auto tables = attributes_.Strings("aws.dynamodb.table_names");
        tables.size() > 1 && !entity_.synthetic) {
      json.Key("table_names").BeginArray();
      for (const std::string& table : tables) json.String(table);
      json.EndArray();
    }
    Member(json, "topic_arn", entity_.aws_topic_arn, {"aws.sns.topic.arn"});
    Member(json, "bucket_name", entity_.aws_bucket_name, {"aws.s3.bucket", "aws.bucket.name"});
    Member(json, "function_name", entity_.aws_function_name, {"aws.lambda.function_name"});
    if (json.size() == kEmptyObject) return {};
    json.EndObject();
    return json.Take();
  }

  // Where the sender runs.
  void AwsPlace(JsonWriter& json) const {
    const std::string platform = resource_.Text({"cloud.platform"});
    if (platform == "aws_ec2" || !resource_.Text({"host.id"}).empty()) {
      json.Key("ec2").BeginObject();
      ResourceMember(json, "instance_id", "host.id");
      ResourceMember(json, "availability_zone", "cloud.availability_zone");
      ResourceMember(json, "instance_size", "host.type");
      ResourceMember(json, "ami_id", "host.image.id");
      json.EndObject();
    }
    if (platform == "aws_ecs") {
      json.Key("ecs").BeginObject();
      ResourceMember(json, "container", "container.name");
      ResourceMember(json, "container_id", "container.id");
      ResourceMember(json, "availability_zone", "cloud.availability_zone");
      ResourceMember(json, "container_arn", "aws.ecs.container.arn");
      ResourceMember(json, "cluster_arn", "aws.ecs.cluster.arn");
      ResourceMember(json, "task_arn", "aws.ecs.task.arn");
      ResourceMember(json, "task_family", "aws.ecs.task.family");
      ResourceMember(json, "launch_type", "aws.ecs.launchtype");
      json.EndObject();
    }
    if (platform == "aws_elastic_beanstalk" && resource_.HasAny({"service.instance.id"})) {
      json.Key("elastic_beanstalk").BeginObject();
      ResourceMember(json, "environment_name", "service.namespace");
      json.Key("deployment_id").Int(resource_.Integer({"service.instance.id"}).value_or(0));
      ResourceMember(json, "version_label", "service.version");
      json.EndObject();
    }
    if (platform == "aws_eks" || !resource_.Text({"k8s.cluster.name"}).empty()) {
      json.Key("eks").BeginObject();
      ResourceMember(json, "cluster_name", "k8s.cluster.name");
      ResourceMember(json, "pod", "k8s.pod.name");
      ResourceMember(json, "container_id", "container.id");
      json.EndObject();
    }
    Logs(json);
    json.Key("xray").BeginObject();
    if (std::string sdk = resource_.Text({"telemetry.sdk.name"}); !sdk.empty()) {
      const std::string suffix = " for " + resource_.Text({"telemetry.sdk.language"});
      if (suffix != " for " && !sdk.ends_with(suffix)) sdk += suffix;
      json.Key("sdk").String(sdk);
    }
    ResourceMember(json, "sdk_version", "telemetry.sdk.version");
    const bool automatic =
        !resource_.Text({"telemetry.auto.version", "telemetry.distro.version"}).empty() ||
        resource_.IsTrue("aws.xray.auto_instrumentation");
    json.Key("auto_instrumentation").Bool(automatic);
    json.EndObject();
  }

  [[nodiscard]] std::vector<std::string> LogNames(std::string_view attribute) const {
    std::vector<std::string> names;
    for (std::string_view list : resource_.Strings(attribute)) {
      while (!list.empty()) {
        const std::size_t end = std::min(list.find('&'), list.size());
        if (end > 0) names.emplace_back(list.substr(0, end));
        list.remove_prefix(std::min(end + 1, list.size()));
      }
    }
    return names;
  }

  void Logs(JsonWriter& json) const {
    const std::vector<std::string> arns = LogNames("aws.log.group.arns");
    const std::vector<std::string> names = LogNames("aws.log.group.names");
    if (arns.empty() && names.empty()) return;
    json.Key("cloudwatch_logs").BeginArray();
    for (const std::string& arn : arns) {
      // arn:aws:logs:region:account:log-group:NAME[:*]
      constexpr std::string_view kGroup = ":log-group:";
      json.BeginObject();
      if (const std::size_t at = arn.find(kGroup); at != std::string::npos) {
        std::string name = arn.substr(at + kGroup.size());
        if (name.ends_with(":*")) name.resize(name.size() - 2);
        json.Key("log_group").String(name);
      }
      json.Key("arn").String(arn).EndObject();
    }
    if (arns.empty()) {
      for (const std::string& name : names)
        json.BeginObject().Key("log_group").String(name).EndObject();
    }
    json.EndArray();
  }

  [[nodiscard]] std::string Service() const {
    const std::string version = resource_.Text({"service.version", "container.image.tag"});
    return version.empty() ? std::string() : "{\"version\":" + JsonText(version) + "}";
  }

  std::string Sql() {
    JsonWriter json;
    json.BeginObject();
    json.Key("url").String(span_.name);
    const std::string database = attributes_.Text({"db.namespace", "db.name"});
    std::string connection = attributes_.Text({"db.connection_string"});
    connection = (connection.empty() ? "localhost" : connection) + "/" + database;
    json.Key("connection_string").String(connection);
    told_.attributes.TellWithin({"db.namespace", "db.name", "db.connection_string"}, connection);
    Member(json, "database_type", attributes_.Text({"db.system.name", "db.system"}),
           {"db.system.name", "db.system"});
    Member(json, "user", attributes_.Text({"db.user"}), {"db.user"});
    Member(json, "sanitized_query", attributes_.Text({"db.query.text", "db.statement"}),
           {"db.query.text", "db.statement"});
    told_.attributes.Tell({"aws.xray.sql"}, "true");
    json.EndObject();
    return json.Take();
  }

  std::string Cause() {
    if (entity_.exceptions.empty()) {
      if (entity_.cause_reference.empty()) return {};
      told_.attributes.Tell({"aws.xray.cause"}, entity_.cause_reference);
      told_.status_message = entity_.cause_reference == span_.status_message;
      return JsonText(entity_.cause_reference);
    }
    const bool aws_api = attributes_.Text({"rpc.system.name", "rpc.system"}) == "aws-api";
    JsonWriter json;
    json.BeginObject().Key("exceptions").BeginArray();
    // The description lists one exception for each such event, in order; without events, the status
    // message.
    std::size_t next = 0;
    for (std::size_t i = 0; i < span_.events.size() && next < entity_.exceptions.size(); ++i) {
      const model::Event& event = span_.events[i];
      if (event.name == "exception") {
        Exception(json, entity_.exceptions[next++], &event, i);
      } else if (event.name == "HTTP request failure" && aws_api) {
        Exception(json, entity_.exceptions[next++], nullptr, i);
      }
    }
    for (; next < entity_.exceptions.size(); ++next) {
      Exception(json, entity_.exceptions[next], nullptr, next);
      told_.status_message =
          told_.status_message || entity_.exceptions[next].message == span_.status_message;
      told_.attributes.Tell({"http.status_text"}, entity_.exceptions[next].message);
    }
    json.EndArray().EndObject();
    return json.Take();
  }

  std::string ExceptionId() {
    const std::string purpose = "exception " + std::to_string(exceptions_count_++);
    return model::DeriveSpanId(span_.trace_id, entity_.id, purpose).ToHex();
  }

  // One exception and those that caused it.
  void Exception(JsonWriter& json, const model::ExceptionFields& fields, const model::Event* event,
                 std::size_t event_index) {
    std::vector<StackedException> chain;
    if (event != nullptr) {
      const std::string stack = AttributeReader(event->attributes).Text({"exception.stacktrace"});
      std::string language = resource_.Text({"telemetry.sdk.language"});
      if (!stack.empty()) chain = ParseStackTrace(language, stack);
      told_.stacks[event_index] = !chain.empty();
    }
    if (chain.empty()) chain.emplace_back();
    chain.front().type = fields.type;
    chain.front().message = fields.message;
    std::string id = fields.id.empty() ? ExceptionId() : fields.id;
    for (std::size_t i = 0; i < chain.size(); ++i) {
      const StackedException& exception = chain[i];
      json.BeginObject().Key("id").String(id);
      if (!exception.type.empty()) json.Key("type").String(exception.type);
      if (!exception.message.empty()) json.Key("message").String(exception.message);
      if (event != nullptr || fields.remote) json.Key("remote").Bool(fields.remote);
      if (!exception.stack.empty()) Stack(json, exception.stack);
      if (i + 1 < chain.size()) {
        id = ExceptionId();
        json.Key("cause").String(id);
      } else if (!fields.cause_id.empty()) {
        json.Key("cause").String(fields.cause_id);
      }
      json.EndObject();
    }
  }

  static void Stack(JsonWriter& json, const std::vector<StackFrame>& stack) {
    json.Key("stack").BeginArray();
    for (const StackFrame& frame : stack) {
      json.BeginObject().Key("path").String(frame.path).Key("line").Int(frame.line);
      json.Key("label").String(frame.label).EndObject();
    }
    json.EndArray();
  }

  const Entity& entity_;
  const std::vector<model::KeyValue>& annotations_;
  const Span& span_;
  const bool with_resource_;
  const AttributeReader attributes_;
  const AttributeReader resource_;
  ToldFacts told_;
  std::size_t exceptions_count_ = 0;
};

}  // namespace

DocumentParts OtelParts(const Entity& entity, bool with_resource,
                        const std::vector<model::KeyValue>& annotations) {
  return OtelDocument(entity, with_resource, annotations).Run();
}

}  // namespace fluoro::codec::xray
