#include "query/value_match.h"

#include "query/keyword.h"

namespace fluoro::query {
namespace {

bool CompareStrings(std::string_view value, Operator op, std::string_view literal) {
  switch (op) {
    case Operator::kPresent:
      return true;
    case Operator::kContains:
      return value.contains(literal);
    case Operator::kBeginsWith:
      return value.starts_with(literal);
    case Operator::kEndsWith:
      return value.ends_with(literal);
    default:
      return value == literal;
  }
}

/// `!=` looks for an equal value and turns the answer round.
Operator Sought(Operator op) { return op == Operator::kNotEqual ? Operator::kEqual : op; }

}  // namespace

StringMatch::StringMatch(Operator op, const Literal& literal, bool fold_case)
    : op_(op), fold_case_(fold_case) {
  const auto* text = std::get_if<std::string>(&literal);
  if (text == nullptr) return;
  literal_ = *text;
  if (fold_case_) {
    folded_ = AsciiLower(*text);
    literal_ = folded_;
  }
}

void StringMatch::Add(std::string_view value) {
  any_ = true;
  if (hit_) return;
  hit_ = fold_case_ ? CompareStrings(AsciiLower(value), Sought(op_), literal_)
                    : CompareStrings(value, Sought(op_), literal_);
}

bool StringMatch::Holds() const { return op_ == Operator::kNotEqual ? any_ && !hit_ : hit_; }

void AnnotationMatch::Add(const model::AttributeValue& value) {
  std::optional<double> number;
  if (const auto* integer = value.AsInt()) number = static_cast<double>(*integer);
  if (const auto* real = value.AsDouble()) number = *real;
  const bool* boolean = value.AsBool();
  const std::string* text = value.AsString();
  if (!number && boolean == nullptr && text == nullptr) return;
  any_ = true;
  if (hit_) return;
  if (op_ == Operator::kPresent) {
    hit_ = boolean == nullptr || *boolean;
  } else if (const auto* wanted = std::get_if<double>(&literal_)) {
    hit_ = number && CompareNumbers(*number, Sought(op_), *wanted);
  } else if (const auto* flag = std::get_if<bool>(&literal_)) {
    hit_ = boolean != nullptr && *boolean == *flag;
  } else if (text != nullptr) {
    strings_.Add(std::string_view(*text));
    hit_ = strings_.hit();
  }
}

bool AnnotationMatch::Holds() const { return op_ == Operator::kNotEqual ? any_ && !hit_ : hit_; }

bool CompareNumbers(double value, Operator op, double literal) {
  switch (op) {
    case Operator::kEqual:
      return value == literal;
    case Operator::kNotEqual:
      return value != literal;
    case Operator::kLess:
      return value < literal;
    case Operator::kLessEqual:
      return value <= literal;
    case Operator::kGreater:
      return value > literal;
    case Operator::kGreaterEqual:
      return value >= literal;
    default:
      return true;
  }
}

}  // namespace fluoro::query
