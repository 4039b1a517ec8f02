#include "api/ui/experiments_api.h"

#include <algorithm>
#include <optional>

#include "analysis/compare/experiments.h"
#include "analysis/compare/request.h"
#include "api/ui/request.h"
#include "genai/labels.h"
#include "genai/step.h"
#include "genai/trace_cost.h"

namespace fluoro::api::ui {
namespace {

using analysis::compare::Arm;
using analysis::compare::Difference;
using analysis::compare::Estimate;
using analysis::compare::Experiment;
using analysis::compare::ExperimentOptions;
using analysis::compare::Experiments;
using analysis::compare::Metric;
using analysis::compare::MetricDifference;
using analysis::compare::MetricEstimate;
using analysis::compare::StepPart;

Result<ExperimentOptions> ParseOptions(JsonView root) {
  ExperimentOptions options;
  FLUORO_TRY(options.control, TextIn(root, "control"));
  for (const JsonView::Member& member : root["shares"].Members()) {
    const auto share = member.value.Double();
    if (!share || !(*share > 0))
      return Fail(ErrorCode::kInvalidArgument, "shares: positive numbers by arm wanted");
    options.shares[std::string(member.key)] = *share;
  }
  return options;
}

// Only traces that take part in an experiment are read.
std::string Narrowed(const std::string& expression, const std::string& id) {
  std::string wanted = "annotation.experiment_id";
  if (!id.empty()) {
    wanted += " = \"";
    for (const char c : id) {
      if (c == '"' || c == '\\') wanted += '\\';
      wanted += c;
    }
    wanted += "\"";
  }
  return expression.empty() ? wanted : "(" + expression + ") AND " + wanted;
}

bool MetATimeLimit(const model::AssembledTrace& trace) {
  return std::ranges::any_of(trace.entities, [](const model::Entity& entity) {
    if (entity.span == nullptr || entity.role == model::EntityRole::kInferred) return false;
    const auto timeout = genai::CanonicalField(*entity.span, "timeout");
    const bool* const flag = timeout ? timeout->AsBool() : nullptr;
    return flag != nullptr && *flag;
  });
}

// False: it takes part in none, or in an arm without a name.
bool AddTrace(Experiments& experiments, const model::AssembledTrace& trace, std::string_view id,
              const genai::ModelPrices& prices) {
  const model::Entity* const root = trace.Root();
  if (root == nullptr) return false;
  const genai::TraceLabels labels = genai::LabelsOf(trace);
  const std::string_view experiment = labels.Get(trace.root, genai::Label::kExperimentId);
  const std::string_view arm = labels.Get(trace.root, genai::Label::kExperimentArm);
  if (experiment.empty() || arm.empty() || (!id.empty() && id != experiment)) return false;

  const genai::TraceCost cost = genai::PriceTrace(trace, prices);
  const std::vector<analysis::compare::RequestPart> parts = analysis::compare::PartsOf(trace, cost);
  std::vector<StepPart> steps;
  for (const auto& part : parts) {
    steps.push_back(
        {.step = part.step, .path_ns = part.path_ns, .cost_nano_usd = part.cost_nano_usd});
  }
  experiments.Add(
      {.experiment = experiment,
       .arm = arm,
       .weight = WeightOf(trace),
       .latency_ns =
           root->in_progress ? std::nullopt : std::optional<std::int64_t>(root->duration_ns()),
       .ttft_ns = analysis::compare::FirstTokenOf(trace),
       .cost_nano_usd =
           cost.unpriced_steps > 0 ? std::nullopt : std::optional<std::int64_t>(cost.cost_nano_usd),
       .tokens = cost.prompt_tokens + cost.completion_tokens,
       .failed = root->outcome() != model::Outcome::kOk,
       .timeout = MetATimeLimit(trace),
       .steps = steps});
  return true;
}

// Money leaves in USD, as everywhere.
double ScaleOf(Metric metric) {
  return analysis::compare::MetricUnit(metric) == "nano_usd" ? 1e-9 : 1;
}

void WriteRange(JsonWriter& out, double value, double low, double high, double scale) {
  out.Key("value").Double(value * scale);
  out.Key("low").Double(low * scale).Key("high").Double(high * scale);
}

void WriteDifference(JsonWriter& out, std::string_view member, const Difference& difference,
                     double scale) {
  out.Key(member).BeginObject();
  WriteRange(out, difference.value, difference.low, difference.high, scale);
  out.Key("p").Double(difference.p).EndObject();
}

void WriteMetric(JsonWriter& out, Metric metric, const MetricEstimate& of,
                 const MetricDifference& difference) {
  const double scale = ScaleOf(metric);
  out.Key(analysis::compare::MetricName(metric)).BeginObject();
  out.Key("requests").Uint(of.requests);
  if (of.requests > 0) {
    const Estimate& estimate = of.estimate;
    WriteRange(out, estimate.value, estimate.low, estimate.high, scale);
  }
  if (difference.known) {
    WriteDifference(out, "difference", difference.difference, scale);
    out.Key("q").Double(difference.q).Key("differs").Bool(difference.differs);
    out.Key("more_requests");
    if (difference.more_requests) {
      out.Double(*difference.more_requests);
    } else {
      out.Null();
    }
  }
  out.EndObject();
}

void WriteArm(JsonWriter& out, const Arm& arm) {
  out.BeginObject().Key("arm").String(arm.name).Key("requests").Uint(arm.requests);
  out.Key("weight").Double(arm.weight).Key("share").Double(arm.share);
  out.Key("expected_share").Double(arm.expected_share).Key("unpriced").Uint(arm.unpriced);
  out.Key("metrics").BeginObject();
  for (std::size_t m = 0; m < analysis::compare::kMetrics; ++m)
    WriteMetric(out, static_cast<Metric>(m), arm.metrics.at(m), arm.differences.at(m));
  out.EndObject().Key("steps").BeginArray();
  for (const auto& step : arm.steps) {
    out.BeginObject().Key("step").String(step.step);
    WriteDifference(out, "path_ns", step.path_ns, 1);
    WriteDifference(out, "cost_usd", step.cost_nano_usd, 1e-9);
    out.EndObject();
  }
  out.EndArray().EndObject();
}

void WriteExperiment(JsonWriter& out, const Experiment& experiment) {
  out.BeginObject().Key("id").String(experiment.id).Key("control").String(experiment.control);
  out.Key("ratio_p").Double(experiment.ratio_p);
  out.Key("ratio_mismatch").Bool(experiment.ratio_mismatch);
  out.Key("arms_left_out").Uint(experiment.arms_left_out).Key("arms").BeginArray();
  for (const Arm& arm : experiment.arms) WriteArm(out, arm);
  out.EndArray().EndObject();
}

}  // namespace

Result<std::string> ExperimentsJson(const CompareContext& context, std::string_view body) {
  FLUORO_TRY(QueryRequest request, ParseQueryRequest(body));
  const auto tree = JsonTree::Parse(body.empty() ? "{}" : body);
  if (!tree) return Fail(ErrorCode::kInvalidArgument, "body: " + tree.error().message);
  FLUORO_TRY(const std::string id, TextIn(tree->root(), "id"));
  FLUORO_TRY(const ExperimentOptions options, ParseOptions(tree->root()));
  request.expression = Narrowed(request.expression, id);
  FLUORO_TRY(query::Plan plan, MakePlan(request, context.now_monotonic_ns, context.groups));
  plan.scan_max = kExperimentTracesMax;
  Experiments experiments;
  std::uint64_t without_arm = 0;
  FLUORO_TRY(const store::SearchResult found,
             context.store.Search(plan, [&](const store::Match& match) {
               if (!AddTrace(experiments, match.trace, id, context.model_prices)) ++without_arm;
               return true;
             }));
  const std::vector<Experiment> report = experiments.Report(options);
  if (!id.empty() && report.empty()) return Fail(ErrorCode::kNotFound, "no request of " + id);

  JsonWriter out;
  out.BeginObject();
  WriteTime(out, "from", request.from_ns);
  WriteTime(out, "to", request.until_ns);
  WriteScanned(out, found, context.now_ns);
  out.Key("requests_without_arm").Uint(without_arm);
  out.Key("experiments_left_out").Uint(experiments.left_out());
  out.Key("experiments").BeginArray();
  for (const Experiment& experiment : report) WriteExperiment(out, experiment);
  out.EndArray().EndObject();
  return out.Take();
}

}  // namespace fluoro::api::ui
