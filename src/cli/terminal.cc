#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "base/clock.h"
#include "base/utf8.h"
#include "cli/exit_code.h"

namespace fluoro::cli {
namespace {

constexpr std::array<std::string_view, 9> kCodes{"",         "\x1b[1m",  "\x1b[2m",
                                                 "\x1b[31m", "\x1b[32m", "\x1b[33m",
                                                 "\x1b[35m", "\x1b[36m", "\x1b[34m"};

// Bytes of the code point that begins with `lead`; the text is valid UTF-8.
std::size_t CodePointBytes(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  if (byte < 0x80) return 1;
  if (byte < 0xe0) return 2;
  if (byte < 0xf0) return 3;
  return 4;
}

std::size_t CodePointColumns(std::string_view bytes) {
  char32_t value = static_cast<unsigned char>(bytes[0]);
  if (bytes.size() == 1) return 1;
  value &= bytes.size() == 2 ? 0x1fU : bytes.size() == 3 ? 0x0fU : 0x07U;
  for (std::size_t i = 1; i < bytes.size(); ++i)
    value = (value << 6) | (static_cast<unsigned char>(bytes[i]) & 0x3fU);
  if (value >= 0x300 && value <= 0x36f) return 0;
  const bool wide = (value >= 0x1100 && value <= 0x115f) || (value >= 0x2e80 && value <= 0xa4cf) ||
                    (value >= 0xac00 && value <= 0xd7a3) || (value >= 0xf900 && value <= 0xfaff) ||
                    (value >= 0xfe30 && value <= 0xfe6f) || (value >= 0xff00 && value <= 0xff60) ||
                    (value >= 0x1f300 && value <= 0x1faff);
  return wide ? 2 : 1;
}

}  // namespace

int Report(const Error& error) {
  std::fprintf(stderr, "fluoro: %s\n", error.message.c_str());
  switch (error.code) {
    case ErrorCode::kNotFound:
      return kNotFoundOrFailed;
    case ErrorCode::kUnreachable:
    case ErrorCode::kDeadlineExceeded:
      return kUnreachable;
    case ErrorCode::kPermissionDenied:
    case ErrorCode::kUnavailable:
    case ErrorCode::kNoSpace:
      return kRefused;
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kUnsupported:
      return kWrongUse;
    default:
      return kNotFoundOrFailed;
  }
}

Terminal Terminal::Detect() {
  Terminal terminal;
  const bool is_terminal = isatty(STDOUT_FILENO) == 1;
  const char* no_colour = std::getenv("NO_COLOR");
  terminal.colours = is_terminal && (no_colour == nullptr || *no_colour == '\0');
  winsize size{};
  if (is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    terminal.columns = size.ws_col;
  terminal.columns = std::clamp<std::size_t>(terminal.columns, 60, 240);
  return terminal;
}

std::string Terminal::Paint(std::string_view text, Ink ink) const {
  if (!colours || ink == Ink::kPlain) return std::string(text);
  return std::string(kCodes[static_cast<std::size_t>(ink)]) + std::string(text) + "\x1b[0m";
}

Ink OutcomeInk(std::string_view outcome) {
  if (outcome == "fault") return Ink::kRed;
  if (outcome == "error") return Ink::kYellow;
  if (outcome == "throttle") return Ink::kMagenta;
  return Ink::kGreen;
}

std::size_t DisplayWidth(std::string_view text) {
  std::size_t columns = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t bytes = std::min(CodePointBytes(text[i]), text.size() - i);
    columns += CodePointColumns(text.substr(i, bytes));
    i += bytes;
  }
  return columns;
}

std::string Fit(std::string_view text, std::size_t columns) {
  const std::size_t width = DisplayWidth(text);
  if (width <= columns) return std::string(text) + std::string(columns - width, ' ');
  if (columns == 0) return {};
  std::string cut;
  std::size_t used = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t bytes = std::min(CodePointBytes(text[i]), text.size() - i);
    const std::size_t wide = CodePointColumns(text.substr(i, bytes));
    if (used + wide + 1 > columns) break;
    cut += text.substr(i, bytes);
    used += wide;
    i += bytes;
  }
  return cut + "…" + std::string(columns - used - 1, ' ');
}

namespace {

// Bytes of the character at `at` if it changes how a terminal shows others: C1 controls, and marks
// and overrides of direction (U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069); else 0.
std::size_t ControlBytes(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
  };
  if (byte(0) == 0xc2 && byte(1) >= 0x80 && byte(1) < 0xa0) return 2;
  if (byte(0) != 0xe2) return 0;
  const unsigned last = byte(2);
  const bool mark =
      byte(1) == 0x80 && (last == 0x8e || last == 0x8f || (last >= 0xaa && last <= 0xae));
  const bool isolate = byte(1) == 0x81 && last >= 0xa6 && last <= 0xa9;
  return mark || isolate ? 3 : 0;
}

}  // namespace

std::string Sanitise(std::string_view text) {
  const std::string repaired = RepairUtf8(text);
  std::string clean;
  clean.reserve(repaired.size());
  for (std::size_t i = 0; i < repaired.size();) {
    const auto c = static_cast<unsigned char>(repaired[i]);
    const std::size_t control = c < 0x20 || c == 0x7f ? 1 : ControlBytes(repaired, i);
    clean += control == 0 ? repaired[i] : ' ';
    i += std::max<std::size_t>(1, control);
  }
  return clean;
}

Progress::Progress(std::string_view what)
    : what_(what), active_(isatty(STDERR_FILENO) == 1), started_ns_(SystemClock().MonotonicNs()) {}

void Progress::Update(std::string_view detail) {
  if (!active_) return;
  const std::int64_t now = SystemClock().MonotonicNs();
  if (now - started_ns_ < kNsPerSecond || now - updated_ns_ < 100 * kNsPerMs) return;
  updated_ns_ = now;
  shown_ = true;
  std::fprintf(stderr, "\r\x1b[K%s %.*s", what_.c_str(), static_cast<int>(detail.size()),
               detail.data());
}

Progress::~Progress() {
  if (shown_) std::fprintf(stderr, "\r\x1b[K");
}

}  // namespace fluoro::cli
