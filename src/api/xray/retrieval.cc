// StartTraceRetrieval, ListRetrievedTraces, GetRetrievedTracesGraph, CancelTraceRetrieval.
// A retrieval is a record of what was asked; what it finds is read when it is listed.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "analysis/service_graph.h"
#include "api/xray/context.h"
#include "api/xray/page_token.h"
#include "api/xray/render.h"
#include "base/json.h"
#include "base/json_tree.h"
#include "codec/otlp/otlp.h"
#include "codec/xray/encode.h"
#include "genai/xray_annotations.h"

namespace fluoro::api::xray {
namespace {

constexpr std::string_view kKind = "trace-retrieval";
constexpr std::size_t kRetrievalsMax = 1'000;
/// Then its status is TIMEOUT; twice as long, and nobody knows it any more.
constexpr std::int64_t kLifeNs = 3'600 * kNsPerSecond;
constexpr std::size_t kTracesPage = 5;
constexpr std::size_t kSpansPage = 100;
constexpr std::size_t kServicesPage = 1'000;
constexpr std::size_t kLinksMax = 100;

struct Retrieval {
  std::vector<model::TraceId> ids;
  std::int64_t from_ns = 0;
  std::int64_t until_ns = 0;  ///< included
  std::string_view status;
};

std::string Print(const std::vector<model::TraceId>& ids, const Window& window, bool cancelled) {
  JsonWriter out;
  out.BeginObject().Key("TraceIds").BeginArray();
  for (const model::TraceId& id : ids) out.String(id.ToXRay());
  out.EndArray().Key("FromNs").Int(window.from_ns).Key("UntilNs").Int(window.until_ns);
  out.Key("Cancelled").Bool(cancelled).EndObject();
  return out.Take();
}

struct Kept {
  std::vector<model::TraceId> ids;
  Window window;
  bool cancelled = false;
};

Kept Parse(std::string_view body) {
  Kept kept;
  const auto tree = JsonTree::Parse(body);
  if (!tree) return kept;
  for (const JsonView& text : tree->root()["TraceIds"].Elements()) {
    if (const auto id = model::TraceId::Parse(text.String().value_or(""))) kept.ids.push_back(*id);
  }
  kept.window.from_ns = tree->root()["FromNs"].Int().value_or(0);
  kept.window.until_ns = tree->root()["UntilNs"].Int().value_or(0);
  kept.cancelled = tree->root()["Cancelled"].Bool().value_or(false);
  return kept;
}

std::unexpected<ApiError> UnknownToken(std::string_view token) {
  return std::unexpected(ApiError{.status = 404,
                                  .type = "ResourceNotFoundException",
                                  .message = "Retrieval token not found",
                                  .resource_name = std::string(token)});
}

ApiResult<Retrieval> RetrievalOf(Context& context, const MembersView& members) {
  const std::string_view token = members.Text("RetrievalToken").value_or("");
  const auto snapshot = context.control.Read();
  const control::Record* record = snapshot->Find(kKind, token);
  const std::int64_t now_ns = context.clock.UnixNs();
  if (record == nullptr || now_ns - record->created_ns >= 2 * kLifeNs) return UnknownToken(token);
  Kept kept = Parse(record->body);
  Retrieval retrieval{.ids = std::move(kept.ids),
                      .from_ns = kept.window.from_ns,
                      .until_ns = kept.window.until_ns,
                      .status = "COMPLETE"};
  if (kept.cancelled) {
    retrieval.status = "CANCELLED";
  } else if (now_ns - record->created_ns >= kLifeNs) {
    retrieval.status = "TIMEOUT";
  }
  if (retrieval.status != "COMPLETE") retrieval.ids.clear();
  return retrieval;
}

bool IsInside(const Retrieval& retrieval, const model::AssembledTrace& trace) {
  return trace.start_ns <= retrieval.until_ns && trace.end_ns >= retrieval.from_ns;
}

struct Document {
  std::string id;
  std::string text;
};

std::vector<Document> DocumentsOf(const model::AssembledTrace& trace, bool otel) {
  std::vector<Document> documents;
  if (otel) {
    for (const model::Span& span : trace.trace->spans) {
      documents.push_back(
          {span.span_id.ToHex(),
           codec::otlp::EncodeTraces(std::span(&span, 1), codec::otlp::Encoding::kJson)});
    }
  } else {
    for (auto& segment :
         codec::xray::EncodeSegments(trace, {.annotations = genai::XRayAnnotations(trace)}))
      documents.push_back({std::move(segment.id), std::move(segment.document)});
  }
  return documents;
}

// position := trace index:4 span:4 document index:4
constexpr std::size_t kPositionBytes = 12;
struct Position {
  std::size_t trace = 0;
  std::uint64_t span = 0;  ///< first of the trace's part
  std::size_t document = 0;
};

/// Writes the documents of one trace from `at` on, a page at most. False: `at` is where the next
/// page begins.
ApiResult<bool> AppendTrace(Context& context, const Retrieval& retrieval, bool otel, Position& at,
                            JsonWriter& out, std::size_t& traces) {
  const model::TraceId& id = retrieval.ids[at.trace];
  FLUORO_API_TRY(auto part, context.store.ReadTrace(id, at.span));
  if (!part) return true;
  const auto trace = model::Assemble(std::move(part), {.now_ns = context.clock.UnixNs()});
  if (!IsInside(retrieval, trace)) return true;
  const std::vector<Document> documents = DocumentsOf(trace, otel);
  const std::size_t end = std::min(documents.size(), at.document + kSpansPage);
  out.BeginObject().Key("Id").String(id.ToXRay());
  out.Key("Duration").Seconds(trace.end_ns - trace.start_ns).Key("Spans").BeginArray();
  for (; at.document < end; ++at.document) {
    out.BeginObject().Key("Id").String(documents[at.document].id);
    out.Key("Document").String(documents[at.document].text).EndObject();
  }
  out.EndArray().EndObject();
  ++traces;
  if (at.document < documents.size()) return false;
  if (trace.trace->spans_after == 0) {
    CountRetrieved(context, trace);
    return true;
  }
  at.span += trace.trace->spans.size();
  at.document = 0;
  return false;
}

/// Links of spans of a service to other traces: source trace -> traces.
using Links = std::map<model::TraceId, std::set<model::TraceId>>;

void AddLinks(const model::AssembledTrace& trace, std::map<model::ServiceKey, Links>& links) {
  for (const model::Entity& entity : trace.entities) {
    if (entity.role == model::EntityRole::kInferred || entity.span->links.empty() ||
        entity.segment < 0)
      continue;
    const std::int32_t service = trace.entities[static_cast<std::size_t>(entity.segment)].service;
    if (service < 0) continue;
    auto& of_service = links[trace.services[static_cast<std::size_t>(service)].key];
    for (const model::Link& link : entity.span->links)
      of_service[trace.trace->id].insert(link.trace_id);
  }
}

void AppendLinks(JsonWriter& out, const Links* links) {
  out.BeginArray();
  std::size_t written = 0;
  if (links != nullptr) {
    for (const auto& [source, destinations] : *links) {
      if (written++ == kLinksMax) break;
      out.BeginObject().Key("ReferenceType").String("LINK");
      out.Key("SourceTraceId").String(source.ToXRay());
      out.Key("DestinationTraceIds").BeginArray();
      for (const model::TraceId& destination : destinations) out.String(destination.ToXRay());
      out.EndArray().EndObject();
    }
  }
  out.EndArray();
}

}  // namespace

ApiResult<Answer> StartTraceRetrieval(Context& context, const Request& request) {
  const MembersView& members = request.members();
  const TraceIds asked = TraceIdsOf(members);
  if (!asked.malformed.empty()) return Refuse("Not a trace id: " + asked.malformed.front());
  if (asked.ids.empty()) return Refuse("TraceIds must have at least one trace id");
  const Window window{.from_ns = members.TimeNs("StartTime").value_or(0),
                      .until_ns = members.TimeNs("EndTime").value_or(0)};
  if (window.until_ns < window.from_ns) return Refuse("EndTime must not be before StartTime");
  const std::string token = NewRequestId();
  bool is_full = false;
  const auto start = [&](control::Transaction& transaction) -> Result<void> {
    FLUORO_TRY(const std::vector<control::Record> all, transaction.List(kKind));
    std::size_t standing = all.size();
    for (const control::Record& record : all) {
      if (context.clock.UnixNs() - record.created_ns < 2 * kLifeNs) continue;
      FLUORO_CHECK_OK(transaction.Delete(kKind, record.name));
      --standing;
    }
    is_full = standing >= kRetrievalsMax;
    if (is_full) return Fail(ErrorCode::kUnavailable, "too many retrievals");
    FLUORO_CHECK_OK(transaction.Put(kKind, token, Print(asked.ids, window, false)));
    return {};
  };
  // Nobody's decision: it needs no line in the audit trail.
  FLUORO_API_CHECK_OK(context.control.Write("", start));
  return Answer{
      .body = JsonWriter().BeginObject().Key("RetrievalToken").String(token).EndObject().Take()};
}

ApiResult<Answer> CancelTraceRetrieval(Context& context, const Request& request) {
  const std::string_view token = request.members().Text("RetrievalToken").value_or("");
  bool found = false;
  FLUORO_API_CHECK_OK(
      context.control.Write("", [&](control::Transaction& transaction) -> Result<void> {
        FLUORO_TRY(const auto record, transaction.Find(kKind, token));
        found = record.has_value();
        if (!found) return {};
        const Kept kept = Parse(record->body);
        FLUORO_CHECK_OK(transaction.Put(kKind, token, Print(kept.ids, kept.window, true)));
        return {};
      }));
  if (!found) return UnknownToken(token);
  return Answer{.body = "{}"};
}

ApiResult<Answer> ListRetrievedTraces(Context& context, const Request& request) {
  const MembersView& members = request.members();
  const auto retrieval = RetrievalOf(context, members);
  if (!retrieval) return std::unexpected(retrieval.error());
  const std::string_view format = members.Text("TraceFormat").value_or("XRAY");
  const Fingerprint fingerprint =
      Fingerprint("ListRetrievedTraces").Add(*members.Text("RetrievalToken")).Add(format);
  Position at;
  if (const auto token = members.Text("NextToken")) {
    auto reader = PositionReader::Open(*token, fingerprint, kPositionBytes);
    if (!reader) return std::unexpected(std::move(reader).error());
    at.trace = reader->Take(4);
    at.span = reader->Take(4);
    at.document = reader->Take(4);
  }
  JsonWriter out;
  out.BeginObject().Key("RetrievalStatus").String(retrieval->status);
  out.Key("TraceFormat").String(format).Key("Traces").BeginArray();
  std::size_t traces = 0;
  bool page_ends = false;
  while (at.trace < retrieval->ids.size() && !page_ends) {
    const auto finished = AppendTrace(context, *retrieval, format == "OTEL", at, out, traces);
    if (!finished) return std::unexpected(finished.error());
    if (*finished) at = {.trace = at.trace + 1};
    page_ends = !*finished || traces == kTracesPage;
  }
  out.EndArray();
  if (at.trace < retrieval->ids.size()) {
    out.Key("NextToken")
        .String(PositionWriter()
                    .Add(at.trace, 4)
                    .Add(at.span, 4)
                    .Add(at.document, 4)
                    .Token(fingerprint));
  }
  out.EndObject();
  return Answer{.body = out.Take()};
}

ApiResult<Answer> GetRetrievedTracesGraph(Context& context, const Request& request) {
  const MembersView& members = request.members();
  const auto retrieval = RetrievalOf(context, members);
  if (!retrieval) return std::unexpected(retrieval.error());
  const auto compute = [&]() -> ApiResult<std::vector<std::string>> {
    analysis::ServiceGraphBuilder builder;
    std::map<model::ServiceKey, Links> links;
    for (const model::TraceId& id : retrieval->ids) {
      FLUORO_API_TRY(auto part, context.store.ReadTrace(id));
      if (!part) continue;
      const auto trace = model::Assemble(std::move(part), {.now_ns = context.clock.UnixNs()});
      if (!IsInside(*retrieval, trace)) continue;
      builder.Add(trace);
      AddLinks(trace, links);
    }
    const analysis::ServiceGraph graph = builder.Build();
    const std::vector<std::string> services = RenderServices(graph);
    std::vector<std::string> retrieved;
    for (std::size_t i = 0; i < services.size(); ++i) {
      const auto found = graph.services[i].client ? links.end() : links.find(graph.services[i].key);
      JsonWriter out;
      out.BeginObject().Key("Service").Raw(services[i]).Key("Links");
      AppendLinks(out, found == links.end() ? nullptr : &found->second);
      out.EndObject();
      retrieved.push_back(out.Take());
    }
    return retrieved;
  };
  const auto page =
      context.pages.Get(members.Text("NextToken"),
                        Fingerprint("GetRetrievedTracesGraph").Add(*members.Text("RetrievalToken")),
                        kServicesPage, compute);
  if (!page) return std::unexpected(page.error());
  JsonWriter out;
  out.BeginObject().Key("RetrievalStatus").String(retrieval->status);
  out.Key("Services").Raw(page->Json());
  if (page->next_token) out.Key("NextToken").String(*page->next_token);
  out.EndObject();
  return Answer{.body = out.Take()};
}

}  // namespace fluoro::api::xray
