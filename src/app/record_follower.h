// Takes over what changes in the records of the control plane, whoever changed them: this process,
// or a command beside it.
#pragma once

#include <cstdint>
#include <thread>

#include "control/repository.h"
#include "store/embedded/embedded_store.h"

namespace fluoro::app {

/// While it lives, the store judges by the tail policies that are recorded: at once for those that
/// stand when it is made, within a second for later ones. Both must outlive it.
class RecordFollower {
 public:
  RecordFollower(control::Repository& control, store::EmbeddedStore& store);

 private:
  void Follow();

  control::Repository& control_;
  store::EmbeddedStore& store_;
  std::int64_t seen_revision_ = 0;  ///< of the tail policies
  std::jthread thread_;
};

}  // namespace fluoro::app
