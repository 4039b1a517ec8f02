#include "api/ui/differ_api.h"

#include <fmt/format.h>

#include <algorithm>

#include "analysis/compare/differ.h"
#include "analysis/compare/selection.h"
#include "analysis/compare/significance.h"
#include "api/ui/request.h"

namespace fluoro::api::ui {
namespace {

using analysis::compare::Differ;
using analysis::compare::DifferReport;
using analysis::compare::Finding;
using analysis::compare::KeyName;
using analysis::compare::Origin;
using analysis::compare::Selection;
using analysis::compare::Side;
using analysis::compare::ValueShare;
using Kind = ValueShare::Kind;

constexpr auto kSelection = static_cast<std::size_t>(Side::kSelection);
constexpr auto kBaseline = static_cast<std::size_t>(Side::kBaseline);

Result<Selection> ParseSelection(JsonView select, const query::GroupLookup& groups) {
  if (!select.IsObject())
    return Fail(ErrorCode::kInvalidArgument, "select: an object that says what is selected wanted");
  Selection out;
  FLUORO_TRY(const std::string expression, TextIn(select, "expression"));
  if (!expression.empty()) {
    FLUORO_TRY(out.filter, query::Filter::Parse(
                               expression, {.case_insensitive_strings = false, .groups = groups}));
  }
  FLUORO_TRY(out.from_ns, IntIn(select, "from", INT64_MIN));
  FLUORO_TRY(out.until_ns, IntIn(select, "to", INT64_MAX));
  FLUORO_TRY(out.duration_min_ns, IntIn(select, "duration_min_ns", 0));
  FLUORO_TRY(out.duration_max_ns, IntIn(select, "duration_max_ns", INT64_MAX));
  FLUORO_TRY(out.slowest, NumberIn(select, "slowest", 0, 0, 0.5));
  FLUORO_TRY(out.failing, BoolIn(select, "failing"));
  if (out.Words().empty())
    return Fail(ErrorCode::kInvalidArgument,
                "select: expression, from, to, duration_min_ns, duration_max_ns, slowest or "
                "failing wanted");
  return out;
}

// Where the slowest begin, among the traces of the filter.
Result<std::int64_t> SlowestOf(store::TraceStore& store, query::Plan plan, double share) {
  std::vector<std::pair<std::int64_t, double>> durations;
  plan.scan_max = kDurationsMax;
  FLUORO_CHECK_OK(store.List(plan, [&](const store::Outline& outline) {
    durations.emplace_back(outline.duration_ns,
                           outline.probability > 0 ? 1 / outline.probability : 1);
    return true;
  }));
  return analysis::compare::SlowestFrom(durations, share);
}

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

bool IsPlainKey(std::string_view key) {
  return std::ranges::all_of(key, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.';
  });
}

// The filter that holds for traces with this value; "" where the language has none.
std::string ExpressionOf(const KeyName& name, const ValueShare& value) {
  if (value.text.size() >= analysis::compare::DifferBounds().value_bytes_max) return {};
  if (name.origin == Origin::kOwn) {
    if (name.key == "service") return "service(" + Quoted(value.text) + ")";
    if (name.key == "outcome") return "service() { " + value.text + " }";
    return {};
  }
  const std::string key =
      IsPlainKey(name.key) ? "annotation." + name.key : "annotation[" + Quoted(name.key) + "]";
  switch (value.kind) {
    case Kind::kValue:
      return key + " = " +
             (value.type == model::AttributeType::kString ? Quoted(value.text) : value.text);
    case Kind::kRange:
      return fmt::format("{} >= {} AND {} < {}", key, value.low, key, value.high);
    case Kind::kAbsent:
      return "!" + key;
    case Kind::kOther:
      return {};
  }
  return {};
}

std::string_view KindName(Kind kind) {
  static constexpr std::array<std::string_view, 4> kNames{"value", "range", "absent", "other"};
  return kNames.at(static_cast<std::size_t>(kind));
}

void WriteName(JsonWriter& out, const KeyName& name) {
  out.Key("key").String(name.key);
  out.Key("of").String(analysis::compare::OriginName(name.origin));
}

void WriteValue(JsonWriter& out, const KeyName& name, const ValueShare& value) {
  out.BeginObject().Key("kind").String(KindName(value.kind));
  if (value.kind == Kind::kValue) out.Key("value").String(value.text);
  if (value.kind == Kind::kRange) out.Key("low").Double(value.low).Key("high").Double(value.high);
  out.Key("selection").Double(value.share[kSelection]);
  out.Key("baseline").Double(value.share[kBaseline]);
  out.Key("ratio");
  if (value.share[kBaseline] > 0) {
    out.Double(value.share[kSelection] / value.share[kBaseline]);
  } else {
    out.Null();
  }
  if (const std::string expression = ExpressionOf(name, value); !expression.empty())
    out.Key("expression").String(expression);
  const auto example = [&](std::string_view member, std::size_t side) {
    if (value.example.at(side)) out.Key(member).String(value.example.at(side)->ToXRay());
  };
  example("selection_trace", kSelection);
  example("baseline_trace", kBaseline);
  out.EndObject();
}

void WriteFindings(JsonWriter& out, std::string_view member, const std::vector<Finding>& findings) {
  out.Key(member).BeginArray();
  for (std::size_t i = 0; i < std::min(findings.size(), kFindingsMax); ++i) {
    const Finding& finding = findings[i];
    out.BeginObject();
    WriteName(out, finding.name);
    out.Key("verdict").String(analysis::compare::VerdictName(finding.verdict));
    out.Key("distance").Double(finding.distance);
    out.Key("p").Double(finding.p).Key("q").Double(finding.q);
    out.Key("values").BeginArray();
    for (const ValueShare& value : finding.values) WriteValue(out, finding.name, value);
    out.EndArray().Key("values_more").Uint(finding.values_more);
    out.Key("same_as").BeginArray();
    for (const KeyName& name : finding.same_as) {
      out.BeginObject();
      WriteName(out, name);
      out.EndObject();
    }
    out.EndArray().EndObject();
  }
  out.EndArray();
}

void WriteSet(JsonWriter& out, std::string_view member, const DifferReport::Set& set,
              std::string_view words) {
  out.Key(member).BeginObject().Key("words").String(words);
  out.Key("traces").Uint(set.traces).Key("weight").Double(set.weight);
  out.Key("effective").Double(set.effective).EndObject();
}

}  // namespace

Result<std::string> DifferJson(const CompareContext& context, std::string_view body) {
  FLUORO_TRY(const QueryRequest request, ParseQueryRequest(body));
  const auto tree = JsonTree::Parse(body.empty() ? "{}" : body);
  if (!tree) return Fail(ErrorCode::kInvalidArgument, "body: " + tree.error().message);
  FLUORO_TRY(Selection selection, ParseSelection(tree->root()["select"], context.groups));
  FLUORO_TRY(query::Plan plan, MakePlan(request, context.now_monotonic_ns, context.groups));
  if (selection.slowest > 0) {
    FLUORO_TRY(const std::int64_t slow_ns, SlowestOf(context.store, plan, selection.slowest));
    selection.duration_min_ns = std::max(selection.duration_min_ns, slow_ns);
  }
  plan.scan_max = kDifferTracesMax;
  Differ differ;
  FLUORO_TRY(
      const store::SearchResult found, context.store.Search(plan, [&](const store::Match& match) {
        differ.Add(match.trace, selection.Holds(match.view) ? Side::kSelection : Side::kBaseline,
                   WeightOf(match.trace));
        return true;
      }));
  const DifferReport report = differ.Report(selection.GivenKeys());

  JsonWriter out;
  out.BeginObject();
  WriteTime(out, "from", request.from_ns);
  WriteTime(out, "to", request.until_ns);
  WriteScanned(out, found, context.now_ns);
  WriteSet(out, "selection", report.sets[kSelection], selection.Words());
  WriteSet(out, "baseline", report.sets[kBaseline],
           plan.filter && !plan.filter->matches_all() ? "the others with " + plan.filter->text()
                                                      : "all others");
  const bool weighted = std::ranges::any_of(report.sets, [](const DifferReport::Set& set) {
    return set.weight > static_cast<double>(set.traces);
  });
  out.Key("weighted").Bool(weighted);
  out.Key("false_finds").Double(analysis::compare::kFalseFinds);
  out.Key("tested").Uint(report.tested).Key("alike").Uint(report.alike);
  out.Key("values_left_out").Uint(report.values_left_out);
  WriteFindings(out, "findings", report.findings);
  out.Key("findings_more")
      .Uint(report.findings.size() - std::min(report.findings.size(), kFindingsMax));
  WriteFindings(out, "given", report.given);
  out.Key("ids").BeginArray();
  for (const auto& id : report.ids) {
    out.BeginObject();
    WriteName(out, id.name);
    out.Key("distinct").Double(id.distinct).EndObject();
  }
  out.EndArray().EndObject();
  return out.Take();
}

}  // namespace fluoro::api::ui
