#include "api/xray/xray_api.h"

#include <array>
#include <utility>

#include "api/xray/access.h"
#include "api/xray/context.h"
#include "api/xray/shape.h"
#include "base/json.h"

namespace fluoro::api::xray {
namespace {

using Handler = ApiResult<Answer> (*)(Context&, const Request&);

Handler HandlerOf(std::string_view operation) {
  static constexpr auto kHandlers = std::to_array<std::pair<std::string_view, Handler>>({
      {"BatchGetTraces", BatchGetTraces},
      {"CancelTraceRetrieval", CancelTraceRetrieval},
      {"CreateGroup", CreateGroup},
      {"CreateSamplingRule", CreateSamplingRule},
      {"DeleteGroup", DeleteGroup},
      {"DeleteResourcePolicy", DeleteResourcePolicy},
      {"DeleteSamplingRule", DeleteSamplingRule},
      {"GetEncryptionConfig", GetEncryptionConfig},
      {"GetGroup", GetGroup},
      {"GetGroups", GetGroups},
      {"GetIndexingRules", GetIndexingRules},
      {"GetRetrievedTracesGraph", GetRetrievedTracesGraph},
      {"GetInsight", GetInsight},
      {"GetInsightEvents", GetInsightEvents},
      {"GetInsightImpactGraph", GetInsightImpactGraph},
      {"GetInsightSummaries", GetInsightSummaries},
      {"GetSamplingRules", GetSamplingRules},
      {"GetSamplingStatisticSummaries", GetSamplingStatisticSummaries},
      {"GetSamplingTargets", GetSamplingTargets},
      {"GetServiceGraph", GetServiceGraph},
      {"GetTimeSeriesServiceStatistics", GetTimeSeriesServiceStatistics},
      {"GetTraceGraph", GetTraceGraph},
      {"GetTraceSegmentDestination", GetTraceSegmentDestination},
      {"GetTraceSummaries", GetTraceSummaries},
      {"ListResourcePolicies", ListResourcePolicies},
      {"ListRetrievedTraces", ListRetrievedTraces},
      {"ListTagsForResource", ListTagsForResource},
      {"PutEncryptionConfig", PutEncryptionConfig},
      {"PutResourcePolicy", PutResourcePolicy},
      {"PutTelemetryRecords", PutTelemetryRecords},
      {"PutTraceSegments", PutTraceSegments},
      {"StartTraceRetrieval", StartTraceRetrieval},
      {"TagResource", TagResource},
      {"UntagResource", UntagResource},
      {"UpdateGroup", UpdateGroup},
      {"UpdateIndexingRule", UpdateIndexingRule},
      {"UpdateSamplingRule", UpdateSamplingRule},
      {"UpdateTraceSegmentDestination", UpdateTraceSegmentDestination},
  });
  for (const auto& [name, handler] : kHandlers) {
    if (name == operation) return handler;
  }
  return nullptr;
}

net::HttpResponse Respond(int status, std::string body, net::Headers headers) {
  headers["content-type"] = "application/json";
  headers["x-amzn-requestid"] = NewRequestId();
  net::HttpResponse response;
  response.status = status;
  response.headers = std::move(headers);
  response.body = std::move(body);
  return response;
}

net::HttpResponse ErrorAnswer(const ApiError& error) {
  JsonWriter out;
  out.BeginObject().Key("__type").String(error.type).Key("Message").String(error.message);
  if (!error.resource_name.empty()) out.Key("ResourceName").String(error.resource_name);
  out.EndObject();
  return Respond(error.status, out.Take(), {{"x-amzn-errortype", error.type}});
}

ApiResult<Answer> Run(Context& context, const net::HttpRequest& request, const Operation* operation,
                      const auth::Caller& caller) {
  const Handler handler = operation == nullptr ? nullptr : HandlerOf(operation->name);
  if (handler == nullptr || operation->input == nullptr || request.method != "POST") {
    return std::unexpected(ApiError{
        .status = 404, .type = "UnknownOperationException", .message = "Unknown operation"});
  }
  auto parsed = Request::Parse(request.body, *operation->input);
  if (!parsed) return std::unexpected(std::move(parsed).error());
  if (auto allowed = CheckAccess(caller, *operation, parsed->members(), *context.control.Read(),
                                 context.place);
      !allowed)
    return std::unexpected(std::move(allowed).error());
  parsed->principal = caller.arn();
  return handler(context, *parsed);
}

}  // namespace

struct XRayApi::Impl {
  Impl(store::TraceStore& store, ingest::Pipeline& pipeline, control::Repository& control,
       const Clock& clock, Metrics& metrics, const Options& options)
      : context{.store = store,
                .pipeline = pipeline,
                .control = control,
                .clock = clock,
                .metrics = metrics,
                .options = options,
                .place = {.account_id = options.account_id, .region = options.region},
                .sampling = SamplingService(
                    control, {.account_id = options.account_id, .region = options.region}, metrics),
                .segments = Throttle(options.segments_per_second)} {}
  Context context;
};

XRayApi::XRayApi(store::TraceStore& store, ingest::Pipeline& pipeline, control::Repository& control,
                 const Clock& clock, Metrics& metrics, const Options& options)
    : impl_(std::make_unique<Impl>(store, pipeline, control, clock, metrics, options)) {}

XRayApi::~XRayApi() = default;

bool XRayApi::HasPath(std::string_view path) { return FindOperation(path) != nullptr; }

net::HttpResponse XRayApi::Handle(const net::HttpRequest& request, const auth::Caller& caller) {
  const Operation* operation = FindOperation(request.path);
  ApiResult<Answer> answer = Run(impl_->context, request, operation, caller);
  const int status = answer ? 200 : answer.error().status;
  impl_->context.metrics
      .GetCounter("fluoro_xray_api_requests_total", "X-Ray API requests by operation and status",
                  {{"operation", operation == nullptr ? "unknown" : std::string(operation->name)},
                   {"status", std::to_string(status)}})
      .Add();
  if (!answer) return xray::ErrorAnswer(answer.error());
  return Respond(status, std::move(answer->body), std::move(answer->headers));
}

net::HttpResponse XRayApi::ErrorAnswer(int status, std::string_view type,
                                       std::string_view message) {
  return xray::ErrorAnswer(
      {.status = status, .type = std::string(type), .message = std::string(message)});
}

}  // namespace fluoro::api::xray
