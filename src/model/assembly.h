// One whole trace in X-Ray's view: root, segments and inferred segments, services, calls.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/entity.h"
#include "model/span.h"

namespace fluoro::model {

/// Identity of a node of the service graph.
struct ServiceKey {
  std::string name;
  std::string type;        ///< origin; "client", "remote"; "" if none
  std::string account_id;  ///< "" if unknown
  auto operator<=>(const ServiceKey&) const = default;
};

struct ServiceNode {
  ServiceKey key;
  bool inferred = false;  ///< no segment of its own in this trace
  bool client = false;    ///< the client node in front of a root service
  bool root = false;      ///< received a request from outside the trace
};

/// One call from a service to a service.
struct Call {
  std::int32_t from = -1;           ///< service
  std::int32_t to = -1;             ///< service
  std::int32_t caller_entity = -1;  ///< the caller's subsegment; the callee itself where its parent
                                    ///< is a segment or the client
  std::int32_t callee_entity = -1;  ///< segment or inferred segment
  bool link = false;                ///< asynchronous (span link, message)
  std::int64_t age_ns =
      0;  ///< link only: time from the linked span's end to the start of the callee, >= 0
};

/// Applies the replacement rules to spans in order of arrival, in place; keeps the order of first
/// arrival.
///  - complete beats in progress, whatever the order; of two alike in this the later wins
///  - an embedded X-Ray subsegment beats an independent one of the same id if both are complete
///  - replacing a segment never removes subsegments that came on their own; embedded ones of the
///  replaced document that the
///    new document lacks go
/// The spans of one document stand together, the document's own first, each embedded one after its
/// parent. Source: X-Ray developer guide, segment documents; docs/formats/xray-documents.md.
void Deduplicate(std::vector<Span>& spans);

/// What the replacement rules look at in a span.
struct SpanKey {
  SpanId id;
  SpanId parent;
  std::uint32_t flags = 0;  ///< SpanFlag
  /// It came inside its parent's document.
  [[nodiscard]] bool IsEmbedded() const;
};
/// True: all of them stand, since no two of so few have one id. False: ask StandingSpans.
bool FewAndDifferent(std::span<const SpanKey> keys);
/// The same rules on keys in order of arrival: the places of the spans that stand, in Deduplicate's
/// order. At most 2^32 - 1 keys; memory about 30 bytes a key.
std::vector<std::uint32_t> StandingSpans(std::span<const SpanKey> keys);

/// The view. Holds its trace; entities borrow from it.
struct AssembledTrace {
  std::shared_ptr<const Trace> trace;
  std::vector<Entity> entities;  ///< real ones in order of start (parents before children where
                                 ///< times allow), inferred last
  std::vector<ServiceNode> services;  ///< real, inferred and client nodes
  std::vector<Call> calls;            ///< includes client -> root
  std::int32_t root =
      -1;  ///< entity: root segment, or the earliest orphan where there is no segment; -1: empty
  std::int64_t start_ns = 0;  ///< earliest start
  std::int64_t end_ns = 0;    ///< latest end of a completed entity; = start_ns if none
  bool in_progress = false;   ///< some entity is
  std::vector<std::pair<SpanId, std::int32_t>>
      by_id;  ///< not inferred entities, sorted: what Find searches

  [[nodiscard]] const Entity* Root() const {
    return root < 0 ? nullptr : &entities[static_cast<std::size_t>(root)];
  }
  /// Entity with this id that is not inferred; -1 if none.
  [[nodiscard]] std::int32_t Find(SpanId id) const;
};

struct AssemblyOptions {
  /// A `traced:true` call without its callee waits this long (after the last arrival) before it is
  /// inferred.
  std::int64_t traced_wait_ns = 30'000'000'000;
  std::int64_t now_ns = INT64_MAX;  ///< INT64_MAX: infer at once
  bool exporter_names = false;      ///< DescribeOptions::exporter_names
};

/// Builds the view. Ends on any input: cycles of parents are cut (the earliest start becomes a
/// root). In a part of a trace nothing is inferred, since callers and callees may be in other
/// parts. Pure.
AssembledTrace Assemble(std::shared_ptr<const Trace> trace, const AssemblyOptions& options = {});

/// Deterministic id derived from another (inferred segments, synthetic service segments): first 8
/// bytes of XXH3-64(trace id, id, purpose), never zero.
SpanId DeriveSpanId(const TraceId& trace_id, const SpanId& id, std::string_view purpose);

}  // namespace fluoro::model
