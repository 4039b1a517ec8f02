#include "model/inferred.h"

#include <algorithm>
#include <array>

#include "model/attribute_reader.h"

namespace fluoro::model {
namespace {

enum class AwsService { kOther, kDynamoDb, kSqs, kSns, kS3, kLambda };

// SDKs call one service `dynamodb`, `DynamoDB`, `AmazonDynamoDBv2`, `Amazon DynamoDB`.
AwsService AwsServiceOf(const Entity& call) {
  std::string name;
  for (const char c : call.name) {
    if (c != ' ') name += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  }
  for (const std::string_view prefix : {"amazon", "aws"}) {
    if (name.starts_with(prefix)) name.erase(0, prefix.size());
  }
  if (name.ends_with("v2")) name.resize(name.size() - 2);
  constexpr std::array<std::pair<std::string_view, AwsService>, 5> kServices = {
      {{"dynamodb", AwsService::kDynamoDb},
       {"sqs", AwsService::kSqs},
       {"sns", AwsService::kSns},
       {"s3", AwsService::kS3},
       {"lambda", AwsService::kLambda}}};
  for (const auto& [known, service] : kServices) {
    if (name == known) return service;
  }
  if (!call.aws_table_name.empty()) return AwsService::kDynamoDb;
  if (!call.aws_queue_url.empty()) return AwsService::kSqs;
  if (!call.aws_topic_arn.empty()) return AwsService::kSns;
  return AwsService::kOther;
}

std::string TableOf(const Entity& call) {
  if (!call.aws_table_name.empty()) return call.aws_table_name;
  const AttributeReader attributes(call.span->attributes);
  const std::vector<std::string> names = attributes.Strings("aws.xray.resource_names");
  return names.size() == 1 ? names.front() : std::string();
}

const std::string& FirstOf(const std::string& preferred, const std::string& fallback) {
  return preferred.empty() ? fallback : preferred;
}

ServiceKey AwsKey(const Entity& call) {
  switch (AwsServiceOf(call)) {
    case AwsService::kDynamoDb: {
      std::string table = TableOf(call);
      if (table.empty()) return {call.name, "AWS::DynamoDB", {}};
      return {std::move(table), "AWS::DynamoDB::Table", {}};
    }
    case AwsService::kSqs:
      if (call.aws_queue_url.empty()) return {call.name, "AWS::SQS", {}};
      return {call.aws_queue_url, "AWS::SQS::Queue", {}};
    case AwsService::kSns:
      return {"SNS", "AWS::SNS", {}};
    case AwsService::kS3:
      return {"S3", "AWS::S3", {}};
    case AwsService::kLambda:
      return {FirstOf(call.aws_function_name, call.name), "AWS::Lambda", {}};
    case AwsService::kOther:
      break;
  }
  return {call.name, "AWS::" + call.name, {}};
}

// Application Signals names the resource that was called.
std::optional<ServiceKey> RemoteResourceKey(const Entity& call) {
  const AttributeReader attributes(call.span->attributes);
  ServiceKey key{attributes.Text({"aws.remote.resource.identifier"}),
                 attributes.Text({"aws.remote.resource.type"}),
                 {}};
  if (key.name.empty() || key.type.empty()) return std::nullopt;
  return key;
}

ServiceKey KeyOfCallee(const Entity& call) {
  ServiceKey key{call.name, "remote", {}};
  if (auto resource = RemoteResourceKey(call)) {
    key = *std::move(resource);
  } else if (call.name_space == "aws") {
    key = AwsKey(call);
  } else if (call.has_sql) {
    key.type = "Database::SQL";
  }
  key.account_id = call.account_id;
  return key;
}

}  // namespace

bool CallsOut(const Entity& entity) {
  return entity.role == EntityRole::kSubsegment && (!entity.name_space.empty() || entity.has_sql);
}

InferredSegment InferSegment(const Entity& call) {
  InferredSegment inferred{.entity = call, .key = KeyOfCallee(call)};
  Entity& entity = inferred.entity;
  entity.role = EntityRole::kInferred;
  entity.id = DeriveSpanId(call.span->trace_id, call.id, "inferred segment");
  entity.parent = -1;
  entity.parent_id = call.id;
  entity.segment = -1;
  entity.children.clear();
  entity.name_space.clear();
  entity.origin = inferred.key.type == "remote" ? std::string() : inferred.key.type;
  entity.http.traced = false;
  for (std::string Entity::* member :
       {&Entity::resource_arn, &Entity::user, &Entity::availability_zone, &Entity::instance_id}) {
    (entity.*member).clear();
  }
  return inferred;
}

ServiceKey SentInferredKey(const Entity& segment) {
  ServiceKey key{segment.name, segment.origin.empty() ? "remote" : segment.origin,
                 segment.account_id};
  if (key.type == "AWS::DynamoDB::Table" && !segment.aws_table_name.empty()) {
    key.name = segment.aws_table_name;
  } else if (key.type == "AWS::SQS::Queue" && !segment.aws_queue_url.empty()) {
    key.name = segment.aws_queue_url;
  }
  return key;
}

}  // namespace fluoro::model
