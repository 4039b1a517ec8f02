#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>

#include "base/base64.h"
#include "base/json_tree.h"
#include "codec/common/bounds.h"
#include "codec/common/members.h"
#include "codec/common/text.h"
#include "codec/jaeger/jaeger.h"
#include "codec/jaeger/keys.h"

namespace fluoro::codec::jaeger {
namespace {

using common::Bad;
using common::ReadOptional;
using common::ReadText;
using common::ReadTime;
using model::Attribute;
using model::AttributeValue;

constexpr std::size_t kValuesMax = 8'000'000;

Result<model::TraceId> ReadTraceId(JsonView object, std::string_view member) {
  FLUORO_TRY(const JsonView value, ReadOptional(object, member, JsonType::kString));
  if (!value.exists()) return Bad(object, member, "missing");
  const auto id = common::ParseTraceIdPadded(*value.String());
  if (!id) return Bad(value, member, id.error().message);
  return *id;
}

Result<model::SpanId> ReadSpanId(JsonView object, std::string_view member) {
  FLUORO_TRY(const JsonView value, ReadOptional(object, member, JsonType::kString));
  if (!value.exists()) return Bad(object, member, "missing");
  const auto id = common::ParseSpanIdPadded(*value.String());
  if (!id) return Bad(value, member, id.error().message);
  return *id;
}

// Types of tags; Jaeger's storages spell some of them otherwise.
enum class TagType : std::uint8_t { kString, kBool, kInt, kDouble, kBinary };
struct TagTypeName {
  std::string_view name;
  TagType type;
};
constexpr TagTypeName kTagTypes[] = {
    {"string", TagType::kString},  {"bool", TagType::kBool},     {"boolean", TagType::kBool},
    {"int64", TagType::kInt},      {"long", TagType::kInt},      {"integer", TagType::kInt},
    {"float64", TagType::kDouble}, {"double", TagType::kDouble}, {"binary", TagType::kBinary},
};

template <class T>
std::optional<T> ParseNumber(std::string_view text) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Without a type the JSON value says it itself.
std::optional<AttributeValue> Untyped(JsonView value) {
  if (const auto text = value.String()) return AttributeValue{std::string(*text)};
  if (const auto flag = value.Bool()) return AttributeValue{*flag};
  if (const auto whole = value.Int()) return AttributeValue{*whole};
  if (const auto number = value.Double()) return AttributeValue{*number};
  return std::nullopt;
}

// Storages and scripts write values of any type as strings.
std::optional<AttributeValue> Typed(TagType type, JsonView value) {
  const auto text = value.String();
  switch (type) {
    case TagType::kString: {
      const auto plain = Untyped(value);
      return plain ? std::optional(AttributeValue{common::ValueText(*plain)}) : std::nullopt;
    }
    case TagType::kBool:
      if (const auto flag = value.Bool()) return AttributeValue{*flag};
      if (text == "true" || text == "false") return AttributeValue{text == "true"};
      return std::nullopt;
    case TagType::kInt: {
      const auto whole = text ? ParseNumber<std::int64_t>(*text) : value.Int();
      return whole ? std::optional(AttributeValue{*whole}) : std::nullopt;
    }
    case TagType::kDouble: {
      const auto number = text ? ParseNumber<double>(*text) : value.Double();
      return number ? std::optional(AttributeValue{*number}) : std::nullopt;
    }
    case TagType::kBinary: {
      if (!text) return std::nullopt;
      auto bytes = FromBase64(*text);
      if (!bytes) return AttributeValue{std::string(*text)};
      return AttributeValue{AttributeValue::Bytes{*std::move(bytes)}};
    }
  }
  return std::nullopt;
}

Result<Attribute> ReadTag(JsonView tag, std::string_view member) {
  if (!tag.IsObject()) return Bad(tag, member, "an object was expected");
  FLUORO_TRY(std::string key, ReadText(tag, "key"));
  if (key.empty()) return Bad(tag, std::string(member) + ".key", "missing");
  FLUORO_TRY(const std::string type_name, ReadText(tag, "type"));
  const JsonView value = tag["value"];
  if (value.IsNull()) return Attribute{.key = std::move(key), .value = {}};
  const auto* const type = std::find_if(std::begin(kTagTypes), std::end(kTagTypes),
                                        [&](const TagTypeName& t) { return t.name == type_name; });
  auto read = type == std::end(kTagTypes) ? Untyped(value) : Typed(type->type, value);
  if (!read) {
    return Bad(value, std::string(member) + "." + key,
               "not a value of type " + (type_name.empty() ? "string" : type_name));
  }
  return Attribute{.key = std::move(key), .value = *std::move(read)};
}

Result<std::vector<Attribute>> ReadTags(JsonView object, std::string_view member) {
  std::vector<Attribute> tags;
  FLUORO_TRY(const JsonView list, ReadOptional(object, member, JsonType::kArray));
  for (const JsonView item : list.Elements()) {
    FLUORO_TRY(Attribute tag, ReadTag(item, member));
    tags.push_back(std::move(tag));
  }
  return tags;
}

// A tag that stands for a field. True: the encoder writes it again from the field alone; false: it
// also stays an attribute.
bool TakeTag(const Attribute& tag, model::Span& span, model::Scope& scope) {
  const std::string* const text = tag.value.AsString();
  if (tag.key == internal::kError) {
    const bool* const flag = tag.value.AsBool();
    const bool is_true = (flag != nullptr && *flag) || (text != nullptr && *text == "true");
    if (is_true) span.status = model::StatusCode::kError;
    return is_true && flag != nullptr;
  }
  if (text == nullptr || text->empty()) return false;
  if (tag.key == internal::kSpanKind) {
    const auto kind = std::find(internal::kKinds.begin() + 1, internal::kKinds.end(), *text);
    if (kind == internal::kKinds.end()) return false;
    span.kind = static_cast<model::SpanKind>(kind - internal::kKinds.begin());
    return true;
  }
  if (tag.key == internal::kStatusCode) {
    if (*text == "ERROR") span.status = model::StatusCode::kError;
    if (*text == "OK" && span.status == model::StatusCode::kUnset) {
      span.status = model::StatusCode::kOk;
      return true;
    }
    return false;
  }
  struct TextField {
    std::string_view key;
    std::string* field;
    bool current;
  };
  const TextField fields[] = {{internal::kStatusDescription, &span.status_message, true},
                              {internal::kTraceState, &span.trace_state, true},
                              {internal::kScopeName, &scope.name, true},
                              {internal::kScopeVersion, &scope.version, true},
                              {internal::kOldScopeName, &scope.name, false},
                              {internal::kOldScopeVersion, &scope.version, false}};
  for (const TextField& field : fields) {
    if (tag.key != field.key) continue;
    *field.field = *text;
    return field.current;
  }
  return false;
}

class TraceDecoder {
 public:
  TraceDecoder(JsonView trace, const model::Limits& limits, model::DecodeStats& stats,
               model::SpanBatch& batch)
      : trace_(trace), limits_(limits), stats_(stats), batch_(batch) {}

  Result<void> Decode() {
    if (!trace_.IsObject()) return Bad(trace_, "trace", "an object was expected");
    const JsonView spans = trace_["spans"];
    if (!spans.exists()) return Bad(trace_, "spans", "missing");
    if (!spans.IsArray()) return Bad(spans, "spans", "an array was expected");
    FLUORO_CHECK_OK(ReadOptional(trace_, "processes", JsonType::kObject));
    for (const JsonView span : spans.Elements()) FLUORO_CHECK_OK(DecodeSpan(span));
    return {};
  }

 private:
  struct Process {
    std::shared_ptr<const model::Resource> resource;
    std::uint32_t flags = 0;
  };

  Result<Process> ReadProcess(JsonView value) {
    if (!value.IsObject()) return Bad(value, "process", "an object was expected");
    model::Resource resource;
    FLUORO_TRY(const std::string service, ReadText(value, "serviceName"));
    if (!service.empty()) {
      resource.attributes.push_back(
          {.key = std::string(internal::kServiceName), .value = {service}});
    }
    FLUORO_TRY(const auto tags, ReadTags(value, "tags"));
    resource.attributes.insert(resource.attributes.end(), tags.begin(), tags.end());
    Process process;
    process.flags = common::ApplyLimits(limits_, resource, stats_);
    process.resource = std::make_shared<const model::Resource>(std::move(resource));
    return process;
  }

  // By processID; a span may also hold its process itself.
  Result<Process> ProcessOf(JsonView span) {
    FLUORO_TRY(const JsonView id, ReadOptional(span, "processID", JsonType::kString));
    const std::string key(id.String().value_or(""));
    if (const auto it = processes_.find(key); it != processes_.end()) return it->second;
    JsonView value = trace_["processes"][key];
    if (value.IsNull()) {
      value = span["process"];
      if (value.IsNull() && key.empty()) return Bad(span, "processID", "missing");
      if (value.IsNull()) return Bad(id, "processID", "no process " + key + " in this trace");
      return ReadProcess(value);
    }
    FLUORO_TRY(Process process, ReadProcess(value));
    processes_.emplace(key, process);
    return process;
  }

  Result<void> ReadReferences(JsonView value, model::Span& span) {
    FLUORO_TRY(const JsonView list, ReadOptional(value, "references", JsonType::kArray));
    for (const JsonView item : list.Elements()) {
      if (!item.IsObject()) return Bad(item, "references", "an object was expected");
      FLUORO_TRY(const std::string type, ReadText(item, "refType"));
      model::Link link;
      FLUORO_TRY(link.trace_id, ReadTraceId(item, "traceID"));
      FLUORO_TRY(link.span_id, ReadSpanId(item, "spanID"));
      const bool child_of = type != "FOLLOWS_FROM";
      if (child_of && link.trace_id == span.trace_id && span.parent_id.IsZero()) {
        span.parent_id = link.span_id;
        continue;
      }
      link.attributes.push_back({.key = std::string(internal::kRefType),
                                 .value = {std::string(child_of ? "child_of" : "follows_from")}});
      span.links.push_back(std::move(link));
    }
    // Before there were references.
    if (span.parent_id.IsZero() && list.Elements().empty()) {
      FLUORO_TRY(const std::string parent, ReadText(value, "parentSpanID"));
      if (parent.find_first_not_of('0') != std::string::npos) {
        FLUORO_TRY(span.parent_id, ReadSpanId(value, "parentSpanID"));
      }
    }
    return {};
  }

  static Result<void> ReadLogs(JsonView value, model::Span& span) {
    FLUORO_TRY(const JsonView logs, ReadOptional(value, "logs", JsonType::kArray));
    for (const JsonView log : logs.Elements()) {
      if (!log.IsObject()) return Bad(log, "logs", "an object was expected");
      model::Event event;
      FLUORO_TRY(event.time_ns, ReadTime(log, "timestamp"));
      FLUORO_TRY(auto fields, ReadTags(log, "fields"));
      for (Attribute& field : fields) {
        const std::string* const text = field.value.AsString();
        if (field.key == internal::kEventField && event.name.empty() && text != nullptr) {
          event.name = *text;
        } else {
          event.attributes.push_back(std::move(field));
        }
      }
      span.events.push_back(std::move(event));
    }
    return {};
  }

  static Result<void> ReadWarnings(JsonView value, model::Span& span) {
    FLUORO_TRY(const JsonView warnings, ReadOptional(value, "warnings", JsonType::kArray));
    AttributeValue::Array texts;
    for (const JsonView warning : warnings.Elements()) {
      const auto text = warning.String();
      if (!text) return Bad(warning, "warnings", "a string was expected");
      texts.values.push_back({std::string(*text)});
    }
    if (!texts.values.empty()) {
      span.attributes.push_back(
          {.key = std::string(internal::kWarnings), .value = {std::move(texts)}});
    }
    return {};
  }

  Result<void> DecodeSpan(JsonView value) {
    if (!value.IsObject()) return Bad(value, "spans", "an object was expected");
    model::Span span;
    FLUORO_TRY(span.trace_id, ReadTraceId(value["traceID"].exists() ? value : trace_, "traceID"));
    FLUORO_TRY(span.span_id, ReadSpanId(value, "spanID"));
    FLUORO_TRY(span.name, ReadText(value, "operationName"));
    FLUORO_TRY(span.start_ns, ReadTime(value, "startTime"));
    FLUORO_TRY(const std::int64_t duration, ReadTime(value, "duration"));
    if (span.start_ns == 0) span.start_ns = limits_.receive_ns;
    if (duration > INT64_MAX - span.start_ns) {
      return Bad(value["duration"], "duration", "out of range");
    }
    span.end_ns = span.start_ns + duration;
    const JsonView flags = value["flags"];
    if (!flags.IsNull()) {
      const auto bits = flags.Int();
      if (!bits || *bits < 0 || *bits > UINT32_MAX) {
        return Bad(flags, "flags", "a number of 32 bits was expected");
      }
      span.otel_flags = static_cast<std::uint32_t>(*bits);
    }
    FLUORO_CHECK_OK(ReadReferences(value, span));
    FLUORO_TRY(auto tags, ReadTags(value, "tags"));
    model::Scope scope;
    for (Attribute& tag : tags) {
      if (!TakeTag(tag, span, scope)) span.attributes.push_back(std::move(tag));
    }
    FLUORO_CHECK_OK(ReadLogs(value, span));
    FLUORO_CHECK_OK(ReadWarnings(value, span));
    FLUORO_TRY(const Process process, ProcessOf(value));
    if (!common::AcceptsStart(limits_, span.start_ns, stats_)) return {};

    span.flags |= process.flags | common::ApplyLimits(limits_, scope, stats_);
    span.resource = process.resource;
    if (scope_ == nullptr || *scope_ != scope) scope_ = std::make_shared<const model::Scope>(scope);
    span.scope = scope_;
    span.source = model::SpanSource::kJaeger;
    common::ApplyLimits(limits_, span, stats_);
    batch_.AppendSpan(span);
    ++stats_.spans;
    return common::CheckRoom(limits_, batch_);
  }

  JsonView trace_;
  const model::Limits& limits_;
  model::DecodeStats& stats_;
  model::SpanBatch& batch_;
  std::map<std::string, Process> processes_;
  std::shared_ptr<const model::Scope> scope_;  ///< of the last span
};

}  // namespace

Result<model::SpanBatch> DecodeTraces(std::string_view json, const model::Limits& limits,
                                      model::DecodeStats& stats) {
  if (json.size() > limits.body_bytes_max) {
    return Fail(ErrorCode::kTooLarge, "body of " + std::to_string(json.size()) +
                                          " bytes, at most " +
                                          std::to_string(limits.body_bytes_max) + " are taken");
  }
  FLUORO_TRY(const JsonTree tree,
             JsonTree::Parse(json, {.depth_max = static_cast<std::size_t>(limits.nesting_max),
                                    .values_max = kValuesMax}));
  const JsonView root = tree.root();
  std::vector<JsonView> traces = root.Elements();
  if (root.IsObject()) {
    const JsonView data = root["data"];
    traces = data.Elements();
    if (data.IsObject()) traces = {data};
    if (!data.exists()) traces = {root};
  } else if (!root.IsArray()) {
    return Bad(root, "trace", "an object was expected");
  }
  model::SpanBatch batch;
  for (const JsonView trace : traces) {
    FLUORO_CHECK_OK(TraceDecoder(trace, limits, stats, batch).Decode());
  }
  return batch;
}

}  // namespace fluoro::codec::jaeger
