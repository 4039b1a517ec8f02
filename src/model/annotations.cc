#include <algorithm>

#include "model/attribute_reader.h"
#include "model/entity.h"

namespace fluoro::model {
namespace {

constexpr std::size_t kKeyBytesMax = 500;
constexpr std::string_view kResourcePrefix = "otel.resource.";

bool IsAlphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool IsIndexable(std::string_view key) {
  return !key.empty() && key.size() <= kKeyBytesMax &&
         std::all_of(key.begin(), key.end(),
                     [](char c) { return IsAlphanumeric(c) || c == '_' || c == '.'; });
}

bool IsScalar(const AttributeValue& value) {
  return value.type() == AttributeType::kString || value.type() == AttributeType::kBool ||
         value.type() == AttributeType::kInt || value.type() == AttributeType::kDouble;
}

void Put(std::vector<KeyValue>& annotations, std::string key, const AttributeValue& value) {
  if (!IsIndexable(key) || !IsScalar(value)) return;
  const auto same = std::find_if(annotations.begin(), annotations.end(),
                                 [&](const KeyValue& entry) { return entry.key == key; });
  if (same != annotations.end()) {
    same->value = value;
  } else {
    annotations.push_back({std::move(key), value});
  }
}

}  // namespace

std::string AnnotationKey(std::string_view key) {
  std::string clean(key);
  std::replace_if(
      clean.begin(), clean.end(), [](char c) { return !IsAlphanumeric(c) && c != '.'; }, '_');
  return clean;
}

std::string AnnotationKeyOfResource(std::string_view key) {
  return AnnotationKey(std::string(kResourcePrefix).append(key));
}

std::vector<KeyValue> AnnotationsOf(const Span& span) {
  std::vector<KeyValue> annotations;
  for (const Attribute& attribute : span.attributes) {
    if (attribute.role == AttributeRole::kAnnotation) {
      Put(annotations, attribute.key, attribute.value);
    }
  }
  const AttributeReader attributes(span.attributes);
  for (const std::string& listed : attributes.Strings("aws.xray.annotations")) {
    const AttributeValue* value = attributes.Find(listed);
    if (value == nullptr && listed.starts_with(kResourcePrefix) && span.resource) {
      value = span.resource->Find(std::string_view(listed).substr(kResourcePrefix.size()));
    }
    if (value != nullptr) Put(annotations, AnnotationKey(listed), *value);
  }
  return annotations;
}

}  // namespace fluoro::model
