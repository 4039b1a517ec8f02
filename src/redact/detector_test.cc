#include "redact/detector.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fluoro::redact {
namespace {

// The texts found, with what found them: "email:bob@example.com|card:4111...".
std::string Found(std::string_view text, DetectorSet detectors = DetectorSet().set()) {
  const Scanner scanner(detectors);
  std::string out;
  std::size_t steps = 0;
  std::size_t from = 0;
  while (const auto finding = scanner.Next(text, from, steps)) {
    EXPECT_GE(finding->begin, from);
    EXPECT_GT(finding->end, finding->begin);
    EXPECT_LE(finding->end, text.size());
    if (!out.empty()) out += "|";
    out += std::string(DetectorName(finding->detector)) + ":" +
           std::string(text.substr(finding->begin, finding->end - finding->begin));
    from = finding->end;
  }
  return out;
}

struct Case {
  std::string_view text;
  std::string_view found;
};

void Expect(const std::vector<Case>& cases, DetectorSet detectors = DetectorSet().set()) {
  for (const Case& c : cases) EXPECT_EQ(Found(c.text, detectors), c.found) << c.text;
}

TEST(Detectors, FindMailAddresses) {
  Expect({
      {"mail bob.smith+x@mail.example.com, please", "email:bob.smith+x@mail.example.com"},
      {"https://a.example/?mail=bob%40example.com&x=1", "email:bob%40example.com"},
      {"\"bob\\u0040example.com\"", "email:bob\\u0040example.com"},
      {"<bob@example.co.uk>.", "email:bob@example.co.uk"},
      {"bob@example.com.", "email:bob@example.com"},
      {"jos\xc3\xa9@b\xc3\xbc"
       "cher.example",
       "email:jos\xc3\xa9@b\xc3\xbc"
       "cher.example"},
      {"x@example.xn--p1ai", "email:x@example.xn--p1ai"},
      {"a@b.co1", ""},
      {"@opentelemetry/api@1.9.0", ""},
      {"user@host", ""},
      {"a @ b.example", ""},
      {"sha@1.2.3", ""},
      {"@@@@@", ""},
      {"a@b.com", "email:a@b.com"},
  });
}

TEST(Detectors, FindPhoneNumbers) {
  Expect({
      {"call +49 30 901820-17 now", "phone:+49 30 901820-17"},
      {"tel:+14155550132", "phone:+14155550132"},
      {"0049 30 9018200", "phone:0049 30 9018200"},
      {"(415) 555-0132", "phone:(415) 555-0132"},
      {"415-555-0132", "phone:415-555-0132"},
      {"1-415-555-0132", "phone:1-415-555-0132"},
      {"415.555.0132.", "phone:415.555.0132"},
      {"415 555 0132", "phone:415 555 0132"},
      {"550e8400-e29b-41d4-a716-446655440000", ""},
      {"1-5759e988-bd862e3fe1be46a994272793", ""},
      {"2026-11-29T21:17:00.123+00:00", ""},
      {"123-456-7890", ""},
      {"415-555-0132-7", ""},
      {"4155550132", ""},
      {"+1", ""},
      {"1+14155550132", ""},
      {"x=+0.5", ""},
  });
}

TEST(Detectors, FindCardNumbersByLuhnAndIssuer) {
  Expect({
      {"4111111111111111", "card:4111111111111111"},
      {"card 5500-0000-0000-0004!", "card:5500-0000-0000-0004"},
      {"3782 822463 10005", "card:3782 822463 10005"},
      {"6011000990139424", "card:6011000990139424"},
      {"/cards/4111111111111111/pay", "card:4111111111111111"},
      {"4111111111111112", ""},
      {"1111111111111117", ""},
      {"4111 1111-1111 1111", ""},
      {"4111-1111-1111-1111-1111", ""},
      {"a4111111111111111", ""},
      {"4111111111111111a", ""},
      {"0.4111111111111111", ""},
      {"4111111111111111.5", ""},
      {"1700000000000000000", ""},
  });
}

TEST(Detectors, FindAccountNumbersByCountryAndChecksum) {
  Expect({
      {"DE89370400440532013000", "iban:DE89370400440532013000"},
      {"GB82 WEST 1234 5698 7654 32 is", "iban:GB82 WEST 1234 5698 7654 32"},
      {"DE89370400440532013001", ""},
      {"XX89370400440532013000", ""},
      {"DE89370400440532013000X", ""},
  });
}

TEST(Detectors, FindTokensAndKeys) {
  const std::string jwt =
      "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
  EXPECT_EQ(Found("t=" + jwt + " x"), "jwt:" + jwt);
  Expect({
      {"id AKIAIOSFODNN7EXAMPLE.", "aws-key:AKIAIOSFODNN7EXAMPLE"},
      {"AKIAIOSFODNN7EXAMPLEX", ""},
      {"XAKIAIOSFODNN7EXAMPLE", ""},
      {"sk-proj-abcDEF0123456789abcdef", "api-key:sk-proj-abcDEF0123456789abcdef"},
      {"(sk-ant-api03-abcdefghijklmnop0123).", "api-key:sk-ant-api03-abcdefghijklmnop0123"},
      {"ghp_0123456789abcdefghijklmnopqrstuvwxyz",
       "api-key:ghp_0123456789abcdefghijklmnopqrstuvwxyz"},
      {"xoxb-1234567890-abcdef", "api-key:xoxb-1234567890-abcdef"},
      {"task-force-of-twenty-people-1", ""},
      {"sk-learn", ""},
      {"sk-learn-with-many-words-in-it", ""},
      {"Bearer abcdef0123456789", "bearer:abcdef0123456789"},
      {"Basic dXNlcjpwYXNz", "bearer:dXNlcjpwYXNz"},
      {"basic understanding", ""},
      {"the bearer of this letter", ""},
      {"postgres://app:hunter2@db.example:5432/x", "url-password:hunter2"},
      {"https://db.example:5432/a@b", ""},
      {"a -----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY----- b",
       "private-key:-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----"},
      {"-----BEGIN PRIVATE KEY-----\\nMIIB", "private-key:-----BEGIN PRIVATE KEY-----\\nMIIB"},
      {"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", ""},
      {"------------------------", ""},
  });
}

TEST(Detectors, FindWhatIsCalledASecret) {
  Expect({
      {"?api_key=abc123&x=1", "secret:abc123"},
      {"Server=db;Password=hunter2;Port=1", "secret:hunter2"},
      {"{'password': 'hunter2', 'a': 1}", "secret:hunter2"},
      {R"(\"client_secret\": \"abc\")", "secret:abc"},
      {"Authorization: Token abc123\nnext", "secret:Token abc123"},
      {"https://x.example/?X-Amz-Signature=0af3", "secret:0af3"},
      {"Your password: required", ""},
      {"password = ?", ""},
      {"where password = $1 and x", ""},
      {"password == other", ""},
      {"max_tokens=100", ""},
      {"mytoken=1", ""},
  });
  EXPECT_TRUE(IsSecretName("http.request.header.X-Api-Key"));
  EXPECT_TRUE(IsSecretName("client_secret"));
  EXPECT_FALSE(IsSecretName("gen_ai.usage.input_tokens"));
  EXPECT_FALSE(IsSecretName(""));
  EXPECT_FALSE(IsSecretName(std::string(1000, 'a')));
}

TEST(Detectors, FindAddressesAndSocialSecurityNumbersIfAsked) {
  Expect({
      {"from 203.0.113.7:80", "ipv4:203.0.113.7"},
      {"v1.2.3.4.5", ""},
      {"300.1.1.1", ""},
      {"2001:db8::ff00:42:8329", "ipv6:2001:db8::ff00:42:8329"},
      {"12:34:56", ""},
      {"ssn 078-05-1120", "ssn:078-05-1120"},
      {"000-05-1120", ""},
      {"078-05-11201", ""},
  });
  DetectorSet usual;
  for (std::size_t i = 0; i < kDetectorsCount; ++i)
    usual.set(i, IsOnByDefault(static_cast<Detector>(i)));
  Expect({{"203.0.113.7 2001:db8::ff00:42:8329 078-05-1120", ""}}, usual);
}

TEST(Detectors, WorkIsLinearWhateverComes) {
  const Scanner scanner(DetectorSet().set());
  for (const std::string_view piece : {"1",
                                       "@",
                                       "a@",
                                       "a@b.",
                                       "4111 ",
                                       "+1",
                                       "(",
                                       "-",
                                       "-----BEGIN PRIVATE KEY-----",
                                       "eyJ",
                                       "eyJaaaaaaaaaaaa.",
                                       "sk-.",
                                       "sk-",
                                       "Bearer ",
                                       "bearer a.",
                                       "Basic a",
                                       "://",
                                       "://a:",
                                       "pwd=",
                                       "authorization: ",
                                       "password: \"",
                                       "DE89 ",
                                       "GB82WEST1234",
                                       "::",
                                       "1.1.",
                                       "000-00-",
                                       "%40",
                                       "\\u0040",
                                       "0049 ",
                                       "AKIA",
                                       "token=sk-"}) {
    std::string text;
    while (text.size() < (std::size_t{1} << 18)) text += piece;
    std::size_t steps = 0;
    std::size_t from = 0;
    while (const auto finding = scanner.Next(text, from, steps)) from = finding->end;
    EXPECT_LE(steps, 600 * text.size()) << piece;
    // Twice the text, twice the work: no more.
    std::size_t more_steps = 0;
    from = 0;
    text += text;
    while (const auto finding = scanner.Next(text, from, more_steps)) from = finding->end;
    EXPECT_LE(more_steps, 2 * steps + 4096) << piece;
  }
}

}  // namespace
}  // namespace fluoro::redact
