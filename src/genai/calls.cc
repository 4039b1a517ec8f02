#include "genai/calls.h"

#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "genai/classify.h"
#include "genai/derive.h"
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

// "flex", "priority", ...; "" for what every call gets that asks for nothing.
std::string ServiceTierOf(const Span& span) {
  for (const std::string_view key :
       {"openai.response.service_tier", "gen_ai.openai.response.service_tier",
        "gen_ai.response.service_tier", "openai.request.service_tier",
        "gen_ai.openai.request.service_tier", "gen_ai.request.service_tier", "service_tier"}) {
    const std::string tier = LowerCase(TextAt(span, key));
    if (tier.empty() || tier == "auto") continue;
    return tier == "default" || tier == "standard" ? std::string() : tier;
  }
  return {};
}

std::string PromptOf(const Span& span) {
  std::string prompt = TextField(span, "prompt_name");
  if (prompt.empty()) return prompt;
  const std::string version = TextField(span, "prompt_version");
  return version.empty() ? prompt : prompt + "@" + version;
}

// A duration that a field states in milliseconds; a year is the longest that is believed.
std::optional<std::int64_t> DurationField(const Span& span, std::string_view field) {
  constexpr double kMsMax = 366.0 * 24 * 3'600 * 1'000;
  const auto value = CanonicalField(span, field);
  const double* ms = value ? value->AsDouble() : nullptr;
  if (ms == nullptr || !(*ms >= 0 && *ms <= kMsMax)) return std::nullopt;
  return std::llround(*ms * 1e6);
}

// Of cache writes, those that stay for an hour, which cost more.
std::int64_t HourWritesOf(const Span& span) {
  struct Source {
    std::string_view key, member;
  };
  for (const Source& source :
       {Source{"langfuse.observation.usage_details", "input_cache_creation_1h"},
        Source{"gen_ai.usage.input_token_details", "ephemeral_1h_input_tokens"}}) {
    const model::AttributeValue* object = FindAny(span, source.key);
    const auto member = object == nullptr ? std::nullopt : MemberOf(*object, source.member);
    if (const auto count = member ? Coerce(*member, Form::kCount) : std::nullopt)
      return *count->AsInt();
  }
  return 0;
}

// Images, seconds of audio, searches: what an entry of the price table with `per_unit` is paid by.
std::int64_t MilliUnitsOf(const Span& span) {
  constexpr double kUnitsMax = 1e12;
  const model::AttributeValue* raw = FindAny(span, "billed_units");
  const auto value = raw == nullptr ? std::nullopt : Coerce(*raw, Form::kNumber);
  return value ? std::llround(std::min(*value->AsDouble(), kUnitsMax) * 1'000) : 0;
}

bool MentionsNoConnection(std::string_view text) {
  return std::ranges::any_of(
      std::initializer_list<std::string_view>{
          "APIConnectionError", "ConnectError", "ConnectionError", "ConnectTimeout", "ECONNREFUSED",
          "ENOTFOUND", "EAI_AGAIN", "connection refused", "connection error", "name resolution"},
      [&](std::string_view word) { return ContainsIgnoringCase(text, word); });
}

bool SaysCacheHit(const Span& span) {
  return std::ranges::any_of(
      std::initializer_list<std::string_view>{"cache_hit", "cache.hit", "gen_ai.cache.hit",
                                              "gen_ai.response.cached", "llm.cache.hit",
                                              "litellm.cache_hit"},
      [&](std::string_view key) {
        const model::AttributeValue* raw = FindAny(span, key);
        const auto flag = raw == nullptr ? std::nullopt : Coerce(*raw, Form::kFlag);
        return flag && *flag->AsBool();
      });
}

std::int64_t Plus(std::int64_t a, std::int64_t b) {  // both >= 0
  std::int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

std::optional<UsageRole> RoleNamed(std::string_view name) {
  for (const UsageRole role :
       {UsageRole::kBillable, UsageRole::kRollup, UsageRole::kWrapper, UsageRole::kEngineShadow}) {
    if (name == UsageRoleName(role)) return role;
  }
  return std::nullopt;
}

bool IsFlaggedFailed(const Span& span) {
  return span.Has(model::SpanFlag::kFault) || span.Has(model::SpanFlag::kError) ||
         span.Has(model::SpanFlag::kThrottle) || span.status == model::StatusCode::kError;
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
  ForEachOwnLabel(span, [&](Label label, std::string text) {
    node.labels[static_cast<std::size_t>(label)] = Text(std::move(text));
  });
  constexpr std::int64_t kResendsMax = 1'000'000;
  node.resends = std::min(CountField(span, "attempt").value_or(0), kResendsMax);
  FindEntry(span);
  node.calls_out = span.kind == model::SpanKind::kClient || span.kind == model::SpanKind::kProducer;
  if (HasEvidence(span)) {
    node.step = static_cast<Index>(steps_.size());
    steps_.push_back(Judge(span));
    steps_.back().span = static_cast<Index>(nodes_.size());
  } else if (const auto request = RequestOf(span)) {
    requests_.push_back({static_cast<Index>(nodes_.size()), *request});
  }
  nodes_.push_back(node);
}

void CallFinder::FindEntry(const Span& span) {
  const bool has_parent = !span.parent_id.IsZero();
  const bool is_better =
      entry_.span == kNone ||
      (has_parent == entry_.has_parent ? span.start_ns < entry_.call.start_ns : !has_parent);
  if (!is_better) return;
  entry_.span = static_cast<Index>(nodes_.size());
  entry_.has_parent = has_parent;
  entry_.in_progress = span.Has(model::SpanFlag::kInProgress);
  entry_.call = {.kind = StepKind::kGateway,
                 .provider = {},
                 .model = {},
                 .tool = {},
                 .tenant = {},
                 .route = {},
                 .start_ns = span.start_ns,
                 .end_ns = span.end_ns,
                 .failed = IsFlaggedFailed(span),
                 .throttled = span.Has(model::SpanFlag::kThrottle),
                 .no_bill = NoBill::kNoUsage,
                 .is_request = true,
                 .cost_nano_usd = std::nullopt};
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
  call.cache_write_1h_tokens = std::min(HourWritesOf(span), call.cache_write_tokens);
  call.reasoning_tokens = CountField(span, "reasoning_tokens").value_or(0);
  call.milli_units = MilliUnitsOf(span);
  call.throttled = FlagField(span, "throttled");
  call.timeout = FlagField(span, "timeout");
  const std::string error_type = TextField(span, "error_type");
  call.failed = IsFlaggedFailed(span) || call.throttled || call.timeout || !error_type.empty();
  call.retries = CountField(span, "retry_count").value_or(0);
  step.provider = Text(TextField(span, "provider"));
  std::string asked = TextField(span, "model");
  if (std::string answered = TextField(span, "model_response"); answered.empty()) {
    step.model = Text(std::move(asked));
  } else {
    if (answered != asked) step.asked_model = Text(std::move(asked));
    step.model = Text(std::move(answered));
  }
  step.service_tier = Text(ServiceTierOf(span));
  step.prompt = Text(PromptOf(span));
  if (step.kind == StepKind::kTool) {
    step.tool = Text(TextField(span, "tool_name"));
    step.tool_call = Text(TextField(span, "tool_call_id"));
  }
  if (step.kind == StepKind::kLlm) {
    call.first_token_ns = DurationField(span, "ttft_ms");
    call.engine_ns = DurationField(span, "prefill_ms").value_or(0) +
                     DurationField(span, "decode_ms").value_or(0);
    step.finished = !TextField(span, "finish_reason").empty();
    if (SaysCacheHit(span)) call.no_bill = NoBill::kLocalCacheHit;
  }
  step.not_connected = call.failed && MentionsNoConnection(error_type + "\n" + span.status_message);
  step.other_currency =
      FindAny(span, "gen_ai.usage.cost.amount") != nullptr && !derive::IsCostInUsd(span);
  step.response = Text(TextAt(span, "gen_ai.response.id"));
  step.scope = Text(span.scope->name);
  step.stated_role = RoleNamed(TextField(span, "usage_role"));
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
  for (std::size_t label = 0; label < kLabels; ++label) {
    Inherit(
        order_, PassesUpwards(static_cast<Label>(label)),
        [this](Index at) { return nodes_[at].above; },
        [this, label](Index at) -> TextId& { return nodes_[at].labels[label]; });
  }
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
          if (step.engine) {
            upper.engine_ns_below = Plus(upper.engine_ns_below, step.call.engine_ns);
          } else {
            upper.one_below = at;
          }
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

// Retries of a step that only its requests show.
void CallFinder::CountResends() {
  std::ranges::sort(requests_, {},
                    [this](const SentRequest& sent) { return nodes_[sent.span].above; });
  std::vector<Request> siblings;
  for (std::size_t begin = 0, end = 0; begin < requests_.size(); begin = end) {
    const Index parent = nodes_[requests_[begin].span].above;
    const Index above = above_[requests_[begin].span].step;
    siblings.clear();
    while (end < requests_.size() && nodes_[requests_[end].span].above == parent)
      siblings.push_back(requests_[end++].request);
    if (parent == kNone || above == kNone || siblings.size() < 2) continue;
    std::int64_t& retries = steps_[nodes_[above].step].call.retries;
    retries = std::max(retries, ResendsAmong(siblings));
  }
}

// Two instrumentations saw one call, and neither is below the other.
void CallFinder::FindViewsBeside() {
  std::vector<std::size_t> places;
  std::vector<ModelStep> views;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    const auto kind = ModelKind(step.kind);
    if (!kind || step.engine || step.in_progress || step.stated_role || !step.has_usage() ||
        WrapperReason(step) != UsageReason::kNoUsage)
      continue;
    places.push_back(i);
    views.push_back({.kind = static_cast<std::uint32_t>(*kind),
                     .model = step.model,
                     .scope = step.scope,
                     .response = step.response,
                     .prompt_tokens = step.call.prompt_tokens,
                     .completion_tokens = step.call.completion_tokens,
                     .start_ns = step.call.start_ns,
                     .end_ns = step.call.end_ns});
  }
  const std::vector<View> found = FindViews(views);
  for (std::size_t i = 0; i < places.size(); ++i) steps_[places[i]].view = found[i];
}

// Two instrumentations saw one call: the inner one counts. kNoUsage: it is no wrapper.
UsageReason CallFinder::WrapperReason(const Step& step) const {
  if (!step.has_usage())
    return step.below + step.engines_below > 0 ? UsageReason::kTransparent : UsageReason::kNoUsage;
  if (step.below != 1) return UsageReason::kNoUsage;
  const Step& inner = steps_[nodes_[step.one_below].step];
  if (step.response != 0 && step.response == inner.response) return UsageReason::kSameAnswerBelow;
  const bool same =
      step.has_tokens && inner.has_tokens && step.call.prompt_tokens == inner.call.prompt_tokens &&
      step.call.completion_tokens == inner.call.completion_tokens &&
      inner.call.start_ns >= step.call.start_ns && inner.call.end_ns <= step.call.end_ns;
  return same ? UsageReason::kSameTokensBelow : UsageReason::kNoUsage;
}

// An attempt, or the tool's own view of the call: the outer one counts.
bool CallFinder::RepeatsTool(const Step& step, Index above) const {
  if (above == kNone) return false;
  const Step& outer = steps_[nodes_[above].step];
  return outer.tool == step.tool &&
         (outer.tool_call == 0 || step.tool_call == 0 || outer.tool_call == step.tool_call);
}

void CallFinder::DecideTool(Step& step, const Above& above, const Below& below) const {
  if (step.stated_role && step.stated_role != UsageRole::kBillable) {
    step.role = *step.stated_role;
    step.reason = UsageReason::kStated;
    return;
  }
  if (RepeatsTool(step, above.tool)) {
    step.role = step.has_usage() ? UsageRole::kWrapper : UsageRole::kNone;
    step.reason = UsageReason::kRepeatsTool;
    return;
  }
  step.counts = true;
  if (step.has_tokens || (below.counts && step.has_usage())) {
    // Its tokens are those of what it called, and so is its cost, unless nothing else can be.
    step.role = UsageRole::kRollup;
    step.reason = below.counts ? UsageReason::kRepeatsBelow : UsageReason::kTokensOfTools;
  } else {
    step.role = step.has_usage() ? UsageRole::kBillable : UsageRole::kNone;
    step.reason = UsageReason::kOwnToolCall;
  }
}

void CallFinder::DecideModel(Step& step, const Above& above) const {
  if (step.engine) {
    step.counts = above.paying_llm == kNone;
    step.role = step.counts ? UsageRole::kBillable : UsageRole::kEngineShadow;
    step.reason = step.counts ? UsageReason::kEngineAlone : UsageReason::kEngineBehindClient;
  } else if (const UsageReason wraps = WrapperReason(step); wraps != UsageReason::kNoUsage) {
    step.role = UsageRole::kWrapper;
    step.reason = wraps;
  } else if (step.view != View::kOwn) {
    step.role = UsageRole::kWrapper;
    step.reason = step.view == View::kSameAnswer ? UsageReason::kSameAnswerBeside
                                                 : UsageReason::kSameTokensBeside;
  } else {
    step.counts = true;
    step.role = UsageRole::kBillable;
    step.reason = UsageReason::kOwnCall;
  }
}

void CallFinder::DecideOther(Step& step, const Below& below) const {
  if (!step.has_usage()) return;
  step.counts = !below.counts;
  step.role = step.counts ? UsageRole::kBillable : UsageRole::kRollup;
  step.reason = step.counts ? UsageReason::kOnlyFramework : UsageReason::kRepeatsBelow;
}

// What is known of the cost of a call without tokens, or without a provider.
void CallFinder::DecideBill(Step& step, const Below& below) const {
  Call& call = step.call;
  if (step.engine_ns_below > 0) call.engine_ns = step.engine_ns_below;
  if (!ModelKind(step.kind)) return;
  if (step.kind == StepKind::kLlm && !call.failed && step.has_tokens && !call.cost_nano_usd) {
    constexpr std::int64_t kHitNsMax = 5'000'000;
    std::int64_t duration_ns = 0;
    const bool quick = step.finished && !below.calls_out && !step.engine &&
                       !__builtin_sub_overflow(call.end_ns, call.start_ns, &duration_ns) &&
                       duration_ns >= 0 && duration_ns < kHitNsMax;
    if (quick) call.no_bill = NoBill::kLocalCacheHit;
  }
  if (call.no_bill == NoBill::kLocalCacheHit) {
    if (call.cost_nano_usd) {
      call.no_bill = NoBill::kNone;
    } else {
      call.cost_nano_usd = 0;
    }
    return;
  }
  if (step.has_usage()) return;
  const bool by_tokens = step.kind == StepKind::kLlm || step.kind == StepKind::kEmbedding;
  if (!call.failed) {
    call.no_bill = by_tokens ? NoBill::kUsageMissing : NoBill::kNoUsage;
  } else if (call.first_token_ns) {
    call.no_bill = NoBill::kPossiblyBilled;
  } else if (call.throttled) {
    call.no_bill = NoBill::kThrottled;
  } else {
    call.no_bill = step.not_connected ? NoBill::kNotConnected : NoBill::kNoUsage;
  }
}

void CallFinder::Decide() {
  std::vector<Below> below(nodes_.size());
  for (auto place = order_.rbegin(); place != order_.rend(); ++place) {
    const Index at = *place;
    const Node& node = nodes_[at];
    Below& own = below[at];
    if (node.step != kNone) {
      Step& step = steps_[node.step];
      const bool is_tool = step.kind == StepKind::kTool;
      if (is_tool) {
        DecideTool(step, above_[at], own);
      } else if (step.stated_role) {
        step.counts = *step.stated_role == UsageRole::kBillable;
        step.role = *step.stated_role;
        step.reason = UsageReason::kStated;
      } else if (ModelKind(step.kind)) {
        DecideModel(step, above_[at]);
      } else {
        DecideOther(step, own);
      }
      const std::int64_t tokens = Plus(step.call.prompt_tokens, step.call.completion_tokens);
      if (step.role == UsageRole::kRollup && step.has_tokens && own.counts) {
        const std::int64_t missing = tokens - std::min(tokens, own.tokens);
        if (missing > tokens / 50) step.unattributed_tokens = missing;
      }
      DecideBill(step, own);
      if (step.counts && !is_tool) {
        own.counts = true;
        own.tokens = Plus(own.tokens, tokens);
      }
    }
    if (node.above == kNone) continue;
    Below& parent = below[node.above];
    parent.counts = parent.counts || own.counts;
    parent.calls_out = parent.calls_out || own.calls_out || node.calls_out;
    parent.tokens = Plus(parent.tokens, own.tokens);
  }
  std::vector<bool> rollup(nodes_.size());  // here or above
  for (const Index at : order_) {
    const Node& node = nodes_[at];
    const bool above = node.above != kNone && rollup[node.above];
    if (node.step != kNone) steps_[node.step].under_rollup = above;
    rollup[at] = above || (node.step != kNone && steps_[node.step].role == UsageRole::kRollup);
  }
}

std::string_view CallFinder::LabelOf(const Node& node, Label label) const {
  return texts_[node.labels[static_cast<std::size_t>(label)]];
}

Call CallFinder::CallOf(const Step& step) const {
  const Node& node = nodes_[step.span];
  Call call = step.call;
  call.provider = texts_[step.provider];
  call.model = texts_[step.model];
  call.asked_model = texts_[step.asked_model];
  call.tool = texts_[step.tool];
  call.service_tier = texts_[step.service_tier];
  call.prompt = texts_[step.prompt];
  SetLabels(node, call);
  return call;
}

void CallFinder::SetLabels(const Node& node, Call& call) const {
  call.tenant = LabelOf(node, Label::kTenant);
  call.route = LabelOf(node, Label::kRoute);
  call.agent = LabelOf(node, Label::kAgentName);
  call.experiment = LabelOf(node, Label::kExperimentId);
  call.experiment_arm = LabelOf(node, Label::kExperimentArm);
}

void CallFinder::Resolve() {
  if (steps_.empty()) return;
  FindParents();
  InheritLabels();
  LookUp();
  CountResends();
  FindViewsBeside();
  Decide();
}

void CallFinder::Forget() {
  entry_ = {};
  nodes_.clear();
  steps_.clear();
  requests_.clear();
  texts_.resize(1);
  text_ids_.clear();
}

void CallFinder::Finish(const std::function<void(const Call&)>& visit) {
  Resolve();
  bool any = false;
  for (const Step& step : steps_) {
    if (!step.counts || step.in_progress) continue;
    any = true;
    Call call = CallOf(step);
    if (step.kind == StepKind::kTool) {
      if (step.role != UsageRole::kBillable) call.cost_nano_usd.reset();
      call.prompt_tokens = call.completion_tokens = call.cached_tokens = call.cache_write_tokens =
          call.cache_write_1h_tokens = call.reasoning_tokens = 0;
    }
    visit(call);
  }
  if (any && !entry_.in_progress) {
    SetLabels(nodes_[entry_.span], entry_.call);
    visit(entry_.call);
  }
  Forget();
}

void CallFinder::FinishSteps(const std::function<void(const StepUsage&)>& visit) {
  Resolve();
  for (const Step& step : steps_) {
    if (!step.counts && !step.has_usage()) continue;
    visit({.span = step.span,
           .call = CallOf(step),
           .role = step.in_progress ? UsageRole::kNone : step.role,
           .reason = step.in_progress ? UsageReason::kInProgress : step.reason,
           .counts = step.counts && !step.in_progress,
           .has_tokens = step.has_tokens,
           .other_currency = step.other_currency,
           .unattributed_tokens = step.unattributed_tokens,
           .under_rollup = step.under_rollup});
  }
  Forget();
}

}  // namespace fluoro::genai
