// Takes over what changes in the records of the control plane, whoever changed them: this process,
// or a command beside it.
#pragma once

#include <cstdint>
#include <thread>
#include <vector>

#include "control/repository.h"
#include "ingest/pipeline.h"
#include "redact/rule.h"
#include "store/embedded/embedded_store.h"

namespace fluoro::app {

/// While it lives, the store judges by the tail policies and indexes attributes by the settings
/// that are recorded, and the pipeline redacts by the rules that are recorded: at once for those
/// that stand when it is made, within a second for later ones. All three must outlive it.
class RecordFollower {
 public:
  RecordFollower(control::Repository& control, store::EmbeddedStore& store,
                 ingest::Pipeline& pipeline);

 private:
  void Follow();
  void FollowTailPolicies(const control::Snapshot& snapshot);
  void FollowRedactionRules(const control::Snapshot& snapshot);

  control::Repository& control_;
  store::EmbeddedStore& store_;
  ingest::Pipeline& pipeline_;
  std::int64_t seen_revision_ = 0;  ///< of the tail policies
  std::vector<redact::Rule> seen_rules_;
  std::jthread thread_;
};

}  // namespace fluoro::app
