#include "cli/demo/model_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/clock.h"
#include "cli/demo/calls.h"
#include "cli/demo/scenario.h"

namespace fluoro::cli::demo {
namespace {

constexpr std::int64_t kBytesPerToken = 4;
constexpr std::int64_t kCacheStep = 128;  ///< the cache holds whole steps of tokens
constexpr std::int64_t kTokensPrefilledPerMs = 40;
constexpr std::int64_t kDecodeMs = 4;  ///< a token
constexpr std::int64_t kStallMs = 600;
constexpr std::int64_t kHangMs = 300;

std::int64_t Tokens(std::string_view text) {
  return static_cast<std::int64_t>(text.size()) / kBytesPerToken;
}

double Seconds(std::int64_t ns) { return static_cast<double>(ns) / kNsPerSecond; }

}  // namespace

const std::string& Instructions() {
  static const std::string text = [] {
    std::string made;
    for (int i = 1; i <= 60; ++i)
      made += fmt::format(
          "Rule {}: answer from the passages and the tools' facts alone, say which, "
          "and ask where they do not tell.\n",
          i);
    return made;
  }();
  return text;
}

net::HttpResponse ModelService::Handle(const net::HttpRequest& request) {
  return request.path == "/v1/embeddings" ? Embed(request) : Chat(request);
}

net::HttpResponse ModelService::Embed(const net::HttpRequest& request) {
  Scope span = Begin(recorder_, service_, request);
  Work(6);
  span.SetStatus(200);
  return net::HttpResponse::Text(200, fmt::format("data: usage {} 0 0\n", Tokens(request.body)));
}

net::HttpResponse ModelService::Chat(const net::HttpRequest& request) {
  auto span = std::make_shared<Scope>(Begin(recorder_, service_, request));
  const Carried carried = CarriedBy(request);
  if (carried.attempt == 0 && carried.scenario == Scenario::kModelThrottled) {
    span->SetStatus(429);
    return net::HttpResponse::Text(429, "slow down");
  }
  if (carried.attempt == 0 && carried.scenario == Scenario::kModelTimeout) Work(kHangMs);
  const std::int64_t prompt = Tokens(request.body);
  const std::int64_t cached =
      request.body.starts_with(Instructions()) && instructions_cached_.exchange(true)
          ? Tokens(Instructions()) / kCacheStep * kCacheStep
          : 0;
  const bool plan = request.body.ends_with("Which tools?");
  const bool is_long = !plan && carried.scenario == Scenario::kLongAnswer;
  const std::int64_t completion = plan ? 10 : (is_long ? 120 : 25);
  net::HttpResponse answer;
  answer.headers["content-type"] = "text/event-stream";
  answer.stream = [=](const net::StreamWriter& write) {
    const SystemClock clock;
    const std::int64_t begin_ns = clock.MonotonicNs();
    const std::int64_t prefill_ms =
        std::max<std::int64_t>(1, (prompt - cached) / kTokensPrefilledPerMs);
    Work(prefill_ms);
    const std::int64_t first_ns = clock.MonotonicNs();
    for (std::int64_t i = 0; i < completion; ++i) {
      if (i > 0) Work(is_long && i == completion / 2 ? kStallMs : kDecodeMs);
      if (!write(fmt::format("data: token {}\n", i))) {
        span->Fail("ClientClosed", "the caller left");
        return false;
      }
    }
    const std::int64_t end_ns = clock.MonotonicNs();
    span->Set("gen_ai.request.model", std::string(kChatModel));
    span->Set("gen_ai.usage.input_tokens", prompt);
    span->Set("gen_ai.usage.output_tokens", completion);
    span->Set("gen_ai.latency.time_in_queue", 0.0);
    span->Set("gen_ai.latency.time_in_model_prefill", Seconds(first_ns - begin_ns));
    span->Set("gen_ai.latency.time_in_model_decode", Seconds(end_ns - first_ns));
    span->SetStatus(200);
    return write(fmt::format("data: usage {} {} {}\n", prompt, completion, cached));
  };
  return answer;
}

}  // namespace fluoro::cli::demo
