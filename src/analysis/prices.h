// What tracing costs: meters, dated prices, and the bill of a month. Pure.
// Prices are X-Ray's public list prices (AWS X-Ray pricing page, copies of 2023 to 2025, and the
// X-Ray developer guide on groups): docs/cost.md.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/day.h"
#include "base/error.h"

namespace fluoro::analysis {

/// What is counted. Stored by name.
enum class Meter : std::uint8_t {
  kTracesRecorded,   ///< trace ids of which something was stored, each once
  kTracesRetrieved,  ///< bodies returned by BatchGetTraces and ListRetrievedTraces
  kGroupMatches,     ///< traces that match the filter of a group
  kTracesScanned,    ///< examined by GetTraceSummaries and the like: TracesProcessedCount
  kInsightTraces,    ///< recorded traces that match a group with insights on, each once
  kSpanBytesIn,      ///< bodies of requests and datagrams that carry spans, inflated
  kSpanBytesStored,  ///< on disk, about, when they were first looked at
  kIndexBytes,       ///< of these, what serves finding rows rather than holding them
  kQueryCpuSeconds,  ///< processor time of answering
};
inline constexpr std::size_t kMeters = 9;
/// "traces_recorded", ...
std::string_view MeterName(Meter meter);
std::optional<Meter> MeterNamed(std::string_view name);

/// Units by meter.
using Amounts = std::array<double, kMeters>;

using fluoro::Day;
using fluoro::DayOf;
using fluoro::DayText;
using fluoro::kDayNs;
using fluoro::ParseDay;
/// First day of the month, and of the next.
Day MonthStart(Day day);
Day NextMonth(Day day);

/// Of one month: units that cost nothing, shared by the meters that name the same pool.
struct FreeTier {
  std::string pool;
  double units = 0;
  bool operator==(const FreeTier&) const = default;
};

struct PriceRow {
  std::string region;  ///< of AWS
  Meter meter = Meter::kTracesRecorded;
  std::optional<double> usd;  ///< a unit; absent: not known, which is not the same as nothing
  std::optional<FreeTier> free;
  Day valid_from = 0;
  bool operator==(const PriceRow&) const = default;
};

inline constexpr std::string_view kPriceRegion = "us-east-1";
/// A date, a region, a meter: no more rows than these of a table that people edit.
inline constexpr std::size_t kPriceRowsMax = 1'000;

class PriceTable {
 public:
  /// List prices of us-east-1. Amounts that no two sources agree on are empty.
  static PriceTable BuiltIn();

  /// Puts a row; one of the same region, meter and date is replaced. Errors: kTooLarge.
  Result<void> Put(PriceRow row);
  /// The youngest row of the region that is valid on the day; else that of kPriceRegion; null if
  /// there is none.
  [[nodiscard]] const PriceRow* Find(std::string_view region, Meter meter, Day day) const;
  [[nodiscard]] const std::vector<PriceRow>& rows() const { return rows_; }

 private:
  std::vector<PriceRow> rows_;  // by region, meter, date
};

/// What one meter comes to in one month.
struct MeterBill {
  Meter meter = Meter::kTracesRecorded;
  double units = 0;
  double free = 0;                 ///< of units, those that the free tier takes
  std::optional<double> usd;       ///< absent: no price is known on some day with units
  std::optional<double> list_usd;  ///< the same without the free tier
};

struct Bill {
  std::vector<MeterBill> meters;  ///< all, in their order
  double usd = 0;                 ///< sum of what has a price
  /// Meters of X-Ray's own bill, without ours.
  double xray_usd = 0;
  std::vector<Meter> unpriced;  ///< that have units and no price
};

struct DayAmounts {
  Day day = 0;
  Amounts amounts{};
};

/// The bill of days of one month, ascending: free tiers are used up in their order, each day at its
/// own price.
Bill BillOf(const PriceTable& prices, std::string_view region, std::span<const DayAmounts> days);
/// Of amounts that come within one day.
Bill BillOf(const PriceTable& prices, std::string_view region, Day day, const Amounts& amounts);
/// What units cost at list prices of a day, without free tiers: for parts of a whole. Meters
/// without a price are left out.
double ListUsd(const PriceTable& prices, std::string_view region, Day day, const Amounts& amounts);

/// A row as records hold it: {"region","meter","usd","valid_from","free":{"pool","units"}}; usd
/// and free may be null or absent. Errors: kInvalidArgument naming the member.
Result<PriceRow> ParsePriceRow(std::string_view json);
std::string PrintPriceRow(const PriceRow& row);

}  // namespace fluoro::analysis
