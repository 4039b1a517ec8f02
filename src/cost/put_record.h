// A record more of a kind of which there may be so many.
#pragma once

#include <string_view>

#include "control/repository.h"

namespace fluoro::cost {

/// Makes or replaces. Errors: kTooLarge if it would be one more than `count_max`, those of the
/// repository.
Result<void> PutRecord(control::Transaction& change, std::string_view kind, std::string_view name,
                       std::string_view body, std::size_t count_max);

}  // namespace fluoro::cost
