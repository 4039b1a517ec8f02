#include "analysis/compare/trace_shape.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "analysis/compare/attributes.h"
#include "analysis/critical_path.h"
#include "analysis/step_time.h"
#include "base/utf8.h"
#include "model/attribute_reader.h"
#include "model/content.h"

namespace fluoro::analysis::compare {
namespace {

class ShapeBuilder {
 public:
  ShapeBuilder(const model::AssembledTrace& trace, std::span<const StepUsage> usage,
               const ShapeBounds& bounds)
      : trace_(trace),
        bounds_(bounds),
        kinds_(StepKinds(trace)),
        self_(SelfTimes(trace)),
        path_(trace.entities.size(), 0) {
    for (const PathInterval& part : CriticalPath(trace))
      path_[static_cast<std::size_t>(part.entity)] += part.end_ns - part.start_ns;
    for (const StepUsage& one : usage) usage_.emplace(one.entity, one);
  }

  TraceShape Build() {
    shape_.id = trace_.trace->id;
    shape_.duration_ns = trace_.end_ns - trace_.start_ns;
    if (const model::Entity* const root = trace_.Root()) shape_.root_ns = root->duration_ns();
    std::vector<std::int32_t> roots;
    for (std::size_t i = 0; i < trace_.entities.size(); ++i) {
      if (trace_.entities[i].parent < 0) roots.push_back(static_cast<std::int32_t>(i));
    }
    Push(roots, -1);
    while (!open_.empty()) {
      Open next = std::move(open_.back());
      open_.pop_back();
      if (shape_.nodes.size() >= bounds_.nodes_max) {
        ++shape_.nodes_left_out;
        continue;
      }
      const auto node = static_cast<std::int32_t>(shape_.nodes.size());
      shape_.nodes.push_back(NodeOf(next));
      Push(trace_.entities[static_cast<std::size_t>(next.entity)].children, node);
    }
    return std::move(shape_);
  }

 private:
  struct Open {
    std::int32_t entity = -1;
    std::int32_t parent = -1;
    StepName step;
  };

  // The first shall be taken first, so it is pushed last.
  void Push(const std::vector<std::int32_t>& entities, std::int32_t parent) {
    std::map<StepName, std::uint32_t> counts;
    const std::size_t begin = open_.size();
    for (const std::int32_t index : entities) {
      const auto place = static_cast<std::size_t>(index);
      const model::Entity& entity = trace_.entities[place];
      if (entity.role == model::EntityRole::kInferred) continue;
      StepName step{.service = std::string(ServiceOf(trace_, entity)),
                    .name = std::string(OperationOf(entity)),
                    .kind = kinds_[place]};
      step.occurrence = counts[step]++;
      open_.push_back({.entity = index, .parent = parent, .step = std::move(step)});
    }
    std::reverse(open_.begin() + static_cast<std::ptrdiff_t>(begin), open_.end());
  }

  ShapeNode NodeOf(Open& from) {
    const auto place = static_cast<std::size_t>(from.entity);
    const model::Entity& entity = trace_.entities[place];
    ShapeNode node{.step = std::move(from.step),
                   .parent = from.parent,
                   .span = entity.id,
                   .start_ns = entity.start_ns - trace_.start_ns,
                   .duration_ns = entity.duration_ns(),
                   .self_ns = self_[place],
                   .path_ns = path_[place],
                   .outcome = entity.outcome(),
                   .usage = std::nullopt,
                   .attributes = {},
                   .usual_min_ns = entity.duration_ns(),
                   .usual_max_ns = entity.duration_ns()};
    if (const auto used = usage_.find(from.entity); used != usage_.end()) node.usage = used->second;
    if (!entity.synthetic && entity.span != nullptr)
      node.attributes = AttributesOf(entity.span->attributes);
    return node;
  }

  std::vector<std::pair<std::string, std::string>> AttributesOf(
      const std::vector<model::Attribute>& attributes) {
    std::map<std::string, std::string> texts;  // of equal keys the last counts
    for (const model::Attribute& attribute : attributes) {
      std::string text = model::ScalarText(attribute.value);
      if (text.empty() || model::IsContentKey(attribute.key)) continue;
      if (text.size() > bounds_.value_bytes_max)
        text = std::string(TruncateUtf8(text, bounds_.value_bytes_max)) + "...";
      if (attribute_bytes_ + attribute.key.size() + text.size() > bounds_.attribute_bytes_max) {
        ++shape_.attributes_left_out;
        continue;
      }
      attribute_bytes_ += attribute.key.size() + text.size();
      texts[attribute.key] = std::move(text);
    }
    return {texts.begin(), texts.end()};
  }

  const model::AssembledTrace& trace_;
  const ShapeBounds& bounds_;
  std::vector<genai::StepKind> kinds_;
  std::vector<std::int64_t> self_;
  std::vector<std::int64_t> path_;
  std::unordered_map<std::int32_t, StepUsage> usage_;
  std::vector<Open> open_;
  std::size_t attribute_bytes_ = 0;
  TraceShape shape_;
};

}  // namespace

TraceShape ShapeOf(const model::AssembledTrace& trace, std::span<const StepUsage> usage,
                   const ShapeBounds& bounds) {
  return ShapeBuilder(trace, usage, bounds).Build();
}

std::vector<std::vector<std::int32_t>> ChildrenOf(const TraceShape& shape) {
  std::vector<std::vector<std::int32_t>> children(shape.nodes.size() + 1);
  for (std::size_t i = 0; i < shape.nodes.size(); ++i) {
    const std::int32_t parent = shape.nodes[i].parent;
    children[parent < 0 ? shape.nodes.size() : static_cast<std::size_t>(parent)].push_back(
        static_cast<std::int32_t>(i));
  }
  return children;
}

}  // namespace fluoro::analysis::compare
