// GenAI content, what went into a model and what came out: its attributes may be longer than
// others.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "model/limits.h"

namespace fluoro::model {

/// True for attributes that hold prompts, answers, messages, tool arguments and results, documents,
/// and headers of requests to models. What describes content without telling it (role, finish
/// reason, name of a tool, score, version of a prompt) is none.
/// Source: the conventions named at the list.
bool IsContentKey(std::string_view key);
/// True for attributes that are content only because of the event that holds them: `content` of
/// gen_ai.user.message. Source: OpenTelemetry semantic conventions 1.28 to 1.36, GenAI events.
bool IsContentOfEvent(std::string_view event, std::string_view key);

/// Content that is longer than it may be keeps its beginning and its end, three parts to one, and
/// says in between how long it was: "\n<cut: 2097152 bytes, the middle is left out>\n". At most
/// `bytes_max` bytes, which are at least kCutInTwoMin; code points stay whole.
std::string CutInTwo(std::string_view text, std::size_t bytes_max);
inline constexpr std::size_t kCutInTwoMin = 4096;
/// How what stands in between begins.
inline constexpr std::string_view kLeftOut = "\n<cut: ";

/// How long the values of one span (or resource, or scope) may be. A content value may have
/// Limits::content_bytes_max bytes as long as those that are longer than an ordinary value have
/// Limits::span_content_bytes_max together; behind that it is bounded as any other.
class ValueBounds {
 public:
  explicit ValueBounds(const Limits& limits)
      : limits_(limits), content_bytes_left_(limits.span_content_bytes_max) {}

  /// To be asked before each value.
  [[nodiscard]] std::size_t ContentBytesMax() const {
    return std::max(limits_.value_bytes_max,
                    std::min(limits_.content_bytes_max, content_bytes_left_));
  }
  [[nodiscard]] std::size_t BytesMax(std::string_view key, std::size_t wanted_bytes) const {
    const bool ordinary = wanted_bytes <= limits_.value_bytes_max || !IsContentKey(key);
    return ordinary ? limits_.value_bytes_max : ContentBytesMax();
  }
  /// A value of this many bytes was kept.
  void Kept(std::size_t bytes) {
    if (bytes > limits_.value_bytes_max)
      content_bytes_left_ -= std::min(content_bytes_left_, bytes);
  }
  /// The next span begins.
  void Reset() { content_bytes_left_ = limits_.span_content_bytes_max; }

 private:
  const Limits& limits_;
  std::size_t content_bytes_left_;
};

}  // namespace fluoro::model
