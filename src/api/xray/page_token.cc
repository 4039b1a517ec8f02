#include "api/xray/page_token.h"

#include <xxhash.h>

#include <span>
#include <vector>

#include "base/assert.h"
#include "base/hex.h"

namespace fluoro::api::xray {
namespace {

constexpr std::size_t kTagBytes = 8;

void AppendFixed(std::string& out, std::uint64_t number, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>((number >> (8 * i)) & 0xffU);
}

std::uint64_t TagOf(std::string_view position, const Fingerprint& fingerprint) {
  return XXH3_64bits_withSeed(position.data(), position.size(), fingerprint.Hash());
}

}  // namespace

Fingerprint& Fingerprint::Add(std::string_view text) {
  AppendFixed(text_, text.size(), 8);
  text_ += text;
  return *this;
}

Fingerprint& Fingerprint::Add(std::int64_t number) {
  AppendFixed(text_, static_cast<std::uint64_t>(number), 8);
  return *this;
}

std::uint64_t Fingerprint::Hash() const { return XXH3_64bits(text_.data(), text_.size()); }

PositionWriter& PositionWriter::Add(std::uint64_t number, int bytes) {
  AppendFixed(position_, number, bytes);
  return *this;
}

PositionWriter& PositionWriter::Add(std::string_view bytes) {
  position_ += bytes;
  return *this;
}

std::string PositionWriter::Token(const Fingerprint& fingerprint) const {
  FLUORO_ASSERT(position_.size() <= kPositionBytesMax);
  std::string token = position_;
  AppendFixed(token, TagOf(position_, fingerprint), kTagBytes);
  return ToHex(std::span(reinterpret_cast<const std::uint8_t*>(token.data()), token.size()));
}

ApiResult<PositionReader> PositionReader::Open(std::string_view token,
                                               const Fingerprint& fingerprint, std::size_t bytes) {
  const auto refuse = [] { return Refuse("NextToken is invalid or belongs to another request"); };
  if (token.size() != 2 * (bytes + kTagBytes)) return refuse();
  std::string raw(bytes + kTagBytes, '\0');
  if (!FromHex(token, std::span(reinterpret_cast<std::uint8_t*>(raw.data()), raw.size())))
    return refuse();
  std::string tag;
  AppendFixed(tag, TagOf(std::string_view(raw).substr(0, bytes), fingerprint), kTagBytes);
  if (!raw.ends_with(tag)) return refuse();
  raw.resize(bytes);
  return PositionReader(std::move(raw));
}

std::uint64_t PositionReader::Take(int bytes) {
  std::uint64_t number = 0;
  for (int i = 0; i < bytes; ++i) {
    number |=
        std::uint64_t{static_cast<std::uint8_t>(position_[next_ + static_cast<std::size_t>(i)])}
        << (8 * i);
  }
  next_ += static_cast<std::size_t>(bytes);
  return number;
}

std::string_view PositionReader::TakeText(std::size_t bytes) {
  const std::string_view text = std::string_view(position_).substr(next_, bytes);
  next_ += bytes;
  return text;
}

}  // namespace fluoro::api::xray
