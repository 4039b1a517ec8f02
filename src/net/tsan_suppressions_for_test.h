// Included by one source of each test program that uses gRPC: the distribution's libgrpc is not
// instrumented, so the thread sanitizer sees neither its locks nor what they order.
#pragma once

extern "C" __attribute__((used)) inline const char*
__tsan_default_suppressions() {  // NOLINT: the sanitizer's own name
  return "race:grpc\nrace:libgpr\ncalled_from_lib:libgrpc.so\n";
}
