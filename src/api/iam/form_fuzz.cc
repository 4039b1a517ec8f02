// Forms of any bytes: parameters within bounds, every call answered with whole XML and no 5xx.
#include <cstdint>
#include <string_view>

#include "api/iam/iam_api.h"
#include "base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fluoro;  // NOLINT(google-build-using-namespace): one function
  static ManualClock clock(1'700'000'000 * kNsPerSecond);
  static Metrics metrics;
  static const auto repository = *control::Repository::Open(":memory:", clock);
  static api::iam::IamApi api(*repository, clock, metrics, "123456789012");
  net::HttpRequest request;
  request.method = "POST";
  request.path = "/";
  request.body.assign(reinterpret_cast<const char*>(data), size);
  const auto answer = api.Handle(request, auth::Caller::Root("123456789012"));
  FLUORO_ASSERT(answer.status < 500);
  FLUORO_ASSERT(answer.body.starts_with('<') && answer.body.ends_with('>'));
  return 0;
}
