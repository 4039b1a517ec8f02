#include "codec/xray/json_tape.h"

#include <gmock/gmock.h>
#include <simdjson.h>

#include <random>

#include "base/utf8.h"
#include "codec/xray/decimal.h"

namespace fluoro::codec::xray {
namespace {

constexpr std::uint32_t kDepthMax = 64;

TEST(JsonTape, CompactsAndKeepsEveryValueAsWritten) {
  JsonTape tape;
  ASSERT_TRUE(tape.Parse(" {\n \"a\" : [ 1.50e+3 , -0 ,\ttrue ] , \"b\\n\" : { } }\r\n", kDepthMax)
                  .has_value());
  EXPECT_EQ(tape.text(), R"({"a":[1.50e+3,-0,true],"b\n":{}})");
  EXPECT_EQ(tape.node(JsonTape::kRoot).height, 2);
  EXPECT_FALSE(tape.repaired());
}

TEST(JsonTape, UnescapesStrings) {
  JsonTape tape;
  ASSERT_TRUE(
      tape.Parse(R"("\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00z")", kDepthMax).has_value());
  std::string scratch;
  EXPECT_EQ(tape.String(tape.node(JsonTape::kRoot), scratch),
            "\"\\/\b\f\n\r\tA\u00e9\u20ac\U0001F600z");
}

TEST(JsonTape, RepairsHalfSurrogatePairsAndNumbersThatAreNone) {
  JsonTape tape;
  ASSERT_TRUE(
      tape.Parse(R"(["\ud800","\udc00x","\ud800\ud83d\ude00","\ud800\n",NaN,Infinity,-Infinity])",
                 kDepthMax)
          .has_value());
  EXPECT_EQ(tape.text(), R"(["\ufffd","\ufffdx","\ufffd\ud83d\ude00","\ufffd\n",null,null,null])");
  EXPECT_TRUE(tape.repaired());
}

TEST(JsonTape, NamesTheByteOfEveryFault) {
  const struct {
    std::string_view json;
    std::string_view message;
  } cases[] = {
      {"", "byte 0: a value wanted, the text ends"},
      {"  x", "byte 2: a value wanted, found 'x'"},
      {R"({"a" 1})", "byte 5: ':' wanted, found '1'"},
      {R"({"a":1,})", "byte 7: a member name in quotes wanted, found '}'"},
      {R"({"a":1 "b":2})", "byte 7: ',' or '}' wanted, found '\"'"},
      {"[1,]", "byte 3: a value wanted, found ']'"},
      {"[1 2]", "byte 3: ',' or ']' wanted, found '2'"},
      {"[1", "byte 2: ',' or ']' wanted, the text ends"},
      {"{", "byte 1: ',' or '}' wanted, the text ends"},
      {"{\"a\":1}x", "byte 7: end of the document wanted, found 'x'"},
      {"01", "byte 1: no digit after a leading zero wanted, found '1'"},
      {"-", "byte 1: a digit wanted, the text ends"},
      {"1.", "byte 2: a digit wanted, the text ends"},
      {"1e", "byte 2: a digit wanted, the text ends"},
      {"tru", "byte 0: a value wanted, found 't'"},
      {"\"a\nb\"", "byte 2: no control character in a string wanted, found byte 0x0a"},
      {"\"abc", "byte 4: '\"' wanted, the text ends"},
      {R"("\x")", "byte 2: an escape wanted, found 'x'"},
      {R"("\u12g4")", "byte 2: four hex digits after \\u wanted, found 'u'"},
      {"\xe2\x80\x9c", "byte 0: a value wanted, found byte 0xe2"},
  };
  for (const auto& c : cases) {
    JsonTape tape;
    const auto parsed = tape.Parse(c.json, kDepthMax);
    ASSERT_FALSE(parsed.has_value()) << c.json;
    EXPECT_EQ(parsed.error().message, c.message) << c.json;
    EXPECT_EQ(parsed.error().code, ErrorCode::kCorruption) << c.json;
  }
}

TEST(JsonTape, RefusesBeyondItsDepth) {
  for (const std::size_t depth : {1UL, 10UL, 64UL, 65UL, 1'000UL, 1'000'000UL}) {
    for (const std::string_view open : {"[", "{\"a\":"}) {
      std::string json;
      for (std::size_t i = 0; i < depth; ++i) json += open;
      json += "1";
      for (std::size_t i = 0; i < depth; ++i) json += open == "[" ? ']' : '}';
      JsonTape tape;
      const auto parsed = tape.Parse(json, kDepthMax);
      ASSERT_EQ(parsed.has_value(), depth <= kDepthMax) << depth;
      if (!parsed) {
        EXPECT_EQ(parsed.error().code, ErrorCode::kTooLarge);
      }
    }
  }
}

// simdjson refuses half surrogates, numbers beyond 64 bits and NaN; beside those both must agree on
// every mutation.
TEST(JsonTape, AgreesWithSimdjsonOnMutatedDocuments) {
  const std::string seed_document =
      R"({"name":"a\u00e9","t":[1,-2.5,1e3,0.0001],"o":{"x":true,"y":false,"z":null},"e":[],"f":{},"s":"q\"\\ b"})";
  constexpr std::string_view kAlphabet = "{}[]\",:\\ntf0159.eE+-u \n\x01z";
  std::mt19937_64 rng(20261124);
  std::size_t accepted_count = 0;
  for (int round = 0; round < 30'000; ++round) {
    std::string json = seed_document;
    const std::size_t edits = 1 + rng() % 3;
    for (std::size_t i = 0; i < edits; ++i) {
      const std::size_t at = rng() % json.size();
      switch (rng() % 3) {
        case 0:
          json[at] = kAlphabet[rng() % kAlphabet.size()];
          break;
        case 1:
          json.erase(at, 1 + rng() % 4);
          break;
        default:
          json.insert(at, 1, kAlphabet[rng() % kAlphabet.size()]);
      }
    }
    if (!IsValidUtf8(json)) continue;
    JsonTape tape;
    const bool ours = tape.Parse(json, kDepthMax).has_value();
    simdjson::dom::parser parser;
    simdjson::dom::element element;
    const auto theirs = parser.parse(json).get(element);
    if (theirs == simdjson::NUMBER_ERROR || tape.repaired()) continue;
    ASSERT_EQ(ours, theirs == simdjson::SUCCESS) << json << "\n" << simdjson::error_message(theirs);
    if (!ours) continue;
    ++accepted_count;
    simdjson::dom::parser again;
    ASSERT_EQ(simdjson::minify(element),
              simdjson::minify(again.parse(std::string(tape.text())).value()))
        << json;
  }
  EXPECT_GT(accepted_count, 1'000U);
}

TEST(Decimal, ReadsSecondsExactlyToTheNanosecond) {
  const struct {
    std::string_view text;
    std::optional<std::int64_t> ns;
  } cases[] = {
      {"1480615200.010", 1480615200010000000},
      {"1.480615200010E9", 1480615200010000000},
      {"1.478293361271e9", 1478293361271000000},
      {"1480615200", 1480615200000000000},
      {"1461096053.37518", 1461096053375180000},
      {"1596648396.6399446", 1596648396639944600},
      {"1596648396.639944612999", 1596648396639944612},
      {"0", 0},
      {"0.000000001", 1},
      {"1e-9", 1},
      {"1e-10", 0},
      {"-1.5", -1500000000},
      {"14782933612710000e-7", 1478293361271000000},
      {"9223372036.854775807", INT64_MAX},
      {"9223372036.854775808", std::nullopt},
      {"1e99999999999999999999", std::nullopt},
      {"0e99999999999999999999", 0},
      {"1478293361271", std::nullopt},
      {"", std::nullopt},
      {"abc", std::nullopt},
      {"1.", std::nullopt},
      {"1e", std::nullopt},
      {"1 ", std::nullopt},
      {"0x10", std::nullopt},
  };
  for (const auto& c : cases) EXPECT_EQ(ParseSeconds(c.text), c.ns) << c.text;
}

TEST(Decimal, ReadsIntegersWithoutLoss) {
  EXPECT_EQ(ParseInteger("200"), 200);
  EXPECT_EQ(ParseInteger("200.0"), 200);
  EXPECT_EQ(ParseInteger("2e2"), 200);
  EXPECT_EQ(ParseInteger("-1"), -1);
  EXPECT_EQ(ParseInteger("200.5"), std::nullopt);
  EXPECT_EQ(ParseInteger("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(ParseInteger("9223372036854775808"), std::nullopt);
  EXPECT_EQ(ParseInteger(""), std::nullopt);
}

}  // namespace
}  // namespace fluoro::codec::xray
