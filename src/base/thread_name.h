// The name of a thread, for debuggers and top -H.
#pragma once

namespace fluoro {

/// Names the calling thread; at most 15 characters.
void NameThread(const char* name);

}  // namespace fluoro
