#include "analysis/ledger/token_table.h"
#include "api/ui/ledger_json.h"
#include "base/json.h"

namespace fluoro::api::ui {
namespace {

using analysis::PhaseSource;
using analysis::TokenRow;
using analysis::TokenTable;
using analysis::TokenTimes;
using analysis::TraceView;

std::int64_t Mean(double sum, double weight) {
  return weight > 0 ? static_cast<std::int64_t>(sum / weight + 0.5) : 0;
}

void WriteStep(JsonWriter& out, const TraceView& view, const TokenTimes& times) {
  out.BeginObject();
  WriteSpanId(out, "span_id", view.trace, times.step);
  WriteSpanId(out, "engine_span_id", view.trace, times.engine);
  out.Key("model").String(times.model).Key("duration_ns").Int(times.duration_ns);
  out.Key("first_token_ns").Int(times.first_token_ns);
  out.Key("phases");
  if (times.phases == PhaseSource::kNone) {
    out.Null();
  } else {
    out.BeginObject().Key("connect_send_ns").Int(times.connect_send_ns);
    out.Key("queue_ns").Int(times.queue_ns).Key("prefill_ns").Int(times.prefill_ns);
    out.Key("first_token_return_ns");
    if (times.phases == PhaseSource::kEngineSpan) {
      out.Int(times.first_token_return_ns);
    } else {
      out.Null();
    }
    out.EndObject();
  }
  out.Key("decode_ns").Int(times.decode_ns).Key("tail_ns").Int(times.tail_ns);
  out.Key("engine_decode_ns");
  if (times.engine_decode_ns > 0) {
    out.Int(times.engine_decode_ns);
  } else {
    out.Null();
  }
  out.Key("per_token_ms");
  if (times.per_token_ms) {
    out.Double(*times.per_token_ms);
  } else {
    out.Null();
  }
  out.Key("stalls").BeginArray();
  for (const genai::Stall& stall : times.stalls) {
    out.BeginObject().Key("after_ns").Int(stall.at_ns);
    out.Key("length_ns").Int(stall.gap_ns).EndObject();
  }
  out.EndArray().Key("stall_count").Int(times.stall_count).Key("stall_ns").Int(times.stall_ns);
  out.Key("first_token_by_engine").Bool(times.first_token_by_engine);
  out.Key("clocks_differ").Bool(times.clocks_differ).Key("early_end").Bool(times.early_end);
  out.EndObject();
}

void WriteLine(JsonWriter& out, std::string_view key,
               const std::optional<analysis::RobustLine>& line) {
  out.Key(key);
  if (!line) {
    out.Null();
    return;
  }
  out.BeginObject().Key("ns_per_token").Double(line->slope).Key("low").Double(line->low);
  out.Key("high").Double(line->high).Key("calls").Uint(line->samples);
  out.Key("sure").Bool(line->is_sure()).EndObject();
}

void WriteEstimate(JsonWriter& out, const TokenRow& row) {
  const analysis::TokenEstimate estimate =
      analysis::EstimateTokens(row.first.samples(), row.rest.samples());
  out.Key("estimate");
  if (!estimate.prefill && !estimate.decode) {
    out.Null();
    return;
  }
  out.BeginObject().Key("estimated").Bool(true);
  WriteLine(out, "prefill", estimate.prefill);
  WriteLine(out, "decode", estimate.decode);
  out.Key("phases");
  if (estimate.phases) {
    const auto whole = [](double ns) { return static_cast<std::int64_t>(ns + 0.5); };
    out.BeginObject().Key("base_ns").Int(whole(estimate.phases->base_ns));
    out.Key("prefill_ns").Int(whole(estimate.phases->prefill_ns));
    out.Key("prefill_low_ns").Int(whole(estimate.phases->prefill_low_ns));
    out.Key("prefill_high_ns").Int(whole(estimate.phases->prefill_high_ns));
    out.Key("queue_ns").Int(whole(estimate.phases->queue_ns)).EndObject();
  } else {
    out.Null();
  }
  out.EndObject();
}

void WriteRow(JsonWriter& out, const TokenRow& row) {
  out.BeginObject().Key("model").String(row.model).Key("calls").Int(row.calls);
  out.Key("first_token_mean_ns").Int(Mean(row.first_token_ns, row.weight));
  out.Key("first_token_p50_ns").Int(row.first_tokens.QuantileNs(0.50));
  out.Key("first_token_p95_ns").Int(row.first_tokens.QuantileNs(0.95));
  out.Key("decode_mean_ns").Int(Mean(row.decode_ns, row.weight));
  out.Key("tail_mean_ns").Int(Mean(row.tail_ns, row.weight));
  out.Key("per_token_p50_ns").Int(row.per_token.QuantileNs(0.50));
  out.Key("per_token_p95_ns").Int(row.per_token.QuantileNs(0.95));
  out.Key("phases");
  if (row.calls_with_phases == 0) {
    out.Null();
  } else {
    const auto mean = [&](double sum) { return Mean(sum, row.phases_weight); };
    out.BeginObject().Key("calls").Int(row.calls_with_phases);
    out.Key("first_token_mean_ns").Int(mean(row.phases_first_token_ns));
    out.Key("connect_send_mean_ns").Int(mean(row.connect_send_ns));
    out.Key("queue_mean_ns").Int(mean(row.queue_ns));
    out.Key("prefill_mean_ns").Int(mean(row.prefill_ns));
    out.Key("first_token_return_mean_ns").Int(mean(row.first_token_return_ns)).EndObject();
  }
  WriteEstimate(out, row);
  out.Key("stalled_calls").Int(row.stalled_calls).Key("stalls").Int(row.stalls);
  out.Key("stall_ns").Int(row.stall_ns).Key("clocks_differ").Int(row.clocks_differ);
  out.Key("early_ends").Int(row.early_ends).EndObject();
}

}  // namespace

Result<std::string> TtftJson(const LedgerContext& context, std::string_view body) {
  FLUORO_TRY(const LedgerRequest request, ParseLedgerRequest(body));
  TokenTable table;
  std::int64_t traces = 0;
  JsonWriter steps;
  steps.BeginArray();
  FLUORO_TRY(const LookedAt looked_at,
             LookAt(context, request, [&](const TraceView& view, double weight) {
               ++traces;
               for (const TokenTimes& times : TokenTimesOf(view.trace, view.steps)) {
                 table.Add(times, weight);
                 if (request.trace) WriteStep(steps, view, times);
               }
             }));
  JsonWriter out;
  out.BeginObject();
  WriteAsked(out, request);
  out.Key("traces").Int(traces).Key("models").BeginArray();
  for (const TokenRow* row : table.Rows()) WriteRow(out, *row);
  out.EndArray().Key("crowded_out").Int(table.crowded_out());
  steps.EndArray();
  if (request.trace) out.Key("steps").Raw(steps.Take());
  WriteLookedAt(out, looked_at);
  out.EndObject();
  return out.Take();
}

}  // namespace fluoro::api::ui
