// fluoro attributes
#pragma once

#include "cli/command.h"

namespace fluoro::cli {

void AddAttributes(const Registry& registry);

}  // namespace fluoro::cli
