// The free parts of a document made from an OpenTelemetry span: annotations, links, metadata.
#pragma once

#include <vector>

#include "codec/xray/attribute_use.h"
#include "codec/xray/document_parts.h"
#include "model/entity.h"

namespace fluoro::codec::xray {

/// What the other members have told of a span.
struct ToldFacts {
  AttributeUse attributes;
  std::vector<bool> stacks;     ///< by event: its stack trace became frames
  bool status_message = false;  ///< is the message of an exception, or the cause
};

/// `annotations`: `first`, then the span's own under other keys; what these hold is told.
std::string AnnotationsJson(const model::Entity& entity, const std::vector<model::KeyValue>& first,
                            ToldFacts& told);
std::string LinksJson(const model::Span& span);
/// `metadata`: everything that is not told yet. Empty if that is nothing.
std::string MetadataJson(const model::Entity& entity, const ToldFacts& told, bool with_resource,
                         std::size_t string_bytes_max);

}  // namespace fluoro::codec::xray
