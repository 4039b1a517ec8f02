// Syntax tree of a checked filter expression: small variant nodes that a planner can take apart.
// The language: docs/filter-expressions.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "query/filter.h"
#include "query/json_pattern.h"
#include "query/keyword.h"

namespace fluoro::query {

enum class Operator : std::uint8_t {
  kPresent,  ///< no operator was written: "has a value", or a Boolean's value
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kContains,
  kBeginsWith,
  kEndsWith,
};

/// What stands right of an operator; nothing where the operator is kPresent.
using Literal = std::variant<std::monostate, bool, double, std::string>;

/// `http.status >= 500`, `fault`, `user CONTAINS ""`. The literal has the keyword's type.
struct KeywordTest {
  Keyword keyword = Keyword::kOk;
  Operator op = Operator::kPresent;
  Literal literal;
};

/// `annotation.key OP literal`. The key keeps its case.
struct AnnotationTest {
  std::string key;
  Operator op = Operator::kPresent;
  Literal literal;
};

/// `service(selector){block}`.
struct ServiceTest {
  EntitySelector::Node selector;      ///< without members: any node
  std::unique_ptr<Expression> block;  ///< null: no condition
};

/// `edge(from,to){block}`.
struct EdgeTest {
  EntitySelector::Node from;
  EntitySelector::Node to;
  std::unique_ptr<Expression> block;  ///< null: no condition
};

/// `group.name = "G"`, already replaced by the group's filter.
struct GroupTest {
  std::string group;  ///< as written
  bool by_arn = false;
  bool negated = false;              ///< `!=`
  std::unique_ptr<Expression> body;  ///< null: the group has no filter and holds everything
};

enum class CauseKind : std::uint8_t { kResponseTime, kFault, kError };
enum class CauseList : std::uint8_t { kService, kEntity, kException };

/// `rootcause.KIND.LIST{block}`.
struct CauseTest {
  CauseKind kind = CauseKind::kFault;
  CauseList list = CauseList::kService;
  std::unique_ptr<Expression> block;  ///< null: the list has an element
};

/// `rootcause.json = #[...]`.
struct CauseJsonTest {
  JsonPattern pattern;   ///< an array
  bool negated = false;  ///< `!=`
};

struct NotExpression {
  std::unique_ptr<Expression> operand;
};

/// At least two operands, none of them an AndExpression.
struct AndExpression {
  std::vector<Expression> operands;
};

/// At least two operands, none of them an OrExpression.
struct OrExpression {
  std::vector<Expression> operands;
};

struct Expression {
  std::variant<KeywordTest, AnnotationTest, ServiceTest, EdgeTest, GroupTest, CauseTest,
               CauseJsonTest, NotExpression, AndExpression, OrExpression>
      node;
};

/// The expression as text, with lower-case keywords and as few parentheses as precedence allows.
/// Parsing the result gives an equal tree.
std::string Print(const Expression& expression);

}  // namespace fluoro::query
