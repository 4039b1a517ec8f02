// What a trace's stored summary says of a filter: that it matches, that it does not, or nothing.
// Where it says yes or no, Filter::Matches on the assembled trace says the same.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/stored_summary.h"
#include "query/expression.h"
#include "query/filter.h"

namespace fluoro::query {

enum class Verdict : std::uint8_t { kNo, kYes, kUnknown };

/// Immutable, thread-safe. Borrows nothing.
class SummaryFilter {
 public:
  /// Of the filter "matches all".
  SummaryFilter() = default;
  static SummaryFilter Of(const Filter& filter);
  /// No summary decides anything.
  [[nodiscard]] bool says_nothing() const { return root_.kind == Node::Kind::kUnknown; }

  /// A node of the filter's tree, as far as summaries know what it asks.
  struct Node {
    enum class Kind : std::uint8_t {
      kUnknown,
      kYes,
      kNo,
      kNot,  ///< of one operand
      kAnd,
      kOr,
      kOk,    ///< the root ended well
      kBits,  ///< one of these bits
      kTime,  ///< response time or duration
      kStatus,
      kEntry,     ///< a text of the entry point's service
      kAccount,   ///< account of any service
      kServices,  ///< services that a selector means, in all of these sets
    };
    /// A set in which some service must match.
    struct Needed {
      EntitySelector::Node selector;
      model::ServiceSet set = model::ServiceSet::kAll;
    };
    Kind kind = Kind::kYes;
    std::vector<Node> operands{};
    std::uint32_t bits = 0;
    Keyword keyword = Keyword::kOk;  ///< kTime, kEntry
    Operator op = Operator::kPresent;
    Literal literal{};
    std::vector<Needed> needed{};  ///< kServices
    bool is_exact = false;         ///< kServices: all that is asked; else it may still not match
    std::size_t memo = 0;          ///< kEntry, kAccount: first of its memos; kServices likewise
  };

  [[nodiscard]] const Node& root() const { return root_; }
  [[nodiscard]] bool fold_case() const { return fold_case_; }
  /// How many answers about keys or sets are worth remembering.
  [[nodiscard]] std::size_t memos() const { return memos_; }

 private:
  friend class SummaryFilterBuilder;
  Node root_;
  bool fold_case_ = false;
  std::size_t memos_ = 0;
};

/// A filter on the summaries of one block. Remembers what it found of services and their sets. Both
/// must outlive it. Not thread-safe.
class SummaryJudge {
 public:
  SummaryJudge(const SummaryFilter& filter, const model::SummaryTexts& texts);
  /// Of a whole trace. Unknown if the summary is not known.
  Verdict Judge(const model::StoredSummary& summary);

 private:
  using Node = SummaryFilter::Node;
  Verdict JudgeNode(const Node& node, const model::StoredSummary& summary);
  Verdict JudgeAll(const Node& node, const model::StoredSummary& summary, Verdict decides);
  Verdict JudgeEntry(const Node& node, std::uint32_t entry);
  Verdict JudgeAccount(const Node& node, std::uint32_t set);
  Verdict JudgeServices(const Node& node, const model::StoredSummary& summary);
  /// The remembered answer of a memo about a place, asked for once.
  template <class Ask>
  Verdict Remembered(std::size_t memo, std::size_t place, const Ask& ask);

  const SummaryFilter& filter_;
  const model::SummaryTexts& texts_;
  std::vector<std::vector<std::uint8_t>> memos_;  ///< by place: 1 + Verdict; 0: not asked
};

}  // namespace fluoro::query
