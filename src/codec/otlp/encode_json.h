// Messages of OTLP traces as JSON.
#pragma once

#include "base/json.h"
#include "model/span.h"

namespace fluoro::codec::otlp::internal {

/// Each writes one JSON object.
void WriteResource(const model::Resource& resource, JsonWriter& json);
void WriteScope(const model::Scope& scope, JsonWriter& json);
void WriteSpan(const model::Span& span, JsonWriter& json);

}  // namespace fluoro::codec::otlp::internal
