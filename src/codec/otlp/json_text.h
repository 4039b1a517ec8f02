// Text forms that only OTLP/JSON needs.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fluoro::codec::otlp::internal {

/// Standard and URL-safe alphabet, padding optional. None where the text is not base64.
std::optional<std::string> DecodeBase64(std::string_view text);
/// Standard alphabet with padding.
std::string EncodeBase64(std::string_view bytes);
/// The document with invalid UTF-8 and escapes of lone surrogates replaced by U+FFFD.
std::string RepairJson(std::string_view json);

}  // namespace fluoro::codec::otlp::internal
