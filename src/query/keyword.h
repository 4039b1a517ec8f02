// The simple keywords of the filter language: names, types and spelling help.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fluoro::query {

/// Grouped by type: Booleans, numbers, strings.
enum class Keyword : std::uint8_t {
  kOk,
  kError,
  kThrottle,
  kFault,
  kPartial,
  kInferred,
  kFirst,
  kLast,
  kRemote,
  kRoot,
  kResponseTime,
  kDuration,
  kHttpStatus,
  kIndex,
  kCoverage,
  kHttpUrl,
  kHttpMethod,
  kHttpUserAgent,
  kHttpClientIp,
  kUser,
  kName,
  kType,
  kMessage,
  kAvailabilityZone,
  kInstanceId,
  kResourceArn,
  kAccountId,
};

enum class KeywordType : std::uint8_t { kBoolean, kNumber, kString };

KeywordType TypeOf(Keyword keyword);
/// Lower-case spelling.
std::string_view KeywordName(Keyword keyword);
/// Of any case.
std::optional<Keyword> FindKeyword(std::string_view word);

/// ASCII letters in lower case, everything else as it is.
std::string AsciiLower(std::string_view text);

/// The keyword (simple or complex) a misspelt word most likely meant; empty if none is near.
std::string SuggestKeyword(std::string_view word);

}  // namespace fluoro::query
