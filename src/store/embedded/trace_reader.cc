#include "store/embedded/trace_reader.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "model/assembly.h"
#include "model/log_record.h"

namespace fluoro::store {
namespace {

// What the texts of an entity and of its answer take beside the span: measured, rounded up.
constexpr std::uint64_t kEntityBytes = sizeof(model::Entity) + 512;
// Of a span with a dozen attributes: what a read asks for before it knows better.
constexpr std::uint64_t kTypicalSpanBytes = sizeof(model::Span) + kEntityBytes + 1'536;
constexpr std::uint64_t kKeyBytes = sizeof(model::SpanKey) + 32;
// Row groups held open at once.
constexpr std::size_t kOpenMax = 4;

}  // namespace

const model::Kept* Fragments::KeptFor() const {
  const model::Kept* kept = nullptr;
  for (const InBlock& part : blocks) {
    const model::Kept* of_part = part.KeptFor();
    if (of_part != nullptr && (kept == nullptr || of_part->probability > kept->probability))
      kept = of_part;
  }
  return kept;
}

FragmentReader::FragmentReader(const Fragments& fragments, BlockCache* cache)
    : fragments_(fragments), cache_(cache) {
  for (const Fragments::InBlock& part : fragments.blocks) {
    for (const BlockRows& rows : part.block->RowsOf(part.entry)) {
      AddPiece({.in_block = &part, .rows = rows, .first = rows_, .count = rows.end - rows.begin});
    }
  }
  if (fragments.head) {
    AddPiece(
        {.in_block = nullptr, .rows = {}, .first = rows_, .count = fragments.head->rows.size()});
  }
}

void FragmentReader::AddPiece(Piece piece) {
  if (rows_ + piece.count > kTraceSpansMax) {
    cut_rows_ += rows_ + piece.count - kTraceSpansMax;
    piece.count = kTraceSpansMax - rows_;
  }
  if (piece.count == 0) return;
  rows_ += piece.count;
  pieces_.push_back(piece);
}

bool FragmentReader::MayRepeat() const {
  return fragments_.head != nullptr || fragments_.blocks.size() > 1;
}

Result<void> FragmentReader::ApplyReplacements() {
  std::vector<model::SpanKey> keys;
  keys.reserve(rows_);
  for (std::size_t i = 0; i < pieces_.size(); ++i) FLUORO_CHECK_OK(AppendKeys(i, keys));
  order_ = model::StandingSpans(keys);
  is_ordered_ = true;
  return {};
}

Result<const Block::ReadRows*> FragmentReader::Open(std::size_t index) {
  if (const auto at = open_.find(index); at != open_.end()) return &at->second;
  if (open_.size() >= kOpenMax) open_.clear();
  const Piece& piece = pieces_[index];
  const Block& block = *piece.in_block->block;
  Block::ReadRows rows = piece.in_block->read;
  if (rows.batch != nullptr) {
    // The caller has them.
  } else if (cache_ == nullptr) {
    FLUORO_TRY(rows, block.Rows(piece.in_block->table.get(), piece.in_block->entry, piece.rows));
  } else {
    rows.begin = piece.rows.begin;
    FLUORO_TRY(rows.batch, block.RowGroup(*piece.in_block->table, piece.rows.group, cache_));
  }
  return &open_.try_emplace(index, std::move(rows)).first->second;
}

Result<void> FragmentReader::AppendKeys(std::size_t index, std::vector<model::SpanKey>& keys) {
  const Piece& piece = pieces_[index];
  const auto append = [&keys](const model::SpanBatch& batch, std::uint32_t row) {
    keys.push_back({batch.span_ids[row], batch.parent_ids[row], batch.flags[row]});
  };
  if (piece.in_block == nullptr) {
    for (std::uint64_t i = 0; i < piece.count; ++i) {
      append(*fragments_.head->rows[i].batch, fragments_.head->rows[i].row);
    }
    return {};
  }
  if (pieces_.size() <= kOpenMax) {  // the spans are read from the same row groups next
    FLUORO_TRY(const auto* const rows, Open(index));
    for (std::uint32_t i = 0; i < piece.count; ++i) append(*rows->batch, rows->begin + i);
    return {};
  }
  FLUORO_TRY(const auto group,
             piece.in_block->block->ReadKeys(piece.in_block->entry, piece.rows.group));
  const auto begin = group.begin() + piece.rows.begin;
  keys.insert(keys.end(), begin, begin + static_cast<std::ptrdiff_t>(piece.count));
  return {};
}

Result<FragmentReader::Row> FragmentReader::At(std::uint64_t number) {
  const std::uint64_t row = is_ordered_ ? order_[number] : number;
  const auto after =
      std::upper_bound(pieces_.begin(), pieces_.end(), row,
                       [](std::uint64_t wanted, const Piece& p) { return wanted < p.first; });
  const Piece& piece = *(after - 1);
  const std::uint64_t inside = row - piece.first;
  if (piece.in_block == nullptr) {
    return Row{.ref = fragments_.head->rows[inside], .holder = nullptr};
  }
  FLUORO_TRY(const auto* const rows, Open(static_cast<std::size_t>(&piece - pieces_.data())));
  return Row{.ref = {rows->batch.get(), rows->begin + static_cast<std::uint32_t>(inside)},
             .holder = &rows->batch};
}

namespace {

/// Spans as objects.
class SpanReading {
 public:
  explicit SpanReading(FragmentReader& rows) : rows_(rows) {}

  /// Appends spans from number `first` on until they take more than `bytes`; ends with a document.
  Result<void> Read(std::uint64_t first, std::uint64_t bytes, std::vector<model::Span>& spans) {
    std::uint64_t taken = 0;
    for (std::uint64_t number = first; number < rows_.spans() && taken <= bytes; ++number) {
      FLUORO_TRY(const FragmentReader::Row row, rows_.At(number));
      spans.push_back(ReaderOf(row).Read(row.ref.row));
      taken += spans.back().MemoryBytes() + kEntityBytes;
    }
    return EndWithDocument(first, spans);
  }

 private:
  struct Reader {
    std::shared_ptr<const model::SpanBatch> batch;  ///< null: the fragments hold it
    model::SpanReader spans;
  };

  model::SpanReader& ReaderOf(const FragmentReader::Row& row) {
    if (row.ref.batch == last_batch_) return *last_;
    // Batches of the head are many and small; of row groups few are open at once.
    if (row.holder != nullptr && readers_.size() >= kOpenMax) readers_.clear();
    const auto at = readers_
                        .try_emplace(row.ref.batch,
                                     Reader{.batch = row.holder == nullptr ? nullptr : *row.holder,
                                            .spans = model::SpanReader(*row.ref.batch)})
                        .first;
    last_batch_ = row.ref.batch;
    last_ = &at->second.spans;
    return *last_;
  }

  // Takes back the beginning of a document that goes on behind the part's end, unless nothing else
  // is there.
  Result<void> EndWithDocument(std::uint64_t first, std::vector<model::Span>& spans) {
    std::size_t end = spans.size();
    while (end > 0 && first + end < rows_.spans()) {
      FLUORO_TRY(const FragmentReader::Row next, rows_.At(first + end));
      const model::SpanKey key{
          .id = {}, .parent = {}, .flags = next.ref.batch->flags[next.ref.row]};
      if (!key.IsEmbedded()) break;
      --end;
    }
    if (end > 0) spans.resize(end);
    return {};
  }

  FragmentReader& rows_;
  std::unordered_map<const model::SpanBatch*, Reader> readers_;
  const model::SpanBatch* last_batch_ = nullptr;
  model::SpanReader* last_ = nullptr;
};

struct LeasedTrace {
  ReadBudget::Lease lease;
  model::Trace trace;
};

void Describe(const Fragments& fragments, model::Trace& trace) {
  trace.revision = 0;
  trace.last_arrival_ns = INT64_MIN;
  for (const Fragments::InBlock& part : fragments.blocks) {
    trace.revision += part.entry.appends;
    trace.stored_bytes += part.block->StoredBytesOf(part.entry);
    trace.last_arrival_ns = std::max(trace.last_arrival_ns, part.entry.last_arrival_ns);
    trace.limit_exceeded = trace.limit_exceeded || (part.entry.flags & kTraceLimitExceeded) != 0;
    trace.start_ns = std::min(trace.start_ns, part.entry.start_ns);
    trace.end_ns = std::max(trace.end_ns, part.entry.end_ns);
  }
  if (const model::Kept* kept = fragments.KeptFor()) trace.kept = *kept;
  if (fragments.head) {
    trace.start_ns = std::min(trace.start_ns, fragments.head->start_ns);
    trace.end_ns = std::max(trace.end_ns, fragments.head->end_ns);
    trace.revision += fragments.head->appends;
    trace.last_arrival_ns = std::max(trace.last_arrival_ns, fragments.head->last_arrival_ns);
    trace.limit_exceeded = trace.limit_exceeded || fragments.head->limit_exceeded;
  }
  trace.revision = std::max<std::int64_t>(trace.revision, 1);
}

}  // namespace

Result<std::shared_ptr<const model::Trace>> ReadTracePart(const model::TraceId& id,
                                                          const Fragments& fragments,
                                                          std::uint64_t first_span,
                                                          ReadBudget& budget) {
  FragmentReader reading(fragments);
  SpanReading spans(reading);
  const std::uint64_t keys_bytes = reading.MayRepeat() ? reading.rows() * kKeyBytes : 0;
  const std::uint64_t guess = std::min(reading.rows() * kTypicalSpanBytes, budget.part_bytes());
  auto leased = std::make_shared<LeasedTrace>();
  FLUORO_TRY(leased->lease, budget.Take(guess + keys_bytes));
  if (reading.MayRepeat()) FLUORO_CHECK_OK(reading.ApplyReplacements());

  model::Trace& trace = leased->trace;
  trace.id = id;
  Describe(fragments, trace);
  trace.limit_exceeded = trace.limit_exceeded || reading.cut_rows() > 0;
  trace.spans_before = std::min(first_span, reading.spans());
  FLUORO_CHECK_OK(spans.Read(trace.spans_before, guess, trace.spans));
  if (trace.spans_before + trace.spans.size() < reading.spans() && guess < budget.part_bytes()) {
    // Its spans are larger than was guessed. Waiting with a lease in hand is not allowed.
    std::vector<model::Span>().swap(trace.spans);
    leased->lease = {};
    FLUORO_TRY(leased->lease, budget.Take(budget.part_bytes() + keys_bytes));
    FLUORO_CHECK_OK(spans.Read(trace.spans_before, budget.part_bytes(), trace.spans));
  }
  trace.spans_after = reading.spans() - trace.spans_before - trace.spans.size();
  // Parts are counted in rows: there records stay what they came as.
  if (!trace.IsPart()) model::AttachLogRecords(trace.spans);
  return std::shared_ptr<const model::Trace>(std::move(leased), &trace);
}

}  // namespace fluoro::store
