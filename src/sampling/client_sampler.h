// The client's half of centralised sampling: whether one root request is recorded. Pure: time and
// chance come in. Source: the X-Ray SDKs, as docs/sampling.md tells.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "sampling/quota.h"
#include "sampling/rule.h"

namespace fluoro::sampling {

/// One process with its own counters. Not thread-safe.
class ClientSampler {
 public:
  ClientSampler(std::string client_id, std::vector<Rule> rules)
      : client_id_(std::move(client_id)), rules_(std::move(rules)), states_(rules_.size()) {}

  struct Decision {
    bool sampled = false;
    const Rule* rule = nullptr;  ///< null: none matched, and local rules decide
  };
  /// @param draw  uniform in [0, 1).
  Decision Decide(const Request& request, std::int64_t now_ns, double draw);

  /// What is to be reported of each rule since the last time; rules without requests are left out.
  struct RuleReport {
    std::size_t rule = 0;  ///< place among the rules
    Report report;
  };
  std::vector<RuleReport> TakeReports(std::int64_t now_ns);
  void Accept(std::size_t rule, const Target& target);
  [[nodiscard]] const std::vector<Rule>& rules() const { return rules_; }

 private:
  struct State {
    std::int64_t requests = 0, sampled = 0, borrowed = 0;
    std::int64_t second = INT64_MIN;
    std::int32_t taken = 0;  ///< of quota or borrowed, in that second
    std::optional<Target> target;
  };
  std::string client_id_;
  std::vector<Rule> rules_;
  std::vector<State> states_;
};

}  // namespace fluoro::sampling
