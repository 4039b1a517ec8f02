// AttributeValue <-> bytes of OTLP's protobuf AnyValue. SpanBatch keeps arrays and lists in this
// form. Source: opentelemetry-proto, common/v1/common.proto.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "model/attribute_value.h"

namespace fluoro::model {

/// AnyValue, JSON values, subsegments and filter expressions each nest at most this deep.
inline constexpr int kNestingMax = 64;

/// Appends the fields of one AnyValue message (without a length in front).
void EncodeAnyValue(const AttributeValue& value, std::string& out);
/// Errors: kCorruption; kTooLarge beyond kNestingMax levels. Pure.
Result<AttributeValue> DecodeAnyValue(std::string_view bytes);

}  // namespace fluoro::model
