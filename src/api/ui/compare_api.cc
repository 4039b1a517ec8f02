#include "api/ui/compare_api.h"

#include <algorithm>

#include "analysis/compare/attributes.h"
#include "analysis/compare/trace_diff.h"
#include "analysis/compare/typical.h"
#include "api/ui/request.h"
#include "genai/trace_cost.h"

namespace fluoro::api::ui {
namespace {

using analysis::compare::DiffNode;
using analysis::compare::ShapeNode;
using analysis::compare::StepUsage;
using analysis::compare::TraceDiff;
using analysis::compare::TraceShape;
using analysis::compare::TypicalTrace;

constexpr std::int64_t kTypicalWindowNs = 3'600'000'000'000;

TraceShape PricedShape(const model::AssembledTrace& trace, const genai::ModelPrices& prices) {
  const genai::TraceCost cost = genai::PriceTrace(trace, prices);
  std::vector<StepUsage> usage;
  for (const genai::PricedStep& step : cost.steps) {
    if (step.role != genai::UsageRole::kBillable) continue;
    usage.push_back({.entity = step.entity,
                     .prompt_tokens = step.prompt_tokens,
                     .completion_tokens = step.completion_tokens,
                     .cost_nano_usd = step.cost_nano_usd});
  }
  return ShapeOf(trace, usage);
}

/// What the entry of a request is called.
struct Entry {
  std::string service, name;
  bool operator==(const Entry&) const = default;
};

Entry EntryOf(const model::AssembledTrace& trace) {
  const model::Entity* const root = trace.Root();
  if (root == nullptr) return {};
  return {.service = std::string(analysis::compare::ServiceOf(trace, *root)),
          .name = std::string(analysis::compare::OperationOf(*root))};
}

struct One {
  TraceShape shape;
  Entry entry;
  std::int64_t start_ns = 0;
  std::uint64_t spans_after = 0;  ///< of a trace too large to be held whole
};

// The spans go before the next trace is read: they hold memory that questions share.
Result<One> Read(const CompareContext& context, JsonView id_value, std::string_view member) {
  const auto text = id_value.String();
  if (!text) return Fail(ErrorCode::kInvalidArgument, std::string(member) + ": a trace id wanted");
  FLUORO_TRY(const model::TraceId id, model::TraceId::Parse(*text));
  FLUORO_TRY(auto stored, context.store.ReadTrace(id));
  if (!stored) return Fail(ErrorCode::kNotFound, "no trace " + id.ToXRay());
  const std::uint64_t after = stored->spans_after;
  const model::AssembledTrace trace = model::Assemble(std::move(stored));
  return One{.shape = PricedShape(trace, context.model_prices),
             .entry = EntryOf(trace),
             .start_ns = trace.start_ns,
             .spans_after = after};
}

void WriteSide(JsonWriter& out, std::string_view member, const ShapeNode* node, bool typical) {
  out.Key(member);
  if (node == nullptr) {
    out.Null();
    return;
  }
  out.BeginObject();
  if (typical) {
    out.Key("share").Double(node->share);
    out.Key("usual_min_ns").Int(node->usual_min_ns).Key("usual_max_ns").Int(node->usual_max_ns);
  } else {
    out.Key("span_id").String(node->span.ToHex());
  }
  out.Key("start_ns").Int(node->start_ns).Key("duration_ns").Int(node->duration_ns);
  out.Key("self_ns").Int(node->self_ns).Key("path_ns").Int(node->path_ns);
  out.Key("outcome").String(model::OutcomeName(node->outcome));
  if (node->usage) {
    out.Key("prompt_tokens").Int(node->usage->prompt_tokens);
    out.Key("completion_tokens").Int(node->usage->completion_tokens).Key("cost_usd");
    if (node->usage->cost_nano_usd) {
      out.Double(static_cast<double>(*node->usage->cost_nano_usd) * 1e-9);
    } else {
      out.Null();
    }
  }
  out.EndObject();
}

void WriteText(JsonWriter& out, std::string_view member, const std::optional<std::string>& text) {
  out.Key(member);
  if (text) {
    out.String(*text);
  } else {
    out.Null();
  }
}

void WriteNode(JsonWriter& out, const TraceShape& a, const TraceShape& b, const DiffNode& node,
               bool typical) {
  const auto at = [](const TraceShape& shape, std::int32_t index) {
    return index < 0 ? nullptr : &shape.nodes[static_cast<std::size_t>(index)];
  };
  const ShapeNode* const of_a = at(a, node.a);
  const ShapeNode* const of_b = at(b, node.b);
  const analysis::compare::StepName& step = (of_a != nullptr ? of_a : of_b)->step;
  out.BeginObject().Key("parent");
  if (node.parent < 0) {
    out.Null();
  } else {
    out.Int(node.parent);
  }
  out.Key("service").String(step.service).Key("name").String(step.name);
  out.Key("step_kind").String(genai::StepKindName(step.kind));
  out.Key("occurrence").Uint(step.occurrence);
  out.Key("change").String(analysis::compare::ChangeName(node.change));
  out.Key("explains").Bool(node.explains).Key("outcome_changed").Bool(node.outcome_changed);
  out.Key("duration_delta_ns").Int(node.duration_delta_ns);
  out.Key("self_delta_ns").Int(node.self_delta_ns).Key("path_delta_ns").Int(node.path_delta_ns);
  WriteSide(out, "a", of_a, typical);
  WriteSide(out, "b", of_b, false);
  out.Key("attributes").BeginArray();
  // A typical trace has no attributes of its own.
  if (!typical) {
    for (const auto& change : node.attributes) {
      out.BeginObject().Key("key").String(change.key);
      WriteText(out, "a", change.a);
      WriteText(out, "b", change.b);
      out.EndObject();
    }
  }
  out.EndArray().Key("attributes_more").Uint(typical ? 0 : node.attributes_more).EndObject();
}

void WriteTrace(JsonWriter& out, std::string_view member, const One& trace) {
  out.Key(member).BeginObject().Key("trace_id").String(trace.shape.id.ToXRay());
  out.Key("start_ns").Int(trace.start_ns).Key("duration_ns").Int(trace.shape.duration_ns);
  out.Key("root_ns").Int(trace.shape.root_ns);
  out.Key("service").String(trace.entry.service).Key("name").String(trace.entry.name);
  out.Key("steps").Uint(trace.shape.nodes.size());
  out.Key("steps_left_out").Uint(trace.shape.nodes_left_out + trace.spans_after);
  out.Key("attributes_left_out").Uint(trace.shape.attributes_left_out).EndObject();
}

void WriteDiff(JsonWriter& out, const TraceShape& a, const TraceShape& b, bool typical) {
  const TraceDiff diff = Diff(a, b);
  const std::size_t shown = std::min(diff.nodes.size(), kDiffNodesMax);
  out.Key("same").Bool(typical ? diff.explained_by.empty() : diff.same());
  out.Key("root_delta_ns").Int(b.root_ns - a.root_ns);
  out.Key("nodes").BeginArray();
  for (std::size_t i = 0; i < shown; ++i) WriteNode(out, a, b, diff.nodes[i], typical);
  out.EndArray().Key("nodes_more").Uint(diff.nodes.size() - shown);
  out.Key("explained_by").BeginArray();
  for (const std::int32_t node : diff.explained_by) {
    if (static_cast<std::size_t>(node) < shown) out.Int(node);
  }
  out.EndArray();
}

// Traces of the same entry, or those of the expression that was asked for.
Result<void> WriteTypical(JsonWriter& out, const CompareContext& context, QueryRequest request,
                          const One& one) {
  const bool same_entry = request.expression.empty() && request.group.empty();
  if (same_entry) {
    std::string name;
    for (const char c : one.entry.service) {
      if (c == '"' || c == '\\') name += '\\';
      name += c;
    }
    request.expression = "service(\"" + name + "\") { root }";
  }
  if (request.from_ns == INT64_MIN && request.until_ns == INT64_MAX) {
    request.from_ns = one.start_ns - kTypicalWindowNs;
    request.until_ns = one.start_ns + kTypicalWindowNs;
  }
  FLUORO_TRY(query::Plan plan, MakePlan(request, context.now_monotonic_ns, context.groups));
  plan.scan_max = kTypicalScanMax;
  TypicalTrace typical;
  FLUORO_TRY(const store::SearchResult found,
             context.store.Search(plan, [&](const store::Match& match) {
               if (match.trace.trace->id == one.shape.id || match.trace.in_progress ||
                   (same_entry && EntryOf(match.trace) != one.entry))
                 return true;
               typical.Add(analysis::compare::ShapeOf(match.trace, {}), WeightOf(match.trace));
               return typical.traces() < TypicalTrace::kTracesMax;
             }));
  const auto median = typical.Median();
  if (!median) return Fail(ErrorCode::kNotFound, "no other trace to compare with");
  const TraceShape usual = typical.Shape();
  WriteScanned(out, found, context.now_ns);
  out.Key("typical").BeginObject().Key("traces").Uint(typical.traces());
  out.Key("expression").String(request.expression);
  out.Key("median_trace").String(median->ToXRay());
  out.Key("duration_ns").Int(usual.duration_ns).Key("root_ns").Int(usual.root_ns);
  out.Key("steps_left_out").Uint(typical.steps_left_out()).EndObject();
  WriteTrace(out, "b", one);
  WriteDiff(out, usual, one.shape, true);
  return {};
}

}  // namespace

Result<std::string> CompareJson(const CompareContext& context, std::string_view body) {
  FLUORO_TRY(QueryRequest request, ParseQueryRequest(body));
  const auto tree = JsonTree::Parse(body.empty() ? "{}" : body);
  if (!tree) return Fail(ErrorCode::kInvalidArgument, "body: " + tree.error().message);
  FLUORO_TRY(const bool typical, BoolIn(tree->root(), "typical"));
  FLUORO_TRY(const One a, Read(context, tree->root()["a"], "a"));
  JsonWriter out;
  out.BeginObject();
  if (typical) {
    FLUORO_CHECK_OK(WriteTypical(out, context, std::move(request), a));
  } else {
    FLUORO_TRY(const One b, Read(context, tree->root()["b"], "b"));
    out.Key("as_of").Int(context.now_ns);
    WriteTrace(out, "a", a);
    WriteTrace(out, "b", b);
    WriteDiff(out, a.shape, b.shape, false);
  }
  out.EndObject();
  return out.Take();
}

}  // namespace fluoro::api::ui
