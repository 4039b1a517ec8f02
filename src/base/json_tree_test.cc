#include "base/json_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fluoro {
namespace {

TEST(JsonTree, GivesEveryValueItsTypeAndOffset) {
  const std::string text =
      R"( {"s" : "a\n\u00e9", "n":[1, -2,3.5,18446744073709551615, 1e2], "t":true,"z":null, "o":{}})";
  const auto tree = JsonTree::Parse(text);
  ASSERT_TRUE(tree) << tree.error().message;
  const JsonView root = tree->root();
  EXPECT_EQ(root.offset(), 1U);
  EXPECT_EQ(root["s"].String(), "a\n\xc3\xa9");
  EXPECT_EQ(root["s"].offset(), text.find("\"a"));
  const auto numbers = root["n"].Elements();
  ASSERT_EQ(numbers.size(), 5U);
  EXPECT_EQ(numbers[0].Int(), 1);
  EXPECT_EQ(numbers[1].Int(), -2);
  EXPECT_EQ(numbers[1].offset(), text.find("-2"));
  EXPECT_EQ(numbers[2].Int(), std::nullopt);
  EXPECT_EQ(numbers[2].Double(), 3.5);
  EXPECT_EQ(numbers[3].Double(), 18446744073709551615.0);
  EXPECT_EQ(numbers[4].Double(), 100.0);
  EXPECT_EQ(root["t"].Bool(), true);
  EXPECT_TRUE(root["z"].exists());
  EXPECT_TRUE(root["z"].IsNull());
  EXPECT_TRUE(root["o"].IsObject());
  EXPECT_EQ(root["o"].offset(), text.find("{}"));
  EXPECT_FALSE(root["missing"].exists());
  EXPECT_FALSE(root["missing"]["deeper"].exists());
  EXPECT_EQ(root.Members().size(), 5U);
  EXPECT_EQ(root.Members()[4].key, "o");
}

TEST(JsonTree, ReadsNumbersAtTheEdges) {
  struct Case {
    std::string_view text;
    std::optional<std::int64_t> whole;
    double number;
  };
  static constexpr Case kCases[] = {
      {"0", 0, 0},
      {"-0", 0, 0},
      {"0e300", std::nullopt, 0},
      {"0.0e-300", std::nullopt, 0},
      {"1e-400", std::nullopt, 0},
      {"0.1", std::nullopt, 0.1},
      {"1E2", std::nullopt, 100},
      {"9223372036854775807", INT64_MAX, 9223372036854775807.0},
      {"-9223372036854775808", INT64_MIN, -9223372036854775808.0},
      {"9223372036854775808", std::nullopt, 9223372036854775808.0},
      {"1.7976931348623157e308", std::nullopt, 1.7976931348623157e308},
  };
  for (const Case& c : kCases) {
    const auto tree = JsonTree::Parse(c.text);
    ASSERT_TRUE(tree) << c.text;
    EXPECT_EQ(tree->root().Int(), c.whole) << c.text;
    EXPECT_EQ(tree->root().Double(), c.number) << c.text;
  }
  for (const std::string_view bad : {"01", "1.", ".5", "+1", "1e", "-", "0x1", "NaN"}) {
    EXPECT_FALSE(JsonTree::Parse(bad)) << bad;
  }
}

TEST(JsonTree, TakesTheLastOfRepeatedKeys) {
  const auto tree = JsonTree::Parse(R"({"a":[1,{"b":2}],"a":7})");
  ASSERT_TRUE(tree);
  EXPECT_EQ(tree->root()["a"].Int(), 7);
  EXPECT_EQ(tree->root().Members().size(), 2U);
}

TEST(JsonTree, SaysWhereTheTextIsBroken) {
  struct Case {
    std::string text;
    std::string message;
  };
  const Case cases[] = {
      {"", "byte 0: The document is empty."},
      {"[1,]", "byte 3: Invalid value."},
      {"{\"a\" 1}", "byte 5: Missing a colon after a name of object member."},
      {"[1] x", "byte 4: The document root must not be followed by other values."},
      {std::string("[1]\0 ", 5), "byte 3: a NUL byte after the document"},
      {"[1e999]", "byte 1: Number too big to be stored in double."},
  };
  for (const Case& c : cases) {
    const auto tree = JsonTree::Parse(c.text);
    ASSERT_FALSE(tree) << c.text;
    EXPECT_EQ(tree.error(), (Error{ErrorCode::kCorruption, c.message})) << c.text;
  }
}

TEST(JsonTree, ChecksItsLimits) {
  const std::string deep = std::string(65, '[') + std::string(65, ']');
  EXPECT_EQ(JsonTree::Parse(deep).error(),
            (Error{ErrorCode::kTooLarge, "byte 64: nested deeper than 64 levels"}));
  EXPECT_TRUE(JsonTree::Parse(deep, {.depth_max = 65, .values_max = 65}));
  EXPECT_EQ(JsonTree::Parse("[1,2,3]", {.depth_max = 2, .values_max = 3}).error(),
            (Error{ErrorCode::kTooLarge, "byte 5: more than 3 values"}));
}

TEST(JsonTree, HandsOverElementsOneByOne) {
  std::vector<std::string> seen;
  const auto visit = [&](JsonView element) -> Result<void> {
    seen.push_back(std::to_string(element.offset()) + ":" +
                   std::string(element["k"].String().value_or("-")));
    return {};
  };
  const JsonLimits limits{.depth_max = 4, .values_max = 4};
  ASSERT_TRUE(JsonTree::ForEachElement(R"([{"k":"a"}, 5 ,[[]],{"k":"b","k":"b"}])",
                                       {.depth_max = 4, .values_max = 5}, visit));
  EXPECT_THAT(seen, ::testing::ElementsAre("1:a", "12:-", "15:-", "20:b"));
  EXPECT_TRUE(JsonTree::ForEachElement("[]", limits, visit));
  EXPECT_EQ(JsonTree::ForEachElement("{}", limits, visit).error().message,
            "byte 0: an array was expected");
  EXPECT_EQ(JsonTree::ForEachElement(" 3", limits, visit).error().message,
            "byte 1: an array was expected");
  EXPECT_EQ(JsonTree::ForEachElement("[1,2", limits, visit).error().code, ErrorCode::kCorruption);
  EXPECT_EQ(JsonTree::ForEachElement("[[[[[]]]]]", limits, visit).error().code,
            ErrorCode::kTooLarge);
  const auto refuse = [](JsonView) -> Result<void> { return Fail(ErrorCode::kNotFound, "no"); };
  EXPECT_EQ(JsonTree::ForEachElement("[1]", limits, refuse).error().message, "no");
}

}  // namespace
}  // namespace fluoro
