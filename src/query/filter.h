// X-Ray filter expressions: text -> Filter, and Filter x trace -> bool.
// Source: X-Ray developer guide, "Using filter expressions"; the decisions where it is silent:
// docs/filter-expressions.md.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "model/assembly.h"
#include "model/root_cause.h"
#include "model/summary.h"

namespace fluoro::query {

/// Limits of an expression: 8,192 bytes, nesting 64.
inline constexpr std::size_t kExpressionBytesMax = 8'192;
inline constexpr int kExpressionNestingMax = 64;

/// Finds the filter text of a group by name or ARN; nullopt: no such group. "Default" is known
/// without asking.
using GroupLookup = std::function<std::optional<std::string>(std::string_view name_or_arn)>;

/// What one trace shows to an expression. Summary and root causes are computed when first asked
/// for, so one thread at a time may use it. The trace must outlive it.
class TraceView {
 public:
  explicit TraceView(const model::AssembledTrace& trace);
  /// For tests that bring their own root causes.
  TraceView(const model::AssembledTrace& trace, model::RootCauses causes);
  ~TraceView();
  [[nodiscard]] const model::AssembledTrace& trace() const { return trace_; }
  [[nodiscard]] const model::TraceSummary& summary() const;
  [[nodiscard]] const model::RootCauses& root_causes() const;

 private:
  const model::AssembledTrace& trace_;
  mutable std::optional<model::TraceSummary> summary_;
  mutable std::optional<model::RootCauses> causes_;
};

struct Expression;  // syntax tree, expression.h

/// A checked expression. Immutable, cheap to copy, thread-safe.
class Filter {
 public:
  struct Options {
    bool case_insensitive_strings = false;
    GroupLookup groups;
  };

  /// Empty text matches everything.
  /// Errors: kInvalidArgument, message "Invalid input symbol at position <n>: ..." (1-based byte),
  /// with a suggestion
  /// ("did you mean 'responsetime'?") where a keyword is close; kTooLarge for the limits above.
  static Result<Filter> Parse(std::string_view text, const Options& options);
  static Result<Filter> Parse(std::string_view text);
  [[nodiscard]] bool Matches(const TraceView& trace) const;
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] bool matches_all() const { return root_ == nullptr; }
  /// The checked tree, for planners; null for "matches all".
  [[nodiscard]] const Expression* root() const { return root_.get(); }
  [[nodiscard]] bool case_insensitive() const { return case_insensitive_; }

 private:
  std::string text_;
  bool case_insensitive_ = false;
  std::shared_ptr<const Expression> root_;
};

/// Unicode code points of an entity selector.
inline constexpr std::size_t kSelectorCharactersMax = 500;

/// Selector of GetTimeSeriesServiceStatistics: exactly one service(...) or edge(...) without a
/// block.
struct EntitySelector {
  struct Node {
    std::optional<std::string> name, type, account_id;
    bool by_id = false;  ///< id(...) form
    [[nodiscard]] bool Matches(const model::ServiceKey& key) const;
  };
  std::optional<Node> service;
  std::optional<std::pair<Node, Node>> edge;
  /// Errors: kInvalidArgument as Filter::Parse; kTooLarge beyond kSelectorCharactersMax.
  static Result<EntitySelector> Parse(std::string_view text);
};

}  // namespace fluoro::query
