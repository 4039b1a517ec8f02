// The demo's model: an inference engine that counts tokens, keeps prompts' beginnings in a cache,
// and says of each answer how long it queued, prefilled and decoded.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

#include "cli/demo/recorder.h"
#include "net/http.h"

namespace fluoro::cli::demo {

inline constexpr std::string_view kChatModel = "demo-llm-1";
inline constexpr std::string_view kEmbeddingModel = "demo-embed-1";

/// Thread-safe.
class ModelService {
 public:
  explicit ModelService(Recorder& recorder) : recorder_(recorder) {}
  net::HttpResponse Handle(const net::HttpRequest& request);
  [[nodiscard]] const Service& service() const { return service_; }

 private:
  net::HttpResponse Embed(const net::HttpRequest& request);
  net::HttpResponse Chat(const net::HttpRequest& request);

  Recorder& recorder_;
  const Service service_{"llm", Protocol::kOtlp};
  std::atomic<bool> instructions_cached_{false};
};

/// What every prompt of the assistant begins with.
const std::string& Instructions();

}  // namespace fluoro::cli::demo
