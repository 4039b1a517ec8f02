// Whole traces from head and blocks; services and operations.
#include <algorithm>
#include <set>
#include <unordered_set>

#include "base/log.h"
#include "model/assembly.h"
#include "store/embedded/store_impl.h"

namespace fluoro::store {

Result<EmbeddedStoreImpl::Fragments> EmbeddedStoreImpl::Find(const model::TraceId& id) {
  Fragments found;
  std::shared_ptr<const BlockList> list;
  {
    // One look at both: a seal moves rows from one to the other under the same lock.
    MutexLock lock(state_mutex_);
    list = blocks_;
    found.head = head_.Find(id);
  }
  if (found.head) found.start_ns = found.head->start_ns;
  for (const auto& block : *list) {
    if (!block->MayContain(id) || block->IsDeleted(id)) continue;
    FLUORO_TRY(auto table, block->Table());
    const TraceEntry* entry = table->Find(id);
    if (entry == nullptr) continue;
    found.start_ns = std::min(found.start_ns, entry->start_ns);
    found.blocks.push_back({.block = block, .table = std::move(table), .entry = entry});
  }
  return found;
}

Result<std::shared_ptr<const model::Trace>> EmbeddedStoreImpl::Load(const model::TraceId& id,
                                                                    Fragments& fragments) {
  auto trace = std::make_shared<model::Trace>();
  trace->id = id;
  trace->revision = 0;
  trace->last_arrival_ns = INT64_MIN;
  const auto room = [&](std::size_t more) {
    if (trace->spans.size() + more <= kTraceSpansMax) return true;
    trace->limit_exceeded = true;
    return false;
  };
  for (const Fragments::InBlock& part : fragments.blocks) {
    trace->revision += part.entry->appends;
    trace->last_arrival_ns = std::max(trace->last_arrival_ns, part.entry->last_arrival_ns);
    trace->limit_exceeded = trace->limit_exceeded || (part.entry->flags & kTraceLimitExceeded) != 0;
    FLUORO_TRY(const auto rows, part.block->Read(*part.table, *part.entry));
    for (const Block::Rows& run : rows) {
      model::SpanReader reader(*run.batch);
      for (std::uint32_t row = run.begin; row < run.end && room(1); ++row) {
        trace->spans.push_back(reader.Read(row));
      }
    }
  }
  if (fragments.head) {
    const TraceRows& head = *fragments.head;
    trace->revision += head.appends;
    trace->last_arrival_ns = std::max(trace->last_arrival_ns, head.last_arrival_ns);
    trace->limit_exceeded = trace->limit_exceeded || head.limit_exceeded;
    std::unordered_map<const model::SpanBatch*, model::SpanReader> readers;
    for (const RowRef& row : head.rows) {
      if (!room(1)) break;
      const auto [at, is_new] = readers.try_emplace(row.batch, *row.batch);
      trace->spans.push_back(at->second.Read(row.row));
    }
  }
  trace->revision = std::max<std::int64_t>(trace->revision, 1);
  model::Deduplicate(trace->spans);
  return trace;
}

Result<std::vector<std::shared_ptr<const model::Trace>>> EmbeddedStoreImpl::GetTraces(
    std::span<const model::TraceId> ids) {
  std::vector<std::shared_ptr<const model::Trace>> traces;
  for (const model::TraceId& id : ids) {
    FLUORO_TRY(Fragments fragments, Find(id));
    if (fragments.empty()) continue;
    FLUORO_TRY(auto trace, Load(id, fragments));
    traces.push_back(std::move(trace));
  }
  return traces;
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
