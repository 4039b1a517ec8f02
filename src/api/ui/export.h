// Whole traces out in the formats that `fluoro import` reads back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/assembly.h"

namespace fluoro::api::ui {

enum class ExportFormat : std::uint8_t { kOtlpJson, kOtlpProto, kXRay, kCsv };

/// "otlp-json", "otlp-proto", "xray", "csv".
std::optional<ExportFormat> ParseExportFormat(std::string_view name);
std::string_view ExportContentType(ExportFormat format);

/// What stands before the first trace: the header line of CSV, else nothing.
std::string ExportHeader(ExportFormat format);

/// One trace. OTLP JSON and X-Ray: one JSON object a line (a TracesData; a segment document); OTLP
/// protobuf: a TracesData message, which may be concatenated; CSV: a line a span. Pure.
std::string ExportTrace(const model::AssembledTrace& trace, ExportFormat format);

}  // namespace fluoro::api::ui
