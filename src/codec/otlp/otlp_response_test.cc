#include <gtest/gtest.h>

#include "codec/otlp/otlp.h"
#include "codec/otlp/otlp_testing.h"

namespace fluoro::codec::otlp {
namespace {

TEST(OtlpResponse, SuccessIsTheEmptyMessage) {
  EXPECT_EQ(EncodeResponse(0, "", Encoding::kProtobuf), "");
  EXPECT_EQ(EncodeResponse(0, "", Encoding::kJson), "{}");
}

TEST(OtlpResponse, PartialSuccessHasCountAndReason) {
  EXPECT_EQ(EncodeResponse(3, "bad id", Encoding::kProtobuf),
            FromHexText("0a0a08031206626164206964"));
  EXPECT_EQ(EncodeResponse(3, "bad id", Encoding::kJson),
            R"({"partialSuccess":{"rejectedSpans":"3","errorMessage":"bad id"}})");
  EXPECT_EQ(EncodeResponse(1, "", Encoding::kProtobuf), FromHexText("0a020801"));
  // Accepted with a warning.
  EXPECT_EQ(EncodeResponse(0, "w", Encoding::kProtobuf), FromHexText("0a03120177"));
  EXPECT_EQ(EncodeResponse(0, "w", Encoding::kJson), R"({"partialSuccess":{"errorMessage":"w"}})");
}

TEST(OtlpResponse, MessagesAreMadeValidAndShort) {
  EXPECT_EQ(EncodeStatus(3, "\xff", std::nullopt, Encoding::kProtobuf),
            FromHexText("08031203efbfbd"));
  EXPECT_LT(EncodeResponse(1, std::string(5 << 20, 'x'), Encoding::kJson).size(), 1U << 20);
}

TEST(OtlpStatus, CarriesRetryInfo) {
  EXPECT_EQ(EncodeStatus(3, "bad", std::nullopt, Encoding::kProtobuf),
            FromHexText("08031203626164"));
  EXPECT_EQ(EncodeStatus(3, "bad", std::nullopt, Encoding::kJson), R"({"code":3,"message":"bad"})");
  const std::string type = "type.googleapis.com/google.rpc.RetryInfo";
  const std::string expected =
      Message()
          .Varint(1, 14)
          .Sub(3, Message().Bytes(1, type).Sub(
                      2, Message().Sub(1, Message().Varint(1, 1).Varint(2, 500'000'000))))
          .str();
  EXPECT_EQ(EncodeStatus(14, "", 1'500'000'000, Encoding::kProtobuf), expected);
  EXPECT_EQ(EncodeStatus(14, "", 1'500'000'000, Encoding::kJson),
            R"({"code":14,"details":[{"@type":")" + type + R"(","retryDelay":"1.5s"}]})");
  EXPECT_EQ(EncodeStatus(14, "", 0, Encoding::kJson),
            R"({"code":14,"details":[{"@type":")" + type + R"(","retryDelay":"0s"}]})");
}

}  // namespace
}  // namespace fluoro::codec::otlp
