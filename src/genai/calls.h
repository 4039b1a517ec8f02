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

#include "genai/attempts.h"
#include "genai/labels.h"
#include "genai/step.h"
#include "genai/usage.h"
#include "genai/views.h"
#include "model/span.h"

namespace fluoro::genai {

/// Texts are "" where nothing is stated, and at most kCallTextMax bytes.
struct Call {
  StepKind kind = StepKind::kLlm;
  std::string_view provider;
  std::string_view model;             ///< that answered, else that asked for
  std::string_view asked_model = {};  ///< where it differs from `model`
  std::string_view tool;
  std::string_view tenant;               ///< its own, else inherited
  std::string_view route;                ///< likewise
  std::string_view agent = {};           ///< likewise
  std::string_view experiment = {};      ///< id; likewise
  std::string_view experiment_arm = {};  ///< likewise
  std::string_view prompt = {};          ///< name, with "@version" where one is stated
  /// What the provider calls it: "flex", "priority", ...; "" for the standard one.
  std::string_view service_tier = {};
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
  std::int64_t engine_ns = 0;    ///< prefill and decode of an inference engine of one's own
  std::int64_t milli_units = 0;  ///< thousandths of `billed_units`: images, seconds, searches
  NoBill no_bill = NoBill::kNone;
  bool is_request = false;  ///< no call, but the request as a whole: docs/genai.md, "Requests"
  /// As the span states it; 0 for what no provider was asked for.
  std::optional<std::int64_t> cost_nano_usd;
};

/// A step with usage, or a call: what it stands for.
struct StepUsage {
  std::size_t span = 0;  ///< place in the order of Add
  Call call;
  UsageRole role = UsageRole::kNone;
  UsageReason reason = UsageReason::kNoUsage;
  bool counts = false;          ///< as a call, with or without usage
  bool has_tokens = false;      ///< states them
  bool other_currency = false;  ///< states a cost that is not in USD
  /// Of a roll-up: by how much the billable tokens below fall short of its own, where it is more
  /// than 2 %: spans below were lost.
  std::int64_t unattributed_tokens = 0;
  bool under_rollup = false;  ///< a roll-up is above
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
  /// Calls that have ended, in the order of their spans, and where there are any the request behind
  /// them, if it has ended; texts live as long as the visit. Forgets the trace.
  void Finish(const std::function<void(const Call&)>& visit);
  /// The same, with the steps that do not count and why: every step that is a call or has usage.
  void FinishSteps(const std::function<void(const StepUsage&)>& visit);

 private:
  using TextId = std::uint32_t;  ///< place in texts_; 0: ""
  using Index = std::uint32_t;
  static constexpr Index kNone = UINT32_MAX;
  static constexpr std::size_t kModelKinds = 4;

  /// What is known of a span with evidence.
  struct Step {
    Index span = kNone;
    StepKind kind = StepKind::kChain;
    bool engine = false;
    bool has_tokens = false;
    bool in_progress = false;
    bool other_currency = false;
    bool finished = false;       ///< says how the answer ended
    bool not_connected = false;  ///< by its error
    std::optional<UsageRole> stated_role;
    TextId provider = 0, model = 0, asked_model = 0, tool = 0, tool_call = 0, response = 0;
    TextId service_tier = 0, prompt = 0, scope = 0;
    Call call;  ///< without texts
    // Found in the tree.
    std::uint32_t below = 0;  ///< nearest steps of its kind below it, without engines
    std::uint32_t engines_below = 0;
    Index one_below = kNone;  ///< one of `below`: a span
    bool under_rollup = false;
    std::int64_t engine_ns_below = 0;
    View view = View::kOwn;
    std::int64_t unattributed_tokens = 0;
    bool counts = false;
    UsageRole role = UsageRole::kNone;
    UsageReason reason = UsageReason::kNoUsage;
    [[nodiscard]] bool has_usage() const { return has_tokens || call.cost_nano_usd.has_value(); }
  };
  struct Node {
    model::SpanId id, parent;
    Index above = kNone;  ///< the parent, a span
    Index step = kNone;   ///< place in steps_
    std::array<TextId, kLabels> labels{};
    std::int64_t resends = 0;
    bool calls_out = false;
  };
  struct SentRequest {
    Index span = kNone;
    Request request;
  };
  /// What stands above a span, itself included: spans.
  struct Above {
    Index model[kModelKinds] = {kNone, kNone, kNone, kNone};  ///< nearest, no engine
    Index paying_llm = kNone;                                 ///< nearest with usage, no engine
    Index tool = kNone;  ///< nearest, with no agent or model between
    Index step = kNone;  ///< nearest with evidence
  };
  /// What is below a span, itself included.
  struct Below {
    bool counts = false;      ///< a call of a model that counts
    bool calls_out = false;   ///< a request to another service
    std::int64_t tokens = 0;  ///< of the calls that count
  };

  TextId Text(std::string text);
  Step Judge(const model::Span& span);
  void FindParents();
  void InheritLabels();
  void LookUp();
  void CountResends();
  void FindViewsBeside();
  void Decide();
  void DecideTool(Step& step, const Above& above, const Below& below) const;
  void DecideModel(Step& step, const Above& above) const;
  void DecideOther(Step& step, const Below& below) const;
  void DecideBill(Step& step, const Below& below) const;
  [[nodiscard]] UsageReason WrapperReason(const Step& step) const;
  [[nodiscard]] bool RepeatsTool(const Step& step, Index above) const;
  [[nodiscard]] Call CallOf(const Step& step) const;
  void SetLabels(const Node& node, Call& call) const;
  [[nodiscard]] std::string_view LabelOf(const Node& node, Label label) const;
  void Resolve();
  void Forget();

  /// What began the trace: a span without a parent, the earliest; else the earliest of all.
  struct Entry {
    Index span = kNone;
    bool has_parent = false;
    bool in_progress = false;
    Call call;  ///< without texts
  };
  void FindEntry(const model::Span& span);
  Entry entry_;
  std::vector<Node> nodes_;
  std::vector<Step> steps_;
  std::vector<Index> order_;  ///< parents before children
  std::vector<Above> above_;  ///< of the parent, by span
  std::vector<SentRequest> requests_;
  std::vector<std::string> texts_ = {""};
  std::unordered_map<std::string, TextId> text_ids_;
};

}  // namespace fluoro::genai
