// AnyValue as wire bytes: check, and canonical form within limits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "codec/otlp/batch_builder.h"
#include "codec/otlp/wire.h"

namespace fluoro::codec::otlp::internal {

/// Checks one AnyValue and all in it; `depth` levels are left. `canonical` becomes false where the
/// bytes hold text that is not UTF-8, unknown fields or several values, so that a rewrite is due.
/// False: broken or too deep, as noted in `error`.
bool ScanAnyValue(std::string_view bytes, int depth, WireError& error, bool& canonical);

/// Canonical bytes of an AnyValue that ScanAnyValue accepted: repeated fields merged, text
/// repaired, unknown fields left out. Beyond about `bytes_max` bytes strings are cut and the rest
/// of lists is left out; both are noted in the builder.
std::string RewriteAnyValue(std::string_view bytes, std::size_t bytes_max, BatchBuilder& builder);

}  // namespace fluoro::codec::otlp::internal
