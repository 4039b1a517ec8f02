#include "api/ui/ledger_json.h"

#include <map>

#include "analysis/ledger/bills.h"
#include "analysis/ledger/queue_waits.h"
#include "base/json.h"

namespace fluoro::api::ui {
namespace {

using analysis::Ledger;
using analysis::LedgerRow;
using analysis::LedgerTable;
using analysis::LedgerTotals;
using analysis::TraceView;

double MeanOf(double sum, double weight) { return weight > 0 ? sum / weight : 0; }

std::int64_t WholeMean(double sum, double weight) {
  return static_cast<std::int64_t>(MeanOf(sum, weight) + 0.5);
}

// What of many traces is a mean and quantiles, of one is the figure itself.
void WriteRow(JsonWriter& out, const LedgerRequest& request, const LedgerRow& row,
              const LedgerTotals& totals) {
  out.BeginObject();
  WriteDimensions(out, request, row.key, row.is_other);
  out.Key("share").Double(
      totals.weighted_root_ns > 0 ? row.weighted_path_ns / totals.weighted_root_ns : 0);
  out.Key("path_ns").Int(row.path_ns);
  if (!request.trace) {
    out.Key("traces").Int(row.traces);
    out.Key("path_mean_ns").Int(WholeMean(row.weighted_path_ns, totals.weight));
    out.Key("path_p50_ns").Int(row.path_times.QuantileNs(0.50));
    out.Key("path_p95_ns").Int(row.path_times.QuantileNs(0.95));
  }
  WriteUsd(out, "usd", row.cost_nano_usd, row.unpriced_steps);
  out.Key("unpriced_tokens").Int(row.unpriced_tokens);
  if (!request.trace)
    out.Key("usd_mean").Double(MeanOf(row.weighted_nano_usd, totals.weight) / 1e9);
  out.Key("waste_ns").Int(row.waste_ns);
  if (!request.trace) out.Key("waste_mean_ns").Int(WholeMean(row.weighted_waste_ns, totals.weight));
  WriteUsd(out, "waste_usd", row.waste_nano_usd);
  out.EndObject();
}

void WriteTotals(JsonWriter& out, const LedgerRequest& request, const LedgerTotals& totals) {
  out.Key("clock").String(request.clock == analysis::LedgerClock::kFirstToken ? "first_token"
                                                                              : "last_token");
  out.Key("traces").Int(totals.traces).Key("stands_for").Double(totals.weight);
  out.Key("root_ns").Int(totals.root_ns);
  out.Key("root_mean_ns").Int(WholeMean(totals.weighted_root_ns, totals.weight));
  out.Key("root_p50_ns").Int(totals.root_times.QuantileNs(0.50));
  out.Key("root_p95_ns").Int(totals.root_times.QuantileNs(0.95));
  out.Key("first_token").BeginObject().Key("traces").Int(totals.first_token_traces);
  out.Key("p50_ns").Int(totals.first_token_times.QuantileNs(0.50));
  out.Key("p95_ns").Int(totals.first_token_times.QuantileNs(0.95)).EndObject();
  WriteUsd(out, "usd", totals.cost_nano_usd, totals.unpriced_steps);
  out.Key("usd_mean").Double(MeanOf(totals.weighted_nano_usd, totals.weight) / 1e9);
  out.Key("waste_ns").Int(totals.waste_ns);
  out.Key("waste_mean_ns").Int(WholeMean(totals.weighted_waste_ns, totals.weight));
  WriteUsd(out, "waste_usd", totals.waste_nano_usd);
  out.Key("unpriced_steps").Int(totals.unpriced_steps);
  out.Key("unpriced_tokens").Int(totals.unpriced_tokens);
  out.Key("possibly_billed_attempts").Int(totals.possibly_billed_attempts);
  out.Key("flagged_traces").Int(totals.flagged_traces);
}

void WriteFlags(JsonWriter& out, const analysis::LedgerFlags& flags) {
  out.Key("flags").BeginObject().Key("root_in_progress").Bool(flags.root_in_progress);
  out.Key("incomplete").Bool(flags.incomplete).Key("in_progress").Int(flags.in_progress);
  out.Key("outside_parent").Int(flags.outside_parent);
  out.Key("missing_parents").Int(flags.missing_parents);
  out.Key("cycles_cut").Int(flags.cycles_cut).EndObject();
}

// Whose work this trace is, where messages link it to others.
void WriteLinks(JsonWriter& out, store::TraceStore& store, const TraceView& view,
                const Ledger& ledger) {
  constexpr std::size_t kLinkedTracesMax = 20;
  struct Producer {
    std::string tenant, route;
  };
  std::map<model::TraceId, Producer> producers;
  std::size_t asked = 0;
  const analysis::LinkWaits waits = analysis::LinkWaitsOf(
      view.trace, [&](const model::Link& link) -> std::optional<analysis::LinkedSpan> {
        if (asked >= kLinkedTracesMax || link.trace_id == view.trace.trace->id) return std::nullopt;
        ++asked;
        auto read = store.ReadTrace(link.trace_id);
        if (!read || !*read) return std::nullopt;
        const model::AssembledTrace linked = model::Assemble(*std::move(read));
        const std::int32_t entity = linked.Find(link.span_id);
        if (entity < 0) return std::nullopt;
        const genai::TraceLabels labels = genai::LabelsOf(linked);
        producers[link.trace_id] = {
            .tenant = std::string(labels.Get(entity, genai::Label::kTenant)),
            .route = std::string(labels.Get(entity, genai::Label::kRoute))};
        const model::Entity& span = linked.entities[static_cast<std::size_t>(entity)];
        return analysis::LinkedSpan{.end_ns = span.end_ns, .in_progress = span.in_progress};
      });
  out.Key("links").BeginObject().Key("count").Int(waits.count).Key("shown").BeginArray();
  if (waits.count > 0) {
    const auto parts = static_cast<std::size_t>(waits.count);
    const auto times = analysis::DivideEqually(ledger.root_ns, parts);
    const auto costs = analysis::DivideEqually(ledger.cost_nano_usd, parts);
    for (std::size_t i = 0; i < waits.links.size(); ++i) {
      const analysis::LinkWait& wait = waits.links[i];
      out.BeginObject();
      WriteSpanId(out, "step", view.trace, wait.step);
      out.Key("trace_id").String(wait.trace_id.ToXRay());
      out.Key("span_id").String(wait.span_id.ToHex()).Key("queue_ns");
      if (wait.wait_ns) {
        out.Int(*wait.wait_ns);
      } else {
        out.Null();
      }
      out.Key("clocks_differ").Bool(wait.clocks_differ);
      const auto producer = producers.find(wait.trace_id);
      const bool known = producer != producers.end();
      out.Key("tenant").String(known ? producer->second.tenant : "");
      out.Key("route").String(known ? producer->second.route : "");
      out.Key("share_ns").Int(times[i]);
      WriteUsd(out, "share_usd", costs[i]);
      out.EndObject();
    }
  }
  out.EndArray().EndObject();
}

// Sums of what a change would make of many traces.
struct Changed {
  std::int64_t traces = 0;  ///< in which some step is changed
  std::int64_t steps = 0;
  std::int64_t root_ns = 0, new_root_ns = 0;
  std::int64_t nano_usd = 0, new_nano_usd = 0;
  double weighted_ns = 0, weighted_new_ns = 0;
  analysis::DurationHistogram times, new_times;
  std::map<genai::StepKind, std::int64_t> path;

  void Add(const TraceView& view, const analysis::StepWhatIfResult& result, double weight) {
    traces += result.steps > 0 ? 1 : 0;
    steps += result.steps;
    root_ns += result.root_ns;
    new_root_ns += result.new_root_ns;
    nano_usd += result.cost_nano_usd;
    new_nano_usd += result.new_cost_nano_usd;
    weighted_ns += static_cast<double>(result.root_ns) * weight;
    weighted_new_ns += static_cast<double>(result.new_root_ns) * weight;
    times.Add(result.root_ns, weight);
    new_times.Add(result.new_root_ns, weight);
    for (const analysis::PathInterval& part : result.path) {
      const auto owner = view.steps[static_cast<std::size_t>(part.entity)].owner;
      path[view.steps[static_cast<std::size_t>(owner)].kind] += part.end_ns - part.start_ns;
    }
  }
};

void WriteChanged(JsonWriter& out, const Changed& changed, double weight) {
  out.Key("what_if").BeginObject().Key("traces").Int(changed.traces);
  out.Key("steps").Int(changed.steps);
  out.Key("root_ns").Int(changed.root_ns).Key("new_root_ns").Int(changed.new_root_ns);
  out.Key("saved_ns").Int(changed.root_ns - changed.new_root_ns);
  out.Key("mean_ns").Int(WholeMean(changed.weighted_ns, weight));
  out.Key("new_mean_ns").Int(WholeMean(changed.weighted_new_ns, weight));
  out.Key("p50_ns").Int(changed.times.QuantileNs(0.50));
  out.Key("new_p50_ns").Int(changed.new_times.QuantileNs(0.50));
  out.Key("p95_ns").Int(changed.times.QuantileNs(0.95));
  out.Key("new_p95_ns").Int(changed.new_times.QuantileNs(0.95));
  WriteUsd(out, "usd", changed.nano_usd);
  WriteUsd(out, "new_usd", changed.new_nano_usd);
  WriteUsd(out, "saved_usd", changed.nano_usd - changed.new_nano_usd);
  out.Key("path").BeginArray();
  for (const auto& [kind, ns] : changed.path) {
    out.BeginObject().Key("kind").String(genai::StepKindName(kind));
    out.Key("path_ns").Int(ns).EndObject();
  }
  out.EndArray().EndObject();
}

}  // namespace

// Unfiltered, the means of a table could be had from sums by minute: LedgerTable::AddSums takes
// them where LookAt would read the traces.
Result<std::string> LedgerJson(const LedgerContext& context, std::string_view body) {
  FLUORO_TRY(const LedgerRequest request, ParseLedgerRequest(body));
  LedgerTable table(request.Dimensions());
  Changed changed;
  JsonWriter of_one;
  of_one.BeginObject();
  FLUORO_TRY(
      const LookedAt looked_at, LookAt(context, request, [&](const TraceView& view, double weight) {
        const analysis::Waste waste =
            WasteOf(view.trace, view.steps, view.cost, {.recoverable = false, .repeated = false});
        const Ledger ledger = LedgerOf(view, waste, request.clock);
        table.Add(ledger, weight);
        if (request.what_if) changed.Add(view, ReplayWith(view, *request.what_if), weight);
        if (!request.trace) return;
        WriteFlags(of_one, ledger.flags);
        WriteLinks(of_one, context.store, view, ledger);
      }));
  JsonWriter out;
  out.BeginObject();
  WriteAsked(out, request);
  WriteTotals(out, request, table.totals());
  out.Key("rows").BeginArray();
  for (const LedgerRow& row : table.Rows()) WriteRow(out, request, row, table.totals());
  out.EndArray().Key("crowded_out").Int(table.crowded_out());
  if (request.what_if) WriteChanged(out, changed, table.totals().weight);
  of_one.EndObject();
  if (request.trace) out.Key("trace").Raw(of_one.Take());
  WriteLookedAt(out, looked_at);
  out.EndObject();
  return out.Take();
}

}  // namespace fluoro::api::ui
