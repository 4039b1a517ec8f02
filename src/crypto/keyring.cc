#include "crypto/keyring.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <array>
#include <span>

#include "crypto/envelope.h"

namespace fluoro::crypto {
namespace {

constexpr std::size_t kBase64Bytes = 44;  // of 32 bytes, with the padding

std::optional<Secret> DecodeKey(std::string_view text) {
  if (text.size() == kBase64Bytes - 1) {
    std::string padded(text);  // the padding may be absent
    padded += '=';
    auto key = DecodeKey(padded);
    Wipe(padded);
    return key;
  }
  if (text.size() != kBase64Bytes || !text.ends_with('=') || text[kBase64Bytes - 2] == '=')
    return std::nullopt;
  std::array<unsigned char, kBase64Bytes / 4 * 3> bytes{};
  const int got = EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(text.data()),
                                  static_cast<int>(text.size()));
  std::optional<Secret> key;
  if (got == static_cast<int>(bytes.size()))
    key.emplace(std::span<const std::uint8_t, kKeyBytes>(bytes.data(), kKeyBytes));
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return key;
}

std::string_view TakeWord(std::string_view& line) {
  constexpr std::string_view kBlanks = " \t\r";
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kBlanks));
  line.remove_prefix(word.size());
  return word;
}

}  // namespace

Result<std::shared_ptr<Keyring>> Keyring::Parse(std::string_view text) {
  auto keys = std::make_shared<Keyring>();
  for (std::size_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const auto bad = [number](const std::string& what) {
      return Fail(ErrorCode::kInvalidArgument, "line " + std::to_string(number) + ": " + what);
    };
    const std::string_view name = TakeWord(line);
    if (name.empty() || name.starts_with('#')) continue;
    const std::string_view encoded = TakeWord(line);
    if (!TakeWord(line).empty() || encoded.empty())
      return bad("'name base64-of-32-bytes' is wanted");
    const auto key = DecodeKey(encoded);
    if (!key) return bad("the key is not the base64 of 32 bytes");
    if (auto added = keys->Add(name, *key); !added)
      return bad(added.error().code == ErrorCode::kAlreadyExists
                     ? "a key of that name stands above"
                     : "a name has 1 to 128 printable ASCII characters");
    if (keys->used_name().empty()) FLUORO_CHECK_OK(keys->Use(name));
  }
  if (keys->used_name().empty()) return Fail(ErrorCode::kInvalidArgument, "it holds no key");
  return keys;
}

Result<void> Keyring::Add(std::string_view name, const Secret& key) {
  if (!IsKeyName(name))
    return Fail(ErrorCode::kInvalidArgument,
                "the name of a key has 1 to 128 printable ASCII characters without spaces");
  MutexLock lock(mutex_);
  const auto [at, is_new] = keys_.try_emplace(std::string(name), key);
  if (is_new || at->second == key) return {};
  return Fail(ErrorCode::kAlreadyExists, "there is another key " + std::string(name));
}

Result<void> Keyring::Use(std::string_view name) {
  MutexLock lock(mutex_);
  if (!name.empty() && !keys_.contains(name))
    return Fail(ErrorCode::kNotFound, "there is no key " + std::string(name));
  used_ = name;
  return {};
}

std::optional<Keyring::NamedKey> Keyring::used() const {
  MutexLock lock(mutex_);
  const auto at = keys_.find(used_);
  if (at == keys_.end()) return std::nullopt;
  return NamedKey{.name = at->first, .key = at->second};
}

std::string Keyring::used_name() const {
  MutexLock lock(mutex_);
  return used_;
}

std::optional<Secret> Keyring::Find(std::string_view name) const {
  MutexLock lock(mutex_);
  const auto at = keys_.find(name);
  if (at == keys_.end()) return std::nullopt;
  return at->second;
}

std::vector<std::string> Keyring::names() const {
  MutexLock lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, key] : keys_) names.push_back(name);
  return names;
}

}  // namespace fluoro::crypto
