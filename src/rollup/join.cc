#include "rollup/join.h"

#include <algorithm>

namespace fluoro::rollup {
namespace {

constexpr std::int32_t kNone = -1;
constexpr std::int32_t kLater = -2;  // not found yet

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
    sent_by_.clear();
  }
  ++trace_;
  if (links.empty() && RunPlain(spans, sink)) return true;
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

// Most traces: in one walk over the spans and one over what they turned out to be. False, and
// nothing is added: it takes more.
bool TraceJoin::RunPlain(std::span<const JoinSpan> spans, SampleSink& sink) {
  if (plain_.size() < spans.size()) plain_.resize(spans.size());
  if (sent_by_.size() < table_.keys().size()) sent_by_.resize(table_.keys().size() + 64);
  has_callee_.assign(spans.size(), 0);
  if (!DescribePlain(spans)) return false;
  std::size_t count = 0;
  const auto hand_on = [&] { sink.AddAll(std::span<const SpanSamples>(samples_).first(count)); };
  for (std::size_t i = 0; i < spans.size(); ++i) {
    if (!SampleOf(spans, i, samples_[count]) || ++count < samples_.size()) continue;
    hand_on();
    count = 0;
  }
  if (count > 0) hand_on();
  return true;
}

// What each span is takes no more of its parent than which service that belongs to, in whatever
// order they stand; which segment it lies in takes the parent's first.
bool TraceJoin::DescribePlain(std::span<const JoinSpan> spans) {
  Plain* const plain = plain_.data();
  std::uint8_t* const has_callee = has_callee_.data();
  std::uint64_t* const sent_by = sent_by_.data();
  bool has_later = false;  // parents that stand behind their children
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const JoinSpan& span = spans[i];
    const std::int32_t parent = span.parent;
    const Facts* facts = &table_.At(span.facts);
    if (parent >= 0 && !facts->segment && !facts->xray && facts->service != 0) {
      const TextId above = table_.At(spans[At(parent)].facts).service;
      if (above != 0 && above != facts->service) facts = &table_.At(facts->entered);
    }
    if (!facts->plain) return false;
    Plain& node = plain[i];
    node.facts = facts;
    node.start_ns = span.start_ns;
    node.end_ns = facts->in_progress ? span.start_ns : std::max(span.start_ns, span.end_ns);
    node.last_end_ns = INT64_MIN;
    const bool is_later = parent >= Index(i);
    has_later = has_later || is_later;
    if (facts->segment) {
      node.segment = Index(i);
      sent_by[facts->key] = trace_;
      if (parent >= 0) has_callee[parent] = 1;
    } else {
      node.segment = parent < 0 ? kNone : is_later ? kLater : plain[parent].segment;
      if (!has_later) EndInside(node);
    }
  }
  return !has_later || ResolveLater(spans);
}

inline void TraceJoin::EndInside(const Plain& node) {
  if (node.segment < 0 || node.facts->in_progress) return;
  std::int64_t& last_end_ns = plain_[At(node.segment)].last_end_ns;
  last_end_ns = std::max(last_end_ns, node.end_ns);
}

// Of a trace in which some parents stand behind their children. False: parents go round, or it may
// take too many steps to say that they do not.
bool TraceJoin::ResolveLater(std::span<const JoinSpan> spans) {
  std::size_t steps = 64 + 16 * spans.size();
  const auto count = Index(spans.size());
  for (std::int32_t i = 0; i < count; ++i) {
    // A ring's first span is seen again from its parent, by way of spans behind it alone.
    for (std::int32_t at = spans[At(i)].parent; at >= i; at = spans[At(at)].parent) {
      if (at == i || --steps == 0) return false;
    }
  }
  for (std::int32_t i = 0; i < count; ++i) {
    Plain& node = plain_[At(i)];
    if (node.segment == kLater) {
      std::int32_t above = spans[At(i)].parent;
      while (plain_[At(above)].segment == kLater) {
        above = spans[At(above)].parent;
        if (--steps == 0) return false;
      }
      node.segment = plain_[At(above)].segment;
    }
    if (!node.facts->segment) EndInside(node);
  }
  return true;
}

// As Infer, CallSegments and Emit. All segments here are of services that sent them, and no
// service is a client. False: the span adds nothing.
inline bool TraceJoin::SampleOf(std::span<const JoinSpan> spans, std::size_t i,
                                SpanSamples& to) const {
  const Plain& node = plain_[i];
  const Facts& facts = *node.facts;
  if (facts.segment) {
    const std::int32_t parent = spans[i].parent;
    to.node = {.key = facts.key, .measured = MeasuredIn(node), .last_end_ns = node.last_end_ns};
    to.has_edge = true;
    if (parent < 0 || plain_[At(parent)].segment == kNone) {
      to.edge = {
          .from = facts.client, .to = facts.key, .from_client = true, .measured = to.node.measured};
    } else {
      CallOf(plain_[At(parent)], node, to.edge);
    }
    return true;
  }
  if (!facts.calls_out || has_callee_[i] != 0) return false;
  const bool inferred = sent_by_[facts.callee] != trace_;
  to.node = {.key = facts.callee, .inferred = inferred, .measured = MeasuredIn(node)};
  to.has_edge = node.segment != kNone;
  if (!to.has_edge) return true;
  const bool has_alias = facts.remote && !inferred && !IsNameOf(facts.name, facts.callee);
  to.edge = {.from = plain_[At(node.segment)].facts->key,
             .to = facts.callee,
             .to_inferred = inferred,
             .measured = to.node.measured,
             .alias = has_alias ? facts.name : 0};
  return true;
}

inline void TraceJoin::CallOf(const Plain& caller, const Plain& callee, EdgeSample& to) const {
  const bool link = callee.facts->kind == model::SpanKind::kConsumer ||
                    caller.facts->kind == model::SpanKind::kProducer;
  const bool callers = !link && !caller.facts->segment;
  const KeyId key = callee.facts->key;
  const TextId alias = callers && caller.facts->remote ? caller.facts->name : 0;
  to = {.from = plain_[At(caller.segment)].facts->key,
        .to = key,
        .link = link,
        .measured = MeasuredIn(callers ? caller : callee),
        .alias = alias != 0 && IsNameOf(alias, key) ? 0 : alias};
  if (link) to.age_ns = std::max<std::int64_t>(0, callee.start_ns - caller.end_ns);
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
