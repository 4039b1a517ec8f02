// Answers to exporters: ExportTraceServiceResponse and google.rpc.Status.
#include <algorithm>

#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "codec/otlp/otlp.h"
#include "codec/otlp/wire.h"

namespace fluoro::codec::otlp {
namespace {

using internal::AppendField;
using internal::AppendVarintField;

constexpr std::string_view kRetryInfoType = "type.googleapis.com/google.rpc.RetryInfo";
// Far below the 4 MiB that clients take.
constexpr std::size_t kMessageBytesMax = std::size_t{16} << 10;

std::string CleanMessage(std::string_view message) {
  const std::string_view text = TruncateUtf8(message, kMessageBytesMax);
  return IsValidUtf8(text) ? std::string(text) : RepairUtf8(text);
}

// Both answers have the same fields; in JSON one has another name.
std::string EncodePartialSuccess(std::uint64_t rejected, std::string_view name,
                                 std::string_view message, Encoding encoding) {
  const std::string text = CleanMessage(message);
  const bool success = rejected == 0 && text.empty();
  if (encoding == Encoding::kProtobuf) {
    if (success) return {};
    std::string partial;
    if (rejected != 0) AppendVarintField(1, rejected, partial);
    if (!text.empty()) AppendField(2, text, partial);
    std::string out;
    AppendField(1, partial, out);
    return out;
  }
  JsonWriter json;
  json.BeginObject();
  if (!success) {
    json.Key("partialSuccess").BeginObject();
    if (rejected != 0) json.Key(name).String(std::to_string(rejected));
    if (!text.empty()) json.Key("errorMessage").String(text);
    json.EndObject();
  }
  json.EndObject();
  return json.Take();
}

}  // namespace

std::string EncodeResponse(std::uint64_t rejected_spans, std::string_view message,
                           Encoding encoding) {
  return EncodePartialSuccess(rejected_spans, "rejectedSpans", message, encoding);
}

std::string EncodeLogsResponse(std::uint64_t rejected_records, std::string_view message,
                               Encoding encoding) {
  return EncodePartialSuccess(rejected_records, "rejectedLogRecords", message, encoding);
}

std::string EncodeStatus(int code, std::string_view message,
                         std::optional<std::int64_t> retry_delay_ns, Encoding encoding) {
  const std::string text = CleanMessage(message);
  const std::int64_t delay_ns = std::max<std::int64_t>(retry_delay_ns.value_or(0), 0);
  if (encoding == Encoding::kProtobuf) {
    std::string out;
    if (code != 0) AppendVarintField(1, static_cast<std::uint64_t>(std::int64_t{code}), out);
    if (!text.empty()) AppendField(2, text, out);
    if (retry_delay_ns) {
      std::string duration;
      const auto seconds = static_cast<std::uint64_t>(delay_ns / kNsPerSecond);
      const auto nanos = static_cast<std::uint64_t>(delay_ns % kNsPerSecond);
      if (seconds != 0) AppendVarintField(1, seconds, duration);
      if (nanos != 0) AppendVarintField(2, nanos, duration);
      std::string retry_info;
      AppendField(1, duration, retry_info);
      std::string any;
      AppendField(1, kRetryInfoType, any);
      AppendField(2, retry_info, any);
      AppendField(3, any, out);
    }
    return out;
  }
  JsonWriter json;
  json.BeginObject();
  if (code != 0) json.Key("code").Int(code);
  if (!text.empty()) json.Key("message").String(text);
  if (retry_delay_ns) {
    json.Key("details").BeginArray().BeginObject();
    json.Key("@type").String(kRetryInfoType);
    json.Key("retryDelay").String(DecimalSeconds(delay_ns) + "s");
    json.EndObject().EndArray();
  }
  json.EndObject();
  return json.Take();
}

}  // namespace fluoro::codec::otlp
