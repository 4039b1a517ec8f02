#include <algorithm>
#include <array>
#include <cstdio>

#include "model/assembly.h"
#include "model/describe_http.h"
#include "model/describe_names.h"
#include "model/entity.h"
#include "model/fact_sources.h"

namespace fluoro::model {
namespace {

using describe::Input;
using describe::Shape;

struct Flags {
  bool fault = false;
  bool error = false;
  bool throttle = false;
};

Flags FlagsOfStatus(std::optional<std::int64_t> status) {
  if (!status) return {};
  return {.fault = *status >= 500 && *status <= 599,
          .error = *status >= 400 && *status <= 499,
          .throttle = *status == 429};
}

// Flags that were sent win over the status code; without either, status ERROR is a fault.
Flags FlagsOf(const Input& in) {
  const Span& span = in.span;
  const Flags sent = {
      .fault = span.Has(SpanFlag::kFault) || in.attributes.IsTrue("aws.xray.fault"),
      .error = span.Has(SpanFlag::kError) || in.attributes.IsTrue("aws.xray.error"),
      .throttle = span.Has(SpanFlag::kThrottle) || in.attributes.IsTrue("aws.xray.throttle")};
  if (sent.fault || sent.error || sent.throttle) return sent;
  Flags flags = FlagsOfStatus(describe::StatusOf(in));
  if (span.source != SpanSource::kXRay && span.status == StatusCode::kError && !flags.error) {
    flags.fault = true;
  }
  return flags;
}

bool IsForeignCloud(const Input& in) {
  const std::string provider = in.resource.Text({"cloud.provider"});
  return !provider.empty() && provider != "aws" && provider != "unknown";
}

struct OriginRule {
  std::string_view platform;
  std::string_view launch_type;  ///< "" matches all
  std::string_view origin;
};
constexpr std::array kOrigins = {
    OriginRule{"aws_app_runner", "", "AWS::AppRunner::Service"},
    OriginRule{"aws_eks", "", "AWS::EKS::Container"},
    OriginRule{"aws_elastic_beanstalk", "", "AWS::ElasticBeanstalk::Environment"},
    OriginRule{"aws_ecs", "ec2", "AWS::ECS::EC2"},
    OriginRule{"aws_ecs", "fargate", "AWS::ECS::Fargate"},
    OriginRule{"aws_ecs", "", "AWS::ECS::Container"},
    OriginRule{"aws_ec2", "", "AWS::EC2::Instance"},
};

std::string OriginOf(const Input& in) {
  if (std::string sent = in.resource.Text({"aws.xray.origin"}); !sent.empty()) return sent;
  if (in.span.source == SpanSource::kXRay || IsForeignCloud(in)) return {};
  const std::string platform = in.resource.Text({"cloud.platform"});
  const std::string launch_type = in.resource.Text({"aws.ecs.launchtype"});
  for (const OriginRule& rule : kOrigins) {
    if (rule.platform == platform &&
        (rule.launch_type.empty() || rule.launch_type == launch_type)) {
      return std::string(rule.origin);
    }
  }
  return {};
}

std::string ResourceArnOf(const Input& in) {
  if (std::string arn = in.resource.Text({"aws.xray.resource_arn"}); !arn.empty()) return arn;
  std::string id = in.resource.Text({"cloud.resource_id"});
  return id.starts_with("arn:") ? id : std::string();
}

std::string TableNameOf(const Input& in) {
  const std::vector<std::string> tables = in.attributes.Strings("aws.dynamodb.table_names");
  if (tables.size() == 1) return tables.front();
  return in.attributes.Text({"aws.table_name", "aws.table.name"});
}

void SetCallee(const Input& in, Entity& entity) {
  const AttributeReader& from = in.attributes;
  entity.aws_operation = from.Text({"aws.operation", "rpc.method"});
  entity.aws_region = from.Text({"aws.region"});
  entity.aws_request_id = from.Text({"aws.request_id", "aws.requestId"});
  entity.aws_table_name = TableNameOf(in);
  entity.aws_queue_url =
      from.Text({"messaging.url", "aws.queue_url", "aws.queue.url", "aws.sqs.queue.url"});
  entity.aws_topic_arn = from.Text({"aws.sns.topic.arn"});
  entity.aws_bucket_name = from.Text({"aws.s3.bucket", "aws.bucket.name"});
  entity.aws_function_name = from.Text({"aws.lambda.function_name", "faas.invoked_name"});
}

void ClearCallee(Entity& entity) {
  for (std::string Entity::* member :
       {&Entity::aws_operation, &Entity::aws_region, &Entity::aws_request_id,
        &Entity::aws_table_name, &Entity::aws_queue_url, &Entity::aws_topic_arn,
        &Entity::aws_bucket_name, &Entity::aws_function_name}) {
    (entity.*member).clear();
  }
}

constexpr std::array<std::string_view, 14> kSqlSystems = {
    "db2",    "derby",   "hive",   "ibm.db2",   "mariadb",   "microsoft.sql_server",
    "mssql",  "mysql",   "oracle", "oracle.db", "other_sql", "postgresql",
    "sqlite", "teradata"};

bool HasSql(const Input& in) {
  if (in.attributes.IsTrue("aws.xray.sql")) return true;
  if (in.span.source == SpanSource::kXRay) return false;
  const std::string system = in.attributes.Text({"db.system.name", "db.system"});
  return std::find(kSqlSystems.begin(), kSqlSystems.end(), system) != kSqlSystems.end();
}

// What the AWS SDK for Java instrumentation records of a failed attempt:
// `503@1700000000.250000@text`.
ExceptionFields HttpFailure(const Event& event, const AttributeReader& attributes) {
  ExceptionFields exception;
  exception.type = "aws.http.error.event";
  exception.remote = true;
  const std::string status = attributes.Text({"http.response.status_code"});
  const std::string message = attributes.Text({"aws.http.error_message"});
  if (!status.empty() && !message.empty()) {
    const std::int64_t micros = event.time_ns / 1000;
    char time[48];
    std::snprintf(time, sizeof time, "%lld.%06lld", static_cast<long long>(micros / 1'000'000),
                  static_cast<long long>(micros % 1'000'000));
    exception.message = status + "@" + time + "@" + message;
  }
  return exception;
}

std::vector<ExceptionFields> ExceptionsOf(const Input& in) {
  const Span& span = in.span;
  const bool xray = span.source == SpanSource::kXRay;
  const bool calls = span.kind == SpanKind::kClient || span.kind == SpanKind::kProducer;
  std::vector<ExceptionFields> exceptions;
  for (const Event& event : span.events) {
    const AttributeReader attributes(event.attributes);
    if (event.name == "exception") {
      const AttributeValue* remote = attributes.Find("aws.xray.exception.remote");
      exceptions.push_back({.id = attributes.Text({"aws.xray.exception.id"}),
                            .type = attributes.Text({"exception.type"}),
                            .message = attributes.Text({"exception.message"}),
                            .cause_id = attributes.Text({"aws.xray.exception.cause"}),
                            .remote = remote != nullptr
                                          ? attributes.IsTrue("aws.xray.exception.remote")
                                          : !xray && calls});
    } else if (event.name == "HTTP request failure" && in.aws_api) {
      exceptions.push_back(HttpFailure(event, attributes));
    }
  }
  if (exceptions.empty() && !xray && span.status == StatusCode::kError) {
    std::string message = span.status_message.empty() ? in.attributes.Text({"http.status_text"})
                                                      : span.status_message;
    // X-Ray's reference to an exception that another span tells is no message.
    if (!message.empty() && message != in.attributes.Text({"aws.xray.cause"}))
      exceptions.emplace_back().message = std::move(message);
  }
  return exceptions;
}

void SetPlace(const Input& in, Entity& entity) {
  const bool foreign = IsForeignCloud(in);
  const bool segment = entity.role == EntityRole::kSegment;
  // A subsegment's account is its callee's; a segment's, its own.
  entity.account_id = in.attributes.Text({"aws.account_id"});
  if (foreign) return;
  if (segment && entity.account_id.empty()) {
    entity.account_id = in.resource.Text({"cloud.account.id"});
  }
  if (segment || in.span.source != SpanSource::kXRay) entity.origin = OriginOf(in);
  entity.resource_arn = ResourceArnOf(in);
  entity.availability_zone = in.resource.Text(kAvailabilityZoneResourceKeys);
  entity.instance_id = in.resource.Text(kInstanceIdResourceKeys);
}

Entity ServiceSegment(const Input& in, const Entity& dependency) {
  Entity segment = dependency;
  segment.role = EntityRole::kSegment;
  segment.id = DeriveSpanId(in.span.trace_id, in.span.span_id, "service segment");
  segment.parent_id = in.span.parent_id;
  segment.name = describe::ServiceSegmentName(in);
  segment.name_space.clear();
  segment.has_sql = false;
  segment.http = {};
  segment.synthetic = true;
  ClearCallee(segment);
  segment.account_id = IsForeignCloud(in) ? std::string() : in.resource.Text({"cloud.account.id"});
  return segment;
}

}  // namespace

std::string_view OutcomeName(Outcome outcome) {
  constexpr std::array<std::string_view, 4> kNames = {"ok", "error", "throttle", "fault"};
  return kNames[static_cast<std::size_t>(outcome)];
}

SpanDescription DescribeSpan(const Span& span, const DescribeOptions& options) {
  const AttributeReader attributes(span.attributes);
  static const std::vector<Attribute> kNone;
  const AttributeReader resource(span.resource ? span.resource->attributes : kNone);
  const Input in{.span = span,
                 .attributes = attributes,
                 .resource = resource,
                 .options = options,
                 .local_root = attributes.Text({"aws.span.kind"}) == "LOCAL_ROOT",
                 .aws_api = attributes.Text({"rpc.system.name", "rpc.system"}) == "aws-api"};
  const Shape shape = describe::ShapeOf(in);
  const describe::Naming naming = describe::NameOf(in, shape);

  SpanDescription description;
  Entity& entity = description.entity;
  entity.span = &span;
  entity.role = shape == Shape::kSegment ? EntityRole::kSegment : EntityRole::kSubsegment;
  entity.id = span.span_id;
  entity.parent_id = span.parent_id;
  entity.name = naming.name;
  entity.name_space = describe::NameSpaceOf(in, shape, naming);
  entity.user = attributes.Text(kUserKeys);
  entity.start_ns = span.start_ns;
  entity.in_progress = span.Has(SpanFlag::kInProgress) || attributes.IsTrue("aws.xray.inprogress");
  entity.end_ns = entity.in_progress ? span.start_ns : std::max(span.end_ns, span.start_ns);
  const Flags flags = FlagsOf(in);
  entity.fault = flags.fault;
  entity.error = flags.error;
  entity.throttle = flags.throttle;
  entity.has_sql = HasSql(in);
  entity.http = describe::HttpOf(in);
  SetPlace(in, entity);
  SetCallee(in, entity);
  entity.exceptions = ExceptionsOf(in);
  entity.cause_reference = attributes.Text({"aws.xray.cause"});
  if (shape == Shape::kTwoDocuments) {
    description.service_segment = ServiceSegment(in, entity);
    entity.parent_id = description.service_segment->id;
  }
  return description;
}

}  // namespace fluoro::model
