// Any bytes as a filter and as an entity selector: no crash, and what parses prints to text that
// parses to the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "model/testing.h"
#include "query/expression.h"
#include "query/filter.h"

namespace {

const fluoro::model::AssembledTrace& SampleTrace() {
  namespace testing = fluoro::model::testing;
  static const fluoro::model::AssembledTrace kTrace =
      testing::AssembleSpans({testing::XRaySegment(1, "web")
                                  .Between(0, 100)
                                  .Set("url.full", "http://web/a")
                                  .Set("http.response.status_code", 500)
                                  .Annotate("a", true),
                              testing::XRaySubsegment(2, 1, "api", "remote")
                                  .Between(1, 90)
                                  .Exception("Timeout", "late")
                                  .Annotate("b", 5),
                              testing::OtelSpan(3, fluoro::model::SpanKind::kServer, "GET /")
                                  .Service("api")
                                  .Parent(2)
                                  .Between(2, 80)
                                  .Set("c", 0.5)});
  return kTrace;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using fluoro::query::Filter;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Filter::Options options{.case_insensitive_strings = false,
                                .groups = [](std::string_view name) -> std::optional<std::string> {
                                  if (name == "a") return "fault AND group.name = \"b\"";
                                  if (name == "b") return "ok";
                                  if (name == "loop") return "group.name = loop";
                                  return std::nullopt;
                                }};
  const fluoro::query::TraceView view(SampleTrace());
  if (const auto filter = Filter::Parse(text, options); filter && !filter->matches_all()) {
    const std::string printed = fluoro::query::Print(*filter->root());
    // Escapes may make the printed text longer than what may be parsed.
    if (printed.size() <= fluoro::query::kExpressionBytesMax) {
      const auto again = Filter::Parse(printed, options);
      FLUORO_ASSERT(again.has_value());
      FLUORO_ASSERT(fluoro::query::Print(*again->root()) == printed);
      FLUORO_ASSERT(again->Matches(view) == filter->Matches(view));
    }
  }
  static_cast<void>(fluoro::query::EntitySelector::Parse(text));
  return 0;
}
