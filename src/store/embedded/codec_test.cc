// Columns, batches, row groups and log frames: what goes in comes out, and broken bytes are
// refused.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/memory_fs.h"
#include "store/embedded/batch_codec.h"
#include "store/embedded/block_format.h"
#include "store/embedded/columns.h"
#include "store/embedded/frames_for_test.h"
#include "store/embedded/row_group.h"
#include "store/embedded/row_group_for_test.h"
#include "store/embedded/wal_format.h"
#include "store/testing.h"

namespace fluoro::store {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the suite of this module

TEST(Ints, RoundTrip) {
  Rng rng(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::uint64_t> values(rng.Below(400));
    const std::uint64_t shift = rng.Below(64);
    const std::uint64_t factor = rng.Chance(0.3) ? 1'000'000 : 1;
    const bool constant = rng.Chance(0.1);
    for (auto& value : values) value = constant ? 42 : (rng.Next() >> shift) / factor * factor;
    std::string bytes;
    EncodeInts(values, bytes);
    std::vector<std::uint64_t> decoded(values.size());
    ByteReader in(bytes);
    ASSERT_TRUE(DecodeInts(in, decoded)) << round;
    EXPECT_EQ(decoded, values) << round;
    EXPECT_TRUE(in.done());
    if (bytes.size() > 1 && !values.empty()) {
      ByteReader cut(std::string_view(bytes).substr(0, bytes.size() - 1));
      EXPECT_FALSE(DecodeInts(cut, decoded)) << round;
    }
  }
}

TEST(Ints, ExtremesRoundTrip) {
  const std::vector<std::uint64_t> values{0, UINT64_MAX, 1, UINT64_MAX - 1, std::uint64_t{1} << 63,
                                          0};
  std::string bytes;
  EncodeInts(values, bytes);
  std::vector<std::uint64_t> decoded(values.size());
  ByteReader in(bytes);
  ASSERT_TRUE(DecodeInts(in, decoded));
  EXPECT_EQ(decoded, values);
}

TEST(Ints, AreRefusedFromTheLimitOn) {
  for (std::uint64_t seed = 1; seed <= 2'000; ++seed) {
    Rng rng(seed);
    std::vector<std::uint64_t> values(1 + rng.Below(400));
    const std::uint64_t shift = rng.Below(64);
    const std::uint64_t factor = rng.Chance(0.2) ? 1'000 : 1;
    for (auto& value : values)
      value = rng.Chance(0.9) ? (rng.Next() >> shift) / factor * factor : 0;
    std::string bytes;
    EncodeInts(values, bytes);
    const std::uint64_t greatest = *std::ranges::max_element(values);
    std::vector<std::uint64_t> decoded(values.size());
    for (const std::uint64_t limit : {greatest, greatest + 1, greatest / 2, rng.Next() >> shift}) {
      if (limit == 0 || limit == UINT64_MAX) continue;
      ByteReader in(bytes);
      EXPECT_EQ(DecodeIntsBelow(in, limit, decoded).has_value(), greatest < limit)
          << "seed " << seed;
    }
    EXPECT_EQ(decoded, values) << "seed " << seed;
  }
}

TEST(Ints, AreAddedToWordsShifted) {
  for (std::uint64_t seed = 1; seed <= 2'000; ++seed) {
    Rng rng(seed);
    std::vector<std::uint64_t> values(rng.Below(600));
    const std::uint64_t limit = std::uint64_t{1} << rng.Below(20);
    const auto shift = static_cast<unsigned>(rng.Below(45));
    const std::uint64_t factor = rng.Chance(0.1) ? 1'000 : 1;
    for (auto& value : values) value = rng.Below(limit) / factor * factor;
    std::string bytes;
    EncodeInts(values, bytes);
    const std::size_t end = bytes.size();
    if (rng.Chance(0.5)) bytes += "behind it";
    std::vector<std::uint64_t> words(values.size()), wanted(values.size());
    for (std::size_t i = 0; i < words.size(); ++i) {
      words[i] = rng.Next();
      wanted[i] = words[i] | values[i] << shift;
    }
    const std::uint64_t greatest = values.empty() ? 0 : *std::ranges::max_element(values);
    ByteReader in(bytes);
    ASSERT_TRUE(AddIntsBelow(in, greatest + 1, shift, words)) << "seed " << seed;
    EXPECT_EQ(words, wanted) << "seed " << seed;
    ByteReader again(bytes);
    if (greatest > 0) {
      EXPECT_FALSE(AddIntsBelow(again, greatest, shift, words)) << "seed " << seed;
    }
    ByteReader cut(std::string_view(bytes).substr(0, end - 1));
    if (values.size() > 1 && bytes[0] != 0) {
      EXPECT_FALSE(AddIntsBelow(cut, greatest + 1, shift, words)) << "seed " << seed;
    }
  }
}

TEST(Ints, AreFoundAndPassedOverAsTheyArePacked) {
  std::size_t found = 0;
  for (std::uint64_t seed = 1; seed <= 2'000; ++seed) {
    Rng rng(seed);
    std::vector<std::uint64_t> values(rng.Below(400));
    const std::uint64_t shift = rng.Below(64);
    const std::uint64_t factor = rng.Chance(0.2) ? 1'000 : 1;
    const bool constant = rng.Chance(0.1);
    for (auto& value : values) value = constant ? 42 : (rng.Next() >> shift) / factor * factor;
    std::string bytes;
    EncodeInts(values, bytes);
    bytes += "behind";
    for (int question = 0; question < 8; ++question) {
      std::uint64_t wanted = rng.Next() >> shift;
      if (!values.empty() && question < 5)
        wanted = values[rng.Below(values.size())] + (question < 4 ? 0 : rng.Below(3) - 1);
      ByteReader in(bytes);
      const auto holds = FindInt(in, values.size(), wanted);
      ASSERT_TRUE(holds) << holds.error().message;
      ASSERT_EQ(*holds, std::ranges::find(values, wanted) != values.end())
          << "seed " << seed << ": " << wanted;
      EXPECT_EQ(in.left(), 6U);
      found += *holds ? 1U : 0U;
    }
    ByteReader in(bytes);
    ASSERT_TRUE(SkipInts(in, values.size()));
    EXPECT_EQ(in.left(), 6U);
    ByteReader cut(std::string_view(bytes).substr(0, bytes.size() - 7));
    if (values.size() > 1 && bytes[0] != 0) {
      EXPECT_FALSE(FindInt(cut, values.size(), 42));
    }
  }
  EXPECT_GT(found, 5'000U);
  for (const char kind : {'\1', '\2', '\3'}) {  // no group, a factor of 0, no such kind
    const std::string bytes{kind, '\0'};
    ByteReader in(bytes);
    EXPECT_FALSE(FindInt(in, 3, 7));
  }
}

TEST(Ints, OfEveryWidthArePackedAndComeBack) {
  Rng rng(3);
  for (unsigned width = 0; width <= 64; ++width) {
    for (const std::size_t count : {1U, 7U, 8U, 9U, 127U, 128U, 129U, 300U}) {
      const std::uint64_t low = width >= 63 ? 0 : rng.Next() >> (width + 1);
      std::vector<std::uint64_t> values(count);
      for (auto& value : values) value = low + (width == 0 ? 0 : rng.Next() >> (64 - width));
      std::string bytes;
      EncodeInts(values, bytes);
      bytes += "behind";
      ByteReader in(bytes);
      std::vector<std::uint64_t> decoded(count);
      ASSERT_TRUE(DecodeInts(in, decoded));
      EXPECT_EQ(decoded, values) << width << " bits, " << count;
      EXPECT_EQ(in.left(), 6U);
    }
  }
}

TEST(Texts, RoundTripAsDictionaryAndPlain) {
  Rng rng(2);
  for (const std::uint64_t distinct : {1U, 3U, 50U, 100'000U}) {
    TextColumn column;
    std::vector<std::string> values;
    values.reserve(2'000);  // a column may borrow them
    for (int i = 0; i < 2'000; ++i) {
      values.push_back(std::string(rng.Below(9), 'v') + std::to_string(rng.Below(distinct)));
      column.Add(values.back());
    }
    std::string bytes;
    column.Encode(bytes);
    ByteReader in(bytes);
    const auto decoded = DecodeTexts(in, values.size());
    ASSERT_TRUE(decoded) << decoded.error().message;
    for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(decoded->At(i), values[i]);
  }
}

model::SpanBatch RandomBatch(Rng& rng, std::size_t spans) {
  std::vector<model::Span> list;
  for (std::size_t i = 0; i < spans; ++i)
    list.push_back(RandomSpan(rng, MakeTraceId(rng.Below(5)), i + 1));
  return MakeBatch(list);
}

TEST(BatchCodec, RoundTripsAndRefusesEveryCut) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const model::SpanBatch batch = RandomBatch(rng, rng.Below(12));
    std::string bytes;
    EncodeBatch(batch, 123, bytes);
    const auto decoded = DecodeBatch(bytes);
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_EQ(decoded->arrival_ns, 123);
    EXPECT_TRUE(decoded->batch.SameSpans(batch));
    EXPECT_EQ(decoded->batch.arena, batch.arena);
    for (std::size_t cut = 0; cut < bytes.size(); cut += 1 + rng.Below(9)) {
      EXPECT_FALSE(DecodeBatch(std::string_view(bytes).substr(0, cut)));
    }
    EXPECT_FALSE(DecodeBatch(bytes + "x"));
  }
}

// Numbers of which no byte is zero: every plane is there.
TEST(BatchCodec, FullPlanesRoundTrip) {
  for (std::size_t spans = 1; spans < 40; ++spans) {
    model::SpanBatch batch;
    batch.AddResource({});
    batch.AddScope({});
    for (std::size_t i = 0; i < spans; ++i) {
      const std::uint32_t span = batch.BeginSpan(MakeTraceId(1), MakeSpanId(i + 1));
      batch.start_ns[span] = i % 2 == 0 ? INT64_MAX : INT64_MIN;
      batch.end_ns[span] = 0;
      batch.flags[span] = batch.otel_flags[span] = UINT32_MAX;
      batch.dropped_attributes[span] = batch.dropped_events[span] = UINT32_MAX;
      batch.dropped_links[span] = UINT32_MAX;
      batch.EndSpan(span);
    }
    for (const bool has_room : {false, true}) {
      std::string bytes;
      if (has_room) bytes.reserve(1 << 20);
      EncodeBatch(batch, 1, bytes);
      const auto decoded = DecodeBatch(bytes);
      ASSERT_TRUE(decoded) << decoded.error().message;
      EXPECT_TRUE(decoded->batch.SameSpans(batch));
    }
  }
}

TEST(BatchCodec, AFlippedBitNeverMakesAnUnsafeBatch) {
  Rng rng(3);
  const model::SpanBatch batch = RandomBatch(rng, 6);
  std::string bytes;
  EncodeBatch(batch, 1, bytes);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] =
        static_cast<char>(static_cast<unsigned char>(flipped[bit / 8]) ^ (1U << (bit % 8)));
    const auto decoded = DecodeBatch(flipped);
    if (!decoded) continue;
    model::SpanReader reader(decoded->batch);
    for (std::uint32_t i = 0; i < decoded->batch.size(); ++i) (void)reader.Read(i);
  }
}

struct Encoded {
  std::vector<EncodedColumn> columns;
  std::vector<TraceRun> runs;
  std::vector<model::Span> spans;
};

// Takes away what most spans do not have; now and then it leaves one of these.
void MakePlain(Rng& rng, model::Span& span) {
  const std::uint64_t kept = rng.Below(40);
  if (kept != 0) span.trace_state.clear();
  if (kept != 1) span.status_message.clear();
  if (kept != 2) span.document = {};
  if (kept != 3) span.flags = 0;
  if (kept != 4) span.otel_flags = 0;
  if (kept != 5) span.dropped_attributes = 0;
  if (kept != 6) span.dropped_events = 0;
  if (kept != 7) span.dropped_links = 0;
  if (kept != 8) span.events.clear();
  if (kept != 9) span.links.clear();
}

/// @param plain  share of the traces whose spans are plain.
Encoded EncodeRandomRowGroup(std::uint64_t seed, std::size_t keys = 9, std::size_t traces = 0,
                             double plain = 0) {
  Rng rng(seed);
  Encoded out;
  std::vector<std::unique_ptr<model::SpanBatch>> batches;  // alive until Finish
  if (traces == 0) traces = 1 + rng.Below(6);
  std::uint64_t number = 0;
  RowGroupBuilder builder;
  for (std::size_t t = 0; t < traces; ++t) {
    const bool is_plain = rng.Chance(plain);
    std::vector<model::Span> spans;
    for (std::uint64_t i = 1 + rng.Below(25); i > 0; --i) {
      spans.push_back(RandomSpan(rng, MakeTraceId(t), ++number));
      if (is_plain) MakePlain(rng, spans.back());
      if (rng.Chance(0.9)) {
        spans.back().attributes.push_back(
            {"request.id", {"req-" + std::to_string(rng.Next() >> 8)}, {}});
      }
      for (std::size_t k = 9; k < keys; ++k)
        spans.back().attributes.push_back(
            {"rare." + std::to_string(k + number * keys), {std::string("v")}, {}});
    }
    batches.push_back(std::make_unique<model::SpanBatch>(MakeBatch(spans)));
    std::vector<RowRef> rows;
    std::int64_t start = INT64_MAX;
    for (const model::Span& span : spans) start = std::min(start, span.start_ns);
    for (std::uint32_t i = 0; i < spans.size(); ++i) rows.push_back({batches.back().get(), i});
    builder.AddTrace(start, rows);
    out.runs.push_back({.id = MakeTraceId(t),
                        .start_ns = start,
                        .rows = static_cast<std::uint32_t>(spans.size())});
    out.spans.insert(out.spans.end(), spans.begin(), spans.end());
  }
  out.columns = testing::FinishInMemory(builder);
  return out;
}

std::map<std::uint32_t, std::string_view> Views(const std::vector<EncodedColumn>& columns) {
  std::map<std::uint32_t, std::string_view> views;
  for (const EncodedColumn& column : columns) views[column.id] = column.bytes;
  return views;
}

TEST(RowGroup, RoundTrips) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    const Encoded encoded = EncodeRandomRowGroup(seed, 9, 0, 0.5 * static_cast<double>(seed % 3));
    const auto batch = DecodeRowGroup(Views(encoded.columns), encoded.runs);
    ASSERT_TRUE(batch) << batch.error().message;
    ASSERT_EQ(batch->size(), encoded.spans.size());
    model::SpanReader reader(*batch);
    for (std::uint32_t i = 0; i < batch->size(); ++i) EXPECT_EQ(reader.Read(i), encoded.spans[i]);
  }
}

TEST(RowGroup, KeysBeyondTheColumnsAreKeptInTheOverflow) {
  const Encoded encoded = EncodeRandomRowGroup(5, 400);
  ASSERT_GT(encoded.spans.size() * 391, 5'000U);
  const auto batch = DecodeRowGroup(Views(encoded.columns), encoded.runs);
  ASSERT_TRUE(batch) << batch.error().message;
  model::SpanReader reader(*batch);
  for (std::uint32_t i = 0; i < batch->size(); ++i) EXPECT_EQ(reader.Read(i), encoded.spans[i]);
}

TEST(RowGroup, RowsOfOneTraceAreThoseOfTheWhole) {
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    SCOPED_TRACE(seed);
    const Encoded encoded =
        EncodeRandomRowGroup(seed, seed % 3 == 0 ? 400 : 9, seed % 4 == 0 ? 80 : 0);
    std::uint32_t begin = 0;
    for (std::size_t run = 0; run < encoded.runs.size();) {
      std::uint32_t end = begin;
      for (const std::size_t last = run + 1 + run % 2; run < last && run < encoded.runs.size();)
        end += encoded.runs[run++].rows;
      const auto rows =
          DecodeRows(Views(encoded.columns), encoded.runs, std::array{model::Range{begin, end}});
      ASSERT_TRUE(rows) << rows.error().message;
      ASSERT_EQ(rows->size(), end - begin);
      // With the resources and scopes that these spans have, and with no others.
      EXPECT_EQ(rows->resource_rows.size(),
                std::set(rows->resources.begin(), rows->resources.end()).size());
      EXPECT_EQ(rows->scope_rows.size(), std::set(rows->scopes.begin(), rows->scopes.end()).size());
      // Columns of attributes are asked for if one of them has a value there.
      const auto columns = Views(encoded.columns);
      const ColumnReader attributes = [&](std::uint32_t id) -> Result<std::string_view> {
        const auto column = columns.find(id);
        return column == columns.end() ? std::string_view() : column->second;
      };
      auto without = columns;
      without.erase(without.lower_bound(static_cast<std::uint32_t>(RowColumn::kAttributes)),
                    without.end());
      const auto by_reader =
          DecodeRows(without, encoded.runs, std::array{model::Range{begin, end}}, attributes);
      ASSERT_TRUE(by_reader) << by_reader.error().message;
      model::SpanReader second(*by_reader);
      for (std::uint32_t i = begin; i < end; ++i)
        ASSERT_EQ(second.Read(i - begin), encoded.spans[i]);
      model::SpanReader reader(*rows);
      for (std::uint32_t i = begin; i < end; ++i)
        ASSERT_EQ(reader.Read(i - begin), encoded.spans[i]) << i;
      begin = end;
    }
    // Some of the traces at once.
    Rng rng(seed);
    std::vector<model::Range> some;
    std::vector<model::Span> expected;
    std::uint32_t row = 0;
    for (const TraceRun& run : encoded.runs) {
      if (rng.Chance(0.4)) {
        some.push_back({row, row + run.rows});
        expected.insert(expected.end(), encoded.spans.begin() + row,
                        encoded.spans.begin() + row + run.rows);
      }
      row += run.rows;
    }
    const auto rows = DecodeRows(Views(encoded.columns), encoded.runs, some);
    ASSERT_TRUE(rows) << rows.error().message;
    ASSERT_EQ(rows->size(), expected.size());
    model::SpanReader reader(*rows);
    for (std::uint32_t i = 0; i < expected.size(); ++i) ASSERT_EQ(reader.Read(i), expected[i]) << i;
    if (encoded.runs.front().rows > 1) {
      EXPECT_FALSE(
          DecodeRows(Views(encoded.columns), encoded.runs, std::array{model::Range{1, begin}}));
      EXPECT_FALSE(
          DecodeRows(Views(encoded.columns), encoded.runs, std::array{model::Range{0, 1}}));
    }
    EXPECT_FALSE(
        DecodeRows(Views(encoded.columns), encoded.runs, std::array{model::Range{0, begin + 1}}));
  }
}

TEST(RowGroup, FlippedOrCutColumnsAreRefusedOrSafe) {
  Rng rng(4);
  const Encoded encoded = EncodeRandomRowGroup(7);
  for (int round = 0; round < 4'000; ++round) {
    auto columns = encoded.columns;
    auto& column = columns[rng.Below(columns.size())].bytes;
    if (column.empty()) continue;
    const std::size_t at = rng.Below(column.size());
    if (rng.Chance(0.3)) {
      column.resize(at);
    } else {
      column[at] = static_cast<char>(static_cast<unsigned char>(column[at]) ^ (1U << rng.Below(8)));
    }
    const auto batch = DecodeRowGroup(Views(columns), encoded.runs);
    if (!batch) continue;
    model::SpanReader reader(*batch);
    for (std::uint32_t i = 0; i < batch->size(); ++i) (void)reader.Read(i);
  }
}

TEST(TraceFilterTest, FindsAllAndRarelyMore) {
  std::vector<TraceEntry> traces(10'000);
  for (std::size_t i = 0; i < traces.size(); ++i) traces[i].id = MakeTraceId(i);
  const auto filter = TraceFilter::Decode(TraceFilter::Encode(traces));
  ASSERT_TRUE(filter);
  std::size_t hits = 0;
  for (std::size_t i = 0; i < traces.size(); ++i) {
    EXPECT_TRUE(filter->MayContain(traces[i].id));
    if (filter->MayContain(MakeTraceId(i + 1'000'000))) ++hits;
  }
  EXPECT_LT(hits, 150U);
}

class WalFrames : public ::testing::Test {
 protected:
  WalFrames() {
    header_.file_number = 7;
    header_.salt.fill(9);
    file_ = EncodeWalHeader(header_);
  }
  void Add(std::uint64_t lsn, const std::string& body, std::uint64_t synced = 0) {
    AppendFrames(*EncodeRecord(FrameType::kSpans, body), lsn, synced, 0, FrameSeed(header_), file_);
  }
  std::vector<std::pair<std::uint64_t, std::string>> Walk() {
    std::vector<std::pair<std::uint64_t, std::string>> records;
    walk_ = *WalkFrames(file_, FrameSeed(header_), [&](WalRecord& record) -> Result<void> {
      records.emplace_back(record.header.lsn, record.body);
      return {};
    });
    return records;
  }
  WalHeader header_;
  std::string file_;
  WalWalk walk_;
};

TEST_F(WalFrames, ReadsBackInOrder) {
  Add(1, "one");
  Add(2, std::string(100'000, 'z'), 1);
  Add(3, "");
  file_.append(8'192, '\0');
  const auto records = Walk();
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[1].second, std::string(100'000, 'z'));
  EXPECT_EQ(walk_.garbage_bytes, 0U);
  EXPECT_EQ(walk_.max_synced_lsn, 1U);
}

TEST_F(WalFrames, AFileReadPieceByPieceGivesTheSame) {
  std::string large;
  for (std::uint64_t i = 0; large.size() < 3 * WalWindow::kWindowBytes; ++i) {
    large += std::to_string(i * i * 2'654'435'761);
  }
  for (std::uint64_t lsn = 1; lsn < 30; ++lsn) {
    Add(lsn, lsn % 7 == 0 ? large.substr(lsn) : large.substr(0, lsn * 9'999));
    if (lsn % 5 == 0) file_.append(lsn * 8, 'g');
  }
  file_.append(2 * WalWindow::kWindowBytes, '\0');
  const auto whole = Walk();
  ASSERT_EQ(whole.size(), 29U);
  MemoryFs fs;
  const auto file = fs.Open("wal", Fs::OpenMode::kCreate);
  ASSERT_TRUE((*file)->WriteAt(0, file_));
  WalWindow window(**file, file_.size());
  std::vector<std::pair<std::uint64_t, std::string>> records;
  const auto walk = WalkFrames(window, FrameSeed(header_), [&](WalRecord& record) -> Result<void> {
    records.emplace_back(record.header.lsn, record.body);
    return {};
  });
  ASSERT_TRUE(walk) << walk.error().message;
  EXPECT_EQ(records, whole);
  EXPECT_EQ(walk->garbage_bytes, walk_.garbage_bytes);
  EXPECT_EQ(walk->end_offset, walk_.end_offset);
  WalWindow longer(**file, file_.size() + 100);
  EXPECT_FALSE(WalkFrames(longer, FrameSeed(header_), [](WalRecord&) -> Result<void> {
    return {};
  })) << "a file that became shorter";
}

TEST_F(WalFrames, EveryCutOfTheLastFrameDropsJustThatRecord) {
  Add(1, "one");
  const std::size_t first = file_.size();
  Add(2, "the second record");
  const std::string whole = file_;
  for (std::size_t cut = first; cut < whole.size() - 8; ++cut) {
    file_ = whole.substr(0, cut);
    EXPECT_EQ(Walk().size(), 1U) << cut;
    EXPECT_EQ(walk_.end_offset, first);
  }
}

TEST_F(WalFrames, EveryFlipIsSeenAndTheOthersRead) {
  Add(1, "one");
  const std::size_t begin = file_.size();
  Add(2, "two two two");
  const std::size_t end = file_.size();
  Add(3, "three");
  const std::string whole = file_;
  for (std::size_t bit = begin * 8; bit < end * 8; ++bit) {
    file_ = whole;
    file_[bit / 8] =
        static_cast<char>(static_cast<unsigned char>(file_[bit / 8]) ^ (1U << (bit % 8)));
    const auto records = Walk();
    EXPECT_GT(walk_.garbage_bytes, 0U) << bit;
    EXPECT_EQ(records.front().first, 1U);
    EXPECT_EQ(records.back().first, 3U);
  }
}

TEST_F(WalFrames, FramesOfAnotherFileDoNotVerify) {
  Add(1, "one");
  WalHeader other = header_;
  other.file_number = 8;
  AppendFrames(*EncodeRecord(FrameType::kSpans, "stale"), 2, 0, 0, FrameSeed(other), file_);
  EXPECT_EQ(Walk().size(), 1U);
}

TEST_F(WalFrames, LongBodiesSpanFramesAndNeedAllOfThem) {
  Rng rng(5);
  std::string body(kFrameBodyBytesMax * 2 + 1'000, '\0');
  for (std::size_t i = 0; i < body.size(); i += 8) {
    const std::uint64_t random = rng.Next();
    std::memcpy(body.data() + i, &random, std::min<std::size_t>(8, body.size() - i));
  }
  const EncodedRecord record = *EncodeRecord(FrameType::kSpans, body);
  AppendFrames(record, 1, 0, 0, FrameSeed(header_), file_);
  EXPECT_EQ(file_.size(), kWalHeaderBytes + FramesBytes(record));
  Add(2, "two");
  ASSERT_EQ(Walk().size(), 2U);
  EXPECT_EQ(Walk()[0].second, body);
  const std::string whole = file_;
  for (const std::size_t part : {0U, 1U, 2U}) {
    file_ = whole;
    file_[kWalHeaderBytes + part * (kFrameBodyBytesMax + kFrameHeaderBytes) + 100] ^= 1;
    const auto records = Walk();
    ASSERT_EQ(records.size(), 1U) << part;
    EXPECT_EQ(records[0].first, 2U);
  }
}

TEST_F(WalFrames, HeaderSurvivesTheLossOfEitherCopy) {
  for (const std::size_t copy : {0U, 2'048U}) {
    std::string damaged = file_;
    damaged[copy + 20] ^= 1;
    const auto header = DecodeWalHeader(damaged);
    ASSERT_TRUE(header);
    EXPECT_EQ(header->file_number, 7U);
  }
  file_[20] ^= 1;
  file_[2'048 + 20] ^= 1;
  EXPECT_FALSE(DecodeWalHeader(file_));
}

TEST(TombstoneCodec, RoundTripsAndRefusesCuts) {
  const Tombstone tombstone{
      .upto_lsn = 9, .head_only = true, .ids = {MakeTraceId(1), MakeTraceId(2)}};
  const std::string bytes = EncodeTombstone(tombstone);
  const auto decoded = DecodeTombstone(bytes);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->ids, tombstone.ids);
  EXPECT_EQ(decoded->upto_lsn, 9U);
  EXPECT_TRUE(decoded->head_only);
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    EXPECT_FALSE(DecodeTombstone(std::string_view(bytes).substr(0, cut))) << cut;
  }
}

}  // namespace
}  // namespace fluoro::store
