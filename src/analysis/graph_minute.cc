#include "analysis/graph_minute.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace fluoro::analysis {
namespace {

using rollup::DurationCounts;
using rollup::KeyId;
using rollup::SeriesKind;

RequestSums SumsOf(const rollup::Cell& cell) {
  const auto count = [](std::int64_t value) {
    return static_cast<double>(std::max<std::int64_t>(value, 0));
  };
  RequestSums sums;
  sums.ok = count(cell.ok);
  sums.fault = count(cell.fault);
  sums.total = sums.ok + sums.fault + count(cell.error) + count(cell.throttle);
  sums.seconds = count(cell.response_ns) / 1e9;
  sums.times = cell.times.Buckets();
  std::erase_if(sums.times, [](const DurationCounts::Bucket& one) { return one.count <= 0; });
  return sums;
}

}  // namespace

void RequestSums::Add(const RequestSums& other) {
  total += other.total;
  ok += other.ok;
  fault += other.fault;
  seconds += other.seconds;
  if (times.empty()) {
    times = other.times;
    return;
  }
  std::vector<DurationCounts::Bucket> merged;
  merged.reserve(times.size() + other.times.size());
  auto ours = times.begin();
  for (const DurationCounts::Bucket& theirs : other.times) {
    while (ours != times.end() && ours->index < theirs.index) merged.push_back(*ours++);
    merged.push_back(theirs);
    if (ours != times.end() && ours->index == theirs.index) merged.back().count += ours++->count;
  }
  merged.insert(merged.end(), ours, times.end());
  times = std::move(merged);
}

std::vector<GraphMinute> MinutesOf(const rollup::Rollup& rollup) {
  std::vector<GraphMinute> minutes;
  std::unordered_map<KeyId, std::int32_t> places;  // in the last minute
  const auto place_of = [&](KeyId key) {
    auto& services = minutes.back().services;
    const auto [place, is_new] = places.emplace(key, static_cast<std::int32_t>(services.size()));
    if (is_new) services.push_back({.key = rollup.keys().KeyAt(key), .requests = {}});
    return place->second;
  };
  for (const rollup::Rollup::Row& row : rollup.Rows()) {
    const rollup::Series& series = rollup.series()[row.series];
    const bool is_node = series.kind == SeriesKind::kNode;
    if (!is_node && (series.kind != SeriesKind::kEdge || series.link)) continue;
    RequestSums sums = SumsOf(*row.cell);
    if (sums.total <= 0) continue;
    if (minutes.empty() || minutes.back().start_ns != row.period_ns) {
      minutes.emplace_back().start_ns = row.period_ns;
      places.clear();
    }
    const std::int32_t to = place_of(series.to);
    if (is_node) {
      minutes.back().services[static_cast<std::size_t>(to)].requests = std::move(sums);
    } else {
      const std::int32_t from = series.client ? GraphMinute::kClient : place_of(series.from);
      minutes.back().calls.push_back({.from = from, .to = to, .requests = std::move(sums)});
    }
  }
  return minutes;
}

}  // namespace fluoro::analysis
