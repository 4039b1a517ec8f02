#include "store/outline.h"

#include <algorithm>

#include "store/trace_store.h"

namespace fluoro::store {
namespace {

void Order(std::vector<std::string>& names) {
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
}

const model::ServiceKey* ServiceOf(const model::AssembledTrace& trace,
                                   const model::Entity& entity) {
  if (entity.segment < 0) return nullptr;
  const std::int32_t service = trace.entities[static_cast<std::size_t>(entity.segment)].service;
  return service < 0 ? nullptr : &trace.services[static_cast<std::size_t>(service)].key;
}

}  // namespace

Outline OutlineOf(const model::AssembledTrace& trace, const model::TraceSummary& summary) {
  Outline outline{.id = summary.id,
                  .start_ns = summary.start_ns,
                  .duration_ns = summary.duration_ns,
                  .response_ns = summary.response_ns,
                  .http_status = summary.http.status,
                  .spans = trace.trace->TotalSpans(),
                  .partial = summary.is_partial,
                  .probability = trace.trace->kept.probability};
  if (const model::Entity* root = trace.Root()) {
    const model::ServiceKey* service = ServiceOf(trace, *root);
    outline.root_service = service != nullptr ? service->name : root->name;
    outline.root_name =
        root->span != nullptr && !root->span->name.empty() ? root->span->name : root->name;
    outline.outcome = root->outcome();
  }
  for (const std::int32_t index : summary.services)
    outline.services.push_back(trace.services[static_cast<std::size_t>(index)].key.name);
  Order(outline.services);
  return outline;
}

Outline OutlineOf(const model::TraceId& id, const model::StoredSummary& summary,
                  const model::SummaryTexts& texts, std::uint64_t spans, double probability) {
  Outline outline{.id = id,
                  .start_ns = summary.start_ns,
                  .duration_ns = summary.duration_ns,
                  .root_name = texts.texts[summary.name - 1],
                  .outcome = summary.outcome(),
                  .spans = spans,
                  .partial = summary.Has(model::kAnyInProgress),
                  .probability = probability};
  if (!summary.Has(model::kRootInProgress)) outline.response_ns = summary.response_ns;
  if (summary.status >= 0) outline.http_status = summary.status;
  if (summary.entry != 0) outline.root_service = texts.keys[summary.entry - 1].name;
  for (const std::uint32_t key : texts.sets[summary.services[0] - 1])
    outline.services.push_back(texts.keys[key].name);
  Order(outline.services);
  return outline;
}

Result<SearchResult> TraceStore::List(const query::Plan& plan, const OutlineVisitor& visitor) {
  return Search(plan, [&visitor](const Match& match) {
    return visitor(OutlineOf(match.trace, match.view.summary()));
  });
}

}  // namespace fluoro::store
