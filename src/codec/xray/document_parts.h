// A segment document in the making: its members as JSON texts, put together in the order in which
// X-Ray prints them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/json.h"
#include "model/attribute_value.h"
#include "model/ids.h"

namespace fluoro::codec::xray {

/// Each text is one JSON value; an empty one stands for an absent member.
struct DocumentParts {
  std::string name;
  std::string start_time;
  std::string end_time;
  std::string in_progress;
  std::string name_space;
  std::string error;
  std::string throttle;
  std::string fault;
  std::string http;
  std::string aws;
  std::string sql;
  std::string cause;
  std::string service;
  std::string user;
  std::string origin;
  std::string resource_arn;
  std::string annotations;
  std::string metadata;
  std::string links;
};

/// What a document says about its place. A nested subsegment names neither trace nor parent.
struct DocumentPlace {
  model::SpanId id;
  model::TraceId trace_id;
  model::SpanId parent_id;  ///< zero: none
  bool nested = false;
  bool subsegment = false;
  bool inferred = false;
};

/// Compact JSON object.
std::string WriteDocument(const DocumentPlace& place, const DocumentParts& parts);

/// One JSON string with its quotes.
std::string JsonText(std::string_view text);

/// Writes any attribute value: bytes as base64 text, numbers that JSON lacks as text. Strings
/// longer than `string_bytes_max` are cut and end in "...[truncated]".
void WriteValue(JsonWriter& json, const model::AttributeValue& value,
                std::size_t string_bytes_max = SIZE_MAX);

}  // namespace fluoro::codec::xray
