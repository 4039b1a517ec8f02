#include "model/summary.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "model/attribute_reader.h"

namespace fluoro::model {
namespace {

void AddService(std::vector<std::int32_t>& services, std::int32_t service) {
  if (service < 0 || std::find(services.begin(), services.end(), service) != services.end()) return;
  services.push_back(service);
}

// Keys in order of arrival; a trace may carry a distinct value on every span, so values are looked
// up by hash.
class AnnotationIndex {
 public:
  explicit AnnotationIndex(TraceSummary& summary) : summary_(summary) {}

  void Add(KeyValue annotation, std::int32_t service) {
    auto values = summary_.annotations.find(annotation.key);
    if (values == summary_.annotations.end()) {
      if (summary_.annotations.size() == kIndexedAnnotationsMax) return;
      values = summary_.annotations.emplace(annotation.key, std::vector<AnnotatedValue>{}).first;
    }
    std::string identity = values->first;
    identity += '\0';
    identity += std::to_string(static_cast<int>(annotation.value.type()));
    identity += ScalarText(annotation.value);
    const auto [place, added] = places_.try_emplace(std::move(identity), values->second.size());
    if (added) values->second.push_back({std::move(annotation.value), {}});
    AddService(values->second[place->second].services, service);
  }

 private:
  TraceSummary& summary_;
  std::unordered_map<std::string, std::size_t> places_;
};

class DistinctTexts {
 public:
  explicit DistinctTexts(std::vector<std::string>& texts) : texts_(texts) {}
  void Add(const std::string& text) {
    if (!text.empty() && seen_.insert(text).second) texts_.push_back(text);
  }

 private:
  std::vector<std::string>& texts_;
  std::unordered_set<std::string> seen_;
};

std::int32_t OwningService(const AssembledTrace& trace, const Entity& entity) {
  return entity.segment < 0 ? -1 : trace.entities[static_cast<std::size_t>(entity.segment)].service;
}

void AddAnnotations(const AssembledTrace& trace, TraceSummary& summary) {
  const std::vector<Span>& spans = trace.trace->spans;
  std::vector<std::int32_t> services(spans.size(), -1);
  for (const Entity& entity : trace.entities) {
    if (entity.role == EntityRole::kInferred || entity.synthetic) continue;
    services[static_cast<std::size_t>(entity.span - spans.data())] = OwningService(trace, entity);
  }
  AnnotationIndex index(summary);
  for (std::size_t i = 0; i < spans.size(); ++i) {
    for (KeyValue& annotation : AnnotationsOf(spans[i])) {
      index.Add(std::move(annotation), services[i]);
    }
  }
}

void AddUnions(const AssembledTrace& trace, TraceSummary& summary) {
  std::unordered_map<std::string_view, std::size_t> users;
  DistinctTexts resource_arns(summary.resource_arns);
  DistinctTexts instance_ids(summary.instance_ids);
  DistinctTexts zones(summary.availability_zones);
  for (const Entity& entity : trace.entities) {
    if (entity.role == EntityRole::kInferred) continue;
    summary.has_throttle = summary.has_throttle || entity.throttle;
    resource_arns.Add(entity.resource_arn);
    instance_ids.Add(entity.instance_id);
    zones.Add(entity.availability_zone);
    if (entity.user.empty()) continue;
    const auto [place, added] = users.try_emplace(entity.user, summary.users.size());
    if (added) summary.users.push_back({entity.user, {}});
    AddService(summary.users[place->second].services, OwningService(trace, entity));
  }
}

}  // namespace

TraceSummary Summarise(const AssembledTrace& trace) {
  TraceSummary summary;
  summary.id = trace.trace->id;
  summary.revision = trace.trace->revision;
  summary.start_ns = trace.start_ns;
  summary.duration_ns = trace.end_ns - trace.start_ns;
  summary.is_partial = trace.in_progress;
  if (const Entity* root = trace.Root()) {
    if (!root->in_progress) summary.response_ns = root->duration_ns();
    summary.has_fault = root->fault;
    summary.has_error = root->error;
    summary.http = root->http;
    summary.entry_point = root->service;
  }
  for (std::size_t i = 0; i < trace.services.size(); ++i) {
    if (!trace.services[i].client) summary.services.push_back(static_cast<std::int32_t>(i));
  }
  AddUnions(trace, summary);
  AddAnnotations(trace, summary);
  return summary;
}

}  // namespace fluoro::model
