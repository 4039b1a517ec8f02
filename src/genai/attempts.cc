#include "genai/attempts.h"

#include <algorithm>
#include <functional>
#include <tuple>

#include "base/clock.h"
#include "genai/reading.h"

namespace fluoro::genai {
namespace {

constexpr std::int64_t kPauseNsMax = 60 * kNsPerSecond;

std::int64_t StatusOf(const model::Span& span) {
  for (const std::string_view key : {"http.response.status_code", "http.status_code"}) {
    const model::AttributeValue* raw = span.Find(key);
    const auto status = raw == nullptr ? std::nullopt : Coerce(*raw, Form::kCount);
    if (status) return *status->AsInt();
  }
  return 0;
}

}  // namespace

std::optional<Request> RequestOf(const model::Span& span) {
  if (span.kind != model::SpanKind::kClient) return std::nullopt;
  const model::AttributeValue* url = span.Find("url.full");
  if (url == nullptr) url = span.Find("http.url");
  const std::string* text = url == nullptr ? nullptr : url->AsString();
  if (text == nullptr || text->empty()) return std::nullopt;
  const std::int64_t status = StatusOf(span);
  const bool flagged = span.Has(model::SpanFlag::kFault) || span.Has(model::SpanFlag::kError) ||
                       span.Has(model::SpanFlag::kThrottle);
  return Request{.target = std::hash<std::string>{}(*text),
                 .start_ns = span.start_ns,
                 .end_ns = span.end_ns,
                 .failed = flagged || status >= 400 || span.status == model::StatusCode::kError,
                 .answered = status > 0};
}

std::int64_t ResendsAmong(std::vector<Request>& requests) {
  std::ranges::sort(requests, {}, [](const Request& one) {
    return std::tuple(one.target, one.start_ns, one.end_ns);
  });
  std::int64_t most = 0;
  std::int64_t row = 0;
  for (std::size_t i = 1; i < requests.size(); ++i) {
    const Request& before = requests[i - 1];
    const Request& next = requests[i];
    std::int64_t pause_ns = 0;
    // A client that gives up on a request closes it without a status; one that answers has some.
    const bool lost = before.failed || (!before.answered && next.answered);
    const bool again = before.target == next.target && lost &&
                       !__builtin_sub_overflow(next.start_ns, before.end_ns, &pause_ns) &&
                       pause_ns >= 0 && pause_ns <= kPauseNsMax;
    row = again ? row + 1 : 0;
    most = std::max(most, row);
  }
  return most;
}

}  // namespace fluoro::genai
