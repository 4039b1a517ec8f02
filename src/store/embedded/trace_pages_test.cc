#include "store/embedded/trace_pages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/faulty_fs.h"
#include "store/embedded/block.h"
#include "store/embedded/block_writer.h"
#include "store/testing.h"

namespace fluoro::store {
namespace {

using testing::MakeSpanId;
using testing::MakeTraceId;

std::int64_t WildTime(Rng& rng) {
  constexpr std::int64_t kTimes[] = {INT64_MIN, -1, 0, 1'700'000'000'000'000'000, INT64_MAX};
  return rng.Chance(0.2) ? kTimes[rng.Below(std::size(kTimes))]
                         : static_cast<std::int64_t>(rng.Next() >> rng.Below(64));
}

bool SameButId(const TraceEntry& a, const TraceEntry& b) {
  return a.start_ns == b.start_ns && a.end_ns == b.end_ns &&
         a.first_arrival_ns == b.first_arrival_ns && a.last_arrival_ns == b.last_arrival_ns &&
         a.first_row == b.first_row && a.rows == b.rows && a.appends == b.appends &&
         a.flags == b.flags && a.sealed_lsn == b.sealed_lsn && a.kept == b.kept;
}

constexpr TracePageBounds kBounds{.rows = 100'000, .block_lsn = UINT64_MAX, .reasons = 7};

std::vector<TraceEntry> WildEntries(Rng& rng, std::size_t count) {
  std::vector<TraceEntry> traces(count);
  for (TraceEntry& trace : traces) {
    trace.start_ns = WildTime(rng);
    trace.end_ns = WildTime(rng);
    trace.first_arrival_ns = WildTime(rng);
    trace.last_arrival_ns = WildTime(rng);
    trace.first_row = rng.Below(99'000);
    trace.rows = 1 + static_cast<std::uint32_t>(rng.Below(1'000));
    trace.appends = static_cast<std::uint32_t>(rng.Next() >> rng.Below(64));
    trace.flags = static_cast<std::uint32_t>(rng.Below(2));
    trace.sealed_lsn = rng.Next() >> rng.Below(64);
    trace.kept = static_cast<std::uint32_t>(rng.Below(8));
  }
  std::ranges::sort(traces, {}, &TraceEntry::start_ns);
  return traces;
}

TEST(TracePages, GiveBackWhatWentIn) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const auto traces = WildEntries(rng, 1 + rng.Below(600));
    std::vector<TraceEntry> read(traces.size());
    ASSERT_TRUE(DecodeTracePage(EncodeTracePage(traces, UINT64_MAX), kBounds, read));
    EXPECT_TRUE(std::ranges::equal(traces, read, SameButId));
    std::set<std::pair<model::TraceId, std::uint32_t>> places;
    const std::uint64_t ids_max = rng.Chance(0.3) ? 3 : UINT64_MAX;
    while (places.size() < traces.size())
      places.emplace(MakeTraceId(rng.Below(ids_max)), static_cast<std::uint32_t>(rng.Below(5'000)));
    IdPage page;
    for (const auto& [id, place] : places) {
      page.ids.push_back(id);
      page.places.push_back(place);
    }
    const auto ids = DecodeIdPage(EncodeIdPage(page), page.ids.size(), 5'000);
    ASSERT_TRUE(ids) << ids.error().message;
    EXPECT_EQ(ids->ids, page.ids);
    EXPECT_EQ(ids->places, page.places);
  }
}

TEST(TracePages, CutAndFlippedBytesAreRefusedOrWithinTheirBounds) {
  Rng rng(3);
  const auto traces = WildEntries(rng, 20);
  const std::string whole = EncodeTracePage(traces, UINT64_MAX);
  std::vector<TraceEntry> read(traces.size());
  for (std::size_t cut = 0; cut < whole.size(); ++cut)
    EXPECT_FALSE(DecodeTracePage(std::string_view(whole).substr(0, cut), kBounds, read)) << cut;
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] =
        static_cast<char>(static_cast<unsigned char>(flipped[bit / 8]) ^ (1U << (bit % 8)));
    if (!DecodeTracePage(flipped, kBounds, read)) continue;
    for (const TraceEntry& trace : read) {
      EXPECT_LE(trace.first_row + trace.rows, kBounds.rows);
      EXPECT_LE(trace.kept, kBounds.reasons);
    }
    EXPECT_TRUE(std::ranges::is_sorted(read, {}, &TraceEntry::start_ns));
  }
  IdPage page;
  for (std::uint32_t i = 0; i < 20; ++i) {
    page.ids.push_back(MakeTraceId(i * 1'000));
    page.places.push_back(19 - i);
  }
  std::ranges::sort(page.ids);
  const std::string ids = EncodeIdPage(page);
  for (std::size_t cut = 0; cut < ids.size(); ++cut)
    EXPECT_FALSE(DecodeIdPage(std::string_view(ids).substr(0, cut), 20, 20)) << cut;
  for (std::size_t bit = 0; bit < ids.size() * 8; ++bit) {
    std::string flipped = ids;
    flipped[bit / 8] =
        static_cast<char>(static_cast<unsigned char>(flipped[bit / 8]) ^ (1U << (bit % 8)));
    const auto decoded = DecodeIdPage(flipped, 20, 20);
    if (!decoded) continue;
    EXPECT_TRUE(std::ranges::is_sorted(decoded->ids));
    EXPECT_TRUE(std::ranges::all_of(decoded->places, [](auto place) { return place < 20; }));
  }
  EXPECT_FALSE(DecodeIdPage(ids, 20, 19));
}

TEST(TracePages, PagesThatCanHoldAnIdAreThoseThatDo) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    std::vector<model::TraceId> ids(1 + rng.Below(60));
    for (model::TraceId& id : ids) id = MakeTraceId(rng.Below(12));
    std::ranges::sort(ids);
    const std::size_t in_page = 1 + rng.Below(7);
    std::vector<model::TraceId> first_ids;
    for (std::size_t at = 0; at < ids.size(); at += in_page) first_ids.push_back(ids[at]);
    for (std::uint64_t number = 0; number < 13; ++number) {
      const model::TraceId id = MakeTraceId(number);
      const auto [begin, end] = PagesOf(first_ids, id);
      ASSERT_LE(begin, end);
      ASSERT_LE(end, first_ids.size());
      for (std::size_t i = 0; i < ids.size(); ++i) {
        if (ids[i] != id) continue;
        EXPECT_TRUE(begin <= i / in_page && i / in_page < end) << number;
      }
      // At most one page too many.
      const auto [first, last] = std::ranges::equal_range(ids, id);
      const auto held = static_cast<std::size_t>(last - first);
      EXPECT_LE(end - begin, held / in_page + 2) << number;
    }
  }
}

/// A block of many traces of one to three spans, one of them in many parts.
class LookUpTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kTraces = 4 * kTracesPerPage;
  static constexpr std::size_t kParts = kTracesPerPage + 70;

  LookUpTest() {
    (void)fs_.MakeDirs("d");
    auto file = *fs_.Open("d/b", Fs::OpenMode::kCreate);
    BlockMeta meta;
    meta.id = 1;
    meta.level = 1;
    meta.sealed_lsn = 1'000;
    BlockWriter writer(*file, meta);
    const std::uint32_t reasons[] = {0, writer.KeptCode({.reason = "a", .probability = 1}),
                                     writer.KeptCode({.reason = "b", .probability = 0.5})};
    Rng rng(1);
    const auto resource = std::make_shared<const model::Resource>();
    const auto scope = std::make_shared<const model::Scope>();
    for (std::size_t i = 0; i < kTraces + kParts; ++i) {
      const model::TraceId id = i < kParts ? MakeTraceId(7) : MakeTraceId(1'000 + rng.Next() / 2);
      auto batch = std::make_shared<model::SpanBatch>();
      std::vector<RowRef> rows;
      TraceEntry trace{.id = id, .start_ns = static_cast<std::int64_t>(rng.Below(1'000))};
      for (std::uint64_t row = rng.Below(3) + 1; row > 0; --row) {
        model::Span span;
        span.trace_id = id;
        span.span_id = MakeSpanId(10 * i + row);
        span.start_ns = trace.start_ns + static_cast<std::int64_t>(rng.Below(50));
        span.end_ns = span.start_ns + 5;
        span.resource = resource;
        span.scope = scope;
        batch->AppendSpan(span);
        rows.push_back({batch.get(), static_cast<std::uint32_t>(rows.size())});
      }
      trace.end_ns = trace.start_ns + 60;
      trace.rows = static_cast<std::uint32_t>(rows.size());
      trace.sealed_lsn = 1 + rng.Below(1'000);
      trace.kept = reasons[rng.Below(3)];
      EXPECT_TRUE(writer.BeginTrace(trace));
      EXPECT_TRUE(writer.AddRows(rows, {{std::move(batch)}}));
    }
    EXPECT_TRUE(writer.Finish());
    // Nothing is held: each look-up reads what it needs.
    block_ = *Block::Open(fs_, cache_, "d/b", 1);
    table_ = *block_->Table();
  }

  FaultyFs fs_;
  Metrics metrics_;
  BlockCache cache_{metrics_, "questions", 0};
  std::shared_ptr<Block> block_;
  std::shared_ptr<const TraceTable> table_;
};

TEST_F(LookUpTest, FindsTheTracesPartsOfTheTableAndNoOthers) {
  ASSERT_EQ(table_->traces.size(), kTraces + kParts);
  for (std::size_t i = 0; i < table_->traces.size(); i += 37) {
    const model::TraceId id = table_->traces[i].id;
    const auto found = block_->Find(id);
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->table, nullptr);
    const auto places = table_->Find(id);
    ASSERT_EQ(found->parts.size(), places.size());
    for (std::size_t part = 0; part < places.size(); ++part) {
      const TraceEntry& entry = found->parts[part];
      EXPECT_TRUE(entry.id == id && SameButId(entry, table_->traces[places[part]]));
      if (entry.kept == 0) continue;
      EXPECT_EQ((*found->reasons)[entry.kept - 1], *table_->KeptOf(entry));
    }
  }
  EXPECT_EQ(block_->Find(MakeTraceId(7))->parts.size(), kParts);
  EXPECT_TRUE(block_->Find(MakeTraceId(8))->parts.empty());
  EXPECT_TRUE(block_->Find(model::TraceId{})->parts.empty());
}

TEST_F(LookUpTest, RowsAreThoseOfTheRowGroup) {
  for (std::size_t i = 0; i < table_->traces.size(); i += 101) {
    const TraceEntry& trace = table_->traces[i];
    for (const BlockRows& rows : block_->RowsOf(trace)) {
      const auto some = block_->Rows(nullptr, trace, rows);
      ASSERT_TRUE(some) << some.error().message;
      const auto group = *block_->RowGroup(*table_, rows.group);
      const auto keys = *block_->ReadKeys(trace, rows.group);
      model::SpanReader of_some(*some->batch);
      model::SpanReader of_group(*group);
      for (std::uint32_t row = rows.begin; row < rows.end; ++row) {
        const model::Span span = of_group.Read(row);
        EXPECT_EQ(span.trace_id, trace.id);
        EXPECT_EQ(of_some.Read(some->begin + row - rows.begin), span);
        EXPECT_EQ(keys[row].id, span.span_id);
      }
    }
  }
}

TEST_F(LookUpTest, DamagedPagesOfOthersAreNotLookedAt) {
  const model::TraceId id = table_->traces[kTraces / 2].id;
  const std::uint32_t place = table_->Find(id).front();
  const auto [first, end] = PagesOf(block_->meta().page_ids, id);
  ASSERT_EQ(end, first + 1);
  for (const Section& section : block_->meta().sections) {
    const bool is_needed =
        (section.type == SectionType::kIdPage && section.column == first) ||
        (section.type == SectionType::kTracePage && section.column == place / kTracesPerPage) ||
        section.type == SectionType::kKept;
    if (!is_needed) fs_.FlipBit("d/b", section.offset * 8 + 3);
  }
  const auto found = block_->Find(id);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->parts.size(), 1U);
  EXPECT_FALSE(block_->Table());
  // And what is damaged is said.
  const auto other = block_->Find(table_->traces[table_->by_id.front()].id);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::kCorruption);
}

}  // namespace
}  // namespace fluoro::store
