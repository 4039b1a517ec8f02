// What a reader of a span's canonical fields must know about how they were found: `norm_flags`.
#pragma once

#include <string>

#include "model/span.h"

namespace fluoro::genai {

/// The flags that hold, in the order of docs/genai.md, "Flags", with blanks between; "" if none.
/// Pure.
std::string FlagsOf(const model::Span& span);

}  // namespace fluoro::genai
