// Forests of spans from bytes: five a span (id, parent, shape, start, length), ids small enough to
// meet.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "model/root_cause.h"
#include "model/summary.h"
#include "model/testing.h"

namespace {

using namespace fluoro::model;  // NOLINT(google-build-using-namespace): a fuzz target is all about
                                // it
namespace make = fluoro::model::testing;

constexpr std::size_t kSpanBytes = 5;

Span SpanOf(const std::uint8_t* bytes) {
  const std::uint64_t id = bytes[0] % 64;
  const std::uint8_t shape = bytes[2];
  make::SpanBuilder span = make::OtelSpan(id, static_cast<SpanKind>(shape % 6), "GET /");
  if ((shape & 0x40) != 0) span = make::XRaySegment(id, "s");
  if ((shape & 0x80) != 0)
    span = make::XRaySubsegment(id, 0, "S3", (shape & 0x20) != 0 ? "aws" : "");
  span.Parent(bytes[1] % 64).Between(bytes[3], bytes[3] + bytes[4]);
  span.Service(std::string(1, static_cast<char>('a' + shape % 5)));
  if ((bytes[1] & 0x80) != 0) span.Flags(SpanFlag::kIndependent);
  if ((bytes[1] & 0x40) != 0) span.InProgressSince(bytes[3]);
  if ((bytes[0] & 0x80) != 0) span.LinkTo(bytes[4] % 64);
  if ((bytes[0] & 0x40) != 0) span.Flags(SpanFlag::kFault).Annotate("k", bytes[4]);
  return span;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<Span> spans;
  for (std::size_t at = 0; at + kSpanBytes <= size && spans.size() < 512; at += kSpanBytes) {
    spans.push_back(SpanOf(data + at));
  }
  const AssembledTrace trace = make::AssembleSpans(std::move(spans));
  FLUORO_ASSERT(trace.trace->spans.empty() == (trace.root < 0));
  FLUORO_ASSERT(trace.entities.size() >= trace.trace->spans.size());
  for (const Entity& entity : trace.entities) {
    FLUORO_ASSERT(entity.IsSegment() == (entity.service >= 0));
    FLUORO_ASSERT(entity.end_ns >= entity.start_ns);
  }
  Summarise(trace);
  FindRootCauses(trace);
  return 0;
}
