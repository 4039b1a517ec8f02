#include "query/tail_filters.h"

#include <xxhash.h>

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "genai/step.h"
#include "model/attribute_reader.h"
#include "rollup/duration_buckets.h"

namespace fluoro::query {
namespace {

// Batches that are remembered: of a trace in several pieces, rows come by turns.
constexpr std::size_t kBatchesMax = 2;
// Hashes that are gathered before they are made distinct.
constexpr std::size_t kOperationsMax = 4'096;

std::uint64_t HashOf(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

std::uint64_t OperationHash(std::uint64_t service, std::string_view name) {
  return XXH3_64bits_withSeed(name.data(), name.size(), service);
}

void MakeDistinct(std::vector<std::uint64_t>& hashes) {
  std::ranges::sort(hashes);
  hashes.erase(std::ranges::unique(hashes).begin(), hashes.end());
}

// Of the set, whatever the order.
std::uint64_t ShapeHash(std::vector<std::uint64_t> operations) {
  MakeDistinct(operations);
  return XXH3_64bits(operations.data(), operations.size() * sizeof(std::uint64_t));
}

std::string RouteOf(const model::Span& entry) {
  std::string route(entry.service());
  const auto templated = genai::CanonicalField(entry, "route");
  route += " ";
  route += templated ? model::ScalarText(*templated) : entry.name;
  if (route.size() > kRouteBytesMax) route.resize(kRouteBytesMax);
  return route;
}

// Whether a span is to be called the entry rather than the one that was found before.
bool IsEntry(bool has_parent, std::int64_t start_ns, bool than_has_parent,
             std::int64_t than_start_ns) {
  return has_parent != than_has_parent ? !has_parent : start_ns < than_start_ns;
}

// What a key is to the question whether a span tells of a timeout: as genai's field reads it.
enum KeyUse : std::uint8_t { kNoUse, kText, kGrpcStatus, kItself };

KeyUse UseOf(std::string_view key) {
  if (key == "timeout") return kItself;
  if (key == "error.type" || key == "exception.type" || key == "exception.message") return kText;
  if (key == "rpc.grpc.status_code" || key == "rpc.response.status_code") return kGrpcStatus;
  return kNoUse;
}

// Every wording that genai calls a timeout has one of these in it.
bool MayMeanTimeout(std::string_view text) {
  const auto contains = [text](std::string_view word) {
    return !std::ranges::search(text, word, [](char a, char b) {
              return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b;
            }).empty();
  };
  return contains("time") || contains("deadline");
}

}  // namespace

Result<TailFilters> TailFilters::Compile(sampling::TailPolicies policies,
                                         const Filter::Options& options) {
  TailFilters filters;
  for (std::size_t i = 0; i < policies.policies.size(); ++i) {
    const std::string& text = policies.policies[i].filter;
    if (text.empty()) continue;
    auto filter = Filter::Parse(text, options);
    if (!filter) {
      return std::unexpected(
          std::move(filter).error().With("TailPolicies[" + std::to_string(i) + "].Filter"));
    }
    Sieve sieve = Sieve::Of(*filter);
    filters.asked_.push_back(
        {.policy = i, .filter = *std::move(filter), .sieve = std::move(sieve)});
  }
  FLUORO_TRY(const Filter failure, Filter::Parse("error OR fault OR throttle"));
  filters.failure_ = Sieve::Of(failure);
  filters.policies_ = std::move(policies);
  return filters;
}

std::uint64_t TailFilters::Matching(const TraceView& view) const {
  std::uint64_t bits = 0;
  for (const Asked& asked : asked_) {
    if (asked.filter.Matches(view)) bits |= std::uint64_t{1} << asked.policy;
  }
  return bits;
}

std::uint8_t TailOutcomesOf(const model::AssembledTrace& trace) {
  std::uint8_t outcomes = 0;
  for (const model::Entity& entity : trace.entities) {
    if (entity.fault) outcomes |= sampling::kTailFault;
    if (entity.error) outcomes |= sampling::kTailError;
    if (entity.throttle) outcomes |= sampling::kTailThrottle;
  }
  for (const model::Span& span : trace.trace->spans) {
    const auto timeout = genai::CanonicalField(span, "timeout");
    const bool* flag = timeout ? timeout->AsBool() : nullptr;
    if (flag != nullptr && *flag)
      return static_cast<std::uint8_t>(outcomes | sampling::kTailTimeout);
  }
  return outcomes;
}

const model::Span* EntryOf(const model::Trace& trace) {
  const model::Span* entry = nullptr;
  for (const model::Span& span : trace.spans) {
    if (entry == nullptr || IsEntry(!span.parent_id.IsZero(), span.start_ns,
                                    !entry->parent_id.IsZero(), entry->start_ns))
      entry = &span;
  }
  return entry;
}

TailTrace TailTraceOf(const TailFilters& filters, const TraceView& view) {
  const model::Trace& trace = *view.trace().trace;
  TailTrace out;
  std::int64_t start_ns = INT64_MAX;
  std::int64_t end_ns = INT64_MIN;
  std::vector<std::uint64_t> operations;
  for (const model::Span& span : trace.spans) {
    start_ns = std::min(start_ns, span.start_ns);
    end_ns = std::max(end_ns, span.end_ns);
    if (operations.size() == kOperationsMax) MakeDistinct(operations);
    operations.push_back(OperationHash(HashOf(span.service()), span.name));
  }
  if (const model::Span* const entry = EntryOf(trace)) {
    out.route = RouteOf(*entry);
    out.root = RootRequestOf(*entry);
  }
  if (trace.IsPart()) {
    start_ns = trace.start_ns;
    end_ns = trace.end_ns;
  }
  out.facts.start_ns = start_ns;
  out.facts.route = HashOf(out.route);
  out.facts.shape = ShapeHash(std::move(operations));
  out.facts.filters = filters.Matching(view);
  out.facts.duration_bucket = rollup::BucketOf(end_ns - start_ns);
  out.facts.outcomes = TailOutcomesOf(view.trace());
  return out;
}

sampling::TailFacts FactsOfDropped(std::string_view route, std::uint64_t shape,
                                   std::int64_t duration_ns, std::int64_t arrival_ns) {
  sampling::TailFacts facts;
  facts.arrival_ns = arrival_ns;
  facts.route = HashOf(route);
  facts.shape = shape;
  facts.duration_bucket = rollup::BucketOf(duration_ns);
  return facts;
}

void TailScan::Begin() {
  holds_.resize(filters_.asked_.size() + 1);
  for (std::size_t i = 0; i < holds_.size(); ++i) {
    const Sieve& sieve = i < filters_.asked_.size() ? filters_.asked_[i].sieve : filters_.failure_;
    holds_[i].assign(sieve.probes().size(), false);
  }
  may_time_out_ = false;
  operations_.clear();
  start_ns_ = INT64_MAX;
  end_ns_ = INT64_MIN;
  entry_has_parent_ = true;
  entry_start_ns_ = INT64_MAX;
  entry_batch_.reset();
}

TailScan::Batch& TailScan::BatchOf(const std::shared_ptr<const model::SpanBatch>& batch) {
  for (const auto& known : batches_) {
    if (known->batch == batch) return *known;
  }
  if (batches_.size() >= kBatchesMax) batches_.erase(batches_.begin());
  auto& added = *batches_.emplace_back(std::make_unique<Batch>());
  added.batch = batch;
  for (const auto& asked : filters_.asked_) added.sieves.emplace_back(asked.sieve, *batch);
  added.sieves.emplace_back(filters_.failure_, *batch);
  for (std::uint32_t key = 0; key < batch->keys.size(); ++key)
    added.keys.push_back(UseOf(batch->Key(key)));
  for (const model::ResourceRow& row : batch->resource_rows)
    added.services.push_back(HashOf(batch->Text(row.service)));
  return added;
}

bool TailScan::MayTellTimeout(const Batch& of, std::uint32_t row) {
  const model::SpanBatch& batch = *of.batch;
  const auto any = [&](model::Range range) {
    for (std::uint32_t i = range.begin; i < range.end; ++i) {
      const model::AttributeCell& cell = batch.attributes[i];
      const std::uint8_t use = of.keys[cell.key];
      if (use == kNoUse) continue;
      if (use == kGrpcStatus && cell.type == model::AttributeType::kInt && cell.payload != 4)
        continue;
      if (use == kText && cell.type == model::AttributeType::kString &&
          !MayMeanTimeout(batch.Text(cell.text())))
        continue;
      return true;
    }
    return false;
  };
  if (any(batch.span_attributes[row]) || MayMeanTimeout(batch.Text(batch.status_messages[row])))
    return true;
  const model::Range events = batch.span_events[row];
  for (std::uint32_t i = events.begin; i < events.end; ++i) {
    if (any(batch.events[i].attributes)) return true;
  }
  // The metadata of X-Ray documents is no attribute.
  return batch.Text(batch.documents[row]).find("\"timeout\"") != std::string_view::npos;
}

void TailScan::Add(const std::shared_ptr<const model::SpanBatch>& batch, std::uint32_t row) {
  Batch& of = BatchOf(batch);
  for (std::size_t i = 0; i < of.sieves.size(); ++i) of.sieves[i].Hold(row, holds_[i]);
  may_time_out_ = may_time_out_ || MayTellTimeout(of, row);
  if (operations_.size() == kOperationsMax) MakeDistinct(operations_);
  operations_.push_back(
      OperationHash(of.services[batch->resources[row]], batch->Text(batch->names[row])));
  const std::int64_t start_ns = batch->start_ns[row];
  start_ns_ = std::min(start_ns_, start_ns);
  end_ns_ = std::max(end_ns_, batch->end_ns[row]);
  const bool has_parent = !batch->parent_ids[row].IsZero();
  if (entry_batch_ == nullptr ||
      IsEntry(has_parent, start_ns, entry_has_parent_, entry_start_ns_)) {
    entry_has_parent_ = has_parent;
    entry_start_ns_ = start_ns;
    entry_batch_ = batch;
    entry_row_ = row;
  }
}

bool TailScan::MayHold() const {
  if (may_time_out_) return true;
  auto holds = holds_;
  for (std::size_t i = 0; i < holds.size(); ++i) {
    const Sieve& sieve = i < filters_.asked_.size() ? filters_.asked_[i].sieve : filters_.failure_;
    HoldByExtent(sieve, start_ns_, end_ns_, holds[i]);
    if (sieve.Passes(holds[i])) return true;
  }
  return false;
}

TailTrace TailScan::Finish() const {
  FLUORO_ASSERT(entry_batch_ != nullptr);
  TailTrace out;
  const model::Span entry = model::SpanReader(*entry_batch_).Read(entry_row_);
  out.route = RouteOf(entry);
  out.root = RootRequestOf(entry);
  out.facts.start_ns = start_ns_;
  out.facts.route = HashOf(out.route);
  out.facts.shape = ShapeHash(operations_);
  out.facts.duration_bucket = rollup::BucketOf(end_ns_ - start_ns_);
  return out;
}

}  // namespace fluoro::query
