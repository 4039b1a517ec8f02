// Folders written by earlier versions open, and hold what they held. FLUORO_UPDATE_GOLDEN=1 writes
// the current version's folder anew, and the corpora of the fuzz targets with it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/faulty_fs.h"
#include "store/embedded/batch_codec.h"
#include "store/embedded/block_format.h"
#include "store/embedded/embedded_store.h"
#include "store/embedded/row_group.h"
#include "store/embedded/wal_format.h"
#include "store/embedded/row_group_for_test.h"
#include "store/testing.h"

namespace fluoro::store {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the suite of this module

const char* const kCompat = "src/store/testdata/compat";
const char* const kCorpus = "src/store/testdata/corpus";
constexpr std::int64_t kNow = 1'700'010'000'000'000'000;

void WriteFile(const std::filesystem::path& path, std::string_view content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

std::string ReadText(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

EmbeddedOptions Options() {
  EmbeddedOptions options;
  options.folder = "data";
  options.background_thread = false;
  options.wal_allocate_bytes = 512;
  return options;
}

// What a person would check: one line a span.
std::string Describe(TraceStore& store) {
  std::string text;
  const auto result = store.Search({}, [&](const Match& match) {
    for (const model::Span& span : match.trace.trace->spans) {
      text += span.trace_id.ToHex() + " " + span.span_id.ToHex() + " " +
              std::to_string(span.start_ns) + " " + std::to_string(span.end_ns) + " " +
              std::string(span.service()) + " '" + span.name + "' attributes " +
              std::to_string(span.attributes.size()) + " events " +
              std::to_string(span.events.size()) + " links " + std::to_string(span.links.size()) +
              " document " + std::to_string(span.document.size()) + "\n";
    }
    return true;
  });
  for (const std::string& damage : result->damaged) text += "damaged: " + damage + "\n";
  return text;
}

// Two blocks, one with a deletion, and live records in the log.
std::map<std::string, std::string> MakeFolder() {
  FaultyFs fs;
  ManualClock clock(kNow);
  Metrics metrics;
  auto store = *OpenEmbeddedStore(fs, clock, metrics, Options());
  Rng rng(2026);
  std::uint64_t number = 0;
  const auto append = [&](std::uint64_t trace, std::size_t count) {
    std::vector<model::Span> spans;
    for (std::size_t i = 0; i < count; ++i)
      spans.push_back(RandomSpan(rng, MakeTraceId(trace), ++number));
    (void)store->Append(MakeBatch(spans), Durability::kSynced);
  };
  append(1, 5);
  append(2, 3);
  (void)store->SealAll();
  append(1, 2);
  append(3, 4);
  (void)store->SealAll();
  (void)store->Delete(std::vector{MakeTraceId(2)});
  append(4, 3);
  append(1, 1);
  fs.CrashAfter(1);
  store.reset();
  fs.Restart(PowerLoss::kDropAll, 1);
  return fs.Snapshot();
}

void WriteCorpora() {
  const std::filesystem::path corpus(kCorpus);
  Rng rng(7);
  std::vector<model::Span> spans;
  for (std::uint64_t i = 1; i < 8; ++i) spans.push_back(RandomSpan(rng, MakeTraceId(1), i));
  const model::SpanBatch batch = MakeBatch(spans);
  std::string payload;
  EncodeBatch(batch, 1, payload);
  WriteFile(corpus / "wal/batch", payload);
  WriteFile(corpus / "wal/batch_lz4", EncodeRecord(FrameType::kSpans, payload)->body);
  WriteFile(corpus / "wal/tombstone",
            EncodeTombstone({.upto_lsn = 3, .head_only = false, .ids = {MakeTraceId(1)}}));
  WriteFile(corpus / "wal/header", EncodeWalHeader({}).substr(0, 128));
  RowGroupBuilder builder;
  std::vector<RowRef> rows;
  std::int64_t start = INT64_MAX;
  for (std::uint32_t i = 0; i < batch.size(); ++i) {
    rows.push_back({&batch, i});
    start = std::min(start, batch.start_ns[i]);
  }
  builder.AddTrace(start, rows);
  RowGroupBuilder::Operations operations;
  std::string group(1, '\0');
  for (const EncodedColumn& column : testing::FinishInMemory(builder, operations)) {
    ByteWriter out(group);
    out.PutVarint(column.id);
    out.PutText(column.bytes);
  }
  WriteFile(corpus / "block/row_group", group);
  BlockMeta meta;
  meta.row_groups = {7};
  meta.spans = 7;
  meta.traces = 1;
  meta.sections.push_back({.offset = kBlockHeaderBytes, .stored = 5, .raw = 5});
  WriteFile(corpus / "block/footer", "\1" + EncodeFooter(meta));
  const std::vector<TraceEntry> traces{{.id = MakeTraceId(1), .rows = 1'000}};
  WriteFile(corpus / "block/traces", "\2\1" + EncodeTraces(traces));
  WriteFile(corpus / "block/services", "\3" + EncodeServices(operations));
  WriteFile(corpus / "block/filter", "\4" + TraceFilter::Encode(traces));
  WriteFile(corpus / "block/trailer", "\5" + EncodeTrailer({.offset = 64, .bytes = 1}));
  WriteFile(corpus / "block/deletions", "\6" + EncodeDeletions({MakeTraceId(1)}));
}

TEST(Compat, FoldersOfEveryVersionOpenAndHoldWhatTheyHeld) {
  const char* const update = std::getenv("FLUORO_UPDATE_GOLDEN");
  if (update != nullptr && std::string_view(update) == "1") {
    const std::filesystem::path folder = std::filesystem::path(kCompat) / "v1";
    std::filesystem::remove_all(folder);
    FaultyFs fs;
    const auto files = MakeFolder();
    for (const auto& [path, content] : files) WriteFile(folder / path, content);
    fs.Load(files);
    ManualClock clock(kNow);
    Metrics metrics;
    auto store = *OpenEmbeddedStore(fs, clock, metrics, Options());
    WriteFile(folder / "expected.txt", Describe(*store));
    WriteCorpora();
  }
  std::size_t versions = 0;
  for (const auto& version : std::filesystem::directory_iterator(kCompat)) {
    SCOPED_TRACE(version.path().string());
    ++versions;
    std::map<std::string, std::string> files;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(version.path() / "data")) {
      if (entry.is_regular_file())
        files[std::filesystem::relative(entry.path(), version.path()).string()] =
            ReadText(entry.path());
    }
    FaultyFs fs;
    fs.Load(files);
    const auto report = VerifyFolder(fs, "data");
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->ok());
    ManualClock clock(kNow);
    Metrics metrics;
    auto store = OpenEmbeddedStore(fs, clock, metrics, Options());
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_EQ(Describe(**store), ReadText(version.path() / "expected.txt"));
    // And they can be written on.
    Rng rng(1);
    EXPECT_TRUE(
        (*store)->Append(MakeBatch({RandomSpan(rng, MakeTraceId(50), 999)}), Durability::kSynced));
    EXPECT_TRUE((*store)->SealAll());
  }
  EXPECT_GE(versions, 1U);
}

}  // namespace
}  // namespace fluoro::store
