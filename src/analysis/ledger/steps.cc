#include "analysis/ledger/steps.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "analysis/ledger/field.h"
#include "analysis/step_time.h"
#include "genai/classify.h"
#include "genai/reading.h"
#include "model/attribute_reader.h"

namespace fluoro::analysis {
namespace {

using genai::StepKind;
using model::Entity;
using model::EntityRole;
using model::Span;

constexpr std::int64_t kRetriesMax = 1'000'000;

// Cuts between characters.
std::string Limited(std::string text) {
  if (text.size() <= kStepTextMax) return text;
  std::size_t end = kStepTextMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  text.resize(end);
  return text;
}

std::string ModelOf(const Span& span) {
  std::string model = TextField(span, "model_response");
  return Limited(model.empty() ? TextField(span, "model") : std::move(model));
}

// Of an entry that other spans of the trace made a gateway of, none.
std::string SubKindOf(const Span& span, StepKind kind) {
  if (std::string text = genai::TextAt(span, "sub_kind"); !text.empty()) return Limited(text);
  const auto step = genai::Classify(span);
  return step && step->kind == kind ? std::string(step->sub_kind) : std::string();
}

// The client gave up, or whoever it worked for did.
bool IsCancelled(const Span& span, std::string_view error_type) {
  constexpr std::int64_t kClientClosed = 499;
  constexpr std::int64_t kGrpcCancelled = 1;
  const model::AttributeReader attributes(span.attributes);
  if (attributes.Integer({"http.response.status_code", "http.status_code"}) == kClientClosed ||
      attributes.Integer({"rpc.grpc.status_code"}) == kGrpcCancelled)
    return true;
  constexpr auto kWords =
      std::to_array<std::string_view>({"AbortError", "CancelledError", "cancelled", "canceled"});
  const auto mentions = [&](std::string_view text) {
    return std::ranges::any_of(
        kWords, [&](std::string_view word) { return genai::ContainsIgnoringCase(text, word); });
  };
  return mentions(error_type) || mentions(span.status_message);
}

void ReadEnding(const Entity& entity, Step& step) {
  const Span& span = *entity.span;
  const std::string error_type = TextField(span, "error_type");
  const std::string finish = TextField(span, "finish_reason");
  step.timeout = FlagField(span, "timeout");
  step.throttled = FlagField(span, "throttled");
  const bool has_error = entity.fault || entity.error || entity.throttle ||
                         span.status == model::StatusCode::kError || !error_type.empty();
  step.cancelled = !step.timeout && (finish == "cancelled" || IsCancelled(span, error_type));
  step.failed = has_error || step.timeout || step.throttled || step.cancelled || finish == "error";
  step.retries = std::min(kRetriesMax, CountField(span, "retry_count").value_or(0));
  step.attempt = CountField(span, "attempt");
}

}  // namespace

std::optional<std::int64_t> MillisecondsField(const Span& span, std::string_view field) {
  constexpr double kMsMax = 1e12;
  const auto value = genai::CanonicalField(span, field);
  if (!value) return std::nullopt;
  const auto number = genai::Coerce(*value, genai::Form::kNumber);
  if (!number || *number->AsDouble() > kMsMax) return std::nullopt;
  return std::llround(*number->AsDouble() * 1e6);
}

bool CallsModel(StepKind kind) {
  return kind == StepKind::kLlm || kind == StepKind::kEmbedding || kind == StepKind::kReranker ||
         kind == StepKind::kGuardrail;
}

std::vector<std::int32_t> ParentsFirst(const model::AssembledTrace& trace) {
  std::vector<std::int32_t> order;
  order.reserve(trace.entities.size());
  for (std::size_t i = 0; i < trace.entities.size(); ++i) {
    if (trace.entities[i].parent < 0) order.push_back(static_cast<std::int32_t>(i));
  }
  for (std::size_t next = 0; next < order.size(); ++next) {
    const auto& children = trace.entities[static_cast<std::size_t>(order[next])].children;
    order.insert(order.end(), children.begin(), children.end());
  }
  return order;
}

std::vector<Step> StepsOf(const model::AssembledTrace& trace) {
  const std::vector<StepKind> kinds = StepKinds(trace);
  const std::vector<std::int32_t> owners = Owners(trace, kinds);
  std::vector<Step> steps(trace.entities.size());
  for (const std::int32_t place : ParentsFirst(trace)) {
    const auto i = static_cast<std::size_t>(place);
    const Entity& entity = trace.entities[i];
    Step& step = steps[i];
    step.kind = kinds[i];
    step.owner = owners[i];
    step.in_progress = entity.in_progress;
    step.is_work =
        entity.span != nullptr && entity.role != EntityRole::kInferred && !entity.synthetic;
    if (step.is_work) {
      const Span& span = *entity.span;
      step.sub_kind = SubKindOf(span, step.kind);
      if (step.kind == StepKind::kTool) step.tool = Limited(TextField(span, "tool_name"));
      if (CallsModel(step.kind)) step.model = ModelOf(span);
      ReadEnding(entity, step);
    }
    const Step* above =
        entity.parent < 0 ? nullptr : &steps[static_cast<std::size_t>(entity.parent)];
    step.tool_owner = step.kind == StepKind::kTool && step.is_work ? place
                      : above != nullptr                           ? above->tool_owner
                                                                   : -1;
    if (!step.model.empty()) {
      step.model_owner = place;
    } else if (CallsModel(step.kind)) {
      // A wrapper, or an engine, that leaves the name to who called it.
      std::int32_t at = entity.parent;
      while (at >= 0 && steps[static_cast<std::size_t>(at)].kind != step.kind)
        at = trace.entities[static_cast<std::size_t>(at)].parent;
      if (at >= 0) step.model_owner = steps[static_cast<std::size_t>(at)].model_owner;
    }
  }
  return steps;
}

}  // namespace fluoro::analysis
