// A store that keeps the batches it is given, or fails as told. For tests.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "store/trace_store.h"

namespace fluoro::ingest {

class RecordingStore final : public store::TraceStore {
 public:
  struct Batch {
    model::SpanBatch spans;
    store::Durability durability;
  };

  Result<void> Append(model::SpanBatch batch, store::Durability durability) override {
    if (before_append) before_append();
    MutexLock lock(mutex_);
    if (failure) return std::unexpected(*failure);
    batches_.push_back({std::move(batch), durability});
    return {};
  }
  Result<std::shared_ptr<const model::Trace>> ReadTrace(const model::TraceId&,
                                                        std::uint64_t) override {
    return nullptr;
  }
  Result<std::vector<bool>> Exist(std::span<const model::TraceId> ids) override {
    return std::vector<bool>(ids.size());
  }
  Result<store::SearchResult> Search(const query::Plan&, const store::Visitor&) override {
    return store::SearchResult{};
  }
  Result<store::CallsResult> Calls(const store::CallsPlan&) override {
    return store::CallsResult{};
  }
  Result<store::GraphResult> Graph(const store::GraphPlan&) override {
    return store::GraphResult{};
  }
  Result<void> VisitDropped(std::int64_t, std::int64_t,
                            const std::function<bool(const store::DroppedTrace&)>&) override {
    return {};
  }
  Result<std::vector<std::string>> Services(std::size_t) override { return {}; }
  Result<std::vector<Operation>> Operations(std::string_view, std::size_t) override { return {}; }
  Result<std::uint64_t> Delete(std::span<const model::TraceId>) override { return 0; }
  Result<void> DropBefore(std::int64_t) override { return {}; }
  store::Usage GetUsage() override { return {}; }
  void SetCommitListener(CommitListener) override {}
  Result<void> Close() override { return {}; }

  std::vector<Batch> Take() {
    MutexLock lock(mutex_);
    return std::exchange(batches_, {});
  }
  std::size_t SpansCount() {
    MutexLock lock(mutex_);
    std::size_t count = 0;
    for (const Batch& batch : batches_) count += batch.spans.size();
    return count;
  }

  // Set before the store is shared between threads.
  std::function<void()> before_append;
  std::optional<Error> failure;

 private:
  Mutex mutex_;
  std::vector<Batch> batches_ FLUORO_GUARDED_BY(mutex_);
};

}  // namespace fluoro::ingest
