#include "analysis/usage.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/json.h"
#include "base/json_tree.h"

namespace fluoro::analysis {
namespace {

constexpr std::array<std::string_view, kDimensions> kNames{"service", "group", "tenant", "rule"};
constexpr std::int64_t kVersion = 1;

void AddAll(Amounts& sum, const Amounts& other) {
  for (std::size_t i = 0; i < kMeters; ++i) sum.at(i) += other.at(i);
}

void PrintAmounts(JsonWriter& out, const Amounts& amounts) {
  out.BeginObject();
  for (std::size_t i = 0; i < kMeters; ++i) {
    if (amounts.at(i) != 0) out.Key(MeterName(static_cast<Meter>(i))).Double(amounts.at(i));
  }
  out.EndObject();
}

std::unexpected<Error> Bad(const std::string& what) {
  return Fail(ErrorCode::kCorruption, "usage: " + what);
}

Result<void> TakeAmounts(JsonView object, const std::function<void(Meter, double)>& use) {
  if (!object.IsObject()) return Bad("an object of meters wanted");
  for (const JsonView::Member& member : object.Members()) {
    const auto units = member.value.Double();
    if (!units || !std::isfinite(*units))
      return Bad("a number wanted of " + std::string(member.key));
    // Of a meter of a later version nothing is known.
    if (const auto meter = MeterNamed(member.key)) use(*meter, *units);
  }
  return {};
}

}  // namespace

std::string_view DimensionName(Dimension dimension) {
  return kNames.at(static_cast<std::size_t>(dimension));
}

std::optional<Dimension> DimensionNamed(std::string_view name) {
  const auto at = std::ranges::find(kNames, name);
  if (at == kNames.end()) return std::nullopt;
  return static_cast<Dimension>(at - kNames.begin());
}

Amounts& UsageDay::RowOf(Dimension dimension, std::string_view name) {
  Rows& rows = rows_.at(static_cast<std::size_t>(dimension));
  if (name.empty()) name = kNoneRow;
  name = name.substr(0, kUsageNameBytesMax);
  if (const auto known = rows.find(name); known != rows.end()) return known->second;
  // The place of "(other)" is beside the others.
  if (rows.size() >= kUsageRowsMax && name != kOtherRow) return rows[std::string(kOtherRow)];
  return rows[std::string(name)];
}

void UsageDay::AddTo(Dimension dimension, std::string_view name, Meter meter, double units) {
  RowOf(dimension, name).at(static_cast<std::size_t>(meter)) += units;
}

void UsageDay::Merge(const UsageDay& other) {
  AddAll(total_, other.total_);
  for (std::size_t i = 0; i < kDimensions; ++i) {
    for (const auto& [name, amounts] : other.rows_.at(i))
      AddAll(RowOf(static_cast<Dimension>(i), name), amounts);
  }
}

bool UsageDay::IsZero() const {
  return std::ranges::all_of(total_, [](double units) { return units == 0; }) &&
         std::ranges::all_of(rows_, [](const Rows& rows) { return rows.empty(); });
}

std::string PrintUsageFile(const UsageFile& file) {
  JsonWriter out;
  out.BeginObject().Key("version").Int(kVersion).Key("day").String(DayText(file.day));
  out.Key("counted_until_ns").Int(file.counted_until_ns).Key("total");
  PrintAmounts(out, file.usage.total());
  for (std::size_t i = 0; i < kDimensions; ++i) {
    const auto dimension = static_cast<Dimension>(i);
    out.Key(DimensionName(dimension)).BeginObject();
    for (const auto& [name, amounts] : file.usage.By(dimension)) {
      out.Key(name);
      PrintAmounts(out, amounts);
    }
    out.EndObject();
  }
  out.EndObject();
  return out.Take();
}

Result<UsageFile> ParseUsageFile(std::string_view json) {
  const auto tree = JsonTree::Parse(json, {.depth_max = 4, .values_max = 100'000});
  if (!tree) return Bad(tree.error().message);
  const JsonView root = tree->root();
  const auto version = root["version"].Int();
  if (!version) return Bad("no version");
  if (*version > kVersion)
    return Fail(ErrorCode::kUnsupported, "usage: written by a newer version");
  UsageFile file;
  auto day = ParseDay(root["day"].String().value_or(""));
  if (!day) return Bad(day.error().message);
  file.day = *day;
  const auto until = root["counted_until_ns"].Int();
  if (!until) return Bad("counted_until_ns: a number wanted");
  file.counted_until_ns = *until;
  FLUORO_CHECK_OK(
      TakeAmounts(root["total"], [&](Meter meter, double units) { file.usage.Add(meter, units); }));
  for (std::size_t i = 0; i < kDimensions; ++i) {
    const auto dimension = static_cast<Dimension>(i);
    for (const JsonView::Member& row : root[DimensionName(dimension)].Members()) {
      FLUORO_CHECK_OK(TakeAmounts(row.value, [&](Meter meter, double units) {
        file.usage.AddTo(dimension, row.key, meter, units);
      }));
    }
  }
  return file;
}

}  // namespace fluoro::analysis
