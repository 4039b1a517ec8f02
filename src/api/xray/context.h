// What operations work with.
#pragma once

#include "api/xray/errors.h"
#include "api/xray/page_cache.h"
#include "api/xray/request.h"
#include "api/xray/sampling.h"
#include "api/xray/xray_api.h"
#include "base/clock.h"
#include "base/rng.h"

namespace fluoro::api::xray {

struct Context {
  store::TraceStore& store;
  ingest::Pipeline& pipeline;
  control::Repository& control;
  const Clock& clock;
  Metrics& metrics;
  Options options;
  control::Place place;
  SamplingService sampling;
  PageCache pages{RandomSeed()};
};

// Reading traces.
ApiResult<Answer> BatchGetTraces(Context& context, const Request& request);
ApiResult<Answer> GetTraceSummaries(Context& context, const Request& request);
ApiResult<Answer> GetServiceGraph(Context& context, const Request& request);
ApiResult<Answer> GetTraceGraph(Context& context, const Request& request);
ApiResult<Answer> GetTimeSeriesServiceStatistics(Context& context, const Request& request);

// Taking them in.
ApiResult<Answer> PutTraceSegments(Context& context, const Request& request);
ApiResult<Answer> PutTelemetryRecords(Context& context, const Request& request);

// Central sampling.
ApiResult<Answer> GetSamplingRules(Context& context, const Request& request);
ApiResult<Answer> GetSamplingTargets(Context& context, const Request& request);
ApiResult<Answer> GetSamplingStatisticSummaries(Context& context, const Request& request);

ApiResult<Answer> CreateSamplingRule(Context& context, const Request& request);
ApiResult<Answer> UpdateSamplingRule(Context& context, const Request& request);
ApiResult<Answer> DeleteSamplingRule(Context& context, const Request& request);

// Groups.
ApiResult<Answer> CreateGroup(Context& context, const Request& request);
ApiResult<Answer> GetGroup(Context& context, const Request& request);
ApiResult<Answer> GetGroups(Context& context, const Request& request);
ApiResult<Answer> UpdateGroup(Context& context, const Request& request);
ApiResult<Answer> DeleteGroup(Context& context, const Request& request);

// Tags.
ApiResult<Answer> TagResource(Context& context, const Request& request);
ApiResult<Answer> UntagResource(Context& context, const Request& request);
ApiResult<Answer> ListTagsForResource(Context& context, const Request& request);

/// StartTime and EndTime of a request. Errors: InvalidRequestException unless EndTime is later, or
/// where the window is longer than `hours_max` and quotas are on.
struct Window {
  std::int64_t from_ns = 0;
  std::int64_t until_ns = 0;
};
ApiResult<Window> WindowOf(const Context& context, const MembersView& members, int hours_max);

/// GroupName and GroupARN. Only `Default`, which is everything, exists. Errors:
/// InvalidRequestException "Group not found".
ApiResult<void> CheckGroup(const Context& context, const MembersView& members);

/// Distinct trace ids of a request in their order; texts that are no ids apart.
struct TraceIds {
  std::vector<model::TraceId> ids;
  std::vector<std::string> malformed;
};
TraceIds TraceIdsOf(const MembersView& members);

/// How long a query may take before it answers with what it has.
inline constexpr std::int64_t kQueryDeadlineNs = 30 * kNsPerSecond;
/// Adds headers where the search could not see everything: `x-fluoro-scanned-share` (0..1 of the
/// candidates, where it stopped early), `x-fluoro-cut-traces` (traces judged by their first part),
/// `x-fluoro-damaged-blocks` (blocks that could not be read).
void TellWhatIsMissing(const store::SearchResult& found, Answer& answer);
void TellWhatIsMissing(const store::GraphResult& found, Answer& answer);

}  // namespace fluoro::api::xray
