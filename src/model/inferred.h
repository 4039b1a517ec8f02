// Segments made for calls whose callee sent nothing.
// Source: X-Ray developer guide, "Inferred segments"; names: docs/formats/otlp-xray-mapping.md.
#pragma once

#include "model/assembly.h"
#include "model/entity.h"

namespace fluoro::model {

/// True for subsegments that call something which may answer with a segment of its own.
bool CallsOut(const Entity& entity);

struct InferredSegment {
  Entity entity;  ///< parent and service not linked
  ServiceKey key;
};
/// The segment and graph node that stand for the callee of `call`. Pure.
InferredSegment InferSegment(const Entity& call);

/// Graph node of a document that was itself sent as inferred.
ServiceKey SentInferredKey(const Entity& segment);

}  // namespace fluoro::model
