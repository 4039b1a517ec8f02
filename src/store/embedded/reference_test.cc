// The fast readers against the reference reader, on whatever the store writes.
#include <gtest/gtest.h>

#include "base/memory_fs.h"
#include "model/summary_testing.h"
#include "rollup/call_testing.h"
#include "store/embedded/batch_codec.h"
#include "store/embedded/block.h"
#include "store/embedded/embedded_store.h"
#include "store/embedded/reference_reader_for_test.h"
#include "store/embedded/skeleton.h"
#include "store/embedded/wal_format.h"
#include "store/testing.h"

namespace fluoro::store {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the suite of this module

constexpr std::int64_t kFarTimes[] = {1'699'999'000'000'000'000, 1'700'000'000'000'000'000,
                                      1'700'004'000'000'000'000};
constexpr std::int64_t kExtremes[] = {INT64_MIN, -1, 0, 1, INT64_MAX};

model::AttributeValue WildValue(Rng& rng) {
  switch (rng.Below(10)) {
    case 0:
      return {INT64_MIN};
    case 1:
      return {INT64_MAX};
    case 2:
      return {static_cast<std::int64_t>(rng.Below(100)) * 1'000'000};
    case 3:
      return {-0.0};
    case 4:
      return {5e-324};
    case 5:
      return {std::string("\0\xff\xe2\x80\xae", 5)};
    case 6:
      return {std::string(rng.Below(30'000), 'x')};
    case 7:
      return {std::to_string(rng.Next()) + std::to_string(rng.Next())};
    default:
      return RandomValue(rng, 6);
  }
}

// Whatever a span may hold: times before 1970 and far apart, texts that are all alike, all
// different or huge, empty and doubled ids, many services.
model::Span WildSpan(Rng& rng, std::uint64_t number) {
  model::Span span = RandomSpan(rng, MakeTraceId(rng.Below(12)), number);
  if (rng.Chance(0.1)) span.span_id = MakeSpanId(rng.Below(4));
  if (rng.Chance(0.1)) span.parent_id = span.span_id;
  if (rng.Chance(0.2)) span.start_ns = kFarTimes[rng.Below(std::size(kFarTimes))];
  if (rng.Chance(0.3)) span.start_ns = span.start_ns / 1'000'000 * 1'000'000;
  if (rng.Chance(0.2)) span.end_ns = kFarTimes[rng.Below(std::size(kFarTimes))];
  span.end_ns = std::max(span.end_ns, span.start_ns);
  if (rng.Chance(0.1)) span.name = std::string(rng.Below(3), 'n');
  if (rng.Chance(0.03)) span.document = std::string(rng.Below(60'000), 'd');
  span.flags = static_cast<std::uint32_t>(rng.Next()) >> rng.Below(32);
  span.otel_flags = static_cast<std::uint32_t>(rng.Next()) >> rng.Below(32);
  span.source = static_cast<model::SpanSource>(rng.Below(5));
  span.dropped_events = static_cast<std::uint32_t>(rng.Below(3));
  span.dropped_links = UINT32_MAX;
  // All differ: of such texts a row group keeps a filter.
  span.attributes.push_back({"request", {MakeTraceId(rng.Next()).ToHex()}});
  for (std::uint64_t i = rng.Below(8); i > 0; --i) {
    span.attributes.push_back({"wild." + std::to_string(rng.Below(20)), WildValue(rng),
                               static_cast<model::AttributeRole>(rng.Below(2))});
  }
  if (rng.Chance(0.2)) {  // a call of a model, or a span that a service graph is made from
    const auto call = rollup::testing::RandomCallSpan(rng, span.trace_id, number);
    span.attributes.insert(span.attributes.end(), call.attributes.begin(), call.attributes.end());
  }
  if (rng.Chance(0.3)) {
    auto resource = std::make_shared<model::Resource>(*span.resource);
    resource->attributes[0].value = {"service-" + std::to_string(rng.Below(200))};
    resource->attributes.push_back({"pod", WildValue(rng), {}});
    resource->dropped_attributes = static_cast<std::uint32_t>(rng.Below(2));
    resource->entity_refs = rng.Chance(0.5) ? "\x0a\x01x" : "";
    span.resource = std::move(resource);
  }
  for (model::Link& link : span.links) link.attributes.push_back({"l", WildValue(rng), {}});
  for (model::Event& event : span.events) {
    if (rng.Chance(0.2)) event.time_ns = static_cast<std::int64_t>(rng.Next());
    event.attributes.push_back({"e", WildValue(rng), {}});
  }
  return span;
}

std::vector<model::Span> SpansOf(const model::SpanBatch& batch) {
  model::SpanReader reader(batch);
  std::vector<model::Span> spans;
  for (std::uint32_t i = 0; i < batch.size(); ++i) spans.push_back(reader.Read(i));
  return spans;
}

TEST(ReferenceReader, ReadsEveryBatchAsTheCodecDoes) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    std::vector<model::Span> spans;
    for (std::uint64_t i = rng.Below(30); i > 0; --i) {
      spans.push_back(WildSpan(rng, i));
      if (rng.Chance(0.3)) spans.back().start_ns = kExtremes[rng.Below(std::size(kExtremes))];
      if (rng.Chance(0.3)) spans.back().end_ns = kExtremes[rng.Below(std::size(kExtremes))];
    }
    std::string payload;
    EncodeBatch(MakeBatch(spans), -5, payload);
    const auto record = reference::ReadBatch(payload);
    ASSERT_TRUE(record) << record.error().message;
    EXPECT_EQ(record->arrival_ns, -5);
    EXPECT_EQ(record->spans, spans);
    EXPECT_EQ(SpansOf(DecodeBatch(payload)->batch), spans);
    EXPECT_FALSE(reference::ReadBatch(payload.substr(0, payload.size() - 1)));
  }
}

// A store's folder full of random spans: several log files, blocks of all levels, deletions.
class ReferenceStore {
 public:
  explicit ReferenceStore(std::uint64_t seed, std::uint64_t spans_of_a_batch = 40,
                          std::uint64_t keys = 0)
      : rng_(seed) {
    options_.folder = "data";
    options_.background_thread = false;
    options_.wal_file_bytes = 60'000;
    options_.wal_allocate_bytes = 1'000;
    options_.merge.fan_in = 3;
    options_.merge.copy_spans = 1 + rng_.Below(40);
    if (seed % 3 == 0) {
      options_.keys = std::make_shared<crypto::Keyring>();
      for (const auto& [name, bytes] : keys_) {
        EXPECT_TRUE(options_.keys->Add(
            name, crypto::Secret(std::span<const std::uint8_t, crypto::kKeyBytes>(
                      reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()))));
      }
      EXPECT_TRUE(options_.keys->Use("reference"));
    }
    // Half of the stores judge what they merge.
    if (seed % 2 == 0) {
      options_.live_window_ns = static_cast<std::int64_t>(rng_.Below(3)) * kNsPerSecond;
      sampling::TailPolicies policies;
      policies.policies.resize(2);
      policies.policies[0] = {.name = "gold", .filter = "annotation.wild.1 = true", .keep = 0.9};
      policies.policies[1] = {.name = "rest", .keep = 0.4};
      options_.tail_policies =
          std::make_shared<const query::TailFilters>(*query::TailFilters::Compile(policies));
    }
    auto store = *OpenEmbeddedStore(fs_, clock_, metrics_, options_);
    for (int step = 0; step < 12; ++step) {
      std::vector<model::Span> spans;
      for (std::uint64_t i = 1 + rng_.Below(spans_of_a_batch); i > 0; --i)
        spans.push_back(WildSpan(rng_, ++number_));
      for (std::uint64_t key = 0; key < keys; ++key)
        spans[key % spans.size()].attributes.push_back(
            {"k" + std::to_string(key), RandomValue(rng_, 2), {}});
      EXPECT_TRUE(store->Append(MakeBatch(spans), Durability::kSynced));
      clock_.Advance(kNsPerSecond);
      if (rng_.Chance(0.5)) {
        EXPECT_TRUE(store->SealAll());
      }
      if (rng_.Chance(0.2)) {
        EXPECT_TRUE(store->Delete(std::vector{MakeTraceId(rng_.Below(12))}));
      }
      if (rng_.Chance(0.3)) {
        EXPECT_TRUE(store->RunMaintenance());
      }
      Check();
    }
  }
  [[nodiscard]] const std::set<std::string>& seen() const { return seen_; }

  // All files as they are now.
  void Check() {
    const auto blocks = fs_.List("data/blocks");
    for (const std::string& name : *blocks) {
      SCOPED_TRACE(name);
      const std::string content = *ReadFile(fs_, "data/blocks/" + name);
      if (name.ends_with(".del")) {
        EXPECT_EQ(*reference::ReadDeletions(content), *DecodeDeletions(content));
      } else {
        CheckBlock("data/blocks/" + name, content);
      }
    }
    const auto logs = fs_.List("data/wal");
    for (const std::string& name : *logs) {
      SCOPED_TRACE(name);
      CheckLog(*ReadFile(fs_, "data/wal/" + name));
    }
  }

 private:
  void CheckBlock(const std::string& path, const std::string& content) {
    std::uint64_t id = 0;
    ASSERT_TRUE(ParseBlockFileName(path.substr(path.size() - 20), id));
    const auto slow = reference::ReadBlock(content, keys_);
    ASSERT_TRUE(slow) << slow.error().message;
    BlockCache cache(metrics_, "questions", 0);
    const auto fast = Block::Open(fs_, cache, path, id, options_.keys.get());
    ASSERT_TRUE(fast) << fast.error().message;
    const BlockMeta& meta = (*fast)->meta();
    EXPECT_EQ(slow->id, meta.id);
    EXPECT_EQ(slow->level, meta.level);
    EXPECT_EQ(slow->order, meta.order);
    EXPECT_EQ(slow->created_ns, meta.created_ns);
    EXPECT_EQ(slow->sealed_lsn, meta.sealed_lsn);
    EXPECT_EQ(slow->spans, meta.spans);
    EXPECT_EQ(slow->start_ns_min, meta.start_ns_min);
    EXPECT_EQ(slow->start_ns_max, meta.start_ns_max);
    EXPECT_EQ(slow->end_ns_max, meta.end_ns_max);
    EXPECT_EQ(slow->arrival_ns_min, meta.arrival_ns_min);
    EXPECT_EQ(slow->arrival_ns_max, meta.arrival_ns_max);
    EXPECT_EQ(slow->id_min, meta.id_min);
    EXPECT_EQ(slow->id_max, meta.id_max);
    EXPECT_EQ(slow->replaces, meta.replaces);
    EXPECT_EQ(slow->row_groups, meta.row_groups);
    const auto table = *(*fast)->Table();
    ASSERT_EQ(slow->traces.size(), table->traces.size());
    for (std::size_t i = 0; i < slow->traces.size(); ++i) {
      const reference::Trace& a = slow->traces[i];
      const TraceEntry& b = table->traces[i];
      EXPECT_TRUE(a.id == b.id && a.start_ns == b.start_ns && a.end_ns == b.end_ns &&
                  a.first_arrival_ns == b.first_arrival_ns &&
                  a.last_arrival_ns == b.last_arrival_ns && a.first_row == b.first_row &&
                  a.rows == b.rows && a.appends == b.appends && a.flags == b.flags &&
                  a.sealed_lsn == b.sealed_lsn)
          << i;
      const model::Kept* kept = table->KeptOf(b);
      EXPECT_EQ(a.kept, kept == nullptr ? model::Kept({.reason = "", .probability = 0}) : *kept);
      EXPECT_TRUE(reference::FilterMayContain(slow->filter, a.id));
    }
    EXPECT_EQ(slow->page_ids, meta.page_ids);
    for (const reference::Trace& trace : slow->traces) {
      const auto found = (*fast)->Find(trace.id);  // in pages: the cache holds nothing
      ASSERT_TRUE(found) << found.error().message;
      EXPECT_EQ(found->table, nullptr);
      EXPECT_TRUE(std::ranges::any_of(found->parts, [&](const TraceEntry& part) {
        return part.id == trace.id && part.first_row == trace.first_row &&
               part.rows == trace.rows && part.sealed_lsn == trace.sealed_lsn;
      }));
    }
    EXPECT_EQ(slow->judged_ns, meta.judged_ns);
    std::size_t place = 0;
    EXPECT_TRUE((*fast)->ReadSkeletons([&](std::string_view chunk) {
      return DecodeSkeletons(chunk, [&](const DroppedTrace& b) {
        ASSERT_LT(place, slow->skeletons.size());
        const reference::Skeleton& a = slow->skeletons[place++];
        EXPECT_TRUE(a.id == b.id && a.start_ns == b.start_ns && a.duration_ns == b.duration_ns &&
                    a.shape == b.shape &&
                    static_cast<std::int64_t>(a.arrival_s) * kNsPerSecond == b.arrival_ns &&
                    a.route == b.route && a.reason == b.reason && a.spans == b.spans &&
                    a.bytes == b.bytes && a.outcomes == b.outcomes);
        std::vector<std::string> root;
        if (b.root) {
          for (const auto field : query::RootRequestView::kFields)
            root.emplace_back((*b.root).*field);
        }
        EXPECT_EQ(a.root, root);
      });
    }));
    EXPECT_EQ(place, slow->skeletons.size());
    for (std::uint64_t i = 0; i < 50; ++i) {
      const model::TraceId other = MakeTraceId(rng_.Next());
      if (other < meta.id_min || meta.id_max < other) continue;
      EXPECT_EQ(reference::FilterMayContain(slow->filter, other), (*fast)->MayContain(other));
    }
    std::vector<model::Span> fast_spans;
    for (std::uint32_t group = 0; group < meta.row_groups.size(); ++group) {
      const auto batch = (*fast)->RowGroup(*table, group);
      ASSERT_TRUE(batch) << batch.error().message;
      const auto spans = SpansOf(**batch);
      fast_spans.insert(fast_spans.end(), spans.begin(), spans.end());
    }
    for (const reference::Trace& trace : slow->traces) {
      ASSERT_LE(trace.first_row + trace.rows, fast_spans.size());
      EXPECT_TRUE(std::equal(trace.spans.begin(), trace.spans.end(),
                             fast_spans.begin() + static_cast<std::ptrdiff_t>(trace.first_row)))
          << trace.id.ToHex();
    }
    std::map<std::string, std::set<std::pair<std::string, int>>> services;
    const auto held = *(*fast)->Services();
    for (const auto& [service, operations] : *held) {
      for (const auto& operation : operations)
        services[service].emplace(operation.name, static_cast<int>(operation.kind));
    }
    EXPECT_EQ(slow->services, services);
    CheckSums(*slow, **fast);
    CheckSummaries(*slow, **fast, **(*fast)->Table());
    seen_.insert(slow->seen.begin(), slow->seen.end());
  }

  static void CheckSums(const reference::Block& slow, const Block& fast) {
    const auto rollup = fast.Rollup();
    ASSERT_TRUE(rollup) << rollup.error().message;
    ASSERT_EQ(slow.rollup.has_value(), *rollup != nullptr);
    if (slow.rollup) {
      EXPECT_EQ(slow.rollup->first_ns, (*rollup)->first_ns);
      EXPECT_EQ(slow.rollup->last_ns, (*rollup)->last_ns);
      EXPECT_EQ(slow.rollup->total, rollup::testing::Print((*rollup)->total));
      EXPECT_EQ(slow.rollup->minutes,
                rollup::testing::Print(*fast.RollupOf(**rollup, {}, rollup::kMinuteNs)));
    }
    const auto calls = fast.Calls();
    ASSERT_TRUE(calls) << calls.error().message;
    ASSERT_EQ(slow.calls.has_value(), *calls != nullptr);
    if (slow.calls) {
      EXPECT_EQ(slow.calls->first_ns, (*calls)->first_ns);
      EXPECT_EQ(slow.calls->last_ns, (*calls)->last_ns);
      EXPECT_EQ(slow.calls->total, rollup::testing::Print((*calls)->total));
      rollup::CallSums minutes(rollup::kMinuteNs);
      EXPECT_TRUE(fast.AddCalls(**calls, {}, minutes));
      EXPECT_EQ(slow.calls->minutes, rollup::testing::Print(minutes));
    }
  }

  // Every summary is read alike, and is that of the entry's spans.
  static void CheckSummaries(const reference::Block& slow, const Block& fast,
                             const TraceTable& table) {
    const auto summaries = fast.Summaries(table);
    ASSERT_TRUE(summaries) << summaries.error().message;
    ASSERT_EQ(slow.summaries.size(), table.traces.size());
    for (std::size_t i = 0; i < slow.summaries.size(); ++i) {
      const bool is_known = *summaries != nullptr && (*summaries)->traces[i].is_known();
      ASSERT_EQ(is_known, !slow.summaries[i].empty());
      if (!is_known) continue;
      EXPECT_EQ(slow.summaries[i],
                model::testing::Print((*summaries)->traces[i], (*summaries)->texts));
      auto trace = std::make_shared<model::Trace>();
      trace->id = slow.traces[i].id;
      trace->spans = slow.traces[i].spans;
      model::SummaryTexts texts;
      const auto wanted = model::testing::SummaryOf(model::Assemble(trace), texts);
      ASSERT_TRUE(wanted);
      EXPECT_EQ(slow.summaries[i], model::testing::Print(*wanted, texts));
    }
  }

  void CheckLog(const std::string& content) {
    const auto slow = reference::ReadWal(content, keys_);
    ASSERT_TRUE(slow) << slow.error().message;
    const auto header = DecodeWalHeader(content);
    ASSERT_TRUE(header);
    EXPECT_EQ(slow->file_number, header->file_number);
    EXPECT_EQ(slow->first_lsn, header->first_lsn);
    EXPECT_EQ(slow->last_good_lsn, header->last_good_lsn);
    EXPECT_EQ(slow->created_ns, header->created_ns);
    std::size_t place = 0;
    std::shared_ptr<const FileCipher> cipher;
    if (header->envelope)
      cipher = *FileCipher::Of(options_.keys.get(), *header->envelope, FileKind::kLog,
                               header->file_number);
    const FrameReading how(FrameSeed(*header), cipher.get());
    const auto walk = WalkFrames(content, how, [&](WalRecord& fast) -> Result<void> {
      if (place >= slow->records.size()) return Fail(ErrorCode::kInternal, "one more record");
      const reference::Record& record = slow->records[place++];
      EXPECT_EQ(record.lsn, fast.header.lsn);
      EXPECT_EQ(record.synced_lsn, fast.header.synced_lsn);
      EXPECT_EQ(record.flags, fast.header.flags);
      EXPECT_EQ(record.type, static_cast<int>(fast.header.type));
      if (fast.header.type == FrameType::kSpans) {
        const auto decoded = DecodeBatch(fast.body);
        EXPECT_EQ(record.arrival_ns, decoded->arrival_ns);
        EXPECT_TRUE(record.spans == SpansOf(decoded->batch));
      } else {
        const auto tombstone = DecodeTombstone(fast.body);
        EXPECT_EQ(record.deleted, tombstone->ids);
        EXPECT_EQ(record.upto_lsn, tombstone->upto_lsn);
        EXPECT_EQ(record.head_only, tombstone->head_only);
      }
      return {};
    });
    EXPECT_TRUE(walk);
    EXPECT_EQ(place, slow->records.size());
    seen_.insert(slow->seen.begin(), slow->seen.end());
  }

  MemoryFs fs_;
  ManualClock clock_{1'700'010'000'000'000'000};
  Metrics metrics_;
  EmbeddedOptions options_;
  Rng rng_;
  std::uint64_t number_ = 0;
  std::set<std::string> seen_;
  const reference::Keys keys_{{"other", std::string(32, 'o')}, {"reference", std::string(32, 'k')}};
};

TEST(ReferenceReader, ReadsEveryFileAsTheStoreDoes) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE(seed);
    const ReferenceStore store(seed);
    seen.insert(store.seen().begin(), store.seen().end());
    if (HasFailure()) return;
  }
  // What a writer can write has been written, all of it.
  for (const char* const what :
       {"section 1",   "section 2",   "section 5",   "section 6",   "section 12",  "section 13",
        "codec 0",     "codec 1",     "ints 0",      "ints 1",      "ints 2",      "texts 0",
        "texts 1",     "attribute 0", "attribute 1", "attribute 2", "attribute 3", "attribute 4",
        "attribute 5", "attribute 6", "attribute 7", "type 1",      "type 2",      "encrypted",
        "section 10",  "section 11",  "not judged",  "section 14",  "zone 0",      "zone 1",
        "section 9",   "section 16",  "section 17",  "no summary"}) {
    EXPECT_TRUE(seen.contains(what)) << what;
  }
}

TEST(ReferenceReader, ReadsTracesThatGoOnOverRowGroups) {
  const ReferenceStore store(7, 2'500);
  EXPECT_TRUE(store.seen().contains("zone 2"));
  EXPECT_TRUE(store.seen().contains("section 15"));
  EXPECT_TRUE(store.seen().contains("section 12"));
}

TEST(ReferenceReader, ReadsKeysBeyondTheColumns) {
  const ReferenceStore store(3, 40, 4'300);
  EXPECT_TRUE(store.seen().contains("overflow"));
}

}  // namespace
}  // namespace fluoro::store
