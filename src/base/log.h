// Structured logs: one JSON-like line an event on standard error: time level message key=value ...
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace fluoro::log {

/// Values are escaped so that a line stays one line, whatever a client sent.
using Fields = std::initializer_list<std::pair<std::string_view, std::string>>;

enum class Level { kDebug, kInfo, kWarn, kError, kOff };

/// Sets the least level that is printed; default kInfo. Thread-safe.
void SetLevel(Level level);
void Debug(std::string_view message, Fields fields = {});
void Info(std::string_view message, Fields fields = {});
void Warn(std::string_view message, Fields fields = {});
void Error(std::string_view message, Fields fields = {});
/// For clean-ups that may fail without harm: a failure is a warning "<what> failed" with its
/// reason, and nothing else.
void WarnIfFailed(std::string_view what, const Result<void>& result);

}  // namespace fluoro::log
