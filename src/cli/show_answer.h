// How a reading command ends.
#pragma once

#include <string>

#include "base/error.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/terminal.h"

namespace fluoro::cli {

/// Prints an answer of /ui/api as it came, or what `render` makes of it for people; or says on
/// standard error why there is none. Returns the exit code.
/// @param render  (std::string_view json, const Terminal&) -> Result<std::string>
template <class Render>
int ShowAnswer(const Result<std::string>& answer, bool json, const Render& render) {
  if (!answer) return Report(answer.error());
  if (json) {
    Print(*answer + "\n");
    return kDone;
  }
  const Result<std::string> text = render(*answer, Terminal::Detect());
  if (!text) return Report(text.error());
  Print(*text);
  return kDone;
}

}  // namespace fluoro::cli
