#include "analysis/ledger/queue_waits.h"

#include <algorithm>
#include <array>

#include "genai/reading.h"

namespace fluoro::analysis {
namespace {

// When the message was sent, by what it says itself: milliseconds of the Unix epoch.
std::optional<std::int64_t> SentNs(const model::Span& span) {
  constexpr auto kKeys = std::to_array<std::string_view>(
      {"SentTimestamp", "aws.sqs.sent_timestamp", "messaging.sqs.sent_timestamp",
       "aws.xray.metadata.default.SentTimestamp"});
  constexpr std::int64_t kMsMax = INT64_MAX / 1'000'000;
  for (const std::string_view key : kKeys) {
    const model::AttributeValue* value = genai::FindAny(span, key);
    const auto ms = value ? genai::Coerce(*value, genai::Form::kCount) : std::nullopt;
    if (ms && *ms->AsInt() <= kMsMax) return *ms->AsInt() * 1'000'000;
  }
  return std::nullopt;
}

}  // namespace

LinkWaits LinkWaitsOf(const model::AssembledTrace& trace, const FindLinkedSpan& find) {
  LinkWaits waits;
  for (std::size_t i = 0; i < trace.entities.size(); ++i) {
    const model::Entity& entity = trace.entities[i];
    if (entity.span == nullptr || entity.role == model::EntityRole::kInferred || entity.synthetic)
      continue;
    for (const model::Link& link : entity.span->links) {
      ++waits.count;
      if (waits.links.size() >= kLinkWaitsMax) continue;
      LinkWait wait{.step = static_cast<std::int32_t>(i),
                    .trace_id = link.trace_id,
                    .span_id = link.span_id,
                    .other_trace = link.trace_id != trace.trace->id};
      std::optional<std::int64_t> sent_ns = SentNs(*entity.span);
      if (!sent_ns) {
        if (const auto linked = find(link); linked && !linked->in_progress)
          sent_ns = linked->end_ns;
      }
      if (sent_ns) {
        wait.clocks_differ = *sent_ns > entity.start_ns;
        wait.wait_ns = std::max<std::int64_t>(entity.start_ns - *sent_ns, 0);
      }
      waits.links.push_back(wait);
    }
  }
  return waits;
}

}  // namespace fluoro::analysis
