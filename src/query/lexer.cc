#include "query/lexer.h"

#include <array>
#include <charconv>
#include <utility>

namespace fluoro::query {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsWordStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsWordPart(char c) { return IsWordStart(c) || IsDigit(c); }

/// Symbols of other languages and what to write here.
struct ForeignSymbol {
  std::string_view symbol;
  std::string_view hint;
};
constexpr std::array kForeignSymbols = {
    ForeignSymbol{.symbol = "==", .hint = "'==' is not an operator; did you mean '='?"},
    ForeignSymbol{.symbol = "&&", .hint = "'&&' is not an operator; did you mean 'AND'?"},
    ForeignSymbol{.symbol = "||", .hint = "'||' is not an operator; did you mean 'OR'?"},
    ForeignSymbol{.symbol = "<>", .hint = "'<>' is not an operator; did you mean '!='?"},
    ForeignSymbol{.symbol = "=~",
                  .hint = "there are no regular expressions; did you mean 'CONTAINS'?"},
    ForeignSymbol{.symbol = "=>", .hint = "'=>' is not an operator; did you mean '>='?"},
    ForeignSymbol{.symbol = "=<", .hint = "'=<' is not an operator; did you mean '<='?"},
    ForeignSymbol{.symbol = "'", .hint = "strings stand in double quotes"},
};

std::string DescribeByte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 0x80) return "a character outside ASCII stands outside a string";
  if (byte < 0x20 || byte == 0x7f) return "a control character stands outside a string";
  return std::string("unexpected '") + c + "'";
}

}  // namespace

Error SyntaxError(std::size_t index, std::string_view what, ErrorCode code) {
  return {code, "Invalid input symbol at position " + std::to_string(index + 1) + ": " +
                    std::string(what)};
}

Result<Token> Lexer::Next() {
  SkipSpace();
  if (at_ == text_.size()) {
    Token end;
    end.begin = end.end = at_;
    return end;
  }
  const char c = Peek();
  if (c == '"') return ReadString();
  if (IsWordStart(c)) return ReadWord();
  const std::size_t sign = c == '-' ? 1 : 0;
  if (IsDigit(Peek(sign)) || (Peek(sign) == '.' && IsDigit(Peek(sign + 1)))) return ReadNumber();
  return ReadOperator();
}

void Lexer::SkipSpace() {
  while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
}

Result<Token> Lexer::ReadString() {
  Token token;
  token.kind = TokenKind::kString;
  token.begin = at_++;
  while (true) {
    if (at_ == text_.size()) {
      return std::unexpected(
          SyntaxError(token.begin, "the string that starts here has no closing '\"'"));
    }
    const char c = text_[at_++];
    if (c == '"') break;
    if (c == '\\' && (Peek() == '"' || Peek() == '\\')) {
      token.string += text_[at_++];
    } else {
      token.string += c;
    }
  }
  token.end = at_;
  token.text = text_.substr(token.begin, token.end - token.begin);
  return token;
}

Result<Token> Lexer::ReadNumber() {
  Token token;
  token.kind = TokenKind::kNumber;
  token.begin = at_;
  if (Peek() == '-') ++at_;
  while (IsDigit(Peek())) ++at_;
  if (Peek() == '.' && IsDigit(Peek(1))) {
    ++at_;
    while (IsDigit(Peek())) ++at_;
  }
  if (const std::size_t sign = Peek(1) == '-' || Peek(1) == '+' ? 1 : 0;
      (Peek() == 'e' || Peek() == 'E') && IsDigit(Peek(1 + sign))) {
    at_ += 1 + sign;
    while (IsDigit(Peek())) ++at_;
  }
  token.end = at_;
  token.text = text_.substr(token.begin, token.end - token.begin);
  const char* const last = token.text.data() + token.text.size();
  const auto [end, error] = std::from_chars(token.text.data(), last, token.number);
  if (error != std::errc{} || end != last) {
    return std::unexpected(SyntaxError(token.begin, "the number is outside the range of a double"));
  }
  return token;
}

Token Lexer::ReadWord() {
  Token token;
  token.kind = TokenKind::kWord;
  token.begin = at_;
  while (IsWordPart(Peek()) || (Peek() == '.' && IsWordPart(Peek(1)))) ++at_;
  token.end = at_;
  token.text = text_.substr(token.begin, token.end - token.begin);
  return token;
}

Result<Token> Lexer::ReadOperator() {
  constexpr std::array<std::pair<std::string_view, TokenKind>, 16> kOperators = {{
      {"!=", TokenKind::kNotEqual},
      {"<=", TokenKind::kLessEqual},
      {">=", TokenKind::kGreaterEqual},
      {"#[", TokenKind::kJsonStart},
      {"=", TokenKind::kEqual},
      {"<", TokenKind::kLess},
      {">", TokenKind::kGreater},
      {"!", TokenKind::kNot},
      {"(", TokenKind::kOpenParen},
      {")", TokenKind::kCloseParen},
      {"{", TokenKind::kOpenBrace},
      {"}", TokenKind::kCloseBrace},
      {"[", TokenKind::kOpenBracket},
      {",", TokenKind::kComma},
      {":", TokenKind::kColon},
      {".", TokenKind::kDot},
  }};
  const std::string_view rest = text_.substr(at_);
  for (const auto& [symbol, hint] : kForeignSymbols) {
    if (rest.starts_with(symbol)) return std::unexpected(SyntaxError(at_, hint));
  }
  for (const auto& [symbol, kind] : kOperators) {
    if (!rest.starts_with(symbol)) continue;
    Token token;
    token.kind = kind;
    token.begin = at_;
    at_ += symbol.size();
    token.end = at_;
    token.text = rest.substr(0, symbol.size());
    return token;
  }
  return std::unexpected(SyntaxError(at_, DescribeByte(rest.front())));
}

Result<std::string> Lexer::ReadBracketKey() {
  const std::size_t begin = at_;
  SkipSpace();
  std::string key;
  if (Peek() == '"') {
    FLUORO_TRY(Token quoted, ReadString());
    key = std::move(quoted.string);
    SkipSpace();
    if (Peek() != ']')
      return std::unexpected(SyntaxError(at_, "']' expected behind the annotation key"));
  } else {
    const std::size_t close = text_.find(']', at_);
    if (close == std::string_view::npos) {
      return std::unexpected(SyntaxError(text_.size(), "']' expected behind the annotation key"));
    }
    std::string_view raw = text_.substr(at_, close - at_);
    while (!raw.empty() && IsSpace(raw.back())) raw.remove_suffix(1);
    key = raw;
    at_ = close;
  }
  if (key.empty()) return std::unexpected(SyntaxError(begin, "the annotation key is empty"));
  ++at_;
  return key;
}

}  // namespace fluoro::query
