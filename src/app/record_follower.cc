#include "app/record_follower.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>

#include "base/log.h"
#include "base/thread_name.h"
#include "control/tail_policies.h"

namespace fluoro::app {
namespace {

constexpr std::chrono::seconds kLookEvery{1};

}  // namespace

RecordFollower::RecordFollower(control::Repository& control, store::EmbeddedStore& store)
    : control_(control), store_(store) {
  Follow();
  thread_ = std::jthread([this](const std::stop_token& stop) {
    NameThread("records");
    std::mutex mutex;
    std::condition_variable_any stopping;
    std::unique_lock lock(mutex);
    while (!stopping.wait_for(lock, stop, kLookEvery, [&] { return stop.stop_requested(); }))
      Follow();
  });
}

void RecordFollower::Follow() {
  const auto snapshot = control_.Read();
  const control::Record* record =
      snapshot->Find(control::kTailPoliciesKind, control::kTailPoliciesName);
  const std::int64_t revision = record == nullptr ? 0 : record->revision;
  if (revision == seen_revision_) return;
  seen_revision_ = revision;
  sampling::TailPolicies policies = control::ReadTailPolicies(*snapshot);
  log::Info("tail policies", {{"policies", std::to_string(policies.policies.size())},
                              {"by", record == nullptr ? "" : record->modified_by}});
  if (policies.empty()) return store_.SetTailPolicies(nullptr);
  auto filters = query::TailFilters::Compile(std::move(policies));
  if (!filters) {
    log::Error("tail policies cannot be used; the ones before stay",
               {{"error", filters.error().message}});
    return;
  }
  store_.SetTailPolicies(std::make_shared<const query::TailFilters>(*std::move(filters)));
}

}  // namespace fluoro::app
