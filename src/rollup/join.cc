#include "rollup/join.h"

#include <algorithm>

namespace fluoro::rollup {
namespace {

constexpr std::int32_t kNone = -1;
constexpr std::int32_t kLater = -2;  // not found yet
static_assert(kNoParent == -1 && kAbsentParent == -2, "both have places in front");

std::size_t At(std::int32_t index) { return static_cast<std::size_t>(index); }
std::int32_t Index(std::size_t index) { return static_cast<std::int32_t>(index); }

std::int64_t EndOf(const JoinSpan& span, const Facts& facts) {
  return facts.in_progress ? span.start_ns : std::max(span.start_ns, span.end_ns);
}

Measured MeasuredOf(const JoinSpan& span, const Facts& facts) {
  return {.start_ns = span.start_ns,
          .end_ns = EndOf(span, facts),
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
  way_ = Way::kNone;
  if (links.empty() && RunPlain(spans, sink)) {
    way_ = Way::kPlain;
    return true;
  }
  nodes_.clear();
  synthetic_of_.clear();
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
  if (!any) way_ = Way::kNodes;
  return true;
}

// Most traces: in a few walks over the spans that take the same way for each. What a span is
// decides which values are taken, not where the walk goes: it differs from span to span. False, and
// nothing is added: it takes more.
bool TraceJoin::RunPlain(std::span<const JoinSpan> spans, SampleSink& sink) {
  MakeRoom(spans.size());
  if (!DescribePlain(spans)) return false;
  EndSegments(spans);
  SampleSegments(spans, sink);
  SampleCalls(spans, sink);
  HandOn(sink);
  return true;
}

void TraceJoin::MakeRoom(std::size_t spans) {
  const std::size_t places = spans + kInFront;
  if (facts_.size() < places) {
    facts_.resize(places);
    services_.resize(places);
    segments_.resize(places, kNone);
    last_ends_.resize(places);
    has_callee_.resize(places);
    entries_.resize(places);
    calls_.resize(places);
    later_.resize(places);
    left_.resize(places);
  }
  // One behind the keys, for spans that are no segments.
  if (sent_by_.size() <= table_.keys().size()) sent_by_.resize(table_.keys().size() + 64);
}

// What each span is takes no more of its parent than which service that belongs to, in whatever
// order they stand; which segment it lies in takes the parent's first.
bool TraceJoin::DescribePlain(std::span<const JoinSpan> spans) {
  const std::size_t count = spans.size();
  const Facts** const facts = facts_.data() + kInFront;
  TextId* const services = services_.data() + kInFront;
  std::int32_t* const segments = segments_.data() + kInFront;
  std::uint8_t* const has_callee = has_callee_.data() + kInFront;
  for (std::size_t i = 0; i < count; ++i) {
    facts[i] = &table_.At(spans[i].facts);
    services[i] = facts[i]->service;
    segments[i] = kLater;
    has_callee[i] = 0;
  }
  std::uint64_t* const sent_by = sent_by_.data();
  const std::size_t nobody = sent_by_.size() - 1;
  std::uint32_t* const entries = entries_.data();
  std::uint32_t* const calls = calls_.data();
  std::uint32_t* const later = later_.data();
  std::size_t entries_count = 0;
  std::size_t calls_count = 0;
  std::size_t later_count = 0;
  bool are_plain = true;
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t parent = spans[i].parent;
    const Facts* own = facts[i];
    const TextId above = services[parent];
    const TextId enters = own->enters;
    if (static_cast<unsigned>(enters != 0) & static_cast<unsigned>(above != 0) &
        static_cast<unsigned>(enters != above)) {
      own = &table_.At(own->entered);
      facts[i] = own;
    }
    are_plain &= own->plain;
    const bool is_segment = own->segment;
    const std::int32_t segment = segments[parent];
    later[later_count] = static_cast<std::uint32_t>(i);
    later_count += segment == kLater ? 1U : 0U;
    segments[i] = is_segment && segment != kLater ? Index(i) : segment;
    has_callee[is_segment ? parent : kNoParent] = 1;
    sent_by[is_segment ? own->key : nobody] = trace_;
    entries[entries_count] = static_cast<std::uint32_t>(i);
    entries_count += is_segment ? 1U : 0U;
    calls[calls_count] = static_cast<std::uint32_t>(i);
    calls_count += !is_segment && own->calls_out ? 1U : 0U;
  }
  entries_count_ = entries_count;
  calls_count_ = calls_count;
  later_count_ = later_count;
  return are_plain && (later_count == 0 || ResolveLater(spans));
}

// Of a trace in which some parents stand behind their children: mostly all do, so that one walk
// back is enough. False: parents go round, or stand in front and behind by turns too often.
bool TraceJoin::ResolveLater(std::span<const JoinSpan> spans) {
  constexpr int kWalksMax = 16;
  const Facts* const* const facts = facts_.data() + kInFront;
  std::int32_t* const segments = segments_.data() + kInFront;
  std::uint32_t* const later = later_.data();
  std::size_t left = later_count_;
  for (int walk = 0; walk < kWalksMax; ++walk) {
    const std::size_t before = left;
    left = 0;
    // What is left is kept the other way round: walks go back and forth.
    for (std::size_t at = before; at > 0; --at) {
      const std::uint32_t i = later[at - 1];
      const std::int32_t above = segments[spans[i].parent];
      const bool is_found = above != kLater;
      segments[i] = is_found && facts[i]->segment ? Index(i) : above;
      left_[left] = i;
      left += is_found ? 0U : 1U;
    }
    if (left == 0) return true;
    if (left == before) return false;
    std::copy_n(left_.data(), left, later);
  }
  return false;
}

void TraceJoin::EndSegments(std::span<const JoinSpan> spans) {
  const Facts* const* const facts = facts_.data() + kInFront;
  const std::int32_t* const segments = segments_.data() + kInFront;
  std::int64_t* const last_ends = last_ends_.data() + kInFront;
  std::fill_n(last_ends, spans.size(), INT64_MIN);
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const std::int64_t end_ns = std::max(spans[i].start_ns, spans[i].end_ns);
    std::int64_t& last_end_ns = last_ends[segments[i]];
    last_end_ns = std::max(last_end_ns, facts[i]->in_progress ? INT64_MIN : end_ns);
  }
}

inline SpanSample& TraceJoin::NextSample(SampleSink& sink) {
  if (samples_count_ == samples_.size()) HandOn(sink);
  return samples_[samples_count_++];
}

void TraceJoin::HandOn(SampleSink& sink) {
  if (samples_count_ > 0) sink.AddAll(std::span<const SpanSample>(samples_).first(samples_count_));
  samples_count_ = 0;
}

// As CallSegments and Emit. All segments here are of services that sent them, and no service is a
// client.
void TraceJoin::SampleSegments(std::span<const JoinSpan> spans, SampleSink& sink) {
  const Facts* const* const facts = facts_.data() + kInFront;
  const std::int32_t* const segments = segments_.data() + kInFront;
  for (const std::uint32_t i : std::span(entries_).first(entries_count_)) {
    const JoinSpan& span = spans[i];
    const Facts& own = *facts[i];
    SpanSample sample{.start_ns = span.start_ns,
                      .end_ns = EndOf(span, own),
                      .to = own.key,
                      .from = own.client,
                      .from_client = true,
                      .is_edge = true,
                      .is_node = true,
                      .in_progress = own.in_progress,
                      .outcome = own.outcome};
    sample.other_ns = std::max(last_ends_[i + kInFront], sample.end_ns) - sample.start_ns;
    const std::int32_t segment = segments[span.parent];
    if (segment == kNone) {
      NextSample(sink) = sample;
      continue;
    }
    const Facts& caller = *facts[span.parent];
    sample.from = facts[segment]->key;
    sample.from_client = false;
    const bool is_link =
        own.kind == model::SpanKind::kConsumer || caller.kind == model::SpanKind::kProducer;
    sample.is_edge = !is_link && caller.segment;
    NextSample(sink) = sample;
    if (sample.is_edge) continue;
    // The call has a time of its own, or an age.
    const JoinSpan& call = spans[At(span.parent)];
    sample.is_node = false;
    sample.is_edge = true;
    if (is_link) {
      sample.link = true;
      sample.other_ns = std::max<std::int64_t>(0, sample.start_ns - EndOf(call, caller));
    } else {
      sample.start_ns = call.start_ns;
      sample.end_ns = EndOf(call, caller);
      sample.in_progress = caller.in_progress;
      sample.outcome = caller.outcome;
      sample.alias = caller.remote && !IsNameOf(caller.name, own.key) ? caller.name : 0;
    }
    NextSample(sink) = sample;
  }
}

// As Infer and Emit.
void TraceJoin::SampleCalls(std::span<const JoinSpan> spans, SampleSink& sink) {
  const Facts* const* const facts = facts_.data() + kInFront;
  for (const std::uint32_t i : std::span(calls_).first(calls_count_)) {
    if (has_callee_[i + kInFront] != 0) continue;
    const JoinSpan& span = spans[i];
    const Facts& own = *facts[i];
    const std::int32_t segment = segments_[i + kInFront];
    const bool is_inferred = sent_by_[own.callee] != trace_;
    SpanSample& sample = NextSample(sink);
    sample = {.start_ns = span.start_ns,
              .end_ns = EndOf(span, own),
              .to = own.callee,
              .is_edge = segment != kNone,
              .is_node = true,
              .inferred = is_inferred,
              .in_progress = own.in_progress,
              .outcome = own.outcome};
    sample.other_ns = sample.end_ns - sample.start_ns;
    if (!sample.is_edge) continue;
    sample.from = facts[segment]->key;
    if (own.remote && !is_inferred && !IsNameOf(own.name, own.callee)) sample.alias = own.name;
  }
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
  sent_synthetic_ = synthetic_of_.size();
  if (may_enter) EnterServices(count);
  return true;
}

// The segment that holds a dependency: it takes the dependency's place.
void TraceJoin::AddSynthetic(std::size_t of) {
  Node segment = nodes_[of];
  segment.is_segment = true;
  nodes_[of].parent = Index(nodes_.size());
  nodes_.push_back(segment);
  synthetic_of_.push_back(static_cast<std::uint32_t>(of));
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
