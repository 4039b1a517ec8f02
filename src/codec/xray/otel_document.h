// OpenTelemetry spans (and Zipkin's, Jaeger's, CSV's) as X-Ray documents.
// Source: OpenTelemetry awsxrayexporter; what differs: docs/formats/xray-documents.md.
#pragma once

#include "codec/xray/document_parts.h"
#include "model/entity.h"

namespace fluoro::codec::xray {

/// The metadata namespace that holds what X-Ray has no member for.
inline constexpr std::string_view kOwnNamespace = "otel";

/// The members of one described span.
/// @param with_resource  the entity has to tell its resource itself: a segment, or a subsegment
/// that no segment of the same
///                       resource holds
/// @param annotations    before its own
/// Texts that X-Ray cannot hold within 64 KiB are cut in the metadata, the longest first. Pure.
DocumentParts OtelParts(const model::Entity& entity, bool with_resource,
                        const std::vector<model::KeyValue>& annotations = {});

}  // namespace fluoro::codec::xray
