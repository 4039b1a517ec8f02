// Keys of encrypted folders: those of --at-rest-key, and those that a server made because
// PutEncryptionConfig named them. docs/formats/encryption.md.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "crypto/keyring.h"

namespace fluoro::cli {

/// In the folder; the same form as the file of --at-rest-key.
inline constexpr std::string_view kMadeKeysFile = "made-keys";
inline constexpr std::size_t kMadeKeysMax = 100;

/// The keys of the file and those made in the folder; of these none is in use. Null: there are
/// neither. Warns, without refusing, if others than its owner may read the file.
/// Errors: kInvalidArgument, naming the file and its line but nothing that stands in it.
Result<std::shared_ptr<crypto::Keyring>> LoadAtRestKeys(const std::string& path,
                                                        const std::string& folder);

/// Makes a key of this name and keeps it in the folder, readable by its owner only. Errors:
/// kInvalidArgument (no name of a key), kTooLarge (there are kMadeKeysMax), kIo.
Result<void> MakeAtRestKey(crypto::Keyring& keys, const std::string& folder, std::string_view name);

/// Writes a file that only its owner reads: whole or not at all, and durable. Errors: kIo.
Result<void> WriteSecretFile(const std::string& path, std::string_view text);

}  // namespace fluoro::cli
