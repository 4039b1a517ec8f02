#include "store/embedded/trace_reader.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "model/assembly.h"

namespace fluoro::store {
namespace {

// What the texts of an entity and of its answer take beside the span: measured, rounded up.
constexpr std::uint64_t kEntityBytes = sizeof(model::Entity) + 512;
// Of a span with a dozen attributes: what a read asks for before it knows better.
constexpr std::uint64_t kTypicalSpanBytes = sizeof(model::Span) + kEntityBytes + 1'536;
constexpr std::uint64_t kKeyBytes = sizeof(model::SpanKey) + 32;
// Row groups held open at once.
constexpr std::size_t kOpenMax = 4;

/// Consecutive rows of the trace: in one row group of a block, or in the head.
struct Piece {
  const Fragments::InBlock* in_block = nullptr;  ///< null: the head
  BlockRows rows;                                ///< of the row group
  std::uint64_t first = 0;                       ///< number of its first row within the trace
  std::uint64_t count = 0;
};

class TraceReading {
 public:
  explicit TraceReading(const Fragments& fragments) : fragments_(fragments) {
    for (const Fragments::InBlock& part : fragments.blocks) {
      for (const BlockRows& rows : part.block->RowsOf(*part.entry)) {
        AddPiece({.in_block = &part, .rows = rows, .first = rows_, .count = rows.end - rows.begin});
      }
    }
    if (fragments.head)
      AddPiece(
          {.in_block = nullptr, .rows = {}, .first = rows_, .count = fragments.head->rows.size()});
  }

  [[nodiscard]] std::uint64_t rows() const { return rows_; }
  [[nodiscard]] bool cut() const { return cut_; }
  /// A block holds each span once; only another fragment can bring it again.
  [[nodiscard]] bool MayRepeat() const {
    return fragments_.head != nullptr || fragments_.blocks.size() > 1;
  }

  /// Call before Read if MayRepeat.
  Result<void> ApplyReplacements() {
    std::vector<model::SpanKey> keys;
    keys.reserve(rows_);
    for (std::size_t i = 0; i < pieces_.size(); ++i) FLUORO_CHECK_OK(AppendKeys(i, keys));
    order_ = model::StandingSpans(keys);
    is_ordered_ = true;
    return {};
  }

  [[nodiscard]] std::uint64_t spans() const { return is_ordered_ ? order_.size() : rows_; }

  /// Appends spans from number `first` on until they take more than `bytes`.
  Result<void> Read(std::uint64_t first, std::uint64_t bytes, std::vector<model::Span>& spans) {
    std::uint64_t taken = 0;
    for (std::uint64_t number = first; number < this->spans() && taken <= bytes; ++number) {
      FLUORO_TRY(const RowAt at, Find(number));
      spans.push_back(at.reader->Read(at.row));
      taken += spans.back().MemoryBytes() + kEntityBytes;
    }
    return EndWithDocument(first, spans);
  }

 private:
  struct Open {
    explicit Open(std::shared_ptr<const model::SpanBatch> the_batch)
        : batch(std::move(the_batch)), reader(*batch) {}
    std::shared_ptr<const model::SpanBatch> batch;
    model::SpanReader reader;
  };
  struct RowAt {
    const model::SpanBatch* batch = nullptr;
    model::SpanReader* reader = nullptr;
    std::uint32_t row = 0;
  };

  void AddPiece(Piece piece) {
    if (rows_ + piece.count > kTraceSpansMax) {
      cut_ = true;
      piece.count = kTraceSpansMax - rows_;
    }
    if (piece.count == 0) return;
    rows_ += piece.count;
    pieces_.push_back(piece);
  }

  Result<Open*> OpenPiece(std::size_t index) {
    if (const auto at = open_.find(index); at != open_.end()) return &at->second;
    if (open_.size() >= kOpenMax) open_.clear();
    const Piece& piece = pieces_[index];
    FLUORO_TRY(auto batch,
               piece.in_block->block->RowGroup(*piece.in_block->table, piece.rows.group));
    return &open_.try_emplace(index, std::move(batch)).first->second;
  }

  Result<void> AppendKeys(std::size_t index, std::vector<model::SpanKey>& keys) {
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
      FLUORO_TRY(const Open* const open, OpenPiece(index));
      for (std::uint32_t i = 0; i < piece.count; ++i) append(*open->batch, piece.rows.begin + i);
      return {};
    }
    FLUORO_TRY(const auto group,
               piece.in_block->block->ReadKeys(*piece.in_block->table, piece.rows.group));
    const auto begin = group.begin() + piece.rows.begin;
    keys.insert(keys.end(), begin, begin + static_cast<std::ptrdiff_t>(piece.count));
    return {};
  }

  Result<RowAt> Find(std::uint64_t number) {
    const std::uint64_t row = is_ordered_ ? order_[number] : number;
    const auto after =
        std::upper_bound(pieces_.begin(), pieces_.end(), row,
                         [](std::uint64_t wanted, const Piece& p) { return wanted < p.first; });
    const Piece& piece = *(after - 1);
    const std::uint64_t inside = row - piece.first;
    if (piece.in_block == nullptr) {
      const RowRef& ref = fragments_.head->rows[inside];
      const auto reader = head_readers_.try_emplace(ref.batch, *ref.batch).first;
      return RowAt{.batch = ref.batch, .reader = &reader->second, .row = ref.row};
    }
    FLUORO_TRY(Open* const open, OpenPiece(static_cast<std::size_t>(&piece - pieces_.data())));
    return RowAt{.batch = open->batch.get(),
                 .reader = &open->reader,
                 .row = piece.rows.begin + static_cast<std::uint32_t>(inside)};
  }

  // Takes back the beginning of a document that goes on behind the part's end, unless nothing else
  // is there.
  Result<void> EndWithDocument(std::uint64_t first, std::vector<model::Span>& all) {
    std::size_t end = all.size();
    while (end > 0 && first + end < spans()) {
      FLUORO_TRY(const RowAt next, Find(first + end));
      const model::SpanKey key{.id = {}, .parent = {}, .flags = next.batch->flags[next.row]};
      if (!key.IsEmbedded()) break;
      --end;
    }
    if (end > 0) all.resize(end);
    return {};
  }

  const Fragments& fragments_;
  std::vector<Piece> pieces_;
  std::uint64_t rows_ = 0;
  bool cut_ = false;
  bool is_ordered_ = false;
  std::vector<std::uint32_t> order_;  ///< rows of the spans that stand, if is_ordered_
  std::map<std::size_t, Open> open_;  ///< by piece
  std::unordered_map<const model::SpanBatch*, model::SpanReader> head_readers_;
};

struct LeasedTrace {
  ReadBudget::Lease lease;
  model::Trace trace;
};

void Describe(const Fragments& fragments, model::Trace& trace) {
  trace.revision = 0;
  trace.last_arrival_ns = INT64_MIN;
  for (const Fragments::InBlock& part : fragments.blocks) {
    trace.revision += part.entry->appends;
    trace.last_arrival_ns = std::max(trace.last_arrival_ns, part.entry->last_arrival_ns);
    trace.limit_exceeded = trace.limit_exceeded || (part.entry->flags & kTraceLimitExceeded) != 0;
    trace.start_ns = std::min(trace.start_ns, part.entry->start_ns);
    trace.end_ns = std::max(trace.end_ns, part.entry->end_ns);
  }
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
  TraceReading reading(fragments);
  const std::uint64_t keys_bytes = reading.MayRepeat() ? reading.rows() * kKeyBytes : 0;
  const std::uint64_t guess = std::min(reading.rows() * kTypicalSpanBytes, budget.part_bytes());
  auto leased = std::make_shared<LeasedTrace>();
  FLUORO_TRY(leased->lease, budget.Take(guess + keys_bytes));
  if (reading.MayRepeat()) FLUORO_CHECK_OK(reading.ApplyReplacements());

  model::Trace& trace = leased->trace;
  trace.id = id;
  Describe(fragments, trace);
  trace.limit_exceeded = trace.limit_exceeded || reading.cut();
  trace.spans_before = std::min(first_span, reading.spans());
  FLUORO_CHECK_OK(reading.Read(trace.spans_before, guess, trace.spans));
  if (trace.spans_before + trace.spans.size() < reading.spans() && guess < budget.part_bytes()) {
    // Its spans are larger than was guessed. Waiting with a lease in hand is not allowed.
    std::vector<model::Span>().swap(trace.spans);
    leased->lease = {};
    FLUORO_TRY(leased->lease, budget.Take(budget.part_bytes() + keys_bytes));
    FLUORO_CHECK_OK(reading.Read(trace.spans_before, budget.part_bytes(), trace.spans));
  }
  trace.spans_after = reading.spans() - trace.spans_before - trace.spans.size();
  return std::shared_ptr<const model::Trace>(std::move(leased), &trace);
}

}  // namespace fluoro::store
