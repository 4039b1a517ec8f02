// Trace and span identifiers.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace fluoro::model {

/// 16 bytes. X-Ray prints them as `1-<8 hex>-<24 hex>`, W3C and OTLP as 32 hex digits: the same
/// bytes.
struct TraceId {
  std::array<std::uint8_t, 16> bytes{};

  /// Takes `1-xxxxxxxx-xxxxxxxxxxxxxxxxxxxxxxxx` or 32 hex digits of either case; all zero is
  /// refused. Errors: kInvalidArgument.
  static Result<TraceId> Parse(std::string_view text);
  [[nodiscard]] std::string ToXRay() const;
  [[nodiscard]] std::string ToHex() const;
  [[nodiscard]] bool IsZero() const { return *this == TraceId{}; }
  /// Seconds since the epoch that X-Ray style ids carry in their first 4 bytes; any number for W3C
  /// ids.
  [[nodiscard]] std::uint32_t EpochSeconds() const;
  auto operator<=>(const TraceId&) const = default;
};

/// 8 bytes; zero means "none".
struct SpanId {
  std::array<std::uint8_t, 8> bytes{};

  /// Exactly 16 hex digits of either case; all zero is refused. Errors: kInvalidArgument.
  static Result<SpanId> Parse(std::string_view text);
  [[nodiscard]] std::string ToHex() const;
  [[nodiscard]] bool IsZero() const { return *this == SpanId{}; }
  auto operator<=>(const SpanId&) const = default;
};

}  // namespace fluoro::model

template <>
struct std::hash<fluoro::model::TraceId> {
  std::size_t operator()(const fluoro::model::TraceId& id) const noexcept {
    std::uint64_t halves[2];
    std::memcpy(halves, id.bytes.data(), 16);
    return (halves[0] ^ (halves[1] * 0x9e3779b97f4a7c15ULL)) * 0xff51afd7ed558ccdULL;
  }
};

template <>
struct std::hash<fluoro::model::SpanId> {
  std::size_t operator()(const fluoro::model::SpanId& id) const noexcept {
    std::uint64_t value;
    std::memcpy(&value, id.bytes.data(), 8);
    return value * 0x9e3779b97f4a7c15ULL;
  }
};
