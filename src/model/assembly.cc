#include "model/assembly.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>
#include <unordered_map>

#include <xxhash.h>

#include "base/assert.h"
#include "model/inferred.h"

namespace fluoro::model {
namespace {

constexpr std::int32_t kNone = -1;

std::size_t At(std::int32_t index) { return static_cast<std::size_t>(index); }
std::int32_t Index(std::size_t index) { return static_cast<std::int32_t>(index); }

// Puts entities[order[i]] in place i, for all i, without a second copy of them.
void Permute(std::vector<Entity>& entities, std::vector<std::int32_t> order) {
  for (std::size_t first = 0; first < order.size(); ++first) {
    if (order[first] == Index(first)) continue;
    Entity carried = std::move(entities[first]);
    std::size_t place = first;
    while (At(order[place]) != first) {
      const std::size_t from = At(order[place]);
      entities[place] = std::move(entities[from]);
      order[place] = Index(place);
      place = from;
    }
    entities[place] = std::move(carried);
    order[place] = Index(place);
  }
}

// Described entities before they are ordered: those of the spans, each before its synthetic service
// segment.
class Draft {
 public:
  Draft(const Trace& trace, const AssemblyOptions& options);
  // Moves the entities out in order of start, with parents and children set.
  std::vector<Entity> TakeOrdered();

 private:
  void AddServiceSegment(SpanDescription& description);
  void LinkParents();
  void FindSharedHalves();
  void EnterServices();
  void CutCycles();
  void CutCycleAt(std::int32_t member);
  std::vector<std::int32_t> Depths() const;
  std::int32_t ParentOf(const Entity& entity) const;
  std::int32_t SharedParentOf(const Entity& entity) const;

  std::vector<Entity> entities_;
  std::unordered_map<SpanId, std::int32_t> by_id_;
  // By the id that was sent and the service; with service "" the first of any.
  std::map<std::pair<SpanId, std::string_view>, std::int32_t> shared_halves_;
};

Draft::Draft(const Trace& trace, const AssemblyOptions& options) {
  FLUORO_ASSERT(trace.spans.size() < static_cast<std::size_t>(INT32_MAX) / 4);
  entities_.reserve(trace.spans.size());
  by_id_.reserve(trace.spans.size());
  for (const Span& span : trace.spans) {
    by_id_.try_emplace(span.span_id, Index(entities_.size()));
    SpanDescription description = DescribeSpan(span, {.exporter_names = options.exporter_names});
    entities_.push_back(std::move(description.entity));
    AddServiceSegment(description);
  }
  FindSharedHalves();
  LinkParents();
  if (!options.exporter_names) EnterServices();
  CutCycles();
}

void Draft::AddServiceSegment(SpanDescription& description) {
  if (!description.service_segment) return;
  by_id_.try_emplace(description.service_segment->id, Index(entities_.size()));
  entities_.push_back(*std::move(description.service_segment));
}

std::int32_t Draft::ParentOf(const Entity& entity) const {
  if (entity.parent_id.IsZero() || entity.parent_id == entity.id) return kNone;
  if (const std::int32_t half = SharedParentOf(entity); half != kNone) return half;
  const auto parent = by_id_.find(entity.parent_id);
  return parent == by_id_.end() ? kNone : parent->second;
}

void Draft::LinkParents() {
  for (Entity& entity : entities_) entity.parent = ParentOf(entity);
}

// The id that a span was sent with, if it is the callee's half of a call whose halves share one
// (docs/formats/zipkin-jaeger.md).
SpanId SharedIdOf(const Span& span) {
  const AttributeValue* sent =
      span.source == SpanSource::kZipkin ? span.Find("zipkin.id") : nullptr;
  if (sent == nullptr || sent->AsString() == nullptr) return {};
  return *sent->AsString() == span.parent_id.ToHex() ? span.parent_id : SpanId{};
}

void Draft::FindSharedHalves() {
  for (std::size_t i = 0; i < entities_.size(); ++i) {
    const Span& span = *entities_[i].span;
    const SpanId shared = SharedIdOf(span);
    if (shared.IsZero()) continue;
    shared_halves_.try_emplace({shared, span.service()}, Index(i));
    shared_halves_.try_emplace({shared, {}}, Index(i));
  }
}

// The callee's spans name the shared id as their parent too: they are children of its half. So are
// all others where the caller's half did not come.
std::int32_t Draft::SharedParentOf(const Entity& entity) const {
  if (shared_halves_.empty() || entity.span->source != SpanSource::kZipkin) return kNone;
  if (!SharedIdOf(*entity.span).IsZero()) return kNone;
  auto half = shared_halves_.find({entity.parent_id, entity.span->service()});
  if (half == shared_halves_.end() && !by_id_.contains(entity.parent_id)) {
    half = shared_halves_.find({entity.parent_id, {}});
  }
  return half == shared_halves_.end() ? kNone : half->second;
}

// A span whose parent belongs to another service enters its own, whatever its kind.
void Draft::EnterServices() {
  const std::size_t described = entities_.size();
  for (std::size_t i = 0; i < described; ++i) {
    const Entity& entity = entities_[i];
    if (entity.role != EntityRole::kSubsegment || entity.parent == kNone) continue;
    const Span& span = *entity.span;
    const Span& parent = *entities_[At(entity.parent)].span;
    if (span.source == SpanSource::kXRay || &span == &parent) continue;
    if (span.service().empty() || parent.service().empty() || span.service() == parent.service()) {
      continue;
    }
    SpanDescription description = DescribeSpan(span, {.service_entry = true});
    entities_[i] = std::move(description.entity);
    AddServiceSegment(description);
    entities_[i].parent = ParentOf(entities_[i]);
  }
  for (std::size_t i = described; i < entities_.size(); ++i) {
    entities_[i].parent = ParentOf(entities_[i]);
  }
}

void Draft::CutCycles() {
  enum class Visit : std::uint8_t { kNever, kNow, kDone };
  std::vector<Visit> visits(entities_.size(), Visit::kNever);
  std::vector<std::int32_t> walk;
  for (std::size_t start = 0; start < entities_.size(); ++start) {
    walk.clear();
    std::int32_t at = Index(start);
    while (at != kNone && visits[At(at)] == Visit::kNever) {
      visits[At(at)] = Visit::kNow;
      walk.push_back(at);
      at = entities_[At(at)].parent;
    }
    if (at != kNone && visits[At(at)] == Visit::kNow) CutCycleAt(at);
    for (const std::int32_t visited : walk) visits[At(visited)] = Visit::kDone;
  }
}

void Draft::CutCycleAt(std::int32_t member) {
  std::int32_t earliest = member;
  for (std::int32_t at = entities_[At(member)].parent; at != member;
       at = entities_[At(at)].parent) {
    if (entities_[At(at)].start_ns < entities_[At(earliest)].start_ns) earliest = at;
  }
  entities_[At(earliest)].parent = kNone;
}

std::vector<std::int32_t> Draft::Depths() const {
  std::vector<std::int32_t> depths(entities_.size(), kNone);
  std::vector<std::int32_t> walk;
  for (std::size_t start = 0; start < entities_.size(); ++start) {
    std::int32_t at = Index(start);
    for (; at != kNone && depths[At(at)] == kNone; at = entities_[At(at)].parent) {
      walk.push_back(at);
    }
    std::int32_t depth = at == kNone ? 0 : depths[At(at)] + 1;
    for (; !walk.empty(); walk.pop_back()) depths[At(walk.back())] = depth++;
  }
  return depths;
}

std::vector<Entity> Draft::TakeOrdered() {
  const std::vector<std::int32_t> depths = Depths();
  std::vector<std::int32_t> order(entities_.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    const std::int64_t start_a = entities_[At(a)].start_ns;
    const std::int64_t start_b = entities_[At(b)].start_ns;
    return start_a != start_b ? start_a < start_b : depths[At(a)] < depths[At(b)];
  });
  std::vector<std::int32_t> places(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) places[At(order[i])] = Index(i);

  for (Entity& entity : entities_) {
    if (entity.parent != kNone) entity.parent = places[At(entity.parent)];
  }
  Permute(entities_, std::move(order));
  for (std::size_t i = 0; i < entities_.size(); ++i) {
    if (const std::int32_t parent = entities_[i].parent; parent != kNone) {
      entities_[At(parent)].children.push_back(Index(i));
    }
  }
  return std::move(entities_);
}

class Assembler {
 public:
  Assembler(std::shared_ptr<const Trace> trace, const AssemblyOptions& options)
      : options_(options) {
    out_.trace = std::move(trace);
  }

  AssembledTrace Run() {
    out_.entities = Draft(*out_.trace, options_).TakeOrdered();
    real_ = out_.entities.size();
    IndexIds();
    AssignSegments();
    FindRoot();
    Measure();
    AddSegmentServices();
    Infer();
    LinkSpans();
    CallSegments();
    return std::move(out_);
  }

 private:
  Entity& EntityAt(std::int32_t index) { return out_.entities[At(index)]; }

  void IndexIds() {
    out_.by_id.reserve(real_);
    for (std::size_t i = 0; i < real_; ++i) out_.by_id.emplace_back(out_.entities[i].id, Index(i));
    std::sort(out_.by_id.begin(), out_.by_id.end());
  }

  // Every entity belongs to its nearest segment, found from the tops downwards.
  void AssignSegments() {
    std::vector<std::int32_t> queue;
    queue.reserve(real_);
    for (std::size_t i = 0; i < real_; ++i) {
      if (out_.entities[i].parent == kNone) queue.push_back(Index(i));
    }
    for (std::size_t next = 0; next < queue.size(); ++next) {
      const std::int32_t index = queue[next];
      Entity& entity = EntityAt(index);
      if (entity.role == EntityRole::kSegment) {
        entity.segment = index;
      } else if (entity.parent != kNone) {
        entity.segment = EntityAt(entity.parent).segment;
      }
      queue.insert(queue.end(), entity.children.begin(), entity.children.end());
    }
  }

  // The segment that calls this one, or -1: it was called from outside, or by an orphan.
  std::int32_t CallerSegment(const Entity& segment) {
    return segment.parent == kNone ? kNone : EntityAt(segment.parent).segment;
  }

  static bool SentInferred(const Entity& entity) {
    return entity.span->source == SpanSource::kXRay && entity.span->Has(SpanFlag::kSentInferred);
  }

  // A segment without parent comes before one called by an orphan, then orphans, then inferred
  // ones; the earliest of a kind.
  void FindRoot() {
    int best = INT32_MAX;
    for (std::size_t i = 0; i < real_; ++i) {
      const Entity& entity = out_.entities[i];
      const bool segment = entity.role == EntityRole::kSegment;
      if (segment ? CallerSegment(entity) != kNone : entity.parent != kNone) continue;
      const int rank = !segment ? 2 : SentInferred(entity) ? 3 : entity.parent == kNone ? 0 : 1;
      if (rank < best) {
        best = rank;
        out_.root = Index(i);
      }
    }
  }

  void Measure() {
    if (real_ == 0) return;
    out_.start_ns = out_.entities.front().start_ns;
    out_.end_ns = out_.start_ns;
    for (const Entity& entity : out_.entities) {
      if (entity.in_progress) {
        out_.in_progress = true;
      } else {
        out_.end_ns = std::max(out_.end_ns, entity.end_ns);
      }
    }
    if (out_.trace->IsPart()) {
      out_.start_ns = std::min(out_.start_ns, out_.trace->start_ns);
      out_.end_ns = std::max(out_.end_ns, out_.trace->end_ns);
    }
  }

  std::int32_t Service(const ServiceKey& key, bool inferred) {
    const auto [entry, added] = service_index_.try_emplace(key, Index(out_.services.size()));
    if (added) out_.services.push_back({.key = key, .inferred = inferred});
    ServiceNode& node = out_.services[At(entry->second)];
    node.inferred = node.inferred && inferred;
    return entry->second;
  }

  void AddSegmentServices() {
    for (std::size_t i = 0; i < real_; ++i) {
      Entity& entity = out_.entities[i];
      if (entity.role != EntityRole::kSegment) continue;
      const bool inferred = SentInferred(entity);
      entity.service = Service(inferred ? SentInferredKey(entity)
                                        : ServiceKey{entity.name, entity.origin, entity.account_id},
                               inferred);
    }
  }

  [[nodiscard]] bool WaitsForCallee(const Entity& call) const {
    if (!call.http.traced || options_.now_ns == INT64_MAX) return false;
    return options_.now_ns < out_.trace->last_arrival_ns ||
           options_.now_ns - out_.trace->last_arrival_ns < options_.traced_wait_ns;
  }

  bool HasCallee(const Entity& call) {
    return std::any_of(call.children.begin(), call.children.end(), [&](std::int32_t child) {
      return EntityAt(child).role == EntityRole::kSegment;
    });
  }

  void Infer() {
    if (out_.trace->IsPart()) return;  // the callee may be in another part
    std::vector<std::int32_t> calls;
    for (std::size_t i = 0; i < real_; ++i) {
      const Entity& entity = out_.entities[i];
      if (CallsOut(entity) && !HasCallee(entity) && !WaitsForCallee(entity)) {
        calls.push_back(Index(i));
      }
    }
    out_.entities.reserve(real_ + calls.size());
    for (const std::int32_t call : calls) AddInferred(call);
  }

  void AddInferred(std::int32_t call) {
    const std::int32_t index = Index(out_.entities.size());
    InferredSegment inferred = InferSegment(EntityAt(call));
    inferred.entity.parent = call;
    inferred.entity.segment = index;
    inferred.entity.service = Service(inferred.key, true);
    out_.entities.push_back(std::move(inferred.entity));

    std::vector<std::int32_t>& siblings = EntityAt(call).children;
    const auto later = std::find_if(siblings.begin(), siblings.end(), [&](std::int32_t sibling) {
      return EntityAt(sibling).start_ns > EntityAt(index).start_ns;
    });
    siblings.insert(later, index);
    AddCall(call, index, false);
  }

  std::int32_t ServiceOf(std::int32_t entity) {
    const std::int32_t segment = EntityAt(entity).segment;
    return segment == kNone ? kNone : EntityAt(segment).service;
  }

  void AddCall(std::int32_t caller_entity, std::int32_t callee_segment, bool link) {
    const Entity& caller = EntityAt(caller_entity);
    const Entity& callee = EntityAt(callee_segment);
    const std::int32_t from = ServiceOf(caller_entity);
    if (from == kNone) return;
    out_.calls.push_back(
        {.from = from,
         .to = callee.service,
         .caller_entity =
             caller.role == EntityRole::kSubsegment || link ? caller_entity : callee_segment,
         .callee_entity = callee_segment,
         .link = link,
         .age_ns = link ? std::max<std::int64_t>(0, callee.start_ns - caller.end_ns) : 0});
  }

  // Span links to entities of the same trace are asynchronous calls, unless the parent already is
  // that call.
  void LinkSpans() {
    linked_.assign(real_, false);
    for (std::size_t i = 0; i < real_; ++i) {
      const Entity& entity = out_.entities[i];
      if (entity.segment == kNone || entity.synthetic) continue;
      const Entity& callee = EntityAt(entity.segment);
      for (const Link& link : entity.span->links) {
        if (link.trace_id != out_.trace->id) continue;
        const std::int32_t source = out_.Find(link.span_id);
        if (source == kNone || source == Index(i) || source == callee.parent) continue;
        if (EntityAt(source).segment == kNone) continue;
        AddCall(source, entity.segment, true);
        linked_[At(entity.segment)] = true;
      }
    }
  }

  static bool IsMessage(const Entity& caller, const Entity& callee) {
    return callee.span->kind == SpanKind::kConsumer || caller.span->kind == SpanKind::kProducer;
  }

  void CallSegments() {
    for (std::size_t i = 0; i < real_; ++i) {
      const Entity& entity = out_.entities[i];
      if (entity.role != EntityRole::kSegment) continue;
      if (CallerSegment(entity) != kNone) {
        AddCall(entity.parent, Index(i), IsMessage(EntityAt(entity.parent), entity));
      } else if (!SentInferred(entity) && !linked_[i] && !CalledFromAnotherPart(entity)) {
        AddClient(Index(i));
      }
    }
  }

  [[nodiscard]] bool CalledFromAnotherPart(const Entity& entity) const {
    return out_.trace->IsPart() && entity.parent == kNone && !entity.parent_id.IsZero();
  }

  void AddClient(std::int32_t segment) {
    const std::int32_t service = EntityAt(segment).service;
    out_.services[At(service)].root = true;
    ServiceKey key = out_.services[At(service)].key;
    key.type = "client";
    const std::int32_t client = Service(key, false);
    out_.services[At(client)].client = true;
    out_.calls.push_back(
        {.from = client, .to = service, .caller_entity = segment, .callee_entity = segment});
  }

  const AssemblyOptions& options_;
  AssembledTrace out_;
  std::size_t real_ = 0;
  std::map<ServiceKey, std::int32_t> service_index_;
  std::vector<bool> linked_;
};

}  // namespace

std::int32_t AssembledTrace::Find(SpanId id) const {
  const auto entry = std::lower_bound(by_id.begin(), by_id.end(), std::pair(id, std::int32_t{0}));
  return entry == by_id.end() || entry->first != id ? kNone : entry->second;
}

AssembledTrace Assemble(std::shared_ptr<const Trace> trace, const AssemblyOptions& options) {
  FLUORO_ASSERT(trace != nullptr);
  return Assembler(std::move(trace), options).Run();
}

SpanId DeriveSpanId(const TraceId& trace_id, const SpanId& id, std::string_view purpose) {
  std::string text;
  text.reserve(trace_id.bytes.size() + id.bytes.size() + purpose.size());
  text.append(trace_id.bytes.begin(), trace_id.bytes.end());
  text.append(id.bytes.begin(), id.bytes.end());
  text.append(purpose);
  XXH64_canonical_t canonical;
  XXH64_canonicalFromHash(&canonical, XXH3_64bits(text.data(), text.size()));
  SpanId derived;
  std::memcpy(derived.bytes.data(), canonical.digest, derived.bytes.size());
  if (derived.IsZero()) derived.bytes.back() = 1;
  return derived;
}

}  // namespace fluoro::model
