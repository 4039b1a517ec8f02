// Source: W3C Baggage; OpenTelemetry's limits.
#include <algorithm>
#include <optional>

#include "base/hex.h"
#include "base/utf8.h"
#include "propagation/context.h"
#include "propagation/text.h"

namespace fluoro::propagation {
namespace {

bool IsToken(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

bool IsValueByte(char c) {
  constexpr std::string_view kNone = "\",;\\";
  return internal::IsVisible(c) && kNone.find(c) == std::string_view::npos;
}

bool IsPropertiesByte(char c) {
  return c == ' ' || c == '\t' || (internal::IsVisible(c) && c != ',');
}

// A percent sign that begins no code stands for itself.
std::string Decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::uint8_t byte = 0;
    if (text[i] == '%' && FromHex(text.substr(i + 1, 2), {&byte, 1})) {
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return IsValidUtf8(out) ? out : RepairUtf8(out);
}

std::string Encode(std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (IsValueByte(c) && c != '%') {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

std::optional<BaggageEntry> ReadMember(std::string_view text) {
  std::string_view rest = text;
  std::string_view pair = internal::TakeUntil(rest, ';');
  const std::size_t equals = pair.find('=');
  if (equals == std::string_view::npos) return std::nullopt;
  const std::string_view key = internal::Trim(pair.substr(0, equals));
  const std::string_view value = internal::Trim(pair.substr(equals + 1));
  const std::string_view properties = internal::Trim(rest);
  if (!IsToken(key) || !std::all_of(value.begin(), value.end(), IsValueByte) ||
      !std::all_of(properties.begin(), properties.end(), IsPropertiesByte)) {
    return std::nullopt;
  }
  return BaggageEntry{
      .key = std::string(key), .value = Decode(value), .properties = std::string(properties)};
}

}  // namespace

std::vector<BaggageEntry> ParseBaggage(std::string_view header) {
  std::vector<BaggageEntry> entries;
  std::size_t bytes = 0;
  while (!header.empty()) {
    const std::string_view text = internal::Trim(internal::TakeUntil(header, ','));
    if (text.empty() || text.size() > kBaggageMemberBytesMax) continue;
    auto entry = ReadMember(text);
    if (!entry) continue;
    const auto same = std::find_if(entries.begin(), entries.end(),
                                   [&](const BaggageEntry& e) { return e.key == entry->key; });
    const std::size_t added = text.size() + (bytes == 0 ? 0 : 1);
    if (bytes + added > kBaggageBytesMax) continue;
    if (same == entries.end() && entries.size() >= kBaggageMembersMax) continue;
    bytes += added;
    if (same == entries.end()) {
      entries.push_back(*std::move(entry));
    } else {
      *same = *std::move(entry);
    }
  }
  return entries;
}

std::string PrintBaggage(const std::vector<BaggageEntry>& entries) {
  std::string text;
  std::size_t members = 0;
  for (const BaggageEntry& entry : entries) {
    if (members >= kBaggageMembersMax) break;
    if (!IsToken(entry.key) ||
        !std::all_of(entry.properties.begin(), entry.properties.end(), IsPropertiesByte)) {
      continue;
    }
    std::string member = entry.key + "=" + Encode(entry.value);
    if (!entry.properties.empty()) member += ";" + entry.properties;
    const std::size_t added = member.size() + (text.empty() ? 0 : 1);
    if (member.size() > kBaggageMemberBytesMax || text.size() + added > kBaggageBytesMax) continue;
    if (!text.empty()) text += ',';
    text += member;
    ++members;
  }
  return text;
}

}  // namespace fluoro::propagation
