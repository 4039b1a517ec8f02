#include "ingest/import.h"

#include <simdjson.h>

#include <algorithm>
#include <array>

#include "base/json.h"
#include "codec/common/bounds.h"
#include "codec/csv/csv.h"
#include "codec/jaeger/jaeger.h"
#include "codec/otlp/otlp.h"
#include "codec/xray/decode.h"
#include "codec/zipkin/zipkin.h"

namespace fluoro::ingest {
namespace {

constexpr std::size_t kProblemsMax = 100;
constexpr std::size_t kEnvelopeValuesMax = 1'000'000;
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
// judges the rest. Outside brackets a value ends at white space, inside an array also at a comma.
std::size_t ValueEnd(std::string_view text, std::size_t begin, bool in_array) {
  std::size_t depth = 0;
  bool is_closed = false;
  const std::size_t end = FindOutsideStrings(text, begin, [&](char c) {
    if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      is_closed = depth <= 1;
      if (!is_closed) --depth;
      return is_closed;
    }
    return depth == 0 && (IsSpace(c) || (in_array && c == ','));
  });
  return is_closed ? end + 1 : end;
}

// Values one after another, found as they are asked for: a body can hold millions.
class JsonValueReader {
 public:
  /// The values that stand one after another in `text`, each ended by white space.
  static JsonValueReader OfText(std::string_view text) {
    return {text.starts_with("\xEF\xBB\xBF") ? text.substr(3) : text, false};
  }
  /// The elements of an array, as written; its own brackets are the first and the last character.
  static JsonValueReader OfArray(std::string_view array) {
    return {array.substr(1, array.size() - (array.ends_with(']') ? 2 : 1)), true};
  }

  /// Empty at the end. A torn last value is returned as it is.
  std::string_view Next() {
    while (at_ < text_.size() && (IsSpace(text_[at_]) || (in_array_ && text_[at_] == ','))) ++at_;
    if (at_ >= text_.size()) return {};
    const std::size_t begin = at_;
    at_ = std::max(ValueEnd(text_, begin, in_array_), begin + 1);
    return text_.substr(begin, at_ - begin);
  }

 private:
  JsonValueReader(std::string_view text, bool in_array) : text_(text), in_array_(in_array) {}

  std::string_view text_;
  bool in_array_ = false;
  std::size_t at_ = 0;
};

// True if a JSON object has the member, as far as the text can be told apart without parsing it:
// nothing is built, whatever the size of the values.
bool HasMember(std::string_view object, std::string_view name) {
  std::size_t depth = 0;
  for (std::size_t i = 0; i < object.size(); ++i) {
    const char c = object[i];
    if (c == '{' || c == '[') {
      ++depth;
    } else if (depth == 0) {
      return false;
    } else if (c == '}' || c == ']') {
      --depth;
      if (depth == 0) return false;
    }
    if (c != '"') continue;
    const std::size_t begin = ++i;
    while (i < object.size() && object[i] != '"') i += object[i] == '\\' ? 2U : 1U;
    if (depth != 1 || i >= object.size() || object.substr(begin, i - begin) != name) continue;
    std::size_t after = i + 1;
    while (after < object.size() && IsSpace(object[after])) ++after;
    if (after < object.size() && object[after] == ':') return true;
  }
  return false;
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
  if (!HasMember(value, "TraceSegmentDocuments") && !HasMember(value, "Traces")) return false;
  if (JsonDepthExceeds(value, 64) || JsonValuesExceed(value, kEnvelopeValuesMax)) return false;
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
  auto values = JsonValueReader::OfText(bytes);
  for (auto value = values.Next(); !value.empty(); value = values.Next()) {
    if (DecodeXRayEnvelope(value, limits, out)) {
      // Its documents are in.
    } else if (value.starts_with('[')) {
      auto elements = JsonValueReader::OfArray(value);
      for (auto one = elements.Next(); !one.empty(); one = elements.Next()) {
        DecodeXRayDocument(one, limits, out);
        FLUORO_CHECK_OK(codec::common::CheckRoom(limits, out.batch));
      }
    } else {
      DecodeXRayDocument(value, limits, out);
    }
    FLUORO_CHECK_OK(codec::common::CheckRoom(limits, out.batch));
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
Result<Imported> DecodeEach(std::string_view bytes, const model::Limits& limits,
                            const Decode& decode) {
  auto values = JsonValueReader::OfText(bytes);
  std::string_view value = values.Next();
  std::string_view next = values.Next();
  if (next.empty() && !value.empty()) return decode(value);
  Imported all;
  for (std::size_t i = 0; !value.empty(); ++i, value = next, next = values.Next()) {
    auto one = decode(value);
    if (!one) return std::unexpected(std::move(one).error().With("value " + std::to_string(i + 1)));
    FLUORO_CHECK_OK(codec::common::CheckRoom(limits, all.batch));
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
  std::vector<std::string_view> all;
  auto values = JsonValueReader::OfText(text);
  for (auto value = values.Next(); !value.empty(); value = values.Next()) all.push_back(value);
  return all;
}

Result<ImportFormat> DetectImportFormat(std::string_view bytes) {
  if (bytes.substr(0, 8) == "TraceID,") return ImportFormat::kCsv;
  if (bytes.starts_with('\x0a')) return ImportFormat::kOtlpProto;
  std::string_view object = JsonValueReader::OfText(bytes).Next();
  if (object.empty()) return Fail(ErrorCode::kUnsupported, "format: the file is empty");
  // Zipkin prints traces as arrays of arrays.
  for (int level = 0; level < 2 && object.starts_with('['); ++level)
    object = JsonValueReader::OfArray(object).Next();
  const auto has = [object](std::string_view key) { return HasMember(object, key); };
  if (has("resourceSpans") || has("batches")) return ImportFormat::kOtlpJson;
  if (has("traceID") || has("data")) return ImportFormat::kJaeger;
  if (has("traceId") && has("id")) return ImportFormat::kZipkin;
  if (has("trace_id") || has("TraceSegmentDocuments") || has("Traces") || has("start_time"))
    return ImportFormat::kXRay;
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
      return DecodeEach(bytes, limits, [&](std::string_view value) {
        return DecodeOtlp(value, codec::otlp::Encoding::kJson, limits);
      });
    case ImportFormat::kXRay:
      return DecodeXRay(bytes, limits);
    case ImportFormat::kJaeger:
      return DecodeEach(bytes, limits, [&](std::string_view value) {
        return Wrap([&](model::DecodeStats& stats) {
          return codec::jaeger::DecodeTraces(value, limits, stats);
        });
      });
    case ImportFormat::kZipkin:
      return DecodeEach(bytes, limits, [&](std::string_view value) {
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
