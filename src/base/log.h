// Structured logs: one JSON-like line an event on standard error: time level message key=value ...
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

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

}  // namespace fluoro::log
