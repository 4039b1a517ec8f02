// Percent decoding, query parameters, media types, codings and addresses of any text.
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "net/http.h"
#include "net/inflate.h"
#include "net/socket.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  FLUORO_ASSERT(fluoro::net::PercentDecode(input, false).size() <= size);
  fluoro::net::HttpRequest request;
  request.query = input;
  std::size_t bytes = 0;
  for (const auto& [name, value] : request.QueryParameters()) bytes += name.size() + value.size();
  FLUORO_ASSERT(bytes <= size);
  request.headers["content-type"] = input;
  FLUORO_ASSERT(request.ContentType().size() <= size);
  (void)fluoro::net::ParseCoding(input);
  (void)fluoro::net::ParseHostPort(input);
  return 0;
}
