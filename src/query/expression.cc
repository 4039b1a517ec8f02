#include "query/expression.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/json.h"

namespace fluoro::query {
namespace {

constexpr std::array<std::string_view, 10> kOperatorTexts = {
    "", "=", "!=", "<", "<=", ">", ">=", "CONTAINS", "BEGINSWITH", "ENDSWITH"};
constexpr std::array<std::string_view, 3> kCauseKinds = {"responsetime", "fault", "error"};
constexpr std::array<std::string_view, 3> kCauseLists = {"service", "entity", "exception"};

/// Where an expression stands decides which combinations need parentheses.
enum class Binding : std::uint8_t { kOr, kAnd, kNot };

bool IsPlainKey(std::string_view key) {
  bool piece_started = false;
  for (const char c : key) {
    const bool part =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!part && (c != '.' || !piece_started)) return false;
    piece_started = part;
  }
  return piece_started;
}

class Printer {
 public:
  void Write(const Expression& expression, Binding binding) {
    std::visit([&](const auto& node) { WriteNode(node, binding); }, expression.node);
  }
  std::string Take() { return std::move(out_); }

 private:
  void WriteString(std::string_view text) {
    out_ += '"';
    for (const char c : text) {
      if (c == '"' || c == '\\') out_ += '\\';
      out_ += c;
    }
    out_ += '"';
  }
  void WriteTest(Operator op, const Literal& literal) {
    if (op == Operator::kPresent) return;
    out_ += ' ';
    out_ += kOperatorTexts[std::to_underlying(op)];
    out_ += ' ';
    if (const auto* boolean = std::get_if<bool>(&literal)) {
      out_ += *boolean ? "true" : "false";
    } else if (const auto* number = std::get_if<double>(&literal)) {
      std::array<char, 32> digits{};
      out_.append(digits.data(),
                  std::to_chars(digits.data(), digits.data() + digits.size(), *number).ptr);
    } else if (const auto* text = std::get_if<std::string>(&literal)) {
      WriteString(*text);
    }
  }
  void WriteSelector(const EntitySelector::Node& node) {
    if (!node.by_id) {
      if (node.name) WriteString(*node.name);
      return;
    }
    out_ += "id(";
    const char* separator = "";
    const auto member = [&](const char* name, const std::optional<std::string>& value) {
      if (!value) return;
      out_ += std::exchange(separator, ", ");
      out_ += name;
      out_ += ": ";
      WriteString(*value);
    };
    member("name", node.name);
    member("type", node.type);
    member("account.id", node.account_id);
    out_ += ')';
  }
  void WriteBlock(const std::unique_ptr<Expression>& block) {
    if (block == nullptr) return;
    out_ += " { ";
    Write(*block, Binding::kOr);
    out_ += " }";
  }

  void WriteNode(const KeywordTest& test, Binding) {
    out_ += KeywordName(test.keyword);
    WriteTest(test.op, test.literal);
  }
  void WriteNode(const AnnotationTest& test, Binding) {
    out_ += "annotation";
    if (IsPlainKey(test.key)) {
      out_ += '.';
      out_ += test.key;
    } else {
      out_ += '[';
      WriteString(test.key);
      out_ += ']';
    }
    WriteTest(test.op, test.literal);
  }
  void WriteNode(const ServiceTest& test, Binding) {
    out_ += "service(";
    WriteSelector(test.selector);
    out_ += ')';
    WriteBlock(test.block);
  }
  void WriteNode(const EdgeTest& test, Binding) {
    out_ += "edge(";
    WriteSelector(test.from);
    out_ += ", ";
    WriteSelector(test.to);
    out_ += ')';
    WriteBlock(test.block);
  }
  void WriteNode(const GroupTest& test, Binding) {
    out_ += test.by_arn ? "group.arn" : "group.name";
    out_ += test.negated ? " != " : " = ";
    WriteString(test.group);
  }
  void WriteNode(const CauseTest& test, Binding) {
    out_ += "rootcause.";
    out_ += kCauseKinds[std::to_underlying(test.kind)];
    out_ += '.';
    out_ += kCauseLists[std::to_underlying(test.list)];
    WriteBlock(test.block);
  }
  void WriteNode(const CauseJsonTest& test, Binding) {
    JsonWriter json;
    WriteJson(test.pattern, json);
    out_ += test.negated ? "rootcause.json != #" : "rootcause.json = #";
    out_ += json.Take();
  }
  void WriteNode(const NotExpression& node, Binding) {
    out_ += '!';
    Write(*node.operand, Binding::kNot);
  }
  void WriteNode(const AndExpression& node, Binding binding) {
    WriteOperands(node.operands, " AND ", Binding::kAnd, binding == Binding::kNot);
  }
  void WriteNode(const OrExpression& node, Binding binding) {
    WriteOperands(node.operands, " OR ", Binding::kOr, binding != Binding::kOr);
  }
  void WriteOperands(const std::vector<Expression>& operands, const char* word, Binding inner,
                     bool parentheses) {
    if (parentheses) out_ += '(';
    const char* separator = "";
    for (const Expression& operand : operands) {
      out_ += std::exchange(separator, word);
      Write(operand, inner);
    }
    if (parentheses) out_ += ')';
  }

  std::string out_;
};

}  // namespace

std::string Print(const Expression& expression) {
  Printer printer;
  printer.Write(expression, Binding::kOr);
  return printer.Take();
}

}  // namespace fluoro::query
