// Who a step belongs to: fields that one span states for all below it.
// Source of the rule: docs/genai.md, "Labels".
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/assembly.h"

namespace fluoro::genai {

enum class Label : std::uint8_t {
  kTenant,
  kRoute,
  kExperimentId,
  kExperimentArm,
  kSessionId,
  kUserId,
  kAgentName,
  kWorkflowName
};
inline constexpr std::size_t kLabels = 8;
inline constexpr std::size_t kLabelBytesMax = 256;

/// Canonical field of that label: "tenant", ...
std::string_view LabelName(Label label);
/// A trace that states one value only has it everywhere.
bool PassesUpwards(Label label);

/// What the span itself states, cut between characters at kLabelBytesMax bytes; "" if nothing. The
/// address that a client called is no route. Pure.
std::string OwnLabel(const model::Span& span, Label label);

/// Calls visit(label, text) for each label that the span itself states, in their order. Pure.
void ForEachOwnLabel(const model::Span& span, const std::function<void(Label, std::string)>& visit);

/// Labels of the entities of one trace. Immutable after LabelsOf; views live as long as it does.
class TraceLabels {
 public:
  /// "" if none, or if there is no such entity.
  [[nodiscard]] std::string_view Get(std::int32_t entity, Label label) const;

 private:
  friend TraceLabels LabelsOf(const model::AssembledTrace& trace);
  using TextId = std::uint32_t;  ///< place in texts_; 0: ""

  std::vector<std::array<TextId, kLabels>> labels_;  ///< by entity
  std::vector<std::string> texts_ = {""};
};

/// Own labels, else those of the nearest ancestor. Tenant, experiment, arm and session also pass
/// upwards: a trace that states one value only has it everywhere. Memory: 32 bytes an entity, and
/// each text once. Pure.
TraceLabels LabelsOf(const model::AssembledTrace& trace);

}  // namespace fluoro::genai
