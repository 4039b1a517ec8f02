#include "cli/demo/calls.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <thread>

#include "net/http_client.h"

namespace fluoro::cli::demo {
namespace {

constexpr std::string_view kScenario = "x-demo-scenario";
constexpr std::string_view kArm = "x-demo-arm";
constexpr std::string_view kAttempt = "x-demo-attempt";

int Number(std::string_view text) {
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

propagation::Context CallerOf(const net::HttpRequest& request) {
  const auto context =
      propagation::Extract([&request](std::string_view name) -> std::optional<std::string> {
        const std::string_view value = request.Header(name);
        if (value.empty()) return std::nullopt;
        return std::string(value);
      });
  return context ? context->context : propagation::Context{};
}

}  // namespace

void Work(std::int64_t ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

Scope Begin(Recorder& recorder, const Service& service, const net::HttpRequest& request) {
  Scope span(recorder, service, CallerOf(request), request.method + " " + request.path);
  span.Set("http.request.method", request.method);
  span.Set("url.full", "http://" + service.name + ".demo" + request.path);
  if (const auto agent = request.Header("user-agent"); !agent.empty())
    span.Set("user_agent.original", std::string(agent));
  return span;
}

Carried CarriedBy(const net::HttpRequest& request) {
  return {
      static_cast<Scenario>(std::clamp(Number(request.Header(kScenario)), 0, kScenariosCount - 1)),
      request.Header(kArm) == "B", Number(request.Header(kAttempt))};
}

void Carry(const Carried& carried, net::Headers& headers) {
  headers[std::string(kScenario)] = std::to_string(static_cast<int>(carried.scenario));
  headers[std::string(kArm)] = carried.short_context ? "B" : "A";
  headers[std::string(kAttempt)] = std::to_string(carried.attempt);
}

Result<net::HttpResponse> CallService(Scope& parent, const ServiceCall& to) {
  Scope span = parent.Child(to.service, model::SpanKind::kClient);
  span.Set("http.request.method", std::string("POST"));
  span.Set("url.full", to.url);
  span.Set("peer.service", to.service);
  if (to.carried.attempt > 0)
    span.Set("http.request.resend_count", static_cast<std::int64_t>(to.carried.attempt));
  net::HttpCall call;
  call.method = "POST";
  call.url = to.url;
  call.headers = span.Propagate();
  Carry(to.carried, call.headers);
  call.body = to.body;
  call.timeout_ns = to.timeout_ns;
  auto answer = to.piece ? net::CallStreaming(call, to.piece) : net::Call(call);
  if (!answer) {
    const bool timeout = answer.error().code == ErrorCode::kDeadlineExceeded;
    span.Fail(timeout ? "ReadTimeout" : "ConnectionError",
              timeout ? "no answer within " + std::to_string(to.timeout_ns / kNsPerMs) + " ms"
                      : answer.error().message);
    if (timeout) span.Set("timeout", true);
    return answer;
  }
  span.SetStatus(answer->status);
  return answer;
}

}  // namespace fluoro::cli::demo
