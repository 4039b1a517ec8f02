#include "api/ui/calls_json.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <map>
#include <tuple>
#include <vector>

#include "api/ui/request.h"
#include "base/json.h"
#include "genai/step.h"
#include "rollup/statistics.h"

namespace fluoro::api::ui {
namespace {

using rollup::CallCell;
using rollup::CallDimension;
using rollup::CallSeries;
using rollup::CallSums;

struct Dimension {
  std::string_view name;
  CallDimension bit;
};
constexpr auto kDimensions = std::to_array<Dimension>({{"kind", rollup::kByKind},
                                                       {"provider", rollup::kByProvider},
                                                       {"model", rollup::kByModel},
                                                       {"tool", rollup::kByTool},
                                                       {"tenant", rollup::kByTenant},
                                                       {"route", rollup::kByRoute},
                                                       {"agent", rollup::kByAgent},
                                                       {"experiment", rollup::kByExperiment},
                                                       {"arm", rollup::kByArm},
                                                       {"prompt", rollup::kByPrompt}});

std::unexpected<Error> Wrong(std::string_view member, std::string_view wanted) {
  return Fail(ErrorCode::kInvalidArgument,
              std::string(member) + ": " + std::string(wanted) + " wanted");
}

Result<std::uint16_t> TakeDimensions(simdjson::dom::element value) {
  constexpr std::string_view kWanted = "a list of kind, provider, model, tool, tenant, route";
  simdjson::dom::array array;
  if (value.get(array) != simdjson::SUCCESS) return Wrong("by", kWanted);
  std::uint16_t dimensions = 0;
  for (const auto item : array) {
    std::string_view name;
    if (item.get(name) != simdjson::SUCCESS) return Wrong("by", kWanted);
    const auto known = std::ranges::find(kDimensions, name, &Dimension::name);
    if (known == kDimensions.end()) return Wrong("by", kWanted);
    dimensions |= known->bit;
  }
  return dimensions;
}

Result<CallsOf> TakeOf(simdjson::dom::element value) {
  std::string_view name;
  if (value.get(name) != simdjson::SUCCESS) name = {};
  if (name == "all") return CallsOf::kAll;
  if (name == "models") return CallsOf::kModels;
  if (name == "tools") return CallsOf::kTools;
  return Wrong("of", "models, tools or all");
}

std::uint16_t UsualDimensions(CallsOf of) {
  switch (of) {
    case CallsOf::kModels:
      return rollup::kByProvider | rollup::kByModel;
    case CallsOf::kTools:
      return rollup::kByTool;
    case CallsOf::kAll:
      break;
  }
  return rollup::kByKind;
}

bool Wants(CallsOf of, std::uint8_t kind) {
  if (of == CallsOf::kAll || kind == CallSeries::kOther) return true;
  const bool tool = kind == static_cast<std::uint8_t>(genai::StepKind::kTool);
  return tool == (of == CallsOf::kTools);
}

/// Sums of one group in one period, those without a stated cost also apart.
struct Row {
  std::int64_t time_ns = 0;
  CallSeries group;
  CallCell all;
  CallCell unstated;
};

std::vector<Row> RowsOf(const CallsRequest& request, const CallSums& sums) {
  using Key =
      std::tuple<std::int64_t, std::uint8_t, std::array<rollup::TextId, rollup::kCallTexts.size()>>;
  std::map<Key, Row> rows;
  for (const CallSums::Row& row : sums.Rows()) {
    CallSeries group = sums.series()[row.series];
    if (!Wants(request.of, group.kind)) continue;
    const bool stated = group.stated;
    group.stated = false;
    if (group.kind != CallSeries::kOther && (request.dimensions & rollup::kByKind) == 0)
      group.kind = CallSeries::kNoKind;
    group.prompt_class = 0;
    Row& to = rows[{row.period_ns, group.kind, group.texts}];
    to.time_ns = row.period_ns;
    to.group = group;
    to.all.Merge(*row.cell);
    if (!stated) to.unstated.Merge(*row.cell);
  }
  std::vector<Row> out;
  out.reserve(rows.size());
  for (auto& [key, row] : rows) out.push_back(std::move(row));
  std::ranges::stable_sort(out, [](const Row& a, const Row& b) {
    return std::tuple(a.time_ns, -a.all.calls) < std::tuple(b.time_ns, -b.all.calls);
  });
  return out;
}

void WriteGroup(JsonWriter& out, const CallsRequest& request, const CallSums& sums,
                const CallSeries& group) {
  for (const Dimension& dimension : kDimensions) {
    if ((request.dimensions & dimension.bit) == 0) continue;
    const bool is_kind = dimension.bit == rollup::kByKind;
    const rollup::TextId text = is_kind ? 0 : group.Text(dimension.bit);
    out.Key(dimension.name);
    if (group.kind == CallSeries::kOther || (!is_kind && text == 0)) {
      out.Null();
    } else if (is_kind) {
      out.String(genai::StepKindName(static_cast<genai::StepKind>(group.kind)));
    } else {
      out.String(sums.TextAt(text));
    }
  }
  if (group.kind == CallSeries::kOther) out.Key("other").Bool(true);
}

void WriteRow(JsonWriter& out, const CallsRequest& request, const CallSums& sums, const Row& row) {
  out.BeginObject();
  if (request.step_ns != 0) out.Key("time_ns").Int(row.time_ns);
  WriteGroup(out, request, sums, row.group);
  const CallCell& all = row.all;
  out.Key("calls").Int(all.calls).Key("failed").Int(all.failed);
  out.Key("throttled").Int(all.throttled).Key("timeouts").Int(all.timeouts);
  out.Key("retries").Int(all.retries);
  out.Key("prompt_tokens").Int(all.prompt_tokens);
  out.Key("completion_tokens").Int(all.completion_tokens);
  out.Key("cached_tokens").Int(all.cached_tokens);
  out.Key("cache_write_tokens").Int(all.cache_write_tokens);
  out.Key("reasoning_tokens").Int(all.reasoning_tokens);
  out.Key("stated_cost_usd");
  if (all.calls == row.unstated.calls) {
    out.Null();
  } else {
    out.Seconds(all.cost_nano_usd);  // billionths, as exact decimals
  }
  out.Key("calls_without_cost").Int(row.unstated.calls);
  out.Key("prompt_tokens_without_cost").Int(row.unstated.prompt_tokens);
  out.Key("completion_tokens_without_cost").Int(row.unstated.completion_tokens);
  rollup::DurationHistogram histogram;
  histogram.Merge(all.times);
  out.Key("sum_ns").Int(all.duration_ns);
  out.Key("p50_ns").Int(histogram.QuantileNs(0.50));
  out.Key("p95_ns").Int(histogram.QuantileNs(0.95));
  out.Key("p99_ns").Int(histogram.QuantileNs(0.99));
  out.EndObject();
}

}  // namespace

Result<CallsRequest> ParseCallsRequest(std::string_view body) {
  FLUORO_TRY(const QueryRequest window, ParseQueryRequest(body));
  CallsRequest request;
  request.from_ns = window.from_ns;
  request.until_ns = window.until_ns;
  if (!window.expression.empty()) return Wrong("expression", "none (sums know no traces)");
  bool has_dimensions = false;
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  const simdjson::padded_string padded(body);
  if (!body.empty() && parser.parse(padded).get(object) != simdjson::SUCCESS)
    return Wrong("body", "a JSON object");
  if (!body.empty()) {
    for (const auto [key, value] : object) {
      if (value.is_null()) continue;
      if (key == "of") {
        FLUORO_TRY(request.of, TakeOf(value));
      } else if (key == "by") {
        FLUORO_TRY(request.dimensions, TakeDimensions(value));
        has_dimensions = true;
      } else if (key == "step_minutes") {
        constexpr std::int64_t kMinutesMax = std::int64_t{400} * 24 * 60;
        std::int64_t minutes = 0;
        if (value.get(minutes) != simdjson::SUCCESS || minutes < 0 || minutes > kMinutesMax)
          return Wrong(key, "0 to 576000");
        request.step_ns = minutes * rollup::kMinuteNs;
      }
    }
  }
  if (!has_dimensions) request.dimensions = UsualDimensions(request.of);
  return request;
}

store::CallsPlan PlanOf(const CallsRequest& request, std::int64_t now_monotonic_ns) {
  const bool needs_kind = request.of != CallsOf::kAll;
  return {.from_ns = request.from_ns,
          .until_ns = request.until_ns,
          .period_ns = request.step_ns,
          .dimensions =
              static_cast<std::uint16_t>(request.dimensions | (needs_kind ? rollup::kByKind : 0)),
          .deadline_ns = now_monotonic_ns + kQueryDeadlineNs};
}

std::string CallsJson(const CallsRequest& request, const store::CallsResult& result) {
  const std::vector<Row> rows = RowsOf(request, result.sums);
  JsonWriter out;
  out.BeginObject();
  WriteTime(out, "from", request.from_ns);
  WriteTime(out, "to", request.until_ns);
  out.Key("step_minutes").Int(request.step_ns / rollup::kMinuteNs);
  out.Key("rows").BeginArray();
  for (std::size_t i = 0; i < rows.size() && i < kCallRowsMax; ++i)
    WriteRow(out, request, result.sums, rows[i]);
  out.EndArray();
  out.Key("truncated").Bool(rows.size() > kCallRowsMax);
  out.Key("complete").Bool(result.complete);
  out.Key("damaged").BeginArray();
  for (const std::string& block : result.damaged) out.String(block);
  out.EndArray().EndObject();
  return out.Take();
}

}  // namespace fluoro::api::ui
