#include "analysis/compare/typical.h"

#include <algorithm>

#include "analysis/compare/estimate.h"

namespace fluoro::analysis::compare {
namespace {

constexpr double kUsualLow = 0.05;
constexpr double kUsualHigh = 0.95;
// A step that fewer traces have is not typical.
constexpr double kShareMin = 0.05;

template <class T, class Read>
std::int64_t QuantileBy(const std::vector<T>& all, double quantile, const Read& read) {
  std::vector<Weighted> values;
  values.reserve(all.size());
  for (const T& one : all) values.push_back({static_cast<double>(read(one)), one.weight});
  std::ranges::sort(values, {}, &Weighted::value);
  return static_cast<std::int64_t>(WeightedQuantile(values, quantile));
}

}  // namespace

void TypicalTrace::Add(const TraceShape& trace, double weight) {
  if (traces_.size() >= kTracesMax) return;
  traces_.push_back({.id = trace.id,
                     .duration_ns = trace.duration_ns,
                     .root_ns = trace.root_ns,
                     .weight = weight});
  std::vector<std::int32_t> places(trace.nodes.size(), -1);
  for (std::size_t i = 0; i < trace.nodes.size(); ++i) {
    const ShapeNode& node = trace.nodes[i];
    const std::int32_t parent =
        node.parent < 0 ? -1 : places[static_cast<std::size_t>(node.parent)];
    if (node.parent >= 0 && parent < 0) {  // no room for what is above it
      ++steps_left_out_;
      continue;
    }
    auto found = index_.find({parent, node.step});
    if (found == index_.end()) {
      if (nodes_.size() >= kNodesMax) {
        ++steps_left_out_;
        continue;
      }
      found = index_.emplace(std::pair(parent, node.step), static_cast<std::int32_t>(nodes_.size()))
                  .first;
      nodes_.push_back({.step = node.step, .parent = parent, .seen = {}});
    }
    places[i] = found->second;
    Node& merged = nodes_[static_cast<std::size_t>(found->second)];
    merged.seen.push_back({.start_ns = node.start_ns,
                           .duration_ns = node.duration_ns,
                           .self_ns = node.self_ns,
                           .path_ns = node.path_ns,
                           .weight = weight});
    merged.outcomes.at(static_cast<std::size_t>(node.outcome)) += weight;
  }
  steps_left_out_ += trace.nodes_left_out;
}

std::optional<model::TraceId> TypicalTrace::Median() const {
  if (traces_.empty()) return std::nullopt;
  const std::int64_t median_ns =
      QuantileBy(traces_, 0.5, [](const Whole& one) { return one.duration_ns; });
  const auto nearest = std::ranges::min_element(
      traces_, {}, [&](const Whole& one) { return std::abs(one.duration_ns - median_ns); });
  return nearest->id;
}

TraceShape TypicalTrace::Shape() const {
  TraceShape shape;
  if (traces_.empty()) return shape;
  double all = 0;
  for (const Whole& one : traces_) all += one.weight;
  shape.duration_ns = QuantileBy(traces_, 0.5, [](const Whole& one) { return one.duration_ns; });
  shape.root_ns = QuantileBy(traces_, 0.5, [](const Whole& one) { return one.root_ns; });
  shape.nodes_left_out = steps_left_out_;
  std::vector<std::int32_t> places(nodes_.size(), -1);
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    const auto of = [&](double quantile, std::int64_t Seen::* member) {
      return QuantileBy(node.seen, quantile, [&](const Seen& one) { return one.*member; });
    };
    double weight = 0;
    for (const Seen& one : node.seen) weight += one.weight;
    if (weight < kShareMin * all) continue;
    places[i] = static_cast<std::int32_t>(shape.nodes.size());
    ShapeNode out{.step = node.step,
                  .parent = node.parent < 0 ? -1 : places[static_cast<std::size_t>(node.parent)],
                  .span = {},
                  .start_ns = of(0.5, &Seen::start_ns),
                  .duration_ns = of(0.5, &Seen::duration_ns),
                  .self_ns = of(0.5, &Seen::self_ns),
                  .path_ns = of(0.5, &Seen::path_ns),
                  .usage = std::nullopt,
                  .attributes = {},
                  .share = weight / all,
                  .usual_min_ns = of(kUsualLow, &Seen::duration_ns),
                  .usual_max_ns = of(kUsualHigh, &Seen::duration_ns)};
    const auto most = std::ranges::max_element(node.outcomes);
    out.outcome = static_cast<model::Outcome>(most - node.outcomes.begin());
    shape.nodes.push_back(std::move(out));
  }
  return shape;
}

}  // namespace fluoro::analysis::compare
