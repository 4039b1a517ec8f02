#include "query/parser.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "query/json_pattern.h"
#include "query/keyword.h"
#include "query/lexer.h"

namespace fluoro::query {
namespace {

constexpr std::string_view kDefaultGroup = "Default";

std::optional<Operator> OperatorOf(const Token& token) {
  switch (token.kind) {
    case TokenKind::kEqual:
      return Operator::kEqual;
    case TokenKind::kNotEqual:
      return Operator::kNotEqual;
    case TokenKind::kLess:
      return Operator::kLess;
    case TokenKind::kLessEqual:
      return Operator::kLessEqual;
    case TokenKind::kGreater:
      return Operator::kGreater;
    case TokenKind::kGreaterEqual:
      return Operator::kGreaterEqual;
    case TokenKind::kWord:
      break;
    default:
      return std::nullopt;
  }
  const std::string word = AsciiLower(token.text);
  if (word == "contains") return Operator::kContains;
  if (word == "beginswith") return Operator::kBeginsWith;
  if (word == "endswith") return Operator::kEndsWith;
  return std::nullopt;
}

bool IsEquality(Operator op) { return op == Operator::kEqual || op == Operator::kNotEqual; }
bool IsOrdering(Operator op) { return op >= Operator::kLess && op <= Operator::kGreaterEqual; }
bool Allows(KeywordType type, Operator op) {
  if (type == KeywordType::kBoolean) return IsEquality(op);
  return IsEquality(op) || (type == KeywordType::kNumber) == IsOrdering(op);
}
std::string_view OperatorsOf(KeywordType type) {
  switch (type) {
    case KeywordType::kBoolean:
      return "= and !=";
    case KeywordType::kNumber:
      return "=, !=, <, <=, > and >=";
    case KeywordType::kString:
      return "=, !=, CONTAINS, BEGINSWITH and ENDSWITH";
  }
  return "";
}
std::string_view TypeName(KeywordType type) {
  switch (type) {
    case KeywordType::kBoolean:
      return "Boolean";
    case KeywordType::kNumber:
      return "number";
    case KeywordType::kString:
      return "string";
  }
  return "";
}

bool IsReserved(std::string_view word) {
  constexpr std::array<std::string_view, 5> kReserved = {"and", "or", "contains", "beginswith",
                                                         "endswith"};
  return std::ranges::find(kReserved, AsciiLower(word)) != kReserved.end();
}

std::optional<bool> BooleanOf(const Token& token) {
  if (token.kind != TokenKind::kWord && token.kind != TokenKind::kString) return std::nullopt;
  const std::string word = AsciiLower(token.kind == TokenKind::kWord ? token.text : token.string);
  if (word == "true") return true;
  if (word == "false") return false;
  return std::nullopt;
}

std::string Quote(const Token& token) {
  constexpr std::size_t kShown = 40;
  if (token.kind == TokenKind::kEnd) return "the end";
  if (token.kind == TokenKind::kString) return "a string";
  std::string text(token.text.substr(0, kShown));
  if (token.text.size() > kShown) text += "...";
  return "'" + text + "'";
}

/// Appends an operand of AND or OR; a nested one of the same kind gives its operands.
template <class Combination>
void AddOperand(std::vector<Expression>& operands, Expression operand) {
  if (auto* nested = std::get_if<Combination>(&operand.node)) {
    std::ranges::move(nested->operands, std::back_inserter(operands));
  } else {
    operands.push_back(std::move(operand));
  }
}

template <class Combination>
Expression Combine(std::vector<Expression> operands) {
  if (operands.size() == 1) return std::move(operands.front());
  return {Combination{std::move(operands)}};
}

Result<void> CheckLength(std::string_view text) {
  if (text.size() <= kExpressionBytesMax) return {};
  return std::unexpected(
      SyntaxError(kExpressionBytesMax,
                  "the expression is longer than " + std::to_string(kExpressionBytesMax) + " bytes",
                  ErrorCode::kTooLarge));
}

/// What the parsers of a filter and of the groups inside it share.
struct GroupState {
  const GroupLookup& lookup;
  std::vector<std::string> open;  ///< being replaced now, outermost first
  std::size_t conditions_count = 0;
};

class Parser {
 public:
  Parser(std::string_view text, GroupState& groups) : lexer_(text), groups_(groups) {}

  Result<std::unique_ptr<Expression>> ParseFilter(int depth) {
    FLUORO_TRY(const bool empty, Sees(TokenKind::kEnd));
    if (empty) return std::unique_ptr<Expression>();
    FLUORO_TRY(Expression expression, ParseOr(depth, Place::kTrace));
    FLUORO_TRY(const Token* const rest, Peek());
    if (rest->kind != TokenKind::kEnd) return std::unexpected(Unexpected(*rest));
    return std::make_unique<Expression>(std::move(expression));
  }

  Result<EntitySelector> ParseSelector() {
    FLUORO_TRY(const Token word, Take());
    const std::string name = AsciiLower(word.text);
    if (word.kind != TokenKind::kWord || (name != "service" && name != "edge")) {
      return std::unexpected(
          SyntaxError(word.begin, "one service(...) or edge(..., ...) expected"));
    }
    EntitySelector selector;
    FLUORO_CHECK_OK(Expect(TokenKind::kOpenParen, "'(' expected behind '" + name + "'"));
    FLUORO_TRY(EntitySelector::Node first, ParseNode());
    if (name == "edge") {
      FLUORO_TRY(EntitySelector::Node second, ParseSecondNode());
      selector.edge.emplace(std::move(first), std::move(second));
    } else {
      selector.service = std::move(first);
    }
    FLUORO_CHECK_OK(Expect(TokenKind::kCloseParen, "')' expected"));
    FLUORO_TRY(const Token* const rest, Peek());
    if (rest->kind != TokenKind::kEnd) {
      return std::unexpected(SyntaxError(
          rest->begin,
          "one service(...) or edge(..., ...) may stand here, without block, AND or OR"));
    }
    return selector;
  }

 private:
  enum class Place : std::uint8_t { kTrace, kBlock };

  // Tokens, read when asked for, so that the leftmost mistake is the one reported.

  Result<const Token*> Peek() {
    if (!has_token_) {
      FLUORO_TRY(token_, lexer_.Next());
      has_token_ = true;
    }
    return &token_;
  }
  Result<Token> Take() {
    FLUORO_TRY(const Token* const next, Peek());
    static_cast<void>(next);
    has_token_ = false;
    return std::move(token_);
  }
  Result<bool> Sees(TokenKind kind) {
    FLUORO_TRY(const Token* const next, Peek());
    return next->kind == kind;
  }
  /// Takes the next token if it is of this kind.
  Result<bool> Accept(TokenKind kind) {
    FLUORO_TRY(const bool found, Sees(kind));
    if (found) has_token_ = false;
    return found;
  }
  Result<bool> AcceptWord(std::string_view lower) {
    FLUORO_TRY(const Token* const next, Peek());
    const bool found = next->kind == TokenKind::kWord && AsciiLower(next->text) == lower;
    if (found) has_token_ = false;
    return found;
  }
  Result<void> Expect(TokenKind kind, std::string_view message) {
    FLUORO_TRY(const Token next, Take());
    if (next.kind != kind) {
      return std::unexpected(
          SyntaxError(next.begin, std::string(message) + ", found " + Quote(next)));
    }
    return {};
  }

  static Error Unexpected(const Token& token) {
    if (token.kind == TokenKind::kCloseBrace)
      return SyntaxError(token.begin, "no '{' belongs to this '}'");
    if (token.kind == TokenKind::kCloseParen)
      return SyntaxError(token.begin, "no '(' belongs to this ')'");
    return SyntaxError(token.begin, "AND, OR or the end expected, found " + Quote(token));
  }

  /// One level deeper, or a refusal.
  static Result<int> Deeper(int depth, std::size_t position) {
    if (depth >= kExpressionNestingMax) {
      return std::unexpected(SyntaxError(
          position, "nested deeper than " + std::to_string(kExpressionNestingMax) + " levels",
          ErrorCode::kTooLarge));
    }
    return depth + 1;
  }

  // Combinations.

  Result<Expression> ParseOr(int depth, Place place) {
    std::vector<Expression> operands;
    while (true) {
      FLUORO_TRY(Expression operand, ParseAnd(depth, place));
      AddOperand<OrExpression>(operands, std::move(operand));
      FLUORO_TRY(const bool more, AcceptWord("or"));
      if (!more) return Combine<OrExpression>(std::move(operands));
    }
  }

  Result<Expression> ParseAnd(int depth, Place place) {
    std::vector<Expression> operands;
    while (true) {
      FLUORO_TRY(Expression operand, ParseUnary(depth, place));
      AddOperand<AndExpression>(operands, std::move(operand));
      FLUORO_TRY(const bool explicit_and, AcceptWord("and"));
      if (explicit_and) continue;
      FLUORO_TRY(const Token* const next, Peek());
      const bool another = next->kind == TokenKind::kNot || next->kind == TokenKind::kOpenParen ||
                           (next->kind == TokenKind::kWord && AsciiLower(next->text) != "or");
      if (!another) return Combine<AndExpression>(std::move(operands));
    }
  }

  Result<Expression> ParseUnary(int depth, Place place) {
    FLUORO_TRY(const Token token, Take());
    switch (token.kind) {
      case TokenKind::kNot: {
        FLUORO_TRY(const int deeper, Deeper(depth, token.begin));
        FLUORO_TRY(Expression operand, ParseUnary(deeper, place));
        return Expression{NotExpression{std::make_unique<Expression>(std::move(operand))}};
      }
      case TokenKind::kOpenParen: {
        FLUORO_TRY(const int deeper, Deeper(depth, token.begin));
        FLUORO_TRY(Expression inner, ParseOr(deeper, place));
        FLUORO_CHECK_OK(Expect(TokenKind::kCloseParen, "')' expected"));
        return inner;
      }
      case TokenKind::kWord:
        return ParsePredicate(token, depth, place);
      default:
        return std::unexpected(
            SyntaxError(token.begin, "a condition expected, found " + Quote(token)));
    }
  }

  // Conditions.

  Result<Expression> ParsePredicate(const Token& word, int depth, Place place) {
    if (++groups_.conditions_count > kConditionsMax) {
      return std::unexpected(SyntaxError(
          word.begin,
          "more than " + std::to_string(kConditionsMax) + " conditions once groups are replaced",
          ErrorCode::kTooLarge));
    }
    if (const auto keyword = FindKeyword(word.text)) return ParseKeywordTest(*keyword);
    const std::string name = AsciiLower(word.text);
    if (name == "annotation" || name.starts_with("annotation.")) return ParseAnnotation(word);
    const bool is_group = name == "group.name" || name == "group.arn" || name == "groupname";
    const bool is_json = name == "json" || name == "rootcause.json";
    const auto cause = CauseOf(name);
    if (name != "service" && name != "edge" && !is_group && !is_json && !cause) {
      return std::unexpected(UnknownKeyword(word));
    }
    if (place == Place::kBlock) {
      return std::unexpected(SyntaxError(word.begin, "'" + name + "' cannot stand inside a block"));
    }
    if (name == "service") return ParseService(depth);
    if (name == "edge") return ParseEdge(depth);
    if (is_group) return ParseGroup(word, name == "group.arn", depth);
    if (is_json) return ParseCauseJson(depth);
    return ParseCause(word, *cause, depth);
  }

  static Error UnknownKeyword(const Token& word) {
    if (IsReserved(word.text)) {
      return SyntaxError(word.begin, "a condition expected, found " + Quote(word));
    }
    std::string message = "unknown keyword " + Quote(word);
    if (const std::string near = SuggestKeyword(word.text); !near.empty()) {
      message += "; did you mean '" + near + "'?";
    }
    return SyntaxError(word.begin, message);
  }

  /// The operator that follows, or kPresent.
  Result<std::pair<Operator, std::size_t>> ParseOperator() {
    FLUORO_TRY(const Token* const next, Peek());
    const auto op = OperatorOf(*next);
    if (op) has_token_ = false;
    return std::pair(op.value_or(Operator::kPresent), next->begin);
  }

  static Error WrongOperator(std::size_t position, std::string_view name, KeywordType type) {
    return SyntaxError(position, "'" + std::string(name) + "' is a " + std::string(TypeName(type)) +
                                     " and takes " + std::string(OperatorsOf(type)));
  }

  Result<Expression> ParseKeywordTest(Keyword keyword) {
    KeywordTest test{.keyword = keyword, .op = Operator::kPresent, .literal = {}};
    FLUORO_TRY(const auto found, ParseOperator());
    test.op = found.first;
    if (test.op == Operator::kPresent) return Expression{std::move(test)};
    const KeywordType type = TypeOf(keyword);
    const std::string name(KeywordName(keyword));
    if (!Allows(type, test.op)) return std::unexpected(WrongOperator(found.second, name, type));
    if (type == KeywordType::kString) {
      FLUORO_TRY(test.literal, ParseString());
      return Expression{std::move(test)};
    }
    FLUORO_TRY(const Token value, Take());
    if (type == KeywordType::kBoolean) {
      const auto boolean = BooleanOf(value);
      if (!boolean) {
        return std::unexpected(SyntaxError(
            value.begin, "'" + name + "' is compared with true or false, found " + Quote(value)));
      }
      test.literal = *boolean;
    } else {
      if (value.kind != TokenKind::kNumber) {
        return std::unexpected(SyntaxError(
            value.begin, "'" + name + "' is compared with a number, found " + Quote(value)));
      }
      test.literal = value.number;
    }
    return Expression{std::move(test)};
  }

  /// A string, or a bare word that is no operator.
  Result<std::string> ParseString() {
    FLUORO_TRY(Token value, Take());
    if (value.kind == TokenKind::kString) return std::move(value.string);
    if (value.kind == TokenKind::kWord && !IsReserved(value.text)) return std::string(value.text);
    return std::unexpected(
        SyntaxError(value.begin, "a string in double quotes expected, found " + Quote(value)));
  }

  Result<Expression> ParseAnnotation(const Token& word) {
    constexpr std::string_view kPrefix = "annotation.";
    AnnotationTest test;
    if (word.text.size() > kPrefix.size()) {
      test.key = word.text.substr(kPrefix.size());
    } else {
      FLUORO_TRY(const Token next, Take());
      if (next.kind != TokenKind::kOpenBracket) {
        return std::unexpected(SyntaxError(
            next.begin, "an annotation's key expected: annotation.key or annotation[key], found " +
                            Quote(next)));
      }
      FLUORO_TRY(test.key, lexer_.ReadBracketKey());
    }
    FLUORO_TRY(const auto found, ParseOperator());
    test.op = found.first;
    if (test.op == Operator::kPresent) return Expression{std::move(test)};
    FLUORO_TRY(const Token* const next, Peek());
    KeywordType type = KeywordType::kString;
    if (next->kind == TokenKind::kNumber) {
      type = KeywordType::kNumber;
      test.literal = next->number;
    } else if (const auto boolean = BooleanOf(*next); boolean && next->kind == TokenKind::kWord) {
      type = KeywordType::kBoolean;
      test.literal = *boolean;
    }
    if (!Allows(type, test.op)) {
      return std::unexpected(SyntaxError(found.second, "a comparison with a " +
                                                           std::string(TypeName(type)) + " takes " +
                                                           std::string(OperatorsOf(type))));
    }
    if (type == KeywordType::kString) {
      FLUORO_TRY(test.literal, ParseString());
    } else {
      has_token_ = false;
    }
    return Expression{std::move(test)};
  }

  Result<Expression> ParseService(int depth) {
    ServiceTest test;
    FLUORO_CHECK_OK(Expect(TokenKind::kOpenParen, "'(' expected behind 'service'"));
    FLUORO_TRY(const bool any, Accept(TokenKind::kCloseParen));
    if (!any) {
      FLUORO_TRY(test.selector, ParseNode());
      FLUORO_CHECK_OK(Expect(TokenKind::kCloseParen, "')' expected"));
    }
    FLUORO_TRY(test.block, ParseBlock(depth));
    return Expression{std::move(test)};
  }

  Result<Expression> ParseEdge(int depth) {
    EdgeTest test;
    FLUORO_CHECK_OK(Expect(TokenKind::kOpenParen, "'(' expected behind 'edge'"));
    FLUORO_TRY(test.from, ParseNode());
    FLUORO_TRY(test.to, ParseSecondNode());
    FLUORO_CHECK_OK(Expect(TokenKind::kCloseParen, "')' expected"));
    FLUORO_TRY(test.block, ParseBlock(depth));
    return Expression{std::move(test)};
  }

  Result<EntitySelector::Node> ParseSecondNode() {
    FLUORO_CHECK_OK(Expect(TokenKind::kComma, "',' and a second service expected: edge(from, to)"));
    return ParseNode();
  }

  Result<EntitySelector::Node> ParseNode() {
    EntitySelector::Node node;
    FLUORO_TRY(const Token first, Take());
    if (first.kind == TokenKind::kString) {
      node.name = first.string;
      return node;
    }
    if (first.kind != TokenKind::kWord || IsReserved(first.text)) {
      return std::unexpected(SyntaxError(
          first.begin,
          "a service name in double quotes or id(...) expected, found " + Quote(first)));
    }
    if (AsciiLower(first.text) == "id") {
      FLUORO_TRY(node.by_id, Accept(TokenKind::kOpenParen));
    }
    if (!node.by_id) {
      node.name = first.text;
      return node;
    }
    bool more = true;
    while (more) {
      FLUORO_CHECK_OK(ParseIdMember(node));
      FLUORO_TRY(more, Accept(TokenKind::kComma));
    }
    FLUORO_CHECK_OK(Expect(TokenKind::kCloseParen, "',' or ')' expected"));
    return node;
  }

  Result<void> ParseIdMember(EntitySelector::Node& node) {
    FLUORO_TRY(const Token word, Take());
    const std::string name = word.kind == TokenKind::kWord ? AsciiLower(word.text) : "";
    std::optional<std::string>* const member = name == "name"         ? &node.name
                                               : name == "type"       ? &node.type
                                               : name == "account.id" ? &node.account_id
                                                                      : nullptr;
    if (member == nullptr) {
      return std::unexpected(SyntaxError(
          word.begin, "'name', 'type' or 'account.id' expected inside id(), found " + Quote(word)));
    }
    if (*member)
      return std::unexpected(SyntaxError(word.begin, "'" + name + "' stands twice inside id()"));
    FLUORO_CHECK_OK(Expect(TokenKind::kColon, "':' expected behind '" + name + "'"));
    FLUORO_TRY(*member, ParseString());
    return {};
  }

  /// `{ ... }` if one follows; null for none and for an empty one.
  Result<std::unique_ptr<Expression>> ParseBlock(int depth) {
    FLUORO_TRY(const Token* const next, Peek());
    if (next->kind != TokenKind::kOpenBrace) return std::unique_ptr<Expression>();
    FLUORO_TRY(const int deeper, Deeper(depth, next->begin));
    has_token_ = false;
    FLUORO_TRY(const bool empty, Accept(TokenKind::kCloseBrace));
    if (empty) return std::unique_ptr<Expression>();
    FLUORO_TRY(Expression inner, ParseOr(deeper, Place::kBlock));
    FLUORO_CHECK_OK(Expect(TokenKind::kCloseBrace, "'}' expected"));
    return std::make_unique<Expression>(std::move(inner));
  }

  /// `=` (false) or `!=` (true).
  Result<bool> ParseNegation(std::string_view name) {
    FLUORO_TRY(const Token op, Take());
    if (op.kind != TokenKind::kEqual && op.kind != TokenKind::kNotEqual) {
      return std::unexpected(SyntaxError(
          op.begin, "'=' or '!=' expected behind '" + std::string(name) + "', found " + Quote(op)));
    }
    return op.kind == TokenKind::kNotEqual;
  }

  Result<Expression> ParseGroup(const Token& word, bool by_arn, int depth) {
    GroupTest test{.group = {}, .by_arn = by_arn, .negated = false, .body = nullptr};
    FLUORO_TRY(test.negated, ParseNegation(by_arn ? "group.arn" : "group.name"));
    FLUORO_TRY(test.group, ParseString());
    if (by_arn ? test.group.ends_with(":group/" + std::string(kDefaultGroup))
               : test.group == kDefaultGroup) {
      return Expression{std::move(test)};
    }
    const auto text = groups_.lookup ? groups_.lookup(test.group) : std::nullopt;
    if (!text)
      return std::unexpected(SyntaxError(word.begin, "there is no group '" + test.group + "'"));
    if (std::ranges::find(groups_.open, test.group) != groups_.open.end()) {
      return std::unexpected(SyntaxError(word.begin, "group '" + test.group + "' contains itself"));
    }
    FLUORO_TRY(const int deeper, Deeper(depth, word.begin));
    groups_.open.push_back(test.group);
    auto body = ParseGroupFilter(*text, deeper);
    groups_.open.pop_back();
    if (!body) {
      return std::unexpected(SyntaxError(
          word.begin,
          "the filter of group '" + test.group + "' is refused: " + body.error().message,
          body.error().code));
    }
    test.body = *std::move(body);
    return Expression{std::move(test)};
  }

  Result<std::unique_ptr<Expression>> ParseGroupFilter(std::string_view text, int depth) {
    FLUORO_CHECK_OK(CheckLength(text));
    return Parser(text, groups_).ParseFilter(depth);
  }

  struct Cause {
    CauseKind kind;
    CauseList list;
  };
  /// Of `rootcause.KIND.LIST`, lower case. Response times have the list of exceptions only to be
  /// refused.
  static std::optional<Cause> CauseOf(std::string_view name) {
    constexpr std::string_view kPrefix = "rootcause.";
    if (!name.starts_with(kPrefix)) return std::nullopt;
    name.remove_prefix(kPrefix.size());
    const std::string_view kind = name.substr(0, name.find('.'));
    const std::string_view list = name.substr(std::min(kind.size() + 1, name.size()));
    Cause cause{};
    if (kind == "responsetime") {
      cause.kind = CauseKind::kResponseTime;
    } else if (kind == "fault") {
      cause.kind = CauseKind::kFault;
    } else if (kind == "error") {
      cause.kind = CauseKind::kError;
    } else {
      return std::nullopt;
    }
    if (list == "service") {
      cause.list = CauseList::kService;
    } else if (list == "entity") {
      cause.list = CauseList::kEntity;
    } else if (list == "exception") {
      cause.list = CauseList::kException;
    } else {
      return std::nullopt;
    }
    return cause;
  }

  Result<Expression> ParseCause(const Token& word, const Cause& cause, int depth) {
    if (cause.kind == CauseKind::kResponseTime && cause.list == CauseList::kException) {
      return std::unexpected(
          SyntaxError(word.begin, "response-time root causes have no exceptions"));
    }
    CauseTest test{.kind = cause.kind, .list = cause.list, .block = nullptr};
    FLUORO_TRY(test.block, ParseBlock(depth));
    return Expression{std::move(test)};
  }

  Result<Expression> ParseCauseJson(int depth) {
    CauseJsonTest test;
    FLUORO_TRY(test.negated, ParseNegation("rootcause.json"));
    FLUORO_TRY(const Token start, Take());
    if (start.kind != TokenKind::kJsonStart) {
      return std::unexpected(SyntaxError(
          start.begin, "a JSON array that starts with '#[' expected, found " + Quote(start)));
    }
    const auto levels = static_cast<std::size_t>(kExpressionNestingMax - depth);
    auto literal = ReadJsonArray(lexer_.text(), start.begin + 1, levels);
    if (!literal) {
      if (literal.error().too_deep) {
        return std::unexpected(SyntaxError(
            literal.error().offset, "the JSON literal nests too deep", ErrorCode::kTooLarge));
      }
      return std::unexpected(
          SyntaxError(literal.error().offset, "the JSON literal is malformed here"));
    }
    test.pattern = std::move(literal->pattern);
    lexer_.Seek(literal->end);
    return Expression{std::move(test)};
  }

  Lexer lexer_;
  GroupState& groups_;
  Token token_;
  bool has_token_ = false;
};

}  // namespace

Result<std::unique_ptr<Expression>> ParseExpression(std::string_view text,
                                                    const GroupLookup& groups) {
  FLUORO_CHECK_OK(CheckLength(text));
  GroupState state{.lookup = groups, .open = {}, .conditions_count = 0};
  return Parser(text, state).ParseFilter(0);
}

Result<EntitySelector> ParseEntitySelector(std::string_view text) {
  FLUORO_CHECK_OK(CheckLength(text));
  const GroupLookup none;
  GroupState state{.lookup = none, .open = {}, .conditions_count = 0};
  return Parser(text, state).ParseSelector();
}

}  // namespace fluoro::query
