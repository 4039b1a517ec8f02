#include "ledger.h"

#include <algorithm>
#include <set>

#include "query/tail_filters.h"

namespace fluoro::crash {
namespace {

// A trace that is too large for one question is read in parts. None: there is no such trace.
Result<std::vector<model::Span>> ReadSpans(store::TraceStore& store, const model::TraceId& id) {
  std::vector<model::Span> spans;
  for (std::uint64_t after = 1; after > 0;) {
    FLUORO_TRY(const auto part, store.ReadTrace(id, spans.size()));
    if (part == nullptr) return spans;
    spans.insert(spans.end(), part->spans.begin(), part->spans.end());
    after = part->spans.empty() ? 0 : part->spans_after;
  }
  return spans;
}

}  // namespace

void Ledger::Sent(std::vector<model::Span> spans, Fate fate) {
  batches_.push_back({.spans = std::move(spans), .fate = fate, .step = ++step_});
}

void Ledger::Deleted(std::vector<model::TraceId> ids, Fate fate) {
  ++step_;
  for (const model::TraceId& id : ids) deletions_[id].push_back({.step = step_, .fate = fate});
}

void Ledger::MaybeDropped(const std::vector<model::TraceId>& ids) { Deleted(ids, Fate::kUnknown); }

std::vector<model::TraceId> Ledger::Ids() const {
  std::set<model::TraceId> ids = settled_ids_;
  for (const Batch& batch : batches_) {
    for (const model::Span& span : batch.spans) ids.insert(span.trace_id);
  }
  return {ids.begin(), ids.end()};
}

std::vector<model::TraceId> Ledger::IdsThinningMayDrop() const {
  std::map<model::TraceId, std::vector<model::Span>> there;
  for (const Batch& batch : batches_) {
    for (const model::Span& span : batch.spans) {
      if (ExpectedFate(batch, span) == Expected::kThere) there[span.trace_id].push_back(span);
    }
  }
  std::vector<model::TraceId> ids = Ids();
  std::erase_if(ids, [&](const model::TraceId& id) {
    if (sampling::IsInFraction(id.bytes, kThinnedFraction)) return true;
    auto trace = std::make_shared<model::Trace>();
    trace->spans = there[id];
    return (query::TailOutcomesOf(model::Assemble(trace)) & sampling::kTailFault) != 0;
  });
  return ids;
}

std::size_t Ledger::wanted_spans() const {
  std::set<std::pair<model::TraceId, model::SpanId>> wanted;
  for (const Batch& batch : batches_) {
    for (const model::Span& span : batch.spans) {
      if (ExpectedFate(batch, span) == Expected::kThere)
        wanted.insert({span.trace_id, span.span_id});
    }
  }
  return wanted.size();
}

Result<void> Ledger::Settle(store::TraceStore& store) {
  const std::vector<model::TraceId> ids = Ids();
  std::vector<Batch> there;
  for (const model::TraceId& id : ids) {
    FLUORO_TRY(auto spans, ReadSpans(store, id));
    if (!spans.empty())
      there.push_back({.spans = std::move(spans), .fate = Fate::kDone, .step = ++step_});
  }
  batches_ = std::move(there);
  deletions_.clear();
  settled_ids_.insert(ids.begin(), ids.end());
  return {};
}

Ledger::Expected Ledger::ExpectedFate(const Batch& batch, const model::Span& span) const {
  Expected expected = batch.fate == Fate::kDone ? Expected::kThere : Expected::kEither;
  const auto at = deletions_.find(span.trace_id);
  if (at == deletions_.end()) return expected;
  for (const Deletion& deletion : at->second) {
    if (deletion.step < batch.step) continue;
    // A batch without an answer may come to light after a deletion that did not find it.
    if (deletion.fate == Fate::kDone && batch.fate == Fate::kDone) return Expected::kGone;
    expected = Expected::kEither;
  }
  return expected;
}

std::vector<std::string> Ledger::CheckTraces(store::TraceStore& store, bool tolerant,
                                             std::uint64_t& missing) const {
  std::vector<std::string> wrong;
  std::map<std::pair<model::TraceId, model::SpanId>, model::Span> held;
  std::set<model::TraceId> non_empty;
  for (const model::TraceId& id : Ids()) {
    const auto spans = ReadSpans(store, id);
    if (!spans) {
      if (!tolerant)
        wrong.push_back("trace " + id.ToHex() + " cannot be read: " + spans.error().message);
      continue;
    }
    if (spans->empty()) continue;
    non_empty.insert(id);
    for (const model::Span& span : *spans) {
      if (!held.emplace(std::pair{id, span.span_id}, span).second) {
        wrong.push_back("span " + span.span_id.ToHex() + " is there twice");
      }
    }
  }
  std::set<std::pair<model::TraceId, model::SpanId>> sent;
  std::set<std::pair<model::TraceId, model::SpanId>>
      wanted;  // a span may be sent twice: once is enough
  std::set<std::pair<model::TraceId, model::SpanId>> allowed;
  for (const Batch& batch : batches_) {
    std::size_t there = 0;
    std::size_t either = 0;
    for (const model::Span& span : batch.spans) {
      const std::pair key{span.trace_id, span.span_id};
      sent.insert(key);
      const auto at = held.find(key);
      if (at != held.end() && !(at->second == span))
        wrong.push_back("span " + span.span_id.ToHex() + " has changed");
      switch (ExpectedFate(batch, span)) {
        case Expected::kThere:
          wanted.insert(key);
          break;
        case Expected::kGone:
          break;
        case Expected::kEither:
          allowed.insert(key);
          if (deletions_.contains(span.trace_id)) break;  // may be gone for another reason
          ++either;
          if (at != held.end()) ++there;
          break;
      }
    }
    if (!tolerant && either > 0 && there != 0 && there != either) {
      wrong.push_back("a batch of " + std::to_string(batch.spans.size()) +
                      " spans is there by half");
    }
  }
  for (const auto& key : wanted) {
    if (held.contains(key)) continue;
    ++missing;
    if (!tolerant)
      wrong.push_back("span " + key.second.ToHex() + " of trace " + key.first.ToHex() +
                      " was acknowledged and is lost");
  }
  for (const auto& [key, span] : held) {
    if (!sent.contains(key))
      wrong.push_back("span " + key.second.ToHex() + " was never sent or had gone");
    if (!wanted.contains(key) && !allowed.contains(key)) {
      wrong.push_back("span " + key.second.ToHex() + " was deleted and is there");
    }
  }
  std::set<model::TraceId> visited;
  const auto result = store.Search({}, [&](const store::Match& match) {
    if (!visited.insert(match.trace.trace->id).second)
      wrong.push_back("search visited a trace twice");
    return true;
  });
  if (!result) {
    wrong.push_back("search failed: " + result.error().message);
    return wrong;
  }
  if (!tolerant && visited != non_empty)
    wrong.push_back("search visits other traces than there are");
  for (const std::string& damage : result->damaged) {
    if (!tolerant) wrong.push_back("called damaged: " + damage);
  }
  return wrong;
}

std::vector<std::string> Ledger::Check(store::TraceStore& store) const {
  std::uint64_t missing = 0;
  return CheckTraces(store, false, missing);
}

std::vector<std::string> Ledger::CheckRest(store::TraceStore& store, std::uint64_t& missing) const {
  missing = 0;
  return CheckTraces(store, true, missing);
}

}  // namespace fluoro::crash
