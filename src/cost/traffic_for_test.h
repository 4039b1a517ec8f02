// For tests: a store and a repository in memory, and requests with a tenant and a rule.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "analysis/usage.h"
#include "base/clock.h"
#include "base/faulty_fs.h"
#include "base/metrics.h"
#include "control/repository.h"
#include "model/testing.h"
#include "store/embedded/embedded_store.h"
#include "store/testing.h"

namespace fluoro::cost::testing {

inline double Units(const analysis::Amounts& amounts, analysis::Meter meter) {
  return amounts.at(static_cast<std::size_t>(meter));
}

struct RequestForTest {
  std::string service;
  std::string tenant = {};
  std::string rule = {};
  bool is_child = false;
  std::int64_t ago_ns = 0;  ///< it started
};

struct TrafficFolder {
  explicit TrafficFolder(const Clock& now, std::int64_t live_window_ns = 3'600 * kNsPerSecond)
      : clock(now) {
    store::EmbeddedOptions options;
    options.folder = "data";
    options.background_thread = false;
    options.wal_allocate_bytes = 4'096;
    options.live_window_ns = live_window_ns;
    store = *store::OpenEmbeddedStore(fs, clock, metrics, options);
    control = *control::Repository::Open(":memory:", clock);
  }
  /// One span of the trace, that starts now.
  void Put(std::uint64_t trace, const RequestForTest& request) {
    model::testing::SpanBuilder span(++number, "request");
    span.InTrace(store::testing::MakeTraceId(trace))
        .Kind(model::SpanKind::kServer)
        .Service(request.service)
        .BetweenNs(clock.UnixNs() - request.ago_ns, clock.UnixNs() - request.ago_ns + 1'000'000);
    if (request.is_child) span.Parent(1);
    if (!request.tenant.empty()) span.Annotate("tenant", request.tenant);
    if (!request.rule.empty()) span.Set("aws.xray.sampling_rule", request.rule);
    model::SpanBatch batch;
    batch.AppendSpan(span.Build());
    ASSERT_TRUE(store->Append(std::move(batch), store::Durability::kSynced));
  }

  const Clock& clock;
  FaultyFs fs;
  Metrics metrics;
  std::unique_ptr<store::EmbeddedStore> store;
  std::unique_ptr<control::Repository> control;
  std::uint64_t number = 0;
};

}  // namespace fluoro::cost::testing
