// X-Amzn-Trace-Id. Source: X-Ray developer guide, "Tracing header"; the SDKs' parsers
// (docs/propagation.md).
#include <algorithm>
#include <array>

#include "propagation/context.h"
#include "propagation/text.h"

namespace fluoro::propagation {
namespace {

using internal::Bad;
using internal::Trim;

constexpr std::size_t kEpochDigits = 8;
constexpr std::size_t kRandomDigits = 24;

// "1-" epoch "-" random; Node's and OpenTelemetry's Java parsers take an epoch of fewer digits.
Result<model::TraceId> ParseRoot(std::string_view text) {
  std::string_view rest = text;
  const std::string_view version = internal::TakeUntil(rest, '-');
  const std::string_view epoch = internal::TakeUntil(rest, '-');
  if (version != "1" || epoch.empty() || epoch.size() > kEpochDigits ||
      rest.size() != kRandomDigits) {
    return Bad("Root: 1-<8 hex digits>-<24 hex digits> was expected");
  }
  const std::string padded =
      std::string(kEpochDigits - epoch.size(), '0') + std::string(epoch) + std::string(rest);
  auto id = model::TraceId::Parse(padded);
  if (!id) return std::unexpected(std::move(id).error().With("Root"));
  return id;
}

Sampled ParseSampled(std::string_view text) {
  struct Value {
    std::string_view text;
    Sampled sampled;
  };
  static constexpr Value kValues[] = {
      {"0", Sampled::kNo}, {"1", Sampled::kYes}, {"?", Sampled::kRequested}};
  const auto* const it = std::find_if(std::begin(kValues), std::end(kValues),
                                      [&](const Value& value) { return value.text == text; });
  return it == std::end(kValues) ? Sampled::kUnset : it->sampled;
}

// In the order of Sampled; debug is more than sampled, which X-Ray cannot say.
constexpr std::array<std::string_view, 5> kSampledTexts = {"", "0", "1", "?", "1"};

constexpr std::string_view kReservedKeys[] = {"root", "parent", "sampled", "self"};

bool IsReserved(std::string_view key) {
  const std::string lower = internal::Lower(key);
  return std::find(std::begin(kReservedKeys), std::end(kReservedKeys), lower) !=
         std::end(kReservedKeys);
}

bool IsPrintableExtra(const std::pair<std::string, std::string>& extra) {
  const auto visible = [](std::string_view text, std::string_view except) {
    return std::all_of(text.begin(), text.end(), [&](char c) {
      return internal::IsVisible(c) && except.find(c) == std::string_view::npos;
    });
  };
  return !extra.first.empty() && !IsReserved(extra.first) && visible(extra.first, ";=") &&
         visible(extra.second, ";");
}

Result<void> ReadField(std::string_view key, std::string_view value, Context& context) {
  const std::string lower = internal::Lower(key);
  if (lower == "root") {
    FLUORO_TRY(context.trace_id, ParseRoot(value));
  } else if (lower == "parent") {
    context.parent_id.reset();
    if (value.empty()) return {};
    auto id = model::SpanId::Parse(value);
    if (!id) return std::unexpected(std::move(id).error().With("Parent"));
    context.parent_id = *id;
  } else if (lower == "sampled") {
    context.sampled = ParseSampled(value);
  } else if (lower == "self") {
    context.self = value;
  } else {
    context.extras.emplace_back(key, value);
  }
  return {};
}

}  // namespace

Result<Context> ParseXRay(std::string_view header) {
  if (header.size() > kHeaderBytesMax) return Bad("X-Amzn-Trace-Id: too long");
  const auto is_text = [](char c) { return c == ' ' || c == '\t' || internal::IsVisible(c); };
  if (!std::all_of(header.begin(), header.end(), is_text)) {
    return Bad("X-Amzn-Trace-Id: characters other than visible ASCII");
  }
  Context context;
  while (!header.empty()) {
    const std::string_view field = Trim(internal::TakeUntil(header, ';'));
    if (field.empty()) continue;
    const std::size_t equals = field.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return Bad("X-Amzn-Trace-Id: key=value was expected, not " + std::string(field));
    }
    FLUORO_CHECK_OK(
        ReadField(Trim(field.substr(0, equals)), Trim(field.substr(equals + 1)), context));
  }
  if (!context.trace_id) return Bad("Root: missing");
  return context;
}

std::string PrintXRay(const Context& context) {
  if (!context.trace_id) return {};
  std::string text = "Root=" + context.trace_id->ToXRay();
  if (context.parent_id) text += ";Parent=" + context.parent_id->ToHex();
  const std::string_view sampled = kSampledTexts.at(static_cast<std::size_t>(context.sampled));
  if (!sampled.empty()) text += ";Sampled=" + std::string(sampled);
  for (const auto& extra : context.extras) {
    if (IsPrintableExtra(extra)) text += ";" + extra.first + "=" + extra.second;
  }
  return text;
}

std::string PrintXRayResponse(const Context& request, bool sampled) {
  if (!request.trace_id) return {};
  std::string text = "Root=" + request.trace_id->ToXRay();
  if (request.sampled == Sampled::kRequested) text += sampled ? ";Sampled=1" : ";Sampled=0";
  return text;
}

}  // namespace fluoro::propagation
