// Files of traces -> batches: what `fluoro import` takes. Pure; inflated bytes come in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/limits.h"
#include "model/span_batch.h"

namespace fluoro::ingest {

enum class ImportFormat : std::uint8_t { kOtlpJson, kOtlpProto, kXRay, kJaeger, kZipkin, kCsv };

/// "otlp-json", "otlp-proto", "xray", "jaeger", "zipkin", "csv". nullopt: unknown name.
std::optional<ImportFormat> ParseImportFormat(std::string_view name);
std::string_view ImportFormatName(ImportFormat format);

/// By the first bytes and the members of the first JSON value. Errors: kUnsupported, saying what
/// was looked for.
Result<ImportFormat> DetectImportFormat(std::string_view bytes);

struct Imported {
  model::SpanBatch batch;
  model::DecodeStats stats;
  std::vector<std::string> problems;  ///< first 100 refused documents or lines, with why
  std::uint64_t refused = 0;          ///< documents or spans refused in all
};

/// JSON formats may hold one value, an array, or values one after another (JSON lines). X-Ray:
/// documents, arrays of them,
/// {"TraceSegmentDocuments":[...]} and {"Traces":[...]} as the API speaks. Errors: kCorruption
/// saying where.
Result<Imported> DecodeImport(std::string_view bytes, ImportFormat format,
                              const model::Limits& limits);

/// The JSON values that stand one after another in `text`, as written. A torn last one is returned
/// as it is. Takes 16 bytes a value: for texts of our own user.
std::vector<std::string_view> SplitJsonValues(std::string_view text);

}  // namespace fluoro::ingest
