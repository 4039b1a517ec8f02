// Filter text -> tokens, one at a time.
//   token := word | string | number | operator | "#["
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace fluoro::query {

enum class TokenKind : std::uint8_t {
  kEnd,
  kWord,    ///< letters, digits, '_', pieces joined by '.'
  kString,  ///< "..."
  kNumber,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kNot,
  kOpenParen,
  kCloseParen,
  kOpenBrace,
  kCloseBrace,
  kOpenBracket,
  kComma,
  kColon,
  kDot,
  kJsonStart,  ///< "#[": the array is read by ReadJsonArray from the '['
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::size_t begin = 0;  ///< index of its first byte
  std::size_t end = 0;    ///< index behind its last byte
  std::string_view text;  ///< as written; borrows from the lexer's text
  std::string string;     ///< kString: its value, escapes resolved
  double number = 0;      ///< kNumber
};

/// "Invalid input symbol at position <index + 1>: <what>".
Error SyntaxError(std::size_t index, std::string_view what,
                  ErrorCode code = ErrorCode::kInvalidArgument);

/// The text must outlive it.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  /// Errors: kInvalidArgument with the position. kEnd for ever at the end.
  Result<Token> Next();
  /// Reads the key of `annotation[key]`; the '[' was the last token. Leaves the text behind ']'.
  Result<std::string> ReadBracketKey();
  /// Continues at this index.
  void Seek(std::size_t index) { at_ = index; }
  [[nodiscard]] std::string_view text() const { return text_; }

 private:
  void SkipSpace();
  Result<Token> ReadString();
  Result<Token> ReadNumber();
  Token ReadWord();
  Result<Token> ReadOperator();
  [[nodiscard]] char Peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace fluoro::query
