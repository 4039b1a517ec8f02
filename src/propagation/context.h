// Trace context in headers: X-Amzn-Trace-Id, W3C traceparent/tracestate/baggage, B3. Parse and
// print; pure. Sources: X-Ray developer guide (tracing header); W3C Trace Context level 2 and
// Baggage; github.com/openzipkin/b3-propagation.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/ids.h"

namespace fluoro::propagation {

enum class Sampled : std::uint8_t {
  kUnset,
  kNo,
  kYes,
  kRequested /* X-Ray `?` */,
  kDebug /* B3 `d` */
};

/// What a request says about its trace. Trace id present unless only a sampling decision came (B3
/// `0`).
struct Context {
  std::optional<model::TraceId> trace_id;
  std::optional<model::SpanId> parent_id;
  Sampled sampled = Sampled::kUnset;
  std::string trace_state;  ///< tracestate as received (valid members)
  std::vector<std::pair<std::string, std::string>>
      extras;                    ///< X-Ray: further fields but Self, in order (Lineage included)
  std::string self;              ///< X-Ray Self, informational
  std::uint8_t trace_flags = 0;  ///< W3C
  bool operator==(const Context&) const = default;
};

/// X-Amzn-Trace-Id. Errors: kInvalidArgument.
Result<Context> ParseXRay(std::string_view header);
std::string PrintXRay(const Context& context);

/// traceparent with an optional tracestate. Errors: kInvalidArgument.
Result<Context> ParseW3c(std::string_view traceparent, std::string_view tracestate);
std::string PrintTraceparent(const Context& context);

/// `b3` single header. Errors: kInvalidArgument.
Result<Context> ParseB3(std::string_view header);
std::string PrintB3(const Context& context);
struct B3Headers {
  std::optional<std::string> trace_id, span_id, parent_span_id, sampled, flags;
};
Result<Context> ParseB3Multi(const B3Headers& headers);

struct BaggageEntry {
  std::string key, value, properties;
  bool operator==(const BaggageEntry&) const = default;
};
/// Bad members are left out; at most 64 members and 8,192 bytes.
std::vector<BaggageEntry> ParseBaggage(std::string_view header);
std::string PrintBaggage(const std::vector<BaggageEntry>& entries);

/// Looks a header up by its lower-case name.
using HeaderLookup = std::function<std::optional<std::string>(std::string_view lower_case_name)>;
/// Tries the formats in their order of precedence; the first that is whole wins. nullopt: no
/// context.
struct Extracted {
  Context context;
  std::string_view format;  ///< "xray", "w3c", "b3", "b3multi"
};
std::optional<Extracted> Extract(const HeaderLookup& headers);

}  // namespace fluoro::propagation
