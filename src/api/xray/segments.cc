// PutTraceSegments and PutTelemetryRecords.
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "api/xray/context.h"
#include "base/json.h"

namespace fluoro::api::xray {

ApiResult<Answer> PutTraceSegments(Context& context, const Request& request) {
  const std::vector<std::string_view> documents = request.members().Texts("TraceSegmentDocuments");
  if (!context.segments.Take(documents.size(), context.clock.MonotonicNs())) {
    context.metrics
        .GetCounter("fluoro_xray_throttled_segments_total",
                    "Segment documents beyond --segments-per-second")
        .Add(static_cast<double>(documents.size()));
    return std::unexpected(
        ApiError{.status = 429, .type = "ThrottledException", .message = "Rate exceeded"});
  }
  FLUORO_API_TRY(const auto unprocessed, context.pipeline.PutSegments(documents));
  JsonWriter out;
  out.BeginObject().Key("UnprocessedTraceSegments").BeginArray();
  for (const auto& entry : unprocessed) {
    out.BeginObject();
    if (entry.id) out.Key("Id").String(*entry.id);
    out.Key("ErrorCode").String(entry.error_code).Key("Message").String(entry.message).EndObject();
  }
  out.EndArray().EndObject();
  return Answer{.body = out.Take()};
}

ApiResult<Answer> PutTelemetryRecords(Context& context, const Request& request) {
  const auto count = [&](const char* name, const char* help, const char* label, const char* value,
                         const MembersView& from, const char* member) {
    const std::int64_t number = from.Int(member).value_or(0);
    if (number > 0)
      context.metrics.GetCounter(name, help, {{label, value}}).Add(static_cast<double>(number));
  };
  constexpr const char* kSegments = "fluoro_daemon_segments_total";
  constexpr const char* kSegmentsHelp =
      "Segments that X-Ray daemons say they handled (PutTelemetryRecords)";
  constexpr const char* kErrors = "fluoro_daemon_connection_errors_total";
  constexpr const char* kErrorsHelp =
      "Connection errors that X-Ray daemons report (PutTelemetryRecords)";
  for (const MembersView& record : request.members().Structures("TelemetryRecords")) {
    count(kSegments, kSegmentsHelp, "outcome", "received", record, "SegmentsReceivedCount");
    count(kSegments, kSegmentsHelp, "outcome", "sent", record, "SegmentsSentCount");
    count(kSegments, kSegmentsHelp, "outcome", "spillover", record, "SegmentsSpilloverCount");
    count(kSegments, kSegmentsHelp, "outcome", "rejected", record, "SegmentsRejectedCount");
    if (const auto errors = record.Structure("BackendConnectionErrors")) {
      count(kErrors, kErrorsHelp, "kind", "timeout", *errors, "TimeoutCount");
      count(kErrors, kErrorsHelp, "kind", "refused", *errors, "ConnectionRefusedCount");
      count(kErrors, kErrorsHelp, "kind", "http_4xx", *errors, "HTTPCode4XXCount");
      count(kErrors, kErrorsHelp, "kind", "http_5xx", *errors, "HTTPCode5XXCount");
      count(kErrors, kErrorsHelp, "kind", "unknown_host", *errors, "UnknownHostCount");
      count(kErrors, kErrorsHelp, "kind", "other", *errors, "OtherCount");
    }
  }
  return Answer{.body = "{}"};
}

}  // namespace fluoro::api::xray
