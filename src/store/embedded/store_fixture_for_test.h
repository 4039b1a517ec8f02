// For tests: an embedded store on a disk in memory, that does by itself only what a call asks for.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/faulty_fs.h"
#include "base/metrics.h"
#include "base/rng.h"
#include "store/embedded/embedded_store.h"
#include "store/testing.h"

namespace fluoro::store::testing {

class StoreFixture : public ::testing::Test {
 protected:
  StoreFixture(std::int64_t now_ns, std::uint64_t seed) : clock_(now_ns), rng_(seed) {
    options_.folder = "data";
    options_.background_thread = false;
    options_.wal_allocate_bytes = 4'096;
  }
  std::unique_ptr<EmbeddedStore> OpenStore() {
    auto opened = OpenEmbeddedStore(fs_, clock_, metrics_, options_);
    EXPECT_TRUE(opened) << opened.error().message;
    return opened ? *std::move(opened) : nullptr;
  }
  /// Into `store_`; the one that is there ends first.
  void Open() {
    store_.reset();
    store_ = OpenStore();
    ASSERT_NE(store_, nullptr);
  }
  /// Random spans of one trace, each with a span id of its own.
  std::vector<model::Span> RandomSpans(const model::TraceId& trace, std::size_t count) {
    std::vector<model::Span> spans;
    for (; count > 0; --count) spans.push_back(RandomSpan(rng_, trace, ++number_));
    return spans;
  }

  FaultyFs fs_;
  ManualClock clock_;
  Metrics metrics_;
  EmbeddedOptions options_;
  Rng rng_;
  std::uint64_t number_ = 0;  ///< of the last span
  std::unique_ptr<EmbeddedStore> store_;
};

}  // namespace fluoro::store::testing
