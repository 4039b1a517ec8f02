#include "model/span.h"

namespace fluoro::model {
namespace {

const AttributeValue* FindIn(const std::vector<Attribute>& attributes, std::string_view key,
                             AttributeRole role) {
  for (auto it = attributes.rbegin(); it != attributes.rend(); ++it) {
    if (it->role == role && it->key == key) return &it->value;
  }
  return nullptr;
}

template <class T>
bool SameContent(const std::shared_ptr<const T>& a, const std::shared_ptr<const T>& b) {
  return a == b || (a && b && *a == *b);
}

std::size_t HeapBytes(const std::string& text) {
  return text.capacity() > std::string().capacity() ? text.capacity() + 1 : 0;
}

// Values nest at most kNestingMax deep: the decoders see to it.
std::size_t HeapBytes(const AttributeValue& value) {
  struct Visitor {
    std::size_t operator()(const std::string& text) const { return HeapBytes(text); }
    std::size_t operator()(const AttributeValue::Bytes& bytes) const {
      return HeapBytes(bytes.data);
    }
    std::size_t operator()(const AttributeValue::Array& array) const {
      std::size_t bytes = array.values.capacity() * sizeof(AttributeValue);
      for (const AttributeValue& item : array.values) bytes += HeapBytes(item);
      return bytes;
    }
    std::size_t operator()(const AttributeValue::KvList& list) const {
      std::size_t bytes = list.entries.capacity() * sizeof(KeyValue);
      for (const KeyValue& entry : list.entries) {
        bytes += HeapBytes(entry.key) + HeapBytes(entry.value);
      }
      return bytes;
    }
    std::size_t operator()(std::monostate) const { return 0; }
    std::size_t operator()(bool) const { return 0; }
    std::size_t operator()(std::int64_t) const { return 0; }
    std::size_t operator()(double) const { return 0; }
  };
  return std::visit(Visitor{}, value.value);
}

std::size_t HeapBytes(const std::vector<Attribute>& attributes) {
  std::size_t bytes = attributes.capacity() * sizeof(Attribute);
  for (const Attribute& attribute : attributes) {
    bytes += HeapBytes(attribute.key) + HeapBytes(attribute.value);
  }
  return bytes;
}

}  // namespace

const AttributeValue* Resource::Find(std::string_view key) const {
  return FindIn(attributes, key, AttributeRole::kPlain);
}
const AttributeValue* Event::Find(std::string_view key) const {
  return FindIn(attributes, key, AttributeRole::kPlain);
}
const AttributeValue* Span::Find(std::string_view key) const {
  return FindIn(attributes, key, AttributeRole::kPlain);
}
const AttributeValue* Span::FindAnnotation(std::string_view key) const {
  return FindIn(attributes, key, AttributeRole::kAnnotation);
}

std::string_view Span::service() const {
  const AttributeValue* value = resource ? resource->Find("service.name") : nullptr;
  const std::string* text = value == nullptr ? nullptr : value->AsString();
  return text == nullptr ? std::string_view() : std::string_view(*text);
}

std::size_t Span::MemoryBytes() const {
  std::size_t bytes = sizeof(Span) + HeapBytes(name) + HeapBytes(trace_state) +
                      HeapBytes(status_message) + HeapBytes(document) + HeapBytes(attributes) +
                      events.capacity() * sizeof(Event) + links.capacity() * sizeof(Link);
  for (const Event& event : events) bytes += HeapBytes(event.name) + HeapBytes(event.attributes);
  for (const Link& link : links) {
    bytes += HeapBytes(link.trace_state) + HeapBytes(link.attributes);
  }
  return bytes;
}

bool Span::operator==(const Span& o) const {
  return trace_id == o.trace_id && span_id == o.span_id && parent_id == o.parent_id &&
         name == o.name && start_ns == o.start_ns && end_ns == o.end_ns && kind == o.kind &&
         status == o.status && source == o.source && flags == o.flags &&
         otel_flags == o.otel_flags && trace_state == o.trace_state &&
         status_message == o.status_message && SameContent(resource, o.resource) &&
         SameContent(scope, o.scope) && attributes == o.attributes && events == o.events &&
         links == o.links && dropped_attributes == o.dropped_attributes &&
         dropped_events == o.dropped_events && dropped_links == o.dropped_links &&
         document == o.document;
}

}  // namespace fluoro::model
