#include "api/ui/suggest_rules.h"

#include <algorithm>
#include <cmath>

#include "api/ui/request.h"
#include "base/json.h"
#include "base/json_tree.h"
#include "sampling/suggest.h"

namespace fluoro::api::ui {
namespace {

struct Wishes {
  double budget_usd = 0;
  double keep_errors = 0.9;
  double floor = 10;
};

Result<double> Number(JsonView root, const std::string& member, double fallback, double max) {
  const JsonView value = root[member];
  if (!value.exists() || value.IsNull()) return fallback;
  const auto number = value.Double();
  if (!number || !(*number >= 0 && *number <= max)) {
    return Fail(ErrorCode::kInvalidArgument,
                member + ": a number from 0 to " + JsonWriter().Double(max).Take() + " wanted");
  }
  return *number;
}

Result<Wishes> WishesOf(std::string_view body) {
  const auto tree = JsonTree::Parse(body);
  if (!tree) return Fail(ErrorCode::kInvalidArgument, "body: " + tree.error().message);
  constexpr double kMax = 1e12;
  if (!tree->root()["budget_usd"].exists())
    return Fail(ErrorCode::kInvalidArgument, "budget_usd: a number wanted");
  Wishes wishes;
  FLUORO_TRY(wishes.budget_usd, Number(tree->root(), "budget_usd", 0, kMax));
  FLUORO_TRY(wishes.keep_errors, Number(tree->root(), "keep_errors", wishes.keep_errors, 1));
  FLUORO_TRY(wishes.floor, Number(tree->root(), "floor", wishes.floor, kMax));
  return wishes;
}

}  // namespace

Result<std::string> SuggestJson(const WhatIfContext& context, std::string_view body) {
  FLUORO_TRY(const QueryRequest request, ParseQueryRequest(body));
  FLUORO_TRY(const Wishes wishes, WishesOf(body));
  FLUORO_TRY(const query::Plan plan, MakePlan(request, context.now_monotonic_ns, context.groups));
  FLUORO_TRY(const query::TailFilters filters, query::TailFilters::Compile({}));
  sampling::Suggester suggester;
  FLUORO_TRY(const Replayed replayed, Replay(context.store, plan, filters, {},
                                             [&](const sampling::WhatIf::Trace& trace,
                                                 std::string_view) { suggester.Add(trace); }));
  if (replayed.first_ns > replayed.last_ns)
    return Fail(ErrorCode::kNotFound, "there are no traces to judge by");
  const std::int64_t from_ns =
      request.from_ns == INT64_MIN ? std::min(replayed.first_ns, context.now_ns) : request.from_ns;
  const std::int64_t until_ns = request.until_ns == INT64_MAX
                                    ? std::max(replayed.last_ns + 1, context.now_ns)
                                    : request.until_ns;
  const std::int64_t window_ns = std::max<std::int64_t>(until_ns - from_ns, 1);
  const sampling::Suggestion suggestion = suggester.Run(
      {.keep_errors = wishes.keep_errors, .floor_a_day = wishes.floor, .window_ns = window_ns});
  const double usd = MonthlyUsd(context, suggestion.predicted.recorded.expected, window_ns);

  JsonWriter out;
  out.BeginObject();
  WriteTime(out, "from", request.from_ns);
  WriteTime(out, "to", request.until_ns);
  out.Key("window_ns").Int(window_ns).Key("region").String(context.region);
  out.Key("complete").Bool(replayed.complete);
  out.Key("scanned_share").Double(replayed.scanned_share);
  out.Key("thinned_before").Uint(replayed.thinned);
  out.Key("chosen_before").Uint(replayed.chosen_before);
  out.Key("budget_usd").Double(wishes.budget_usd).Key("usd_month").Double(usd);
  out.Key("within_budget").Bool(usd <= wishes.budget_usd);
  out.Key("keep_errors").Double(wishes.keep_errors).Key("floor").Double(wishes.floor);
  out.Key("file").Raw(sampling::PrintRuleFile(suggestion.file));
  out.Key("predicted").BeginObject();
  WriteWhatIf(out, context, suggestion.predicted, window_ns);
  out.EndObject().Key("damaged").BeginArray();
  for (const std::string& what : replayed.damaged) out.String(what);
  out.EndArray().EndObject();
  return out.Take();
}

}  // namespace fluoro::api::ui
