#include "store/embedded/graph_reader.h"

#include <algorithm>
#include <cstring>

#include "model/assembly.h"
#include "model/log_record.h"

namespace fluoro::store {
namespace {

using rollup::SampleSink;
using rollup::TraceRow;
using rollup::TraceRowLink;

model::SpanId IdOf(std::uint64_t word) {
  model::SpanId id;
  std::memcpy(id.bytes.data(), &word, sizeof word);
  return id;
}

}  // namespace

// What the columns do not say, the spans do.
Result<void> GraphReader::ReadGroup(const Block& block, const TraceTable& table,
                                    std::uint32_t group, GraphColumns::Ids ids,
                                    std::uint64_t& bytes) {
  bool covered = false;
  FLUORO_TRY(bytes, block.WithColumns(table, group,
                                      [&](std::span<const TraceRun> runs,
                                          const ColumnReader& column) -> Result<void> {
                                        FLUORO_TRY(covered, columns_.Read(column, runs, ids));
                                        return {};
                                      }));
  if (!covered) {
    FLUORO_TRY(const auto batch, block.RowGroup(table, group, &cache_));
    columns_.ReadBatch(*batch, block.RunsOf(table, group), sampler_.describer());
    sampler_.Forget();
  }
  spans_read_ += columns_.spans().size();
  return {};
}

Result<std::uint64_t> GraphReader::SampleGroup(const std::shared_ptr<Block>& block,
                                               const std::shared_ptr<const TraceTable>& table,
                                               std::uint32_t group,
                                               const std::function<bool(std::uint32_t)>& wants,
                                               SampleSink& sink) {
  if (facts_.IsFull()) facts_.Clear();
  std::uint64_t bytes = 0;
  FLUORO_CHECK_OK(ReadGroup(*block, *table, group, GraphColumns::Ids::kNone, bytes));
  const auto [first_row, end_row] = block->RowsIn(group);
  const TraceEntry* at = nullptr;
  const rollup::TraceSampler::MakeTrace make = [&] {
    Fragments fragments;
    fragments.blocks.push_back({.block = block, .entry = *at, .table = table});
    return Assemble(fragments);
  };
  for (std::size_t run = block->FirstRunOf(*table, group); run < table->traces.size(); ++run) {
    const TraceEntry& entry = table->AtRun(run);
    if (entry.first_row >= end_row) break;
    if (entry.first_row < first_row || entry.first_row + entry.rows > end_row) continue;
    if (!wants(table->by_row.empty() ? static_cast<std::uint32_t>(run) : table->by_row[run]))
      continue;
    at = &entry;
    SampleRun(entry.first_row - first_row, entry.rows, make, sink);
  }
  return bytes;
}

Result<bool> GraphReader::ReadWritten(std::span<const TraceRun> runs, const ColumnReader& column) {
  if (facts_.IsFull()) facts_.Clear();
  return columns_.Read(column, runs, GraphColumns::Ids::kNone);
}

void GraphReader::SampleWritten(std::size_t first, const TraceRows& trace, SampleSink& sink) {
  const rollup::TraceSampler::MakeTrace make = [&] {
    Fragments fragments;
    fragments.head = std::make_unique<TraceRows>(trace);
    return Assemble(fragments);
  };
  SampleRun(first, trace.rows.size(), make, sink);
}

void GraphReader::SampleRun(std::size_t first, std::size_t rows,
                            const rollup::TraceSampler::MakeTrace& make, SampleSink& sink) {
  join_links_.clear();
  const auto links = columns_.LinksOf(first, rows);
  if (!links.empty()) {
    index_.Build(columns_.ids().subspan(first, rows));
    for (const TraceRowLink& link : links) {
      join_links_.push_back(
          {.from = static_cast<std::uint32_t>(link.row - first), .to = index_.Find(link.id)});
    }
  }
  sampler_.Sample(columns_.spans().subspan(first, rows), join_links_, make, sink);
}

void GraphReader::SampleHead(const TraceRows& trace, SampleSink& sink) {
  span_keys_.clear();
  for (const auto& [batch, row] : trace.rows)
    span_keys_.push_back({batch->span_ids[row], batch->parent_ids[row], batch->flags[row]});
  head_rows_.clear();
  for (const std::uint32_t place : model::StandingSpans(span_keys_))
    head_rows_.push_back({.batch = trace.rows[place].batch, .row = trace.rows[place].row});
  SampleRows(sink);
}

void GraphReader::SampleStanding(const TraceRows& trace, SampleSink& sink) {
  head_rows_.clear();
  for (const auto& [batch, row] : trace.rows) head_rows_.push_back({.batch = batch, .row = row});
  SampleRows(sink);
}

void GraphReader::SampleRows(SampleSink& sink) {
  if (facts_.IsFull()) facts_.Clear();
  sampler_.Sample(std::span<const rollup::TraceSampler::Row>(head_rows_), sink);
}

std::uint64_t GraphReader::RowsOf(const Fragments& fragments) {
  std::uint64_t rows = fragments.head ? fragments.head->rows.size() : 0;
  for (const Fragments::InBlock& part : fragments.blocks) rows += part.entry.rows;
  return rows;
}

Result<void> GraphReader::SamplePieces(std::span<Pieces> traces) {
  if (facts_.IsFull()) facts_.Clear();
  std::vector<Loaded> loaded(traces.size());
  std::vector<Part> parts;
  for (std::size_t i = 0; i < traces.size(); ++i) {
    std::size_t rows = 0;
    for (const Fragments::InBlock& in_block : traces[i].fragments.blocks) {
      for (const BlockRows& piece : in_block.block->RowsOf(in_block.entry)) {
        parts.push_back({.in_block = &in_block, .rows = piece, .trace = i, .first = rows});
        rows += piece.end - piece.begin;
      }
      loaded[i].ends.push_back(rows);
    }
    loaded[i].rows.resize(rows);
    loaded[i].flags.resize(rows);
  }
  FLUORO_CHECK_OK(LoadParts(parts, loaded));
  for (std::size_t i = 0; i < traces.size(); ++i) {
    const Pieces& trace = traces[i];
    std::ranges::sort(loaded[i].links, {}, &TraceRowLink::row);
    if (trace.fragments.head) LoadHead(*trace.fragments.head, loaded[i]);
    for (std::size_t joined = 1; joined < trace.sinks.size(); ++joined) {
      if (trace.sinks[joined] != nullptr)
        SampleJoined(trace, loaded[i], joined, *trace.sinks[joined]);
    }
  }
  return {};
}

Result<void> GraphReader::LoadParts(std::span<Part> parts, std::span<Loaded> loaded) {
  const auto place = [](const Part& part) {
    return std::pair(part.in_block->block.get(), part.rows.group);
  };
  std::ranges::sort(parts, {}, place);
  for (std::size_t begin = 0; begin < parts.size();) {
    const Part& any = parts[begin];
    std::uint64_t bytes = 0;
    FLUORO_CHECK_OK(ReadGroup(*any.in_block->block, *any.in_block->table, any.rows.group,
                              GraphColumns::Ids::kWanted, bytes));
    std::size_t end = begin;
    for (; end < parts.size() && place(parts[end]) == place(any); ++end) {
      const Part& part = parts[end];
      Loaded& to = loaded[part.trace];
      for (std::size_t row = part.rows.begin; row < part.rows.end; ++row) {
        const std::size_t at = part.first + row - part.rows.begin;
        const rollup::JoinSpan& span = columns_.spans()[row];
        to.rows[at] = {.id = columns_.ids()[row],
                       .parent = columns_.parent_ids()[row],
                       .start_ns = span.start_ns,
                       .end_ns = span.end_ns,
                       .facts = span.facts};
        to.flags[at] = columns_.flags()[row];
      }
      for (const TraceRowLink& link :
           columns_.LinksOf(part.rows.begin, part.rows.end - part.rows.begin)) {
        to.links.push_back(
            {.row = static_cast<std::uint32_t>(part.first + link.row - part.rows.begin),
             .id = link.id});
      }
    }
    begin = end;
  }
  return {};
}

void GraphReader::LoadHead(const TraceRows& trace, Loaded& loaded) {
  for (const RowRef& ref : trace.rows) {
    const model::SpanBatch& batch = *ref.batch;
    const model::Range links = batch.span_links[ref.row];
    for (std::uint32_t l = links.begin; l < links.end; ++l) {
      if (batch.links[l].trace_id == trace.id) {
        loaded.links.push_back({.row = static_cast<std::uint32_t>(loaded.rows.size()),
                                .id = rollup::IdIndex::Word(batch.links[l].span_id)});
      }
    }
    loaded.rows.push_back({.id = rollup::IdIndex::Word(batch.span_ids[ref.row]),
                           .parent = rollup::IdIndex::Word(batch.parent_ids[ref.row]),
                           .start_ns = batch.start_ns[ref.row],
                           .end_ns = batch.end_ns[ref.row],
                           .facts = sampler_.describer().Describe(batch, ref.row)});
    loaded.flags.push_back(batch.flags[ref.row]);
  }
  loaded.ends.push_back(loaded.rows.size());
}

void GraphReader::SampleJoined(const Pieces& pieces, const Loaded& loaded, std::size_t joined,
                               SampleSink& sink) {
  const std::size_t count = loaded.ends[joined - 1];
  const auto make = [&] {
    Fragments fragments;
    const std::size_t blocks = std::min(joined, pieces.fragments.blocks.size());
    fragments.blocks.assign(pieces.fragments.blocks.begin(),
                            pieces.fragments.blocks.begin() + static_cast<std::ptrdiff_t>(blocks));
    if (joined > blocks && pieces.fragments.head)
      fragments.head = std::make_unique<TraceRows>(*pieces.fragments.head);
    return Assemble(fragments);
  };
  span_keys_.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    span_keys_[i] = {.id = IdOf(loaded.rows[i].id),
                     .parent = IdOf(loaded.rows[i].parent),
                     .flags = static_cast<std::uint32_t>(loaded.flags[i])};
  }
  const std::vector<std::uint32_t> standing = model::StandingSpans(span_keys_);
  joined_.rows.clear();
  joined_.links.clear();
  place_of_.assign(count, UINT32_MAX);
  for (const std::uint32_t row : standing) {
    place_of_[row] = static_cast<std::uint32_t>(joined_.rows.size());
    joined_.rows.push_back(loaded.rows[row]);
  }
  for (const TraceRowLink& link : loaded.links) {
    if (link.row < count && place_of_[link.row] != UINT32_MAX)
      joined_.links.push_back({.row = place_of_[link.row], .id = link.id});
  }
  std::ranges::stable_sort(joined_.links, {}, &TraceRowLink::row);
  sampler_.Sample(std::span<const TraceRow>(joined_.rows), joined_.links, make, sink);
}

// Null if it cannot be read: then its samples are missing.
std::shared_ptr<const model::Trace> GraphReader::Assemble(const Fragments& fragments) {
  FragmentReader reader(fragments, &cache_);
  if (reader.MayRepeat() && !reader.ApplyReplacements()) return nullptr;
  auto trace = std::make_shared<model::Trace>();
  trace->spans.reserve(reader.spans());
  for (std::uint64_t number = 0; number < reader.spans(); ++number) {
    const auto row = reader.At(number);
    if (!row) return nullptr;
    trace->spans.push_back(row->ref.batch->MakeSpan(row->ref.row));
  }
  model::AttachLogRecords(trace->spans);
  if (!trace->spans.empty()) trace->id = trace->spans.front().trace_id;
  return trace;
}

}  // namespace fluoro::store
