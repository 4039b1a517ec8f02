#include "rollup/trace_facts.h"

#include <algorithm>

#include "rollup/join.h"

namespace fluoro::rollup {
namespace {

constexpr std::int32_t kNone = -1;
// Beyond, each key is looked for once at the end.
constexpr std::size_t kLookedThrough = 32;

std::size_t At(std::int32_t index) { return static_cast<std::size_t>(index); }

void AddOnce(std::vector<KeyId>& keys, KeyId key) {
  if (keys.size() < kLookedThrough && std::ranges::find(keys, key) != keys.end()) return;
  keys.push_back(key);
}

void LeaveOnce(std::vector<KeyId>& keys) {
  if (keys.size() <= kLookedThrough) return;
  std::ranges::sort(keys);
  keys.erase(std::ranges::unique(keys).begin(), keys.end());
}

}  // namespace

void TraceFacts::AddService(KeyId key, const Facts& facts) {
  AddOnce(services[0], key);
  if (facts.fault) AddOnce(services[1], key);
  if (facts.error) AddOnce(services[2], key);
  if (facts.throttle) AddOnce(services[3], key);
}

bool TraceJoin::Tell(std::span<const JoinSpan> spans, TraceFacts& to) const {
  if (way_ == Way::kNone || spans.empty()) return false;
  to.start_ns = INT64_MAX;
  to.end_ns = INT64_MIN;
  to.in_progress = to.throttle = to.inferred = to.root_is_synthetic = false;
  for (std::vector<KeyId>& keys : to.services) keys.clear();
  if (way_ == Way::kPlain) {
    TellPlain(spans, to);
  } else if (!TellNodes(spans.size(), to)) {
    return false;
  }
  to.end_ns = std::max(to.start_ns, to.end_ns);
  for (std::vector<KeyId>& keys : to.services) LeaveOnce(keys);
  return to.root_is_synthetic || table_.At(to.root_facts).status != Facts::kOtherStatus;
}

// The earliest of the best rank; of two that start together that with fewer parents above it, then
// that which was looked at first.
template <class Depth>
void TraceJoin::Consider(RootFound found, const Depth& depth_of, RootFound& best) {
  if (found.rank > best.rank) return;
  if (found.rank == best.rank) {
    if (found.start_ns > best.start_ns) return;
    if (found.start_ns == best.start_ns && depth_of(found.place) >= depth_of(best.place)) return;
  }
  best = found;
}

void TraceJoin::TellPlain(std::span<const JoinSpan> spans, TraceFacts& to) const {
  const Facts* const* const facts = facts_.data() + kInFront;
  const std::int32_t* const segments = segments_.data() + kInFront;
  const std::uint8_t* const has_callee = has_callee_.data() + kInFront;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const Facts& own = *facts[i];
    to.start_ns = std::min(to.start_ns, spans[i].start_ns);
    const std::int64_t end_ns = std::max(spans[i].start_ns, spans[i].end_ns);
    to.end_ns = std::max(to.end_ns, own.in_progress ? INT64_MIN : end_ns);
    to.in_progress |= own.in_progress;
    to.throttle |= own.throttle;
  }
  const auto depth_of = [&](std::size_t place) {
    std::size_t depth = 0;
    for (std::int32_t at = spans[place].parent; at >= 0; at = spans[At(at)].parent) ++depth;
    return depth;
  };
  RootFound root;
  for (const std::uint32_t i : std::span(entries_).first(entries_count_)) {
    to.AddService(facts[i]->key, *facts[i]);
    const std::int32_t parent = spans[i].parent;
    if (parent < 0) {
      Consider({.rank = 0, .start_ns = spans[i].start_ns, .place = i}, depth_of, root);
    } else if (segments[parent] == kNone) {
      Consider({.rank = 1, .start_ns = spans[i].start_ns, .place = i}, depth_of, root);
    }
  }
  to.root_is_segment = entries_count_ > 0;
  for (std::size_t i = 0; !to.root_is_segment && i < spans.size(); ++i) {
    if (spans[i].parent < 0)
      Consider({.rank = 2, .start_ns = spans[i].start_ns, .place = i}, depth_of, root);
  }
  for (const std::uint32_t i : std::span(calls_).first(calls_count_)) {
    if (has_callee[i] != 0) continue;
    to.inferred = true;
    to.AddService(facts[i]->callee, *facts[i]);
  }
  const JoinSpan& span = spans[root.place];
  to.root = static_cast<std::uint32_t>(root.place);
  // It may have entered its service under an orphan.
  to.root_facts = span.facts;
  if (facts[root.place] != &table_.At(span.facts)) to.root_facts = table_.At(span.facts).entered;
  to.root_start_ns = span.start_ns;
  to.root_end_ns = std::max(span.start_ns, span.end_ns);
}

// In the order in which model::Assemble describes entities: each span before the segment that holds
// it, but for segments of services that were entered.
std::size_t TraceJoin::OrderOf(std::size_t node, std::size_t spans) const {
  if (node < spans) return 2 * node;
  const std::size_t synthetic = node - spans;
  return synthetic < sent_synthetic_ ? std::size_t{2} * synthetic_of_[synthetic] + 1
                                     : 2 * spans + synthetic;
}

bool TraceJoin::TellNodes(std::size_t spans, TraceFacts& to) const {
  const auto depth_of = [&](std::size_t place) {
    std::size_t depth = 0;
    for (std::int32_t at = nodes_[place].parent; at != kNone; at = nodes_[At(at)].parent) ++depth;
    return std::pair(depth, OrderOf(place, spans));
  };
  RootFound root;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    const Facts& facts = table_.At(node.facts);
    to.start_ns = std::min(to.start_ns, node.measured.start_ns);
    if (node.measured.in_progress) {
      to.in_progress = true;
    } else {
      to.end_ns = std::max(to.end_ns, node.measured.end_ns);
    }
    to.throttle = to.throttle || facts.throttle;
    RootFound found{.rank = 2, .start_ns = node.measured.start_ns, .place = i};
    if (node.is_segment) {
      if (table_.keys().IsClient(KeyOf(node))) return false;
      to.AddService(KeyOf(node), facts);
      to.inferred = to.inferred || facts.sent_inferred;
      if (node.parent != kNone && nodes_[At(node.parent)].segment != kNone) continue;
      found.rank = facts.sent_inferred ? 3 : node.parent == kNone ? 0 : 1;
    } else if (node.parent != kNone) {
      continue;
    }
    Consider(found, depth_of, root);
  }
  for (const std::uint32_t call : inferred_) {
    const Facts& facts = table_.At(nodes_[call].facts);
    if (table_.keys().IsClient(facts.callee)) return false;
    to.inferred = true;
    to.AddService(facts.callee, facts);
  }
  const Node& node = nodes_[root.place];
  to.root_is_segment = node.is_segment;
  to.root_is_synthetic = root.place >= spans;
  to.root = to.root_is_synthetic ? synthetic_of_[root.place - spans]
                                 : static_cast<std::uint32_t>(root.place);
  to.root_facts = node.facts;
  to.root_start_ns = node.measured.start_ns;
  to.root_end_ns = node.measured.end_ns;
  return true;
}

}  // namespace fluoro::rollup
