#include "analysis/propagation/finder.h"

#include <algorithm>

#include "analysis/propagation/losses.h"

namespace fluoro::analysis::propagation {

std::string_view CauseName(CauseKind kind) {
  switch (kind) {
    case CauseKind::kHeaderStripped:
      return "header_stripped";
    case CauseKind::kDifferentPropagator:
      return "different_propagator";
    case CauseKind::kIdTruncated:
      return "trace_id_truncated";
    case CauseKind::kTraceIdChanged:
      return "trace_id_changed";
    case CauseKind::kParentRewritten:
      return "parent_rewritten";
    case CauseKind::kSpansDropped:
      return "spans_dropped";
    case CauseKind::kSamplingDiffers:
      return "sampling_differs";
    case CauseKind::kQueue:
      return "queue";
    case CauseKind::kAsync:
      return "async";
    case CauseKind::kClock:
      break;
  }
  return "clock";
}

std::string_view ConfidenceName(Confidence confidence) {
  switch (confidence) {
    case Confidence::kLow:
      return "low";
    case Confidence::kMedium:
      return "medium";
    case Confidence::kHigh:
      break;
  }
  return "high";
}

void SetShare(BrokenEdge& edge, const Weighted& survived, const Weighted& lost,
              const Weighted& lost_at_least) {
  edge.survived = survived.count;
  edge.calls = survived.count + lost.count;
  edge.share = edge.calls > 0 ? edge.survived / edge.calls : 1;
  edge.share_low = WilsonOf(survived, lost).low;
  edge.share_high = WilsonOf(survived, lost_at_least).high;
}

PropagationFinder::PropagationFinder(std::int64_t settled_ns) : settled_ns_(settled_ns) {}

void PropagationFinder::Add(const model::AssembledTrace& trace) {
  ReadTrace(trace, settled_ns_, tables_);
}

PropagationReport PropagationFinder::Find() {
  const AllLosses losses = FindLosses(tables_);
  std::map<EdgeKey, BrokenEdge> edges;
  const auto at = [&](const EdgeKey& key) -> BrokenEdge& {
    BrokenEdge& edge = edges[key];
    edge.caller = tables_.texts.At(key.caller);
    edge.callee = tables_.texts.At(key.callee);
    edge.kind = key.kind;
    edge.via = tables_.texts.At(key.via);
    return edge;
  };
  for (const auto& [key, tally] : tables_.edges) {
    BrokenEdge& edge = at(key);
    SetShare(edge, tally.survived, {}, {});
    if (key.kind == EdgeKind::kCall) NameSkew(tables_, tally, edge);
  }
  double without_callee = losses.calls_without_callee;
  for (const auto& [pair, loss] : losses.edges) {
    BrokenEdge edge = at({pair.first, pair.second, EdgeKind::kCall});
    without_callee -= NameCauses(tables_, losses, pair, loss, edge);
    edges[{pair.first, pair.second, EdgeKind::kCall}] = std::move(edge);
  }
  FindQueues(tables_, edges);
  FindAsync(tables_, edges);

  PropagationReport report{
      .traces = tables_.traces,
      .cut = tables_.cut,
      .unsettled = tables_.unsettled,
      .left_out = tables_.left_out + tables_.texts.left_out() + tables_.peers.left_out(),
      .calls_without_callee = without_callee};
  for (auto& [key, edge] : edges) {
    if (edge.calls == 0 && edge.causes.empty()) continue;
    report.edges.push_back(std::move(edge));
  }
  std::ranges::stable_sort(report.edges, [](const BrokenEdge& a, const BrokenEdge& b) {
    return std::tuple(a.causes.empty(), b.calls - b.survived, b.calls) <
           std::tuple(b.causes.empty(), a.calls - a.survived, a.calls);
  });
  if (report.edges.size() > PropagationReport::kEdgesMax) {
    report.edges_left_out = report.edges.size() - PropagationReport::kEdgesMax;
    report.edges.resize(PropagationReport::kEdgesMax);
  }
  return report;
}

}  // namespace fluoro::analysis::propagation
