// The calls of models and tools in one trace, each counted once whatever saw it: what token counts,
// stated costs and durations are summed from. What counts as one call: docs/genai.md, "Calls".
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "genai/step.h"
#include "model/span.h"

namespace fluoro::genai {

/// Texts are "" where nothing is stated, and at most kCallTextMax bytes.
struct Call {
  StepKind kind = StepKind::kLlm;
  std::string_view provider;
  std::string_view model;  ///< that answered, else that asked for
  std::string_view tool;
  std::string_view tenant;               ///< its own, else inherited
  std::string_view route;                ///< likewise
  std::string_view agent = {};           ///< likewise
  std::string_view experiment = {};      ///< id; likewise
  std::string_view experiment_arm = {};  ///< likewise
  std::string_view prompt = {};          ///< name, with "@version" where one is stated
  std::string_view service_tier = {};    ///< what the provider calls it: "flex", "priority", ...
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  bool failed = false;
  bool throttled = false;
  bool timeout = false;
  std::int64_t retries = 0;
  // 0 where not stated. Prompt tokens include the cache, completion tokens reasoning.
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
  std::int64_t cached_tokens = 0;
  std::int64_t cache_write_tokens = 0;
  std::int64_t reasoning_tokens = 0;
  std::int64_t cache_write_1h_tokens = 0;  ///< of cache_write_tokens, those kept for an hour
  std::optional<std::int64_t> first_token_ns = {};  ///< from start_ns to the first token
  std::optional<std::int64_t> cost_nano_usd;        ///< as the span states it
};

inline constexpr std::size_t kCallTextMax = 256;

/// By the size of a prompt, where providers change their prices: 0 up to 128,000 tokens, 1 up to
/// 200,000, 2 up to 272,000, 3 above. Stored: never renumber.
inline constexpr std::array<std::int64_t, 3> kPromptClassBounds = {128'000, 200'000, 272'000};
constexpr std::uint8_t PromptClassOf(std::int64_t prompt_tokens) {
  std::uint8_t place = 0;
  while (place < kPromptClassBounds.size() && prompt_tokens > kPromptClassBounds[place]) ++place;
  return place;
}

/// Takes the spans of one trace, gives its calls; then the next trace. Not thread-safe. Memory:
/// some hundred bytes a span that HasEvidence, under a hundred for others.
class CallFinder {
 public:
  /// Spans as model::StandingSpans leaves them: none stands for another. Of equal ids the first is
  /// the parent of children.
  void Add(const model::Span& span);
  /// Calls that have ended, in the order of their spans; texts live as long as the visit. Forgets
  /// the trace.
  void Finish(const std::function<void(const Call&)>& visit);

 private:
  using TextId = std::uint32_t;  ///< place in texts_; 0: ""
  using Index = std::uint32_t;
  static constexpr Index kNone = UINT32_MAX;
  static constexpr std::size_t kModelKinds = 4;

  enum class Role : std::uint8_t { kUnknown, kBillable, kOther };
  /// What is known of a span with evidence.
  struct Step {
    StepKind kind = StepKind::kChain;
    bool engine = false;
    bool has_tokens = false;
    bool in_progress = false;
    Role role = Role::kUnknown;
    TextId provider = 0, model = 0, tool = 0, tool_call = 0, response = 0;
    Call call;  ///< without texts
    // Found in the tree.
    std::uint32_t below = 0;  ///< nearest steps of its kind below it, without engines
    std::uint32_t engines_below = 0;
    Index one_below = kNone;  ///< one of `below`: a span
    bool counts = false;
    [[nodiscard]] bool has_usage() const { return has_tokens || call.cost_nano_usd.has_value(); }
  };
  struct Node {
    model::SpanId id, parent;
    Index above = kNone;  ///< the parent, a span
    Index step = kNone;   ///< place in steps_
    TextId tenant = 0, route = 0;
    std::int64_t resends = 0;
  };
  /// What stands above a span, itself included: spans.
  struct Above {
    Index model[kModelKinds] = {kNone, kNone, kNone, kNone};  ///< nearest, no engine
    Index paying_llm = kNone;                                 ///< nearest with usage, no engine
    Index tool = kNone;  ///< nearest, with no agent or model between
    Index step = kNone;  ///< nearest with evidence
  };

  TextId Text(std::string text);
  Step Judge(const model::Span& span);
  void FindParents();
  void InheritLabels();
  void LookUp();
  void Decide();
  [[nodiscard]] bool IsWrapper(const Step& step) const;
  [[nodiscard]] bool RepeatsTool(const Step& step, Index above) const;
  void Visit(const std::function<void(const Call&)>& visit);

  std::vector<Node> nodes_;
  std::vector<Step> steps_;
  std::vector<Index> order_;  ///< parents before children
  std::vector<Above> above_;  ///< of the parent, by span
  std::vector<std::string> texts_ = {""};
  std::unordered_map<std::string, TextId> text_ids_;
};

}  // namespace fluoro::genai
