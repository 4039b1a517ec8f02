#include "api/ui/genai_cost.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/ui/request.h"
#include "base/json_tree.h"
#include "genai/step.h"
#include "model/weight.h"

namespace fluoro::api::ui {
namespace {

using genai::CostLine;
using genai::CostPart;
using genai::PricedStep;
using genai::UsageRole;

void WriteUsd(JsonWriter& out, std::string_view key, const std::optional<std::int64_t>& nano_usd) {
  out.Key(key);
  if (nano_usd) {
    out.Seconds(*nano_usd);  // billionths, as exact decimals
  } else {
    out.Null();
  }
}

void WriteText(JsonWriter& out, std::string_view key, std::string_view text) {
  if (!text.empty()) out.Key(key).String(text);
}

std::string Usd(std::int64_t nano_usd) { return DecimalSeconds(nano_usd); }
// Of a price of a token: USD a million.
std::string PerMillion(genai::PicoUsd pico) { return DecimalSeconds(pico * 1'000); }
std::string Thousandths(std::int64_t milli) { return DecimalSeconds(milli * 1'000'000); }

// The product as one would write it on paper.
std::string Arithmetic(const CostLine& line, const PricedStep& step) {
  const std::string sum = " = " + Usd(line.nano_usd) + " USD";
  switch (line.part) {
    case CostPart::kCalls:
      return fmt::format("{} call{} x {} USD", line.quantity, line.quantity == 1 ? "" : "s",
                         Usd(line.price / 1'000)) +
             sum;
    case CostPart::kUnits:
      return fmt::format("{} units x {} USD", Thousandths(line.quantity), Usd(line.price / 1'000)) +
             sum;
    case CostPart::kEngineTime: {
      const genai::EnginePrice engine = step.engine.value_or(genai::EnginePrice());
      return fmt::format("{} s / 3600 x {} GPUs x {} USD an hour / {} requests at a time",
                         DecimalSeconds(line.quantity), Thousandths(engine.milli_gpus),
                         Usd(engine.nano_usd_per_gpu_hour), Thousandths(engine.milli_occupancy)) +
             sum;
    }
    default:
      return fmt::format("{} tokens x {} USD / 1M", line.quantity, PerMillion(line.price)) + sum;
  }
}

std::string_view WhyThisCost(const PricedStep& step) {
  using genai::NoBill;
  switch (step.no_bill) {
    case NoBill::kLocalCacheHit:
      return "answered by a cache on this side: no provider was asked";
    case NoBill::kThrottled:
      return "refused for too many requests, which costs nothing";
    case NoBill::kNotConnected:
      return "never reached the provider";
    case NoBill::kPossiblyBilled:
      return "failed after the first token and states no usage: it may have been billed";
    case NoBill::kUsageMissing:
      return "succeeded and states no usage";
    case NoBill::kNoUsage:
    case NoBill::kNone:
      break;
  }
  switch (step.source) {
    case genai::CostSource::kReported:
      return "as the span states it";
    case genai::CostSource::kComputed:
      return "tokens at the prices of the table that held when the call began";
    case genai::CostSource::kSelfHosted:
      return "the engine's time at the price of its GPUs";
    case genai::CostSource::kUnpriced:
      return step.price_id.empty() ? "no entry of the price table matches the model"
                                   : "the entry of the price table lacks what the call used";
    case genai::CostSource::kNone:
      break;
  }
  return "";
}

void WriteTokens(JsonWriter& out, const auto& of) {
  out.Key("prompt_tokens").Int(of.prompt_tokens);
  out.Key("completion_tokens").Int(of.completion_tokens);
  out.Key("cached_tokens").Int(of.cached_tokens);
  out.Key("cache_write_tokens").Int(of.cache_write_tokens);
  out.Key("reasoning_tokens").Int(of.reasoning_tokens);
}

void WriteFlags(JsonWriter& out, std::uint32_t flags) {
  out.Key("flags").BeginArray();
  for (const std::string_view flag : genai::PriceFlagNames(flags)) out.String(flag);
  out.EndArray();
}

void WriteBill(JsonWriter& out, const PricedStep& step) {
  out.Key("source").String(genai::CostSourceName(step.source));
  WriteUsd(out, "cost_usd", step.cost_nano_usd);
  out.Key("why").String(WhyThisCost(step));
  out.Key("price");
  if (step.price_id.empty()) {
    out.Null();
  } else {
    out.BeginObject().Key("id").String(step.price_id);
    out.Key("valid_from").String(step.price_valid_from);
    WriteText(out, "tier", step.tier);
    out.EndObject();
  }
  out.Key("lines").BeginArray();
  for (const CostLine& line : step.lines) {
    out.BeginObject().Key("part").String(genai::CostPartName(line.part));
    out.Key("quantity").Int(line.quantity);
    WriteUsd(out, "cost_usd", line.nano_usd);
    out.Key("text").String(Arithmetic(line, step)).EndObject();
  }
  out.EndArray();
  if (step.source == genai::CostSource::kReported)
    WriteUsd(out, "computed_usd", step.computed_nano_usd);
  WriteFlags(out, step.flags);
}

void WriteStep(JsonWriter& out, const model::AssembledTrace& trace, const PricedStep& step) {
  out.BeginObject();
  if (step.entity >= 0) {
    const model::Entity& entity = trace.entities[static_cast<std::size_t>(step.entity)];
    out.Key("span_id").String(entity.id.ToHex());
    out.Key("name").String(entity.span != nullptr ? entity.span->name : entity.name);
  }
  out.Key("step_kind").String(genai::StepKindName(step.kind));
  out.Key("role").String(genai::UsageRoleName(step.role));
  out.Key("reason").String(step.reason);
  WriteText(out, "provider", step.provider);
  WriteText(out, "model", step.model);
  WriteText(out, "tool", step.tool);
  WriteText(out, "service_tier", step.service_tier);
  WriteText(out, "tenant", step.tenant);
  WriteTokens(out, step);
  if (step.role == UsageRole::kBillable) {
    WriteBill(out, step);
  } else if (step.role == UsageRole::kRollup) {
    out.Key("unattributed_tokens").Int(step.unattributed_tokens);
  }
  out.EndObject();
}

void WriteAmounts(JsonWriter& out, const genai::CostAmounts& amounts) {
  out.Key("calls").Int(amounts.calls);
  WriteTokens(out, amounts);
  // Nothing is known of the cost of any: null, not 0.
  const bool known = amounts.calls == 0 || amounts.unpriced_calls < amounts.calls;
  WriteUsd(out, "cost_usd", known ? std::optional(amounts.nano_usd) : std::nullopt);
  WriteUsd(out, "reported_usd", amounts.reported_nano_usd);
  WriteUsd(out, "computed_usd", amounts.computed_nano_usd);
  WriteUsd(out, "self_hosted_usd", amounts.self_hosted_nano_usd);
  out.Key("unpriced_calls").Int(amounts.unpriced_calls);
  out.Key("unpriced_tokens").Int(amounts.unpriced_tokens);
  out.Key("possibly_billed_attempts").Int(amounts.possibly_billed);
  out.Key("estimated_calls").Int(amounts.estimated_calls);
}

std::unexpected<Error> WrongBy() {
  std::string names;
  for (std::size_t i = 0; i < genai::kCostDimensions; ++i) {
    names += (i == 0 ? "" : ", ");
    names += genai::CostDimensionName(static_cast<genai::CostDimension>(i));
  }
  return Fail(ErrorCode::kInvalidArgument, "by: a list of " + names + " wanted");
}

}  // namespace

Result<GenAiCostRequest> ParseGenAiCostRequest(std::string_view body, std::int64_t now_monotonic_ns,
                                               const query::GroupLookup& groups) {
  FLUORO_TRY(const QueryRequest window, ParseQueryRequest(body));
  GenAiCostRequest request{
      .plan = {}, .from_ns = window.from_ns, .until_ns = window.until_ns, .by = {}};
  FLUORO_TRY(request.plan, MakePlan(window, now_monotonic_ns, groups));
  const auto tree = JsonTree::Parse(body.empty() ? "{}" : body);
  const JsonView by = tree ? tree->root()["by"] : JsonView();
  if (by.exists() && !by.IsNull()) {
    if (!by.IsArray()) return WrongBy();
    for (const JsonView& name : by.Elements()) {
      const auto dimension = genai::CostDimensionNamed(name.String().value_or(""));
      if (!dimension) return WrongBy();
      if (std::ranges::find(request.by, *dimension) == request.by.end())
        request.by.push_back(*dimension);
    }
  } else {
    request.by.push_back(genai::CostDimension::kModel);
  }
  return request;
}

std::string PrintGenAiCost(const GenAiCostRequest& request, const genai::CostRows& rows,
                           const GenAiCostScope& scope, const genai::ModelPrices& prices) {
  JsonWriter out;
  out.BeginObject();
  WriteTime(out, "from", request.from_ns);
  WriteTime(out, "to", request.until_ns);
  out.Key("by").BeginArray();
  for (const genai::CostDimension dimension : rows.by())
    out.String(genai::CostDimensionName(dimension));
  out.EndArray().Key("prices_date").String(DayText(prices.date()));
  out.Key("traces").Uint(scope.traces).Key("total").BeginObject();
  WriteAmounts(out, rows.total());
  out.EndObject().Key("rows").BeginArray();
  for (const genai::CostRows::Row& row : rows.Rows()) {
    out.BeginObject();
    for (const genai::CostDimension dimension : rows.by()) {
      const std::string& text = row.key.at(static_cast<std::size_t>(dimension));
      out.Key(genai::CostDimensionName(dimension));
      if (text.empty()) {
        out.Null();
      } else {
        out.String(text);
      }
    }
    if (row.is_other) out.Key("other").Bool(true);
    WriteAmounts(out, row.amounts);
    out.EndObject();
  }
  out.EndArray().Key("complete").Bool(scope.complete);
  out.Key("cut_traces").Uint(scope.cut_traces).Key("damaged").BeginArray();
  for (const std::string& block : scope.damaged) out.String(block);
  out.EndArray().EndObject();
  return out.Take();
}

Result<std::string> GenAiCostJson(store::TraceStore& store, const GenAiCostRequest& request,
                                  const genai::ModelPrices& prices) {
  genai::CostRows rows(request.by);
  GenAiCostScope scope;
  FLUORO_TRY(const store::SearchResult found,
             store.Search(request.plan, [&](const store::Match& match) {
               const model::Trace& trace = *match.trace.trace;
               ++scope.traces;
               if (trace.IsPart()) ++scope.cut_traces;
               const std::int64_t times = model::WholeWeight(trace.id, &trace.kept);
               for (const PricedStep& step : genai::PriceTrace(match.trace, prices).steps)
                 rows.Add(step, times);
               return true;
             }));
  scope.complete = found.complete;
  scope.damaged = found.damaged;
  return PrintGenAiCost(request, rows, scope, prices);
}

std::string AuditJson(const model::AssembledTrace& trace, const genai::ModelPrices& prices) {
  const genai::TraceCost cost = genai::PriceTrace(trace, prices);
  JsonWriter out;
  out.BeginObject().Key("trace_id").String(trace.trace->id.ToXRay());
  out.Key("complete").Bool(!trace.trace->IsPart() && !trace.in_progress);
  out.Key("prices_date").String(DayText(prices.date()));
  WriteUsd(out, "cost_usd", cost.cost_nano_usd);
  // Added up again, from what is written below.
  std::int64_t of_steps = 0;
  std::int64_t of_lines = 0;
  for (const PricedStep& step : cost.steps) {
    of_steps += step.cost_nano_usd.value_or(0);
    if (step.lines.empty()) of_lines += step.cost_nano_usd.value_or(0);
    for (const CostLine& line : step.lines) of_lines += line.nano_usd;
  }
  out.Key("sums_to_cost").Bool(of_steps == cost.cost_nano_usd && of_lines == cost.cost_nano_usd);
  WriteUsd(out, "sum_of_steps_usd", of_steps);
  WriteUsd(out, "sum_of_lines_usd", of_lines);
  WriteTokens(out, cost);
  out.Key("unpriced_steps").Int(cost.unpriced_steps);
  out.Key("unpriced_tokens").Int(cost.unpriced_tokens);
  out.Key("possibly_billed_attempts").Int(cost.possibly_billed_attempts);
  out.Key("unattributed_tokens").Int(cost.unattributed_tokens);
  for (const bool counted : {true, false}) {
    out.Key(counted ? "counted" : "not_counted").BeginArray();
    for (const PricedStep& step : cost.steps) {
      if ((step.role == UsageRole::kBillable) == counted) WriteStep(out, trace, step);
    }
    out.EndArray();
  }
  out.EndObject();
  return out.Take();
}

void WriteUsage(JsonWriter& out, const genai::TraceCost& cost, const genai::ModelPrices& prices) {
  out.BeginObject();
  WriteTokens(out, cost);
  const bool nothing_known = cost.priced_steps == 0 && cost.unpriced_steps > 0;
  WriteUsd(out, "cost_usd", nothing_known ? std::nullopt : std::optional(cost.cost_nano_usd));
  out.Key("unpriced_spans").Int(cost.unpriced_steps);
  out.Key("unpriced_tokens").Int(cost.unpriced_tokens);
  out.Key("possibly_billed_attempts").Int(cost.possibly_billed_attempts);
  out.Key("unattributed_tokens").Int(cost.unattributed_tokens);
  out.Key("prices_date").String(DayText(prices.date())).EndObject();
}

}  // namespace fluoro::api::ui
