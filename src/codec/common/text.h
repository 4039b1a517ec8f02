// Texts that several foreign formats share: attribute values as text, ids of any length.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "model/attribute_value.h"
#include "model/ids.h"

namespace fluoro::codec::common {

/// Text of a value for formats whose values are strings: strings as they are, numbers in their
/// shortest form, `true`, arrays and lists as JSON, bytes as base64, null as "".
std::string ValueText(const model::AttributeValue& value);

/// The value as JSON; bytes as a base64 string.
void AppendValueJson(const model::AttributeValue& value, JsonWriter& out);

/// 1 to 32 (1 to 16) hex digits of either case, padded with zeros on the left; not all zero.
/// Errors: kInvalidArgument saying what was expected.
Result<model::TraceId> ParseTraceIdPadded(std::string_view text);
Result<model::SpanId> ParseSpanIdPadded(std::string_view text);

/// 16 hex digits where the upper half is zero, else 32: how Zipkin and Jaeger print trace ids.
std::string ShortTraceId(const model::TraceId& id);

}  // namespace fluoro::codec::common
