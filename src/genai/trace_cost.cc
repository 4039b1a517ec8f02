#include "genai/trace_cost.h"

#include <algorithm>

namespace fluoro::genai {
namespace {

void Add(std::int64_t& sum, std::int64_t more) {
  if (__builtin_add_overflow(sum, more, &sum)) sum = INT64_MAX;
}

void AddTo(std::optional<std::int64_t>& sum, std::int64_t more) { sum = sum.value_or(0) + more; }

// More than a twentieth of the larger.
bool Differ(std::int64_t a, std::int64_t b) {
  const std::int64_t larger = std::max(a, b);
  return larger - std::min(a, b) > larger / 20;
}

void Itemise(PricedStep& step) {
  for (const CostLine& line : step.lines) {
    switch (line.part) {
      case CostPart::kInput:
        AddTo(step.input_nano_usd, line.nano_usd);
        break;
      case CostPart::kCached:
        AddTo(step.cached_nano_usd, line.nano_usd);
        break;
      case CostPart::kCacheWrite:
      case CostPart::kCacheWrite1h:
        AddTo(step.cache_write_nano_usd, line.nano_usd);
        break;
      case CostPart::kOutput:
      case CostPart::kReasoning:
        AddTo(step.output_nano_usd, line.nano_usd);
        break;
      case CostPart::kCalls:
      case CostPart::kUnits:
      case CostPart::kEngineTime:
        break;
    }
  }
}

PricedStep StepOf(const StepUsage& usage, std::int32_t entity, const ModelPrices& prices) {
  const Call& call = usage.call;
  PricedStep step{.entity = entity,
                  .kind = call.kind,
                  .role = usage.role,
                  .reason = UsageReasonText(usage.reason),
                  .has_usage = usage.has_tokens || call.cost_nano_usd.has_value(),
                  .provider = std::string(call.provider),
                  .model = std::string(call.model),
                  .tool = std::string(call.tool),
                  .service_tier = std::string(call.service_tier),
                  .tenant = std::string(call.tenant),
                  .route = std::string(call.route),
                  .agent = std::string(call.agent),
                  .experiment = std::string(call.experiment),
                  .experiment_arm = std::string(call.experiment_arm),
                  .prompt = std::string(call.prompt),
                  .prompt_tokens = call.prompt_tokens,
                  .completion_tokens = call.completion_tokens,
                  .cached_tokens = call.cached_tokens,
                  .cache_write_tokens = call.cache_write_tokens,
                  .reasoning_tokens = call.reasoning_tokens,
                  .no_bill = call.no_bill,
                  .unattributed_tokens = usage.unattributed_tokens};
  if (usage.other_currency) step.flags |= kOtherCurrency;
  // A tool without a cost of its own may have a price.
  const bool tool = usage.counts && call.kind == StepKind::kTool && step.role == UsageRole::kNone;
  if (!usage.counts || (step.role != UsageRole::kBillable && !tool)) return step;
  CallCost cost = PriceCall(call, prices);
  if (tool && cost.source != CostSource::kNone) step.role = UsageRole::kBillable;
  step.source = cost.source;
  step.cost_nano_usd = cost.nano_usd;
  step.computed_nano_usd = cost.price.nano_usd;
  step.flags |= cost.flags;
  if (const ModelPrice* entry = cost.price.entry; entry != nullptr) {
    step.price_id = entry->id;
    step.price_valid_from = DayText(entry->valid_from);
    step.engine = entry->engine;
    if (cost.price.tier != nullptr) step.tier = TierText(*cost.price.tier);
  }
  if (cost.source == CostSource::kComputed || cost.source == CostSource::kSelfHosted) {
    step.lines = std::move(cost.price.lines);
    Itemise(step);
  }
  return step;
}

}  // namespace

std::string_view CostSourceName(CostSource source) {
  switch (source) {
    case CostSource::kReported:
      return "reported";
    case CostSource::kComputed:
      return "computed";
    case CostSource::kSelfHosted:
      return "self_hosted";
    case CostSource::kUnpriced:
      return "unpriced";
    case CostSource::kNone:
      break;
  }
  return "none";
}

std::int64_t PricedStep::tokens() const {
  std::int64_t sum = prompt_tokens;
  Add(sum, completion_tokens);
  return sum;
}

CallCost PriceCall(const Call& call, const ModelPrices& prices) {
  CallCost cost;
  switch (call.no_bill) {
    case NoBill::kLocalCacheHit:
    case NoBill::kThrottled:
    case NoBill::kNotConnected:
      return {.source = CostSource::kComputed, .nano_usd = 0, .price = {.nano_usd = 0}};
    case NoBill::kPossiblyBilled:
      return {
          .source = CostSource::kUnpriced, .nano_usd = {}, .price = {}, .flags = kPossiblyBilled};
    case NoBill::kUsageMissing:
    case NoBill::kNoUsage:
    case NoBill::kNone:
      break;
  }
  cost.price = prices.Of(UsageOf(call));
  cost.flags = cost.price.flags;
  if (call.cost_nano_usd) {
    cost.source = CostSource::kReported;
    cost.nano_usd = call.cost_nano_usd;
    if (cost.price.nano_usd && Differ(*cost.price.nano_usd, *call.cost_nano_usd))
      cost.flags |= kCostMismatch;
    return cost;
  }
  const bool by_time = cost.price.entry != nullptr && cost.price.entry->engine.has_value();
  const bool has_lines = !cost.price.lines.empty();
  if (call.no_bill == NoBill::kNoUsage && !has_lines) return {};
  if (call.no_bill == NoBill::kUsageMissing && !has_lines) {
    return {.source = CostSource::kUnpriced,
            .nano_usd = {},
            .price = std::move(cost.price),
            .flags = cost.flags | kUsageMissing};
  }
  if (cost.price.nano_usd) {
    cost.source = by_time ? CostSource::kSelfHosted : CostSource::kComputed;
    cost.nano_usd = cost.price.nano_usd;
  } else if (call.kind != StepKind::kTool || cost.price.entry != nullptr) {
    cost.source = CostSource::kUnpriced;
  }
  return cost;
}

void AddStep(TraceCost& sums, const PricedStep& step) {
  if (step.role != UsageRole::kBillable) return;
  Add(sums.prompt_tokens, step.prompt_tokens);
  Add(sums.completion_tokens, step.completion_tokens);
  Add(sums.cached_tokens, step.cached_tokens);
  Add(sums.cache_write_tokens, step.cache_write_tokens);
  Add(sums.reasoning_tokens, step.reasoning_tokens);
  if (step.cost_nano_usd) {
    Add(sums.cost_nano_usd, *step.cost_nano_usd);
    Add(sums.priced_steps, 1);
  } else if (step.source == CostSource::kUnpriced) {
    Add(sums.unpriced_steps, 1);
    Add(sums.unpriced_tokens, step.tokens());
  }
  if ((step.flags & kPossiblyBilled) != 0) Add(sums.possibly_billed_attempts, 1);
}

TraceCost PriceTrace(const model::AssembledTrace& trace, const ModelPrices& prices) {
  TraceCost cost;
  if (trace.trace == nullptr) return cost;
  const std::vector<model::Span>& spans = trace.trace->spans;
  std::vector<std::int32_t> entities(spans.size(), -1);
  for (std::size_t i = 0; i < trace.entities.size(); ++i) {
    const model::Entity& entity = trace.entities[i];
    const bool own =
        entity.span != nullptr && !entity.synthetic && entity.role != model::EntityRole::kInferred;
    if (own)
      entities[static_cast<std::size_t>(entity.span - spans.data())] = static_cast<std::int32_t>(i);
  }
  CallFinder finder;
  for (const model::Span& span : spans) finder.Add(span);
  finder.FinishSteps([&](const StepUsage& usage) {
    PricedStep step = StepOf(usage, entities[usage.span], prices);
    const bool tells = step.has_usage || step.source != CostSource::kNone;
    if (!tells) return;
    if (!usage.under_rollup) Add(cost.unattributed_tokens, step.unattributed_tokens);
    AddStep(cost, step);
    cost.steps.push_back(std::move(step));
  });
  std::ranges::stable_sort(cost.steps, {}, &PricedStep::entity);
  return cost;
}

}  // namespace fluoro::genai
