// How a folder redacts: its content mode, and the key of its hashes, made once. docs/redaction.md.
//
// file := "content " mode "\n" "key " ("plain " base64-of-32-bytes | "wrapped " base64-of-envelope)
// "\n"
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "control/repository.h"
#include "crypto/keyring.h"
#include "redact/policy.h"

namespace fluoro::cli {

/// In the folder, readable by its owner only. While a key of encryption at rest is in use, the key
/// in it is wrapped by that.
inline constexpr std::string_view kRedactionFile = "redaction";

/// What a server with this mode redacts by, with the rules recorded in `control`; the mode is kept,
/// for imports into the folder while no server runs. Null: nothing (`full`).
/// Errors: kIo; kPermissionDenied: the key is wrapped by one that `keys` does not have.
Result<std::shared_ptr<const redact::Policy>> UseRedaction(const std::string& folder,
                                                           redact::ContentMode mode,
                                                           const crypto::Keyring* keys,
                                                           control::Repository& control);
/// As the last server on this folder did; null also for a folder that never redacted.
Result<std::shared_ptr<const redact::Policy>> ReadRedaction(const std::string& folder,
                                                            const crypto::Keyring* keys,
                                                            control::Repository& control);

}  // namespace fluoro::cli
