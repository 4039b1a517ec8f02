#include "query/parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/rng.h"
#include "query/test_data.h"

namespace fluoro::query {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

Filter::Options WithGroups(GroupLookup groups = testing::FixtureGroups) {
  return {.case_insensitive_strings = false, .groups = std::move(groups)};
}

/// The canonical text of an expression, or the error.
std::string Reprint(std::string_view text, const Filter::Options& options = WithGroups()) {
  const auto filter = Filter::Parse(text, options);
  if (!filter) return filter.error().message;
  return filter->matches_all() ? "" : Print(*filter->root());
}

TEST(FilterParser, AcceptsEveryExpressionOfTheTables) {
  const testing::JsonFile data(testing::kTestdata + "expressions.json");
  for (const auto& row : data["selects"].Items()) {
    const auto filter = Filter::Parse(row["expression"].Text(), WithGroups());
    EXPECT_TRUE(filter) << row["expression"].Text() << ": " << filter.error().message;
  }
  for (const auto& row : data["accepts"].Items()) {
    const auto filter = Filter::Parse(row.Text(), WithGroups());
    EXPECT_TRUE(filter) << row.Text() << ": " << filter.error().message;
  }
}

TEST(FilterParser, RefusesEveryExpressionOfTheTableOfErrors) {
  const testing::JsonFile data(testing::kTestdata + "expressions.json");
  for (const auto& row : data["refuses"].Items()) {
    const auto filter = Filter::Parse(row["expression"].Text(), WithGroups());
    ASSERT_FALSE(filter) << row["expression"].Text();
    EXPECT_EQ(filter.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(filter.error().message, StartsWith("Invalid input symbol at position "));
  }
}

TEST(FilterParser, AcceptsTheExamplesOfTheDeveloperGuide) {
  const std::string path = "../shared/data/xray/filter-expressions.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not here";
  const testing::JsonFile data(path);
  const auto any_group = [](std::string_view) { return std::optional<std::string>("fault"); };
  for (const auto& text : data["valid"].Items()) {
    const auto filter = Filter::Parse(text.Text(), WithGroups(any_group));
    EXPECT_TRUE(filter) << text.Text() << ": " << filter.error().message;
  }
  for (const auto& text : data["not_valid_as_printed"].Items()) {
    EXPECT_FALSE(Filter::Parse(text.Text(), WithGroups(any_group))) << text.Text();
  }
}

TEST(FilterParser, NothingIsAFilterThatMatchesEverything) {
  EXPECT_TRUE(Filter::Parse("")->matches_all());
  EXPECT_TRUE(Filter::Parse(" \t\r\n")->matches_all());
  EXPECT_EQ(Filter::Parse(" ok ")->text(), " ok ");
}

TEST(FilterParser, ReadsPrecedenceAndForms) {
  const std::pair<const char*, const char*> cases[] = {
      {"ok error OR fault and throttle", "ok AND error OR fault AND throttle"},
      {"(ok OR error) fault", "(ok OR error) AND fault"},
      {"!annotation.age = 29", "!annotation.age = 29"},
      {"!(ok fault)", "!(ok AND fault)"},
      {"!!ok", "!!ok"},
      {"(ok (error fault))", "ok AND error AND fault"},
      {"duration <3", "duration < 3"},
      {"DURATION>=.5", "duration >= 0.5"},
      {"responseTime=1E3", "responsetime = 1000"},
      {"index = -2.5e-1", "index = -0.25"},
      {"fault = \"TRUE\"", "fault = true"},
      {"fault != False", "fault != false"},
      {"name = service", "name = \"service\""},
      {"name = api.example.com ok", "name = \"api.example.com\" AND ok"},
      {"name = True", "name = \"True\""},
      {R"(name = "a \"b\" \\ \n")", R"(name = "a \"b\" \\ \\n")"},
      {"Annotation.Key = x", "annotation.Key = \"x\""},
      {"annotation.a.1b_c", "annotation.a.1b_c"},
      {"annotation.k = \"true\"", "annotation.k = \"true\""},
      {"annotation.k = TRUE", "annotation.k = true"},
      {"annotation [ k ] > 5", "annotation.k > 5"},
      {"annotation[a b-c]", "annotation[\"a b-c\"]"},
      {"annotation[ \"a]\" ] CONTAINS \"\"", "annotation[\"a]\"] CONTAINS \"\""},
      {"service(){}", "service()"},
      {"service(a){fault}", "service(\"a\") { fault }"},
      {"service(id(Type:\"t\",NAME:\"n\"))", "service(id(name: \"n\", type: \"t\"))"},
      {"edge(id,id(account.id:\"1\"))", "edge(\"id\", id(account.id: \"1\"))"},
      {"groupname = Default", "group.name = \"Default\""},
      {"group.arn != \"arn:aws:xray:r:1:group/Default\"",
       "group.arn != \"arn:aws:xray:r:1:group/Default\""},
      {"json != #[ {\"a\" : [1, null, true, \"x\"]} ]ok",
       "rootcause.json != #[{\"a\":[1,null,true,\"x\"]}] AND ok"},
      {"json = #[0e92, 1.5e3, -7, 18446744073709551616]",
       "rootcause.json = #[0,1500,-7,18446744073709551616]"},
      {"ROOTCAUSE.Fault.Entity{ last }", "rootcause.fault.entity { last }"},
      {"name = a !ok", "name = \"a\" AND !ok"},
  };
  for (const auto& [text, printed] : cases) EXPECT_EQ(Reprint(text), printed) << text;
}

TEST(FilterParser, SaysWhereAndWhat) {
  const std::pair<const char*, const char*> cases[] = {
      {"responsetme > 5", "1: unknown keyword 'responsetme'; did you mean 'responsetime'?"},
      {"ok AND respons_time > 5",
       "8: unknown keyword 'respons_time'; did you mean 'responsetime'?"},
      {"status = 5", "1: unknown keyword 'status'; did you mean 'http.status'?"},
      {"useragent", "1: unknown keyword 'useragent'; did you mean 'http.useragent'?"},
      {"annotations.tenant = \"a\"",
       "1: unknown keyword 'annotations.tenant'; did you mean 'annotation.tenant'?"},
      {"rootcause.faults.entity",
       "1: unknown keyword 'rootcause.faults.entity'; did you mean 'rootcause.fault.entity'?"},
      {"servce(\"a\")", "1: unknown keyword 'servce'; did you mean 'service'?"},
      {"NOT ok", "1: unknown keyword 'NOT'; did you mean '!'?"},
      {"http.url LIKE \"x\"", "10: unknown keyword 'LIKE'; did you mean 'CONTAINS'?"},
      {"zzzzqqqq", "1: unknown keyword 'zzzzqqqq'"},
      {"ab != c", "1: unknown keyword 'ab'"},
      {"ok == true", "4: '==' is not an operator; did you mean '='?"},
      {"ok && fault", "4: '&&' is not an operator; did you mean 'AND'?"},
      {"ok || fault", "4: '||' is not an operator; did you mean 'OR'?"},
      {"http.url CONTAINS '/api'", "19: strings stand in double quotes"},
      {"user = \"alice", "8: the string that starts here has no closing '\"'"},
      {"responsetime CONTAINS \"5\"",
       "14: 'responsetime' is a number and takes =, !=, <, <=, > and >="},
      {"user > \"a\"", "6: 'user' is a string and takes =, !=, CONTAINS, BEGINSWITH and ENDSWITH"},
      {"fault > true", "7: 'fault' is a Boolean and takes = and !="},
      {"fault = maybe", "9: 'fault' is compared with true or false, found 'maybe'"},
      {"duration > \"5\"", "12: 'duration' is compared with a number, found a string"},
      {"user = 5", "8: a string in double quotes expected, found '5'"},
      {"user = AND ok", "8: a string in double quotes expected, found 'AND'"},
      {"annotation.k > true", "14: a comparison with a Boolean takes = and !="},
      {"annotation.k > \"a\"",
       "14: a comparison with a string takes =, !=, CONTAINS, BEGINSWITH and ENDSWITH"},
      {"annotation.k CONTAINS 5", "14: a comparison with a number takes =, !=, <, <=, > and >="},
      {"annotation. = 1",
       "11: an annotation's key expected: annotation.key or annotation[key], found '.'"},
      {"annotation[ ] = 1", "12: the annotation key is empty"},
      {"annotation[x", "13: ']' expected behind the annotation key"},
      {"fault AND", "10: a condition expected, found the end"},
      {"fault OR OR ok", "10: a condition expected, found 'OR'"},
      {"AND", "1: a condition expected, found 'AND'"},
      {"5", "1: a condition expected, found '5'"},
      {"()", "2: a condition expected, found ')'"},
      {"(ok", "4: ')' expected, found the end"},
      {"ok)", "3: no '(' belongs to this ')'"},
      {"service() { fault } }", "21: no '{' belongs to this '}'"},
      {"service(\"a\"", "12: ')' expected, found the end"},
      {"service(\"a\", \"b\")", "12: ')' expected, found ','"},
      {"service", "8: '(' expected behind 'service', found the end"},
      {"service(5)", "9: a service name in double quotes or id(...) expected, found '5'"},
      {"service(id())", "12: 'name', 'type' or 'account.id' expected inside id(), found ')'"},
      {"service(id(name:\"a\",name:\"b\"))", "21: 'name' stands twice inside id()"},
      {"service(id(name \"a\"))", "17: ':' expected behind 'name', found a string"},
      {"edge(\"a\")", "9: ',' and a second service expected: edge(from, to), found ')'"},
      {"service(\"a\") { edge(\"a\", \"b\") }", "16: 'edge' cannot stand inside a block"},
      {"rootcause.fault.service { rootcause.json = #[] }",
       "27: 'rootcause.json' cannot stand inside a block"},
      {"rootcause.responsetime.exception { last }",
       "1: response-time root causes have no exceptions"},
      {"rootcause.json = [1]", "18: a JSON array that starts with '#[' expected, found '['"},
      {"rootcause.json = #[{\"Services\": ]", "33: the JSON literal is malformed here"},
      {"rootcause.json = #[1e999]", "20: the JSON literal is malformed here"},
      {"rootcause.json > #[]", "16: '=' or '!=' expected behind 'rootcause.json', found '>'"},
      {"group.name = \"nope\"", "1: there is no group 'nope'"},
      {"ok \x01", "4: a control character stands outside a string"},
      {"name = gr\xc3\xb6\xc3\x9f", "10: a character outside ASCII stands outside a string"},
      {"duration > 1e999", "12: the number is outside the range of a double"},
      {"name = api-1", "11: AND, OR or the end expected, found '-1'"},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_THAT(Reprint(text),
                StartsWith("Invalid input symbol at position " + std::string(message)))
        << text;
  }
}

TEST(FilterParser, RefusesNestingBeyond64InBoundedStack) {
  const auto nested = [](std::size_t levels, const char* open, const char* close) {
    std::string text;
    for (std::size_t i = 0; i < levels; ++i) text += open;
    text += "ok";
    for (std::size_t i = 0; i < levels; ++i) text += close;
    return text;
  };
  for (const auto& [open, close] : {std::pair("(", ")"), std::pair("!", "")}) {
    EXPECT_TRUE(Filter::Parse(nested(64, open, close)));
    const auto refused = Filter::Parse(nested(65, open, close));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kTooLarge);
    EXPECT_EQ(refused.error().message,
              "Invalid input symbol at position 65: nested deeper than 64 levels");
    EXPECT_EQ(Filter::Parse(nested(4'000, open, close)).error().code, ErrorCode::kTooLarge);
    EXPECT_EQ(Filter::Parse(nested(10'000'000, open, close)).error().code, ErrorCode::kTooLarge);
  }
  const std::string brackets(65, '[');
  const auto json = Filter::Parse("json = #" + brackets + std::string(65, ']'));
  ASSERT_FALSE(json);
  EXPECT_EQ(json.error().code, ErrorCode::kTooLarge);
  EXPECT_TRUE(Filter::Parse("json = #" + brackets.substr(1) + std::string(64, ']')));
  EXPECT_FALSE(Filter::Parse("json = #" + std::string(8'000, '[')));
}

TEST(FilterParser, RefusesMoreThan8192Bytes) {
  const std::string longest = "user = \"" + std::string(kExpressionBytesMax - 9, 'x') + "\"";
  EXPECT_TRUE(Filter::Parse(longest));
  const auto refused = Filter::Parse(longest + " ");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kTooLarge);
  EXPECT_THAT(refused.error().message, StartsWith("Invalid input symbol at position 8193: "));
}

TEST(FilterParser, ReplacesGroupsAndRefusesCycles) {
  const auto filter = Filter::Parse("group.name = \"checkout-slow\" AND ok", WithGroups());
  ASSERT_TRUE(filter);
  const auto& operands = std::get<AndExpression>(filter->root()->node).operands;
  const auto& group = std::get<GroupTest>(operands.at(0).node);
  EXPECT_EQ(Print(*group.body), "http.url CONTAINS \"/checkout\" AND responsetime > 3");
  EXPECT_EQ(
      std::get<GroupTest>(Filter::Parse("groupname = everything", WithGroups())->root()->node).body,
      nullptr);

  const auto groups = [](std::string_view name) -> std::optional<std::string> {
    if (name == "a") return "group.name = b";
    if (name == "b") return "ok OR group.arn = \"arn:b\"";
    if (name == "arn:b") return "group.name = \"a\"";
    if (name == "broken") return "fault = maybe";
    if (name.starts_with("twice")) {
      const int level = std::stoi(std::string(name.substr(5)));
      if (level == 0) return "ok";
      const std::string next = "groupname = twice" + std::to_string(level - 1);
      return next + " AND " + next;
    }
    return std::nullopt;
  };
  EXPECT_THAT(
      Reprint("ok AND group.name = a", WithGroups(groups)),
      ::testing::AllOf(
          StartsWith("Invalid input symbol at position 8: the filter of group 'a' is refused"),
          HasSubstr("group 'a' contains itself")));
  EXPECT_THAT(Reprint("group.name = broken", WithGroups(groups)),
              HasSubstr("position 9: 'fault' is compared with true or false"));
  EXPECT_TRUE(Filter::Parse("groupname = twice10", WithGroups(groups)));
  EXPECT_EQ(Filter::Parse("groupname = twice30", WithGroups(groups)).error().code,
            ErrorCode::kTooLarge);
  EXPECT_EQ(Filter::Parse("groupname = twice100", WithGroups(groups)).error().code,
            ErrorCode::kTooLarge);
}

TEST(EntitySelector, TakesOneServiceOrEdge) {
  const auto service = EntitySelector::Parse("service(id(name: \"X\", type: \"Y\"))");
  ASSERT_TRUE(service);
  EXPECT_TRUE(service->service->Matches({.name = "X", .type = "Y", .account_id = "1"}));
  EXPECT_FALSE(service->service->Matches({.name = "X", .type = "Z", .account_id = ""}));
  EXPECT_FALSE(service->edge);
  const auto edge = EntitySelector::Parse(" Edge(\"a\", \"b\") ");
  ASSERT_TRUE(edge);
  EXPECT_TRUE(edge->edge->first.Matches({.name = "a", .type = "t", .account_id = ""}));
  EXPECT_FALSE(edge->edge->second.Matches({.name = "a", .type = "t", .account_id = ""}));
  EXPECT_FALSE(edge->service);
}

TEST(EntitySelector, RefusesEverythingElse) {
  for (const char* text :
       {"", "service()", "service(\"a\") {fault}", "service(\"a\") AND service(\"b\")",
        "edge(\"a\")", "ok", "!service(\"a\")", "(service(\"a\"))", "service(\"a\"",
        "id(name:\"a\")", "service(\"a\") service(\"b\")"}) {
    const auto selector = EntitySelector::Parse(text);
    ASSERT_FALSE(selector) << text;
    EXPECT_EQ(selector.error().code, ErrorCode::kInvalidArgument) << text;
    EXPECT_THAT(selector.error().message, StartsWith("Invalid input symbol at position ")) << text;
  }
  std::string longest = "service(\"";
  for (int i = 0; i < 489; ++i) longest += "\xc3\xa9";
  EXPECT_TRUE(EntitySelector::Parse(longest + "\")"));
  EXPECT_EQ(EntitySelector::Parse(longest + "xx\")").error().code, ErrorCode::kTooLarge);
}

/// Random trees in the form the parser builds: no AND directly inside AND, no OR directly inside
/// OR.
class TreeGenerator {
 public:
  explicit TreeGenerator(Rng& rng) : rng_(rng) {}

  Expression Make(int depth, bool in_block = false) {
    switch (depth <= 0 ? 9 : rng_.Below(12)) {
      case 0:
        return {NotExpression{Own(Make(depth - 1, in_block))}};
      case 1: {
        AndExpression node;
        for (std::uint64_t i = 2 + rng_.Below(3); i > 0; --i)
          Add<AndExpression>(node.operands, depth, in_block);
        return {std::move(node)};
      }
      case 2: {
        OrExpression node;
        for (std::uint64_t i = 2 + rng_.Below(3); i > 0; --i)
          Add<OrExpression>(node.operands, depth, in_block);
        return {std::move(node)};
      }
      case 3:
        if (in_block) break;
        return {ServiceTest{.selector = rng_.Chance(0.2) ? EntitySelector::Node{} : MakeNode(),
                            .block = MakeBlock(depth)}};
      case 4:
        if (in_block) break;
        return {EdgeTest{.from = MakeNode(), .to = MakeNode(), .block = MakeBlock(depth)}};
      case 5: {
        if (in_block) break;
        const auto kind = static_cast<CauseKind>(rng_.Below(3));
        const auto list =
            static_cast<CauseList>(rng_.Below(kind == CauseKind::kResponseTime ? 2 : 3));
        return {CauseTest{.kind = kind, .list = list, .block = MakeBlock(depth)}};
      }
      case 6:
        if (in_block) break;
        return {CauseJsonTest{.pattern = {JsonPattern::Array{MakeJson(3), MakeJson(2)}},
                              .negated = rng_.Chance(0.5)}};
      case 7:
        if (in_block) break;
        return {GroupTest{.group = "faults",
                          .by_arn = rng_.Chance(0.5),
                          .negated = rng_.Chance(0.5),
                          .body = nullptr}};
      case 8:
        return MakeAnnotation();
      default:
        break;
    }
    return MakeKeyword();
  }

 private:
  static std::unique_ptr<Expression> Own(Expression expression) {
    return std::make_unique<Expression>(std::move(expression));
  }
  template <class Combination>
  void Add(std::vector<Expression>& operands, int depth, bool in_block) {
    Expression operand = Make(depth - 1, in_block);
    while (std::holds_alternative<Combination>(operand.node)) operand = Make(depth - 1, in_block);
    operands.push_back(std::move(operand));
  }
  std::unique_ptr<Expression> MakeBlock(int depth) {
    return rng_.Chance(0.3) ? nullptr : Own(Make(depth - 1, true));
  }
  std::string MakeText() {
    static constexpr std::string_view kPieces[] = {"a", "\"",       "\\",  " ", "\n", "]",
                                                   "}", "\xc3\xa9", "AND", ".", "'",  "#["};
    std::string text;
    for (std::uint64_t i = rng_.Below(6); i > 0; --i)
      text += kPieces[rng_.Below(std::size(kPieces))];
    return text;
  }
  double MakeNumber() {
    switch (rng_.Below(3)) {
      case 0:
        return static_cast<double>(rng_.Below(1'000));
      case 1:
        return rng_.Unit() * 2 - 1;
      default:
        return (rng_.Unit() - 0.5) * 1e200;
    }
  }
  Operator MakeOperator(KeywordType type) {
    switch (type) {
      case KeywordType::kBoolean:
        return static_cast<Operator>(1 + rng_.Below(2));
      case KeywordType::kNumber:
        return static_cast<Operator>(1 + rng_.Below(6));
      case KeywordType::kString:
        break;
    }
    const auto pick = rng_.Below(5);
    return static_cast<Operator>(pick < 2 ? 1 + pick : 5 + pick);
  }
  Literal MakeLiteral(KeywordType type) {
    if (type == KeywordType::kBoolean) return rng_.Chance(0.5);
    if (type == KeywordType::kNumber) return MakeNumber();
    return MakeText();
  }
  Expression MakeKeyword() {
    KeywordTest test{
        .keyword = static_cast<Keyword>(rng_.Below(27)), .op = Operator::kPresent, .literal = {}};
    if (rng_.Chance(0.3)) return {test};
    test.op = MakeOperator(TypeOf(test.keyword));
    test.literal = MakeLiteral(TypeOf(test.keyword));
    return {test};
  }
  Expression MakeAnnotation() {
    std::string key = rng_.Chance(0.5) ? "a.b_C.1" : MakeText();
    if (key.empty()) key = "k";
    AnnotationTest test{.key = std::move(key), .op = Operator::kPresent, .literal = {}};
    if (rng_.Chance(0.3)) return {test};
    const auto type = static_cast<KeywordType>(rng_.Below(3));
    test.op = MakeOperator(type);
    test.literal = MakeLiteral(type);
    return {test};
  }
  EntitySelector::Node MakeNode() {
    EntitySelector::Node node;
    node.by_id = rng_.Chance(0.5);
    if (!node.by_id || rng_.Chance(0.5)) node.name = MakeText();
    if (node.by_id && rng_.Chance(0.5)) node.type = MakeText();
    if (node.by_id && (rng_.Chance(0.5) || (!node.name && !node.type)))
      node.account_id = MakeText();
    return node;
  }
  JsonPattern MakeJson(int depth) {
    switch (rng_.Below(depth > 0 ? 6 : 4)) {
      case 0:
        return {};
      case 1:
        return {rng_.Chance(0.5)};
      case 2:
        return {MakeNumber()};
      case 3:
        return {MakeText()};
      case 4:
        return {JsonPattern::Array{MakeJson(depth - 1), MakeJson(depth - 1)}};
      default:
        return {
            JsonPattern::Object{{MakeText(), MakeJson(depth - 1)}, {"Name", MakeJson(depth - 1)}}};
    }
  }

  Rng& rng_;
};

TEST(FilterParser, RandomTreesPrintAndParseToTheSame) {
  constexpr std::uint64_t kSeeds = 3'000;
  std::size_t long_ones = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Rng rng(seed);
    const Expression tree = TreeGenerator(rng).Make(6);
    const std::string printed = Print(tree);
    if (printed.size() > kExpressionBytesMax) {
      ++long_ones;
      continue;
    }
    const auto parsed = Filter::Parse(printed, WithGroups());
    ASSERT_TRUE(parsed) << "seed " << seed << ": " << printed << ": " << parsed.error().message;
    ASSERT_EQ(Print(*parsed->root()), printed) << "seed " << seed;
    ASSERT_EQ(parsed->root()->node.index(), tree.node.index())
        << "seed " << seed << ": " << printed;
  }
  EXPECT_LT(long_ones, kSeeds / 2);
}

TEST(FilterParser, SurvivesEveryCutAndEveryChangedByteOfTheTables) {
  const testing::JsonFile data(testing::kTestdata + "expressions.json");
  Rng rng(7);
  for (const auto& row : data["selects"].Items()) {
    const std::string text = row["expression"].Text();
    for (std::size_t cut = 0; cut < text.size(); ++cut) {
      static_cast<void>(Filter::Parse(text.substr(0, cut), WithGroups()));
      std::string changed = text;
      changed[cut] = static_cast<char>(rng.Below(256));
      const auto filter = Filter::Parse(changed, WithGroups());
      if (!filter) {
        EXPECT_THAT(filter.error().message, StartsWith("Invalid input symbol at position "))
            << changed;
      }
    }
  }
}

}  // namespace
}  // namespace fluoro::query
