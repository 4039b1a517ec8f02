// Failure as a value: every expected failure travels as Result<T>.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace fluoro {

/// Stable numbers: never reused, printed in logs and messages as "E<number>".
enum class ErrorCode : std::uint16_t {
  kInvalidArgument = 1,    ///< a caller's value is outside its documented range
  kCorruption = 2,         ///< bytes do not follow their format
  kTooLarge = 3,           ///< a stated limit is exceeded (body, document, nesting, ...)
  kNotFound = 4,           ///< no such trace, file, group, ...
  kIo = 5,                 ///< the operating system refused a read, write or sync
  kNoSpace = 6,            ///< the disk is full
  kUnavailable = 7,        ///< overload or shutdown; the same request may succeed later
  kDeadlineExceeded = 8,   ///< the deadline of a query passed
  kCancelled = 9,          ///< the client left or the process stops
  kAlreadyExists = 10,     ///< folder locked by another process, duplicate name
  kUnsupported = 11,       ///< known but not offered (encoding, version)
  kPermissionDenied = 12,  ///< keys or policies refuse
  kUnreachable = 13,       ///< no connection to the server
  kInternal = 14,          ///< a broken promise of our own; always a bug
};

/// Short lower-case name of a code: "corruption".
std::string_view ErrorCodeName(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;  ///< what was read, where, and what was wanted

  /// Puts the caller's words in front: "loading block 7: <message>".
  Error With(std::string_view context) &&;
  [[nodiscard]] Error With(std::string_view context) const&;
  bool operator==(const Error&) const = default;
};

template <class T>
using Result = std::expected<T, Error>;

/// Builds the unexpected side of a Result.
[[nodiscard]] inline std::unexpected<Error> Fail(ErrorCode code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

}  // namespace fluoro

#define FLUORO_CONCAT_INNER(a, b) a##b
#define FLUORO_CONCAT(a, b) FLUORO_CONCAT_INNER(a, b)
#define FLUORO_TRY_INNER(decl, r, ...)                  \
  auto r = (__VA_ARGS__);                               \
  if (!r) return std::unexpected(std::move(r).error()); \
  decl = *std::move(r)
/// FLUORO_TRY(const auto x, Call()): binds the value or returns the error upward. Stands in its own
/// line inside braces.
#define FLUORO_TRY(decl, ...) \
  FLUORO_TRY_INNER(decl, FLUORO_CONCAT(fluoro_try_, __COUNTER__), __VA_ARGS__)
/// FLUORO_CHECK_OK(Call()): for Result<void>.
#define FLUORO_CHECK_OK(...)                                   \
  do {                                                         \
    if (auto fluoro_check = (__VA_ARGS__); !fluoro_check)      \
      return std::unexpected(std::move(fluoro_check).error()); \
  } while (false)
