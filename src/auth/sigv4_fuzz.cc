// Canonical requests, dates and Authorization headers of any bytes: what is signed verifies, what
// is not is refused.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "auth/signed_request_for_test.h"
#include "base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fluoro::auth;  // NOLINT(google-build-using-namespace): one function
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const TestContext context;
  SigV4Verifier verifier;
  // Taken as a whole request: nobody here signed it.
  TestRequest request = ParseRequestText(input);
  FLUORO_ASSERT(!context.Verify(verifier, request));
  std::erase_if(request.headers, [](const auto& header) {
    return header.first == "authorization" || header.first.starts_with("x-amz-") ||
           header.first == "host" || header.first.empty() ||
           header.first.find_first_of(";=, \t") != std::string::npos;
  });
  request.headers.emplace_back("host", "h");
  if (request.query.find("X-Amz-") == std::string::npos &&
      request.query.find('%') == std::string::npos) {
    for (const bool in_query : {false, true}) {
      const auto verified = context.Verify(verifier, SignedBy(context, request, in_query));
      FLUORO_ASSERT(verified.has_value());
    }
  }
  (void)ParseDateHeader(input);
  const std::string uri = CanonicalUri(input);
  FLUORO_ASSERT(uri.size() <= 3 * size + 2);
  (void)CanonicalQuery(input);
  return 0;
}
