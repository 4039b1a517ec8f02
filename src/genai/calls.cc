#include "genai/calls.h"

#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "genai/classify.h"
#include "genai/evidence.h"
#include "genai/inherit.h"
#include "genai/labels.h"
#include "genai/reading.h"

namespace fluoro::genai {
namespace {

using model::Span;

std::string TextField(const Span& span, std::string_view field) {
  const auto value = CanonicalField(span, field);
  const std::string* text = value ? value->AsString() : nullptr;
  return text == nullptr ? std::string() : *text;
}

std::optional<std::int64_t> CountField(const Span& span, std::string_view field) {
  const auto value = CanonicalField(span, field);
  const std::int64_t* count = value ? value->AsInt() : nullptr;
  return count == nullptr ? std::nullopt : std::optional(*count);
}

bool FlagField(const Span& span, std::string_view field) {
  const auto value = CanonicalField(span, field);
  const bool* flag = value ? value->AsBool() : nullptr;
  return flag != nullptr && *flag;
}

// What no single call costs is a mistake of units, and would spoil the sums.
std::optional<std::int64_t> CostOf(const Span& span) {
  constexpr double kUsdMax = 1e6;
  const auto value = CanonicalField(span, "cost_usd");
  const double* usd = value ? value->AsDouble() : nullptr;
  if (usd == nullptr || !(*usd >= 0 && *usd <= kUsdMax)) return std::nullopt;
  return std::llround(*usd * 1e9);
}

// Place among the kinds of steps that call a model.
std::optional<std::size_t> ModelKind(StepKind kind) {
  switch (kind) {
    case StepKind::kLlm:
      return 0;
    case StepKind::kEmbedding:
      return 1;
    case StepKind::kReranker:
      return 2;
    case StepKind::kGuardrail:
      return 3;
    default:
      return std::nullopt;
  }
}

}  // namespace

CallFinder::TextId CallFinder::Text(std::string text) {
  if (text.empty()) return 0;
  text.resize(TruncateUtf8(text, kCallTextMax).size());
  const auto [at, is_new] = text_ids_.try_emplace(text, static_cast<TextId>(texts_.size()));
  if (is_new) texts_.push_back(std::move(text));
  return at->second;
}

void CallFinder::Add(const Span& span) {
  Node node{.id = span.span_id, .parent = span.parent_id};
  node.tenant = Text(OwnLabel(span, Label::kTenant));
  node.route = Text(OwnLabel(span, Label::kRoute));
  constexpr std::int64_t kResendsMax = 1'000'000;
  node.resends = std::min(CountField(span, "attempt").value_or(0), kResendsMax);
  if (HasEvidence(span)) {
    node.step = static_cast<Index>(steps_.size());
    steps_.push_back(Judge(span));
  }
  nodes_.push_back(node);
}

CallFinder::Step CallFinder::Judge(const Span& span) {
  Step step;
  if (const auto known = Classify(span)) {
    step.kind = known->kind;
    step.engine = known->sub_kind == "engine";
  }
  step.in_progress = span.Has(model::SpanFlag::kInProgress);
  Call& call = step.call;
  call.kind = step.kind;
  call.start_ns = span.start_ns;
  call.end_ns = span.end_ns;
  const auto prompt = CountField(span, "prompt_tokens");
  const auto completion = CountField(span, "completion_tokens");
  step.has_tokens = prompt || completion;
  call.prompt_tokens = prompt.value_or(0);
  call.completion_tokens = completion.value_or(0);
  call.cost_nano_usd = CostOf(span);
  const bool is_call = ModelKind(step.kind) || step.kind == StepKind::kTool || step.has_usage();
  if (!is_call) return step;
  call.cached_tokens = CountField(span, "cached_tokens").value_or(0);
  call.cache_write_tokens = CountField(span, "cache_write_tokens").value_or(0);
  call.reasoning_tokens = CountField(span, "reasoning_tokens").value_or(0);
  call.throttled = FlagField(span, "throttled");
  call.timeout = FlagField(span, "timeout");
  const bool flagged = span.Has(model::SpanFlag::kFault) || span.Has(model::SpanFlag::kError) ||
                       span.Has(model::SpanFlag::kThrottle);
  call.failed = flagged || call.throttled || call.timeout ||
                span.status == model::StatusCode::kError || !TextField(span, "error_type").empty();
  call.retries = CountField(span, "retry_count").value_or(0);
  step.provider = Text(TextField(span, "provider"));
  std::string model = TextField(span, "model_response");
  step.model = Text(model.empty() ? TextField(span, "model") : std::move(model));
  if (step.kind == StepKind::kTool) {
    step.tool = Text(TextField(span, "tool_name"));
    step.tool_call = Text(TextField(span, "tool_call_id"));
  }
  step.response = Text(TextAt(span, "gen_ai.response.id"));
  const std::string role = TextField(span, "usage_role");
  if (role == "billable") step.role = Role::kBillable;
  if (role == "rollup" || role == "wrapper" || role == "engine_shadow") step.role = Role::kOther;
  return step;
}

// Of spans that are each other's ancestors one has no parent.
void CallFinder::FindParents() {
  std::unordered_map<model::SpanId, Index> places;
  places.reserve(nodes_.size());
  const auto count = static_cast<Index>(nodes_.size());
  for (Index i = 0; i < count; ++i) places.try_emplace(nodes_[i].id, i);
  for (Node& node : nodes_) {
    const auto at =
        node.parent.IsZero() || node.parent == node.id ? places.end() : places.find(node.parent);
    node.above = at == places.end() ? kNone : at->second;
  }
  enum class State : std::uint8_t { kNew, kOnPath, kDone };
  std::vector<State> states(nodes_.size(), State::kNew);
  std::vector<Index> path;
  order_.clear();
  for (Index i = 0; i < count; ++i) {
    path.clear();
    Index at = i;
    while (at != kNone && states[at] == State::kNew) {
      states[at] = State::kOnPath;
      path.push_back(at);
      const Index above = nodes_[at].above;
      if (above != kNone && states[above] == State::kOnPath) nodes_[at].above = kNone;
      at = nodes_[at].above;
    }
    for (; !path.empty(); path.pop_back()) {
      states[path.back()] = State::kDone;
      order_.push_back(path.back());
    }
  }
}

void CallFinder::InheritLabels() {
  const auto above = [this](Index at) { return nodes_[at].above; };
  Inherit(order_, true, above, [this](Index at) -> TextId& { return nodes_[at].tenant; });
  Inherit(order_, false, above, [this](Index at) -> TextId& { return nodes_[at].route; });
}

void CallFinder::LookUp() {
  std::vector<Above> with(nodes_.size());  // itself included
  above_.assign(nodes_.size(), {});
  for (const Index at : order_) {
    const Node& node = nodes_[at];
    if (node.above != kNone) above_[at] = with[node.above];
    Above own = above_[at];
    if (node.step == kNone) {
      if (own.step != kNone) {
        Step& step = steps_[nodes_[own.step].step];
        step.call.retries = std::max<std::int64_t>(step.call.retries, node.resends);
      }
    } else {
      Step& step = steps_[node.step];
      own.step = at;
      step.call.retries = std::max<std::int64_t>(step.call.retries, node.resends);
      if (const auto kind = ModelKind(step.kind)) {
        if (const Index over = above_[at].model[*kind]; over != kNone) {
          Step& upper = steps_[nodes_[over].step];
          ++(step.engine ? upper.engines_below : upper.below);
          if (!step.engine) upper.one_below = at;
        }
        if (!step.engine) own.model[*kind] = at;
        if (step.kind == StepKind::kLlm && !step.engine && step.has_usage()) own.paying_llm = at;
        own.tool = kNone;
      } else if (step.kind == StepKind::kAgent) {
        own.tool = kNone;
      } else if (step.kind == StepKind::kTool) {
        own.tool = at;
      }
    }
    with[at] = own;
  }
}

// Two instrumentations saw one call: the inner one counts.
bool CallFinder::IsWrapper(const Step& step) const {
  if (!step.has_usage()) return step.below + step.engines_below > 0;
  if (step.below != 1) return false;
  const Step& inner = steps_[nodes_[step.one_below].step];
  if (step.response != 0 && step.response == inner.response) return true;
  return step.has_tokens && inner.has_tokens &&
         step.call.prompt_tokens == inner.call.prompt_tokens &&
         step.call.completion_tokens == inner.call.completion_tokens &&
         inner.call.start_ns >= step.call.start_ns && inner.call.end_ns <= step.call.end_ns;
}

// An attempt, or the tool's own view of the call: the outer one counts.
bool CallFinder::RepeatsTool(const Step& step, Index above) const {
  if (above == kNone) return false;
  const Step& outer = steps_[nodes_[above].step];
  return outer.tool == step.tool &&
         (outer.tool_call == 0 || step.tool_call == 0 || outer.tool_call == step.tool_call);
}

void CallFinder::Decide() {
  std::vector<bool> counts_below(nodes_.size());
  for (auto place = order_.rbegin(); place != order_.rend(); ++place) {
    const Index at = *place;
    const Node& node = nodes_[at];
    bool counts = counts_below[at];
    if (node.step != kNone) {
      Step& step = steps_[node.step];
      const Above& above = above_[at];
      if (step.kind == StepKind::kTool) {
        step.counts = step.role != Role::kOther && !RepeatsTool(step, above.tool);
        // Its tokens are those of what it called, and so is its cost, unless nothing else can be.
        if (counts || step.has_tokens) step.call.cost_nano_usd.reset();
        step.call.prompt_tokens = step.call.completion_tokens = step.call.cached_tokens =
            step.call.cache_write_tokens = step.call.reasoning_tokens = 0;
      } else {
        if (step.role != Role::kUnknown) {
          step.counts = step.role == Role::kBillable;
        } else if (!ModelKind(step.kind)) {
          step.counts = step.has_usage() && !counts;
        } else if (step.engine) {
          step.counts = above.paying_llm == kNone;
        } else {
          step.counts = !IsWrapper(step);
        }
        counts = counts || step.counts;
      }
    }
    if (counts && node.above != kNone) counts_below[node.above] = true;
  }
}

void CallFinder::Visit(const std::function<void(const Call&)>& visit) {
  for (const Node& node : nodes_) {
    if (node.step == kNone) continue;
    const Step& step = steps_[node.step];
    if (!step.counts || step.in_progress) continue;
    Call call = step.call;
    call.provider = texts_[step.provider];
    call.model = texts_[step.model];
    call.tool = texts_[step.tool];
    call.tenant = texts_[node.tenant];
    call.route = texts_[node.route];
    visit(call);
  }
}

void CallFinder::Finish(const std::function<void(const Call&)>& visit) {
  if (!steps_.empty()) {
    FindParents();
    InheritLabels();
    LookUp();
    Decide();
    Visit(visit);
  }
  nodes_.clear();
  steps_.clear();
  texts_.resize(1);
  text_ids_.clear();
}

}  // namespace fluoro::genai
