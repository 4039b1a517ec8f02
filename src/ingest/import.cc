#include "ingest/import.h"

#include <simdjson.h>

#include <algorithm>
#include <array>

#include "base/json.h"
#include "codec/csv/csv.h"
#include "codec/jaeger/jaeger.h"
#include "codec/otlp/otlp.h"
#include "codec/xray/decode.h"
#include "codec/zipkin/zipkin.h"

namespace fluoro::ingest {
namespace {

constexpr std::size_t kProblemsMax = 100;
constexpr std::array<std::pair<std::string_view, ImportFormat>, 6> kNames{{
    {"otlp-json", ImportFormat::kOtlpJson},
    {"otlp-proto", ImportFormat::kOtlpProto},
    {"xray", ImportFormat::kXRay},
    {"jaeger", ImportFormat::kJaeger},
    {"zipkin", ImportFormat::kZipkin},
    {"csv", ImportFormat::kCsv},
}};

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// End of the JSON value that begins at `begin`: brackets are counted outside strings; the parser
// judges the rest.
std::size_t ValueEnd(std::string_view text, std::size_t begin) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = begin; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      if (depth <= 1) return i + 1;
      --depth;
    } else if (depth == 0 && IsSpace(c)) {
      return i;
    }
  }
  return text.size();
}

// Elements of a JSON array, as written; the array's own brackets are the first and the last
// character.
std::vector<std::string_view> SplitArray(std::string_view array) {
  std::vector<std::string_view> elements;
  array = array.substr(1, array.size() - (array.ends_with(']') ? 2 : 1));
  std::size_t at = 0;
  while (at < array.size()) {
    if (IsSpace(array[at]) || array[at] == ',') {
      ++at;
      continue;
    }
    const std::size_t end = ValueEnd(array, at);
    elements.push_back(array.substr(at, end - at));
    at = std::max(end, at + 1);
  }
  return elements;
}

void AddProblem(Imported& out, std::string text) {
  ++out.refused;
  if (out.problems.size() < kProblemsMax) out.problems.push_back(std::move(text));
}

void DecodeXRayDocument(std::string_view document, const model::Limits& limits, Imported& out) {
  std::vector<codec::xray::Unprocessed> unprocessed;
  codec::xray::DecodeDocument(document, limits, out.batch, unprocessed, out.stats);
  for (auto& item : unprocessed) {
    AddProblem(out,
               (item.id ? "document " + *item.id + ": " : std::string{}) + std::move(item.message));
  }
}

// API envelopes hold documents as strings; true if `value` was one.
bool DecodeXRayEnvelope(std::string_view value, const model::Limits& limits, Imported& out) {
  if (value.find("TraceSegmentDocuments") == std::string_view::npos &&
      value.find("\"Traces\"") == std::string_view::npos) {
    return false;
  }
  if (JsonDepthExceeds(value, 64)) return false;
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(value);
  simdjson::dom::object object;
  if (parser.parse(padded).get(object) != simdjson::SUCCESS) return false;
  simdjson::dom::array documents;
  bool is_envelope = false;
  if (object["TraceSegmentDocuments"].get(documents) == simdjson::SUCCESS) {
    is_envelope = true;
    for (const auto element : documents) {
      std::string_view text;
      if (element.get(text) == simdjson::SUCCESS) DecodeXRayDocument(text, limits, out);
    }
  }
  simdjson::dom::array traces;
  if (object["Traces"].get(traces) == simdjson::SUCCESS) {
    is_envelope = true;
    for (const auto trace : traces) {
      simdjson::dom::array segments;
      if (trace["Segments"].get(segments) != simdjson::SUCCESS) continue;
      for (const auto segment : segments) {
        std::string_view text;
        if (segment["Document"].get(text) == simdjson::SUCCESS)
          DecodeXRayDocument(text, limits, out);
      }
    }
  }
  return is_envelope;
}

Result<Imported> DecodeXRay(std::string_view bytes, const model::Limits& limits) {
  Imported out;
  for (const std::string_view value : SplitJsonValues(bytes)) {
    if (DecodeXRayEnvelope(value, limits, out)) continue;
    if (value.starts_with('[')) {
      for (const std::string_view element : SplitArray(value))
        DecodeXRayDocument(element, limits, out);
    } else {
      DecodeXRayDocument(value, limits, out);
    }
  }
  return out;
}

Result<Imported> DecodeOtlp(std::string_view bytes, codec::otlp::Encoding encoding,
                            const model::Limits& limits) {
  FLUORO_TRY(auto decoded, codec::otlp::DecodeTraces(bytes, encoding, limits));
  Imported out;
  out.batch = std::move(decoded.batch);
  out.stats = decoded.stats;
  out.refused = decoded.stats.rejected_spans;
  if (!decoded.reject_reason.empty()) out.problems.push_back(std::move(decoded.reject_reason));
  return out;
}

// One value (or several, one after another) decoded on their own and joined.
template <class Decode>
Result<Imported> DecodeEach(std::string_view bytes, const Decode& decode) {
  const auto values = SplitJsonValues(bytes);
  if (values.size() == 1) return decode(values.front());
  Imported all;
  for (std::size_t i = 0; i < values.size(); ++i) {
    auto one = decode(values[i]);
    if (!one) return std::unexpected(std::move(one).error().With("value " + std::to_string(i + 1)));
    model::SpanReader reader(one->batch);
    for (std::uint32_t span = 0; span < one->batch.size(); ++span)
      all.batch.AppendSpan(reader.Read(span));
    all.stats.spans += one->stats.spans;
    all.stats.rejected_spans += one->stats.rejected_spans;
    all.stats.truncated_values += one->stats.truncated_values;
    all.stats.dropped_attributes += one->stats.dropped_attributes;
    all.stats.dropped_events += one->stats.dropped_events;
    all.stats.dropped_links += one->stats.dropped_links;
    all.stats.repaired_texts += one->stats.repaired_texts;
    all.refused += one->refused;
    for (auto& problem : one->problems) {
      if (all.problems.size() < kProblemsMax) all.problems.push_back(std::move(problem));
    }
  }
  return all;
}

// Version 1 alone has binary annotations, and annotations with an endpoint.
codec::zipkin::Version ZipkinVersionOf(std::string_view json) {
  return json.find("\"binaryAnnotations\"") != std::string_view::npos ? codec::zipkin::Version::kV1
                                                                      : codec::zipkin::Version::kV2;
}

template <class Decode>
Result<Imported> Wrap(const Decode& decode) {
  Imported out;
  FLUORO_TRY(out.batch, decode(out.stats));
  out.refused = out.stats.rejected_spans;
  return out;
}

}  // namespace

std::optional<ImportFormat> ParseImportFormat(std::string_view name) {
  const auto it = std::ranges::find(kNames, name, [](const auto& entry) { return entry.first; });
  if (it == kNames.end()) return std::nullopt;
  return it->second;
}

std::string_view ImportFormatName(ImportFormat format) {
  return std::ranges::find(kNames, format, [](const auto& entry) { return entry.second; })->first;
}

std::vector<std::string_view> SplitJsonValues(std::string_view text) {
  std::vector<std::string_view> values;
  std::size_t at = 0;
  if (text.starts_with("\xEF\xBB\xBF")) at = 3;
  while (at < text.size()) {
    if (IsSpace(text[at])) {
      ++at;
      continue;
    }
    const std::size_t end = ValueEnd(text, at);
    values.push_back(text.substr(at, end - at));
    at = std::max(end, at + 1);
  }
  return values;
}

Result<ImportFormat> DetectImportFormat(std::string_view bytes) {
  if (bytes.substr(0, 8) == "TraceID,") return ImportFormat::kCsv;
  if (bytes.starts_with('\x0a')) return ImportFormat::kOtlpProto;
  const auto values = SplitJsonValues(bytes);
  if (values.empty()) return Fail(ErrorCode::kUnsupported, "format: the file is empty");
  const std::string_view first = values.front();
  std::string_view object = first;
  if (first.starts_with('[')) {
    const auto elements = SplitArray(first);
    object = elements.empty() ? std::string_view{} : elements.front();
    if (object.starts_with('[')) {  // Zipkin prints traces as arrays of arrays
      const auto inner = SplitArray(object);
      object = inner.empty() ? std::string_view{} : inner.front();
    }
  }
  if (!JsonDepthExceeds(object, 1'000)) {
    simdjson::dom::parser parser;
    const simdjson::padded_string padded(object);
    simdjson::dom::object members;
    if (parser.parse(padded).get(members) == simdjson::SUCCESS) {
      const auto has = [&members](std::string_view key) {
        return members.at_key(key).error() == simdjson::SUCCESS;
      };
      if (has("resourceSpans")) return ImportFormat::kOtlpJson;
      if (has("traceID") || has("data")) return ImportFormat::kJaeger;
      if (has("traceId") && has("id")) return ImportFormat::kZipkin;
      if (has("trace_id") || has("TraceSegmentDocuments") || has("Traces") || has("start_time"))
        return ImportFormat::kXRay;
    }
  }
  return Fail(ErrorCode::kUnsupported,
              "format: neither OTLP (resourceSpans), X-Ray (trace_id), Jaeger (traceID), Zipkin "
              "(traceId, id), CSV (header line) "
              "nor protobuf was recognised; name it with --format");
}

Result<Imported> DecodeImport(std::string_view bytes, ImportFormat format,
                              const model::Limits& limits) {
  switch (format) {
    case ImportFormat::kOtlpProto:
      return DecodeOtlp(bytes, codec::otlp::Encoding::kProtobuf, limits);
    case ImportFormat::kOtlpJson:
      return DecodeEach(bytes, [&](std::string_view value) {
        return DecodeOtlp(value, codec::otlp::Encoding::kJson, limits);
      });
    case ImportFormat::kXRay:
      return DecodeXRay(bytes, limits);
    case ImportFormat::kJaeger:
      return DecodeEach(bytes, [&](std::string_view value) {
        return Wrap([&](model::DecodeStats& stats) {
          return codec::jaeger::DecodeTraces(value, limits, stats);
        });
      });
    case ImportFormat::kZipkin:
      return DecodeEach(bytes, [&](std::string_view value) {
        return Wrap([&](model::DecodeStats& stats) {
          return codec::zipkin::DecodeSpans(value, ZipkinVersionOf(value), limits, stats);
        });
      });
    case ImportFormat::kCsv:
      return Wrap(
          [&](model::DecodeStats& stats) { return codec::csv::DecodeSpans(bytes, limits, stats); });
  }
  return Fail(ErrorCode::kInternal, "unknown import format");
}

}  // namespace fluoro::ingest
