// What operations work with.
#pragma once

#include <functional>
#include <optional>

#include "api/xray/errors.h"
#include "api/xray/page_cache.h"
#include "api/xray/request.h"
#include "api/xray/sampling.h"
#include "api/xray/throttle.h"
#include "api/xray/xray_api.h"
#include "base/clock.h"
#include "base/rng.h"
#include "query/filter.h"

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
  Throttle segments{0};
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

// Insights.
ApiResult<Answer> GetInsightSummaries(Context& context, const Request& request);
ApiResult<Answer> GetInsight(Context& context, const Request& request);
ApiResult<Answer> GetInsightEvents(Context& context, const Request& request);
ApiResult<Answer> GetInsightImpactGraph(Context& context, const Request& request);

// Tags.
ApiResult<Answer> TagResource(Context& context, const Request& request);
ApiResult<Answer> UntagResource(Context& context, const Request& request);
ApiResult<Answer> ListTagsForResource(Context& context, const Request& request);

// Settings.
ApiResult<Answer> GetEncryptionConfig(Context& context, const Request& request);
ApiResult<Answer> PutEncryptionConfig(Context& context, const Request& request);
ApiResult<Answer> GetIndexingRules(Context& context, const Request& request);
ApiResult<Answer> UpdateIndexingRule(Context& context, const Request& request);
ApiResult<Answer> GetTraceSegmentDestination(Context& context, const Request& request);
ApiResult<Answer> UpdateTraceSegmentDestination(Context& context, const Request& request);

// Resource policies.
ApiResult<Answer> PutResourcePolicy(Context& context, const Request& request);
ApiResult<Answer> ListResourcePolicies(Context& context, const Request& request);
ApiResult<Answer> DeleteResourcePolicy(Context& context, const Request& request);

// Trace retrieval.
ApiResult<Answer> StartTraceRetrieval(Context& context, const Request& request);
ApiResult<Answer> ListRetrievedTraces(Context& context, const Request& request);
ApiResult<Answer> GetRetrievedTracesGraph(Context& context, const Request& request);
ApiResult<Answer> CancelTraceRetrieval(Context& context, const Request& request);

/// StartTime and EndTime of a request. Errors: InvalidRequestException unless EndTime is later, or
/// where the window is longer than `hours_max` and quotas are on.
struct Window {
  std::int64_t from_ns = 0;
  std::int64_t until_ns = 0;
};
ApiResult<Window> WindowOf(const Context& context, const MembersView& members, int hours_max);

/// The traces of the group that GroupName or GroupARN names; nullopt: all. Errors:
/// InvalidRequestException "Group not found", also where the two name different ones.
ApiResult<std::optional<query::Filter>> GroupFilter(Context& context, const MembersView& members);

/// With the groups that there are now.
Result<query::Filter> ParseFilter(Context& context, std::string_view text);

/// Visits the traces of a group that were active in the window, each with its weight (1 / kept
/// probability).
Result<store::SearchResult> VisitGroup(
    Context& context, const query::Filter& filter, const Window& window, std::int64_t deadline_ns,
    const std::function<void(const model::AssembledTrace& trace, double weight)>& visit);

/// Distinct trace ids of a request in their order; texts that are no ids apart.
struct TraceIds {
  std::vector<model::TraceId> ids;
  std::vector<std::string> malformed;
};
TraceIds TraceIdsOf(const MembersView& members);

/// Counts a trace whose body was returned to its end.
void CountRetrieved(const Context& context, const model::AssembledTrace& trace);

/// How long a query may take before it answers with what it has.
inline constexpr std::int64_t kQueryDeadlineNs = 30 * kNsPerSecond;
/// Adds headers where the search could not see everything: `x-fluoro-scanned-share` (0..1 of the
/// candidates, where it stopped early), `x-fluoro-cut-traces` (traces judged by their first part),
/// `x-fluoro-damaged-blocks` (blocks that could not be read).
void TellWhatIsMissing(const store::SearchResult& found, Answer& answer);
void TellWhatIsMissing(const store::GraphResult& found, Answer& answer);

}  // namespace fluoro::api::xray
