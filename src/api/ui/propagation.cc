#include "api/ui/propagation.h"

#include <algorithm>

#include "analysis/propagation/finder.h"
#include "api/ui/request.h"
#include "base/json.h"
#include "base/json_tree.h"

namespace fluoro::api::ui {
namespace {

using analysis::propagation::BrokenEdge;
using analysis::propagation::Cause;
using analysis::propagation::CauseKind;
using analysis::propagation::EdgeKind;
using analysis::propagation::Example;

Result<std::int64_t> SettleOf(std::string_view body) {
  const auto tree = JsonTree::Parse(body.empty() ? "{}" : body);
  if (!tree) return Fail(ErrorCode::kInvalidArgument, "body: " + tree.error().message);
  const JsonView value = tree->root()["settle"];
  if (!value.exists() || value.IsNull()) return kPropagationSettleNs;
  const auto ns = value.Int();
  if (!ns || *ns < 0) return Fail(ErrorCode::kInvalidArgument, "settle: ns, at least 0, wanted");
  return *ns;
}

std::string_view KindName(EdgeKind kind) {
  switch (kind) {
    case EdgeKind::kMessage:
      return "message";
    case EdgeKind::kInProcess:
      return "in_process";
    case EdgeKind::kCall:
      break;
  }
  return "call";
}

void WriteSpan(JsonWriter& out, std::string_view key, const model::SpanId& id) {
  out.Key(key);
  if (id.IsZero()) {
    out.Null();
  } else {
    out.String(id.ToHex());
  }
}

void WriteCause(JsonWriter& out, const Cause& cause) {
  out.BeginObject().Key("cause").String(CauseName(cause.kind));
  out.Key("confidence").String(ConfidenceName(cause.confidence));
  WriteWeighted(out, "calls", cause.calls);
  out.Key("skew_ns");
  if (cause.kind == CauseKind::kClock) {
    out.Int(cause.skew_ns);
  } else {
    out.Null();
  }
  out.Key("evidence").BeginArray();
  for (const std::string& sentence : cause.evidence) out.String(sentence);
  out.EndArray().Key("fix").String(cause.fix).Key("examples").BeginArray();
  for (const Example& example : cause.examples) {
    out.BeginObject().Key("caller_trace").String(example.caller_trace.ToXRay());
    WriteSpan(out, "caller_span", example.caller_span);
    out.Key("callee_trace").String(example.callee_trace.ToXRay());
    WriteSpan(out, "callee_span", example.callee_span);
    // Two traces that may be one request: shown, never joined.
    out.Key("suggested_link").Bool(example.caller_trace != example.callee_trace);
    out.EndObject();
  }
  out.EndArray().EndObject();
}

void WriteEdge(JsonWriter& out, const BrokenEdge& edge) {
  out.BeginObject().Key("caller").String(edge.caller).Key("callee").String(edge.callee);
  out.Key("kind").String(KindName(edge.kind)).Key("via").String(edge.via);
  WriteWeighted(out, "calls", edge.calls);
  WriteWeighted(out, "survived", edge.survived);
  out.Key("share").Double(edge.share).Key("share_low").Double(edge.share_low);
  out.Key("share_high").Double(edge.share_high).Key("causes").BeginArray();
  for (const Cause& cause : edge.causes) WriteCause(out, cause);
  out.EndArray().EndObject();
}

}  // namespace

Result<std::string> PropagationJson(const PropagationContext& context, std::string_view body) {
  FLUORO_TRY(const QueryRequest request, ParseQueryRequest(body));
  FLUORO_TRY(const std::int64_t settle_ns, SettleOf(body));
  FLUORO_TRY(query::Plan plan, MakePlan(request, context.now_monotonic_ns, context.groups));
  plan.scan_max = std::min(plan.scan_max, kPropagationTracesMax);
  analysis::propagation::PropagationFinder finder(context.now_ns - settle_ns);
  FLUORO_TRY(const store::SearchResult found,
             context.store.Search(plan, [&](const store::Match& match) {
               finder.Add(match.trace);
               return true;
             }));
  const auto report = finder.Find();
  JsonWriter out;
  out.BeginObject();
  WriteTime(out, "from", request.from_ns);
  WriteTime(out, "to", request.until_ns);
  out.Key("edges").BeginArray();
  for (const BrokenEdge& edge : report.edges) WriteEdge(out, edge);
  out.EndArray().Key("edges_left_out").Uint(report.edges_left_out);
  out.Key("traces").Uint(report.traces).Key("cut_traces").Uint(report.cut);
  out.Key("unsettled_traces").Uint(report.unsettled);
  WriteWeighted(out, "calls_without_callee", report.calls_without_callee);
  out.Key("left_out").Uint(report.left_out);
  out.Key("complete").Bool(found.complete).Key("scanned_share").Double(found.scanned_share);
  out.Key("damaged").BeginArray();
  for (const std::string& what : found.damaged) out.String(what);
  out.EndArray().EndObject();
  return out.Take();
}

}  // namespace fluoro::api::ui
