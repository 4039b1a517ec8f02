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
