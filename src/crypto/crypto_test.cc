#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/base64.h"
#include "base/hex.h"
#include "base/rng.h"
#include "crypto/aead.h"
#include "crypto/envelope.h"
#include "crypto/keyring.h"

namespace fluoro::crypto {
namespace {

Secret SecretOf(std::uint8_t first) {
  std::array<std::uint8_t, kKeyBytes> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(first + i);
  return Secret(bytes);
}

std::string KeyText(std::uint8_t first) {
  const Secret key = SecretOf(first);
  return ToBase64({reinterpret_cast<const char*>(key.bytes().data()), kKeyBytes});
}

std::string FromHexText(std::string_view text) {
  std::string bytes(text.size() / 2, '\0');
  EXPECT_TRUE(
      FromHex(text, std::span(reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size())));
  return bytes;
}

std::string RandomBytes(Rng& rng, std::size_t bytes) {
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(rng.Next());
  return text;
}

// Test case 16 of "The Galois/Counter Mode of Operation" (McGrew, Viega): 256-bit key, 60 bytes,
// 20 of associated data.
TEST(Aead, GivesThePublishedCiphertext) {
  const std::string key =
      FromHexText("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
  Nonce nonce;
  FromHex("cafebabefacedbaddecaf888", nonce);
  const std::string plain = FromHexText(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6"
      "b525b16aedf5aa0de657ba637b39");
  const std::string associated = FromHexText("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  const Secret secret(std::span<const std::uint8_t, kKeyBytes>(
      reinterpret_cast<const std::uint8_t*>(key.data()), kKeyBytes));
  std::string sealed = "before";
  Seal(secret, nonce, associated, plain, sealed);
  EXPECT_EQ(sealed.substr(0, 6), "before");
  sealed.erase(0, 6);
  EXPECT_EQ(sealed,
            FromHexText("522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e4859"
                        "0dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d"
                        "551b"));
  ASSERT_TRUE(OpenInPlace(secret, nonce, associated, sealed));
  EXPECT_EQ(sealed, plain);
}

TEST(Aead, RoundTripsAndFindsEveryFlippedBit) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const Secret key = Secret::Random();
    const Nonce nonce = NonceOf(rng.Next());
    const std::string plain = RandomBytes(rng, rng.Below(40));
    std::string associated = RandomBytes(rng, rng.Below(20));
    std::string sealed;
    Seal(key, nonce, associated, plain, sealed);
    EXPECT_EQ(sealed.size(), plain.size() + kTagBytes);
    std::string opened = sealed;
    ASSERT_TRUE(OpenInPlace(key, nonce, associated, opened));
    EXPECT_EQ(opened, plain);
    for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
      std::string changed = sealed;
      changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
      ASSERT_FALSE(OpenInPlace(key, nonce, associated, changed)) << bit;
      EXPECT_TRUE(changed.empty());
    }
    for (std::size_t cut = 0; cut < sealed.size(); ++cut) {
      std::string shorter = sealed.substr(0, cut);
      EXPECT_FALSE(OpenInPlace(key, nonce, associated, shorter)) << cut;
    }
    std::string elsewhere = sealed;
    EXPECT_FALSE(OpenInPlace(key, NonceOf(rng.Next()), associated, elsewhere));
    elsewhere = sealed;
    EXPECT_FALSE(OpenInPlace(key, nonce, associated + "x", elsewhere));
    elsewhere = sealed;
    EXPECT_FALSE(OpenInPlace(Secret::Random(), nonce, associated, elsewhere));
  }
}

TEST(Envelope, UnwrapsByTheKeyThatWrappedItForItsPurposeOnly) {
  const Secret data_key = Secret::Random();
  const Envelope envelope = Wrap(data_key, "k1", SecretOf(1), "file 7");
  EXPECT_EQ(Wrap(data_key, "k1", SecretOf(1), "file 7").key_name, "k1");
  EXPECT_NE(Wrap(data_key, "k1", SecretOf(1), "file 7"), envelope);  // another nonce
  const auto unwrapped = Unwrap(*DecodeEnvelope(EncodeEnvelope(envelope)), SecretOf(1), "file 7");
  ASSERT_TRUE(unwrapped);
  EXPECT_TRUE(*unwrapped == data_key);
  EXPECT_EQ(Unwrap(envelope, SecretOf(2), "file 7").error().code, ErrorCode::kPermissionDenied);
  EXPECT_FALSE(Unwrap(envelope, SecretOf(1), "file 8"));
  Envelope renamed = envelope;
  renamed.key_name = "k2";
  EXPECT_FALSE(Unwrap(renamed, SecretOf(1), "file 7"));
}

TEST(Envelope, EveryFlippedBitAndEveryCutIsDamage) {
  const std::string bytes = EncodeEnvelope(Wrap(Secret::Random(), "main", SecretOf(1), "x"));
  ASSERT_EQ(bytes.size(), kEnvelopeBytes);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string changed = bytes;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    const auto decoded = DecodeEnvelope(changed);
    ASSERT_FALSE(decoded) << bit;
    EXPECT_EQ(decoded.error().code, ErrorCode::kCorruption);
  }
  for (std::size_t cut = 0; cut < bytes.size(); ++cut)
    EXPECT_FALSE(DecodeEnvelope(std::string_view(bytes).substr(0, cut)));
}

TEST(Keyring, ReadsNamedKeysAndUsesTheFirst) {
  const auto keys = Keyring::Parse("# keys of this machine\n\nnew " + KeyText(1) + "\r\n\told\t" +
                                   KeyText(2).substr(0, 43) + "\n");
  ASSERT_TRUE(keys) << keys.error().message;
  EXPECT_EQ((*keys)->used_name(), "new");
  EXPECT_TRUE((*keys)->used()->key == SecretOf(1));
  EXPECT_TRUE(*(*keys)->Find("old") == SecretOf(2));
  EXPECT_EQ((*keys)->names(), (std::vector<std::string>{"new", "old"}));
  EXPECT_FALSE((*keys)->Find("older"));
  EXPECT_EQ((*keys)->Use("older").error().code, ErrorCode::kNotFound);
  EXPECT_TRUE((*keys)->Use("old"));
  EXPECT_EQ((*keys)->used()->name, "old");
  EXPECT_TRUE((*keys)->Use(""));
  EXPECT_FALSE((*keys)->used());
  EXPECT_EQ((*keys)->Add("old", SecretOf(3)).error().code, ErrorCode::kAlreadyExists);
  EXPECT_TRUE((*keys)->Add("old", SecretOf(2)));
  EXPECT_EQ((*keys)->Add("two words", SecretOf(3)).error().code, ErrorCode::kInvalidArgument);
}

TEST(Keyring, NamesTheLineThatIsWrongAndNotWhatItHolds) {
  const std::string key = KeyText(1);
  const std::pair<std::string, std::string> cases[] = {
      {"", "it holds no key"},
      {"# nothing\n", "it holds no key"},
      {"main", "line 1: "},
      {"a " + key + "\nmain " + key.substr(1), "line 2: the key is not"},
      {"main " + key + key, "line 1: the key is not"},
      {"main " + key.substr(0, 42) + "==", "line 1: the key is not"},
      {"main " + key.substr(0, 20) + "!" + key.substr(21), "line 1: the key is not"},
      {"main " + key + " more", "line 1: "},
      {"main " + key + "\nmain " + KeyText(2), "line 2: a key of that name"},
      {"ma\x01in " + key, "line 1: a name has"},
      {std::string(129, 'n') + " " + key, "line 1: a name has"}};
  for (const auto& [text, wanted] : cases) {
    const auto keys = Keyring::Parse(text);
    ASSERT_FALSE(keys) << text;
    EXPECT_EQ(keys.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(keys.error().message.substr(0, wanted.size()), wanted);
    EXPECT_EQ(keys.error().message.find(key.substr(2, 8)), std::string::npos);
  }
}

// FLUORO_UPDATE_GOLDEN=1 writes the seeds of envelope_fuzz.
TEST(Envelope, WritesTheFuzzCorpus) {
  const char* const update = std::getenv("FLUORO_UPDATE_GOLDEN");
  if (update == nullptr || std::string_view(update) != "1") GTEST_SKIP() << "nothing to update";
  const std::filesystem::path corpus = "src/crypto/testdata/corpus/envelope";
  std::filesystem::create_directories(corpus);
  std::ofstream(corpus / "envelope", std::ios::binary)
      << EncodeEnvelope({.key_name = "main", .nonce = NonceOf(1), .wrapped = {}});
  std::ofstream(corpus / "key_file", std::ios::binary)
      << "# keys\nmain " << KeyText(1) << "\nold " << KeyText(2) << "\n";
}

}  // namespace
}  // namespace fluoro::crypto
