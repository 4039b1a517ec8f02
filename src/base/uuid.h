// Random identifiers.
#pragma once

#include <string>

namespace fluoro {

/// A version 4 UUID in lower case. Thread-safe.
std::string NewUuid();

}  // namespace fluoro
