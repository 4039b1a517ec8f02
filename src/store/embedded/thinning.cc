#include "store/embedded/thinning.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "base/log.h"
#include "store/embedded/store_impl.h"

namespace fluoro::store {
namespace {

constexpr std::size_t kRoutesMax = 65'536;
// Paths that hold ids are as many as traces.
constexpr std::size_t kRootTextBytesAllMax = std::size_t{32} << 20;
constexpr std::size_t kRootsMax = std::size_t{1} << 18;
constexpr std::uint32_t kDroppedCode = UINT32_MAX;
constexpr std::size_t kReadersMax = 4;

// Of two reasons that hold, that which keeps more.
const model::Kept& Stronger(const model::Kept& a, const model::Kept& b) {
  return b.probability > a.probability ? b : a;
}

}  // namespace

Thinner::Thinner(std::span<const std::shared_ptr<Block>> inputs,
                 std::span<const std::shared_ptr<const TraceTable>> tables, Thinning& thinning,
                 BlockCache& cache, CodeOf code_of, SkeletonEncoder& skeletons, Thinned& thinned)
    : inputs_(inputs),
      tables_(tables),
      thinning_(thinning),
      cache_(cache),
      code_of_(std::move(code_of)),
      skeletons_(skeletons),
      thinned_(thinned),
      scan_(*thinning.filters) {
  (void)RouteNumber("");  // of those for which there is no room
}

Result<void> Thinner::Run(std::vector<MergeEntry>& entries, const std::stop_token& stop) {
  entries_ = &entries;
  FindTraces(entries);
  for (std::uint32_t input = 0; input < inputs_.size(); ++input)
    FLUORO_CHECK_OK(ReadGroups(input, stop));
  for (Trace& trace : traces_) {
    if (stop.stop_requested()) return {};
    if (!trace.waits && trace.spans == 0) FLUORO_CHECK_OK(ReadPieces(trace));
  }
  FLUORO_CHECK_OK(Decide());
  std::erase_if(entries, [](const MergeEntry& entry) { return entry.kept == kDroppedCode; });
  return {};
}

// Those with an entry that was not judged; and which of them stand in one row group, so that they
// are read in the order of rows.
void Thinner::FindTraces(std::vector<MergeEntry>& entries) {
  std::ranges::sort(entries, {}, [this](const MergeEntry& entry) {
    const TraceEntry& part = EntryOf(entry);
    return std::tuple(part.id, entry.input, part.sealed_lsn, part.first_row);
  });
  for (const auto& table : tables_) trace_of_.emplace_back(table->traces.size(), kNone);
  for (std::uint32_t begin = 0; begin < entries.size();) {
    std::uint32_t end = begin;
    bool is_judged = true;
    Trace trace;
    trace.facts.arrival_ns = INT64_MIN;
    const model::TraceId& id = EntryOf(entries[begin]).id;
    for (; end < entries.size() && EntryOf(entries[end]).id == id; ++end) {
      is_judged = is_judged && entries[end].kept != 0;
      trace.facts.arrival_ns =
          std::max(trace.facts.arrival_ns, EntryOf(entries[end]).last_arrival_ns);
    }
    trace.begin = begin;
    trace.end = end;
    begin = end;
    if (is_judged) continue;
    trace.waits = thinning_.in_head.contains(id);
    if (!trace.waits && StandsInOneGroup(trace)) {
      const MergeEntry& entry = entries[trace.begin];
      trace_of_[entry.input][entry.place] = static_cast<std::uint32_t>(traces_.size());
    }
    traces_.push_back(trace);
  }
}

bool Thinner::StandsInOneGroup(const Trace& trace) const {
  if (trace.end - trace.begin > 1) return false;
  const MergeEntry& entry = (*entries_)[trace.begin];
  const TraceEntry& part = EntryOf(entry);
  const std::uint64_t hash = TraceFilter::Hash(part.id);
  const auto may_hold = [&](const std::shared_ptr<Block>& block) {
    return block->MayContain(part.id, hash);
  };
  return inputs_[entry.input]->OnlyGroupOf(part) &&
         std::ranges::none_of(thinning_.before, may_hold) &&
         std::ranges::none_of(thinning_.after, may_hold);
}

Result<void> Thinner::ReadGroups(std::uint32_t input, const std::stop_token& stop) {
  const Block& block = *inputs_[input];
  const TraceTable& table = *tables_[input];
  for (std::uint32_t group = 0; group < block.meta().row_groups.size(); ++group) {
    const auto [first_row, end_row] = block.RowsIn(group);
    std::shared_ptr<const model::SpanBatch> batch;
    for (std::size_t run = block.FirstRunOf(table, group); run < table.traces.size(); ++run) {
      const TraceEntry& part = table.AtRun(run);
      if (part.first_row >= end_row) break;
      const std::size_t place = table.by_row.empty() ? run : table.by_row[run];
      const std::uint32_t number = trace_of_[input][place];
      if (number == kNone || part.first_row < first_row) continue;
      if (stop.stop_requested()) return {};
      if (batch == nullptr) {
        FLUORO_TRY(batch, block.RowGroup(table, group, &cache_));
      }
      const auto begin = static_cast<std::uint32_t>(part.first_row - first_row);
      FLUORO_CHECK_OK(Look(traces_[number], [&](const UseRow& use) -> Result<void> {
        for (std::uint32_t row = begin; row < begin + part.rows; ++row) use(batch, row);
        return {};
      }));
    }
  }
  return {};
}

// A trace in several pieces, of which some may be in other blocks.
Result<void> Thinner::ReadPieces(Trace& trace) {
  const model::TraceId id = EntryOf((*entries_)[trace.begin]).id;
  auto before = EmbeddedStoreImpl::FindIn(thinning_.before, id);
  auto after = EmbeddedStoreImpl::FindIn(thinning_.after, id);
  if (!before || !after) {
    const Error& error = before ? after.error() : before.error();
    log::Warn("store: a trace is not judged, since a piece of it cannot be read",
              {{"trace", id.ToHex()}, {"why", error.message}});
    trace.waits = true;
    return {};
  }
  const auto note = [&](const Fragments::InBlock& piece, bool is_other) {
    if (const model::Kept* kept = piece.KeptFor()) {
      const model::Kept& stronger = trace.prior ? Stronger(priors_[*trace.prior], *kept) : *kept;
      if (!trace.prior || !(stronger == priors_[*trace.prior])) {
        priors_.push_back(stronger);
        trace.prior = static_cast<std::uint32_t>(priors_.size() - 1);
      }
    } else if (is_other) {
      others_[static_cast<std::uint32_t>(&trace - traces_.data())].push_back(
          {.block = piece.block, .sealed_lsn = piece.entry.sealed_lsn});
      trace.waits = trace.waits || piece.entry.last_arrival_ns >= thinning_.live_since_ns;
    }
  };
  Fragments fragments;
  for (const auto& piece : before->blocks) note(piece, true);
  fragments.blocks = std::move(before->blocks);
  for (std::uint32_t i = trace.begin; i < trace.end; ++i) {
    const MergeEntry& entry = (*entries_)[i];
    fragments.blocks.push_back(
        {.block = inputs_[entry.input], .entry = EntryOf(entry), .table = tables_[entry.input]});
    note(fragments.blocks.back(), false);
  }
  for (const auto& piece : after->blocks) {
    note(piece, true);
    fragments.blocks.push_back(piece);
  }
  if (trace.waits) return {};
  FragmentReader reader(fragments, &cache_);
  if (reader.MayRepeat()) FLUORO_CHECK_OK(reader.ApplyReplacements());
  return Look(trace, [&](const UseRow& use) -> Result<void> {
    for (std::uint64_t number = 0; number < reader.spans(); ++number) {
      FLUORO_TRY(const FragmentReader::Row row, reader.At(number));
      use(*row.holder, row.ref.row);
    }
    return {};
  });
}

std::uint32_t Thinner::RouteNumber(std::string route) {
  if (const auto known = route_numbers_.find(route); known != route_numbers_.end())
    return known->second;
  if (routes_.size() >= kRoutesMax) return 0;
  const auto number = static_cast<std::uint32_t>(routes_.size());
  routes_.push_back(route);
  route_numbers_.emplace(std::move(route), number);
  return number;
}

// 1 + its place; 0: there is no room.
std::uint32_t Thinner::RootNumber(query::RootRequest root) {
  Root numbers{};
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    std::string& text = root.*query::RootRequest::kFields.at(i);
    auto known = root_text_numbers_.find(text);
    if (known == root_text_numbers_.end()) {
      if (root_text_bytes_ + text.size() > kRootTextBytesAllMax) return 0;
      root_text_bytes_ += text.size();
      known = root_text_numbers_
                  .emplace(std::move(text), static_cast<std::uint32_t>(root_texts_.size()))
                  .first;
      root_texts_.push_back(&known->first);
    }
    numbers.at(i) = known->second;
  }
  if (const auto known = root_numbers_.find(numbers); known != root_numbers_.end())
    return known->second;
  if (roots_.size() >= kRootsMax) return 0;
  roots_.push_back(numbers);
  const auto number = static_cast<std::uint32_t>(roots_.size());
  root_numbers_.emplace(numbers, number);
  return number;
}

Result<void> Thinner::Look(Trace& trace, const EachRow& each_row) {
  scan_.Begin();
  std::uint32_t spans = 0;
  FLUORO_CHECK_OK(each_row([&](const auto& batch, std::uint32_t row) {
    scan_.Add(batch, row);
    ++spans;
  }));
  const std::int64_t arrival_ns = trace.facts.arrival_ns;
  query::TailTrace seen;
  if (scan_.MayHold()) {
    FLUORO_TRY(seen, LookWhole(trace, each_row));
  } else {
    seen = scan_.Finish();
  }
  trace.spans = spans;
  trace.facts = seen.facts;
  trace.facts.arrival_ns = arrival_ns;
  trace.route = RouteNumber(std::move(seen.route));
  trace.root = RootNumber(std::move(seen.root));
  thinning_.traffic.Add(trace.facts);
  return {};
}

Result<query::TailTrace> Thinner::LookWhole(Trace& trace, const EachRow& each_row) {
  struct Reader {
    std::shared_ptr<const model::SpanBatch> batch;
    model::SpanReader spans;
  };
  std::vector<std::unique_ptr<Reader>> readers;
  const auto reader_of = [&](const std::shared_ptr<const model::SpanBatch>& batch) -> auto& {
    for (const auto& known : readers) {
      if (known->batch == batch) return known->spans;
    }
    if (readers.size() >= kReadersMax) readers.erase(readers.begin());
    readers.push_back(std::make_unique<Reader>(batch, model::SpanReader(*batch)));
    return readers.back()->spans;
  };
  auto whole = std::make_shared<model::Trace>();
  whole->id = EntryOf((*entries_)[trace.begin]).id;
  std::uint64_t bytes = 0;
  FLUORO_CHECK_OK(each_row([&](const auto& batch, std::uint32_t row) {
    if (bytes > thinning_.whole_bytes_max) {
      ++whole->spans_after;
      return;
    }
    whole->spans.push_back(reader_of(batch).Read(row));
    bytes += whole->spans.back().MemoryBytes() + sizeof(model::Entity);
  }));
  trace.is_large = whole->IsPart();
  const query::TailTrace by_rows = scan_.Finish();
  const model::AssembledTrace assembled = model::Assemble(whole);
  query::TailTrace seen = query::TailTraceOf(*thinning_.filters, query::TraceView(assembled));
  if (!trace.is_large) return seen;
  query::TailTrace told = by_rows;
  told.facts.filters = seen.facts.filters;
  told.facts.outcomes = seen.facts.outcomes;
  return told;
}

Result<void> Thinner::Decide() {
  std::int64_t first_ns = INT64_MAX;
  std::int64_t last_ns = INT64_MIN;
  std::vector<std::uint32_t> order;
  for (std::uint32_t i = 0; i < traces_.size(); ++i) {
    if (traces_[i].waits) {
      ++thinned_.waiting;
      continue;
    }
    first_ns = std::min(first_ns, traces_[i].facts.arrival_ns);
    last_ns = std::max(last_ns, traces_[i].facts.arrival_ns);
    order.push_back(i);
  }
  if (order.empty()) return {};
  thinning_.traffic.Forget(std::min(first_ns, last_ns - sampling::TailTraffic::kHourNs));
  std::ranges::sort(order, {}, [this](std::uint32_t i) {
    return std::tuple(traces_[i].facts.start_ns, traces_[i].begin);
  });
  const sampling::TailPolicies& policies = thinning_.filters->policies();
  sampling::TailJudge judge(policies, thinning_.traffic);
  for (const std::uint32_t i : order) {
    const Trace& trace = traces_[i];
    const model::TraceId& id = EntryOf((*entries_)[trace.begin]).id;
    sampling::TailDecision decision = judge.Judge(id.bytes, trace.facts);
    model::Kept kept{
        .reason = std::string(decision.policy ? policies.policies[*decision.policy].name
                                              : sampling::kUnmatchedReason),
        .probability = decision.probability};
    if (trace.is_large && (!decision.keep || decision.probability < 1)) {
      decision.keep = true;
      kept = {.reason = std::string(kLargeReason), .probability = 1};
    }
    if (trace.prior) {
      // An earlier piece was kept: so is this, and for the stronger of both reasons.
      const model::Kept& prior = priors_[*trace.prior];
      kept = decision.keep ? Stronger(prior, kept) : prior;
      decision.keep = true;
    }
    if (decision.keep) {
      KeepBecause(trace, kept);
      continue;
    }
    FLUORO_CHECK_OK(Drop(trace, kept.reason));
    const auto others = others_.find(i);
    if (others == others_.end()) continue;
    for (const LeftPiece& piece : others->second) {
      thinned_.left_behind.emplace_back(piece.block, id);
      thinned_.dropped[piece.sealed_lsn].push_back(id);
    }
  }
  return {};
}

void Thinner::KeepBecause(const Trace& trace, const model::Kept& kept) {
  const std::uint32_t code = code_of_(kept);
  for (std::uint32_t i = trace.begin; i < trace.end; ++i) (*entries_)[i].kept = code;
  ++thinned_.by_reason[kept.reason].kept;
}

Result<void> Thinner::Drop(const Trace& trace, std::string_view reason) {
  DroppedTrace dropped;
  std::int64_t end_ns = INT64_MIN;
  std::uint64_t bytes = 0;
  dropped.start_ns = INT64_MAX;
  for (std::uint32_t i = trace.begin; i < trace.end; ++i) {
    MergeEntry& entry = (*entries_)[i];
    const TraceEntry& part = EntryOf(entry);
    entry.kept = kDroppedCode;
    dropped.id = part.id;
    dropped.start_ns = std::min(dropped.start_ns, part.start_ns);
    end_ns = std::max(end_ns, part.end_ns);
    bytes += inputs_[entry.input]->StoredBytesOf(part);
    thinned_.dropped[part.sealed_lsn].push_back(part.id);
  }
  dropped.duration_ns = WrapSub(end_ns, dropped.start_ns);
  dropped.arrival_ns = trace.facts.arrival_ns;
  dropped.shape = trace.facts.shape;
  dropped.route = routes_[trace.route];
  dropped.reason = reason;
  dropped.spans = trace.spans;
  dropped.bytes = static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes, UINT32_MAX));
  dropped.outcomes = trace.facts.outcomes;
  if (trace.root > 0) {
    query::RootRequestView& root = dropped.root.emplace();
    for (std::size_t i = 0; i < query::RootRequestView::kFields.size(); ++i)
      root.*query::RootRequestView::kFields.at(i) = *root_texts_[roots_[trace.root - 1].at(i)];
  } else {
    ++thinned_.rootless;
  }
  auto& count = thinned_.by_reason[std::string(reason)];
  ++count.dropped;
  return skeletons_.Add(dropped);
}

}  // namespace fluoro::store
