// What the tests of this module share: decoding in one line, and JSON compared by meaning.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "codec/xray/decode.h"
#include "model/span.h"
#include "model/span_batch.h"

namespace fluoro::codec::xray {

struct Decoded {
  model::SpanBatch batch;
  std::vector<Unprocessed> unprocessed;
  model::DecodeStats stats;
  std::vector<model::Span> spans;

  [[nodiscard]] const model::Span* Find(std::string_view id) const;
};
/// Decodes documents into one batch, in order.
Decoded Decode(const std::vector<std::string>& documents, const model::Limits& limits = {});
/// Span attribute or annotation as text: "200", "true", "a"; "[a, b]" for arrays; "" if absent.
std::string Show(const model::AttributeValue* value);

/// Empty if both texts mean the same: objects without regard to order, numbers as decimals, the
/// last of equal names. Otherwise where they differ first.
std::string JsonDifference(std::string_view a, std::string_view b);

std::string ReadFile(const std::string& path);

}  // namespace fluoro::codec::xray
