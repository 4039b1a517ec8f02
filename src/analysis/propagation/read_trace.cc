#include <algorithm>
#include <cstdlib>

#include "analysis/propagation/pairing.h"
#include "analysis/propagation/request.h"
#include "analysis/propagation/tables.h"
#include "genai/step.h"

namespace fluoro::analysis::propagation {
namespace {

using model::AssembledTrace;
using model::AttributeReader;
using model::Entity;
using model::EntityRole;
using model::SpanFlag;
using model::SpanKind;
using model::SpanSource;

constexpr std::size_t kSplitValuesMax = 64;
constexpr std::size_t kClockPairsMax = 64;  // of one edge
constexpr std::size_t kChildNamesMax = 20'000;
constexpr std::size_t kLinkedMax = 2 * Tables::kRowsMax;
constexpr int kAncestorsMax = 16;

std::size_t At(std::int32_t index) { return static_cast<std::size_t>(index); }

IdStyle StyleOf(const model::TraceId& id, std::int64_t start_ns) {
  if (std::all_of(id.bytes.begin(), id.bytes.begin() + 8, [](auto b) { return b == 0; }))
    return IdStyle::kShort;
  constexpr std::int64_t kDayS = 86'400;
  const std::int64_t seconds = start_ns / 1'000'000'000;
  return std::abs(std::int64_t{id.EpochSeconds()} - seconds) <= kDayS ? IdStyle::kTimed
                                                                      : IdStyle::kRandom;
}

class Reader {
 public:
  Reader(const AssembledTrace& trace, Tables& tables) : trace_(trace), tables_(tables) {
    weight_ = trace.trace->kept.probability > 0 ? 1 / trace.trace->kept.probability : 1;
    for (const Entity& entity : trace.entities) {
      if (entity.role == EntityRole::kInferred) break;
      ++real_;
    }
  }

  void Run() {
    FindWhole();
    for (std::size_t i = 0; i < real_; ++i) {
      const Entity& entity = trace_.entities[i];
      if (entity.in_progress) continue;
      if (IsCall(entity)) ReadCall(entity);
      if (entity.span->kind == SpanKind::kConsumer) ReadConsumer(entity);
      if (entity.role == EntityRole::kSegment) {
        ReadSegment(entity, i);
      } else {
        ReadInner(entity);
      }
    }
    PairWithin();
  }

 private:
  // What the trace lacks in the middle did end, if its root did and nothing came after it.
  void FindWhole() {
    const Entity* root = trace_.Root();
    if (root != nullptr && root->role == EntityRole::kSegment && root->parent_id.IsZero() &&
        !root->in_progress)
      whole_ = root;
  }

  [[nodiscard]] std::string_view ServiceNameOf(const Entity& entity) const {
    if (entity.role == EntityRole::kSegment) return entity.name;
    if (entity.segment >= 0) return trace_.entities[At(entity.segment)].name;
    return entity.span->service();
  }

  TextId ServiceOf(const Entity& entity) { return tables_.texts.Id(ServiceNameOf(entity)); }

  static std::string HostNameOf(const Entity& entity) {
    const AttributeReader resource(entity.span->resource->attributes);
    std::string host = resource.Text({"host.name", "host.id", "k8s.node.name", "k8s.pod.name",
                                      "container.id", "service.instance.id"});
    return host.empty() ? entity.instance_id : host;
  }

  TextId InstanceOf(const Entity& entity) {
    const AttributeReader resource(entity.span->resource->attributes);
    std::string instance =
        resource.Text({"service.instance.id", "k8s.pod.uid", "k8s.pod.name", "container.id"});
    if (instance.empty()) {
      instance = HostNameOf(entity);
      if (const std::string pid = resource.Text({"process.pid"}); !pid.empty())
        instance += "/" + pid;
    }
    return tables_.texts.Id(instance);
  }

  void Fill(Place& place, const Entity& entity) {
    place.trace = trace_.trace->id;
    place.span = entity.span->span_id;
    place.start_ns = entity.start_ns;
    place.end_ns = entity.end_ns;
    place.weight = weight_;
    place.service = ServiceOf(entity);
    place.instance = InstanceOf(entity);
    place.style = StyleOf(trace_.trace->id, entity.start_ns);
    place.source = entity.span->source;
  }

  // A call inside: the outer one only wraps it. A segment: that is the callee.
  [[nodiscard]] bool HasCallBelow(const Entity& entity, int depth = 0) const {
    if (depth > kAncestorsMax) return true;
    return std::ranges::any_of(entity.children, [&](std::int32_t index) {
      const Entity& child = trace_.entities[At(index)];
      if (child.role == EntityRole::kInferred) return false;
      return child.role == EntityRole::kSegment || IsCall(child) || HasCallBelow(child, depth + 1);
    });
  }

  void ReadCall(const Entity& entity) {
    if (HasCallBelow(entity)) return;
    const AttributeReader attributes(entity.span->attributes);
    if (!IsAnswered(entity, attributes)) return;
    if (const auto message = MessageOf(entity, attributes)) {
      if (message->receive) return;
      tables_.Push(tables_.sent, MessageRow(entity, *message));
      return;
    }
    LostCall call;
    Fill(call, entity);
    const std::string host = HostOf(entity, attributes, false);
    call.host = tables_.texts.Id(host);
    call.peers = PeersOf(entity, attributes, host, tables_.texts);
    call.request = RequestOf(entity, attributes, tables_.texts);
    lost_calls_.push_back(call);
  }

  Message MessageRow(const Entity& entity, const MessageFields& fields) {
    Message row;
    Fill(row, entity);
    row.destination = tables_.texts.Id(fields.destination);
    row.system = tables_.texts.Id(fields.system);
    row.message_id = HashOfText(fields.id);
    return row;
  }

  // Work of its own service that takes messages or requests and stands above the entity.
  [[nodiscard]] bool HasEntryAbove(const Entity& entity) const {
    std::int32_t at = entity.parent;
    for (int i = 0; at >= 0 && i < kAncestorsMax; ++i) {
      const Entity& above = trace_.entities[At(at)];
      if (above.span->kind == SpanKind::kConsumer || above.span->kind == SpanKind::kServer)
        return true;
      at = above.parent;
    }
    return at >= 0;
  }

  void ReadConsumer(const Entity& entity) {
    if (!entity.span->links.empty()) {
      const TextId service = ServiceOf(entity);
      for (const model::Link& link : entity.span->links) {
        if (tables_.linked.size() >= kLinkedMax) {
          ++tables_.left_out;
          break;
        }
        tables_.linked.emplace(HashOf(link.trace_id, link.span_id), service);
      }
      return;
    }
    const bool first = entity.role == EntityRole::kSegment;
    if (first ? entity.parent >= 0 || !entity.parent_id.IsZero()
              : entity.parent < 0 || HasEntryAbove(entity) || HasSender(entity))
      return;
    const AttributeReader attributes(entity.span->attributes);
    const auto message = MessageOf(entity, attributes);
    if (!message || (message->receive && message->id.empty())) return;
    tables_.Push(tables_.received, MessageRow(entity, *message));
  }

  [[nodiscard]] bool HasSender(const Entity& entity) const {
    return trace_.entities[At(entity.parent)].span->kind == SpanKind::kProducer;
  }

  static bool IsOnLambda(const Entity& entity) {
    const AttributeReader resource(entity.span->resource->attributes);
    return entity.origin == "AWS::Lambda::Function" || resource.HasAny({"faas.name"}) ||
           resource.Text({"cloud.platform"}) == "aws_lambda";
  }

  static std::uint64_t SessionOf(const Entity& entity) {
    if (entity.span->source == SpanSource::kXRay) return 0;
    const auto session = genai::CanonicalField(*entity.span, "session_id");
    if (session && session->AsString() != nullptr) return HashOfText(*session->AsString());
    const AttributeReader attributes(entity.span->attributes);
    return HashOfText(attributes.Text({"gen_ai.conversation.id", "run_id", "thread_id"}));
  }

  void ReadSegment(const Entity& entity, std::size_t index) {
    if (entity.span->source == SpanSource::kXRay && entity.span->Has(SpanFlag::kSentInferred))
      return;
    const SpanKind kind = entity.span->kind;
    const TextId service = ServiceOf(entity);
    tables_.peers.LearnService(service);
    Work work;
    Fill(work, entity);
    work.session = SessionOf(entity);
    tables_.Push(tables_.works, work);
    if (entity.parent >= 0) {
      ReadSurvivor(entity);
      return;
    }
    if (kind == SpanKind::kConsumer && entity.parent_id.IsZero()) return;
    const bool asked_by_nobody =
        entity.span->source != SpanSource::kXRay &&
        (kind == SpanKind::kInternal || kind == SpanKind::kClient || kind == SpanKind::kProducer);
    if (asked_by_nobody) {
      if (entity.parent_id.IsZero() && entity.span->links.empty()) {
        InnerRoot root;
        static_cast<Work&>(root) = work;
        root.name = tables_.texts.Id(entity.span->name);
        tables_.Push(tables_.inner_roots, root);
      }
      return;
    }
    if (!entity.parent_id.IsZero() && IsOnLambda(entity)) return;
    ReadEntry(entity, index);
  }

  void ReadEntry(const Entity& entity, std::size_t index) {
    const AttributeReader attributes(entity.span->attributes);
    LostEntry entry;
    Fill(entry, entity);
    entry.parent = entity.parent_id;
    entry.request = RequestOf(entity, attributes, tables_.texts);
    tables_.peers.LearnHost(tables_.texts.Id(HostOf(entity, attributes, true)), entry.service);
    if (const auto header = CapturedHeaderOf(*entity.span)) {
      entry.header = tables_.texts.Id(header->format);
      entry.header_trace = header->trace;
      entry.header_parent = header->parent;
    }
    entry.via = tables_.texts.Id(CapturedVia(*entity.span));
    entry.enclosed = IsEnclosed(entity);
    NoteOthers(entry);
    // A second root: the trace id came along, the parent did not.
    lost_entries_.push_back({entry, static_cast<std::int32_t>(index) == trace_.root});
  }

  [[nodiscard]] bool IsEnclosed(const Entity& entity) const {
    return whole_ != nullptr && whole_ != &entity &&
           whole_->start_ns <= entity.start_ns + kSkewNs &&
           entity.end_ns <= whole_->end_ns + kSkewNs;
  }

  void NoteOthers(LostEntry& entry) {
    std::size_t count = 0;
    for (const model::ServiceNode& node : trace_.services) {
      if (node.inferred || node.client || count == entry.others.size()) continue;
      const TextId other = tables_.texts.Id(node.key.name);
      if (other != entry.service) entry.others[count++] = other;
    }
  }

  void ReadSurvivor(const Entity& callee) {
    const Entity& call = trace_.entities[At(callee.parent)];
    EdgeKey key{.caller = ServiceOf(call), .callee = ServiceOf(callee)};
    const bool is_call = IsCall(call);
    if (key.caller == key.callee && !is_call) return;
    const AttributeReader attributes(call.span->attributes);
    if (callee.span->kind == SpanKind::kConsumer || call.span->kind == SpanKind::kProducer) {
      key.kind = EdgeKind::kMessage;
      if (const auto message = MessageOf(call, attributes))
        key.via = tables_.texts.Id(message->destination);
    }
    if (is_call && key.kind == EdgeKind::kCall && !IsAnswered(call, attributes)) return;
    EdgeTally* const edge = tables_.EdgeAt(key);
    if (edge == nullptr) return;
    edge->survived.Add(weight_);
    if (edge->calls++ == 0) edge->example = trace_.trace->id;
    edge->xray_caller |= call.span->source == SpanSource::kXRay;
    edge->xray_callee |= callee.span->source == SpanSource::kXRay;
    if (!is_call || key.kind != EdgeKind::kCall) return;
    const std::string host = HostOf(call, attributes, false);
    const Request request = RequestOf(call, attributes, tables_.texts);
    tables_.peers.LearnCall(PeersOf(call, attributes, host, tables_.texts), request.part,
                            key.callee, weight_);
    AddTo(edge->splits,
          {tables_.texts.Id(host), InstanceOf(call), InstanceOf(callee), request.part,
           request.method},
          weight_);
    ReadClocks(call, callee, *edge);
  }

  void ReadClocks(const Entity& call, const Entity& callee, EdgeTally& edge) {
    if (call.in_progress || callee.duration_ns() > call.duration_ns()) return;
    const std::pair hosts(tables_.texts.Id(HostNameOf(call)), tables_.texts.Id(HostNameOf(callee)));
    auto found = edge.clocks.find(hosts);
    if (found == edge.clocks.end()) {
      if (edge.clocks.size() >= kClockPairsMax || tables_.clocks >= Tables::kClocksMax) return;
      ++tables_.clocks;
      found = edge.clocks.emplace(hosts, ClockBounds()).first;
    }
    if (found->second.size() < Tables::kClockSamplesMax)
      found->second.emplace_back(callee.end_ns - call.end_ns, callee.start_ns - call.start_ns);
  }

  void ReadInner(const Entity& entity) {
    if (entity.span->source == SpanSource::kXRay) return;
    if (entity.parent < 0) {
      if (!entity.parent_id.IsZero() && !IsOnLambda(entity)) inner_orphans_.push_back(&entity);
      return;
    }
    const std::pair key(ServiceOf(entity), tables_.texts.Id(entity.span->name));
    auto found = tables_.children.find(key);
    if (found == tables_.children.end()) {
      if (tables_.children.size() >= kChildNamesMax) return;
      found = tables_.children.emplace(key, Weighted()).first;
    }
    found->second.Add(weight_);
  }

  static bool LiesIn(const Place& call, std::int64_t start_ns, std::int64_t end_ns) {
    return call.start_ns <= start_ns + kSkewNs && end_ns <= call.end_ns + kSkewNs &&
           end_ns - start_ns <= call.end_ns - call.start_ns + 1'000'000;
  }

  // Calls without callee and spans without parent of one trace belong together.
  void PairWithin() {
    for (auto& [entry, is_root] : lost_entries_) {
      std::size_t best = lost_calls_.size();
      std::int64_t best_ns = INT64_MAX;
      for (std::size_t i = 0; i < lost_calls_.size() && !is_root; ++i) {
        const LostCall& call = lost_calls_[i];
        if (!LiesIn(call, entry.start_ns, entry.end_ns) || !call.request.Fits(entry.request))
          continue;
        const std::int64_t length_ns = call.end_ns - call.start_ns;
        if (length_ns >= best_ns) continue;
        best_ns = length_ns;
        best = i;
      }
      if (best == lost_calls_.size()) {
        tables_.Push(tables_.entries, entry);
        continue;
      }
      tables_.Push(tables_.in_trace, InTrace{.call = lost_calls_[best], .entry = entry});
      lost_calls_.erase(lost_calls_.begin() + static_cast<std::ptrdiff_t>(best));
    }
    for (const LostCall& call : lost_calls_) {
      const auto inside = std::ranges::find_if(inner_orphans_, [&](const Entity* orphan) {
        return LiesIn(call, orphan->start_ns, orphan->end_ns) && ServiceOf(*orphan) != call.service;
      });
      if (inside == inner_orphans_.end()) {
        tables_.Push(tables_.calls, call);
        continue;
      }
      LostEntry entry;
      Fill(entry, **inside);
      entry.parent = (*inside)->parent_id;
      tables_.Push(tables_.in_trace, InTrace{.call = call, .entry = entry, .inner = true});
    }
  }

  const AssembledTrace& trace_;
  Tables& tables_;
  std::size_t real_ = 0;
  double weight_ = 1;
  const Entity* whole_ = nullptr;
  std::vector<LostCall> lost_calls_;
  std::vector<std::pair<LostEntry, bool>> lost_entries_;  ///< with: it is the trace's root
  std::vector<const Entity*> inner_orphans_;
};

}  // namespace

void AddTo(Splits& splits, const std::array<TextId, kDimensions>& values, double weight) {
  for (std::size_t i = 0; i < kDimensions; ++i) {
    if (values[i] == 0) continue;
    Split& split = splits[i];
    const auto found = split.find(values[i]);
    if (found != split.end()) {
      found->second += weight;
    } else if (split.size() < kSplitValuesMax) {
      split.emplace(values[i], weight);
    }
  }
}

EdgeTally* Tables::EdgeAt(const EdgeKey& key) {
  const auto found = edges.find(key);
  if (found != edges.end()) return &found->second;
  if (edges.size() >= kEdgesMax) {
    ++left_out;
    return nullptr;
  }
  return &edges[key];
}

std::uint64_t HashOf(const model::TraceId& trace, const model::SpanId& span) {
  return std::hash<model::TraceId>()(trace) * 31 + std::hash<model::SpanId>()(span);
}

void ReadTrace(const AssembledTrace& trace, std::int64_t settled_ns, Tables& tables) {
  ++tables.traces;
  if (trace.trace->IsPart() || trace.trace->limit_exceeded) {
    ++tables.cut;
    return;
  }
  if (trace.end_ns > settled_ns) {
    ++tables.unsettled;
    return;
  }
  Reader(trace, tables).Run();
}

}  // namespace fluoro::analysis::propagation
