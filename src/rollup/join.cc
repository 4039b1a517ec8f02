#include "rollup/join.h"

#include <algorithm>

namespace fluoro::rollup {
namespace {

constexpr std::int32_t kNone = -1;

std::size_t At(std::int32_t index) { return static_cast<std::size_t>(index); }
std::int32_t Index(std::size_t index) { return static_cast<std::int32_t>(index); }

}  // namespace

bool TraceJoin::Run(std::span<const JoinSpan> spans, std::span<const JoinLink> links,
                    Coverage coverage, SampleSink& sink) {
  const bool any = coverage == Coverage::kAnything;
  if (generation_ != table_.keys().generation()) {
    generation_ = table_.keys().generation();
    marks_.clear();
  }
  ++trace_;
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

bool TraceJoin::Describe(std::span<const JoinSpan> spans, bool any) {
  nodes_.resize(spans.size());
  bool may_enter = false;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const JoinSpan& span = spans[i];
    const Facts& facts = table_.At(span.facts);
    if (facts.shares_id && !any) return false;
    Node& node = nodes_[i];
    node = {};
    node.measured = {
        .start_ns = span.start_ns,
        .end_ns = facts.in_progress ? span.start_ns : std::max(span.start_ns, span.end_ns),
        .outcome = facts.outcome,
        .in_progress = facts.in_progress};
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

TraceJoin::Mark& TraceJoin::MarkOf(KeyId key) {
  if (key >= marks_.size()) marks_.resize(std::max<std::size_t>(table_.keys().size(), key + 1));
  Mark& mark = marks_[key];
  if (mark.trace != trace_) mark = {.trace = trace_};
  return mark;
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
    if (to.inferred || edge.alias == table_.keys().At(edge.to).name) edge.alias = 0;
    sink.Add(edge);
  }
}

}  // namespace fluoro::rollup
