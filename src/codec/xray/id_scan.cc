#include "codec/xray/id_scan.h"

#include "base/utf8.h"

namespace fluoro::codec::xray {
namespace {

constexpr std::size_t kScannedMax = std::size_t{64} << 10;
constexpr std::size_t kIdMax = 64;

std::size_t SkipSpace(std::string_view text, std::size_t at) {
  while (at < text.size() &&
         (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t'))
    ++at;
  return at;
}

// Behind the closing quote of the string that opens at `at`; npos if it does not close.
std::size_t SkipString(std::string_view text, std::size_t at) {
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

}  // namespace

std::optional<std::string> ScanForId(std::string_view document) {
  const std::string_view text = document.substr(0, kScannedMax);
  std::size_t depth = 0;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      if (depth > 0) --depth;
    }
    if (c != '"') {
      ++i;
      continue;
    }
    const std::size_t end = SkipString(text, i);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view name = text.substr(i + 1, end - i - 2);
    i = end;
    if (depth != 1 || name != "id") continue;
    std::size_t at = SkipSpace(text, end);
    if (at == text.size() || text[at] != ':') continue;
    at = SkipSpace(text, at + 1);
    if (at == text.size() || text[at] != '"') return std::nullopt;
    const std::size_t value_end = SkipString(text, at);
    if (value_end == std::string_view::npos) return std::nullopt;
    const std::string_view value = text.substr(at + 1, value_end - at - 2);
    if (value.empty() || value.find('\\') != std::string_view::npos) return std::nullopt;
    return RepairUtf8(TruncateUtf8(value, kIdMax));
  }
  return std::nullopt;
}

}  // namespace fluoro::codec::xray
