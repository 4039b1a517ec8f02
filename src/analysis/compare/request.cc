#include "analysis/compare/request.h"

#include <map>
#include <string_view>

#include "analysis/critical_path.h"
#include "analysis/step_time.h"
#include "genai/step.h"

namespace fluoro::analysis::compare {
namespace {

using genai::StepKind;

// A call stands this near below the step that it works for, or is told without its model.
constexpr int kOwnerHopsMax = 64;

std::string TextOf(const model::Span& span, std::string_view field) {
  const auto value = genai::CanonicalField(span, field);
  const std::string* const text = value ? value->AsString() : nullptr;
  return text == nullptr ? std::string() : *text;
}

bool HasModel(StepKind kind) {
  return kind == StepKind::kLlm || kind == StepKind::kEmbedding || kind == StepKind::kReranker ||
         kind == StepKind::kGuardrail;
}

class StepNames {
 public:
  explicit StepNames(const model::AssembledTrace& trace)
      : trace_(trace), kinds_(StepKinds(trace)), owners_(OwnerKinds(trace, kinds_)) {}

  std::string Of(std::int32_t entity) const {
    const StepKind kind = owners_[static_cast<std::size_t>(entity)];
    std::string name(genai::StepKindName(kind));
    const model::Span* const span = OwnerOf(entity);
    if (span == nullptr) return name;
    std::string more;
    if (HasModel(kind)) {
      more = TextOf(*span, "model_response");
      if (more.empty()) more = TextOf(*span, "model");
    } else if (kind == StepKind::kTool) {
      more = TextOf(*span, "tool_name");
    }
    return more.empty() ? name : name + " " + more;
  }

 private:
  [[nodiscard]] const model::Span* OwnerOf(std::int32_t entity) const {
    const StepKind kind = owners_[static_cast<std::size_t>(entity)];
    for (int hops = 0; hops < kOwnerHopsMax && entity >= 0; ++hops) {
      const auto place = static_cast<std::size_t>(entity);
      if (kinds_[place] == kind) return trace_.entities[place].span;
      entity = trace_.entities[place].parent;
    }
    return nullptr;
  }

  const model::AssembledTrace& trace_;
  std::vector<StepKind> kinds_;
  std::vector<StepKind> owners_;
};

}  // namespace

std::vector<RequestPart> PartsOf(const model::AssembledTrace& trace, const genai::TraceCost& cost) {
  const StepNames names(trace);
  std::map<std::int32_t, RequestPart> by_entity;
  for (const PathInterval& part : CriticalPath(trace))
    by_entity[part.entity].path_ns += part.end_ns - part.start_ns;
  for (const genai::PricedStep& step : cost.steps) {
    if (step.role == genai::UsageRole::kBillable && step.cost_nano_usd)
      by_entity[step.entity].cost_nano_usd += *step.cost_nano_usd;
  }
  std::map<std::string, RequestPart> by_name;
  for (const auto& [entity, part] : by_entity) {
    RequestPart& sum = by_name[names.Of(entity)];
    sum.path_ns += part.path_ns;
    sum.cost_nano_usd += part.cost_nano_usd;
  }
  std::vector<RequestPart> parts;
  for (auto& [name, part] : by_name) {
    part.step = name;
    parts.push_back(std::move(part));
  }
  return parts;
}

std::optional<std::int64_t> FirstTokenOf(const model::AssembledTrace& trace) {
  const model::Entity* const root = trace.Root();
  if (root == nullptr) return std::nullopt;
  std::optional<std::int64_t> first_ns;
  std::int64_t last_end_ns = INT64_MIN;
  for (const model::Entity& entity : trace.entities) {
    if (entity.span == nullptr || entity.role == model::EntityRole::kInferred || entity.synthetic ||
        entity.end_ns <= last_end_ns)
      continue;
    const auto ttft = genai::CanonicalField(*entity.span, "ttft_ms");
    const double* const ms = ttft ? ttft->AsDouble() : nullptr;
    if (ms == nullptr || genai::ClassifyStep(*entity.span) != StepKind::kLlm) continue;
    last_end_ns = entity.end_ns;
    first_ns = entity.start_ns - root->start_ns + static_cast<std::int64_t>(*ms * 1e6);
  }
  return first_ns;
}

}  // namespace fluoro::analysis::compare
