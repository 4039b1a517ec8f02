#include "codec/otlp/span_view.h"

#include <simdjson.h>

#include <algorithm>

#include "codec/otlp/keys.h"

namespace fluoro::codec::otlp::internal {
namespace {

using model::AttributeRole;
using model::AttributeValue;
using model::Span;
using model::SpanSource;

// Came with end time 0.
bool IsOpenOtlp(const Span& span) {
  return span.source == SpanSource::kOtlp && span.Has(model::kIncompleteEmbedded) &&
         span.end_ns == span.start_ns;
}

// True where OTLP's own fields say all there is.
bool IsPlainOtlp(const Span& span) {
  const bool flags_told =
      span.flags == 0 || (span.flags == model::kIncompleteEmbedded && IsOpenOtlp(span));
  return span.source == SpanSource::kOtlp && flags_told && span.document.empty() &&
         std::ranges::none_of(span.attributes, [](const model::Attribute& attribute) {
           return attribute.role != AttributeRole::kPlain || attribute.key == kSourceKey;
         });
}

AttributeValue TextValue(std::string_view text) { return {std::string(text)}; }

}  // namespace

SpanView::SpanView(const Span& span) : end_ns_(IsOpenOtlp(span) ? 0 : span.end_ns) {
  attributes_.reserve(span.attributes.size() + 8);
  if (IsPlainOtlp(span)) {
    for (const auto& attribute : span.attributes) {
      attributes_.push_back({attribute.key, &attribute.value});
    }
    return;
  }
  const bool xray = span.source == SpanSource::kXRay;
  Add(kSourceKey, TextValue(SourceName(span.source)));
  if (span.flags != 0) Add(kFlagsKey, {std::int64_t{span.flags}});
  std::vector<ViewAttribute> own;
  std::vector<std::string> annotation_keys;
  std::swap(own, attributes_);
  for (const auto& attribute : span.attributes) AddOwn(attribute, xray, annotation_keys);
  std::swap(own, attributes_);
  if (xray) {
    Add(kDocumentKey, TextValue(span.document));
    if (!annotation_keys.empty()) {
      AttributeValue::Array list;
      for (std::string& key : annotation_keys) list.values.push_back({std::move(key)});
      Add(kAnnotationsKey, {std::move(list)});
    }
    if (span.Has(model::kFault)) Add(kFaultKey, {true});
    if (span.Has(model::kError)) Add(kErrorKey, {true});
    if (span.Has(model::kThrottle)) Add(kThrottleKey, {true});
    if (span.Has(model::kInProgress)) {
      Add(kInProgressKey, {true});
      if (span.end_ns == span.start_ns) end_ns_ = 0;
    }
    AddMetadata(span.document);
  }
  attributes_.insert(attributes_.end(), own.begin(), own.end());
}

void SpanView::Add(std::string_view key, AttributeValue value) {
  attributes_.push_back({key, &values_.emplace_back(std::move(value))});
}

// A key that the view uses itself steps aside, and so does an annotation with the key of an
// attribute.
void SpanView::AddOwn(const model::Attribute& attribute, bool xray,
                      std::vector<std::string>& annotation_keys) {
  const bool annotation = attribute.role == AttributeRole::kAnnotation;
  const bool taken = IsViewKey(attribute.key, xray) ||
                     (xray && std::ranges::any_of(attributes_, [&](const ViewAttribute& other) {
                        return other.key == attribute.key;
                      }));
  std::string_view key = attribute.key;
  if (annotation && (taken || !xray)) {
    key = keys_.emplace_back(std::string(kAnnotationPrefix) + attribute.key);
  } else if (!annotation && taken) {
    key = keys_.emplace_back(std::string(kPlainPrefix) + attribute.key);
  }
  if (annotation) annotation_keys.emplace_back(key);
  attributes_.push_back({key, &attribute.value});
}

void SpanView::AddMetadata(std::string_view document) {
  namespace ondemand = simdjson::ondemand;
  const simdjson::padded_string padded(document);
  ondemand::parser parser;
  ondemand::document root;
  ondemand::object metadata;
  if (parser.iterate(padded).get(root) != simdjson::SUCCESS ||
      root.find_field_unordered("metadata").get_object().get(metadata) != simdjson::SUCCESS) {
    return;
  }
  for (auto item : metadata) {
    ondemand::field field;
    if (std::move(item).get(field) != simdjson::SUCCESS) return;
    std::string_view name;
    ondemand::value value = field.value();
    if (field.unescaped_key().get(name) != simdjson::SUCCESS) return;
    ondemand::json_type type{};
    if (value.type().get(type) != simdjson::SUCCESS) return;
    std::string_view text;
    if (type == ondemand::json_type::object) {
      ondemand::object object;
      if (value.get_object().get(object) != simdjson::SUCCESS ||
          object.raw_json().get(text) != simdjson::SUCCESS) {
        return;
      }
    } else if (type == ondemand::json_type::array) {
      ondemand::array array;
      if (value.get_array().get(array) != simdjson::SUCCESS ||
          array.raw_json().get(text) != simdjson::SUCCESS) {
        return;
      }
    } else {
      text = value.raw_json_token();
    }
    text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
    Add(keys_.emplace_back(std::string(kMetadataPrefix) + std::string(name)), TextValue(text));
  }
}

}  // namespace fluoro::codec::otlp::internal
