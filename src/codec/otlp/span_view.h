// The OTLP view of a span of any protocol, from which BatchBuilder::RestoreView makes the span
// again. Mapping: docs/formats/otlp.md.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "model/span.h"

namespace fluoro::codec::otlp::internal {

struct ViewAttribute {
  std::string_view key;
  const model::AttributeValue* value = nullptr;
};

/// Borrows from the span it was made of, which must outlive it.
class SpanView {
 public:
  explicit SpanView(const model::Span& span);
  SpanView(const SpanView&) = delete;
  SpanView& operator=(const SpanView&) = delete;

  [[nodiscard]] const std::vector<ViewAttribute>& attributes() const { return attributes_; }
  /// 0 where the span has not ended.
  [[nodiscard]] std::int64_t end_ns() const { return end_ns_; }

 private:
  void Add(std::string_view key, model::AttributeValue value);
  void AddOwn(const model::Attribute& attribute, bool xray,
              std::vector<std::string>& annotation_keys);
  void AddMetadata(std::string_view document);

  std::vector<ViewAttribute> attributes_;
  std::deque<std::string> keys_;  // owned texts; a deque keeps them in place
  std::deque<model::AttributeValue> values_;
  std::int64_t end_ns_;
};

}  // namespace fluoro::codec::otlp::internal
