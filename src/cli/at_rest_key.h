// The key file of --at-rest-key. docs/formats/encryption.md.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "crypto/keyring.h"

namespace fluoro::cli {

/// Null for an empty path. Warns, without refusing, if others than its owner may read the file.
/// Errors: kInvalidArgument, naming the file and its line but nothing that stands in it.
Result<std::shared_ptr<crypto::Keyring>> LoadAtRestKeys(const std::string& path);

}  // namespace fluoro::cli
