// What a span says about the request it made or answered: whom it addresses, method, path, message.
#pragma once

#include <optional>
#include <string>

#include "analysis/propagation/records.h"
#include "model/attribute_reader.h"
#include "model/entity.h"

namespace fluoro::analysis::propagation {

/// FNV-1a, never 0 unless the text is empty.
std::uint64_t HashOfText(std::string_view text);

/// A call to another service that may send spans of its own: no database, no work of its own.
bool IsCall(const model::Entity& entity);
/// It got an answer that does not say that the callee was never reached.
bool IsAnswered(const model::Entity& entity, const model::AttributeReader& attributes);
Request RequestOf(const model::Entity& entity, const model::AttributeReader& attributes,
                  Texts& texts);
/// "host:" and the host, with its port, that a call addresses or a service was addressed by; "" if
/// unknown.
std::string HostOf(const model::Entity& entity, const model::AttributeReader& attributes,
                   bool called);
Peers PeersOf(const model::Entity& call, const model::AttributeReader& attributes,
              const std::string& host, Texts& texts);

struct MessageFields {
  std::string destination;
  std::string system;
  std::string id;
  bool receive = false;  ///< asks for messages; processes none
};
/// nullopt: not about messages.
std::optional<MessageFields> MessageOf(const model::Entity& entity,
                                       const model::AttributeReader& attributes);

/// Trace header of the request among the captured ones (`http.request.header.*`).
struct CapturedHeader {
  std::string_view format;
  model::TraceId trace;
  model::SpanId parent;
};
std::optional<CapturedHeader> CapturedHeaderOf(const model::Span& span);
/// Host of the Via header, if it was captured.
std::string CapturedVia(const model::Span& span);

}  // namespace fluoro::analysis::propagation
