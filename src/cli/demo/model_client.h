// The assistant's and the retriever's client of the demo's model: what an instrumented client
// library records of embeddings and chats. The attempts below a call are what leaves the service,
// so those are the client spans.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "cli/demo/recorder.h"
#include "cli/demo/scenario.h"

namespace fluoro::cli::demo {

struct Usage {
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
  std::int64_t cached_tokens = 0;
};

struct ChatAnswer {
  std::string text;
  Usage usage;
};

/// Thread-safe.
class ModelClient {
 public:
  explicit ModelClient(std::string url) : url_(std::move(url)) {}
  /// Records the call below `parent`; three attempts. Errors: kUnavailable.
  Result<ChatAnswer> Chat(Scope& parent, const std::string& prompt, Carried carried,
                          std::string_view finish_reason) const;
  Result<void> Embed(Scope& parent, const std::string& text, Carried carried) const;

 private:
  const std::string url_;
};

}  // namespace fluoro::cli::demo
