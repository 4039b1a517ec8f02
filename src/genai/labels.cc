#include "genai/labels.h"

#include <unordered_map>

#include "base/utf8.h"
#include "genai/fields.h"
#include "genai/inherit.h"
#include "genai/reading.h"
#include "genai/step.h"

namespace fluoro::genai {
namespace {

using model::Span;

struct Rule {
  std::string_view field;
  bool upwards = false;
};
constexpr std::array<Rule, kLabels> kRules = {{{.field = "tenant", .upwards = true},
                                               {.field = "route"},
                                               {.field = "experiment_id", .upwards = true},
                                               {.field = "experiment_arm", .upwards = true},
                                               {.field = "session_id", .upwards = true},
                                               {.field = "user_id"},
                                               {.field = "agent_name"},
                                               {.field = "workflow_name"}}};

using Mask = std::uint32_t;  ///< bits of labels
constexpr Mask kAll = (Mask{1} << kLabels) - 1;

constexpr Mask BitOf(Label label) { return Mask{1} << static_cast<std::uint8_t>(label); }

// Labels by the attribute keys that they are read from.
std::unordered_map<std::string_view, Mask> MasksByKey() {
  std::unordered_map<std::string_view, Mask> masks;
  for (std::size_t i = 0; i < kLabels; ++i) {
    const Mask bit = BitOf(static_cast<Label>(i));
    masks[kRules[i].field] |= bit;
    const Field& field = FieldNamed(kRules[i].field);
    for (const Source& source : field.sources) masks[source.key] |= bit;
    for (const std::string_view key : field.resource) masks[key] |= bit;
  }
  return masks;
}

// Labels that the span may state. Most spans state none, and reading a field tries every name that
// it has.
Mask MayState(const Span& span) {
  static const std::unordered_map<std::string_view, Mask> kMasks = MasksByKey();
  if (span.source == model::SpanSource::kXRay &&
      span.document.find("\"metadata\"") != std::string::npos) {
    return kAll;
  }
  Mask mask = BitOf(Label::kRoute);  // derived from addresses
  if (!span.events.empty()) mask |= BitOf(Label::kExperimentId) | BitOf(Label::kExperimentArm);
  const auto add = [&](const std::vector<model::Attribute>& attributes) {
    for (const model::Attribute& attribute : attributes) {
      const auto known = kMasks.find(attribute.key);
      if (known != kMasks.end()) mask |= known->second;
    }
  };
  add(span.attributes);
  if (span.resource != nullptr) add(span.resource->attributes);
  return mask;
}

// Places of entities, parents before children.
std::vector<std::uint32_t> FromTheTop(const model::AssembledTrace& trace) {
  std::vector<std::uint32_t> order;
  order.reserve(trace.entities.size());
  for (std::uint32_t i = 0; i < trace.entities.size(); ++i) {
    if (trace.entities[i].parent < 0) order.push_back(i);
  }
  for (std::size_t next = 0; next < order.size(); ++next) {
    for (const std::int32_t child : trace.entities[order[next]].children) {
      order.push_back(static_cast<std::uint32_t>(child));
    }
  }
  return order;
}

}  // namespace

std::string_view LabelName(Label label) { return kRules[static_cast<std::size_t>(label)].field; }

bool PassesUpwards(Label label) { return kRules[static_cast<std::size_t>(label)].upwards; }

std::string OwnLabel(const Span& span, Label label) {
  if (label == Label::kRoute) {
    const bool calls_out = span.kind == model::SpanKind::kClient ||
                           span.kind == model::SpanKind::kProducer ||
                           span.Has(model::SpanFlag::kSubsegment);
    if (calls_out && FindAny(span, "route") == nullptr) return {};
  }
  const auto value = CanonicalField(span, LabelName(label));
  const std::string* text = value ? value->AsString() : nullptr;
  return text == nullptr ? std::string() : std::string(TruncateUtf8(*text, kLabelBytesMax));
}

void ForEachOwnLabel(const Span& span, const std::function<void(Label, std::string)>& visit) {
  const Mask mask = MayState(span);
  for (std::size_t i = 0; i < kLabels; ++i) {
    const auto label = static_cast<Label>(i);
    if ((mask & BitOf(label)) == 0) continue;
    if (std::string text = OwnLabel(span, label); !text.empty()) visit(label, std::move(text));
  }
}

std::string_view TraceLabels::Get(std::int32_t entity, Label label) const {
  const auto place = static_cast<std::size_t>(entity);
  if (entity < 0 || place >= labels_.size()) return {};
  return texts_[labels_[place][static_cast<std::size_t>(label)]];
}

TraceLabels LabelsOf(const model::AssembledTrace& trace) {
  TraceLabels result;
  result.labels_.resize(trace.entities.size());
  std::unordered_map<std::string, TraceLabels::TextId> ids = {{"", 0}};
  for (std::size_t i = 0; i < trace.entities.size(); ++i) {
    const model::Entity& entity = trace.entities[i];
    // An inferred one is made of its caller's span, whose labels it inherits.
    if (entity.span == nullptr || entity.role == model::EntityRole::kInferred) continue;
    ForEachOwnLabel(*entity.span, [&](Label label, std::string text) {
      const auto [at, is_new] =
          ids.try_emplace(text, static_cast<TraceLabels::TextId>(result.texts_.size()));
      if (is_new) result.texts_.push_back(std::move(text));
      result.labels_[i][static_cast<std::size_t>(label)] = at->second;
    });
  }
  const std::vector<std::uint32_t> order = FromTheTop(trace);
  for (std::size_t label = 0; label < kLabels; ++label) {
    Inherit(
        order, kRules[label].upwards,
        [&](std::uint32_t at) { return static_cast<std::uint32_t>(trace.entities[at].parent); },
        [&](std::uint32_t at) -> TraceLabels::TextId& { return result.labels_[at][label]; });
  }
  return result;
}

}  // namespace fluoro::genai
