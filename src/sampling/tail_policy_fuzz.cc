// Files of tail policies: what is read is in bounds and prints as it was read.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "sampling/tail_policy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fluoro::sampling;  // NOLINT(google-build-using-namespace): one function
  const auto policies =
      ParseTailPolicies(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!policies) {
    FLUORO_ASSERT(!policies.error().message.empty());
    return 0;
  }
  FLUORO_ASSERT(policies->policies.size() <= kTailPoliciesMax);
  for (const TailPolicy& policy : policies->policies) {
    FLUORO_ASSERT(policy.keep >= 0 && policy.keep <= 1);
    FLUORO_ASSERT(!policy.name.empty() && policy.name.size() <= kTailPolicyNameBytesMax);
  }
  const auto again = ParseTailPolicies(PrintTailPolicies(*policies));
  FLUORO_ASSERT(again.has_value());
  FLUORO_ASSERT(again->policies.size() == policies->policies.size());
  return 0;
}
