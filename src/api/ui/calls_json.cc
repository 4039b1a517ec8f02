#include "api/ui/calls_json.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <optional>
#include <tuple>
#include <vector>

#include "api/ui/request.h"
#include "base/day.h"
#include "base/json.h"
#include "genai/classify.h"
#include "genai/step.h"
#include "rollup/statistics.h"

namespace fluoro::api::ui {
namespace {

using rollup::CallBill;
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

std::string DimensionNames() {
  std::string names;
  for (const Dimension& dimension : kDimensions)
    names.append(names.empty() ? "" : ", ").append(dimension.name);
  return names;
}

std::optional<CallDimension> DimensionNamed(std::string_view name) {
  const auto known = std::ranges::find(kDimensions, name, &Dimension::name);
  return known == kDimensions.end() ? std::nullopt : std::optional(known->bit);
}

Result<std::map<CallDimension, std::string>> TakeWhere(simdjson::dom::element value) {
  simdjson::dom::object object;
  if (value.get(object) != simdjson::SUCCESS) return Wrong("where", "an object");
  std::map<CallDimension, std::string> where;
  for (const auto [name, text] : object) {
    const auto known = DimensionNamed(name);
    if (!known) return Wrong("where", "members among " + DimensionNames());
    std::string_view wanted;
    if (!text.is_null() && text.get(wanted) != simdjson::SUCCESS)
      return Wrong("where." + std::string(name), "a text or null");
    if (*known == rollup::kByKind && !genai::ParseStepKind(wanted))
      return Wrong("where.kind", "a kind of step");
    where[*known] = wanted;
  }
  return where;
}

Result<std::uint16_t> TakeDimensions(simdjson::dom::element value) {
  simdjson::dom::array array;
  if (value.get(array) != simdjson::SUCCESS) return Wrong("by", "a list of " + DimensionNames());
  std::uint16_t dimensions = 0;
  for (const auto item : array) {
    std::string_view name;
    if (item.get(name) != simdjson::SUCCESS) name = {};
    const auto known = DimensionNamed(name);
    if (!known) return Wrong("by", "a list of " + DimensionNames());
    dimensions |= *known;
  }
  return dimensions;
}

Result<CallsOf> TakeOf(simdjson::dom::element value) {
  std::string_view name;
  if (value.get(name) != simdjson::SUCCESS) name = {};
  if (name == "all") return CallsOf::kAll;
  if (name == "models") return CallsOf::kModels;
  if (name == "tools") return CallsOf::kTools;
  if (name == "requests") return CallsOf::kRequests;
  return Wrong("of", "models, tools, requests or all");
}

std::uint16_t UsualDimensions(CallsOf of) {
  switch (of) {
    case CallsOf::kModels:
      return rollup::kByProvider | rollup::kByModel;
    case CallsOf::kTools:
      return rollup::kByTool;
    case CallsOf::kRequests:
      return rollup::kByRoute;
    case CallsOf::kAll:
      break;
  }
  return rollup::kByKind;
}

bool Wants(CallsOf of, std::uint8_t kind) {
  const bool is_request = kind == CallSeries::kRequest;
  if (is_request || of == CallsOf::kRequests) return is_request && of == CallsOf::kRequests;
  if (of == CallsOf::kAll || kind == CallSeries::kOther) return true;
  const bool tool = kind == static_cast<std::uint8_t>(genai::StepKind::kTool);
  return tool == (of == CallsOf::kTools);
}

/// Sums of one group in one period.
struct Row {
  std::int64_t time_ns = 0;
  CallSeries group;
  CallCell all;
  std::int64_t stated_calls = 0;
  std::int64_t priced_calls = 0;  ///< of those without a stated cost, those that cost nothing too
  std::int64_t priced_nano_usd = 0;
  std::int64_t unpriced_calls = 0;
  std::int64_t unpriced_tokens = 0;
  std::int64_t usage_missing = 0;  ///< of unpriced_calls
  std::uint32_t price_flags = 0;
};

bool Matches(const CallsRequest& request, const CallSums& sums, const CallSeries& series) {
  if (!Wants(request.of, series.kind)) return false;
  return std::ranges::all_of(request.where, [&](const auto& wanted) {
    const auto& [dimension, text] = wanted;
    if (series.kind == CallSeries::kOther) return false;
    if (dimension == rollup::kByKind && series.kind == CallSeries::kRequest) return false;
    if (dimension == rollup::kByKind)
      return genai::StepKindName(static_cast<genai::StepKind>(series.kind)) == text;
    return sums.TextAt(series.Text(dimension)) == text;
  });
}

/// Prices cells. Entries are looked for once a series and day.
class Pricer {
 public:
  Pricer(const genai::ModelPrices& prices, const CallSums& sums) : prices_(prices), sums_(sums) {}

  genai::Price Of(std::uint32_t number, std::int64_t time_ns, const CallCell& cell) {
    const CallSeries& series = sums_.series()[number];
    const genai::UsageToPrice usage{.kind = static_cast<genai::StepKind>(series.kind),
                                    .provider = sums_.TextAt(series.Text(rollup::kByProvider)),
                                    .model = sums_.TextAt(series.Text(rollup::kByModel)),
                                    .asked_model = sums_.TextAt(series.asked_model()),
                                    .tool = sums_.TextAt(series.Text(rollup::kByTool)),
                                    .service_tier = sums_.TextAt(series.service_tier()),
                                    .start_ns = time_ns,
                                    .calls = cell.calls,
                                    .prompt_tokens = cell.prompt_tokens,
                                    .completion_tokens = cell.completion_tokens,
                                    .cached_tokens = cell.cached_tokens,
                                    .cache_write_tokens = cell.cache_write_tokens,
                                    .cache_write_1h_tokens = cell.cache_write_1h_tokens,
                                    .reasoning_tokens = cell.reasoning_tokens,
                                    .engine_ns = cell.engine_ns,
                                    .milli_units = cell.milli_units,
                                    .prompt_class = series.prompt_class};
    const auto [at, is_new] = found_.try_emplace(std::pair(number, DayOf(time_ns)));
    if (is_new) at->second = prices_.Find(usage);
    return genai::ModelPrices::Of(usage, at->second);
  }

 private:
  const genai::ModelPrices& prices_;
  const CallSums& sums_;
  std::map<std::pair<std::uint32_t, Day>, genai::ModelPrices::Found> found_;
};

// The same as genai::PriceCall for each of them.
void AddPrice(Pricer& pricer, const CallSeries& series, std::uint32_t number, std::int64_t time_ns,
              const CallCell& cell, Row& to) {
  const auto unpriced = [&] {
    to.unpriced_calls += cell.calls;
    to.unpriced_tokens += cell.prompt_tokens + cell.completion_tokens;
  };
  switch (series.bill) {
    case CallBill::kStated:
      to.stated_calls += cell.calls;
      return;
    case CallBill::kFree:
      to.priced_calls += cell.calls;
      return;
    case CallBill::kPossiblyBilled:
      to.price_flags |= genai::kPossiblyBilled;
      unpriced();
      return;
    case CallBill::kByPrice:
    case CallBill::kNoUsage:
    case CallBill::kUsageMissing:
      break;
  }
  if (series.kind == CallSeries::kRequest) return;
  genai::Price price;
  if (series.kind != CallSeries::kOther) price = pricer.Of(number, time_ns, cell);
  const bool by_call = !price.lines.empty();
  if (series.bill == CallBill::kNoUsage && !by_call) return;
  to.price_flags |= price.flags;
  if (series.bill == CallBill::kUsageMissing && !by_call) {
    to.usage_missing += cell.calls;
    to.price_flags |= genai::kUsageMissing;
    unpriced();
  } else if (price.nano_usd) {
    to.priced_nano_usd += *price.nano_usd;
    to.priced_calls += cell.calls;
  } else if (series.kind != static_cast<std::uint8_t>(genai::StepKind::kTool) ||
             price.entry != nullptr) {
    unpriced();
  }
}

std::vector<Row> RowsOf(const CallsRequest& request, const CallSums& sums,
                        const genai::ModelPrices& prices) {
  // The group of each series, and whether it is wanted at all.
  using GroupKey = std::pair<std::uint8_t, std::array<rollup::TextId, rollup::kCallTexts.size()>>;
  constexpr std::uint32_t kUnwanted = UINT32_MAX;
  std::map<GroupKey, std::uint32_t> groups;
  std::vector<std::uint32_t> group_of;
  group_of.reserve(sums.series().size());
  for (const CallSeries& series : sums.series()) {
    const CallSeries group = rollup::Reduced(series, request.dimensions);
    const auto next = static_cast<std::uint32_t>(groups.size());
    group_of.push_back(
        Matches(request, sums, series)
            ? groups.try_emplace(GroupKey(group.kind, group.texts), next).first->second
            : kUnwanted);
  }
  Pricer pricer(prices, sums);
  std::map<std::pair<std::int64_t, std::uint32_t>, Row> rows;
  for (const CallSums::Row& row : sums.Rows()) {
    const std::uint32_t group = group_of[row.series];
    if (group == kUnwanted) continue;
    const CallSeries& series = sums.series()[row.series];
    const std::int64_t time_ns = rollup::PeriodStart(row.period_ns, request.step_ns);
    Row& to = rows[{time_ns, group}];
    to.time_ns = time_ns;
    to.group = rollup::Reduced(series, request.dimensions);
    to.all.Merge(*row.cell);
    AddPrice(pricer, series, row.series, row.period_ns == 0 ? request.until_ns : row.period_ns,
             *row.cell, to);
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
    } else if (is_kind && group.kind == CallSeries::kRequest) {
      out.String("request");
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
  const auto money = [&out](std::string_view key, bool known, std::int64_t nano_usd) {
    out.Key(key);
    if (known) {
      out.Seconds(nano_usd);  // billionths, as exact decimals
    } else {
      out.Null();
    }
  };
  money("cost_usd", row.stated_calls + row.priced_calls != 0,
        all.cost_nano_usd + row.priced_nano_usd);
  money("stated_cost_usd", row.stated_calls != 0, all.cost_nano_usd);
  out.Key("unpriced_calls").Int(row.unpriced_calls);
  out.Key("unpriced_tokens").Int(row.unpriced_tokens);
  out.Key("usage_missing").Int(row.usage_missing);
  out.Key("price_flags").BeginArray();
  for (const std::string_view flag : genai::PriceFlagNames(row.price_flags)) out.String(flag);
  out.EndArray();
  const auto times = [&out](const rollup::DurationCounts& counts, std::string_view prefix) {
    rollup::DurationHistogram histogram;
    histogram.Merge(counts);
    for (const auto& [name, share] :
         {std::pair("p50_ns", 0.50), {"p95_ns", 0.95}, {"p99_ns", 0.99}})
      out.Key(std::string(prefix) + name).Int(histogram.QuantileNs(share));
  };
  out.Key("sum_ns").Int(all.duration_ns);
  times(all.times, "");
  out.Key("streamed").Int(all.streamed);
  if (all.streamed != 0) times(all.first_tokens, "ttft_");
  out.EndObject();
}

// Days on which no price changes need not be told apart.
std::int64_t PricePeriod(const CallsRequest& request, const genai::ModelPrices& prices) {
  const bool changes = std::ranges::any_of(prices.entries(), [&](const genai::ModelPrice& price) {
    const auto within = [&](Day day) {
      return day > DayOf(request.from_ns) && day <= DayOf(request.until_ns);
    };
    return within(price.valid_from) || (price.valid_to && within(*price.valid_to));
  });
  return changes ? std::gcd(request.step_ns, kDayNs) : request.step_ns;
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
      } else if (key == "where") {
        FLUORO_TRY(request.where, TakeWhere(value));
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

store::CallsPlan PlanOf(const CallsRequest& request, const genai::ModelPrices& prices,
                        std::int64_t now_monotonic_ns) {
  std::uint16_t dimensions = request.dimensions | rollup::kByPriced;
  for (const auto& [dimension, text] : request.where) dimensions |= dimension;
  return {.from_ns = request.from_ns,
          .until_ns = request.until_ns,
          .period_ns = PricePeriod(request, prices),
          .dimensions = dimensions,
          .deadline_ns = now_monotonic_ns + kQueryDeadlineNs};
}

std::string CallsJson(const CallsRequest& request, const store::CallsResult& result,
                      const genai::ModelPrices& prices) {
  const std::vector<Row> rows = RowsOf(request, result.sums, prices);
  JsonWriter out;
  out.BeginObject();
  WriteTime(out, "from", request.from_ns);
  WriteTime(out, "to", request.until_ns);
  out.Key("step_minutes").Int(request.step_ns / rollup::kMinuteNs);
  out.Key("rows").BeginArray();
  for (std::size_t i = 0; i < rows.size() && i < kCallRowsMax; ++i)
    WriteRow(out, request, result.sums, rows[i]);
  out.EndArray();
  out.Key("prices_dated").String(DayText(prices.date()));
  out.Key("truncated").Bool(rows.size() > kCallRowsMax);
  out.Key("complete").Bool(result.complete);
  out.Key("damaged").BeginArray();
  for (const std::string& block : result.damaged) out.String(block);
  out.EndArray().EndObject();
  return out.Take();
}

}  // namespace fluoro::api::ui
