#include "net/inflate.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "net/compress_for_test.h"
#include "net/http.h"

namespace fluoro::net {
namespace {

std::string RandomText(Rng& rng, std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += std::to_string(rng.Next() % 1'000) + ",span,";
  text.resize(bytes);
  return text;
}

Result<std::string> Undo(Coding coding, std::string_view input, const InflateLimits& limits = {}) {
  ByteCharge charge;
  return Inflate(coding, input, limits, charge);
}

TEST(Inflate, RoundTripsEveryCodingAndSize) {
  Rng rng(7);
  for (const std::size_t bytes : {0UL, 1UL, 100UL, 16'383UL, 16'384UL, 16'385UL, 1'000'000UL}) {
    const std::string text = RandomText(rng, bytes);
    EXPECT_EQ(Undo(Coding::kIdentity, text), text) << bytes;
    EXPECT_EQ(Undo(Coding::kGzip, Gzip(text)), text) << bytes;
    EXPECT_EQ(Undo(Coding::kDeflate, Deflate(text, 15)), text) << bytes;
    EXPECT_EQ(Undo(Coding::kDeflate, Deflate(text, -15)), text) << bytes;
    EXPECT_EQ(Undo(Coding::kZstd, Zstd(text)), text) << bytes;
  }
}

TEST(Inflate, TakesManyMembersAndFrames) {
  EXPECT_EQ(Undo(Coding::kGzip, Gzip("one ") + Gzip("") + Gzip("two")), "one two");
  EXPECT_EQ(Undo(Coding::kZstd, Zstd("one ") + Zstd("") + Zstd("two")), "one two");
}

TEST(Inflate, RefusesEveryCutAndTrailingBytes) {
  Rng rng(3);
  const std::string text = RandomText(rng, 300);
  for (const auto& [coding, packed] :
       {std::pair(Coding::kGzip, Gzip(text)), std::pair(Coding::kDeflate, Deflate(text, 15)),
        std::pair(Coding::kZstd, Zstd(text))}) {
    for (std::size_t cut = 1; cut < packed.size(); ++cut) {
      const auto undone = Undo(coding, std::string_view(packed).substr(0, cut));
      ASSERT_FALSE(undone) << "cut at " << cut;
      EXPECT_EQ(undone.error().code, ErrorCode::kCorruption);
    }
    EXPECT_EQ(Undo(coding, packed + "tail").error().code, ErrorCode::kCorruption);
    EXPECT_EQ(Undo(coding, "this is plain text").error().code, ErrorCode::kCorruption);
  }
}

TEST(Inflate, HoldsTheBytesBoundExactly) {
  const InflateLimits limits{.bytes_max = 100'000, .ratio_max = 1'000'000};
  for (const Coding coding : {Coding::kGzip, Coding::kDeflate, Coding::kZstd}) {
    const auto pack = [&](std::size_t bytes) {
      const std::string text(bytes, 'x');
      return coding == Coding::kZstd ? Zstd(text)
                                     : Deflate(text, coding == Coding::kGzip ? 31 : 15);
    };
    EXPECT_EQ(Undo(coding, pack(100'000), limits)->size(), 100'000U);
    const auto above = Undo(coding, pack(100'001), limits);
    ASSERT_FALSE(above);
    EXPECT_EQ(above.error().code, ErrorCode::kTooLarge);
    EXPECT_NE(above.error().message.find("100000 bytes"), std::string::npos);
  }
  EXPECT_EQ(Undo(Coding::kIdentity, std::string(100'001, 'x'), limits).error().code,
            ErrorCode::kTooLarge);
}

TEST(Inflate, HoldsTheRatioBoundAboveTheFreeBytes) {
  const InflateLimits limits{.ratio_max = 100, .free_bytes = 1 << 20};
  EXPECT_TRUE(Undo(Coding::kGzip, Gzip(std::string(1 << 20, 'x')), limits));
  const auto above = Undo(Coding::kGzip, Gzip(std::string(4 << 20, 'x')), limits);
  ASSERT_FALSE(above);
  EXPECT_EQ(above.error().code, ErrorCode::kTooLarge);
}

TEST(Inflate, StopsBombsWithinTheBudget) {
  constexpr std::size_t kLimit = std::size_t{64} << 20;
  const std::string gzip = GzipBomb(1'024);
  const std::string zstd = ZstdBomb(1'024);
  ASSERT_LT(gzip.size(), 2U << 20);
  for (const auto& [coding, bomb] :
       {std::pair(Coding::kGzip, &gzip), std::pair(Coding::kZstd, &zstd)}) {
    ByteBudget budget(2 * kLimit);
    ByteCharge charge(budget);
    const auto undone = Inflate(coding, *bomb, {.bytes_max = kLimit}, charge);
    ASSERT_FALSE(undone);
    EXPECT_EQ(undone.error().code, ErrorCode::kTooLarge);
    EXPECT_LE(budget.used_bytes(), kLimit + 1);
  }
}

TEST(Inflate, RefusesARatioThatIsExceededOnTheWayBeforeAllIsInflated) {
  Rng rng(11);
  const std::string zeros(std::size_t{30} << 20, '\0');
  std::string noise(std::size_t{1} << 20, '\0');
  for (char& c : noise) c = static_cast<char>(rng.Next());
  for (const Coding coding : {Coding::kGzip, Coding::kZstd}) {
    const auto pack = [&](std::string_view text) {
      return coding == Coding::kZstd ? Zstd(text) : Gzip(text);
    };
    // In all 31 MiB of 1 MiB, but not on the way.
    ByteBudget budget(std::size_t{1} << 30);
    ByteCharge charge(budget);
    const auto undone = Inflate(coding, pack(zeros + noise), {}, charge);
    ASSERT_FALSE(undone);
    EXPECT_EQ(undone.error().code, ErrorCode::kTooLarge);
    EXPECT_NE(undone.error().message.find("100 times"), std::string::npos);
    // The other way round, and where the repetition is short, nothing is wrong.
    EXPECT_EQ(Undo(coding, pack(noise + zeros)), noise + zeros);
    const std::string begin = zeros.substr(0, std::size_t{8} << 20);
    EXPECT_EQ(Undo(coding, pack(begin + noise)), begin + noise);
  }
}

TEST(Inflate, ASizeThatIsALieHarmsNobody) {
  const std::string text(100'000, 'x');
  for (const std::uint32_t lie : {0U, 1U, 100'001U, 900'000U, 0x7fffffffU, 0xffffffffU}) {
    // The first member's trailer is right, the last one's says what is not so.
    std::string body = Gzip(text);
    const std::string good = body;
    for (std::size_t i = 0; i < 4; ++i) {
      body[body.size() - 4 + i] = static_cast<char>(lie >> (8 * i));
    }
    ByteBudget budget(std::size_t{1} << 30);
    ByteCharge charge(budget);
    const auto undone = Inflate(Coding::kGzip, good + body, {}, charge);
    ASSERT_FALSE(undone) << lie;
    EXPECT_EQ(undone.error().code, ErrorCode::kCorruption) << lie;
    EXPECT_LE(budget.used_bytes(), (std::size_t{1} << 20) + 1) << lie;
  }
  // A small last member hides the size of the first.
  EXPECT_EQ(Undo(Coding::kGzip, Gzip(text) + Gzip("x")), text + "x");
  EXPECT_EQ(Undo(Coding::kGzip, Gzip("x") + Gzip(text)), "x" + text);
  EXPECT_EQ(Undo(Coding::kZstd, Zstd("x") + Zstd(text)), "x" + text);
}

TEST(Inflate, StopsWhenTheBudgetIsUsedUp) {
  ByteBudget budget(64 << 10);
  ByteCharge other(budget);
  ASSERT_TRUE(other.Grow(1));
  {
    ByteCharge charge(budget);
    const auto undone = Inflate(Coding::kGzip, Gzip(std::string(200'000, 'x')), {}, charge);
    ASSERT_FALSE(undone);
    EXPECT_EQ(undone.error().code, ErrorCode::kUnavailable);
  }
  EXPECT_EQ(budget.used_bytes(), 1U);
  other.Clear();
  ByteCharge alone(budget);
  EXPECT_TRUE(Inflate(Coding::kGzip, Gzip(std::string(200'000, 'x')), {}, alone))
      << "whoever is alone is let in";
}

TEST(Inflate, RefusesZstdWindowsAboveEightMebibytes) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 24);
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  std::string out(1 << 20, '\0');
  const std::string text = "small";
  ZSTD_inBuffer in{text.data(), text.size(), 0};
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  // The first call without the end keeps the encoder from learning the size.
  ZSTD_compressStream2(context, &to, &in, ZSTD_e_flush);
  ZSTD_compressStream2(context, &to, &in, ZSTD_e_end);
  ZSTD_freeCCtx(context);
  out.resize(to.pos);
  const auto undone = Undo(Coding::kZstd, out);
  ASSERT_FALSE(undone);
  EXPECT_EQ(undone.error().code, ErrorCode::kCorruption);
}

TEST(ParseCoding, KnowsNamesAndRefusesOthers) {
  EXPECT_EQ(ParseCoding(""), Coding::kIdentity);
  EXPECT_EQ(ParseCoding("identity"), Coding::kIdentity);
  EXPECT_EQ(ParseCoding(" GZip "), Coding::kGzip);
  EXPECT_EQ(ParseCoding("x-gzip"), Coding::kGzip);
  EXPECT_EQ(ParseCoding("deflate"), Coding::kDeflate);
  EXPECT_EQ(ParseCoding("zstd"), Coding::kZstd);
  for (const char* name : {"br", "lz4", "snappy", "gzip, gzip", "gzip,zstd", "gzip;q=1", "*"}) {
    const auto coding = ParseCoding(name);
    ASSERT_FALSE(coding) << name;
    EXPECT_EQ(coding.error().code, ErrorCode::kUnsupported);
  }
}

TEST(PercentDecode, UndoesWhatIsWellFormedAndKeepsTheRest) {
  EXPECT_EQ(PercentDecode("a%20b%2Fc", false), "a b/c");
  EXPECT_EQ(PercentDecode("a+b", false), "a+b");
  EXPECT_EQ(PercentDecode("a+b", true), "a b");
  EXPECT_EQ(PercentDecode("%", false), "%");
  EXPECT_EQ(PercentDecode("%4", false), "%4");
  EXPECT_EQ(PercentDecode("%zz%41", false), "%zzA");
  EXPECT_EQ(PercentDecode("%00", false), std::string(1, '\0'));
}

TEST(HttpRequest, ReadsQueryAndContentType) {
  HttpRequest request;
  request.query = "a=1&b=x%3Dy&&flag&a=2+3";
  const auto parameters = request.QueryParameters();
  ASSERT_EQ(parameters.size(), 4U);
  EXPECT_EQ(parameters[0], std::pair(std::string("a"), std::string("1")));
  EXPECT_EQ(parameters[1], std::pair(std::string("b"), std::string("x=y")));
  EXPECT_EQ(parameters[2], std::pair(std::string("flag"), std::string()));
  EXPECT_EQ(parameters[3], std::pair(std::string("a"), std::string("2 3")));
  request.headers["content-type"] = " Application/JSON ; charset=utf-8";
  EXPECT_EQ(request.ContentType(), "application/json");
  EXPECT_EQ(request.Header("accept"), "");
}

}  // namespace
}  // namespace fluoro::net
