// Collects the values a condition looks at and says whether they satisfy it.
//
// Of many values any may satisfy, except for `!=`: there must be a value and none may be equal.
// Without a value every comparison is false.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/attribute_value.h"
#include "query/expression.h"

namespace fluoro::query {

/// Strings against a string literal (or against nothing: presence). Borrows the literal.
class StringMatch {
 public:
  StringMatch(Operator op, const Literal& literal, bool fold_case);
  void Add(std::string_view value);
  void Add(const std::optional<std::string>& value) {
    if (value) Add(std::string_view(*value));
  }
  /// Empty means "none".
  void AddUnlessEmpty(std::string_view value) {
    if (!value.empty()) Add(value);
  }
  [[nodiscard]] bool Holds() const;
  /// Some value satisfies the operator; for `!=`: is equal.
  [[nodiscard]] bool hit() const { return hit_; }

 private:
  Operator op_;
  bool fold_case_;
  std::string folded_;
  std::string_view literal_;
  bool any_ = false;
  bool hit_ = false;
};

/// Annotation values against a literal of any type. Borrows the literal.
class AnnotationMatch {
 public:
  AnnotationMatch(Operator op, const Literal& literal, bool fold_case)
      : op_(op), literal_(literal), strings_(op, literal, fold_case) {}
  /// Strings, numbers and Booleans; other types are not looked at.
  void Add(const model::AttributeValue& value);
  [[nodiscard]] bool Holds() const;
  /// No further value can change the answer.
  [[nodiscard]] bool decided() const { return hit_; }

 private:
  Operator op_;
  const Literal& literal_;
  StringMatch strings_;
  bool any_ = false;
  bool hit_ = false;  ///< satisfied; for `!=`: equal
};

/// `value OP literal` for the operators of numbers.
bool CompareNumbers(double value, Operator op, double literal);

}  // namespace fluoro::query
