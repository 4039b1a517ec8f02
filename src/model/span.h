// Span and Trace: the read currency.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/attribute_value.h"
#include "model/ids.h"
#include "model/span_flags.h"

namespace fluoro::model {

struct Attribute {
  std::string key;
  AttributeValue value;
  AttributeRole role = AttributeRole::kPlain;
  bool operator==(const Attribute&) const = default;
};

struct Resource {
  std::vector<Attribute> attributes;
  std::uint32_t dropped_attributes = 0;
  std::string schema_url;
  std::string entity_refs;  ///< raw protobuf fields
  [[nodiscard]] const AttributeValue* Find(std::string_view key) const;
  bool operator==(const Resource&) const = default;
};

struct Scope {
  std::string name;
  std::string version;
  std::vector<Attribute> attributes;
  std::uint32_t dropped_attributes = 0;
  std::string schema_url;
  bool operator==(const Scope&) const = default;
};

struct Event {
  std::int64_t time_ns = 0;
  std::string name;
  std::vector<Attribute> attributes;
  std::uint32_t dropped_attributes = 0;
  [[nodiscard]] const AttributeValue* Find(std::string_view key) const;
  bool operator==(const Event&) const = default;
};

struct Link {
  TraceId trace_id;
  SpanId span_id;
  std::string trace_state;
  std::vector<Attribute> attributes;
  std::uint32_t dropped_attributes = 0;
  std::uint32_t otel_flags = 0;
  bool operator==(const Link&) const = default;
};

/// One span, segment or subsegment as received. Fields as the columns of SpanBatch.
struct Span {
  TraceId trace_id;
  SpanId span_id;
  SpanId parent_id;
  std::string name;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  SpanKind kind = SpanKind::kUnspecified;
  StatusCode status = StatusCode::kUnset;
  SpanSource source = SpanSource::kOtlp;
  std::uint32_t flags = 0;
  std::uint32_t otel_flags = 0;
  std::string trace_state;
  std::string status_message;
  std::shared_ptr<const Resource> resource;  ///< never null
  std::shared_ptr<const Scope> scope;        ///< never null
  std::vector<Attribute> attributes;
  std::vector<Event> events;
  std::vector<Link> links;
  std::uint32_t dropped_attributes = 0;
  std::uint32_t dropped_events = 0;
  std::uint32_t dropped_links = 0;
  std::string document;  ///< X-Ray only

  [[nodiscard]] bool Has(SpanFlag flag) const { return (flags & flag) != 0; }
  /// Last attribute of that key and role kPlain, or null.
  [[nodiscard]] const AttributeValue* Find(std::string_view key) const;
  [[nodiscard]] const AttributeValue* FindAnnotation(std::string_view key) const;
  /// Value of resource service.name; empty if absent.
  [[nodiscard]] std::string_view service() const;
  /// About the memory it holds, without what it shares. Bytes.
  [[nodiscard]] std::size_t MemoryBytes() const;
  /// Compares resources and scopes by content.
  bool operator==(const Span& other) const;
};

/// What the store knows about why a trace is still there (thinning).
struct Kept {
  std::string reason = "all";
  double probability = 1;
  bool operator==(const Kept&) const = default;
};

/// All spans of one trace id, in order of arrival, after the replacement rules of model/assembly.h
/// (Deduplicate).
struct Trace {
  TraceId id;
  std::vector<Span> spans;
  bool limit_exceeded = false;  ///< the trace outgrew its bound; spans are missing
  /// Spans that come before and after these: not 0 only in a part of a trace that is too large to
  /// be held whole.
  std::uint64_t spans_before = 0;
  std::uint64_t spans_after = 0;
  /// In a part: earliest start and latest end of all spans of the trace.
  std::int64_t start_ns = INT64_MAX;
  std::int64_t end_ns = INT64_MIN;
  std::int64_t revision = 1;  ///< grows whenever spans were added
  std::int64_t last_arrival_ns = 0;
  Kept kept;
  std::uint64_t stored_bytes = 0;  ///< on disk, about; 0: in memory only
  [[nodiscard]] bool IsPart() const { return spans_before + spans_after > 0; }
  [[nodiscard]] std::uint64_t TotalSpans() const {
    return spans_before + spans.size() + spans_after;
  }
};

}  // namespace fluoro::model
