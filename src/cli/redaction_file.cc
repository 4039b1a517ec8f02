#include "cli/redaction_file.h"

#include <optional>
#include <vector>

#include "base/base64.h"
#include "base/fs.h"
#include "base/log.h"
#include "cli/at_rest_key.h"
#include "control/redaction_rules.h"
#include "crypto/envelope.h"

namespace fluoro::cli {
namespace {

constexpr std::string_view kWhatFor = "redaction";

struct Content {
  redact::ContentMode mode = redact::ContentMode::kFull;
  crypto::Secret key;
  std::string wrapped_by;  ///< empty: plain
};

Result<crypto::Secret> SecretOf(std::string_view bytes) {
  if (bytes.size() != crypto::kKeyBytes)
    return Fail(ErrorCode::kCorruption, "a key of 32 bytes in base64 wanted");
  return crypto::Secret(std::span<const std::uint8_t, crypto::kKeyBytes>(
      reinterpret_cast<const std::uint8_t*>(bytes.data()), crypto::kKeyBytes));
}

// The word behind `name` at the beginning of `text`, up to the end of the line; moves `text` on.
Result<std::string_view> TakeLine(std::string_view& text, std::string_view name) {
  const std::size_t end = text.find('\n');
  if (!text.starts_with(name) || end == std::string_view::npos)
    return Fail(ErrorCode::kCorruption, "a line '" + std::string(name) + "...' wanted");
  const std::string_view value = text.substr(name.size(), end - name.size());
  text.remove_prefix(end + 1);
  return value;
}

Result<Content> Parse(std::string_view text, const crypto::Keyring* keys) {
  FLUORO_TRY(const std::string_view mode_name, TakeLine(text, "content "));
  FLUORO_TRY(std::string_view key, TakeLine(text, "key "));
  const auto mode = redact::ParseContentMode(mode_name);
  if (!mode) return Fail(ErrorCode::kCorruption, "none, hash, redacted or full wanted");
  const bool plain = key.starts_with("plain ");
  if (!plain && !key.starts_with("wrapped "))
    return Fail(ErrorCode::kCorruption, "a plain or a wrapped key wanted");
  const auto bytes = FromBase64(key.substr(key.find(' ') + 1));
  if (!bytes) return Fail(ErrorCode::kCorruption, "base64 wanted");
  if (plain) {
    FLUORO_TRY(const crypto::Secret secret, SecretOf(*bytes));
    return Content{.mode = *mode, .key = secret, .wrapped_by = {}};
  }
  FLUORO_TRY(const crypto::Envelope envelope, crypto::DecodeEnvelope(*bytes));
  const auto by = keys == nullptr ? std::nullopt : keys->Find(envelope.key_name);
  if (!by) {
    return Fail(ErrorCode::kPermissionDenied,
                "the key '" + envelope.key_name + "' is wanted (--at-rest-key)");
  }
  FLUORO_TRY(const crypto::Secret secret, crypto::Unwrap(envelope, *by, kWhatFor));
  return Content{.mode = *mode, .key = secret, .wrapped_by = envelope.key_name};
}

std::string Print(const Content& content, const crypto::Keyring* keys) {
  std::string text = "content " + std::string(redact::ContentModeName(content.mode)) + "\nkey ";
  const auto used = keys == nullptr ? std::nullopt : keys->used();
  if (used) {
    text += "wrapped " + ToBase64(crypto::EncodeEnvelope(
                             crypto::Wrap(content.key, used->name, used->key, kWhatFor)));
  } else {
    const auto bytes = content.key.bytes();
    text += "plain " + ToBase64({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  return text + "\n";
}

std::string PathIn(const std::string& folder) { return folder + "/" + std::string(kRedactionFile); }

Result<std::optional<Content>> Read(const std::string& folder, const crypto::Keyring* keys) {
  const auto fs = MakePosixFs();
  const std::string path = PathIn(folder);
  if (!fs->Exists(path)) return std::nullopt;
  FLUORO_TRY(std::string text, ReadFile(*fs, path));
  auto content = Parse(text, keys);
  crypto::Wipe(text);
  if (!content) return std::unexpected(std::move(content).error().With(path));
  return std::optional<Content>(*std::move(content));
}

Result<std::shared_ptr<const redact::Policy>> PolicyOf(const Content& content,
                                                       control::Repository& control) {
  if (content.mode == redact::ContentMode::kFull) return nullptr;
  return redact::Policy::Make(content.mode, control::ReadRedactionRules(*control.Read()),
                              content.key);
}

}  // namespace

Result<std::shared_ptr<const redact::Policy>> UseRedaction(const std::string& folder,
                                                           redact::ContentMode mode,
                                                           const crypto::Keyring* keys,
                                                           control::Repository& control) {
  FLUORO_TRY(std::optional<Content> content, Read(folder, keys));
  if (!content && mode == redact::ContentMode::kFull) return nullptr;
  const bool made = !content;
  if (made) content = Content{.mode = mode, .key = crypto::Secret::Random(), .wrapped_by = {}};
  const std::string wrap_by = keys == nullptr ? std::string() : keys->used_name();
  if (made || content->mode != mode || content->wrapped_by != wrap_by) {
    content->mode = mode;
    std::string text = Print(*content, keys);
    auto written = WriteSecretFile(PathIn(folder), text);
    crypto::Wipe(text);
    if (!written) return std::unexpected(std::move(written).error());
  }
  return PolicyOf(*content, control);
}

Result<std::shared_ptr<const redact::Policy>> ReadRedaction(const std::string& folder,
                                                            const crypto::Keyring* keys,
                                                            control::Repository& control) {
  FLUORO_TRY(const std::optional<Content> content, Read(folder, keys));
  if (!content) return nullptr;
  return PolicyOf(*content, control);
}

}  // namespace fluoro::cli
