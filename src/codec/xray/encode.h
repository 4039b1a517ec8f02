// Assembled trace -> X-Ray segment documents, as BatchGetTraces and `fluoro export --format xray`
// give them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "model/assembly.h"

namespace fluoro::codec::xray {

struct SegmentDocument {
  std::string id;
  std::string document;  ///< compact JSON
};

struct EncodeOptions {
  bool inferred = true;  ///< add inferred segments; exports leave them out
  /// More annotations of spans that did not come as documents, before their own; of equal keys
  /// these count.
  std::function<std::vector<model::KeyValue>(const model::Entity&)> annotations = {};
};

/// One entry a segment (independent subsegments nested under their parents), then orphans, then
/// inferred segments, by start. Spans that came as X-Ray documents come back as they were sent;
/// spans of other protocols follow the OTel -> X-Ray mapping of docs/formats/otlp-xray-mapping.md.
/// Pure.
std::vector<SegmentDocument> EncodeSegments(const model::AssembledTrace& trace,
                                            const EncodeOptions& options = {});

}  // namespace fluoro::codec::xray
