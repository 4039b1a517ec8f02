// The two decoders behind DecodeTraces.
#pragma once

#include <string_view>

#include "base/error.h"
#include "codec/otlp/otlp.h"
#include "model/limits.h"

namespace fluoro::codec::otlp::internal {

/// `body` is not empty and within its limit.
Result<Decoded> DecodeProtobuf(std::string_view body, const model::Limits& limits, bool unsampled);
Result<Decoded> DecodeJson(std::string_view body, const model::Limits& limits, bool unsampled);

}  // namespace fluoro::codec::otlp::internal
