// Whether a span can be GenAI work at all, by its attribute keys: so that traffic without any is
// passed over by batch and by row group.
#pragma once

#include <cstdint>
#include <string_view>

#include "model/span.h"

namespace fluoro::genai {

enum class Evidence : std::uint8_t {
  kNone,
  kByValue,  ///< of an AWS or RPC call, or of a general key: ValueIsEvidence decides
  kSure,
};

/// Of an attribute key, of a span. No span without evidence is a call (calls.h). Pure.
Evidence EvidenceOf(std::string_view key);
/// Of an attribute whose key is kByValue, or of the name of a span that has one. Pure.
bool ValueIsEvidence(std::string_view value);
bool HasEvidence(const model::Span& span);

}  // namespace fluoro::genai
