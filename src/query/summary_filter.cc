#include "query/summary_filter.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "query/value_match.h"

namespace fluoro::query {

using model::ServiceSet;
using model::StoredSummary;

namespace {

using Node = SummaryFilter::Node;
using Kind = Node::Kind;

constexpr std::string_view kClientType = "client";

Verdict VerdictOf(bool holds) { return holds ? Verdict::kYes : Verdict::kNo; }

// Clients stand in no set. By name and account they are as the services behind them.
bool MayMeanClient(const EntitySelector::Node& selector) {
  return selector.type && *selector.type == kClientType;
}

// As the evaluator has it: stored durations and literals meet at microseconds.
double Microseconds(std::int64_t ns) { return std::round(static_cast<double>(ns) / 1e3); }

bool IsOk(const StoredSummary& summary) {
  if (summary.Has(model::kRootInProgress)) return false;
  if (summary.status >= 0) return summary.status >= 200 && summary.status < 300;
  return (summary.bits & (model::kRootFault | model::kRootError | model::kRootThrottle)) == 0;
}

}  // namespace

class SummaryFilterBuilder {
 public:
  explicit SummaryFilterBuilder(SummaryFilter& filter) : filter_(filter) {}

  Node Make(const Expression& expression) {
    return std::visit([this](const auto& node) { return this->MakeFrom(node); }, expression.node);
  }

 private:
  static Node Of(Kind kind) { return {.kind = kind}; }
  static Node Constant(bool holds) { return Of(holds ? Kind::kYes : Kind::kNo); }

  static Node Not(Node node) {
    if (node.kind == Kind::kUnknown) return node;
    Node negation = Of(Kind::kNot);
    negation.operands.push_back(std::move(node));
    return negation;
  }

  Node MakeAll(Kind kind, const std::vector<Expression>& expressions) {
    Node all = Of(kind);
    for (const Expression& expression : expressions) all.operands.push_back(Make(expression));
    const bool knows = std::ranges::any_of(
        all.operands, [](const Node& node) { return node.kind != Kind::kUnknown; });
    return knows ? all : Of(Kind::kUnknown);
  }

  Node MakeFrom(const AndExpression& node) { return MakeAll(Kind::kAnd, node.operands); }
  Node MakeFrom(const OrExpression& node) { return MakeAll(Kind::kOr, node.operands); }
  Node MakeFrom(const NotExpression& node) { return Not(Make(*node.operand)); }
  Node MakeFrom(const GroupTest& test) {
    if (test.body == nullptr) return Constant(!test.negated);
    Node body = Make(*test.body);
    return test.negated ? Not(std::move(body)) : body;
  }
  static Node MakeFrom(const AnnotationTest&) { return Of(Kind::kUnknown); }
  static Node MakeFrom(const CauseTest&) { return Of(Kind::kUnknown); }
  static Node MakeFrom(const CauseJsonTest&) { return Of(Kind::kUnknown); }

  static Node MakeFrom(const KeywordTest& test, Kind kind) {
    return {.kind = kind, .keyword = test.keyword, .op = test.op, .literal = test.literal};
  }
  Node MakeFrom(const KeywordTest& test) {
    switch (TypeOf(test.keyword)) {
      case KeywordType::kBoolean: {
        Node node = Boolean(test.keyword);
        return Wants(test) ? node : Not(std::move(node));
      }
      case KeywordType::kNumber:
        if (test.keyword == Keyword::kResponseTime || test.keyword == Keyword::kDuration)
          return MakeFrom(test, Kind::kTime);
        // A trace has no place in a list and no coverage.
        return test.keyword == Keyword::kHttpStatus ? MakeFrom(test, Kind::kStatus)
                                                    : Constant(false);
      case KeywordType::kString:
        break;
    }
    if (test.keyword == Keyword::kName || test.keyword == Keyword::kType)
      return WithMemo(MakeFrom(test, Kind::kEntry));
    if (test.keyword == Keyword::kAccountId) return WithMemo(MakeFrom(test, Kind::kAccount));
    return Of(Kind::kUnknown);
  }

  static bool Wants(const KeywordTest& test) {
    return test.op == Operator::kPresent ||
           std::get<bool>(test.literal) == (test.op == Operator::kEqual);
  }

  static Node Bits(std::uint32_t bits) { return {.kind = Kind::kBits, .bits = bits}; }
  static Node Boolean(Keyword keyword) {
    switch (keyword) {
      case Keyword::kOk:
        return Of(Kind::kOk);
      case Keyword::kError:
        return Bits(model::kRootError);
      case Keyword::kThrottle:
        return Bits(model::kAnyThrottle);
      case Keyword::kFault:
        return Bits(model::kRootFault);
      case Keyword::kPartial:
        return Bits(model::kAnyInProgress);
      case Keyword::kInferred:
        return Bits(model::kAnyInferred);
      default:
        return Constant(keyword == Keyword::kRoot);
    }
  }

  Node WithMemo(Node node) {
    node.memo = filter_.memos_;
    filter_.memos_ += std::max<std::size_t>(1, node.needed.size());
    return node;
  }

  // In which sets a service must be for a segment of it to satisfy a block.
  struct Needs {
    std::uint8_t sets = 0;  // bits by ServiceSet
    bool is_exact = false;  // to be in it is enough, of one set
  };
  static std::uint8_t BitOf(ServiceSet set) {
    return static_cast<std::uint8_t>(1U << std::to_underlying(set));
  }
  static Needs NeedsOf(const Expression& block) {
    if (const auto* test = std::get_if<KeywordTest>(&block.node)) {
      if (TypeOf(test->keyword) != KeywordType::kBoolean || !Wants(*test)) return {};
      switch (test->keyword) {
        case Keyword::kFault:
          return {.sets = BitOf(ServiceSet::kFault), .is_exact = true};
        case Keyword::kError:
          return {.sets = BitOf(ServiceSet::kError), .is_exact = true};
        case Keyword::kThrottle:
          return {.sets = BitOf(ServiceSet::kThrottle), .is_exact = true};
        default:
          return {};
      }
    }
    if (const auto* all = std::get_if<AndExpression>(&block.node)) {
      Needs needs;
      for (const Expression& operand : all->operands) needs.sets |= NeedsOf(operand).sets;
      return needs;
    }
    if (const auto* any = std::get_if<OrExpression>(&block.node)) {
      Needs needs{.sets = 0xff};
      for (const Expression& operand : any->operands) needs.sets &= NeedsOf(operand).sets;
      return needs;
    }
    return {};
  }

  Node MakeFrom(const ServiceTest& test) {
    if (MayMeanClient(test.selector)) return Of(Kind::kUnknown);
    Node node = Of(Kind::kServices);
    node.is_exact = true;
    Needs needs;
    if (test.block != nullptr) {
      needs = NeedsOf(*test.block);
      node.is_exact = needs.is_exact;
    }
    for (const ServiceSet set : {ServiceSet::kFault, ServiceSet::kError, ServiceSet::kThrottle}) {
      if ((needs.sets & BitOf(set)) != 0)
        node.needed.push_back({.selector = test.selector, .set = set});
    }
    if (node.needed.empty()) node.needed.push_back({.selector = test.selector});
    return WithMemo(std::move(node));
  }

  // Both ends of a call are services of the trace. What its block asks is of the call.
  Node MakeFrom(const EdgeTest& test) {
    Node node = Of(Kind::kServices);
    for (const EntitySelector::Node* end : {&test.from, &test.to}) {
      if (!MayMeanClient(*end)) node.needed.push_back({.selector = *end});
    }
    return node.needed.empty() ? Of(Kind::kUnknown) : WithMemo(std::move(node));
  }

  SummaryFilter& filter_;
};

SummaryFilter SummaryFilter::Of(const Filter& filter) {
  SummaryFilter made;
  made.fold_case_ = filter.case_insensitive();
  if (filter.root() != nullptr) made.root_ = SummaryFilterBuilder(made).Make(*filter.root());
  return made;
}

SummaryJudge::SummaryJudge(const SummaryFilter& filter, const model::SummaryTexts& texts)
    : filter_(filter), texts_(texts), memos_(filter.memos()) {}

Verdict SummaryJudge::Judge(const StoredSummary& summary) {
  return summary.is_known() ? JudgeNode(filter_.root(), summary) : Verdict::kUnknown;
}

Verdict SummaryJudge::JudgeNode(const Node& node, const StoredSummary& summary) {
  switch (node.kind) {
    case Kind::kUnknown:
      return Verdict::kUnknown;
    case Kind::kYes:
      return Verdict::kYes;
    case Kind::kNo:
      return Verdict::kNo;
    case Kind::kNot: {
      const Verdict verdict = JudgeNode(node.operands.front(), summary);
      return verdict == Verdict::kUnknown ? verdict : VerdictOf(verdict == Verdict::kNo);
    }
    case Kind::kAnd:
      return JudgeAll(node, summary, Verdict::kNo);
    case Kind::kOr:
      return JudgeAll(node, summary, Verdict::kYes);
    case Kind::kOk:
      return VerdictOf(IsOk(summary));
    case Kind::kBits:
      return VerdictOf((summary.bits & node.bits) != 0);
    case Kind::kTime: {
      const bool is_response = node.keyword == Keyword::kResponseTime;
      if (is_response && summary.Has(model::kRootInProgress)) return Verdict::kNo;
      if (node.op == Operator::kPresent) return Verdict::kYes;
      return VerdictOf(
          CompareNumbers(Microseconds(is_response ? summary.response_ns : summary.duration_ns),
                         node.op, std::round(std::get<double>(node.literal) * 1e6)));
    }
    case Kind::kStatus:
      if (summary.status < 0) return Verdict::kNo;
      if (node.op == Operator::kPresent) return Verdict::kYes;
      return VerdictOf(CompareNumbers(static_cast<double>(summary.status), node.op,
                                      std::get<double>(node.literal)));
    case Kind::kEntry:
      return JudgeEntry(node, summary.entry);
    case Kind::kAccount:
      return JudgeAccount(node, summary.services[0]);
    case Kind::kServices:
      return JudgeServices(node, summary);
  }
  return Verdict::kUnknown;
}

// @param decides  what settles it, whatever the others are.
Verdict SummaryJudge::JudgeAll(const Node& node, const StoredSummary& summary, Verdict decides) {
  bool is_known = true;
  for (const Node& operand : node.operands) {
    const Verdict verdict = JudgeNode(operand, summary);
    if (verdict == decides) return decides;
    is_known = is_known && verdict != Verdict::kUnknown;
  }
  if (!is_known) return Verdict::kUnknown;
  return VerdictOf(decides == Verdict::kNo);
}

template <class Ask>
Verdict SummaryJudge::Remembered(std::size_t memo, std::size_t place, const Ask& ask) {
  std::vector<std::uint8_t>& known = memos_[memo];
  if (place >= known.size()) known.resize(std::max(texts_.keys.size(), texts_.sets.size()));
  if (known[place] == 0) known[place] = static_cast<std::uint8_t>(1 + std::to_underlying(ask()));
  return static_cast<Verdict>(known[place] - 1);
}

Verdict SummaryJudge::JudgeEntry(const Node& node, std::uint32_t entry) {
  if (entry == 0) return Verdict::kNo;  // without a value every comparison is false
  return Remembered(node.memo, entry - 1, [&] {
    const model::ServiceKey& key = texts_.keys[entry - 1];
    StringMatch match(node.op, node.literal, filter_.fold_case());
    match.Add(std::string_view(node.keyword == Keyword::kName ? key.name : key.type));
    return VerdictOf(match.Holds());
  });
}

Verdict SummaryJudge::JudgeAccount(const Node& node, std::uint32_t set) {
  if (set == 0) return Verdict::kUnknown;
  return Remembered(node.memo, set - 1, [&] {
    StringMatch match(node.op, node.literal, filter_.fold_case());
    for (const std::uint32_t key : texts_.sets[set - 1])
      match.AddUnlessEmpty(texts_.keys[key].account_id);
    return VerdictOf(match.Holds());
  });
}

Verdict SummaryJudge::JudgeServices(const Node& node, const StoredSummary& summary) {
  bool is_known = node.is_exact;
  for (std::size_t i = 0; i < node.needed.size(); ++i) {
    const Node::Needed& needed = node.needed[i];
    const std::uint32_t set = summary.services[std::to_underlying(needed.set)];
    if (set == 0) {
      is_known = false;
      continue;
    }
    const Verdict has = Remembered(node.memo + i, set - 1, [&] {
      return VerdictOf(std::ranges::any_of(texts_.sets[set - 1], [&](std::uint32_t key) {
        return needed.selector.Matches(texts_.keys[key]);
      }));
    });
    if (has == Verdict::kNo) return Verdict::kNo;
  }
  return is_known ? Verdict::kYes : Verdict::kUnknown;
}

}  // namespace fluoro::query
