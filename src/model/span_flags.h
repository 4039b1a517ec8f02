// Facts about one span that both write and read side carry as bits and small enums.
#pragma once

#include <cstdint>

namespace fluoro::model {

/// OTLP numbers. Source: opentelemetry-proto, trace/v1/trace.proto.
enum class SpanKind : std::uint8_t {
  kUnspecified = 0,
  kInternal = 1,
  kServer = 2,
  kClient = 3,
  kProducer = 4,
  kConsumer = 5
};
enum class StatusCode : std::uint8_t { kUnset = 0, kOk = 1, kError = 2 };

/// Where the span came from. Stored: never renumber.
enum class SpanSource : std::uint8_t { kOtlp = 0, kXRay = 1, kZipkin = 2, kJaeger = 3, kCsv = 4 };

/// Bits of Span::flags. Stored: never renumber.
enum SpanFlag : std::uint32_t {
  kFault = 1U << 0,     ///< X-Ray `fault:true` as sent
  kError = 1U << 1,     ///< X-Ray `error:true` as sent
  kThrottle = 1U << 2,  ///< X-Ray `throttle:true` as sent
  kInProgress =
      1U << 3,         ///< not ended yet (X-Ray `in_progress`, OTLP end time 0 is clamped instead)
  kSegment = 1U << 4,  ///< X-Ray document that is a segment
  kSubsegment = 1U << 5,           ///< X-Ray subsegment, embedded or independent
  kIndependent = 1U << 6,          ///< X-Ray subsegment that came as a document of its own
  kSentInferred = 1U << 7,         ///< X-Ray document that was sent with `inferred:true`
  kUnsampled = 1U << 8,            ///< came as an unsampled span (OTLP datagram `T1U`)
  kTruncated = 1U << 9,            ///< some value was cut to its limit
  kTextRepaired = 1U << 10,        ///< invalid UTF-8 was replaced by U+FFFD
  kIncompleteEmbedded = 1U << 11,  ///< no end: OTLP span; embedded subsegment not in_progress
};

/// Role of one attribute. Stored: never renumber.
enum class AttributeRole : std::uint8_t {
  kPlain =
      0,  ///< span attribute as sent, or mapped from an X-Ray member (docs/formats/attributes.md)
  kAnnotation = 1,  ///< X-Ray annotation: indexed, listed in TraceSummary.Annotations
};

}  // namespace fluoro::model
