// fluoro rules suggest
#pragma once

#include "cli/command.h"

namespace fluoro::cli {

/// Adds `suggest` to the group `rules`.
void AddSuggest(const Registry& registry, CLI::App& rules);

}  // namespace fluoro::cli
