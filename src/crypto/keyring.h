// Keys by name, and which of them wraps the data keys of new files.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/mutex.h"
#include "crypto/aead.h"

namespace fluoro::crypto {

/// Thread-safe. A key that was added stays.
class Keyring {
 public:
  Keyring() = default;
  /// Lines `name base64-of-32-bytes`; empty ones and those that begin with '#' are passed over.
  /// The first key is in use. Errors: kInvalidArgument with the number of the line, never its
  /// content.
  static Result<std::shared_ptr<Keyring>> Parse(std::string_view text);

  /// Errors: kInvalidArgument (no name of a key), kAlreadyExists (another key has that name).
  Result<void> Add(std::string_view name, const Secret& key);
  /// New data keys are wrapped by this key from now on; empty: new files are not encrypted.
  /// Errors: kNotFound.
  Result<void> Use(std::string_view name);

  struct NamedKey {
    std::string name;
    Secret key;
  };
  /// The key in use.
  [[nodiscard]] std::optional<NamedKey> used() const;
  [[nodiscard]] std::string used_name() const;
  [[nodiscard]] std::optional<Secret> Find(std::string_view name) const;
  /// Sorted.
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  mutable Mutex mutex_;
  std::map<std::string, Secret, std::less<>> keys_ FLUORO_GUARDED_BY(mutex_);
  std::string used_ FLUORO_GUARDED_BY(mutex_);
};

}  // namespace fluoro::crypto
