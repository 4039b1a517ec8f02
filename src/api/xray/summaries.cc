// GetTraceSummaries.
#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "api/xray/context.h"
#include "api/xray/page_token.h"
#include "api/xray/render.h"
#include "base/json.h"
#include "query/filter.h"
#include "query/plan.h"

namespace fluoro::api::xray {
namespace {

constexpr std::size_t kSummariesMax = 100;
constexpr std::int64_t kScanNs = kNsPerSecond;
constexpr double kPartialScanShare = 0.1;
/// Another seed than thinning's: otherwise what was kept by chance would never be drawn here, or
/// always.
constexpr std::uint64_t kSampleSeed = 0x5853414d504c4531;

// position := start of the last trace, ns:8 its id:16 traces a PartialScan may still examine:8
// page:4
constexpr std::size_t kPositionBytes = 36;
struct Position {
  std::optional<query::Cursor> after;
  std::optional<std::uint64_t> scan_left;
  std::uint32_t page = 0;
};

/// Which of the matches are answered.
struct Sampling {
  double rate = 1;                     ///< FixedRate
  std::optional<double> scan_share{};  ///< PartialScan
};

Sampling SamplingOf(const MembersView& members) {
  const auto strategy = members.Structure("SamplingStrategy");
  if (!members.Bool("Sampling").value_or(false) || !strategy) return {};
  const auto value = strategy->Double("Value");
  if (strategy->Text("Name") == "PartialScan") {
    return {.scan_share = std::clamp(value.value_or(kPartialScanShare), 0.0, 1.0)};
  }
  return {.rate = std::clamp(value.value_or(1), 0.0, 1.0)};
}

bool IsSampled(const model::TraceId& id, double rate) {
  const std::uint64_t hash = XXH3_64bits_withSeed(id.bytes.data(), id.bytes.size(), kSampleSeed);
  return rate >= 1 || static_cast<double>(hash) < rate * 0x1.0p64;
}

query::TimeRange TimeRangeOf(const MembersView& members) {
  const std::string_view type = members.Text("TimeRangeType").value_or("TraceId");
  if (type == "Event") return query::TimeRange::kEvent;
  return type == "Service" ? query::TimeRange::kService : query::TimeRange::kTraceStart;
}

ApiResult<Position> PositionOf(const MembersView& members, const Fingerprint& fingerprint) {
  const auto token = members.Text("NextToken");
  if (!token) return Position{};
  auto reader = PositionReader::Open(*token, fingerprint, kPositionBytes);
  if (!reader) return std::unexpected(std::move(reader).error());
  Position position;
  position.after.emplace();
  position.after->start_ns = static_cast<std::int64_t>(reader->Take(8));
  const std::string_view id = reader->TakeText(16);
  std::ranges::copy(id, position.after->trace_id.bytes.begin());
  position.scan_left = reader->Take(8);
  position.page = static_cast<std::uint32_t>(reader->Take(4));
  return position;
}

std::string TokenOf(const query::Cursor& last, std::uint64_t scan_left, std::uint32_t page,
                    const Fingerprint& fingerprint) {
  const std::string_view id(reinterpret_cast<const char*>(last.trace_id.bytes.data()),
                            last.trace_id.bytes.size());
  return PositionWriter()
      .Add(static_cast<std::uint64_t>(last.start_ns), 8)
      .Add(id)
      .Add(scan_left, 8)
      .Add(page, 4)
      .Token(fingerprint);
}

/// When the trace was last active inside the window: the end of a segment (its start while in
/// progress).
std::int64_t MatchedEventNs(const model::AssembledTrace& trace, const Window& window) {
  std::optional<std::int64_t> of_segments;
  std::optional<std::int64_t> of_all;
  for (const model::Entity& entity : trace.entities) {
    if (entity.start_ns >= window.until_ns || entity.end_ns < window.from_ns) continue;
    const std::int64_t event_ns = entity.in_progress ? entity.start_ns : entity.end_ns;
    of_all = std::max(of_all.value_or(event_ns), event_ns);
    if (entity.role == model::EntityRole::kSegment)
      of_segments = std::max(of_segments.value_or(event_ns), event_ns);
  }
  return of_segments.value_or(of_all.value_or(trace.start_ns));
}

void AppendHttp(JsonWriter& out, const model::HttpFields& http) {
  out.BeginObject();
  if (http.url) out.Key("HttpURL").String(*http.url);
  if (http.status && std::in_range<std::int32_t>(*http.status))
    out.Key("HttpStatus").Int(*http.status);
  if (http.method) out.Key("HttpMethod").String(*http.method);
  if (http.user_agent) out.Key("UserAgent").String(*http.user_agent);
  if (http.client_ip) out.Key("ClientIp").String(*http.client_ip);
  out.EndObject();
}

void AppendAnnotationValue(JsonWriter& out, const model::AttributeValue& value) {
  out.BeginObject();
  if (const bool* flag = value.AsBool()) {
    out.Key("BooleanValue").Bool(*flag);
  } else if (const std::int64_t* number = value.AsInt()) {
    out.Key("NumberValue").Int(*number);
  } else if (const double* real = value.AsDouble(); real != nullptr && std::isfinite(*real)) {
    out.Key("NumberValue").Double(*real);
  } else if (real != nullptr) {
    out.Key("StringValue").String(std::isnan(*real) ? "NaN" : *real > 0 ? "Infinity" : "-Infinity");
  } else {
    const std::string* text = value.AsString();
    out.Key("StringValue").String(text == nullptr ? std::string_view() : std::string_view(*text));
  }
  out.EndObject();
}

void AppendAnnotations(JsonWriter& out, const model::AssembledTrace& trace,
                       const model::TraceSummary& summary) {
  out.BeginObject();
  for (const auto& [key, values] : summary.annotations) {
    out.Key(key).BeginArray();
    for (const model::AnnotatedValue& seen : values) {
      out.BeginObject().Key("AnnotationValue");
      AppendAnnotationValue(out, seen.value);
      out.Key("ServiceIds");
      AppendServiceIds(out, trace, seen.services);
      out.EndObject();
    }
    out.EndArray();
  }
  out.EndObject();
}

/// [{"<member>": text}, ...]: ResourceARNs, InstanceIds, AvailabilityZones.
void AppendDetails(JsonWriter& out, const char* list, const char* member,
                   const std::vector<std::string>& texts) {
  out.Key(list).BeginArray();
  for (const std::string& text : texts) out.BeginObject().Key(member).String(text).EndObject();
  out.EndArray();
}

/// What an entity of a root cause carries beside Name and Remote.
enum class CauseKind : std::uint8_t { kFailure, kResponseTime };

void AppendRootCauseEntity(JsonWriter& out, const model::RootCauseEntity& entity, CauseKind kind) {
  out.BeginObject().Key("Name").String(entity.name);
  if (kind == CauseKind::kResponseTime) {
    out.Key("Coverage").Double(entity.coverage.value_or(0));
  } else {
    out.Key("Exceptions").BeginArray();
    for (const model::RootCauseException& exception : entity.exceptions) {
      out.BeginObject()
          .Key("Name")
          .String(exception.name)
          .Key("Message")
          .String(exception.message)
          .EndObject();
    }
    out.EndArray();
  }
  out.Key("Remote").Bool(entity.remote).EndObject();
}

void AppendRootCauses(JsonWriter& out, const char* list,
                      const std::vector<model::RootCause>& causes, CauseKind kind) {
  out.Key(list).BeginArray();
  for (const model::RootCause& cause : causes) {
    out.BeginObject().Key("Services").BeginArray();
    for (const model::RootCauseService& service : cause.services) {
      out.BeginObject().Key("Name").String(service.name).Key("Names").BeginArray();
      for (const std::string& name : service.names) out.String(name);
      out.EndArray().Key("Type").String(service.type);
      if (!service.account_id.empty()) out.Key("AccountId").String(service.account_id);
      out.Key("EntityPath").BeginArray();
      for (const model::RootCauseEntity& entity : service.entity_path)
        AppendRootCauseEntity(out, entity, kind);
      out.EndArray().Key("Inferred").Bool(service.inferred).EndObject();
    }
    out.EndArray().Key("ClientImpacting").Bool(cause.client_impacting).EndObject();
  }
  out.EndArray();
}

void AppendSummary(JsonWriter& out, const query::TraceView& view,
                   std::optional<std::int64_t> matched_event_ns) {
  const model::AssembledTrace& trace = view.trace();
  const model::TraceSummary& summary = view.summary();
  out.BeginObject().Key("Id").String(summary.id.ToXRay());
  out.Key("StartTime").Seconds(summary.start_ns).Key("Duration").Seconds(summary.duration_ns);
  if (summary.response_ns) out.Key("ResponseTime").Seconds(*summary.response_ns);
  out.Key("HasFault").Bool(summary.has_fault).Key("HasError").Bool(summary.has_error);
  out.Key("HasThrottle").Bool(summary.has_throttle).Key("IsPartial").Bool(summary.is_partial);
  out.Key("Http");
  AppendHttp(out, summary.http);
  out.Key("Annotations");
  AppendAnnotations(out, trace, summary);
  out.Key("Users").BeginArray();
  for (const model::UserSeen& user : summary.users) {
    out.BeginObject().Key("UserName").String(user.name).Key("ServiceIds");
    AppendServiceIds(out, trace, user.services);
    out.EndObject();
  }
  out.EndArray().Key("ServiceIds");
  AppendServiceIds(out, trace, summary.services);
  AppendDetails(out, "ResourceARNs", "ARN", summary.resource_arns);
  AppendDetails(out, "InstanceIds", "Id", summary.instance_ids);
  AppendDetails(out, "AvailabilityZones", "Name", summary.availability_zones);
  if (summary.entry_point >= 0) {
    out.Key("EntryPoint");
    AppendServiceId(out, trace.services[static_cast<std::size_t>(summary.entry_point)].key);
  } else if (const model::Entity* root = trace.Root()) {
    // An orphan belongs to no service and stands for its own, as in the root causes.
    out.Key("EntryPoint");
    AppendServiceId(out, {.name = root->name, .type = {}, .account_id = {}});
  }
  const model::RootCauses& causes = view.root_causes();
  AppendRootCauses(out, "FaultRootCauses", causes.fault, CauseKind::kFailure);
  AppendRootCauses(out, "ErrorRootCauses", causes.error, CauseKind::kFailure);
  AppendRootCauses(out, "ResponseTimeRootCauses", causes.response_time, CauseKind::kResponseTime);
  out.Key("Revision")
      .Int(std::clamp<std::int64_t>(summary.revision, 1, std::numeric_limits<std::int32_t>::max()));
  if (matched_event_ns) out.Key("MatchedEventTime").Seconds(*matched_event_ns);
  out.EndObject();
}

/// How many traces the share of a PartialScan is. One trace is examined to learn the number of
/// candidates.
Result<std::uint64_t> ScanBudget(store::TraceStore& store, const query::Plan& plan, double share) {
  query::Plan probe = plan;
  probe.scan_max = 1;
  FLUORO_TRY(const store::SearchResult found,
             store.Search(probe, [](const store::Match&) { return true; }));
  if (found.scanned_traces == 0 || found.scanned_share <= 0) return 0;
  const double candidates = static_cast<double>(found.scanned_traces) / found.scanned_share;
  return static_cast<std::uint64_t>(std::ceil(share * std::round(candidates)));
}

struct Listing {
  Window window;
  query::Plan plan;
  Sampling sampling;
  Position position;
};

ApiResult<Listing> ListingOf(Context& context, const MembersView& members,
                             const Fingerprint& fingerprint) {
  Listing listing;
  auto window = WindowOf(context, members, 24);
  if (!window) return std::unexpected(std::move(window).error());
  listing.window = *window;
  auto position = PositionOf(members, fingerprint);
  if (!position) return std::unexpected(std::move(position).error());
  listing.position = *std::move(position);
  listing.sampling = SamplingOf(members);
  listing.plan.from_ns = window->from_ns;
  listing.plan.until_ns = window->until_ns;
  listing.plan.time_range = TimeRangeOf(members);
  listing.plan.after = listing.position.after;
  if (const auto text = members.Text("FilterExpression"); text && !text->empty()) {
    FLUORO_API_TRY(listing.plan.filter, ParseFilter(context, *text));
  }
  return listing;
}

}  // namespace

ApiResult<Answer> GetTraceSummaries(Context& context, const Request& request) {
  const MembersView& members = request.members();
  Fingerprint fingerprint("GetTraceSummaries");
  fingerprint.Add(members.TimeNs("StartTime").value_or(0))
      .Add(members.TimeNs("EndTime").value_or(0));
  fingerprint.Add(members.Text("TimeRangeType").value_or("TraceId"));
  fingerprint.Add(members.Text("FilterExpression").value_or(""));
  auto listing = ListingOf(context, members, fingerprint);
  if (!listing) return std::unexpected(std::move(listing).error());
  query::Plan& plan = listing->plan;

  std::uint64_t scan_left = UINT64_MAX;
  if (listing->sampling.scan_share) {
    if (listing->position.scan_left && *listing->position.scan_left != UINT64_MAX) {
      scan_left = *listing->position.scan_left;
    } else {
      FLUORO_API_TRY(scan_left, ScanBudget(context.store, plan, *listing->sampling.scan_share));
    }
  }
  plan.scan_max = scan_left;
  plan.deadline_ns = context.clock.MonotonicNs() + kScanNs;

  JsonWriter out;
  out.BeginObject().Key("TraceSummaries").BeginArray();
  std::size_t count = 0;
  store::SearchResult found;
  if (scan_left > 0) {
    FLUORO_API_TRY(found, context.store.Search(plan, [&](const store::Match& match) {
      if (!IsSampled(match.trace.trace->id, listing->sampling.rate)) return true;
      std::optional<std::int64_t> event_ns;
      if (plan.time_range == query::TimeRange::kEvent)
        event_ns = MatchedEventNs(match.trace, listing->window);
      AppendSummary(out, match.view, event_ns);
      return ++count < kSummariesMax;
    }));
  }
  out.EndArray();
  if (scan_left != UINT64_MAX) scan_left -= std::min(scan_left, found.scanned_traces);

  // A PartialScan that used up its share ends the listing; all else that stopped early goes on
  // behind the token.
  const bool stopped = !found.complete && found.last;
  std::int64_t covered_ns = listing->window.from_ns;
  if (stopped)
    covered_ns =
        std::clamp(found.last->start_ns, listing->window.from_ns, listing->window.until_ns);
  out.Key("ApproximateTime").Seconds(covered_ns);
  out.Key("TracesProcessedCount").Uint(found.scanned_traces);
  if (context.options.counters != nullptr)
    context.options.counters->Scanned(static_cast<double>(found.scanned_traces), {});
  if (stopped && scan_left > 0) {
    out.Key("NextToken")
        .String(TokenOf(*found.last, scan_left, listing->position.page + 1, fingerprint));
  }
  out.EndObject();
  Answer answer{.body = out.Take()};
  // What stopped early goes on behind the token.
  found.complete = true;
  TellWhatIsMissing(found, answer);
  return answer;
}

}  // namespace fluoro::api::xray
