// What one encrypted file is sealed with. docs/formats/encryption.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "crypto/aead.h"
#include "crypto/envelope.h"
#include "crypto/keyring.h"

namespace fluoro::store {

/// Stored: never renumber.
enum class FileKind : std::uint8_t {
  kLog = 1,
  kBlock = 2,       ///< also files of sums
  kAttributes = 3,  ///< attribute_file.h
};

/// The data key of one file, which seals that file only. A place in a file is written once, so that
/// it serves as nonce. Immutable, thread-safe.
class FileCipher {
 public:
  /// A new data key, wrapped by the key in use. Null if there is none: the file is not encrypted.
  static std::shared_ptr<const FileCipher> Make(const crypto::Keyring* keys, FileKind kind,
                                                std::uint64_t id);
  /// Of a file that is there. Errors: kPermissionDenied, naming the key: it is not in `keys` (which
  /// may be null), or is another than the one that wrapped the data key.
  static Result<std::shared_ptr<const FileCipher>> Of(const crypto::Keyring* keys,
                                                      const crypto::Envelope& envelope,
                                                      FileKind kind, std::uint64_t id);

  [[nodiscard]] const crypto::Envelope& envelope() const { return envelope_; }
  /// The same data key, wrapped by `key`.
  [[nodiscard]] crypto::Envelope WrapAgain(const crypto::Keyring::NamedKey& key) const;

  /// Appends what stands at `place` of the file. `what` is what it must be when it is read.
  void Seal(std::uint64_t place, std::string_view what, std::string_view plain,
            std::string& out) const;
  /// Errors: kCorruption: changed, from another place or file, or not `what`.
  Result<void> Open(std::uint64_t place, std::string_view what, std::string& sealed) const;

 private:
  FileCipher(FileKind kind, std::uint64_t id, const crypto::Secret& data_key,
             crypto::Envelope envelope);
  const FileKind kind_;
  const std::uint64_t id_;
  const crypto::Secret data_key_;
  const crypto::Envelope envelope_;
};

}  // namespace fluoro::store
