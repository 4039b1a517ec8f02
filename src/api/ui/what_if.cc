#include "api/ui/what_if.h"

#include <optional>

#include "api/ui/request.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/json_tree.h"
#include "query/tail_filters.h"
#include "sampling/what_if.h"

namespace fluoro::api::ui {
namespace {

// The member as it stands in the text, since the policies' own parser reads text.
Result<std::string> PoliciesText(std::string_view body) {
  const auto tree = JsonTree::Parse(body);
  if (!tree) return Fail(ErrorCode::kInvalidArgument, "body: " + tree.error().message);
  const JsonView policies = tree->root()["policies"];
  if (!policies.exists()) return Fail(ErrorCode::kInvalidArgument, "policies: an object wanted");
  return std::string(JsonTextAt(body, policies.offset()));
}

void WriteCount(JsonWriter& out, std::string_view name, const sampling::WhatIfCount& count) {
  out.Key(name).BeginObject().Key("traces").Uint(count.traces);
  out.Key("spans").Uint(count.spans).Key("bytes").Uint(count.bytes).EndObject();
}

}  // namespace

Result<std::string> WhatIfJson(store::TraceStore& store, std::string_view body,
                               std::int64_t now_monotonic_ns) {
  FLUORO_TRY(const QueryRequest request, ParseQueryRequest(body));
  FLUORO_TRY(const std::string text, PoliciesText(body));
  FLUORO_TRY(sampling::TailPolicies policies, sampling::ParseTailPolicies(text));
  FLUORO_TRY(const query::TailFilters filters, query::TailFilters::Compile(std::move(policies)));
  FLUORO_TRY(query::Plan plan, MakePlan(request, now_monotonic_ns));
  plan.scan_max = kWhatIfTracesMax;

  sampling::WhatIf what_if;
  std::uint64_t thinned = 0;
  std::uint64_t seen = 0;
  FLUORO_TRY(const store::SearchResult found, store.Search(plan, [&](const store::Match& match) {
    query::TailTrace trace = query::TailTraceOf(filters, match.view);
    const model::Trace& stored = *match.trace.trace;
    trace.facts.arrival_ns = stored.last_arrival_ns;
    what_if.Add(stored.id.bytes, trace.facts, stored.TotalSpans(), stored.stored_bytes);
    ++seen;
    return true;
  }));
  // Of a dropped trace no expression can be asked.
  if (!plan.filter || plan.filter->matches_all()) {
    FLUORO_CHECK_OK(
        store.VisitDropped(plan.from_ns, plan.until_ns, [&](const store::DroppedTrace& dropped) {
          sampling::TailFacts facts = query::FactsOfDropped(
              dropped.route, dropped.shape, dropped.duration_ns, dropped.arrival_ns);
          facts.start_ns = dropped.start_ns;
          facts.outcomes = dropped.outcomes;
          what_if.Add(dropped.id.bytes, facts, dropped.spans, dropped.bytes);
          return ++thinned + seen < kWhatIfTracesMax;
        }));
  }
  const sampling::WhatIfResult result = what_if.Run(filters.policies());

  JsonWriter out;
  out.BeginObject();
  WriteTime(out, "from", request.from_ns);
  WriteTime(out, "to", request.until_ns);
  out.Key("complete").Bool(found.complete && thinned + seen < kWhatIfTracesMax);
  out.Key("scanned_share").Double(found.scanned_share);
  out.Key("thinned_before").Uint(thinned);
  WriteCount(out, "seen", result.seen);
  WriteCount(out, "kept", result.kept);
  out.Key("weight").Double(result.weight);
  out.Key("policies").BeginArray();
  for (const auto& policy : result.policies) {
    out.BeginObject().Key("name").String(policy.name).Key("keep").Double(policy.keep);
    WriteCount(out, "taken", policy.taken);
    WriteCount(out, "kept", policy.kept);
    out.EndObject();
  }
  out.EndArray().Key("classes").BeginArray();
  for (const auto& one : result.classes) {
    out.BeginObject().Key("name").String(one.name).Key("seen").Uint(one.seen);
    out.Key("kept").Uint(one.kept).Key("share");
    if (one.seen == 0) {
      out.Null();
    } else {
      out.Double(static_cast<double>(one.kept) / static_cast<double>(one.seen));
    }
    out.EndObject();
  }
  out.EndArray().Key("damaged").BeginArray();
  for (const std::string& what : found.damaged) out.String(what);
  out.EndArray().EndObject();
  return out.Take();
}

}  // namespace fluoro::api::ui
