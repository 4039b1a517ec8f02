#include "codec/common/bounds.h"

#include <cmath>

#include "base/clock.h"
#include "base/utf8.h"
#include "model/content.h"

namespace fluoro::codec::common {
namespace {

class Bounds {
 public:
  Bounds(const model::Limits& limits, model::DecodeStats& stats)
      : limits_(limits), stats_(stats), values_(limits) {}

  [[nodiscard]] std::uint32_t flags() const { return flags_; }

  void Text(std::string& text, std::size_t bytes_max) {
    if (!IsValidUtf8(text)) {
      text = RepairUtf8(text);
      flags_ |= model::kTextRepaired;
      ++stats_.repaired_texts;
    }
    if (text.size() > bytes_max) {
      text.resize(TruncateUtf8(text, bytes_max).size());
      flags_ |= model::kTruncated;
      ++stats_.truncated_values;
    }
  }

  void Value(std::string_view key, model::AttributeValue& value) {
    if (auto* text = std::get_if<std::string>(&value.value)) {
      const std::size_t bytes_max = values_.BytesMax(key, text->size());
      if (text->size() > bytes_max && bytes_max >= model::kCutInTwoMin &&
          model::IsContentKey(key)) {
        *text = model::CutInTwo(*text, bytes_max);
        flags_ |= model::kTruncated;
        ++stats_.truncated_values;
      }
      Text(*text, bytes_max);
      values_.Kept(text->size());
    } else if (auto* bytes = std::get_if<model::AttributeValue::Bytes>(&value.value)) {
      const std::size_t bytes_max = values_.BytesMax(key, bytes->data.size());
      if (bytes->data.size() > bytes_max) {
        bytes->data.resize(bytes_max);
        flags_ |= model::kTruncated;
        ++stats_.truncated_values;
      }
      values_.Kept(bytes->data.size());
    } else if (auto* array = std::get_if<model::AttributeValue::Array>(&value.value)) {
      for (model::AttributeValue& item : array->values) Value(key, item);
    }
  }

  void Attributes(std::vector<model::Attribute>& attributes, std::uint32_t& dropped) {
    dropped += Drop(attributes, limits_.attributes_max, stats_.dropped_attributes);
    for (model::Attribute& attribute : attributes) {
      Text(attribute.key, limits_.key_bytes_max);
      Value(attribute.key, attribute.value);
    }
  }

  void Name(std::string& name) { Text(name, limits_.name_bytes_max); }
  void LongText(std::string& text) { Text(text, limits_.value_bytes_max); }

  template <class T>
  std::uint32_t Drop(std::vector<T>& items, std::size_t items_max, std::uint64_t& counter) {
    if (items.size() <= items_max) return 0;
    const std::size_t dropped = items.size() - items_max;
    items.erase(items.begin() + static_cast<std::ptrdiff_t>(items_max), items.end());
    counter += dropped;
    return static_cast<std::uint32_t>(dropped);
  }

 private:
  const model::Limits& limits_;
  model::DecodeStats& stats_;
  model::ValueBounds values_;
  std::uint32_t flags_ = 0;
};

}  // namespace

void ApplyLimits(const model::Limits& limits, model::Span& span, model::DecodeStats& stats) {
  Bounds bounds(limits, stats);
  bounds.Name(span.name);
  bounds.LongText(span.trace_state);
  bounds.LongText(span.status_message);
  bounds.Attributes(span.attributes, span.dropped_attributes);
  span.dropped_events += bounds.Drop(span.events, limits.events_max, stats.dropped_events);
  for (model::Event& event : span.events) {
    bounds.Name(event.name);
    bounds.Attributes(event.attributes, event.dropped_attributes);
  }
  span.dropped_links += bounds.Drop(span.links, limits.links_max, stats.dropped_links);
  for (model::Link& link : span.links) {
    bounds.LongText(link.trace_state);
    bounds.Attributes(link.attributes, link.dropped_attributes);
  }
  span.flags |= bounds.flags();
}

std::uint32_t ApplyLimits(const model::Limits& limits, model::Resource& resource,
                          model::DecodeStats& stats) {
  Bounds bounds(limits, stats);
  bounds.Attributes(resource.attributes, resource.dropped_attributes);
  return bounds.flags();
}

std::uint32_t ApplyLimits(const model::Limits& limits, model::Scope& scope,
                          model::DecodeStats& stats) {
  Bounds bounds(limits, stats);
  bounds.Name(scope.name);
  bounds.Name(scope.version);
  return bounds.flags();
}

bool AcceptsStart(const model::Limits& limits, std::int64_t start_ns, model::DecodeStats& stats) {
  if (start_ns >= limits.start_ns_min && start_ns <= limits.start_ns_max) return true;
  ++stats.rejected_spans;
  return false;
}

std::optional<std::int64_t> NsFromUs(std::int64_t us) {
  if (us < 0 || us > INT64_MAX / kNsPerUs) return std::nullopt;
  return us * kNsPerUs;
}

Result<void> CheckRoom(const model::Limits& limits, const model::SpanBatch& batch) {
  if (batch.UsedBytes() <= limits.batch_bytes_max) return {};
  return Fail(ErrorCode::kTooLarge, "the spans of the body take more than " +
                                        std::to_string(limits.batch_bytes_max) +
                                        " bytes of memory; send fewer at once");
}

std::optional<std::int64_t> NsFromUs(double us) {
  if (!(us >= 0 && us <= static_cast<double>(INT64_MAX / kNsPerUs - kNsPerUs))) return std::nullopt;
  // Whole microseconds exactly, the rest to the nearest nanosecond.
  const double whole = std::floor(us);
  return static_cast<std::int64_t>(whole) * kNsPerUs +
         static_cast<std::int64_t>(std::lround((us - whole) * static_cast<double>(kNsPerUs)));
}

}  // namespace fluoro::codec::common
