// Trace context in headers: X-Amzn-Trace-Id, W3C traceparent/tracestate/baggage, B3. Parse and
// print; pure. Sources: X-Ray developer guide (tracing header); W3C Trace Context level 2 and
// Baggage; github.com/openzipkin/b3-propagation.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
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

inline constexpr std::uint8_t kSampledFlag = 0x01;
/// The right-most 7 bytes of the trace id are random; copied to outgoing headers of the trace.
inline constexpr std::uint8_t kRandomFlag = 0x02;

/// Longer headers count as invalid.
inline constexpr std::size_t kHeaderBytesMax = 8'192;

/// What a request says about its trace. Trace id present unless only a sampling decision came (B3
/// `0`).
struct Context {
  std::optional<model::TraceId> trace_id;
  std::optional<model::SpanId> parent_id;
  Sampled sampled = Sampled::kUnset;
  std::string trace_state;  ///< tracestate as received (valid members)
  std::string baggage;      ///< baggage as received (valid members); filled by Extract
  std::vector<std::pair<std::string, std::string>>
      extras;                    ///< X-Ray: further fields but Self, in order (Lineage included)
  std::string self;              ///< X-Ray Self, informational
  std::uint8_t trace_flags = 0;  ///< W3C: bits kSampledFlag and kRandomFlag as received
  bool operator==(const Context&) const = default;
};

/// X-Amzn-Trace-Id. Lenient: keys in either case, spaces around fields, empty fields, fields in any
/// order, a short epoch in Root, any Self; an unknown Sampled counts as absent.
/// Errors: kInvalidArgument: no valid Root, an invalid Parent, a field without `=`, control
/// characters.
Result<Context> ParseXRay(std::string_view header);
/// `Root;Parent;Sampled` and the extras, without spaces and empty fields; Self is never forwarded.
/// "" without a trace id.
std::string PrintXRay(const Context& context);
/// What a service answers: the Root, and its decision where the request asked with `Sampled=?`.
std::string PrintXRayResponse(const Context& request, bool sampled);

/// traceparent with an optional tracestate (several headers joined with `,`). A bad tracestate is
/// dropped whole and does no harm to the traceparent. Errors: kInvalidArgument.
Result<Context> ParseW3c(std::string_view traceparent, std::string_view tracestate);
/// Version 00; "" without trace id and parent id. An open decision is printed as not sampled.
std::string PrintTraceparent(const Context& context);
/// The valid members, joined with `,`; "" if any is malformed, repeated, or there are more than 32.
std::string CleanTraceState(std::string_view tracestate);
/// Puts the member in front, in place of one of the same key; a 33rd falls off on the right.
/// `tracestate` as by CleanTraceState. Errors: kInvalidArgument: key or value break the grammar.
Result<std::string> SetTraceStateMember(std::string_view tracestate, std::string_view key,
                                        std::string_view value);
/// Shortens to `bytes_max`: members longer than 128 bytes go first, then those on the right.
std::string CutTraceState(std::string_view tracestate, std::size_t bytes_max);

/// `b3` single header. Errors: kInvalidArgument.
Result<Context> ParseB3(std::string_view header);
/// The decision alone where trace id or parent id are missing.
std::string PrintB3(const Context& context);
struct B3Headers {
  std::optional<std::string> trace_id{}, span_id{}, parent_span_id{}, sampled{}, flags{};
  bool operator==(const B3Headers&) const = default;
};
/// Errors: kInvalidArgument: bad ids, one id without the other, or nothing at all.
Result<Context> ParseB3Multi(const B3Headers& headers);
B3Headers PrintB3Multi(const Context& context);

inline constexpr std::size_t kBaggageMembersMax = 180;
inline constexpr std::size_t kBaggageMemberBytesMax = 4'096;
inline constexpr std::size_t kBaggageBytesMax = 8'192;

struct BaggageEntry {
  std::string key;
  std::string value;       ///< decoded, valid UTF-8
  std::string properties;  ///< as sent, without the first `;`
  bool operator==(const BaggageEntry&) const = default;
};
/// Bad members are left out, and what exceeds the three limits; of a repeated key the last counts.
std::vector<BaggageEntry> ParseBaggage(std::string_view header);
/// Entries that cannot be written are left out, and what exceeds the limits.
std::string PrintBaggage(const std::vector<BaggageEntry>& entries);

/// Looks a header up by its lower-case name.
using HeaderLookup = std::function<std::optional<std::string>(std::string_view lower_case_name)>;

inline constexpr std::string_view kFormatXRay = "xray";
inline constexpr std::string_view kFormatW3c = "w3c";
inline constexpr std::string_view kFormatB3 = "b3";
inline constexpr std::string_view kFormatB3Multi = "b3multi";
inline constexpr std::string_view kExtractOrder[] = {kFormatW3c, kFormatXRay, kFormatB3,
                                                     kFormatB3Multi};
inline constexpr std::string_view kInjectFormats[] = {kFormatW3c, kFormatXRay};

struct Extracted {
  Context context;
  std::string_view format;  ///< "xray", "w3c", "b3", "b3multi"
};
/// Tries the formats in their order of precedence; the first that is whole wins. Where traceparent
/// and X-Amzn-Trace-Id name the same trace, parent, decision and tracestate come from the first,
/// extras and Self from the second, whatever the order. nullopt: no context.
std::optional<Extracted> Extract(const HeaderLookup& headers,
                                 std::span<const std::string_view> order = kExtractOrder);
/// In Lambda the value of _X_AMZN_TRACE_ID counts where the headers hold no context.
std::optional<Extracted> ExtractInLambda(const HeaderLookup& headers,
                                         std::string_view trace_id_variable,
                                         std::span<const std::string_view> order = kExtractOrder);

/// Headers (lower-case names) that tell the context to a callee, and its baggage. Unknown formats
/// are skipped.
std::vector<std::pair<std::string, std::string>> Inject(
    const Context& context, std::span<const std::string_view> formats = kInjectFormats);

}  // namespace fluoro::propagation
