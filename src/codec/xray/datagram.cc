// The UDP protocol of the X-Ray daemon: one header line, then the body.
#include "codec/xray/decode.h"
#include "codec/xray/entity_writer.h"
#include "codec/xray/json_tape.h"

namespace fluoro::codec::xray {
namespace {

using Kind = JsonTape::Kind;

constexpr std::size_t kHeaderBytesMax = 4096;
constexpr std::uint32_t kHeaderDepthMax = 16;
constexpr std::int64_t kVersion = 1;

bool IsJsonWord(std::string_view text) {
  constexpr std::string_view kWord = "json";
  if (text.size() != kWord.size()) return false;
  for (std::size_t i = 0; i < kWord.size(); ++i) {
    if ((text[i] | 0x20) != kWord[i]) return false;
  }
  return true;
}

Result<void> CheckHeader(std::string_view header) {
  // What the SDKs send, byte by byte; anything else is parsed.
  if (header == R"({"format":"json","version":1})" ||
      header == R"({"format": "json", "version": 1})")
    return {};
  if (header.size() > kHeaderBytesMax) {
    return Fail(ErrorCode::kCorruption,
                "daemon header: " + std::to_string(header.size()) + " bytes before the first LF");
  }
  JsonTape tape;
  if (const auto parsed = tape.Parse(header, kHeaderDepthMax); !parsed) {
    return Fail(ErrorCode::kCorruption, "daemon header: " + parsed.error().message);
  }
  NodeReader reader(tape);
  const std::uint32_t format = reader.Find(JsonTape::kRoot, "format");
  if (format == 0 || reader.KindOf(format) != Kind::kString ||
      !IsJsonWord(reader.Text(format).value_or(""))) {
    return Fail(ErrorCode::kCorruption, "daemon header: want \"format\":\"json\"");
  }
  const std::uint32_t version = reader.Find(JsonTape::kRoot, "version");
  if (version == 0 || reader.KindOf(version) != Kind::kNumber ||
      reader.Integer(version) != kVersion) {
    return Fail(ErrorCode::kCorruption, "daemon header: want \"version\":1");
  }
  return {};
}

}  // namespace

Result<Datagram> ParseDatagram(std::string_view datagram) {
  const std::size_t line_end = datagram.find('\n');
  if (line_end == std::string_view::npos) {
    return Fail(ErrorCode::kCorruption, "daemon datagram: no LF behind the header");
  }
  if (line_end + 1 == datagram.size()) {
    return Fail(ErrorCode::kCorruption, "daemon datagram: nothing behind the header");
  }
  FLUORO_CHECK_OK(CheckHeader(datagram.substr(0, line_end)));
  return ClassifyBody(datagram.substr(line_end + 1));
}

Datagram ClassifyBody(std::string_view body) {
  constexpr std::size_t kPrefixBytes = 3;
  const std::string_view prefix = body.substr(0, kPrefixBytes);
  if (prefix == "T1S")
    return {.kind = Datagram::Body::kOtlpSampled, .body = body.substr(kPrefixBytes)};
  if (prefix == "T1U")
    return {.kind = Datagram::Body::kOtlpUnsampled, .body = body.substr(kPrefixBytes)};
  if (prefix == "T1M") return {.kind = Datagram::Body::kMetrics, .body = body.substr(kPrefixBytes)};
  return {.kind = Datagram::Body::kDocument, .body = body};
}

}  // namespace fluoro::codec::xray
