#include "analysis/compare/trace_diff.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>

namespace fluoro::analysis::compare {
namespace {

constexpr double kPartOfStep = 0.05;
constexpr double kPartOfTrace = 0.001;
// A step that fewer of the typical traces have is not missed, and one that so many have is not new.
constexpr double kUsualShare = 0.5;

const ShapeNode* At(const TraceShape& shape, std::int32_t node) {
  return node < 0 ? nullptr : &shape.nodes[static_cast<std::size_t>(node)];
}

std::vector<AttributeChange> ChangesOf(const ShapeNode& a, const ShapeNode& b) {
  std::vector<AttributeChange> changes;
  auto left = a.attributes.begin();
  auto right = b.attributes.begin();
  while (left != a.attributes.end() || right != b.attributes.end()) {
    if (right == b.attributes.end() || (left != a.attributes.end() && left->first < right->first)) {
      changes.push_back({.key = left->first, .a = left->second, .b = std::nullopt});
      ++left;
    } else if (left == a.attributes.end() || right->first < left->first) {
      changes.push_back({.key = right->first, .a = std::nullopt, .b = right->second});
      ++right;
    } else {
      if (left->second != right->second)
        changes.push_back({.key = left->first, .a = left->second, .b = right->second});
      ++left;
      ++right;
    }
  }
  return changes;
}

class Differencer {
 public:
  Differencer(const TraceShape& a, const TraceShape& b)
      : a_(a), b_(b), children_a_(ChildrenOf(a)), children_b_(ChildrenOf(b)) {}

  TraceDiff Run() {
    Push(children_a_.back(), children_b_.back(), -1);
    while (!open_.empty()) {
      const DiffNode next = open_.back();
      open_.pop_back();
      const auto index = static_cast<std::int32_t>(diff_.nodes.size());
      diff_.nodes.push_back(next);
      Measure(diff_.nodes.back());
      Push(Below(children_a_, next.a), Below(children_b_, next.b), index);
    }
    Explain();
    return std::move(diff_);
  }

 private:
  using Children = std::vector<std::vector<std::int32_t>>;

  static const std::vector<std::int32_t>& Below(const Children& children, std::int32_t node) {
    static const std::vector<std::int32_t> kNone;
    return node < 0 ? kNone : children[static_cast<std::size_t>(node)];
  }

  void Push(const std::vector<std::int32_t>& of_a, const std::vector<std::int32_t>& of_b,
            std::int32_t parent) {
    struct Pair {
      DiffNode node;
      std::int64_t start_ns = INT64_MAX;
    };
    std::map<StepName, Pair> pairs;
    for (const std::int32_t node : of_a) {
      Pair& pair = pairs[At(a_, node)->step];
      pair.node.a = node;
      pair.start_ns = At(a_, node)->start_ns;
    }
    for (const std::int32_t node : of_b) {
      Pair& pair = pairs[At(b_, node)->step];
      pair.node.b = node;
      pair.start_ns = std::min(pair.start_ns, At(b_, node)->start_ns);
    }
    std::vector<Pair> sorted;
    for (auto& [step, pair] : pairs) {
      const ShapeNode* const only_a = pair.node.b < 0 ? At(a_, pair.node.a) : nullptr;
      if (only_a != nullptr && only_a->share < kUsualShare) continue;
      sorted.push_back(pair);
    }
    // The first is taken first, so it is pushed last.
    std::ranges::stable_sort(sorted, std::less<>(), &Pair::start_ns);
    for (auto pair = sorted.rbegin(); pair != sorted.rend(); ++pair) {
      pair->node.parent = parent;
      open_.push_back(pair->node);
    }
  }

  void Measure(DiffNode& node) const {
    const ShapeNode* const a = At(a_, node.a);
    const ShapeNode* const b = At(b_, node.b);
    const auto delta = [&](std::int64_t ShapeNode::* member) {
      return (b == nullptr ? 0 : b->*member) - (a == nullptr ? 0 : a->*member);
    };
    node.duration_delta_ns = delta(&ShapeNode::duration_ns);
    node.self_delta_ns = delta(&ShapeNode::self_ns);
    node.path_delta_ns = delta(&ShapeNode::path_ns);
    if (a == nullptr || b == nullptr) {
      node.change = a == nullptr ? Change::kAdded : Change::kRemoved;
      return;
    }
    node.outcome_changed = a->outcome != b->outcome;
    const bool unusual = b->duration_ns < a->usual_min_ns || b->duration_ns > a->usual_max_ns;
    if (unusual && IsMuch(node, node.duration_delta_ns))
      node.change = node.duration_delta_ns > 0 ? Change::kSlower : Change::kFaster;
    node.attributes = ChangesOf(*a, *b);
    if (node.attributes.size() > kAttributeChangesMax) {
      node.attributes_more = node.attributes.size() - kAttributeChangesMax;
      node.attributes.resize(kAttributeChangesMax);
    }
  }

  [[nodiscard]] bool IsMuch(const DiffNode& node, std::int64_t delta_ns) const {
    const std::int64_t step_ns = std::max(At(a_, node.a)->duration_ns, At(b_, node.b)->duration_ns);
    const std::int64_t trace_ns = std::max(a_.duration_ns, b_.duration_ns);
    return static_cast<double>(std::abs(delta_ns)) >
           std::max(kPartOfStep * static_cast<double>(step_ns),
                    kPartOfTrace * static_cast<double>(trace_ns));
  }

  // From the leaves up, since a parent stands before its children.
  void Explain() {
    std::vector<bool> time_below(diff_.nodes.size(), false);
    std::vector<bool> outcome_below(diff_.nodes.size(), false);
    for (std::size_t i = diff_.nodes.size(); i > 0; --i) {
      DiffNode& node = diff_.nodes[i - 1];
      const bool alone = node.a < 0 || node.b < 0;
      const bool moved = node.change != Change::kSame;
      const bool top = node.parent < 0 || [&] {
        const DiffNode& parent = diff_.nodes[static_cast<std::size_t>(node.parent)];
        return parent.a >= 0 && parent.b >= 0;
      }();
      const bool time =
          alone ? top : moved && (!time_below[i - 1] || IsMuch(node, node.self_delta_ns));
      const bool outcome = node.outcome_changed && !outcome_below[i - 1];
      node.explains = time || outcome;
      if (node.parent < 0) continue;
      const auto parent = static_cast<std::size_t>(node.parent);
      if (time || time_below[i - 1]) time_below[parent] = true;
      if (node.outcome_changed || outcome_below[i - 1] || (alone && Fails(node)))
        outcome_below[parent] = true;
    }
    for (std::size_t i = 0; i < diff_.nodes.size(); ++i) {
      if (diff_.nodes[i].explains) diff_.explained_by.push_back(static_cast<std::int32_t>(i));
    }
    const std::vector<std::int64_t> path = PathBelow();
    std::ranges::stable_sort(diff_.explained_by, std::greater<>(), [&](std::int32_t node) {
      return std::abs(path[static_cast<std::size_t>(node)]);
    });
  }

  [[nodiscard]] bool Fails(const DiffNode& node) const {
    const ShapeNode* const there = node.a < 0 ? At(b_, node.b) : At(a_, node.a);
    return there->outcome != model::Outcome::kOk;
  }

  // What a step that is new or gone brings with all that is below it; of others their own.
  [[nodiscard]] std::vector<std::int64_t> PathBelow() const {
    std::vector<std::int64_t> path(diff_.nodes.size(), 0);
    for (std::size_t i = diff_.nodes.size(); i > 0; --i) {
      const DiffNode& node = diff_.nodes[i - 1];
      path[i - 1] += node.path_delta_ns;
      if ((node.a < 0 || node.b < 0) && node.parent >= 0) {
        const auto parent = static_cast<std::size_t>(node.parent);
        if (diff_.nodes[parent].a < 0 || diff_.nodes[parent].b < 0) path[parent] += path[i - 1];
      }
    }
    return path;
  }

  const TraceShape& a_;
  const TraceShape& b_;
  Children children_a_, children_b_;
  std::vector<DiffNode> open_;
  TraceDiff diff_;
};

}  // namespace

std::string_view ChangeName(Change change) {
  static constexpr std::array<std::string_view, 5> kNames{"same", "added", "removed", "slower",
                                                          "faster"};
  return kNames.at(static_cast<std::size_t>(change));
}

bool TraceDiff::same() const {
  return std::ranges::all_of(nodes, [](const DiffNode& node) {
    return node.change == Change::kSame && !node.outcome_changed && node.duration_delta_ns == 0 &&
           node.attributes.empty();
  });
}

TraceDiff Diff(const TraceShape& a, const TraceShape& b) { return Differencer(a, b).Run(); }

}  // namespace fluoro::analysis::compare
