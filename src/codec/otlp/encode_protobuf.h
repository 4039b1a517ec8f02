// Messages of OTLP traces as protobuf bytes.
#pragma once

#include <string>

#include "model/span.h"

namespace fluoro::codec::otlp::internal {

/// Each appends the fields of one message, without tag and length in front.
void AppendResource(const model::Resource& resource, std::string& out);
void AppendScope(const model::Scope& scope, std::string& out);
void AppendSpan(const model::Span& span, std::string& out);

}  // namespace fluoro::codec::otlp::internal
