#include <algorithm>

#include "propagation/context.h"

namespace fluoro::propagation {
namespace {

constexpr std::string_view kTraceparent = "traceparent";
constexpr std::string_view kTracestate = "tracestate";
constexpr std::string_view kBaggage = "baggage";
constexpr std::string_view kXRayHeader = "x-amzn-trace-id";
constexpr std::string_view kB3Header = "b3";
struct B3Name {
  std::string_view name;
  std::optional<std::string> B3Headers::* field;
};
constexpr B3Name kB3Names[] = {{"x-b3-traceid", &B3Headers::trace_id},
                               {"x-b3-spanid", &B3Headers::span_id},
                               {"x-b3-parentspanid", &B3Headers::parent_span_id},
                               {"x-b3-sampled", &B3Headers::sampled},
                               {"x-b3-flags", &B3Headers::flags}};

std::optional<Context> Whole(Result<Context> context) {
  return context ? std::optional(*std::move(context)) : std::nullopt;
}

std::optional<Context> ReadW3c(const HeaderLookup& headers) {
  const auto traceparent = headers(kTraceparent);
  if (!traceparent) return std::nullopt;
  return Whole(ParseW3c(*traceparent, headers(kTracestate).value_or("")));
}

std::optional<Context> ReadXRay(const HeaderLookup& headers) {
  const auto header = headers(kXRayHeader);
  return header ? Whole(ParseXRay(*header)) : std::nullopt;
}

std::optional<Context> ReadB3(const HeaderLookup& headers) {
  const auto header = headers(kB3Header);
  return header ? Whole(ParseB3(*header)) : std::nullopt;
}

std::optional<Context> ReadB3Multi(const HeaderLookup& headers) {
  B3Headers b3;
  for (const B3Name& name : kB3Names) b3.*name.field = headers(name.name);
  return Whole(ParseB3Multi(b3));
}

struct FormatReader {
  std::string_view format;
  std::optional<Context> (*read)(const HeaderLookup&);
};
constexpr FormatReader kReaders[] = {{kFormatW3c, ReadW3c},
                                     {kFormatXRay, ReadXRay},
                                     {kFormatB3, ReadB3},
                                     {kFormatB3Multi, ReadB3Multi}};

std::string ReadBaggage(const HeaderLookup& headers) {
  return PrintBaggage(ParseBaggage(headers(kBaggage).value_or("")));
}

// What only the other of the two headers of the same trace says.
void Complete(Extracted& found, const HeaderLookup& headers) {
  const bool is_w3c = found.format == kFormatW3c;
  if (!is_w3c && found.format != kFormatXRay) return;
  auto other = is_w3c ? ReadXRay(headers) : ReadW3c(headers);
  if (!other || other->trace_id != found.context.trace_id) return;
  Context& xray = is_w3c ? *other : found.context;
  Context& w3c = is_w3c ? found.context : *other;
  w3c.extras = std::move(xray.extras);
  w3c.self = std::move(xray.self);
  if (!is_w3c) found.context = *std::move(other);
}

}  // namespace

std::optional<Extracted> Extract(const HeaderLookup& headers,
                                 std::span<const std::string_view> order) {
  for (const std::string_view format : order) {
    const auto* const reader =
        std::find_if(std::begin(kReaders), std::end(kReaders),
                     [&](const FormatReader& r) { return r.format == format; });
    if (reader == std::end(kReaders)) continue;
    if (auto context = reader->read(headers)) {
      Extracted found{.context = *std::move(context), .format = reader->format};
      Complete(found, headers);
      found.context.baggage = ReadBaggage(headers);
      return found;
    }
  }
  return std::nullopt;
}

std::optional<Extracted> ExtractInLambda(const HeaderLookup& headers,
                                         std::string_view trace_id_variable,
                                         std::span<const std::string_view> order) {
  auto found = Extract(headers, order);
  // A lone sampling decision (B3 `0`) names no trace: the platform's does.
  if (found && found->context.trace_id) return found;
  if (auto context = Whole(ParseXRay(trace_id_variable))) {
    context->baggage = ReadBaggage(headers);
    return Extracted{.context = *std::move(context), .format = kFormatXRay};
  }
  return found;
}

std::vector<std::pair<std::string, std::string>> Inject(const Context& context,
                                                        std::span<const std::string_view> formats) {
  std::vector<std::pair<std::string, std::string>> headers;
  const auto add = [&](std::string_view name, std::string value) {
    if (!value.empty()) headers.emplace_back(name, std::move(value));
  };
  for (const std::string_view format : formats) {
    if (format == kFormatW3c) {
      std::string traceparent = PrintTraceparent(context);
      const bool present = !traceparent.empty();
      add(kTraceparent, std::move(traceparent));
      if (present) add(kTracestate, CleanTraceState(context.trace_state));
    } else if (format == kFormatXRay) {
      add(kXRayHeader, PrintXRay(context));
    } else if (format == kFormatB3) {
      add(kB3Header, PrintB3(context));
    } else if (format == kFormatB3Multi) {
      const B3Headers b3 = PrintB3Multi(context);
      for (const B3Name& name : kB3Names) add(name.name, (b3.*name.field).value_or(""));
    }
  }
  add(kBaggage, PrintBaggage(ParseBaggage(context.baggage)));
  return headers;
}

}  // namespace fluoro::propagation
