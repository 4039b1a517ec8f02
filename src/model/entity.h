// How one span appears in X-Ray's model: segment or subsegment, with the members that search, graph
// and summaries read.
//
// X-Ray documents are mapped on attributes when they are decoded (docs/formats/attributes.md);
// spans of OTLP, Zipkin and Jaeger carry OpenTelemetry attributes. DescribeSpan reads both alike.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/ids.h"
#include "model/span.h"

namespace fluoro::model {

/// Exclusive class of one request, tested in the order fault, throttle, error, ok.
enum class Outcome : std::uint8_t { kOk, kError, kThrottle, kFault };
/// "ok", "error", "throttle", "fault".
std::string_view OutcomeName(Outcome outcome);

struct HttpFields {
  std::optional<std::string> url;
  std::optional<std::string> method;
  std::optional<std::string> user_agent;
  std::optional<std::string> client_ip;
  std::optional<std::int64_t> status;
  std::optional<std::int64_t> content_length;
  bool x_forwarded_for = false;
  bool traced = false;
  [[nodiscard]] bool empty() const {
    return !url && !method && !user_agent && !client_ip && !status && !content_length;
  }
};

struct ExceptionFields {
  std::string id;  ///< 16 hex or empty
  std::string type;
  std::string message;
  std::string cause_id;
  bool remote = false;
};

enum class EntityRole : std::uint8_t {
  kSegment,     ///< work of a service on one request
  kSubsegment,  ///< work or a call inside a segment
  kInferred,    ///< segment made for a call whose callee sent nothing
};

/// One segment, subsegment or inferred segment. `span` borrows from the AssembledTrace's trace.
struct Entity {
  const Span* span =
      nullptr;  ///< for kInferred and synthetic segments: the span it was derived from
  EntityRole role = EntityRole::kSegment;
  SpanId id;
  std::int32_t parent = -1;  ///< entity: the enclosing one, or for a segment the caller's
                             ///< subsegment or segment; -1: none here
  SpanId parent_id;          ///< as sent, zero if none; set although `parent` may be -1 (orphan)
  std::int32_t segment =
      -1;  ///< entity of the owning segment; itself for segments; -1 for orphan subsegments' tops
  std::vector<std::int32_t> children;  ///< in order of start
  std::string name;                    ///< cleaned X-Ray name
  std::string name_space;              ///< "aws", "remote" or ""
  std::string origin;                  ///< AWS resource type, or ""
  std::string account_id;
  std::string resource_arn;
  std::string user;
  std::string availability_zone;
  std::string instance_id;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  bool in_progress = false;
  bool fault = false;  ///< effective: as sent or by status
  bool error = false;
  bool throttle = false;
  bool has_sql = false;
  HttpFields http;
  std::string aws_operation;
  std::string aws_region;
  std::string aws_request_id;
  std::string aws_table_name;
  std::string aws_queue_url;
  std::string aws_topic_arn;
  std::string aws_bucket_name;
  std::string aws_function_name;
  std::vector<ExceptionFields> exceptions;
  std::string cause_reference;  ///< id named by a `cause` that is a string or {id}
  std::int32_t service = -1;  ///< index into AssembledTrace::services (segments and inferred only)
  bool synthetic =
      false;  ///< service segment made for a root CLIENT or LOCAL_ROOT span (otlp mapping)

  [[nodiscard]] bool IsSegment() const { return role != EntityRole::kSubsegment; }
  [[nodiscard]] Outcome outcome() const {
    return fault      ? Outcome::kFault
           : throttle ? Outcome::kThrottle
           : error    ? Outcome::kError
                      : Outcome::kOk;
  }
  [[nodiscard]] std::int64_t duration_ns() const { return end_ns - start_ns; }
};

/// What one span becomes: one entity, or two (dependency subsegment, then the synthetic service
/// segment that holds it). Parents, children and services are not yet linked. Pure. Source:
/// OpenTelemetry awsxrayexporter's mapping and the deviations in docs/formats/otlp-xray-mapping.md.
struct SpanDescription {
  Entity entity;
  std::optional<Entity> service_segment;
};
struct DescribeOptions {
  /// The span's parent belongs to another service (only an assembled trace can tell): described as
  /// a span without parent.
  bool service_entry = false;
  /// Names and documents exactly as the public exporter makes them.
  bool exporter_names = false;
};
SpanDescription DescribeSpan(const Span& span, const DescribeOptions& options = {});

/// The annotations of one span, keys as X-Ray prints them: attributes of role kAnnotation with an
/// indexable key
/// (`[A-Za-z0-9_.]{1,500}`), then the scalar attributes listed in the string array
/// `aws.xray.annotations` (other characters of their keys become `_`; `otel.resource.<key>` names a
/// resource attribute). Of equal keys the last wins. Pure.
std::vector<KeyValue> AnnotationsOf(const Span& span);

/// The annotation key under which AnnotationsOf prints an attribute listed by this key, of the span
/// or of its resource.
std::string AnnotationKey(std::string_view key);
std::string AnnotationKeyOfResource(std::string_view key);

/// Deletes characters outside letters, numbers, separators and `_ . : / % & # = + \ - @`, cuts to
/// 200 code points. Empty if nothing is left. Source: X-Ray segment document schema.
std::string CleanName(std::string_view name);

}  // namespace fluoro::model
