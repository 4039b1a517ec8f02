// The thread that runs the meter (cost/meter.h), and brings it what ingest counts.
#pragma once

#include <cstdint>
#include <thread>

#include "cost/meter.h"
#include "ingest/pipeline.h"

namespace fluoro::app {

/// Steps every ten seconds while it lives; saves what was counted when it ends.
class Metering {
 public:
  Metering(cost::CostMeter& meter, ingest::Pipeline& pipeline);
  ~Metering();
  Metering(const Metering&) = delete;
  Metering& operator=(const Metering&) = delete;

 private:
  void CountBytesIn();

  cost::CostMeter& meter_;
  ingest::Pipeline& pipeline_;
  std::uint64_t bytes_in_seen_ = 0;
  std::jthread thread_;
};

}  // namespace fluoro::app
