#include "api/ui/export.h"

#include "codec/csv/csv.h"
#include "codec/otlp/otlp.h"
#include "codec/xray/encode.h"

namespace fluoro::api::ui {

std::optional<ExportFormat> ParseExportFormat(std::string_view name) {
  if (name == "otlp-json") return ExportFormat::kOtlpJson;
  if (name == "otlp-proto") return ExportFormat::kOtlpProto;
  if (name == "xray") return ExportFormat::kXRay;
  if (name == "csv") return ExportFormat::kCsv;
  return std::nullopt;
}

std::string_view ExportContentType(ExportFormat format) {
  switch (format) {
    case ExportFormat::kOtlpProto:
      return "application/x-protobuf";
    case ExportFormat::kCsv:
      return "text/csv; charset=utf-8";
    default:
      return "application/x-ndjson";
  }
}

std::string ExportHeader(ExportFormat format) {
  return format == ExportFormat::kCsv ? codec::csv::EncodeSpans({}, true) : std::string{};
}

std::string ExportTrace(const model::AssembledTrace& trace, ExportFormat format) {
  const auto& spans = trace.trace->spans;
  switch (format) {
    case ExportFormat::kOtlpJson:
      return codec::otlp::EncodeTraces(spans, codec::otlp::Encoding::kJson) + "\n";
    case ExportFormat::kOtlpProto:
      return codec::otlp::EncodeTraces(spans, codec::otlp::Encoding::kProtobuf);
    case ExportFormat::kCsv:
      return codec::csv::EncodeSpans(spans, false);
    case ExportFormat::kXRay:
      break;
  }
  std::string lines;
  for (const auto& segment : codec::xray::EncodeSegments(trace, {.inferred = false}))
    lines += segment.document + "\n";
  return lines;
}

}  // namespace fluoro::api::ui
