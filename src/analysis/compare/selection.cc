#include "analysis/compare/selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "query/expression.h"

namespace fluoro::analysis::compare {
namespace {

class KeyCollector {
 public:
  explicit KeyCollector(std::set<std::string>& keys) : keys_(keys) {}
  void Collect(const query::Expression& expression) { std::visit(*this, expression.node); }

  void operator()(const query::AnnotationTest& test) { keys_.insert(test.key); }
  void operator()(const query::KeywordTest& test) {
    if (test.keyword <= query::Keyword::kFault) keys_.insert("outcome");
    if (test.keyword == query::Keyword::kHttpStatus) keys_.insert("http.status_code");
  }
  void operator()(const query::ServiceTest& test) {
    if (test.selector.name) keys_.insert("service");
    CollectBlock(test.block.get());
  }
  void operator()(const query::EdgeTest& test) { CollectBlock(test.block.get()); }
  void operator()(const query::GroupTest& test) { CollectBlock(test.body.get()); }
  void operator()(const query::CauseTest& test) { CollectBlock(test.block.get()); }
  void operator()(const query::CauseJsonTest& /*test*/) {}
  void operator()(const query::NotExpression& expression) { Collect(*expression.operand); }
  void operator()(const query::AndExpression& expression) { CollectAll(expression.operands); }
  void operator()(const query::OrExpression& expression) { CollectAll(expression.operands); }

 private:
  void CollectBlock(const query::Expression* block) {
    if (block != nullptr) Collect(*block);
  }
  void CollectAll(const std::vector<query::Expression>& operands) {
    for (const query::Expression& operand : operands) Collect(operand);
  }
  std::set<std::string>& keys_;
};

std::string Seconds(std::int64_t ns) {
  return fmt::format("{:.4g} s", static_cast<double>(ns) * 1e-9);
}

}  // namespace

bool Selection::Holds(const query::TraceView& view) const {
  const model::AssembledTrace& trace = view.trace();
  const std::int64_t duration_ns = trace.end_ns - trace.start_ns;
  if (trace.start_ns < from_ns || trace.start_ns >= until_ns) return false;
  if (duration_ns < duration_min_ns || duration_ns > duration_max_ns) return false;
  const model::Entity* const root = trace.Root();
  if (failing && (root == nullptr || root->outcome() == model::Outcome::kOk)) return false;
  return !filter || filter->Matches(view);
}

std::string Selection::Words() const {
  std::vector<std::string> words;
  if (slowest > 0) {
    words.push_back(
        fmt::format("the slowest {:.4g} % ({} and more)", slowest * 100, Seconds(duration_min_ns)));
  } else if (duration_min_ns > 0) {
    words.push_back(Seconds(duration_min_ns) + " and more");
  }
  if (duration_max_ns != INT64_MAX) words.push_back("at most " + Seconds(duration_max_ns));
  if (failing) words.emplace_back("failing");
  if (from_ns != INT64_MIN || until_ns != INT64_MAX) words.emplace_back("in the marked time");
  if (filter && !filter->matches_all()) words.push_back("with " + filter->text());
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

std::set<std::string> Selection::GivenKeys() const {
  std::set<std::string> keys;
  if (failing) keys.insert("outcome");
  if (filter && filter->root() != nullptr) KeyCollector(keys).Collect(*filter->root());
  return keys;
}

std::int64_t SlowestFrom(std::vector<std::pair<std::int64_t, double>>& durations, double share) {
  std::ranges::sort(durations, std::greater<>());
  const double wanted =
      share * std::accumulate(durations.begin(), durations.end(), 0.0,
                              [](double sum, const auto& one) { return sum + one.second; });
  double sum = 0;
  for (const auto& [duration_ns, weight] : durations) {
    sum += weight;
    if (sum >= wanted) return duration_ns;
  }
  return 0;
}

}  // namespace fluoro::analysis::compare
