// Attribute keys that decoding or encoding treats apart.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "model/span_flags.h"

namespace fluoro::codec::otlp::internal {

// The OTLP view of a span that OTLP alone cannot express (docs/formats/otlp.md).
inline constexpr std::string_view kSourceKey = "fluoro.source";
inline constexpr std::string_view kFlagsKey = "fluoro.flags";
inline constexpr std::string_view kPlainPrefix = "fluoro.attribute.";
inline constexpr std::string_view kAnnotationPrefix = "fluoro.annotation.";
inline constexpr std::string_view kDocumentKey = "aws.xray.document";
inline constexpr std::string_view kAnnotationsKey = "aws.xray.annotations";
inline constexpr std::string_view kMetadataPrefix = "aws.xray.metadata.";
inline constexpr std::string_view kFaultKey = "aws.xray.fault";
inline constexpr std::string_view kErrorKey = "aws.xray.error";
inline constexpr std::string_view kThrottleKey = "aws.xray.throttle";
inline constexpr std::string_view kInProgressKey = "aws.xray.inprogress";

/// Values of fluoro.source.
std::string_view SourceName(model::SpanSource source);
std::optional<model::SpanSource> SourceFromName(std::string_view name);

enum class KeyClass : std::uint8_t {
  kPlain,
  kContent,   ///< GenAI prompt or answer: Limits::content_bytes_max
  kSource,    ///< fluoro.source
  kDocument,  ///< aws.xray.document
  kView,      ///< any other key that only the view of a span carries
};

inline constexpr std::size_t kKeyClassesCount = 5;

KeyClass ClassifyKey(std::string_view key);
/// True for keys that a view writes besides the span's own attributes; `xray`: the view of an X-Ray
/// span, which reserves more.
bool IsViewKey(std::string_view key, bool xray);

}  // namespace fluoro::codec::otlp::internal
