// Parts that the decoders of both versions share.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json_tree.h"
#include "codec/common/members.h"
#include "codec/zipkin/keys.h"
#include "model/limits.h"
#include "model/span.h"
#include "model/span_batch.h"

namespace fluoro::codec::zipkin::internal {

using common::Bad;
using common::ReadOptional;
using common::ReadText;
using common::ReadTime;

struct Ids {
  model::TraceId trace_id;
  model::SpanId id;
  model::SpanId parent_id;  ///< zero if none; a span that names itself has none
};
Result<Ids> ReadIds(JsonView span);

/// Microseconds of an optional member as nanoseconds; 0 counts as absent, as Zipkin has it.
Result<std::optional<std::int64_t>> ReadOptionalTime(JsonView object, std::string_view member);
/// A string as it is; a number or a boolean as text.
Result<std::string> ReadScalarText(JsonView value, std::string_view member);

struct Endpoint {
  std::string service, ipv4, ipv6;
  std::int64_t port = 0;
  [[nodiscard]] bool empty() const {
    return service.empty() && ipv4.empty() && ipv6.empty() && port == 0;
  }
  bool operator==(const Endpoint&) const = default;
};
Result<Endpoint> ReadEndpoint(JsonView value, std::string_view member);
/// Adds address and port (and for the remote one the service) to the span's attributes.
void AddEndpoint(const Endpoint& endpoint, const EndpointKeys& keys, model::Span& span);

void AddText(model::Span& span, std::string_view key, std::string value);
/// A tag: an attribute, or the status where it is `error`.
void AddTag(model::Span& span, std::string_view key, std::string value);
/// Gives the span the ids of a server half that shares the client's.
void MakeShared(model::Span& span, const Ids& ids);

/// Collects spans: limits, accepted times, one resource a service name.
class Sink {
 public:
  Sink(const model::Limits& limits, model::DecodeStats& stats, model::SpanBatch& batch);
  [[nodiscard]] const model::Limits& limits() const { return limits_; }
  void Add(model::Span span, const std::string& service);

 private:
  const model::Limits& limits_;
  model::DecodeStats& stats_;
  model::SpanBatch& batch_;
  std::shared_ptr<const model::Scope> scope_;
  std::shared_ptr<const model::Resource> resource_;  ///< of the last span
  std::uint32_t resource_flags_ = 0;
  std::string resource_service_;
};

Result<void> DecodeV1(JsonView span, Sink& sink);
Result<void> DecodeV2(JsonView span, Sink& sink);

}  // namespace fluoro::codec::zipkin::internal
