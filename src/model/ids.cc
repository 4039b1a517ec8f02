#include "model/ids.h"

#include "base/hex.h"

namespace fluoro::model {

Result<TraceId> TraceId::Parse(std::string_view text) {
  TraceId id;
  bool good = false;
  if (text.size() == 32) {
    good = FromHex(text, id.bytes);
  } else if (text.size() == 35 && text.starts_with("1-") && text[10] == '-') {
    good = FromHex(text.substr(2, 8), std::span(id.bytes).first(4)) &&
           FromHex(text.substr(11), std::span(id.bytes).subspan(4));
  }
  if (!good) {
    return Fail(ErrorCode::kInvalidArgument,
                "trace id '" + std::string(text.substr(0, 64)) +
                    "': want 1-<8 hex digits>-<24 hex digits> or 32 hex digits");
  }
  if (id.IsZero()) return Fail(ErrorCode::kInvalidArgument, "trace id is all zero");
  return id;
}

std::string TraceId::ToXRay() const {
  const std::string hex = ToHex();
  return "1-" + hex.substr(0, 8) + "-" + hex.substr(8);
}

std::string TraceId::ToHex() const { return fluoro::ToHex(bytes); }

std::uint32_t TraceId::EpochSeconds() const {
  return (static_cast<std::uint32_t>(bytes[0]) << 24) |
         (static_cast<std::uint32_t>(bytes[1]) << 16) |
         (static_cast<std::uint32_t>(bytes[2]) << 8) | bytes[3];
}

Result<SpanId> SpanId::Parse(std::string_view text) {
  SpanId id;
  if (!FromHex(text, id.bytes)) {
    return Fail(ErrorCode::kInvalidArgument,
                "id '" + std::string(text.substr(0, 32)) + "': want 16 hex digits");
  }
  if (id.IsZero()) return Fail(ErrorCode::kInvalidArgument, "id is all zero");
  return id;
}

std::string SpanId::ToHex() const { return fluoro::ToHex(bytes); }

}  // namespace fluoro::model
