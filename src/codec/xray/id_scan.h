// The `id` of a document that cannot be parsed or is too large to be.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fluoro::codec::xray {

/// Value of the member `id` of the outermost object, looked for in the first 64 KiB only, cut to 64
/// bytes; nothing if it does not stand there as a plain string. Takes any bytes; constant stack, no
/// memory. Pure.
std::optional<std::string> ScanForId(std::string_view document);

}  // namespace fluoro::codec::xray
