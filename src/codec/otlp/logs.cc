#include "codec/otlp/logs.h"

#include <cstring>
#include <optional>

#include "base/json.h"
#include "base/json_copy.h"
#include "base/json_tree.h"
#include "codec/otlp/wire.h"
#include "model/assembly.h"
#include "model/log_record.h"

namespace fluoro::codec::otlp {
namespace {

using internal::AppendField;
using internal::AppendFixed64Field;
using internal::AppendVarintField;
using internal::Tag;
using internal::WireError;
using internal::WireReader;
using internal::WireType;

constexpr std::uint64_t kInternalKind = 1;
constexpr std::string_view kSeverityKey = "log.severity";
constexpr std::string_view kIdPurpose = "log record ";

std::string_view BodyKey(std::string_view event) {
  return event.starts_with("gen_ai.") ? "gen_ai.event.content" : "body";
}

// What names the event, best first.
struct EventName {
  std::string_view field;
  std::string attribute;
  bool exception = false;

  [[nodiscard]] std::string Pick() const {
    if (!field.empty()) return std::string(field);
    if (!attribute.empty()) return attribute;
    return exception ? "exception" : "log";
  }
};

template <class Id>
std::optional<Id> IdOf(std::string_view bytes) {
  Id id;
  if (bytes.size() != id.bytes.size()) return std::nullopt;
  std::memcpy(id.bytes.data(), bytes.data(), bytes.size());
  return id.IsZero() ? std::nullopt : std::optional(id);
}

template <class Id>
std::string_view BytesOf(const Id& id) {
  return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()};
}

// ---- Protobuf ----

constexpr std::uint32_t Bytes(std::uint32_t field) { return Tag(field, WireType::kBytes); }

// Requests of logs and of traces are alike down to the record, and a record becomes a span: so the
// one decoder of spans, with its limits, reads both.
class ProtobufLogs {
 public:
  explicit ProtobufLogs(std::string_view body) : body_(body) {}

  Result<std::string> Run() {
    std::string out;
    const bool whole = ForEach(body_, [&](std::uint32_t tag, WireReader& reader) {
      return tag == Bytes(1) ? Nested(reader, 1, out, &ProtobufLogs::ResourceLogs)
                             : reader.Skip(tag);
    });
    if (whole) return out;
    return Fail(error_.code, "OTLP request, byte " + std::to_string(error_.at - body_.data()) +
                                 ": " + error_.what);
  }
  [[nodiscard]] std::uint64_t rejected() const { return rejected_; }

 private:
  using Write = bool (ProtobufLogs::*)(std::string_view, std::string&);

  template <class OnField>
  bool ForEach(std::string_view message, OnField&& on_field) {
    WireReader reader(message, error_);
    std::uint32_t tag = 0;
    while (!reader.done()) {
      if (!reader.ReadTag(tag) || !on_field(tag, reader)) return false;
    }
    return true;
  }

  // Reads a message and writes what it becomes under that field.
  bool Nested(WireReader& reader, std::uint32_t field, std::string& out, Write write) {
    std::string_view bytes;
    std::string inner;
    if (!reader.ReadBytes(bytes) || !(this->*write)(bytes, inner)) return false;
    if (!inner.empty()) AppendField(field, inner, out);
    return true;
  }
  static bool Copy(WireReader& reader, std::uint32_t field, std::string& out) {
    std::string_view bytes;
    if (!reader.ReadBytes(bytes)) return false;
    AppendField(field, bytes, out);
    return true;
  }

  bool ResourceLogs(std::string_view message, std::string& out) {
    return ForEach(message, [&](std::uint32_t tag, WireReader& reader) {
      if (tag == Bytes(2)) return Nested(reader, 2, out, &ProtobufLogs::ScopeLogs);
      return tag == Bytes(1) || tag == Bytes(3) ? Copy(reader, tag >> 3, out) : reader.Skip(tag);
    });
  }
  bool ScopeLogs(std::string_view message, std::string& out) {
    return ForEach(message, [&](std::uint32_t tag, WireReader& reader) {
      if (tag == Bytes(2)) return Nested(reader, 2, out, &ProtobufLogs::Record);
      return tag == Bytes(1) || tag == Bytes(3) ? Copy(reader, tag >> 3, out) : reader.Skip(tag);
    });
  }

  bool Record(std::string_view message, std::string& out) {
    std::uint64_t time_ns = 0;
    std::uint64_t observed_ns = 0;
    std::string_view trace_id;
    std::string_view span_id;
    std::string_view body;
    std::string_view severity;
    std::uint64_t dropped = 0;
    EventName name;
    std::string attributes;
    const bool whole = ForEach(message, [&](std::uint32_t tag, WireReader& reader) {
      switch (tag) {
        case Tag(1, WireType::kFixed64):
          return reader.ReadFixed64(time_ns);
        case Bytes(3):
          return reader.ReadBytes(severity);
        case Bytes(5):
          return reader.ReadBytes(body);
        case Bytes(6):
          return Attribute(reader, attributes, name);
        case Tag(7, WireType::kVarint):
          return reader.ReadVarint(dropped);
        case Bytes(9):
          return reader.ReadBytes(trace_id);
        case Bytes(10):
          return reader.ReadBytes(span_id);
        case Tag(11, WireType::kFixed64):
          return reader.ReadFixed64(observed_ns);
        case Bytes(12):
          return reader.ReadBytes(name.field);
        default:
          return reader.Skip(tag);
      }
    });
    if (!whole) return false;
    const auto trace = IdOf<model::TraceId>(trace_id);
    const auto span = IdOf<model::SpanId>(span_id);
    if (!trace || !span) {
      ++rejected_;
      return true;
    }
    if (time_ns == 0) time_ns = observed_ns;
    const std::string event_name = name.Pick();

    std::string event;
    AppendFixed64Field(1, time_ns, event);
    AppendField(2, event_name, event);
    event += attributes;
    if (!body.empty()) AppendField(3, KeyValue(BodyKey(event_name), body), event);
    if (!severity.empty()) {
      std::string value;
      AppendField(1, severity, value);
      AppendField(3, KeyValue(kSeverityKey, value), event);
    }
    if (dropped != 0) AppendVarintField(4, dropped, event);

    const model::SpanId id =
        model::DeriveSpanId(*trace, *span, std::string(kIdPurpose).append(message));
    AppendField(1, trace_id, out);
    AppendField(2, BytesOf(id), out);
    AppendField(4, span_id, out);
    AppendField(5, event_name, out);
    AppendVarintField(6, kInternalKind, out);
    AppendFixed64Field(7, time_ns, out);
    AppendFixed64Field(8, time_ns, out);
    AppendField(11, event, out);
    return true;
  }

  static std::string KeyValue(std::string_view key, std::string_view any_value) {
    std::string out;
    AppendField(1, key, out);
    AppendField(2, any_value, out);
    return out;
  }

  bool Attribute(WireReader& reader, std::string& attributes, EventName& name) {
    std::string_view bytes;
    if (!reader.ReadBytes(bytes)) return false;
    AppendField(3, bytes, attributes);
    std::string_view key;
    std::string_view value;
    const bool whole = ForEach(bytes, [&](std::uint32_t tag, WireReader& inner) {
      if (tag == Bytes(1)) return inner.ReadBytes(key);
      return tag == Bytes(2) ? inner.ReadBytes(value) : inner.Skip(tag);
    });
    if (!whole) return false;
    name.exception = name.exception || key.starts_with("exception.");
    if (key != "event.name") return true;
    return ForEach(value, [&](std::uint32_t tag, WireReader& inner) {
      if (tag != Bytes(1)) return inner.Skip(tag);
      std::string_view text;
      if (!inner.ReadBytes(text)) return false;
      name.attribute = text;
      return true;
    });
  }

  std::string_view body_;
  WireError error_;
  std::uint64_t rejected_ = 0;
};

// ---- JSON ----

class JsonLogs {
 public:
  std::string Run(const JsonView& root) {
    out_.BeginObject().Key("resourceSpans").BeginArray();
    for (const JsonView& resource : root["resourceLogs"].Elements()) {
      out_.BeginObject();
      Member(resource, "resource");
      Member(resource, "schemaUrl");
      out_.Key("scopeSpans").BeginArray();
      for (const JsonView& scope : resource["scopeLogs"].Elements()) {
        out_.BeginObject();
        Member(scope, "scope");
        Member(scope, "schemaUrl");
        out_.Key("spans").BeginArray();
        for (const JsonView& record : scope["logRecords"].Elements()) Record(record);
        out_.EndArray().EndObject();
      }
      out_.EndArray().EndObject();
    }
    out_.EndArray().EndObject();
    return out_.Take();
  }
  [[nodiscard]] std::uint64_t rejected() const { return rejected_; }

 private:
  void Member(const JsonView& object, std::string_view key, std::string_view as = {}) {
    const JsonView member = object[key];
    if (!member.exists()) return;
    out_.Key(as.empty() ? key : as);
    CopyJson(out_, member);
  }

  static std::string_view TextOf(const JsonView& view) { return view.String().value_or(""); }

  static bool IsTime(const JsonView& view) {
    const auto text = view.String();
    return text ? !text->empty() && *text != "0" : view.Int().value_or(0) != 0;
  }

  void Record(const JsonView& record) {
    const auto trace = model::TraceId::Parse(TextOf(record["traceId"]));
    const auto span = model::SpanId::Parse(TextOf(record["spanId"]));
    if (!trace || !span || trace->IsZero() || span->IsZero()) {
      ++rejected_;
      return;
    }
    EventName name{.field = TextOf(record["eventName"]), .attribute = {}};
    for (const JsonView& attribute : record["attributes"].Elements()) {
      const std::string_view key = TextOf(attribute["key"]);
      name.exception = name.exception || key.starts_with("exception.");
      if (key == "event.name") name.attribute = TextOf(attribute["value"]["stringValue"]);
    }
    const std::string event_name = name.Pick();
    const std::string_view time =
        IsTime(record["timeUnixNano"]) ? "timeUnixNano" : "observedTimeUnixNano";
    JsonWriter bytes;
    CopyJson(bytes, record);
    const model::SpanId id =
        model::DeriveSpanId(*trace, *span, std::string(kIdPurpose) + bytes.Take());

    out_.BeginObject().Key("traceId").String(trace->ToHex()).Key("spanId").String(id.ToHex());
    out_.Key("parentSpanId").String(span->ToHex()).Key("name").String(event_name);
    out_.Key("kind").Uint(kInternalKind);
    Member(record, time, "startTimeUnixNano");
    Member(record, time, "endTimeUnixNano");
    out_.Key("events").BeginArray().BeginObject();
    Member(record, time, "timeUnixNano");
    out_.Key("name").String(event_name).Key("attributes").BeginArray();
    for (const JsonView& attribute : record["attributes"].Elements()) CopyJson(out_, attribute);
    if (record["body"].IsObject()) {
      out_.BeginObject().Key("key").String(BodyKey(event_name));
      Member(record, "body", "value");
      out_.EndObject();
    }
    if (const std::string_view severity = TextOf(record["severityText"]); !severity.empty()) {
      out_.BeginObject().Key("key").String(kSeverityKey).Key("value").BeginObject();
      out_.Key("stringValue").String(severity).EndObject().EndObject();
    }
    out_.EndArray();
    Member(record, "droppedAttributesCount");
    out_.EndObject().EndArray().EndObject();
  }

  JsonWriter out_;
  std::uint64_t rejected_ = 0;
};

}  // namespace

Result<Decoded> DecodeLogs(std::string_view body, Encoding encoding, const model::Limits& limits) {
  if (body.size() > limits.body_bytes_max) {
    return Fail(ErrorCode::kTooLarge, "a request of " + std::to_string(body.size()) +
                                          " bytes, at most " +
                                          std::to_string(limits.body_bytes_max) + " are taken");
  }
  std::string spans;
  std::uint64_t rejected = 0;
  if (encoding == Encoding::kProtobuf) {
    ProtobufLogs logs(body);
    FLUORO_TRY(spans, logs.Run());
    rejected = logs.rejected();
  } else if (!body.empty()) {
    FLUORO_TRY(const JsonTree tree, JsonTree::Parse(body));
    JsonLogs logs;
    spans = logs.Run(tree.root());
    rejected = logs.rejected();
  }
  FLUORO_TRY(Decoded decoded, DecodeTraces(spans, encoding, limits));
  for (std::uint32_t& flags : decoded.batch.flags) flags |= model::kLogRecord;
  decoded.stats.rejected_spans += rejected;
  if (rejected > 0 && decoded.reject_reason.empty()) {
    decoded.reject_reason =
        "only log records with trace_id and span_id are kept, as events of that span";
  }
  return decoded;
}

}  // namespace fluoro::codec::otlp
