#include "cli/demo/model_client.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "base/clock.h"
#include "cli/demo/calls.h"
#include "cli/demo/model_service.h"

namespace fluoro::cli::demo {
namespace {

constexpr int kAttemptsMax = 3;
constexpr std::int64_t kBackOffMs = 60;
constexpr std::int64_t kHeaderTimeoutNs = 150 * kNsPerMs;
constexpr std::string_view kUsageLine = "data: usage ";

// "PROMPT COMPLETION CACHED" of the stream's last line.
Usage ReadUsage(std::string_view text) {
  Usage usage;
  const auto at = text.rfind(kUsageLine);
  if (at == std::string_view::npos) return usage;
  const char* next = text.data() + at + kUsageLine.size();
  for (std::int64_t* field :
       {&usage.prompt_tokens, &usage.completion_tokens, &usage.cached_tokens}) {
    next = std::from_chars(next, text.data() + text.size(), *field).ptr;
    if (next != text.data() + text.size()) ++next;
  }
  return usage;
}

}  // namespace

Result<ChatAnswer> ModelClient::Chat(Scope& parent, const std::string& prompt, Carried carried,
                                     std::string_view finish_reason) const {
  Scope span = parent.Child(fmt::format("chat {}", kChatModel), model::SpanKind::kInternal);
  span.Set("gen_ai.operation.name", std::string("chat"));
  span.Set("gen_ai.provider.name", std::string("demo"));
  span.Set("gen_ai.request.model", std::string(kChatModel));
  span.Set("gen_ai.request.stream", true);
  const SystemClock clock;
  const std::int64_t begin_ns = clock.MonotonicNs();
  std::string problem;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    if (attempt > 0) Work(kBackOffMs << (attempt - 1));
    carried.attempt = attempt;
    ChatAnswer answer;
    std::optional<std::int64_t> first_ns;
    const auto response = CallService(span, {.service = "llm",
                                             .url = url_ + "/v1/chat/completions",
                                             .body = prompt,
                                             .carried = carried,
                                             .timeout_ns = kHeaderTimeoutNs,
                                             .piece = [&](std::string_view piece) {
                                               if (!first_ns) first_ns = clock.MonotonicNs();
                                               span.AddEvent("gen_ai.content.completion.chunk");
                                               answer.text += piece;
                                               return true;
                                             }});
    if (response && response->status == 200) {
      answer.usage = ReadUsage(answer.text);
      span.Set("gen_ai.response.time_to_first_chunk",
               static_cast<double>(first_ns.value_or(begin_ns) - begin_ns) / kNsPerSecond);
      span.Set("gen_ai.response.finish_reasons", fmt::format("[\"{}\"]", finish_reason));
      span.Set("gen_ai.usage.input_tokens", answer.usage.prompt_tokens);
      span.Set("gen_ai.usage.output_tokens", answer.usage.completion_tokens);
      span.Set("gen_ai.usage.cache_read.input_tokens", answer.usage.cached_tokens);
      return answer;
    }
    problem = response ? "status " + std::to_string(response->status) : response.error().message;
  }
  span.Fail("ModelError", "the model failed: " + problem);
  return Fail(ErrorCode::kUnavailable, "the model failed: " + problem);
}

Result<void> ModelClient::Embed(Scope& parent, const std::string& text, Carried carried) const {
  Scope span =
      parent.Child(fmt::format("embeddings {}", kEmbeddingModel), model::SpanKind::kInternal);
  span.Set("gen_ai.operation.name", std::string("embeddings"));
  span.Set("gen_ai.provider.name", std::string("demo"));
  span.Set("gen_ai.request.model", std::string(kEmbeddingModel));
  carried.attempt = 0;
  FLUORO_TRY(const auto response, CallService(span, {.service = "llm",
                                                     .url = url_ + "/v1/embeddings",
                                                     .body = text,
                                                     .carried = carried}));
  if (response.status != 200)
    return Fail(ErrorCode::kUnavailable, "status " + std::to_string(response.status));
  span.Set("gen_ai.usage.input_tokens", ReadUsage(response.body).prompt_tokens);
  return {};
}

}  // namespace fluoro::cli::demo
