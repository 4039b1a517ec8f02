#include <cstdint>
#include <unordered_map>

#include "model/assembly.h"

namespace fluoro::model {
namespace {

bool IsEmbedded(const Span& span) {
  return span.Has(SpanFlag::kSubsegment) && !span.Has(SpanFlag::kIndependent);
}
bool IsComplete(const Span& span) {
  return !span.Has(SpanFlag::kInProgress) && !span.Has(SpanFlag::kIncompleteEmbedded);
}

// True if `later` takes the place of `earlier`, which came before it under the same id. Of two
// alike the later stands, so that the subsegments it brought stand too.
bool Replaces(const Span& later, const Span& earlier) {
  if (IsComplete(later) != IsComplete(earlier)) return IsComplete(later);
  if (later.Has(SpanFlag::kSubsegment) && earlier.Has(SpanFlag::kSubsegment) &&
      IsEmbedded(later) != IsEmbedded(earlier)) {
    return IsEmbedded(later);
  }
  return true;
}

constexpr std::size_t kNone = SIZE_MAX;

// For each span the document it came in: itself, unless it is embedded. kNone where its parents
// cannot be followed.
std::vector<std::size_t> DocumentsOf(const std::vector<Span>& spans) {
  std::vector<std::size_t> documents(spans.size(), kNone);
  std::unordered_map<SpanId, std::size_t> latest;
  latest.reserve(spans.size());
  for (std::size_t i = 0; i < spans.size(); ++i) {
    if (!IsEmbedded(spans[i])) {
      documents[i] = i;
    } else if (const auto parent = latest.find(spans[i].parent_id); parent != latest.end()) {
      documents[i] = documents[parent->second];
    }
    latest.insert_or_assign(spans[i].span_id, i);
  }
  return documents;
}

// Versions of one id compete; only those that `competes` admits.
template <class Predicate>
std::unordered_map<SpanId, std::size_t> Winners(const std::vector<Span>& spans,
                                                Predicate&& competes) {
  std::unordered_map<SpanId, std::size_t> winners;
  winners.reserve(spans.size());
  for (std::size_t i = 0; i < spans.size(); ++i) {
    if (!competes(i)) continue;
    const auto [entry, first] = winners.try_emplace(spans[i].span_id, i);
    if (!first && Replaces(spans[i], spans[entry->second])) entry->second = i;
  }
  return winners;
}

bool AllIdsDiffer(const std::vector<Span>& spans) {
  std::unordered_map<SpanId, bool> seen;
  seen.reserve(spans.size());
  for (const Span& span : spans) {
    if (!seen.try_emplace(span.span_id, true).second) return false;
  }
  return true;
}

}  // namespace

void Deduplicate(std::vector<Span>& spans) {
  if (AllIdsDiffer(spans)) return;
  const std::vector<std::size_t> documents = DocumentsOf(spans);
  const auto document_winners =
      Winners(spans, [&](std::size_t i) { return !IsEmbedded(spans[i]); });
  // An embedded subsegment goes with the version of the document it came in.
  const auto stands = [&](std::size_t i) {
    const std::size_t document = documents[i];
    return document == kNone || document_winners.at(spans[document].span_id) == document;
  };
  const auto winners = Winners(spans, stands);

  std::vector<Span> kept;
  kept.reserve(winners.size());
  std::unordered_map<SpanId, bool> placed;
  placed.reserve(winners.size());
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const SpanId id = spans[i].span_id;  // outlives the move of its span
    const auto winner = winners.find(id);
    if (winner == winners.end() || !placed.try_emplace(id, true).second) continue;
    kept.push_back(std::move(spans[winner->second]));
  }
  spans = std::move(kept);
}

}  // namespace fluoro::model
