#include "analysis/prices.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <tuple>

#include "base/json.h"
#include "base/json_tree.h"

namespace fluoro::analysis {
namespace {

constexpr std::array<std::string_view, kMeters> kNames{
    "traces_recorded", "traces_retrieved",  "group_matches", "traces_scanned",   "insight_traces",
    "span_bytes_in",   "span_bytes_stored", "index_bytes",   "query_cpu_seconds"};

std::size_t PlaceOf(Meter meter) { return static_cast<std::size_t>(meter); }
bool IsXRays(Meter meter) { return meter <= Meter::kInsightTraces; }

auto KeyOf(const PriceRow& row) {
  return std::tuple(std::string_view(row.region), row.meter, row.valid_from);
}

constexpr std::size_t kRegionBytesMax = 32;
constexpr std::size_t kPoolBytesMax = 32;

std::unexpected<Error> Bad(const std::string& member, const std::string& wanted) {
  return Fail(ErrorCode::kInvalidArgument, member + ": " + wanted + " wanted");
}

Result<double> TakeAmount(JsonView value, const std::string& member) {
  const auto number = value.Double();
  if (!number || !std::isfinite(*number) || *number < 0)
    return Bad(member, "a number of 0 or more");
  return *number;
}

Result<std::string> TakeText(JsonView value, const std::string& member, std::size_t bytes_max) {
  const auto text = value.String();
  if (!text || text->empty() || text->size() > bytes_max)
    return Bad(member, "1 to " + std::to_string(bytes_max) + " characters");
  return std::string(*text);
}

Result<FreeTier> TakeFree(JsonView value) {
  if (!value.IsObject()) return Bad("free", "an object");
  FreeTier free;
  FLUORO_TRY(free.pool, TakeText(value["pool"], "free.pool", kPoolBytesMax));
  FLUORO_TRY(free.units, TakeAmount(value["units"], "free.units"));
  return free;
}

}  // namespace

std::string_view MeterName(Meter meter) { return kNames.at(PlaceOf(meter)); }

std::optional<Meter> MeterNamed(std::string_view name) {
  const auto at = std::ranges::find(kNames, name);
  if (at == kNames.end()) return std::nullopt;
  return static_cast<Meter>(at - kNames.begin());
}

Day MonthStart(Day day) {
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(day))};
  return static_cast<Day>(
      std::chrono::sys_days(date.year() / date.month() / 1).time_since_epoch().count());
}

Day NextMonth(Day day) {
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(day))};
  const auto next = date.year() / date.month() / 1 + std::chrono::months(1);
  return static_cast<Day>(std::chrono::sys_days(next).time_since_epoch().count());
}

PriceTable PriceTable::BuiltIn() {
  // The oldest of the sources.
  const Day since = *ParseDay("2023-01-01");
  const FreeTier recorded{.pool = "recorded", .units = 100'000};
  const FreeTier read{.pool = "retrieved-or-scanned", .units = 1'000'000};
  PriceTable table;
  const auto put = [&](Meter meter, std::optional<double> usd, std::optional<FreeTier> free) {
    (void)table.Put({.region = std::string(kPriceRegion),
                     .meter = meter,
                     .usd = usd,
                     .free = std::move(free),
                     .valid_from = since});
  };
  put(Meter::kTracesRecorded, 5e-6, recorded);
  put(Meter::kTracesRetrieved, 0.5e-6, read);
  put(Meter::kGroupMatches, 0.5e-6, read);
  put(Meter::kTracesScanned, 0.5e-6, read);
  put(Meter::kInsightTraces, 1e-6, std::nullopt);
  for (const Meter meter :
       {Meter::kSpanBytesIn, Meter::kSpanBytesStored, Meter::kIndexBytes, Meter::kQueryCpuSeconds})
    put(meter, std::nullopt, std::nullopt);
  return table;
}

Result<void> PriceTable::Put(PriceRow row) {
  const auto at = std::ranges::lower_bound(rows_, KeyOf(row), {}, KeyOf);
  if (at != rows_.end() && KeyOf(*at) == KeyOf(row)) {
    *at = std::move(row);
    return {};
  }
  if (rows_.size() >= kPriceRowsMax)
    return Fail(ErrorCode::kTooLarge,
                "prices: at most " + std::to_string(kPriceRowsMax) + " rows are kept");
  rows_.insert(at, std::move(row));
  return {};
}

const PriceRow* PriceTable::Find(std::string_view region, Meter meter, Day day) const {
  for (const std::string_view of : {region, kPriceRegion}) {
    auto at = std::ranges::upper_bound(rows_, std::tuple(of, meter, day), {}, KeyOf);
    if (at == rows_.begin()) continue;
    --at;
    if (at->region == of && at->meter == meter) return &*at;
  }
  return nullptr;
}

Bill BillOf(const PriceTable& prices, std::string_view region, std::span<const DayAmounts> days) {
  Bill bill;
  std::map<std::string, double, std::less<>> used;  // of free tiers
  for (std::size_t i = 0; i < kMeters; ++i)
    bill.meters.push_back(
        {.meter = static_cast<Meter>(i), .units = 0, .free = 0, .usd = 0, .list_usd = 0});
  for (const DayAmounts& day : days) {
    for (MeterBill& of : bill.meters) {
      const double units = day.amounts.at(PlaceOf(of.meter));
      if (units == 0) continue;
      of.units += units;
      const PriceRow* const row = prices.Find(region, of.meter, day.day);
      double free = 0;
      if (row != nullptr && row->free) {
        double& taken = used[row->free->pool];
        free = std::clamp(row->free->units - taken, 0.0, units);
        taken += free;
        of.free += free;
      }
      if (row == nullptr || !row->usd) {
        of.usd.reset();
        of.list_usd.reset();
        continue;
      }
      if (of.usd) *of.usd += (units - free) * *row->usd;
      if (of.list_usd) *of.list_usd += units * *row->usd;
    }
  }
  for (const MeterBill& of : bill.meters) {
    if (!of.usd) {
      bill.unpriced.push_back(of.meter);
      continue;
    }
    bill.usd += *of.usd;
    if (IsXRays(of.meter)) bill.xray_usd += *of.usd;
  }
  // Of a meter that nothing was counted of, it is not known either.
  if (!days.empty()) {
    for (MeterBill& of : bill.meters) {
      const PriceRow* const row = prices.Find(region, of.meter, days.back().day);
      if (of.units == 0 && (row == nullptr || !row->usd)) {
        of.usd.reset();
        of.list_usd.reset();
      }
    }
  }
  return bill;
}

Bill BillOf(const PriceTable& prices, std::string_view region, Day day, const Amounts& amounts) {
  const DayAmounts one{.day = day, .amounts = amounts};
  return BillOf(prices, region, std::span(&one, 1));
}

double ListUsd(const PriceTable& prices, std::string_view region, Day day, const Amounts& amounts) {
  double usd = 0;
  for (std::size_t i = 0; i < kMeters; ++i) {
    const PriceRow* const row = prices.Find(region, static_cast<Meter>(i), day);
    if (row != nullptr && row->usd) usd += amounts.at(i) * *row->usd;
  }
  return usd;
}

Result<PriceRow> ParsePriceRow(std::string_view json) {
  const auto tree = JsonTree::Parse(json, {.depth_max = 4, .values_max = 64});
  if (!tree) return Fail(ErrorCode::kInvalidArgument, "price: " + tree.error().message);
  const JsonView root = tree->root();
  if (!root.IsObject()) return Bad("price", "an object");
  PriceRow row;
  for (const JsonView::Member& member : root.Members()) {
    const std::string key(member.key);
    if (key == "region") {
      FLUORO_TRY(row.region, TakeText(member.value, key, kRegionBytesMax));
    } else if (key == "meter") {
      FLUORO_TRY(const std::string name, TakeText(member.value, key, 64));
      const auto meter = MeterNamed(name);
      if (!meter) return Bad(key, "the name of a meter");
      row.meter = *meter;
    } else if (key == "usd") {
      if (member.value.IsNull()) continue;
      FLUORO_TRY(row.usd, TakeAmount(member.value, key));
    } else if (key == "valid_from") {
      FLUORO_TRY(const std::string text, TakeText(member.value, key, 10));
      auto day = ParseDay(text);
      if (!day) return std::unexpected(std::move(day).error().With(key));
      row.valid_from = *day;
    } else if (key == "free") {
      if (member.value.IsNull()) continue;
      FLUORO_TRY(row.free, TakeFree(member.value));
    } else {
      return Fail(ErrorCode::kInvalidArgument, key + ": unknown member");
    }
  }
  for (const std::string_view needed : {"meter", "valid_from"}) {
    if (!root[needed].exists()) return Bad(std::string(needed), "it is");
  }
  if (row.region.empty()) row.region = kPriceRegion;
  return row;
}

std::string PrintPriceRow(const PriceRow& row) {
  JsonWriter out;
  out.BeginObject().Key("region").String(row.region).Key("meter").String(MeterName(row.meter));
  out.Key("usd");
  if (row.usd) {
    out.Double(*row.usd);
  } else {
    out.Null();
  }
  out.Key("valid_from").String(DayText(row.valid_from)).Key("free");
  if (row.free) {
    out.BeginObject().Key("pool").String(row.free->pool);
    out.Key("units").Double(row.free->units).EndObject();
  } else {
    out.Null();
  }
  out.EndObject();
  return out.Take();
}

}  // namespace fluoro::analysis
