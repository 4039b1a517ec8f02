#include "codec/otlp/wire.h"

namespace fluoro::codec::otlp::internal {

void AppendVarint(std::uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

void AppendField(std::uint32_t field, std::string_view bytes, std::string& out) {
  AppendVarint(Tag(field, WireType::kBytes), out);
  AppendVarint(bytes.size(), out);
  out += bytes;
}

void AppendVarintField(std::uint32_t field, std::uint64_t value, std::string& out) {
  AppendVarint(Tag(field, WireType::kVarint), out);
  AppendVarint(value, out);
}

void AppendFixed64Field(std::uint32_t field, std::uint64_t value, std::string& out) {
  AppendVarint(Tag(field, WireType::kFixed64), out);
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void AppendFixed32Field(std::uint32_t field, std::uint32_t value, std::string& out) {
  AppendVarint(Tag(field, WireType::kFixed32), out);
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace fluoro::codec::otlp::internal
