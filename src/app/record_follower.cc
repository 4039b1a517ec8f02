#include "app/record_follower.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>

#include "base/log.h"
#include "base/thread_name.h"
#include "control/attribute_settings.h"
#include "control/redaction_rules.h"
#include "control/tail_policies.h"
#include "store/attribute_census.h"

namespace fluoro::app {
namespace {

constexpr std::chrono::seconds kLookEvery{1};

}  // namespace

RecordFollower::RecordFollower(control::Repository& control, store::EmbeddedStore& store,
                               ingest::Pipeline& pipeline)
    : control_(control), store_(store), pipeline_(pipeline) {
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
  FollowTailPolicies(*snapshot);
  FollowRedactionRules(*snapshot);
  if (auto* census = store::AttributeCensus::Of(store_))
    census->SetAttributeSettings(control::ReadAttributeSettings(*snapshot));
}

void RecordFollower::FollowRedactionRules(const control::Snapshot& snapshot) {
  const auto policy = pipeline_.redaction();
  if (!policy) return;
  std::vector<redact::Rule> rules = control::ReadRedactionRules(snapshot);
  if (rules == seen_rules_) return;
  auto next = policy->WithRules(rules);
  if (!next) {
    log::Error("redaction rules cannot be used; the ones before stay",
               {{"error", next.error().message}});
  } else {
    log::Info("redaction rules", {{"rules", std::to_string(rules.size())}});
    pipeline_.SetRedaction(*std::move(next));
  }
  seen_rules_ = std::move(rules);
}

void RecordFollower::FollowTailPolicies(const control::Snapshot& snapshot) {
  const control::Record* record =
      snapshot.Find(control::kTailPoliciesKind, control::kTailPoliciesName);
  const std::int64_t revision = record == nullptr ? 0 : record->revision;
  if (revision == seen_revision_) return;
  seen_revision_ = revision;
  sampling::TailPolicies policies = control::ReadTailPolicies(snapshot);
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
