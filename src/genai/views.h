// Several instrumentations may see one call of a model without knowing of each other: a client
// library's own spans beside those of a callback. Which of a trace's model steps are views of a
// call that another one counts; pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fluoro::genai {

/// A step of a kind that calls a model. Texts are numbers; 0: not stated.
struct ModelStep {
  std::uint32_t kind = 0;
  std::uint32_t model = 0;
  std::uint32_t scope = 0;     ///< who recorded it
  std::uint32_t response = 0;  ///< the provider's id of the answer
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
};

enum class View : std::uint8_t {
  kOwn,         ///< a call of its own
  kSameAnswer,  ///< another step has the same answer, and lies inside it or is shorter
  kSameTokens,  ///< another scope's step lies inside it and has the same model and tokens
};

/// By step. What is a view has another step that is not; of two scopes' steps that are alike each
/// is taken for the view of one call only, so that n calls seen twice stay n. O(n log n).
std::vector<View> FindViews(std::span<const ModelStep> steps);

}  // namespace fluoro::genai
