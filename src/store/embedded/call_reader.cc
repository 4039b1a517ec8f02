#include "store/embedded/call_reader.h"

#include <algorithm>

#include "genai/evidence.h"
#include "model/assembly.h"

namespace fluoro::store {
namespace {

using genai::Evidence;
using model::AttributeCell;
using model::SpanBatch;

constexpr auto kNone = static_cast<std::uint8_t>(Evidence::kNone);
constexpr auto kByValue = static_cast<std::uint8_t>(Evidence::kByValue);
constexpr auto kSure = static_cast<std::uint8_t>(Evidence::kSure);
// Batches remembered at once, while reading blocks.
constexpr std::size_t kBatchesMax = 8;

bool ValueIsEvidence(const SpanBatch& batch, const AttributeCell& cell) {
  return cell.type == model::AttributeType::kString &&
         genai::ValueIsEvidence(batch.Text(cell.text()));
}

// Evidence by key; empty if no span can have any.
std::vector<std::uint8_t> KeysOf(const SpanBatch& batch) {
  std::vector<std::uint8_t> keys(batch.keys.size());
  std::uint8_t best = kNone;
  for (std::uint32_t key = 0; key < keys.size(); ++key) {
    keys[key] = static_cast<std::uint8_t>(genai::EvidenceOf(batch.Key(key)));
    best = std::max(best, keys[key]);
  }
  if (best == kSure) return keys;
  const bool by_value =
      best == kByValue && (std::ranges::any_of(batch.attributes,
                                               [&](const AttributeCell& cell) {
                                                 return keys[cell.key] == kByValue &&
                                                        ValueIsEvidence(batch, cell);
                                               }) ||
                           std::ranges::any_of(batch.names, [&](const model::TextRef& name) {
                             return genai::ValueIsEvidence(batch.Text(name));
                           }));
  if (!by_value) keys.clear();
  return keys;
}

}  // namespace

CallReader::Known& CallReader::KnownOf(const SpanBatch& batch) {
  if (&batch == last_) return *last_known_;
  const auto [at, is_new] = batches_.try_emplace(&batch, batch);
  if (is_new) at->second.keys = KeysOf(batch);
  last_ = &batch;
  last_known_ = &at->second;
  return at->second;
}

bool CallReader::MayHold(const TraceRows& trace) {
  return std::ranges::any_of(trace.batches,
                             [this](const auto& batch) { return !KnownOf(*batch).keys.empty(); });
}

bool CallReader::RowMayHold(const RowRef& row) {
  const Known& known = KnownOf(*row.batch);
  if (known.keys.empty()) return false;
  bool by_value = false;
  const model::Range range = row.batch->span_attributes[row.row];
  for (std::uint32_t i = range.begin; i < range.end; ++i) {
    const AttributeCell& cell = row.batch->attributes[i];
    if (known.keys[cell.key] == kSure) return true;
    if (known.keys[cell.key] == kNone) continue;
    by_value = true;
    if (ValueIsEvidence(*row.batch, cell)) return true;
  }
  return by_value && genai::ValueIsEvidence(row.batch->Text(row.batch->names[row.row]));
}

void CallReader::FindInRows(const TraceRows& trace, const Visit& visit) {
  if (std::ranges::none_of(trace.rows, [this](const RowRef& row) { return RowMayHold(row); }))
    return;
  span_keys_.clear();
  for (const auto& [batch, row] : trace.rows)
    span_keys_.push_back({batch->span_ids[row], batch->parent_ids[row], batch->flags[row]});
  for (const std::uint32_t place : model::StandingSpans(span_keys_)) {
    const RowRef& row = trace.rows[place];
    finder_.Add(KnownOf(*row.batch).spans.Read(row.row));
  }
  finder_.Finish(visit);
}

Result<void> CallReader::FindInPieces(const Fragments& fragments, std::size_t pieces,
                                      const Visit& visit) {
  Fragments first;
  const std::size_t blocks = std::min(pieces, fragments.blocks.size());
  first.blocks.assign(fragments.blocks.begin(),
                      fragments.blocks.begin() + static_cast<std::ptrdiff_t>(blocks));
  if (pieces > blocks && fragments.head) first.head = std::make_unique<TraceRows>(*fragments.head);
  FragmentReader reader(first, &cache_);
  if (reader.MayRepeat()) FLUORO_CHECK_OK(reader.ApplyReplacements());
  const auto known = [this](const FragmentReader::Row& row) -> Known& {
    if (row.holder != nullptr && !batches_.contains(row.ref.batch) &&
        batches_.size() >= kBatchesMax) {
      Forget();
    }
    Known& of_batch = KnownOf(*row.ref.batch);
    if (row.holder != nullptr) of_batch.held = *row.holder;
    return of_batch;
  };
  bool may_hold = false;
  for (std::uint64_t number = 0; number < reader.spans() && !may_hold; ++number) {
    FLUORO_TRY(const auto row, reader.At(number));
    (void)known(row);
    may_hold = RowMayHold(row.ref);
  }
  for (std::uint64_t number = 0; number < reader.spans() && may_hold; ++number) {
    const auto row = reader.At(number);
    if (!row) {
      finder_.Finish([](const genai::Call&) {});
      return std::unexpected(row.error());
    }
    finder_.Add(known(*row).spans.Read(row->ref.row));
  }
  finder_.Finish(visit);
  return {};
}

}  // namespace fluoro::store
