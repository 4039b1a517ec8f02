#include <gmock/gmock.h>

#include "codec/xray/decode.h"

namespace fluoro::codec::xray {
namespace {

using Body = Datagram::Body;

TEST(ParseDatagram, SplitsHeaderAndBody) {
  const struct {
    std::string_view datagram;
    Body kind;
    std::string_view body;
  } cases[] = {
      {"{\"format\":\"json\",\"version\":1}\n{\"name\":\"a\"}", Body::kDocument,
       "{\"name\":\"a\"}"},
      {"{\"format\": \"json\", \"version\": 1}\n{}", Body::kDocument, "{}"},
      {"{\"format\": \"JSON\", \"version\": 1, \"x\":2}\n{}", Body::kDocument, "{}"},
      {" {\"version\":1.0,\"format\":\"Json\"}\r\n[]", Body::kDocument, "[]"},
      {"{\"format\":\"json\",\"version\":1}\n{\"a\":\"x\ny\"}", Body::kDocument,
       "{\"a\":\"x\ny\"}"},
      {"{\"format\":\"json\",\"version\":1}\n\n", Body::kDocument, "\n"},
      {"{\"format\":\"json\",\"version\":1}\nT1SCgA=", Body::kOtlpSampled, "CgA="},
      {"{\"format\":\"json\",\"version\":1}\nT1UCgA=", Body::kOtlpUnsampled, "CgA="},
      {"{\"format\":\"json\",\"version\":1}\nT1MCgA=", Body::kMetrics, "CgA="},
      {"{\"format\":\"json\",\"version\":1}\nT1", Body::kDocument, "T1"},
  };
  for (const auto& c : cases) {
    const auto parsed = ParseDatagram(c.datagram);
    ASSERT_TRUE(parsed.has_value()) << c.datagram << ": " << parsed.error().message;
    EXPECT_EQ(parsed->kind, c.kind) << c.datagram;
    EXPECT_EQ(parsed->body, c.body) << c.datagram;
  }
}

TEST(ParseDatagram, RefusesBadHeadersSayingWhy) {
  const std::string long_header =
      "{\"format\":\"json\",\"version\":1,\"x\":\"" + std::string(5000, 'x') + "\"}\n{}";
  const std::string deep_header = std::string(100'000, '[') + "\n{}";
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", "no LF"},
      {"{\"format\":\"json\",\"version\":1}", "no LF"},
      {"{\"format\":\"json\",\"version\":1}\n", "nothing behind the header"},
      {"\n{}", "byte 0"},
      {"{\"format\":\"json\",\"version\":2}\n{}", "want \"version\":1"},
      {"{\"format\":\"json\",\"version\":\"1\"}\n{}", "want \"version\":1"},
      {"{\"format\":\"json\"}\n{}", "want \"version\":1"},
      {"{\"format\":\"xml\",\"version\":1}\n{}", "want \"format\":\"json\""},
      {"{\"version\":1}\n{}", "want \"format\":\"json\""},
      {"[]\n{}", "want \"format\":\"json\""},
      {"{\"format\":\"json\",\"version\":1\n}{}", "byte "},
      {long_header, "bytes before the first LF"},
      {deep_header, "bytes before the first LF"},
  };
  for (const auto& [datagram, why] : cases) {
    const auto parsed = ParseDatagram(datagram);
    ASSERT_FALSE(parsed.has_value()) << datagram;
    EXPECT_EQ(parsed.error().code, ErrorCode::kCorruption);
    EXPECT_THAT(parsed.error().message, testing::HasSubstr(std::string(why)));
  }
}

TEST(ClassifyBody, KnowsOtlpStringsAmongDocuments) {
  EXPECT_EQ(ClassifyBody("T1SCgA=").kind, Body::kOtlpSampled);
  EXPECT_EQ(ClassifyBody("T1UCgA=").body, "CgA=");
  EXPECT_EQ(ClassifyBody("{\"T1S\":1}").kind, Body::kDocument);
  EXPECT_EQ(ClassifyBody("").kind, Body::kDocument);
}

}  // namespace
}  // namespace fluoro::codec::xray
