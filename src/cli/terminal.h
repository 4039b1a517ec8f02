// Colours, widths and progress on a terminal; plain text elsewhere and with NO_COLOR.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace fluoro::cli {

enum class Ink : std::uint8_t {
  kPlain,
  kBold,
  kDim,
  kRed,
  kGreen,
  kYellow,
  kMagenta,
  kCyan,
  kBlue
};

struct Terminal {
  bool colours = false;
  std::size_t columns = 100;  ///< of the terminal, or 100 where output goes elsewhere

  /// Of standard output.
  static Terminal Detect();
  [[nodiscard]] std::string Paint(std::string_view text, Ink ink) const;
};

/// Ink of "ok", "error", "throttle", "fault".
Ink OutcomeInk(std::string_view outcome);

/// Columns a terminal needs for UTF-8 text: code points, wide ones twice; control characters count
/// as one.
std::size_t DisplayWidth(std::string_view text);
/// Cuts to `columns` with an ellipsis, or pads with spaces.
std::string Fit(std::string_view text, std::size_t columns);
/// Control characters (of names that came from outside) become visible, so that they cannot drive
/// the terminal.
std::string Sanitise(std::string_view text);

/// A line on standard error that is rewritten in place; silent where standard error is no terminal.
class Progress {
 public:
  explicit Progress(std::string_view what);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void Update(std::string_view detail);

 private:
  std::string what_;
  bool active_;
  bool shown_ = false;
  std::int64_t started_ns_;
  std::int64_t updated_ns_ = 0;
};

}  // namespace fluoro::cli
