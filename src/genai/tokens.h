// What the token counts of one span include: some instrumentations state the prompt without what
// was read from or written to the provider's cache, and the answer without its reasoning.
// Source: docs/genai.md, "Tokens".
#pragma once

#include <cstdint>

#include "genai/fields.h"

namespace fluoro::genai {

/// What the raw counts leave out.
struct Inclusion {
  bool without_cache = false;
  bool without_reasoning = false;
  bool assumed = false;  ///< of the prompt: nothing tells, so it was taken as including the cache
};

/// In this order: parts that exceed their whole; the stated total; what is known of the source and
/// of the instrumentation; else both are included. Pure.
Inclusion InclusionOf(const model::Span& span);

/// Cache reads and writes as stated; 0 if none.
std::int64_t CacheTokens(const model::Span& span);

/// Two conventions on the span state counts of one kind that differ by more than 1 %, whatever they
/// include. Pure.
bool HasTokenConflict(const model::Span& span);

/// A token count is stated that is none: text, negative, NaN, beyond 2^53. Pure.
bool HasBadTokenCount(const model::Span& span);

}  // namespace fluoro::genai
