// Whole traces from head and blocks; services and operations.
#include <algorithm>
#include <set>
#include <unordered_set>

#include "base/log.h"
#include "store/embedded/store_impl.h"

namespace fluoro::store {

Result<Fragments> EmbeddedStoreImpl::Find(const model::TraceId& id) {
  Fragments found;
  std::shared_ptr<const BlockList> list;
  {
    // One look at both: a seal moves rows from one to the other under the same lock.
    MutexLock lock(state_mutex_);
    list = blocks_;
    found.head = head_.Find(id);
  }
  FLUORO_TRY(Fragments in_blocks, FindIn(*list, id, Tables::kIfAtHand));
  found.blocks = std::move(in_blocks.blocks);
  found.start_ns = in_blocks.start_ns;
  if (found.head) found.start_ns = std::min(found.start_ns, found.head->start_ns);
  return found;
}

Result<Fragments> EmbeddedStoreImpl::FindIn(const BlockList& list, const model::TraceId& id,
                                            Tables tables) {
  Fragments found;
  const std::uint64_t hash = TraceFilter::Hash(id);
  for (const auto& block : list) {
    if (!block->MayContain(id, hash) || block->IsDeleted(id)) continue;
    FLUORO_TRY(Block::FoundTrace in_block, block->Find(id));
    if (tables == Tables::kRead && in_block.table == nullptr && !in_block.parts.empty()) {
      FLUORO_TRY(in_block.table, block->Table());
    }
    // Parts that a merge left apart: of those sealed together, in order of rows.
    std::ranges::sort(in_block.parts, {}, [](const TraceEntry& part) {
      return std::pair(part.sealed_lsn, part.first_row);
    });
    for (const TraceEntry& part : in_block.parts) {
      found.start_ns = std::min(found.start_ns, part.start_ns);
      found.blocks.push_back(
          {.block = block, .entry = part, .table = in_block.table, .reasons = in_block.reasons});
    }
  }
  return found;
}

Result<std::shared_ptr<const model::Trace>> EmbeddedStoreImpl::ReadTrace(const model::TraceId& id,
                                                                         std::uint64_t first_span) {
  FLUORO_TRY(const Fragments fragments, Find(id));
  if (fragments.empty()) return nullptr;
  return ReadTracePart(id, fragments, first_span, read_budget_);
}

Result<std::vector<bool>> EmbeddedStoreImpl::Exist(std::span<const model::TraceId> ids) {
  std::vector<bool> exist;
  exist.reserve(ids.size());
  for (const model::TraceId& id : ids) {
    FLUORO_TRY(const Fragments fragments, Find(id));
    exist.push_back(!fragments.empty());
  }
  return exist;
}

Result<std::vector<std::string>> EmbeddedStoreImpl::Services(std::size_t limit) {
  std::set<std::string, std::less<>> names;
  std::vector<std::shared_ptr<const model::SpanBatch>> batches;
  {
    MutexLock lock(state_mutex_);
    batches = head_.Batches();
  }
  for (const auto& batch : batches) {
    for (const model::ResourceRow& row : batch->resource_rows)
      names.emplace(batch->Text(row.service));
  }
  for (const auto& block : *blocks()) {
    const auto operations = block->Services();
    if (!operations) {
      log::Warn("store: a block's services cannot be read", {{"why", operations.error().message}});
      continue;
    }
    for (const auto& [service, unused] : **operations) names.insert(service);
  }
  names.erase("");
  std::vector<std::string> out(names.begin(), names.end());
  if (out.size() > limit) out.resize(limit);
  return out;
}

Result<std::vector<TraceStore::Operation>> EmbeddedStoreImpl::Operations(std::string_view service,
                                                                         std::size_t limit) {
  std::set<Operation> found;
  std::vector<std::shared_ptr<const model::SpanBatch>> batches;
  {
    MutexLock lock(state_mutex_);
    batches = head_.Batches();
  }
  std::unordered_set<std::string_view> seen[6];
  for (const auto& batch : batches) {
    for (std::size_t i = 0; i < batch->size(); ++i) {
      if (batch->Text(batch->resource_rows[batch->resources[i]].service) != service) continue;
      const model::SpanKind kind = batch->kinds[i];
      const std::string_view name = batch->Text(batch->names[i]);
      if (!seen[static_cast<std::size_t>(kind)].insert(name).second) continue;
      found.insert({.name = std::string(name), .kind = kind});
    }
  }
  for (const auto& block : *blocks()) {
    const auto operations = block->Services();
    if (!operations) {
      log::Warn("store: a block's services cannot be read", {{"why", operations.error().message}});
      continue;
    }
    if (const auto at = (*operations)->find(service); at != (*operations)->end()) {
      found.insert(at->second.begin(), at->second.end());
    }
  }
  std::vector<Operation> out(found.begin(), found.end());
  if (out.size() > limit) out.resize(limit);
  return out;
}

}  // namespace fluoro::store
