#include "rollup/join.h"

#include <algorithm>

namespace fluoro::rollup {
namespace {

constexpr std::int32_t kNone = -1;

std::size_t At(std::int32_t index) { return static_cast<std::size_t>(index); }
std::int32_t Index(std::size_t index) { return static_cast<std::int32_t>(index); }

Measured MeasuredOf(const JoinSpan& span, const Facts& facts) {
  return {.start_ns = span.start_ns,
          .end_ns = facts.in_progress ? span.start_ns : std::max(span.start_ns, span.end_ns),
          .outcome = facts.outcome,
          .in_progress = facts.in_progress};
}

}  // namespace

bool TraceJoin::Run(std::span<const JoinSpan> spans, std::span<const JoinLink> links,
                    Coverage coverage, SampleSink& sink) {
  const bool any = coverage == Coverage::kAnything;
  if (generation_ != table_.keys().generation()) {
    generation_ = table_.keys().generation();
    marks_.clear();
  }
  ++trace_;
  if (links.empty() && RunPlain(spans, sink)) return true;
  ++trace_;  // its marks are of no more use
  nodes_.clear();
  inferred_.clear();
  edges_.clear();
  if (!Describe(spans, any)) return false;
  const bool has_synthetic = nodes_.size() > spans.size();
  if (has_synthetic && !any) {
    const bool absent = std::ranges::any_of(
        spans, [](const JoinSpan& span) { return span.parent == kAbsentParent; });
    if (absent ||
        std::ranges::any_of(links, [](const JoinLink& link) { return link.to == kAbsentParent; })) {
      return false;
    }
  }
  if (!FindSegments(any)) return false;
  Count();
  Infer();
  if (!links.empty()) FollowLinks(links);
  CallSegments();
  Emit(sink);
  return true;
}

// Into the walk itself: it is asked for each span.
[[gnu::always_inline]] inline bool TraceJoin::DescribePlain(std::span<const JoinSpan> spans,
                                                            std::size_t i) {
  const JoinSpan& span = spans[i];
  const Facts* facts = &table_.At(span.facts);
  Plain* const plain = plain_.data();
  Plain* const parent = span.parent < 0 ? nullptr : plain + span.parent;
  if (parent != nullptr && !facts->segment && !facts->xray && facts->service != 0 &&
      parent->facts->service != 0 && parent->facts->service != facts->service) {
    facts = &table_.At(facts->entered);
  }
  if (!facts->plain) return false;
  Plain& node = plain[i];
  node = {.trace = trace_, .facts = facts, .measured = MeasuredOf(span, *facts)};
  if (facts->segment) {
    node.segment = Index(i);
    MarkOf(facts->key).inferred = false;
    if (parent != nullptr) parent->has_callee = true;
  } else if (parent != nullptr && parent->segment != kNone) {
    node.segment = parent->segment;
    std::int64_t& last_end_ns = plain[node.segment].last_end_ns;
    if (!facts->in_progress) last_end_ns = std::max(last_end_ns, node.measured.end_ns);
  }
  return true;
}

// Most traces: in one walk over the spans and one over what they turned out to be. False, and
// nothing is added: it takes more.
bool TraceJoin::RunPlain(std::span<const JoinSpan> spans, SampleSink& sink) {
  if (plain_.size() < spans.size()) plain_.resize(spans.size());
  for (std::size_t i = 0; i < spans.size(); ++i) {
    if (plain_[i].trace == trace_) continue;
    const std::int32_t parent = spans[i].parent;
    const bool is_next = parent < 0 || plain_[At(parent)].trace == trace_;
    if (is_next ? !DescribePlain(spans, i) : !DescribeWithParents(spans, i)) {
      walk_.clear();
      return false;
    }
  }
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const std::int32_t parent = spans[i].parent;
    EmitPlain(plain_[i], parent < 0 ? nullptr : &plain_[At(parent)], sink);
  }
  return true;
}

// Parents before their children, in whatever order they stand. False also if parents go round.
bool TraceJoin::DescribeWithParents(std::span<const JoinSpan> spans, std::size_t i) {
  for (std::int32_t parent = spans[i].parent; parent >= 0 && plain_[At(parent)].trace != trace_;
       parent = spans[i].parent) {
    if (walk_.size() == spans.size()) return false;
    walk_.push_back(Index(i));
    i = At(parent);
  }
  if (!DescribePlain(spans, i)) return false;
  for (; !walk_.empty(); walk_.pop_back()) {
    if (!DescribePlain(spans, At(walk_.back()))) return false;
  }
  return true;
}

// As Infer, CallSegments and Emit. All segments here are of services that sent them, and no
// service is a client.
void TraceJoin::EmitPlain(const Plain& node, const Plain* parent, SampleSink& sink) {
  const Facts& facts = *node.facts;
  const bool is_inside = parent != nullptr && parent->segment != kNone;
  if (facts.segment) {
    sink.Add(
        NodeSample{.key = facts.key, .measured = node.measured, .last_end_ns = node.last_end_ns});
    if (!is_inside) {
      return sink.Add(EdgeSample{
          .from = facts.client, .to = facts.key, .from_client = true, .measured = node.measured});
    }
    EdgeSample edge = CallOf(*parent, node);
    if (edge.alias != 0 && IsNameOf(edge.alias, edge.to)) edge.alias = 0;
    return sink.Add(edge);
  }
  if (node.has_callee || !facts.calls_out) return;
  const bool inferred = MarkOf(facts.callee).inferred;
  sink.Add(NodeSample{.key = facts.callee, .inferred = inferred, .measured = node.measured});
  if (!is_inside) return;
  const bool has_alias = facts.remote && !inferred && !IsNameOf(facts.name, facts.callee);
  sink.Add(EdgeSample{.from = plain_[At(node.segment)].facts->key,
                      .to = facts.callee,
                      .to_inferred = inferred,
                      .measured = node.measured,
                      .alias = has_alias ? facts.name : 0});
}

EdgeSample TraceJoin::CallOf(const Plain& caller, const Plain& callee) const {
  const bool link = callee.facts->kind == model::SpanKind::kConsumer ||
                    caller.facts->kind == model::SpanKind::kProducer;
  const bool callers = !link && !caller.facts->segment;
  const std::int64_t age_ns = callee.measured.start_ns - caller.measured.end_ns;
  return {.from = plain_[At(caller.segment)].facts->key,
          .to = callee.facts->key,
          .link = link,
          .measured = callers ? caller.measured : callee.measured,
          .age_ns = link ? std::max<std::int64_t>(0, age_ns) : 0,
          .alias = callers && caller.facts->remote ? caller.facts->name : 0};
}

bool TraceJoin::Describe(std::span<const JoinSpan> spans, bool any) {
  nodes_.resize(spans.size());
  bool may_enter = false;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const JoinSpan& span = spans[i];
    const Facts& facts = table_.At(span.facts);
    if (facts.shares_id && !any) return false;
    Node& node = nodes_[i];
    node = {};
    node.measured = MeasuredOf(span, facts);
    node.parent = span.parent < 0 ? kNone : span.parent;
    node.facts = span.facts;
    node.is_segment = facts.segment;
    if (!facts.segment && !facts.two_documents && node.parent != kNone) {
      may_enter = may_enter || facts.service != table_.At(spans[At(node.parent)].facts).service;
    }
  }
  const std::size_t count = spans.size();
  for (std::size_t i = 0; i < count; ++i) {
    if (table_.At(nodes_[i].facts).two_documents) AddSynthetic(i);
  }
  if (may_enter) EnterServices(count);
  return true;
}

// The segment that holds a dependency: it takes the dependency's place.
void TraceJoin::AddSynthetic(std::size_t of) {
  Node segment = nodes_[of];
  segment.is_segment = true;
  nodes_[of].parent = Index(nodes_.size());
  nodes_.push_back(segment);
}

// A span whose parent belongs to another service enters its own.
void TraceJoin::EnterServices(std::size_t spans) {
  for (std::size_t i = 0; i < spans; ++i) {
    Node& node = nodes_[i];
    const Facts& facts = table_.At(node.facts);
    if (facts.segment || facts.two_documents || facts.xray || node.parent == kNone) continue;
    const TextId above = table_.At(nodes_[At(node.parent)].facts).service;
    if (facts.service == 0 || above == 0 || facts.service == above) continue;
    node.facts = facts.entered;
    const Facts& entered = table_.At(node.facts);
    node.is_segment = entered.segment;
    if (entered.two_documents) AddSynthetic(i);
  }
}

// Every node belongs to its nearest segment. False: parents go round.
bool TraceJoin::FindSegments(bool any) {
  enum Visit : std::uint8_t { kNever, kNow, kDone };
  visits_.assign(nodes_.size(), kNever);
  for (std::size_t start = 0; start < nodes_.size(); ++start) {
    std::int32_t at = Index(start);
    while (at != kNone && visits_[At(at)] == kNever) {
      visits_[At(at)] = kNow;
      walk_.push_back(at);
      at = nodes_[At(at)].parent;
    }
    if (at != kNone && visits_[At(at)] == kNow) {
      if (!any) {
        walk_.clear();
        return false;
      }
      nodes_[At(walk_.back())].parent = kNone;
      at = kNone;
    }
    std::int32_t segment = at == kNone ? kNone : nodes_[At(at)].segment;
    for (; !walk_.empty(); walk_.pop_back()) {
      Node& node = nodes_[At(walk_.back())];
      if (node.is_segment) segment = walk_.back();
      node.segment = segment;
      visits_[At(walk_.back())] = kDone;
    }
  }
  return true;
}

void TraceJoin::Count() {
  for (Node& node : nodes_) {
    if (node.is_segment) {
      Mark& mark = MarkOf(KeyOf(node));
      mark.inferred = mark.inferred && table_.At(node.facts).sent_inferred;
      if (node.parent != kNone) nodes_[At(node.parent)].has_callee = true;
    } else if (node.segment != kNone && !node.measured.in_progress) {
      std::int64_t& last_end_ns = nodes_[At(node.segment)].last_end_ns;
      last_end_ns = std::max(last_end_ns, node.measured.end_ns);
    }
  }
}

void TraceJoin::Infer() {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    if (node.is_segment || node.has_callee) continue;
    const Facts& facts = table_.At(node.facts);
    if (!facts.calls_out) continue;
    MarkOf(facts.callee);
    inferred_.push_back(static_cast<std::uint32_t>(i));
    if (node.segment == kNone) continue;
    edges_.push_back({.from = KeyOf(nodes_[At(node.segment)]),
                      .to = facts.callee,
                      .measured = node.measured,
                      .alias = facts.remote ? facts.name : 0});
  }
}

void TraceJoin::AddCall(std::int32_t caller_index, std::int32_t callee_index, bool link) {
  const Node& caller = nodes_[At(caller_index)];
  const Node& callee = nodes_[At(callee_index)];
  if (caller.segment == kNone) return;
  const Facts& facts = table_.At(caller.facts);
  const bool callers = !link && !caller.is_segment;
  EdgeSample edge{.from = KeyOf(nodes_[At(caller.segment)]),
                  .to = KeyOf(callee),
                  .link = link,
                  .measured = callers ? caller.measured : callee.measured,
                  .alias = callers && facts.remote ? facts.name : 0};
  if (link) {
    edge.age_ns = std::max<std::int64_t>(0, callee.measured.start_ns - caller.measured.end_ns);
  }
  edges_.push_back(edge);
}

// Span links to spans of the same trace are asynchronous calls, unless the parent already is that
// call.
void TraceJoin::FollowLinks(std::span<const JoinLink> links) {
  for (const JoinLink& link : links) {
    if (link.to < 0 || link.to == Index(link.from)) continue;
    const std::int32_t callee = nodes_[link.from].segment;
    if (callee == kNone || link.to == nodes_[At(callee)].parent) continue;
    if (nodes_[At(link.to)].segment == kNone) continue;
    AddCall(link.to, callee, true);
    nodes_[At(callee)].linked = true;
  }
}

void TraceJoin::CallSegments() {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    if (!node.is_segment) continue;
    const Facts& facts = table_.At(node.facts);
    if (node.parent != kNone && nodes_[At(node.parent)].segment != kNone) {
      const bool message =
          facts.kind == model::SpanKind::kConsumer ||
          table_.At(nodes_[At(node.parent)].facts).kind == model::SpanKind::kProducer;
      AddCall(node.parent, Index(i), message);
    } else if (!facts.sent_inferred && !node.linked) {
      Mark& mark = MarkOf(facts.client);
      mark.inferred = false;
      mark.client = true;
      edges_.push_back({.from = facts.client, .to = facts.key, .measured = node.measured});
    }
  }
}

void TraceJoin::Emit(SampleSink& sink) {
  for (const Node& node : nodes_) {
    if (!node.is_segment) continue;
    const KeyId key = KeyOf(node);
    sink.Add(NodeSample{.key = key,
                        .inferred = MarkOf(key).inferred,
                        .measured = node.measured,
                        .last_end_ns = node.last_end_ns});
  }
  for (const std::uint32_t call : inferred_) {
    const KeyId key = table_.At(nodes_[call].facts).callee;
    sink.Add(NodeSample{
        .key = key, .inferred = MarkOf(key).inferred, .measured = nodes_[call].measured});
  }
  for (EdgeSample& edge : edges_) {
    const Mark to = MarkOf(edge.to);
    const Mark from = MarkOf(edge.from);
    edge.from_client = from.client;
    edge.from_inferred = from.inferred;
    edge.to_inferred = to.inferred;
    if (to.inferred || IsNameOf(edge.alias, edge.to)) edge.alias = 0;
    sink.Add(edge);
  }
}

}  // namespace fluoro::rollup
