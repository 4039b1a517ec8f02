// All header parsers on the same bytes; two lines are traceparent and tracestate. What is accepted
// must print and parse to the same.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "propagation/context.h"

namespace {

using namespace fluoro::propagation;

void CheckXRay(std::string_view text) {
  const auto context = ParseXRay(text);
  if (!context) return;
  const std::string printed = PrintXRay(*context);
  const auto again = ParseXRay(printed);
  FLUORO_ASSERT(again.has_value());
  FLUORO_ASSERT(again->trace_id == context->trace_id && again->parent_id == context->parent_id);
  FLUORO_ASSERT(again->sampled == context->sampled);
  FLUORO_ASSERT(PrintXRay(*again) == printed);
}

void CheckW3c(std::string_view text) {
  const std::size_t line = text.find('\n');
  const std::string_view state =
      line == std::string_view::npos ? std::string_view() : text.substr(line + 1);
  FLUORO_ASSERT(CutTraceState(state, 512).size() <= 512);
  const auto context = ParseW3c(text.substr(0, line), state);
  if (!context) return;
  const auto again = ParseW3c(PrintTraceparent(*context), context->trace_state);
  FLUORO_ASSERT(again.has_value() && *again == *context);
}

void CheckB3(std::string_view text) {
  const auto context = ParseB3(text);
  if (!context) return;
  const auto again = ParseB3(PrintB3(*context));
  FLUORO_ASSERT(again.has_value() && *again == *context);
}

void CheckBaggage(std::string_view text) {
  const auto entries = ParseBaggage(text);
  const std::string printed = PrintBaggage(entries);
  FLUORO_ASSERT(printed.size() <= kBaggageBytesMax);
  FLUORO_ASSERT(printed.find_first_of("\r\n") == std::string::npos);
  const auto again = ParseBaggage(printed);
  FLUORO_ASSERT(again.size() <= entries.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CheckXRay(text);
  CheckW3c(text);
  CheckB3(text);
  CheckBaggage(text);
  const auto found = Extract([&](std::string_view) { return std::string(text); });
  if (found) Inject(found->context);
  return 0;
}
