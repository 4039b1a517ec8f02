// What a trace says about itself, attribute by attribute: what the differ counts.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "model/assembly.h"

namespace fluoro::analysis::compare {

enum class Origin : std::uint8_t {
  kOwn,       ///< service, name, outcome of the span
  kField,     ///< canonical GenAI field: docs/genai.md
  kSpan,      ///< attribute or annotation
  kResource,  ///< attribute of the resource
};
inline constexpr std::size_t kOrigins = 4;
/// "own", "field", "span", "resource".
std::string_view OriginName(Origin origin);

/// Name of the service that the entity works for; "" if unknown. Lives as long as the trace.
std::string_view ServiceOf(const model::AssembledTrace& trace, const model::Entity& entity);
/// Name of its span; that of the entity where the span has none.
std::string_view OperationOf(const model::Entity& entity);

using AttributeVisitor =
    std::function<void(Origin origin, std::string_view key, const model::AttributeValue& value)>;

/// Visits what each span that was sent says: own first, then fields, then attributes; resources
/// once each. Of equal keys of one span the last; an attribute named as a field counts as that
/// field. Content (prompts, answers) and structured values are passed over. The views live as long
/// as the visit. Pure.
void VisitAttributes(const model::AssembledTrace& trace, const AttributeVisitor& visit);

}  // namespace fluoro::analysis::compare
