// Deletions that files without a key have still to learn of: locked/DELETIONS.
// docs/formats/encryption.md.
//
// held := magic:8 major:2 minor:2 count:4 (lsn:8 id:16)* sum:8 (XXH3-64)
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/error.h"
#include "model/ids.h"

namespace fluoro::store {

/// Rows of a trace with an LSN up to this are gone.
using HeldDeletions = std::map<model::TraceId, std::uint64_t>;

std::string EncodeHeldDeletions(const HeldDeletions& held);
/// Errors: kCorruption, kUnsupported. Pure.
Result<HeldDeletions> DecodeHeldDeletions(std::string_view bytes);

}  // namespace fluoro::store
