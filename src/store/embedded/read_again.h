// Reading again after an error of the disk.
#pragma once

#include "base/error.h"

namespace fluoro::store {

/// Calls until it succeeds, fails for another reason than kIo, or has failed kReadTries times: a
/// passing fault costs nothing, and what stays unreadable counts as damaged.
inline constexpr int kReadTries = 3;
template <class Call>
auto ReadAgain(Call&& call) {
  auto result = call();
  for (int tried = 1; !result && result.error().code == ErrorCode::kIo && tried < kReadTries;
       ++tried) {
    result = call();
  }
  return result;
}

}  // namespace fluoro::store
