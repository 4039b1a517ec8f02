// What was used, by day, and of that how much by service, group, tenant and rule. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "analysis/prices.h"
#include "base/error.h"

namespace fluoro::analysis {

enum class Dimension : std::uint8_t { kService, kGroup, kTenant, kRule };
inline constexpr std::size_t kDimensions = 4;
/// "service", ...
std::string_view DimensionName(Dimension dimension);
std::optional<Dimension> DimensionNamed(std::string_view name);

/// Rows of one day and dimension; what comes beyond is summed under kOtherRow.
inline constexpr std::size_t kUsageRowsMax = 200;
inline constexpr std::size_t kUsageNameBytesMax = 128;
inline constexpr std::string_view kOtherRow = "(other)";
/// Of what has no tenant, or was chosen by no rule.
inline constexpr std::string_view kNoneRow = "(none)";

class UsageDay {
 public:
  using Rows = std::map<std::string, Amounts, std::less<>>;

  /// The day as a whole.
  void Add(Meter meter, double units) { total_.at(static_cast<std::size_t>(meter)) += units; }
  /// The part of it that belongs to `name` (empty: kNoneRow); the day as a whole is added to apart.
  void AddTo(Dimension dimension, std::string_view name, Meter meter, double units);
  void Merge(const UsageDay& other);
  [[nodiscard]] const Amounts& total() const { return total_; }
  [[nodiscard]] const Rows& By(Dimension dimension) const {
    return rows_.at(static_cast<std::size_t>(dimension));
  }
  [[nodiscard]] bool IsZero() const;
  bool operator==(const UsageDay&) const = default;

 private:
  Amounts& RowOf(Dimension dimension, std::string_view name);
  Amounts total_{};
  std::array<Rows, kDimensions> rows_;
};

/// One day as its file holds it. `counted_until_ns`: traces that started before this instant of the
/// day are counted; traces that started later are not.
struct UsageFile {
  Day day = 0;
  std::int64_t counted_until_ns = 0;
  UsageDay usage;
  bool operator==(const UsageFile&) const = default;
};
/// {"version":1,"day","counted_until_ns","total":{meter:units},"service":{name:{meter:units}},...}
std::string PrintUsageFile(const UsageFile& file);
/// Errors: kCorruption, kUnsupported (a newer version).
Result<UsageFile> ParseUsageFile(std::string_view json);

}  // namespace fluoro::analysis
