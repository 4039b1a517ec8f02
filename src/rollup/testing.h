// For tests: traces with everything that shapes a service graph, and rollups as text.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "model/assembly.h"
#include "model/span.h"
#include "rollup/rollup.h"

namespace fluoro::rollup::testing {

inline model::AttributeValue RandomFact(Rng& rng) {
  static const std::vector<std::string> kTexts = {"",
                                                  "aws-api",
                                                  "mysql",
                                                  "postgresql",
                                                  "remote",
                                                  "aws",
                                                  "LOCAL_ROOT",
                                                  "checkout",
                                                  "!!!",
                                                  "aws_ec2",
                                                  "aws_ecs",
                                                  "ec2",
                                                  "orders",
                                                  "AWS.SDK.S3",
                                                  "DynamoDB",
                                                  "sqs",
                                                  "https://sqs.eu-1.amazonaws.com/1/q",
                                                  "pkg.Service/Get",
                                                  "jdbc:mysql://u@db.example:3306/x",
                                                  "gcp",
                                                  "500",
                                                  "AWS::SQS::Queue",
                                                  "0000000000000002"};
  switch (rng.Below(8)) {
    case 0:
      return {true};
    case 1:
      return {std::vector<std::int64_t>{200, 404, 429, 503, 599, 0}[rng.Below(6)]};
    case 2: {
      model::AttributeValue::Array array;
      for (std::uint64_t i = rng.Below(3); i > 0; --i)
        array.values.push_back({"table-" + std::to_string(rng.Below(2))});
      return {array};
    }
    case 3:
      return {500.0};
    default:
      return {kTexts[rng.Below(kTexts.size())]};
  }
}

/// Every key that DescribeSpan or InferSegment looks at, and some they do not.
inline const std::vector<std::string>& FactKeys() {
  static const std::vector<std::string> kKeys = {"aws.xray.fault",
                                                 "aws.xray.error",
                                                 "aws.xray.throttle",
                                                 "aws.xray.inprogress",
                                                 "aws.xray.namespace",
                                                 "aws.xray.sql",
                                                 "aws.xray.resource_names",
                                                 "aws.xray.traced",
                                                 "aws.xray.cause",
                                                 "aws.xray.exception.remote",
                                                 "aws.xray.x_forwarded_for",
                                                 "aws.span.kind",
                                                 "aws.local.service",
                                                 "aws.remote.service",
                                                 "aws.remote.resource.identifier",
                                                 "aws.remote.resource.type",
                                                 "aws.service",
                                                 "aws.account_id",
                                                 "aws.operation",
                                                 "aws.region",
                                                 "aws.request_id",
                                                 "aws.dynamodb.table_names",
                                                 "aws.table_name",
                                                 "aws.table.name",
                                                 "messaging.url",
                                                 "aws.queue_url",
                                                 "aws.queue.url",
                                                 "aws.sqs.queue.url",
                                                 "aws.sns.topic.arn",
                                                 "aws.s3.bucket",
                                                 "aws.bucket.name",
                                                 "aws.lambda.function_name",
                                                 "faas.invoked_name",
                                                 "http.response.status_code",
                                                 "http.status_code",
                                                 "http.status_text",
                                                 "http.host",
                                                 "http.method",
                                                 "http.request.method",
                                                 "http.url",
                                                 "url.full",
                                                 "url.scheme",
                                                 "http.target",
                                                 "rpc.system.name",
                                                 "rpc.system",
                                                 "rpc.service",
                                                 "rpc.method",
                                                 "peer.service",
                                                 "service.peer.name",
                                                 "db.system.name",
                                                 "db.system",
                                                 "db.namespace",
                                                 "db.name",
                                                 "db.connection_string",
                                                 "server.address",
                                                 "net.peer.name",
                                                 "net.host.name",
                                                 "zipkin.id",
                                                 "messaging.message_payload_size_bytes",
                                                 "user.id",
                                                 "tenant"};
  return kKeys;
}

/// Times lie within `minutes` from `from_ns`.
struct TraceShape {
  std::uint64_t spans_max = 12;
  std::int64_t from_ns = 1'700'000'040'000'000'000;
  std::int64_t minutes = 3;
};

inline model::SpanId SpanIdOf(std::uint64_t number) {
  model::SpanId id;
  for (std::size_t i = 0; i < 8; ++i)
    id.bytes[7 - i] = static_cast<std::uint8_t>(number >> (8 * i));
  return id;
}

inline model::Span RandomGraphSpan(Rng& rng, const model::TraceId& trace, std::uint64_t number,
                                   const TraceShape& shape = {}) {
  model::Span span;
  span.trace_id = trace;
  span.span_id = SpanIdOf(number);
  if (rng.Chance(0.75)) {
    span.parent_id = SpanIdOf(1 + rng.Below(shape.spans_max + 1));
    if (rng.Chance(0.05))
      span.parent_id = model::DeriveSpanId(trace, span.parent_id, "service segment");
  }
  span.name =
      std::vector<std::string>{"GET /", "dynamodb", "checkout", "", "S3", "x!y"}[rng.Below(6)];
  span.start_ns =
      shape.from_ns +
      static_cast<std::int64_t>(rng.Below(static_cast<std::uint64_t>(shape.minutes * kMinuteNs)));
  span.end_ns = span.start_ns + static_cast<std::int64_t>(rng.Below(40'000'000'000));
  span.kind = static_cast<model::SpanKind>(rng.Below(6));
  span.status = static_cast<model::StatusCode>(rng.Below(3));
  if (rng.Chance(0.1)) span.otel_flags = 0x300;
  if (rng.Chance(0.4)) {
    span.source = static_cast<model::SpanSource>(rng.Below(5));
  }
  if (span.source == model::SpanSource::kXRay) {
    span.flags = rng.Chance(0.5) ? model::SpanFlag::kSegment : model::SpanFlag::kSubsegment;
    if ((span.flags & model::SpanFlag::kSubsegment) != 0 && rng.Chance(0.5))
      span.flags |= model::SpanFlag::kIndependent;
    if (rng.Chance(0.1)) span.flags |= model::SpanFlag::kSentInferred;
  }
  if (rng.Chance(0.15)) span.flags |= 1U << rng.Below(4);
  if ((span.flags & model::SpanFlag::kInProgress) != 0) span.end_ns = span.start_ns;
  auto resource = std::make_shared<model::Resource>();
  const auto add = [&](std::vector<model::Attribute>& to, std::string key,
                       model::AttributeValue value) {
    to.push_back(
        {std::move(key), std::move(value),
         rng.Chance(0.05) ? model::AttributeRole::kAnnotation : model::AttributeRole::kPlain});
  };
  if (rng.Chance(0.9))
    add(resource->attributes, "service.name",
        {std::vector<std::string>{"web", "cart", "",
                                  "!!!"}[rng.Chance(0.9) ? rng.Below(2) : rng.Below(4)]});
  for (const char* key : {"cloud.provider", "cloud.platform", "aws.ecs.launchtype",
                          "aws.xray.origin", "cloud.account.id", "cloud.resource_id", "host.id"}) {
    if (rng.Chance(0.08)) add(resource->attributes, key, RandomFact(rng));
  }
  span.resource = std::move(resource);
  span.scope = std::make_shared<model::Scope>();
  for (std::uint64_t i = rng.Below(rng.Chance(0.05) ? 60 : 5); i > 0; --i)
    add(span.attributes, FactKeys()[rng.Below(FactKeys().size())], RandomFact(rng));
  while (rng.Chance(0.1)) {
    span.links.push_back({.trace_id = rng.Chance(0.9) ? trace : model::TraceId{},
                          .span_id = SpanIdOf(1 + rng.Below(shape.spans_max + 1)),
                          .trace_state = {},
                          .attributes = {}});
  }
  return span;
}

/// Spans as they arrive: some twice, in any order.
inline std::vector<model::Span> RandomGraphTrace(Rng& rng, const model::TraceId& trace,
                                                 const TraceShape& shape = {}) {
  std::vector<model::Span> spans;
  for (std::uint64_t i = 1 + rng.Below(shape.spans_max); i > 0; --i)
    spans.push_back(RandomGraphSpan(rng, trace, 1 + rng.Below(shape.spans_max), shape));
  return spans;
}

inline std::string Print(const DurationCounts& counts) {
  std::string out;
  for (const auto& bucket : counts.Buckets())
    out += " " + std::to_string(bucket.index) + ":" + std::to_string(bucket.count);
  out += counts.overflown() ? " many" : " ms";
  for (const auto& one : counts.Milliseconds())
    out += " " + std::to_string(one.ms) + ":" + std::to_string(one.count);
  return out;
}

inline std::string Print(const model::ServiceKey& key) {
  return key.name + "|" + key.type + "|" + key.account_id;
}

struct Printing {
  bool extent = true;  ///< of what was taken away again it keeps more than a naive sum
};
/// Rows by what they are about, in order.
inline std::map<std::string, std::string> Print(const Rollup& rollup,
                                                const Printing& printing = {}) {
  std::map<std::string, std::string> out;
  for (const Rollup::Row& row : rollup.Rows()) {
    const Series& series = rollup.series()[row.series];
    const Cell& cell = *row.cell;
    std::string key = std::to_string(row.period_ns) + " " +
                      std::to_string(static_cast<int>(series.kind)) + (series.client ? "c" : "") +
                      (series.link ? "l" : "");
    if (series.kind != SeriesKind::kOther) key += " " + Print(rollup.keys().KeyAt(series.to));
    if (series.kind == SeriesKind::kEdge || series.kind == SeriesKind::kAlias)
      key += " from " + Print(rollup.keys().KeyAt(series.from));
    key += " " + rollup.keys().TextAt(series.alias);
    std::string value;
    for (const std::int64_t count : {cell.seen, cell.ok, cell.error, cell.throttle, cell.fault,
                                     cell.real, cell.from_real, cell.response_ns})
      value += std::to_string(count) + " ";
    if (printing.extent)
      value += std::to_string(cell.start_ns) + "-" + std::to_string(cell.end_ns) + " ";
    value += Print(cell.times) + " / ";
    if (series.kind == SeriesKind::kNode) {
      value += Print(cell.second == nullptr ? cell.times : *cell.second);
    } else if (cell.second != nullptr && !cell.second->IsZero()) {
      value += Print(*cell.second);
    }
    out[key] = value;
  }
  return out;
}

}  // namespace fluoro::rollup::testing
