// The columns, in the order in which we write them.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace fluoro::codec::csv::internal {

enum Column : std::size_t {
  kTraceId,
  kSpanId,
  kParentId,
  kPodName,
  kOperationName,
  kStart,
  kEnd,
  kDuration,
  kColumnsCount
};
inline constexpr std::array<std::string_view, kColumnsCount> kColumnNames = {
    "TraceID",           "SpanID",          "ParentID", "PodName", "OperationName",
    "StartTimeUnixNano", "EndTimeUnixNano", "Duration"};
inline constexpr std::string_view kRootParent = "root";
inline constexpr std::string_view kPodKey = "k8s.pod.name";
inline constexpr std::string_view kServiceKey = "service.name";

/// True if a spreadsheet may take the cell for a formula, or if the cell looks like a guarded one.
inline bool NeedsGuard(std::string_view cell) {
  while (cell.starts_with('\'')) cell.remove_prefix(1);
  return !cell.empty() && std::string_view("=+-@\t\r").find(cell.front()) != std::string_view::npos;
}

}  // namespace fluoro::codec::csv::internal
