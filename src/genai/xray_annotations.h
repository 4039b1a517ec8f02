// Canonical fields as X-Ray annotations, which X-Ray's own tools search by.
#pragma once

#include <functional>
#include <vector>

#include "model/assembly.h"

namespace fluoro::genai {

/// For each entity of the trace the canonical fields that it has, in the order of docs/genai.md,
/// "X-Ray annotations"; labels are inherited. Only spans with evidence of GenAI work have any, so
/// that other traffic comes back as it was sent. Texts are cut at 1000 characters. The function
/// borrows the trace. Pure.
std::function<std::vector<model::KeyValue>(const model::Entity&)> XRayAnnotations(
    const model::AssembledTrace& trace);

}  // namespace fluoro::genai
