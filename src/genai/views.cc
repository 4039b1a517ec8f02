#include "genai/views.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace fluoro::genai {
namespace {

using Places = std::vector<std::size_t>;

constexpr std::size_t kOpenMax =
    64;  ///< alike at the same time; of more the oldest are passed over

bool IsView(const ModelStep& outer, const ModelStep& inner) {
  const bool other_answer =
      outer.response != 0 && inner.response != 0 && outer.response != inner.response;
  return outer.scope != inner.scope && !other_answer && inner.start_ns >= outer.start_ns &&
         inner.end_ns <= outer.end_ns;
}

template <typename KeyOf>
void Sort(Places& places, std::span<const ModelStep> steps, KeyOf key_of) {
  // Outer ones first where both begin together.
  std::ranges::sort(places, {}, [&](std::size_t at) {
    return std::tuple(key_of(steps[at]), steps[at].start_ns, ~steps[at].end_ns, at);
  });
}

auto AnswerOf(const ModelStep& step) { return std::tuple(step.kind, step.response); }
auto TokensOf(const ModelStep& step) {
  return std::tuple(step.kind, step.model, step.prompt_tokens, step.completion_tokens);
}

// The shortest of those with one answer is the call: who is nearest to the wire sees least.
void ByAnswer(std::span<const ModelStep> steps, std::vector<View>& views) {
  Places places;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].response != 0) places.push_back(i);
  }
  Sort(places, steps, AnswerOf);
  for (std::size_t begin = 0, end = 0; begin < places.size(); begin = end) {
    while (end < places.size() && AnswerOf(steps[places[end]]) == AnswerOf(steps[places[begin]]))
      ++end;
    const auto group = std::span(places).subspan(begin, end - begin);
    const std::size_t call = *std::ranges::min_element(group, {}, [&](std::size_t at) {
      return static_cast<std::uint64_t>(steps[at].end_ns) -
             static_cast<std::uint64_t>(steps[at].start_ns);
    });
    for (const std::size_t at : group) {
      if (at != call) views[at] = View::kSameAnswer;
    }
  }
}

void ByTokens(std::span<const ModelStep> steps, std::vector<View>& views) {
  Places places;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const ModelStep& step = steps[i];
    if (views[i] == View::kOwn && step.prompt_tokens > 0 && step.completion_tokens > 0)
      places.push_back(i);
  }
  Sort(places, steps, TokensOf);
  Places open;  // begun before, and not yet one of two
  for (std::size_t i = 0; i < places.size(); ++i) {
    const ModelStep& inner = steps[places[i]];
    if (i == 0 || TokensOf(steps[places[i - 1]]) != TokensOf(inner)) open.clear();
    std::erase_if(open, [&](std::size_t at) { return steps[at].end_ns < inner.start_ns; });
    auto tightest = open.end();
    for (auto at = open.begin(); at != open.end(); ++at) {
      if (IsView(steps[*at], inner) &&
          (tightest == open.end() || steps[*at].end_ns <= steps[*tightest].end_ns))
        tightest = at;
    }
    if (tightest != open.end()) {  // the two are one call: no other is taken for a view of either
      views[*tightest] = View::kSameTokens;
      open.erase(tightest);
      continue;
    }
    if (open.size() == kOpenMax) open.erase(open.begin());
    open.push_back(places[i]);
  }
}

}  // namespace

std::vector<View> FindViews(std::span<const ModelStep> steps) {
  std::vector<View> views(steps.size(), View::kOwn);
  if (steps.size() < 2) return views;
  ByAnswer(steps, views);
  ByTokens(steps, views);
  return views;
}

}  // namespace fluoro::genai
