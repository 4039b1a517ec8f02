// Stack traces as OpenTelemetry carries them (one text, in the form of its language) -> X-Ray stack
// frames. Source: the formats that awsxrayexporter reads (internal/translator/cause.go).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fluoro::codec::xray {

struct StackFrame {
  std::string path;
  std::string label;
  std::int64_t line = 0;
};

/// One exception of a chain; each was caused by the next.
struct StackedException {
  std::string type;     ///< empty for the first: the event names it
  std::string message;  ///< empty for the first
  std::vector<StackFrame> stack;
};

/// The first exception's frames, then the exceptions that caused it. Empty if the language is not
/// known or no line is a frame of it.
/// @param language  `telemetry.sdk.language`: java, php, python, javascript, nodejs, webjs, dotnet
/// or go Pure.
std::vector<StackedException> ParseStackTrace(std::string_view language, std::string_view text);

}  // namespace fluoro::codec::xray
