#include "analysis/compare/attributes.h"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_set>

#include "genai/evidence.h"
#include "genai/step.h"
#include "model/content.h"

namespace fluoro::analysis::compare {
namespace {

using model::AttributeType;
using model::AttributeValue;

// Fields that any span may have.
constexpr auto kGeneral = std::to_array<std::string_view>(
    {"step_kind", "sub_kind", "tenant", "route", "experiment_id", "experiment_arm", "session_id",
     "user_id", "error_type", "timeout", "throttled", "retry_count"});
// Fields of spans that have to do with models and tools.
constexpr auto kOfSteps = std::to_array<std::string_view>({"provider",
                                                           "model",
                                                           "model_response",
                                                           "prompt_tokens",
                                                           "completion_tokens",
                                                           "cached_tokens",
                                                           "cache_write_tokens",
                                                           "reasoning_tokens",
                                                           "cost_usd",
                                                           "tool_name",
                                                           "agent_name",
                                                           "workflow_name",
                                                           "prompt_name",
                                                           "prompt_version",
                                                           "data_source",
                                                           "top_k",
                                                           "doc_count",
                                                           "top_score",
                                                           "stream",
                                                           "ttft_ms",
                                                           "tpot_ms",
                                                           "queue_ms",
                                                           "prefill_ms",
                                                           "decode_ms",
                                                           "finish_reason"});

bool IsCounted(const AttributeValue& value) {
  switch (value.type()) {
    case AttributeType::kString:
    case AttributeType::kBool:
    case AttributeType::kInt:
    case AttributeType::kDouble:
      return true;
    default:
      return false;
  }
}

class SpanVisit {
 public:
  SpanVisit(const model::Span& span, const AttributeVisitor& visit) : span_(span), visit_(visit) {}

  template <std::size_t kCount>
  void Fields(const std::array<std::string_view, kCount>& fields) {
    for (const std::string_view field : fields) {
      const auto value = genai::CanonicalField(span_, field);
      if (value && IsCounted(*value)) visit_(Origin::kField, field, *value);
    }
  }

  void Attributes(const std::vector<model::Attribute>& attributes, Origin origin) {
    for (auto it = attributes.begin(); it != attributes.end(); ++it) {
      const bool again = std::any_of(it + 1, attributes.end(), [&](const model::Attribute& later) {
        return later.key == it->key;
      });
      if (again || !IsCounted(it->value) || model::IsContentKey(it->key) ||
          genai::IsCanonicalField(it->key))
        continue;
      visit_(origin, it->key, it->value);
    }
  }

 private:
  const model::Span& span_;
  const AttributeVisitor& visit_;
};

}  // namespace

std::string_view OriginName(Origin origin) {
  static constexpr std::array<std::string_view, kOrigins> kNames{"own", "field", "span",
                                                                 "resource"};
  return kNames.at(static_cast<std::size_t>(origin));
}

std::string_view ServiceOf(const model::AssembledTrace& trace, const model::Entity& entity) {
  if (entity.segment >= 0) {
    const model::Entity& segment = trace.entities[static_cast<std::size_t>(entity.segment)];
    if (segment.service >= 0)
      return trace.services[static_cast<std::size_t>(segment.service)].key.name;
  }
  return entity.span == nullptr ? std::string_view() : entity.span->service();
}

std::string_view OperationOf(const model::Entity& entity) {
  return entity.span == nullptr || entity.span->name.empty() ? entity.name : entity.span->name;
}

void VisitAttributes(const model::AssembledTrace& trace, const AttributeVisitor& visit) {
  std::unordered_set<const model::Resource*> resources;
  for (const model::Entity& entity : trace.entities) {
    if (entity.role == model::EntityRole::kInferred || entity.synthetic || entity.span == nullptr)
      continue;
    const model::Span& span = *entity.span;
    visit(Origin::kOwn, "service", {std::string(ServiceOf(trace, entity))});
    visit(Origin::kOwn, "name", {std::string(OperationOf(entity))});
    visit(Origin::kOwn, "outcome", {std::string(model::OutcomeName(entity.outcome()))});
    SpanVisit of_span(span, visit);
    of_span.Fields(kGeneral);
    if (genai::HasEvidence(span)) of_span.Fields(kOfSteps);
    of_span.Attributes(span.attributes, Origin::kSpan);
    if (resources.insert(span.resource.get()).second)
      of_span.Attributes(span.resource->attributes, Origin::kResource);
  }
}

}  // namespace fluoro::analysis::compare
