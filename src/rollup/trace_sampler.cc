#include "rollup/trace_sampler.h"

#include <algorithm>

namespace fluoro::rollup {
namespace {

std::size_t HashOf(std::uint64_t id) {
  const std::uint64_t hash = id * 0x9e3779b97f4a7c15ULL;
  return hash ^ (hash >> 32);
}

std::shared_ptr<const model::Trace> TraceOf(std::span<const TraceSampler::Row> rows) {
  auto trace = std::make_shared<model::Trace>();
  trace->id = rows.front().batch->trace_ids[rows.front().row];
  trace->spans.reserve(rows.size());
  for (const TraceSampler::Row& row : rows) trace->spans.push_back(row.batch->MakeSpan(row.row));
  return trace;
}

}  // namespace

void IdIndex::Build(std::span<const std::uint64_t> ids) {
  ids_ = ids;
  if (ids.size() <= kFew) return;
  std::size_t size = 64;
  while (size < 2 * ids.size()) size *= 2;
  slots_.assign(size, 0);
  for (std::uint32_t place = 0; place < ids.size(); ++place) {
    std::size_t at = HashOf(ids[place]) & (size - 1);
    while (slots_[at] != 0 && ids[slots_[at] - 1] != ids[place]) at = (at + 1) & (size - 1);
    if (slots_[at] == 0) slots_[at] = place + 1;
  }
}

std::int32_t IdIndex::Find(std::uint64_t id) const {
  if (ids_.size() <= kFew) {
    const auto at = std::ranges::find(ids_, id);
    return at == ids_.end() ? kAbsentParent : static_cast<std::int32_t>(at - ids_.begin());
  }
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = HashOf(id) & mask; slots_[at] != 0; at = (at + 1) & mask) {
    if (ids_[slots_[at] - 1] == id) return static_cast<std::int32_t>(slots_[at] - 1);
  }
  return kAbsentParent;
}

void TraceSampler::Sample(std::span<const JoinSpan> spans, std::span<const JoinLink> links,
                          const MakeTrace& make, SampleSink& sink) {
  last_ = spans;
  if (spans.empty()) return;
  const bool large = spans.size() > kAssembledSpansMax;
  if (join_.Run(spans, links, large ? TraceJoin::Coverage::kAnything : TraceJoin::Coverage::kExact,
                sink)) {
    return;
  }
  ++assembled_traces_;
  auto trace = make();
  if (trace == nullptr) return;
  SampleTrace(model::Assemble(std::move(trace)), table_.keys(), sink);
}

void TraceSampler::Sample(std::span<const TraceRow> rows, std::span<const TraceRowLink> links,
                          const MakeTrace& make, SampleSink& sink) {
  ids_.resize(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) ids_[i] = rows[i].id;
  index_.Build(ids_);
  spans_.resize(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const TraceRow& row = rows[i];
    const bool has_parent = row.parent != 0 && row.parent != row.id;
    spans_[i] = {.start_ns = row.start_ns,
                 .end_ns = row.end_ns,
                 .parent = has_parent ? index_.Find(row.parent) : kNoParent,
                 .facts = row.facts};
  }
  links_.clear();
  for (const TraceRowLink& link : links)
    links_.push_back({.from = link.row, .to = index_.Find(link.id)});
  Sample(std::span<const JoinSpan>(spans_), links_, make, sink);
}

void TraceSampler::Sample(std::span<const Row> rows, SampleSink& sink) {
  rows_.resize(rows.size());
  row_links_.clear();
  for (std::uint32_t i = 0; i < rows.size(); ++i) {
    const model::SpanBatch& batch = *rows[i].batch;
    const std::uint32_t row = rows[i].row;
    rows_[i] = {.id = IdIndex::Word(batch.span_ids[row]),
                .parent = IdIndex::Word(batch.parent_ids[row]),
                .start_ns = batch.start_ns[row],
                .end_ns = batch.end_ns[row],
                .facts = describer_.Describe(batch, row)};
    const model::Range links = batch.span_links[row];
    for (std::uint32_t l = links.begin; l < links.end; ++l) {
      const model::LinkRow& link = batch.links[l];
      if (link.trace_id == batch.trace_ids[row])
        row_links_.push_back({.row = i, .id = IdIndex::Word(link.span_id)});
    }
  }
  Sample(std::span<const TraceRow>(rows_), row_links_, [&rows] { return TraceOf(rows); }, sink);
}

}  // namespace fluoro::rollup
