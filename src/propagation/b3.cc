// B3, single and multiple headers. Source: github.com/openzipkin/b3-propagation.
#include <algorithm>
#include <array>

#include "propagation/context.h"
#include "propagation/text.h"

namespace fluoro::propagation {
namespace {

using internal::Bad;

constexpr std::size_t kShortTraceDigits = 16;

Result<model::TraceId> ParseTraceId(std::string_view text) {
  if (text.size() == kShortTraceDigits) {
    return model::TraceId::Parse(std::string(16, '0') + std::string(text));
  }
  // TraceId::Parse also knows X-Ray's form.
  if (text.size() != 2 * kShortTraceDigits) return Bad("b3: a trace id has 16 or 32 hex digits");
  return model::TraceId::Parse(text);
}

std::optional<Sampled> ParseFlag(std::string_view text) {
  struct Flag {
    std::string_view text;
    Sampled sampled;
  };
  static constexpr Flag kFlags[] = {
      {"0", Sampled::kNo}, {"1", Sampled::kYes}, {"d", Sampled::kDebug}};
  const auto* const it = std::find_if(std::begin(kFlags), std::end(kFlags),
                                      [&](const Flag& flag) { return flag.text == text; });
  if (it == std::end(kFlags)) return std::nullopt;
  return it->sampled;
}

// In the order of Sampled; an open decision is left out.
constexpr std::array<std::string_view, 5> kFlagTexts = {"", "0", "1", "", "d"};

// Old clients write words.
std::optional<Sampled> ParseSampledHeader(std::string_view text) {
  const std::string lower = internal::Lower(internal::Trim(text));
  if (lower == "1" || lower == "true") return Sampled::kYes;
  if (lower == "0" || lower == "false") return Sampled::kNo;
  if (lower == "d") return Sampled::kDebug;
  return std::nullopt;
}

}  // namespace

Result<Context> ParseB3(std::string_view header) {
  std::string_view rest = internal::Trim(header);
  Context context;
  if (const auto decision = ParseFlag(rest)) {
    context.sampled = *decision;
    return context;
  }
  const auto parts = static_cast<std::size_t>(std::count(rest.begin(), rest.end(), '-')) + 1;
  if (parts < 2 || parts > 4) return Bad("b3: trace-span[-flag[-parent]] was expected");
  FLUORO_TRY(context.trace_id, ParseTraceId(internal::TakeUntil(rest, '-')));
  FLUORO_TRY(context.parent_id, model::SpanId::Parse(internal::TakeUntil(rest, '-')));
  if (parts >= 3) {
    const auto flag = ParseFlag(internal::TakeUntil(rest, '-'));
    if (!flag) return Bad("b3: 0, 1 or d was expected as flag");
    context.sampled = *flag;
  }
  // The caller's own parent says nothing to us, but must be an id.
  if (parts == 4) FLUORO_CHECK_OK(model::SpanId::Parse(rest));
  return context;
}

std::string PrintB3(const Context& context) {
  std::string flag(kFlagTexts.at(static_cast<std::size_t>(context.sampled)));
  if (!context.trace_id || !context.parent_id) return flag;
  return context.trace_id->ToHex() + "-" + context.parent_id->ToHex() +
         (flag.empty() ? "" : "-" + flag);
}

Result<Context> ParseB3Multi(const B3Headers& headers) {
  Context context;
  if (headers.trace_id.has_value() != headers.span_id.has_value()) {
    return Bad("X-B3-TraceId and X-B3-SpanId: one without the other");
  }
  if (headers.sampled) {
    const auto sampled = ParseSampledHeader(*headers.sampled);
    if (!sampled) return Bad("X-B3-Sampled: 1, 0, true or false was expected");
    context.sampled = *sampled;
  }
  if (headers.flags && internal::Trim(*headers.flags) == "1") context.sampled = Sampled::kDebug;
  if (headers.trace_id) {
    FLUORO_TRY(context.trace_id, ParseTraceId(internal::Trim(*headers.trace_id)));
    FLUORO_TRY(context.parent_id, model::SpanId::Parse(internal::Trim(*headers.span_id)));
    if (headers.parent_span_id) {
      FLUORO_CHECK_OK(model::SpanId::Parse(internal::Trim(*headers.parent_span_id)));
    }
  } else if (context.sampled == Sampled::kUnset) {
    return Bad("X-B3-TraceId: missing");
  }
  return context;
}

B3Headers PrintB3Multi(const Context& context) {
  B3Headers headers;
  if (context.trace_id && context.parent_id) {
    headers.trace_id = context.trace_id->ToHex();
    headers.span_id = context.parent_id->ToHex();
  }
  if (context.sampled == Sampled::kDebug) {
    headers.flags = "1";
  } else if (const auto text = kFlagTexts.at(static_cast<std::size_t>(context.sampled));
             !text.empty()) {
    headers.sampled = text;
  }
  return headers;
}

}  // namespace fluoro::propagation
