#include "redact/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/json_tree.h"
#include "base/rng.h"
#include "redact/json_scrub.h"
#include "redact/keyed_hash.h"

namespace fluoro::redact {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

crypto::Secret KeyOf(std::uint8_t byte) {
  std::array<std::uint8_t, crypto::kKeyBytes> bytes{};
  bytes.fill(byte);
  return crypto::Secret(bytes);
}

std::shared_ptr<const Policy> Make(std::vector<Rule> rules = {},
                                   ContentMode mode = ContentMode::kRedacted) {
  auto policy = Policy::Make(mode, std::move(rules), KeyOf(1));
  EXPECT_TRUE(policy) << policy.error().message;
  return *policy;
}

std::string Scrubbed(const Policy& policy, std::string_view text, std::string_view name = "a") {
  Tally tally;
  return policy.Scrub(text, tally, name).value_or(std::string(text));
}

TEST(Policy, LeavesTypeAndHashSoThatEqualValuesStayEqual) {
  const auto policy = Make();
  const std::string text = Scrubbed(*policy, "bob@example.com eve@example.com bob@example.com");
  EXPECT_THAT(text, MatchesRegex("<email:[0-9a-f]{4}> <email:[0-9a-f]{4}> <email:[0-9a-f]{4}>"));
  EXPECT_EQ(text.substr(0, 12), text.substr(26));
  EXPECT_NE(text.substr(0, 12), text.substr(13, 12));
  EXPECT_NE(KeyedHash(KeyOf(1), "bob@example.com", 16), KeyedHash(KeyOf(2), "bob@example.com", 16));
}

TEST(Policy, ReadsJsonByNamesAndUnescaped) {
  const auto policy = Make({{.name = "note", .match = "note"},
                            {.name = "inner", .match = "a.user.*", .action = Action::kMask},
                            {.name = "gone", .match = "a.gone", .action = Action::kDrop},
                            {.name = "ok", .match = "a.fine", .action = Action::kKeep}});
  const struct {
    std::string_view text;
    std::string_view wanted;
  } kCases[] = {
      {R"({"x":"bob\u0040example.com"})", R"({"x":"<email:HASH>"})"},
      {R"({"password":"a\"b","n":1})", R"({"password":"<secret:HASH>","n":1})"},
      {R"({"pwd":1234,"pin":1234})", R"({"pwd":"<secret:HASH>","pin":1234})"},
      {R"({"authorization":true,"cookie":null})", R"({"authorization":true,"cookie":null})"},
      {R"({"card":4111111111111111,"t":1700000000.5})",
       R"({"card":"<card:HASH>","t":1700000000.5})"},
      {R"({"note":{"deep":[1,2]},"z":[]})", R"({"note":"<note:HASH>","z":[]})"},
      {R"({"user":{"x":"y"},"x":"y"})", R"({"user":{"x":"<inner>"},"x":"y"})"},
      {R"({"gone":"y","fine":"bob@example.com"})", R"({"gone":null,"fine":"bob@example.com"})"},
      {R"({"s":"{\"password\":\"x\",\"m\":\"bob@example.com\"}"})",
       R"({"s":"{\"password\":\"<secret:HASH>\",\"m\":\"<email:HASH>\"}"})"},
      {R"({"bob@example.com":1})", R"({"<email:HASH>":1})"},
      {R"({"cut":"off bob@example.com and)", R"({"cut":"off <email:HASH> and")"},
      {R"("bob@example.com")", R"("<email:HASH>")"},
      {"[INFO] password=\"hunter2\" x", "[INFO] password=\"<secret:HASH>\" x"},
      {"[+49 30 901820]", "[<phone:HASH>]"},
  };
  for (const auto& c : kCases) {
    std::string text = Scrubbed(*policy, c.text);
    static const Pattern hash = *Pattern::Compile(":[0-9a-f]{4}>");
    while (const auto at = hash.Find(text, 0))
      text.replace(at->first, at->second - at->first, ":HASH>");
    EXPECT_EQ(text, c.wanted) << c.text;
  }
}

TEST(Policy, RulesOfUsersGoBeforeWhatIsBuiltIn) {
  const auto policy = Make(
      {{.name = "ticket", .kind = RuleKind::kPattern, .match = "ACME-[0-9]+"},
       {.name = "v4", .kind = RuleKind::kDetector, .match = "ipv4", .action = Action::kMask},
       {.name = "no-mail", .kind = RuleKind::kDetector, .match = "email", .action = Action::kKeep},
       {.name = "plain", .match = "app.password", .action = Action::kKeep}});
  EXPECT_THAT(Scrubbed(*policy, "ACME-12 from 203.0.113.7 by bob@example.com"),
              MatchesRegex("<ticket:[0-9a-f]{4}> from <ipv4> by bob@example.com"));
  EXPECT_EQ(policy->ForKey("app.password", "app.password").what, KeyDecision::What::kKeep);
  EXPECT_EQ(policy->ForKey("db.password", "db.password").what, KeyDecision::What::kRule);
  Tally tally;
  (void)policy->Scrub("ACME-1 ACME-2", tally);
  ASSERT_EQ(policy->actions()[Policy::kFirstUserRule].name, "ticket");
  EXPECT_EQ(tally.counts.at(Policy::kFirstUserRule), 2U);
}

TEST(Policy, RefusesRulesThatCannotWork) {
  for (const std::string_view json :
       {R"({"pattern":"("})", R"({"pattern":"a*"})", R"({"detector":"mail"})", R"({"key":""})",
        R"({})", R"({"key":"a","pattern":"b"})", R"({"key":"a","action":"burn"})",
        R"({"key":"a","colour":"red"})", R"({"pattern":"a","action":"keep"})", R"([])",
        R"({"key":1})"}) {
    EXPECT_FALSE(ParseRule("r", json)) << json;
  }
  EXPECT_FALSE(ParseRule("Bad Name", R"({"key":"a"})"));
  EXPECT_FALSE(ParseRule("email", R"({"pattern":"a"})"));
  const auto rule = ParseRule("cookies", R"({"key":"http.request.header.*","action":"drop"})");
  ASSERT_TRUE(rule);
  EXPECT_EQ(PrintRule(*rule),
            R"({"name":"cookies","key":"http.request.header.*","action":"drop"})");
  EXPECT_EQ(*ParseRule("cookies", PrintRule(*rule)), *rule);
  EXPECT_FALSE(Policy::Make(ContentMode::kHash, std::vector<Rule>(kRulesMax + 1, *rule), KeyOf(1)));
}

TEST(Policy, ContentModesHideByName) {
  const auto hash = Make({}, ContentMode::kHash);
  Tally tally;
  Policy::Growth growth(100);
  EXPECT_EQ(hash->ForKey("gen_ai.prompt", "gen_ai.prompt").rule, Policy::kContentRule);
  EXPECT_THAT(hash->Replace(Policy::kContentRule, std::string(100, 'x'), growth, tally),
              MatchesRegex("<content:[0-9a-f]{12} 100 bytes ~25 tokens>"));
  EXPECT_TRUE(Make({}, ContentMode::kNone)->Drops(Policy::kContentRule));
  EXPECT_EQ(Make()->ForKey("gen_ai.prompt", "gen_ai.prompt").what, KeyDecision::What::kScan);
  EXPECT_EQ(Make()->ForKey("ai.embedding", "ai.embedding").rule, Policy::kVectorRule);
}

// Words, punctuation and JSON without a secret in them.
std::string Harmless(Rng& rng) {
  static constexpr auto kWords =
      std::to_array<std::string_view>({"checkout",
                                       "took",
                                       "12.5",
                                       "ms",
                                       "at",
                                       "2026-11-29T21:17:00Z",
                                       "GET",
                                       "/v1/chat",
                                       "<b>",
                                       "user",
                                       "=",
                                       "?",
                                       "550e8400-e29b-41d4-a716-446655440000",
                                       "1-5759e988-bd862e3fe1be46a994272793",
                                       "a-b_c.d",
                                       "{",
                                       "}",
                                       "[",
                                       "]",
                                       "\"",
                                       ":",
                                       ",",
                                       "SELECT * FROM t WHERE id = $1",
                                       "\\n",
                                       "caf\xc3\xa9",
                                       "127.0.0.1:2000",
                                       "@",
                                       "tokens",
                                       "42"});
  std::string text;
  for (std::uint64_t n = rng.Below(30); n > 0; --n) {
    text += kWords[rng.Below(kWords.size())];
    text += rng.Chance(0.7) ? " " : "\n";
  }
  return text;
}

TEST(Scrub, LeavesTextsWithoutSecretsAsTheyAre) {
  const auto policy = Make();
  for (std::uint64_t seed = 0; seed < 20'000; ++seed) {
    Rng rng(seed);
    const std::string text = Harmless(rng);
    Tally tally;
    const auto scrubbed = policy->Scrub(text, tally, "a");
    EXPECT_FALSE(scrubbed) << "seed " << seed << ": " << text << " -> " << *scrubbed;
  }
}

TEST(Scrub, RemovesEverySecretOnceAndForAll) {
  static constexpr auto kSecrets = std::to_array<std::string_view>(
      {"bob.smith@mail.example.com", "+49 30 90182017", "4111111111111111",
       "DE89370400440532013000", "AKIAIOSFODNN7EXAMPLE", "sk-proj-abcDEF0123456789abcdef",
       "ghp_0123456789abcdefghijklmnopqrstuvwxyz",
       "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N", "ACME-77812"});
  const auto policy = Make({{.name = "ticket", .kind = RuleKind::kPattern, .match = "ACME-[0-9]+"},
                            {.name = "note", .match = "*.note"}},
                           ContentMode::kHash);
  for (std::uint64_t seed = 0; seed < 20'000; ++seed) {
    Rng rng(seed);
    const std::string_view secret = kSecrets[rng.Below(kSecrets.size())];
    std::string text;
    switch (rng.Below(4)) {
      case 0:
        text = Harmless(rng) + " " + std::string(secret) + " " + Harmless(rng);
        break;
      case 1:
        text = "{\"a\":[\"" + std::string(secret) + "\",{\"b\":\"x " + std::string(secret) +
               "\"}],\"n\":1}";
        break;
      case 2:
        text = R"({"note":")" + std::string(secret) + R"(","j":"{\"k\":\")" + std::string(secret) +
               R"(\"}"})";
        break;
      default:
        text = "https://shop.example/p?a=1&b=" + std::string(secret) + "#x";
    }
    Tally tally;
    const auto once = policy->Scrub(text, tally, "a");
    ASSERT_TRUE(once) << "seed " << seed << ": " << text;
    EXPECT_THAT(*once, Not(HasSubstr(std::string(secret)))) << "seed " << seed;
    EXPECT_LE(once->size(), 2 * text.size() + kGrowthBytes) << "seed " << seed;
    const auto twice = policy->Scrub(*once, tally, "a");
    EXPECT_FALSE(twice) << "seed " << seed << ": " << *once << " -> " << *twice;
    if (LooksLikeJson(text) && JsonTree::Parse(text)) {
      EXPECT_TRUE(JsonTree::Parse(*once)) << "seed " << seed << ": " << *once;
    }
  }
}

TEST(Scrub, NeverGrowsBeyondItsBound) {
  const auto policy =
      Make({{.name = "a-rule-with-a-rather-long-name", .kind = RuleKind::kPattern, .match = "a"},
            {.name = "b", .match = "b"}});
  for (const std::string& text :
       {std::string(1000, 'a'), std::string(200, 'a'), std::string("a,"), [] {
          std::string json = "[";
          for (int i = 0; i < 5000; ++i) json += R"({"b":1},"a",)";
          return json + "0]";
        }()}) {
    Tally tally;
    const auto scrubbed = policy->Scrub(text, tally, "x");
    ASSERT_TRUE(scrubbed);
    EXPECT_LE(scrubbed->size(), 2 * text.size() + kGrowthBytes + text.size() / 4);
  }
}

TEST(Scrub, WorkIsLinearInHostileText) {
  const auto policy = Make({{.name = "p", .kind = RuleKind::kPattern, .match = "x.*y|x"}});
  for (const std::string_view piece :
       {"1", "@", "[", "{\"a\":", "\"", "\\\"", "<email:", "<", "x", "\\u0040", "{\"password\":"}) {
    std::string text = "{\"k\":\"";
    while (text.size() < (std::size_t{1} << 20)) text += piece;
    Tally tally;
    (void)policy->Scrub(text, tally, "a");
    EXPECT_LE(tally.steps, 600 * text.size()) << piece;
  }
}

}  // namespace
}  // namespace fluoro::redact
