#include "auth/sigv4.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "auth/signed_request_for_test.h"
#include "auth/sigv4_verifier.h"
#include "base/hex.h"
#include "base/rng.h"

namespace fluoro::auth {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kMinuteNs = 60 * kNsPerSecond;

TestRequest ListRules() {
  return {.path = "/GetSamplingRules",
          .headers = {{"host", "127.0.0.1:2000"}, {"content-type", "application/json"}},
          .body = "{}"};
}

// Computed with botocore 1.43.11.
TEST(SigV4, GivesTheSignaturesOfBotocore) {
  const TestContext context;
  EXPECT_EQ(BasicTime(context.unix_s), "20260102T030405Z");
  EXPECT_EQ(ToHex(SigningKey(context.credentials.secret, {"20260102", "us-east-1", "xray"})),
            "7c7107e4a2a25e98778f10506250fccda83772c712d9d94313634e0f208ea144");
  struct Vector {
    TestRequest request;
    std::string token;
    std::string canonical_sha256;
    std::string signature;
  };
  for (const auto& [request, token, canonical, signature] : {
           Vector{ListRules(), "",
                  "a25794aba06a46382cdb67c665e95f0ac2ff80f22f3aac792d4c4eab46d09b02",
                  "4009953dd06ccd2e6d7a04343173d1c5893d64d4a506f05bc997eb408d0211d1"},
           Vector{{.path = "/EncryptionConfig", .headers = {{"host", "127.0.0.1:2000"}}},
                  "",
                  "bb58eb1a7ac9433c3c5b0a4173b60ab323f068a5066acfeea72068b06a72c247",
                  "d7129d69a7219e71cd0e182ecc79d618cfe54f6a9e3249b4ca640092a65c0d60"},
           Vector{{.path = "/TraceSummaries",
                   .headers = {{"host", "127.0.0.1:2000"}, {"content-type", "application/json"}},
                   .body = R"({"StartTime": 1700000000, "EndTime": 1700000060})"},
                  "SESSIONTOKEN",
                  "3e8e05db66757f3c73e702212da81efdaddb10712f05e6ffb89d33e487c50af2",
                  "a01b60bc31ffca3ec0028a2007f0fff52f76359dd48dfac5c2a0f461915748ab"},
       }) {
    TestContext mine = context;
    mine.credentials.session_token = token;
    const TestRequest sent = SignedBy(mine, request, false);
    EXPECT_THAT(sent.headers.back().second, ::testing::EndsWith("Signature=" + signature));
    const std::string text = sent.With([&](const HttpRequestView& view) {
      std::vector<std::string_view> names;
      for (const std::string_view name :
           {"content-type", "host", "x-amz-date", "x-amz-security-token"}) {
        if (view.Has(name)) names.push_back(name);
      }
      return CanonicalRequest(view, names, Sha256Hex(view.body));
    });
    EXPECT_EQ(Sha256Hex(text), canonical) << text;
    SigV4Verifier verifier;
    EXPECT_EQ(mine.Verify(verifier, sent).value_or("refused"), "AKIDEXAMPLE");
    // The proxy's own idea of the host.
    TestRequest other = sent;
    *other.Find("host") = "127.0.0.1:2001";
    EXPECT_EQ(mine.Verify(verifier, other).error().fault, SignatureFault::kMismatch);
  }
}

TEST(SigV4, ReadsTimesInTheirFormsOnly) {
  EXPECT_EQ(ParseBasicTime("20150830T123600Z"), 1'440'938'160);
  EXPECT_EQ(ParseDateHeader("Sun, 30 Aug 2015 12:36:00 GMT"), 1'440'938'160);
  EXPECT_EQ(ParseDateHeader("20150830T123600Z"), 1'440'938'160);
  for (const char* text :
       {"", "20150830T123600", "20150830 123600Z", "20151330T123600Z", "20150230T123600Z",
        "20150830T243600Z", "20150830T126000Z", "20150830T123660Z", "2015083aT123600Z",
        "-0150830T123600Z", "20150830T123600Z ", "Sun, 30 Aux 2015 12:36:00 GMT",
        "Sun, 30 Aug 2015 12:36:00 UTC", "Sun, 30 Aug 2015 12-36:00 GMT"}) {
    EXPECT_EQ(ParseDateHeader(text), std::nullopt) << text;
  }
  Rng rng(3);
  for (int i = 0; i < 10'000; ++i) {
    const auto time = static_cast<std::int64_t>(rng.Below(253'402'300'799));
    EXPECT_EQ(ParseBasicTime(BasicTime(time)), time);
  }
}

TEST(SigV4Verifier, TakesFiveMinutesEitherWayAndNotANanosecondMore) {
  const TestContext context;
  SigV4Verifier verifier;
  const TestRequest sent = SignedBy(context, ListRules(), false);
  for (const std::int64_t shift : {5 * kMinuteNs, -5 * kMinuteNs, std::int64_t{0}}) {
    EXPECT_TRUE(context.Verify(verifier, sent, shift)) << shift;
  }
  const auto late = context.Verify(verifier, sent, 5 * kMinuteNs + 1);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().fault, SignatureFault::kMismatch);
  EXPECT_THAT(late.error().message, HasSubstr("Signature expired: 20260102T030405Z"));
  const auto early = context.Verify(verifier, sent, -5 * kMinuteNs - 1);
  ASSERT_FALSE(early);
  EXPECT_THAT(early.error().message, HasSubstr("Signature not yet current"));
  // Far away, where nanoseconds would overflow.
  for (const char* time : {"00010101T000000Z", "99991231T235959Z"}) {
    TestRequest far = sent;
    *far.Find("x-amz-date") = time;
    std::string& header = *far.Find("authorization");
    header.replace(header.find("20260102"), 8, std::string(time).substr(0, 8));
    EXPECT_EQ(context.Verify(verifier, far).error().fault, SignatureFault::kMismatch) << time;
  }
}

TEST(SigV4Verifier, TakesAPresignedUrlUntilItExpires) {
  const TestContext context;
  SigV4Verifier verifier;
  const TestRequest sent = SignedBy(context, ListRules(), true);
  EXPECT_TRUE(context.Verify(verifier, sent, 3600 * kNsPerSecond));
  EXPECT_FALSE(context.Verify(verifier, sent, 3600 * kNsPerSecond + 1));
  EXPECT_TRUE(context.Verify(verifier, sent, -5 * kMinuteNs));
  EXPECT_FALSE(context.Verify(verifier, sent, -5 * kMinuteNs - 1));
  for (const char* expires : {"0", "-1", "604801", "1.5", "", "9999999999999999999999", "3600x"}) {
    TestRequest bad = sent;
    bad.query.replace(bad.query.find("X-Amz-Expires=3600"), 18,
                      std::string("X-Amz-Expires=") + expires);
    EXPECT_EQ(context.Verify(verifier, bad).error().fault, SignatureFault::kIncomplete) << expires;
  }
}

TEST(SigV4Verifier, TakesADateHeaderWhereThereIsNoXAmzDate) {
  const TestContext context;
  // Signed by hand: Sign always sends X-Amz-Date.
  TestRequest sent = ListRules();
  sent.headers.emplace_back("date", "Fri, 02 Jan 2026 03:04:05 GMT");
  const Scope scope{"20260102", "us-east-1", "xray"};
  const std::vector<std::string_view> names{"content-type", "date", "host"};
  const std::string signature = sent.With([&](const HttpRequestView& view) {
    return Signature(SigningKey(context.credentials.secret, scope),
                     StringToSign("20260102T030405Z", scope,
                                  CanonicalRequest(view, names, Sha256Hex(view.body))));
  });
  sent.headers.emplace_back(
      "authorization", fmt::format("AWS4-HMAC-SHA256 Signature={},SignedHeaders=content-type;date;"
                                   "host,   Credential=AKIDEXAMPLE/{}",
                                   signature, scope.Text()));
  SigV4Verifier verifier;
  EXPECT_TRUE(context.Verify(verifier, sent));
}

TEST(SigV4Verifier, TakesAnUnsignedPayloadOnlyWhereToldTo) {
  TestContext context;
  TestRequest request = ListRules();
  request.headers.emplace_back("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
  TestRequest sent = SignedBy(context, request, false);
  SigV4Verifier verifier;
  EXPECT_TRUE(context.Verify(verifier, sent));
  sent.body = "something else";
  EXPECT_TRUE(context.Verify(verifier, sent));
  context.unsigned_payload = false;
  EXPECT_THAT(context.Verify(verifier, sent).error().message, HasSubstr("UNSIGNED-PAYLOAD"));
  *request.Find("x-amz-content-sha256") = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
  const auto chunked = context.Verify(verifier, SignedBy(context, request, false));
  ASSERT_FALSE(chunked);
  EXPECT_THAT(chunked.error().message,
              HasSubstr("'STREAMING-AWS4-HMAC-SHA256-PAYLOAD': bodies signed in chunks are not"));
}

TEST(SigV4Verifier, HashesTheBodyAsItWasSent) {
  const TestContext context;
  const std::string compressed = "\x1f\x8b compressed";
  TestRequest request = ListRules();
  request.body = compressed;
  TestRequest received = SignedBy(context, request, false);
  received.body = "inflated";
  SigV4Verifier verifier;
  EXPECT_FALSE(context.Verify(verifier, received));
  const std::string hash = Sha256Hex(compressed);
  const std::array<std::string_view, 1> services{"xray"};
  received.With([&](HttpRequestView view) {
    view.body_sha256 = hash;
    EXPECT_TRUE(verifier.Verify(
        view, {.now_ns = context.unix_s * kNsPerSecond, .services = services},
        [&](std::string_view) { return KeySecret{.secret = context.credentials.secret}; }));
    return 0;
  });
}

TEST(SigV4Verifier, TellsExpiredTokensAndForeignOnes) {
  TestContext context;
  context.credentials.session_token = "TOKEN";
  const TestRequest sent = SignedBy(context, ListRules(), false);
  SigV4Verifier verifier;
  EXPECT_TRUE(context.Verify(verifier, sent));
  context.credentials.session_token = "";
  EXPECT_EQ(context.Verify(verifier, sent).error().fault, SignatureFault::kUnknownKey);
  const std::array<std::string_view, 1> services{"xray"};
  const auto expired = sent.With([&](const HttpRequestView& view) {
    const std::int64_t now_ns = context.unix_s * kNsPerSecond;
    return verifier.Verify(view, {.now_ns = now_ns, .services = services}, [&](std::string_view) {
      return KeySecret{
          .secret = context.credentials.secret, .session_token = "TOKEN", .expires_ns = now_ns};
    });
  });
  ASSERT_FALSE(expired);
  EXPECT_EQ(expired.error().fault, SignatureFault::kExpiredToken);
}

TEST(SigV4Verifier, KeepsFewSigningKeysAndNoneOfAnOldSecret) {
  SigV4Verifier verifier(4);
  TestContext context;
  for (int i = 0; i < 20; ++i) {
    context.region = "region-" + std::to_string(i);
    const TestRequest sent = SignedBy(context, ListRules(), false);
    EXPECT_TRUE(context.Verify(verifier, sent));
    EXPECT_TRUE(context.Verify(verifier, sent));  // from the cache
  }
  EXPECT_EQ(verifier.keys(), 4U);
  const TestRequest sent = SignedBy(context, ListRules(), false);
  context.credentials.secret = "another";
  EXPECT_FALSE(context.Verify(verifier, sent));
  EXPECT_TRUE(context.Verify(verifier, SignedBy(context, ListRules(), false)));
  EXPECT_EQ(verifier.keys(), 4U);
}

TEST(SigV4Verifier, KeepsNothingOfWhatIsRefused) {
  SigV4Verifier verifier;
  TestContext context;
  TestRequest sent = SignedBy(context, ListRules(), false);
  sent.body = "x";
  EXPECT_FALSE(context.Verify(verifier, sent));
  EXPECT_EQ(verifier.keys(), 0U);
}

TEST(SigV4Verifier, TellsASignatureFromNone) {
  const TestContext context;
  SigV4Verifier verifier;
  EXPECT_EQ(context.Verify(verifier, ListRules()).error().fault, SignatureFault::kMissing);
  TestRequest basic = ListRules();
  basic.headers.emplace_back("authorization", "Basic abc");
  EXPECT_EQ(context.Verify(verifier, basic).error().fault, SignatureFault::kIncomplete);
}

/// Whatever is sent, signed and not changed verifies; a byte changed anywhere in it does not.
TEST(SigV4Verifier, HoldsForRandomRequests) {
  for (std::uint64_t seed = 0; seed < 3'000; ++seed) {
    Rng rng(seed);
    const auto text = [&rng](std::string_view alphabet, std::uint64_t most) {
      std::string out;
      for (std::uint64_t n = rng.Below(most + 1); n > 0; --n)
        out += alphabet[rng.Below(alphabet.size())];
      return out;
    };
    const std::string_view words = "abcXYZ019-._~%20/:;=+ ,\"\xc3\xa4";
    TestContext context;
    context.region = "r" + text("abc-1", 8);
    context.credentials.secret = text("abcdefghijklmnop/+=", 60) + "x";
    TestRequest request{.method = rng.Chance(0.5) ? "POST" : "GET",
                        .path = "/" + text(words, 12),
                        .query = text("ab=&%2F~+", 12),
                        .headers = {{"host", "h" + text("abc.:1", 8)}},
                        .body = text(words, 40)};
    for (std::uint64_t n = rng.Below(4); n > 0; --n)
      request.headers.emplace_back("x-" + text("abc", 3), text(words, 10));
    const bool in_query = rng.Chance(0.5);
    const TestRequest sent = SignedBy(context, request, in_query);
    SigV4Verifier verifier;
    ASSERT_EQ(context.Verify(verifier, sent).value_or("refused"), "AKIDEXAMPLE") << seed;

    TestRequest changed = sent;
    switch (rng.Below(4)) {
      case 0:
        changed.body += "x";
        break;
      case 1:
        changed.path += "x";
        break;
      case 2: {
        auto& value = changed.headers[rng.Below(changed.headers.size())].second;
        value += "x";
        break;
      }
      default:
        changed.query += "&zz=1";
    }
    EXPECT_FALSE(context.Verify(verifier, changed)) << seed;
  }
}

}  // namespace
}  // namespace fluoro::auth
