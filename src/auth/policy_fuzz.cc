// Policy documents of any bytes: those that are taken can be asked, within bounds.
#include <cstdint>
#include <string_view>

#include "auth/policy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fluoro::auth;  // NOLINT(google-build-using-namespace): one function
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const ConditionValues conditions{{"aws:TagKeys", {"a", "b"}}, {"aws:RequestTag/a", {"1"}}};
  for (const PolicyKind kind : {PolicyKind::kIdentity, PolicyKind::kResource, PolicyKind::kTrust}) {
    if (const auto policy = Policy::Parse(input, kind)) {
      (void)policy->Evaluate({.action = "xray:GetGroup",
                              .resource = "arn:aws:xray:us-east-1:123456789012:group/g/ID",
                              .conditions = &conditions,
                              .principal = "arn:aws:iam::123456789012:user/u"});
    }
  }
  return 0;
}
