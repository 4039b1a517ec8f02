// Small requests of every protocol. For tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/hex.h"

namespace fluoro::ingest {

inline std::string BytesOf(std::string_view hex) {
  std::vector<std::uint8_t> bytes(hex.size() / 2);
  FromHex(hex, bytes);
  return {bytes.begin(), bytes.end()};
}

/// One SERVER span "GET /" of 2016-11-04 as an ExportTraceServiceRequest.
inline std::string OtlpProtobuf() {
  return BytesOf(
      "0aa8010a1f0a1d0a0c736572766963652e6e616d65120d0a0b6578616d706c652e636f6d1284010a030a0173127d"
      "0a104efaaf4d1e8720b39541901950019ee5120853995c3f42cd8ad82a05474554202f300239c04b60d0faf38314"
      "41405cfcdafaf383144a1c0a13687474702e726571756573742e6d6574686f6412050a034745544a200a19687474"
      "702e726573706f6e73652e7374617475735f636f6465120318c801850101010000");
}

inline constexpr std::string_view kOtlpJson =
    R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"4EFAAF4D1E8720B39541901950019EE5",)"
    R"("spanId":"53995c3f42cd8ad8","name":"GET /","kind":2,"startTimeUnixNano":"1478293361271000000",)"
    R"("endTimeUnixNano":"1478293361449000000"}]}]}]})";

/// One good span and one whose trace id is zero.
inline constexpr std::string_view kOtlpJsonHalfGood =
    R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"4EFAAF4D1E8720B39541901950019EE5",)"
    R"("spanId":"53995c3f42cd8ad8","name":"a","startTimeUnixNano":"1478293361271000000",)"
    R"("endTimeUnixNano":"1478293361449000000"},{"traceId":"00000000000000000000000000000000",)"
    R"("spanId":"53995c3f42cd8ad9","name":"b"}]}]}]})";

inline constexpr std::string_view kZipkinV2 =
    R"([{"traceId":"5982fe77008310cc80f1da5e10147517","id":"bd7a977555f6b982","name":"get",)"
    R"("timestamp":1478293361271000,"duration":178000,"kind":"SERVER",)"
    R"("localEndpoint":{"serviceName":"shop"}}])";

/// `index` makes the ids differ.
inline std::string SegmentDocument(int index) {
  const std::string id = std::to_string(10'000'000 + index);
  return R"({"name":"shop","id":"70de5b6f)" + id +
         R"(","trace_id":"1-581cf771-a006649127e371903a2de979",)" +
         R"("start_time":1478293361.271,"end_time":1478293361.449})";
}

inline std::string DatagramOf(std::string_view body) {
  return R"({"format":"json","version":1})" + std::string("\n") + std::string(body);
}

}  // namespace fluoro::ingest
