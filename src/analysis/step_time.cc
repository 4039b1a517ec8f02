#include "analysis/step_time.h"

#include <numeric>

#include "genai/classify.h"

namespace fluoro::analysis {
namespace {

using genai::StepKind;

// The first request that a service of the trace served, although whoever sent it named a parent
// that sent nothing here; -1: none.
std::int32_t EntryOf(const model::AssembledTrace& trace) {
  for (std::size_t i = 0; i < trace.entities.size(); ++i) {
    const model::Entity& entity = trace.entities[i];
    if (entity.span == nullptr || entity.synthetic || entity.role == model::EntityRole::kInferred) {
      continue;
    }
    if (entity.span->kind == model::SpanKind::kServer) return static_cast<std::int32_t>(i);
  }
  return -1;
}

}  // namespace

bool IsTransport(StepKind kind) {
  return kind == StepKind::kHttp || kind == StepKind::kDb || kind == StepKind::kCache;
}

bool IsCall(StepKind kind) {
  switch (kind) {
    case StepKind::kLlm:
    case StepKind::kEmbedding:
    case StepKind::kReranker:
    case StepKind::kRetriever:
    case StepKind::kTool:
    case StepKind::kGuardrail:
      return true;
    default:
      return false;
  }
}

std::vector<StepKind> StepKinds(const model::AssembledTrace& trace) {
  std::vector<StepKind> kinds;
  kinds.reserve(trace.entities.size());
  for (const auto& entity : trace.entities) {
    kinds.push_back(entity.span != nullptr ? genai::ClassifyStep(*entity.span) : StepKind::kChain);
  }
  if (const std::int32_t entry = EntryOf(trace); entry >= 0) {
    const auto step = genai::Classify(*trace.entities[static_cast<std::size_t>(entry)].span);
    if (step == genai::StepClass{StepKind::kHttp, "rpc"}) {
      kinds[static_cast<std::size_t>(entry)] = StepKind::kGateway;
    }
  }
  return kinds;
}

std::vector<std::int32_t> Owners(const model::AssembledTrace& trace,
                                 const std::vector<StepKind>& kinds) {
  // Owner of what hangs below each entity: -1 where no ancestor gives one. Filled from the roots
  // down, without recursion.
  const std::size_t count = trace.entities.size();
  std::vector<std::int32_t> owners(count);
  std::iota(owners.begin(), owners.end(), 0);
  std::vector<std::int32_t> giver(count, -1);
  std::vector<bool> visited(count, false);
  std::vector<std::int32_t> stack;
  for (std::size_t start = 0; start < count; ++start) {
    if (trace.entities[start].parent >= 0) continue;
    stack.push_back(static_cast<std::int32_t>(start));
    while (!stack.empty()) {
      const auto index = static_cast<std::size_t>(stack.back());
      stack.pop_back();
      if (visited[index]) continue;
      visited[index] = true;
      const std::int32_t parent = trace.entities[index].parent;
      const std::int32_t above = parent < 0 ? -1 : giver[static_cast<std::size_t>(parent)];
      if (IsTransport(kinds[index]) && above >= 0) owners[index] = above;
      giver[index] = IsCall(kinds[index]) ? static_cast<std::int32_t>(index) : above;
      for (const std::int32_t child : trace.entities[index].children) stack.push_back(child);
    }
  }
  return owners;
}

std::vector<StepKind> OwnerKinds(const model::AssembledTrace& trace,
                                 const std::vector<StepKind>& kinds) {
  std::vector<StepKind> owners;
  owners.reserve(kinds.size());
  for (const std::int32_t owner : Owners(trace, kinds))
    owners.push_back(kinds[static_cast<std::size_t>(owner)]);
  return owners;
}

}  // namespace fluoro::analysis
