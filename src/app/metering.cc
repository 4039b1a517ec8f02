#include "app/metering.h"

#include <condition_variable>
#include <mutex>
#include <utility>

#include "base/log.h"
#include "base/thread_name.h"

namespace fluoro::app {
namespace {

constexpr std::chrono::seconds kStepEvery{10};

}  // namespace

Metering::Metering(cost::CostMeter& meter, ingest::Pipeline& pipeline)
    : meter_(meter), pipeline_(pipeline) {
  thread_ = std::jthread([this](const std::stop_token& stop) {
    NameThread("cost");
    std::mutex mutex;
    std::condition_variable_any stopping;
    std::unique_lock lock(mutex);
    while (!stopping.wait_for(lock, stop, kStepEvery, [&] { return stop.stop_requested(); })) {
      CountBytesIn();
      meter_.Step(stop);
    }
  });
}

Metering::~Metering() {
  thread_.request_stop();
  thread_.join();
  CountBytesIn();
  log::WarnIfFailed("cost: saving usage", meter_.Close());
}

void Metering::CountBytesIn() {
  const std::uint64_t bytes = pipeline_.bytes_in();
  meter_.counters().BytesIn(bytes - std::exchange(bytes_in_seen_, bytes));
}

}  // namespace fluoro::app
