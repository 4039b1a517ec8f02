#include "base/thread_name.h"

#include <pthread.h>

namespace fluoro {

void NameThread(const char* name) { ::pthread_setname_np(::pthread_self(), name); }

}  // namespace fluoro
