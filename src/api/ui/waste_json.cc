#include "analysis/ledger/waste_table.h"
#include "api/ui/ledger_json.h"
#include "base/json.h"

namespace fluoro::api::ui {
namespace {

using analysis::LostWork;
using analysis::RepeatedWork;
using analysis::TraceView;
using analysis::Waste;
using analysis::WasteTable;
using analysis::WasteTotals;

std::string_view RepeatedName(RepeatedWork::Kind kind) {
  return kind == RepeatedWork::Kind::kLoop ? "loop_suspect" : "duplicate_call";
}

std::int64_t Mean(double sum, double weight) {
  return weight > 0 ? static_cast<std::int64_t>(sum / weight + 0.5) : 0;
}

void WriteTotals(JsonWriter& out, const WasteTotals& totals) {
  out.Key("traces").Int(totals.traces).Key("stands_for").Double(totals.weight);
  out.Key("traces_with_waste").Int(totals.traces_with_waste);
  out.Key("root_ns").Int(totals.root_ns).Key("waste_ns").Int(totals.waste_ns);
  out.Key("waste_mean_ns").Int(Mean(totals.weighted_waste_ns, totals.weight));
  out.Key("recoverable_ns").Int(totals.recoverable_ns);
  out.Key("recoverable_mean_ns").Int(Mean(totals.weighted_recoverable_ns, totals.weight));
  WriteUsd(out, "waste_usd", totals.cost_nano_usd);
  out.Key("retries").Int(totals.retries).Key("timeouts").Int(totals.timeouts);
  out.Key("timeouts_partial").Int(totals.timeouts_partial);
  out.Key("throttled").Int(totals.throttled).Key("cancelled").Int(totals.cancelled);
  out.Key("possibly_billed_attempts").Int(totals.possibly_billed);
}

void WriteRows(JsonWriter& out, const LedgerRequest& request, const WasteTable& table) {
  out.Key("rows").BeginArray();
  for (const analysis::WasteRow& row : table.Rows()) {
    out.BeginObject();
    WriteDimensions(out, request, row.key, row.is_other);
    out.Key("cause");
    if (row.is_other) {
      out.Null();
    } else {
      out.String(WasteCauseName(row.cause));
    }
    out.Key("traces").Int(row.traces).Key("lost").Int(row.lost).Key("gave_up").Int(row.gave_up);
    out.Key("fallbacks").Int(row.fallbacks).Key("attempts").Int(row.attempts);
    out.Key("failed_ns").Int(row.failed_ns).Key("backoff_ns").Int(row.backoff_ns);
    out.Key("waste_ns").Int(row.waste_ns()).Key("recoverable_ns").Int(row.recoverable_ns);
    WriteUsd(out, "waste_usd", row.cost_nano_usd);
    out.EndObject();
  }
  out.EndArray().Key("repeated").BeginArray();
  for (const analysis::RepeatedRow& row : table.Repeated()) {
    out.BeginObject().Key("what").String(RepeatedName(row.kind)).Key("name").String(row.name);
    out.Key("traces").Int(row.traces).Key("calls").Int(row.calls);
    out.Key("calls_max").Int(row.calls_max).Key("again_ns").Int(row.again_ns);
    WriteUsd(out, "again_usd", row.again_nano_usd);
    out.Key("example").String(row.example.ToXRay()).EndObject();
  }
  out.EndArray().Key("worst").BeginArray();
  for (const analysis::WastefulTrace& trace : table.traces()) {
    out.BeginObject().Key("trace_id").String(trace.id.ToXRay());
    out.Key("root_ns").Int(trace.root_ns).Key("waste_ns").Int(trace.waste_ns);
    out.Key("recoverable_ns").Int(trace.recoverable_ns);
    WriteUsd(out, "waste_usd", trace.cost_nano_usd);
    out.EndObject();
  }
  out.EndArray().Key("crowded_out").Int(table.crowded_out());
}

class OneTrace {
 public:
  OneTrace(const TraceView& view, JsonWriter& out) : view_(view), out_(out) {}

  void Write(const Waste& waste) {
    out_.Key("without_ns").Int(waste.root_ns - waste.recoverable_ns);
    out_.Key("findings").BeginArray();
    for (const LostWork& work : waste.lost) WriteLost(work);
    out_.EndArray().Key("repeated").BeginArray();
    for (const RepeatedWork& work : waste.repeated) {
      out_.BeginObject().Key("what").String(RepeatedName(work.kind)).Key("name").String(work.name);
      WriteSpans("spans", work.steps);
      out_.Key("again_ns").Int(work.again_ns);
      WriteUsd(out_, "again_usd", work.again_nano_usd);
      out_.EndObject();
    }
    out_.EndArray().Key("steps").BeginArray();
    for (const analysis::StepEnding& ending : waste.endings) {
      out_.BeginObject();
      WriteStep(ending.step);
      out_.Key("retries").Int(ending.retries).Key("timeout").Bool(ending.timeout);
      out_.Key("timeout_partial").Bool(ending.timeout_partial);
      out_.Key("throttled").Bool(ending.throttled).Key("cancelled").Bool(ending.cancelled);
      out_.EndObject();
    }
    out_.EndArray();
  }

 private:
  void WriteStep(std::int32_t entity) {
    const auto i = static_cast<std::size_t>(entity);
    WriteSpanId(out_, "span_id", view_.trace, entity);
    const model::Span* span = view_.trace.entities[i].span;
    out_.Key("name").String(span == nullptr ? std::string_view() : std::string_view(span->name));
    out_.Key("kind").String(genai::StepKindName(view_.steps[i].kind));
    out_.Key("tool").String(view_.steps[i].tool).Key("model").String(view_.steps[i].model);
  }
  void WriteSpans(std::string_view key, const std::vector<std::int32_t>& entities) {
    out_.Key(key).BeginArray();
    for (const std::int32_t entity : entities)
      out_.String(view_.trace.entities[static_cast<std::size_t>(entity)].id.ToHex());
    out_.EndArray();
  }
  void WriteLost(const LostWork& work) {
    out_.BeginObject();
    WriteStep(work.owner);
    out_.Key("cause").String(WasteCauseName(work.cause));
    WriteSpans("failed", work.failed);
    WriteSpanId(out_, "stood", view_.trace, work.stood);
    out_.Key("fallback").Bool(work.fallback);
    out_.Key("failed_ns").Int(work.failed_ns).Key("backoff_ns").Int(work.backoff_ns);
    out_.Key("waste_ns").Int(work.waste_ns()).Key("recoverable_ns");
    if (work.recoverable_known) {
      out_.Int(work.recoverable_ns);
    } else {
      out_.Null();
    }
    WriteUsd(out_, "waste_usd", work.cost_nano_usd);
    out_.EndObject();
  }

  const TraceView& view_;
  JsonWriter& out_;
};

}  // namespace

Result<std::string> WasteJson(const LedgerContext& context, std::string_view body) {
  FLUORO_TRY(const LedgerRequest request, ParseLedgerRequest(body));
  WasteTable table(request.Dimensions());
  JsonWriter of_one;
  of_one.BeginObject();
  FLUORO_TRY(const LookedAt looked_at,
             LookAt(context, request, [&](const TraceView& view, double weight) {
               const Waste waste = WasteOf(view.trace, view.steps, view.cost);
               table.Add(view, waste, weight);
               if (request.trace) OneTrace(view, of_one).Write(waste);
             }));
  JsonWriter out;
  out.BeginObject();
  WriteAsked(out, request);
  WriteTotals(out, table.totals());
  WriteRows(out, request, table);
  of_one.EndObject();
  if (request.trace) out.Key("trace").Raw(of_one.Take());
  WriteLookedAt(out, looked_at);
  out.EndObject();
  return out.Take();
}

}  // namespace fluoro::api::ui
