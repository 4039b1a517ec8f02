#include "api/grafana/span_query.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ranges>

#include "base/clock.h"

namespace fluoro::api::grafana {
namespace {

constexpr std::int64_t kLookbackNs = 48LL * 3600 * kNsPerSecond;
constexpr std::int64_t kUsMax = 9'000'000'000'000'000;

template <class Number>
std::optional<Number> WholeNumber(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<std::int64_t> ParseMicroseconds(const std::string& name, std::string_view text) {
  const auto us = WholeNumber<std::int64_t>(text);
  if (!us || *us < 0 || *us > kUsMax) {
    return Fail(ErrorCode::kInvalidArgument,
                "parameter '" + name + "': microseconds since the epoch wanted");
  }
  return *us * kNsPerUs;
}

Result<void> ParseTags(std::string_view json,
                       std::vector<std::pair<std::string, std::string>>& tags) {
  constexpr const char* kWanted = "parameter 'tags': a JSON object of strings wanted";
  if (json.size() > kTagsBytesMax)
    return Fail(ErrorCode::kInvalidArgument, "parameter 'tags' is too long");
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(simdjson::padded_string(json)).get(object) != simdjson::SUCCESS) {
    return Fail(ErrorCode::kInvalidArgument, kWanted);
  }
  for (const auto& [key, value] : object) {
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS) return Fail(ErrorCode::kInvalidArgument, kWanted);
    tags.emplace_back(key, text);
  }
  return {};
}

bool SameText(const model::AttributeValue& value, std::string_view wanted) {
  if (const std::string* text = value.AsString()) return *text == wanted;
  if (const bool* flag = value.AsBool()) return wanted == (*flag ? "true" : "false");
  if (const std::int64_t* number = value.AsInt())
    return WholeNumber<std::int64_t>(wanted) == *number;
  if (const double* real = value.AsDouble()) return WholeNumber<double>(wanted) == *real;
  return false;
}

bool AnyIs(const std::vector<model::Attribute>& attributes, std::string_view key,
           std::string_view wanted) {
  return std::ranges::any_of(attributes, [&](const model::Attribute& attribute) {
    return attribute.key == key && SameText(attribute.value, wanted);
  });
}

/// Tags that Jaeger shows although the span carries them as fields.
bool FieldIs(const model::Span& span, std::string_view key, std::string_view wanted) {
  if (key == "error") {
    return wanted ==
           (span.status == model::StatusCode::kError || span.Has(model::kFault) ? "true" : "false");
  }
  if (key == "span.kind") return wanted == SpanKindName(span.kind) && !wanted.empty();
  if (key == "otel.status_code") {
    return wanted == (span.status == model::StatusCode::kError ? "ERROR"
                      : span.status == model::StatusCode::kOk  ? "OK"
                                                               : "UNSET");
  }
  const auto is = [&](const std::string& field) { return !field.empty() && wanted == field; };
  if (key == "otel.scope.name") return is(span.scope->name);
  if (key == "otel.scope.version") return is(span.scope->version);
  if (key == "otel.status_description") return is(span.status_message);
  return key == "w3c.tracestate" && is(span.trace_state);
}

bool HasTag(const model::Span& span, std::string_view key, std::string_view wanted) {
  const auto in_event = [&](const model::Event& event) {
    return AnyIs(event.attributes, key, wanted) || (key == "event" && event.name == wanted);
  };
  return AnyIs(span.attributes, key, wanted) || AnyIs(span.resource->attributes, key, wanted) ||
         FieldIs(span, key, wanted) || std::ranges::any_of(span.events, in_event);
}

}  // namespace

Result<std::int64_t> ParseGoDuration(std::string_view text) {
  static constexpr auto kUnits =
      std::to_array<std::pair<std::string_view, double>>({{"ns", 1},
                                                          {"us", 1e3},
                                                          {"\xc2\xb5s", 1e3},
                                                          {"\xce\xbcs", 1e3},
                                                          {"ms", 1e6},
                                                          {"s", 1e9},
                                                          {"m", 6e10},
                                                          {"h", 3.6e12}});
  const auto refuse = [&] {
    return Fail(ErrorCode::kInvalidArgument, "'" + std::string(text.substr(0, 40)) +
                                                 "' is not a duration such as 1.5s or 200ms");
  };
  std::string_view rest = text;
  double total = 0;
  do {
    double number = 0;
    const auto [end, error] =
        std::from_chars(rest.data(), rest.data() + rest.size(), number, std::chars_format::fixed);
    if (error != std::errc() || number < 0) return refuse();
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    // "ms" before "m": the longest unit that fits.
    const auto unit = std::ranges::find_if(kUnits, [&](const auto& candidate) {
      return rest.starts_with(candidate.first) &&
             !(candidate.first == "m" && rest.starts_with("ms"));
    });
    if (unit == kUnits.end()) return refuse();
    rest.remove_prefix(unit->first.size());
    total += number * unit->second;
  } while (!rest.empty());
  if (!(total < 9e18)) return refuse();
  return std::llround(total);
}

Result<model::TraceId> ParseJaegerTraceId(std::string_view text) {
  if (text.empty() || text.size() > 32) return model::TraceId::Parse(text);
  return model::TraceId::Parse(std::string(32 - text.size(), '0') + std::string(text));
}

std::string_view SpanKindName(model::SpanKind kind) {
  switch (kind) {
    case model::SpanKind::kInternal:
      return "internal";
    case model::SpanKind::kServer:
      return "server";
    case model::SpanKind::kClient:
      return "client";
    case model::SpanKind::kProducer:
      return "producer";
    case model::SpanKind::kConsumer:
      return "consumer";
    case model::SpanKind::kUnspecified:
      break;
  }
  return "";
}

Result<SpanQuery> SpanQuery::Parse(const Parameters& parameters, std::int64_t now_ns) {
  SpanQuery query;
  std::optional<std::int64_t> from_ns;
  query.until_ns = now_ns;
  for (const auto& [name, value] : parameters) {
    // Forms send fields that were left empty.
    if (value.empty()) continue;
    if (name == "service") {
      query.service = value;
    } else if (name == "operation") {
      query.operation = value;
    } else if (name == "start") {
      FLUORO_TRY(from_ns, ParseMicroseconds(name, value));
    } else if (name == "end") {
      FLUORO_TRY(query.until_ns, ParseMicroseconds(name, value));
    } else if (name == "minDuration" || name == "maxDuration") {
      auto duration = ParseGoDuration(value);
      if (!duration)
        return std::unexpected(std::move(duration).error().With("parameter '" + name + "'"));
      (name == "minDuration" ? query.duration_min_ns : query.duration_max_ns) = *duration;
    } else if (name == "limit") {
      const auto limit = WholeNumber<std::uint32_t>(value);
      if (!limit)
        return Fail(ErrorCode::kInvalidArgument, "parameter 'limit': a whole number wanted");
      if (*limit > 0) query.limit = std::min<std::size_t>(*limit, kTracesMax);
    } else if (name == "tag") {
      const std::size_t colon = value.find(':');
      if (colon == std::string::npos)
        return Fail(ErrorCode::kInvalidArgument, "parameter 'tag': key:value wanted");
      query.tags.emplace_back(value.substr(0, colon), value.substr(colon + 1));
    } else if (name == "tags") {
      FLUORO_CHECK_OK(ParseTags(value, query.tags));
    } else if (name == "traceID") {
      auto id = ParseJaegerTraceId(value);
      if (!id) return std::unexpected(std::move(id).error().With("parameter 'traceID'"));
      query.trace_ids.push_back(*id);
    }
  }
  if (query.service.empty() && query.trace_ids.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "parameter 'service' is required");
  }
  query.from_ns = from_ns.value_or(query.until_ns - kLookbackNs);
  if (query.duration_min_ns && query.duration_max_ns &&
      *query.duration_max_ns < *query.duration_min_ns) {
    return Fail(ErrorCode::kInvalidArgument, "'maxDuration' must not be less than 'minDuration'");
  }
  return query;
}

bool SpanQuery::Matches(const model::Span& span, std::string_view span_service) const {
  if (span_service != service) return false;
  if (!operation.empty() && span.name != operation) return false;
  if (span.start_ns < from_ns || span.start_ns > until_ns) return false;
  const std::int64_t duration_ns = span.end_ns - span.start_ns;
  if (duration_min_ns && duration_ns < *duration_min_ns) return false;
  if (duration_max_ns && duration_ns > *duration_max_ns) return false;
  return std::ranges::all_of(tags,
                             [&](const auto& tag) { return HasTag(span, tag.first, tag.second); });
}

}  // namespace fluoro::api::grafana
