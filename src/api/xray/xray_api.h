// The X-Ray API: paths -> operations, JSON in and out, errors in X-Ray's own form.
// Source: botocore's service model xray/2016-04-12; X-Ray API reference.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "auth/caller.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "control/repository.h"
#include "cost/counters.h"
#include "ingest/pipeline.h"
#include "net/http.h"
#include "store/trace_store.h"

namespace fluoro::api::xray {

/// The key that encrypts new files, by name: what PutEncryptionConfig changes.
struct AtRestKeys {
  std::function<std::string()> used;  ///< empty: they are not encrypted
  /// Makes a key of a name that there is not. Errors: kInvalidArgument (no name of a key), those of
  /// a write.
  std::function<Result<void>(std::string_view name)> use;
};

struct Options {
  std::string account_id = "000000000000";
  std::string region = "us-east-1";
  bool aws_quotas = false;  ///< the live service's limits on windows
  /// Segment documents of PutTraceSegments; beyond, ThrottledException. 0: no limit.
  std::uint32_t segments_per_second = 0;
  cost::Counters* counters = nullptr;  ///< of what is read; null: nobody counts. Outlives the API
  AtRestKeys at_rest = {};
};

/// Thread-safe.
class XRayApi {
 public:
  XRayApi(store::TraceStore& store, ingest::Pipeline& pipeline, control::Repository& control,
          const Clock& clock, Metrics& metrics, const Options& options);
  ~XRayApi();
  /// True if the path is one of X-Ray's operations.
  [[nodiscard]] static bool HasPath(std::string_view path);
  /// `caller` must be allowed the operation, else AccessDeniedException.
  net::HttpResponse Handle(const net::HttpRequest& request, const auth::Caller& caller);
  /// {"__type","Message"} with x-amzn-ErrorType and x-amzn-RequestId: also for what the listener
  /// refuses itself.
  static net::HttpResponse ErrorAnswer(int status, std::string_view type, std::string_view message);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fluoro::api::xray
