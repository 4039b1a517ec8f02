// One trace summary (a line of `fluoro search --json`) as a line of text.
#pragma once

#include <string>
#include <string_view>

#include "cli/terminal.h"

namespace fluoro::cli {

std::string SummaryHeader(const Terminal& terminal);
/// Falls back to the line itself where it is not a summary.
std::string RenderSummary(std::string_view json, const Terminal& terminal);

}  // namespace fluoro::cli
