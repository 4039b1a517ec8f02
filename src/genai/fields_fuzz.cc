// The value of one attribute, read through every field and rule: byte 0 and 1 choose its name, the
// rest is its text.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "genai/classify.h"
#include "genai/fields.h"
#include "genai/step.h"
#include "model/testing.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using fluoro::genai::Field;
  if (size < 2) return 0;
  const auto fields = fluoro::genai::Fields();
  const Field& field = fields[data[0] % fields.size()];
  const std::string text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::string_view key =
      field.sources.empty() ? field.name : field.sources[data[1] % field.sources.size()].key;
  fluoro::model::Span span =
      fluoro::model::testing::OtelSpan(1, fluoro::model::SpanKind::kClient, text)
          .Between(0, 1000)
          .Set(key, text)
          .Set("gen_ai.response.finish_reasons", text)
          .Set("gen_ai.retrieval.documents", text)
          .Set("url.full", text)
          .Set("langfuse.observation.completion_start_time", text);
  span.source = data[0] % 2 == 0 ? fluoro::model::SpanSource::kXRay : span.source;
  span.document = text;
  for (const Field& each : fields) fluoro::genai::CanonicalField(span, each.name);
  fluoro::genai::Classify(span);
  return 0;
}
