#include "codec/xray/otel_metadata.h"

#include <algorithm>
#include <array>
#include <map>

#include "base/base64.h"
#include "codec/xray/entity_writer.h"
#include "codec/xray/json_tape.h"
#include "codec/xray/otel_document.h"
#include "model/attribute_reader.h"

namespace fluoro::codec::xray {
namespace {

using model::Attribute;
using model::AttributeRole;
using model::Entity;
using model::EntityRole;
using model::Span;

constexpr std::string_view kNamespacePrefix = "aws.xray.metadata.";
constexpr std::string_view kDefault = "default";

bool IsScalar(const model::AttributeValue& value) {
  using model::AttributeType;
  return value.type() == AttributeType::kString || value.type() == AttributeType::kBool ||
         value.type() == AttributeType::kInt || value.type() == AttributeType::kDouble;
}

// Attributes as members of an open object; of equal keys the last stands.
void WriteAttributes(JsonWriter& json, const std::vector<Attribute>& attributes,
                     std::string_view key_prefix, std::size_t string_bytes_max) {
  std::map<std::string_view, std::size_t> last;
  for (std::size_t i = 0; i < attributes.size(); ++i) last[attributes[i].key] = i;
  for (std::size_t i = 0; i < attributes.size(); ++i) {
    if (last[attributes[i].key] != i) continue;
    json.Key(std::string(key_prefix) + attributes[i].key);
    WriteValue(json, attributes[i].value, string_bytes_max);
  }
}

void WriteCount(JsonWriter& json, std::string_view key, std::uint32_t count) {
  if (count != 0) json.Key(key).Uint(count);
}
void WriteText(JsonWriter& json, std::string_view key, std::string_view text) {
  if (!text.empty()) json.Key(key).String(text);
}

std::string_view KindName(model::SpanKind kind) {
  static constexpr std::array<std::string_view, 6> kNames = {"UNSPECIFIED", "INTERNAL", "SERVER",
                                                             "CLIENT",      "PRODUCER", "CONSUMER"};
  return kNames[std::min<std::size_t>(static_cast<std::size_t>(kind), kNames.size() - 1)];
}

std::string_view StatusName(model::StatusCode status) {
  static constexpr std::array<std::string_view, 3> kNames = {"UNSET", "OK", "ERROR"};
  return kNames[std::min<std::size_t>(static_cast<std::size_t>(status), kNames.size() - 1)];
}

// The kind and status that a reader of the document infers without being told
// (docs/formats/attributes.md).
model::SpanKind ImpliedKind(const Entity& entity) {
  if (entity.role == EntityRole::kSegment) return model::SpanKind::kServer;
  return entity.name_space.empty() ? model::SpanKind::kInternal : model::SpanKind::kClient;
}
model::StatusCode ImpliedStatus(const Entity& entity) {
  const bool cause = !entity.exceptions.empty() || !entity.cause_reference.empty();
  const bool error = entity.fault || entity.error || cause ||
                     (entity.http.status && IsErrorStatus(*entity.http.status));
  return error ? model::StatusCode::kError : model::StatusCode::kUnset;
}

// The namespace of our own.
class OwnMetadata {
 public:
  OwnMetadata(const Entity& entity, const ToldFacts& told, bool with_resource,
              std::size_t string_bytes_max)
      : entity_(entity),
        span_(*entity.span),
        told_(told),
        with_resource_(with_resource),
        string_bytes_max_(string_bytes_max) {}

  // Empty if there is nothing to tell.
  std::string Run() {
    constexpr std::size_t kEmptyObject = 1;
    json_.BeginObject();
    if (span_.name != entity_.name) json_.Key("name").String(span_.name);
    if (span_.kind != ImpliedKind(entity_)) json_.Key("kind").String(KindName(span_.kind));
    Status();
    WriteText(json_, "trace_state", span_.trace_state);
    WriteCount(json_, "flags", span_.otel_flags);
    Scope();
    Events();
    Links();
    Resource();
    WriteCount(json_, "dropped_attributes_count", span_.dropped_attributes);
    WriteCount(json_, "dropped_events_count", span_.dropped_events);
    WriteCount(json_, "dropped_links_count", span_.dropped_links);
    if (json_.size() == kEmptyObject) return {};
    json_.EndObject();
    return json_.Take();
  }

 private:
  void Status() {
    const bool message = !span_.status_message.empty() && !told_.status_message;
    if (span_.status == ImpliedStatus(entity_) && !message) return;
    json_.Key("status").BeginObject().Key("code").String(StatusName(span_.status));
    WriteText(json_, "message", span_.status_message);
    json_.EndObject();
  }

  void Scope() {
    const model::Scope& scope = *span_.scope;
    if (scope == model::Scope{}) return;
    json_.Key("scope").BeginObject();
    WriteText(json_, "name", scope.name);
    WriteText(json_, "version", scope.version);
    WriteText(json_, "schema_url", scope.schema_url);
    Attributes(scope.attributes);
    WriteCount(json_, "dropped_attributes_count", scope.dropped_attributes);
    json_.EndObject();
  }

  void Attributes(const std::vector<Attribute>& attributes) {
    if (attributes.empty()) return;
    json_.Key("attributes").BeginObject();
    WriteAttributes(json_, attributes, "", string_bytes_max_);
    json_.EndObject();
  }

  void Events() {
    if (span_.events.empty()) return;
    json_.Key("events").BeginArray();
    for (std::size_t i = 0; i < span_.events.size(); ++i) {
      const model::Event& event = span_.events[i];
      json_.BeginObject().Key("time").Seconds(event.time_ns).Key("name").String(event.name);
      Attributes(event.name == "exception" ? NotInCause(event, i) : event.attributes);
      WriteCount(json_, "dropped_attributes_count", event.dropped_attributes);
      json_.EndObject();
    }
    json_.EndArray();
  }

  [[nodiscard]] std::vector<Attribute> NotInCause(const model::Event& event,
                                                  std::size_t index) const {
    std::vector<Attribute> others;
    for (const Attribute& attribute : event.attributes) {
      const std::string& key = attribute.key;
      const bool told = key == "exception.type" || key == "exception.message" ||
                        key == "aws.xray.exception.id" || key == "aws.xray.exception.remote" ||
                        key == "aws.xray.exception.cause" ||
                        (key == "exception.stacktrace" && told_.stacks[index]);
      if (!told) others.push_back(attribute);
    }
    return others;
  }

  // What `links` has no member for, by position.
  void Links() {
    const bool plain =
        std::all_of(span_.links.begin(), span_.links.end(), [](const model::Link& link) {
          return link.trace_state.empty() && link.otel_flags == 0 && link.dropped_attributes == 0;
        });
    if (plain) return;
    json_.Key("links").BeginArray();
    for (const model::Link& link : span_.links) {
      json_.BeginObject();
      WriteText(json_, "trace_state", link.trace_state);
      WriteCount(json_, "flags", link.otel_flags);
      WriteCount(json_, "dropped_attributes_count", link.dropped_attributes);
      json_.EndObject();
    }
    json_.EndArray();
  }

  void Resource() {
    const model::Resource& resource = *span_.resource;
    const bool attributes =
        with_resource_ && entity_.role == EntityRole::kSubsegment && !resource.attributes.empty();
    if (!with_resource_) return;
    if (!attributes && resource.schema_url.empty() && resource.entity_refs.empty() &&
        resource.dropped_attributes == 0) {
      return;
    }
    json_.Key("resource").BeginObject();
    WriteText(json_, "schema_url", resource.schema_url);
    if (attributes) Attributes(resource.attributes);
    WriteText(json_, "entity_refs", ToBase64(resource.entity_refs));
    WriteCount(json_, "dropped_attributes_count", resource.dropped_attributes);
    json_.EndObject();
  }

  const Entity& entity_;
  const Span& span_;
  const ToldFacts& told_;
  const bool with_resource_;
  const std::size_t string_bytes_max_;
  JsonWriter json_;
};

// The compact text of a JSON object; empty if `text` is none.
std::string ObjectText(std::string_view text) {
  constexpr std::uint32_t kDepthMax = 64;
  JsonTape tape;
  if (!tape.Parse(text, kDepthMax) || tape.node(JsonTape::kRoot).kind != JsonTape::Kind::kObject)
    return {};
  return std::string(tape.text());
}

// `aws.xray.metadata.<namespace>` holds a JSON object for that namespace.
std::string_view NamespaceOf(std::string_view key) {
  if (!key.starts_with(kNamespacePrefix)) return {};
  key.remove_prefix(kNamespacePrefix.size());
  if (key == kOwnNamespace) return {};
  const bool is_default =
      key.size() == kDefault.size() && std::equal(key.begin(), key.end(), kDefault.begin(),
                                                  [](char a, char b) { return (a | 0x20) == b; });
  return is_default ? kDefault : key;
}

}  // namespace

std::string AnnotationsJson(const Entity& entity, const std::vector<model::KeyValue>& first,
                            ToldFacts& told) {
  const Span& span = *entity.span;
  const std::vector<model::KeyValue> annotations = model::AnnotationsOf(span);
  const auto indexed = [&](const std::string& key) {
    return std::any_of(annotations.begin(), annotations.end(),
                       [&](const model::KeyValue& a) { return a.key == key; });
  };
  const model::AttributeReader attributes(span.attributes);
  for (std::size_t i = 0; i < span.attributes.size(); ++i) {
    const Attribute& attribute = span.attributes[i];
    if (attribute.role == AttributeRole::kAnnotation && indexed(attribute.key))
      told.attributes.TellAt(i);
  }
  for (const std::string& listed : attributes.Strings("aws.xray.annotations")) {
    const model::AttributeValue* value = attributes.Find(listed);
    if (value != nullptr && IsScalar(*value)) told.attributes.TellAll(listed);
  }
  told.attributes.TellAll("aws.xray.annotations");
  if (annotations.empty() && first.empty()) return {};
  JsonWriter json;
  json.BeginObject();
  for (const model::KeyValue& annotation : first) {
    json.Key(annotation.key);
    WriteValue(json, annotation.value);
  }
  for (const model::KeyValue& annotation : annotations) {
    if (std::any_of(first.begin(), first.end(),
                    [&](const model::KeyValue& known) { return known.key == annotation.key; })) {
      continue;
    }
    json.Key(annotation.key);
    WriteValue(json, annotation.value);
  }
  json.EndObject();
  return json.Take();
}

std::string LinksJson(const Span& span) {
  JsonWriter json;
  json.BeginArray();
  for (const model::Link& link : span.links) {
    json.BeginObject().Key("trace_id").String(link.trace_id.ToXRay());
    if (!link.span_id.IsZero()) json.Key("id").String(link.span_id.ToHex());
    json.Key("attributes").BeginObject();
    WriteAttributes(json, link.attributes, "", SIZE_MAX);
    json.EndObject().EndObject();
  }
  json.EndArray();
  return json.Take();
}

std::string MetadataJson(const Entity& entity, const ToldFacts& told, bool with_resource,
                         std::size_t string_bytes_max) {
  const Span& span = *entity.span;
  std::vector<Attribute> plain;
  std::map<std::string, std::string, std::less<>> namespaces;
  // A service segment made for a call tells where it ran; the call itself tells the rest.
  for (std::size_t i = 0; !entity.synthetic && i < span.attributes.size(); ++i) {
    const Attribute& attribute = span.attributes[i];
    if (told.attributes.IsTold(i)) continue;
    const std::string_view name_space = NamespaceOf(attribute.key);
    const std::string* text = attribute.value.AsString();
    std::string object = name_space.empty() || text == nullptr ? std::string() : ObjectText(*text);
    if (object.empty()) {
      plain.push_back(attribute);
    } else {
      namespaces.insert_or_assign(std::string(name_space), std::move(object));
    }
  }
  JsonWriter json;
  json.BeginObject();
  if (entity.role == EntityRole::kSegment) {
    WriteAttributes(json, span.resource->attributes, "otel.resource.", string_bytes_max);
  }
  WriteAttributes(json, plain, "", string_bytes_max);
  json.EndObject();
  std::string defaults = json.Take();
  if (const auto merged = namespaces.find(kDefault); merged != namespaces.end()) {
    if (merged->second != "{}") {
      defaults.pop_back();
      if (defaults.size() > 1) defaults += ',';
      defaults.append(merged->second, 1);
    }
    namespaces.erase(merged);
  }
  if (defaults != "{}") namespaces.emplace(kDefault, std::move(defaults));
  if (!entity.synthetic) {
    std::string own = OwnMetadata(entity, told, with_resource, string_bytes_max).Run();
    if (!own.empty()) namespaces.insert_or_assign(std::string(kOwnNamespace), std::move(own));
  }
  if (namespaces.empty()) return {};
  std::string metadata;
  for (const auto& [name, object] : namespaces) {
    metadata += (metadata.empty() ? "{" : ",") + JsonText(name) + ":" + object;
  }
  return metadata + "}";
}

}  // namespace fluoro::codec::xray
