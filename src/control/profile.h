// What a server begins with. Its records are ordinary ones: a profile sets only what nobody else
// has changed.
#pragma once

#include <cstdint>
#include <optional>

#include "control/repository.h"
#include "sampling/tail_policy.h"

namespace fluoro::control {

enum class Profile : std::uint8_t {
  kNone,  ///< Default rule 1/s + 5 %, everything is kept
  kDev,   ///< Default rule 100 %, everything is kept
  kProd,  ///< Default rule 1/s + 5 %, sampling::BiasedTailPolicies
};

/// The Default sampling rule and the tail policies of a profile, unless they were changed since a
/// profile set them. Errors: those of Repository::Write.
Result<void> ApplyProfile(Repository& repository, Profile profile);

}  // namespace fluoro::control
