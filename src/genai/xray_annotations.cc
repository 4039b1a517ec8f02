#include "genai/xray_annotations.h"

#include <array>
#include <optional>
#include <utility>

#include "base/utf8.h"
#include "genai/classify.h"
#include "genai/evidence.h"
#include "genai/labels.h"
#include "genai/step.h"

namespace fluoro::genai {
namespace {

struct Row {
  std::string_view field;
  std::optional<Label> label = std::nullopt;
};
// X-Ray keeps fifty a trace: the most asked for come first, and these leave room for the user's.
constexpr auto kRows = std::to_array<Row>({{"step_kind"},
                                           {"model"},
                                           {"provider"},
                                           {"tenant", Label::kTenant},
                                           {"route", Label::kRoute},
                                           {"experiment_id", Label::kExperimentId},
                                           {"experiment_arm", Label::kExperimentArm},
                                           {"tool_name"},
                                           {"tool_latency_ms"},
                                           {"retry_count"},
                                           {"timeout"},
                                           {"prompt_tokens"},
                                           {"completion_tokens"},
                                           {"cached_tokens"},
                                           {"reasoning_tokens"},
                                           {"cost_usd"},
                                           {"ttft_ms"},
                                           {"finish_reason"},
                                           {"error_type"},
                                           {"agent_name", Label::kAgentName},
                                           {"session_id", Label::kSessionId}});

constexpr std::size_t kTextBytesMax = 1'000;

}  // namespace

std::function<std::vector<model::KeyValue>(const model::Entity&)> XRayAnnotations(
    const model::AssembledTrace& trace) {
  return [&trace, labels = LabelsOf(trace)](const model::Entity& entity) {
    std::vector<model::KeyValue> annotations;
    if (entity.span == nullptr || entity.synthetic || entity.role == model::EntityRole::kInferred ||
        !HasEvidence(*entity.span)) {
      return annotations;
    }
    const auto place = static_cast<std::int32_t>(&entity - trace.entities.data());
    for (const Row& row : kRows) {
      std::optional<model::AttributeValue> value = CanonicalField(*entity.span, row.field);
      if (row.label) value = model::AttributeValue{std::string(labels.Get(place, *row.label))};
      if (!value) continue;
      if (const std::string* text = value->AsString()) {
        if (text->empty()) continue;
        value = model::AttributeValue{std::string(TruncateUtf8(*text, kTextBytesMax))};
      }
      annotations.push_back({std::string(row.field), *std::move(value)});
    }
    return annotations;
  };
}

}  // namespace fluoro::genai
