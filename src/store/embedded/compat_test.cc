// Folders written by earlier versions open, and hold what they held. FLUORO_UPDATE_GOLDEN=1 writes
// the current version's folders anew, and the corpora of the fuzz targets with them;
// FLUORO_UPDATE_GOLDEN=calls those with calls alone.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/faulty_fs.h"
#include "base/hex.h"
#include "model/any_value.h"
#include "rollup/call_testing.h"
#include "store/embedded/batch_codec.h"
#include "store/embedded/block.h"
#include "store/embedded/block_cache.h"
#include "store/embedded/block_format.h"
#include "store/embedded/embedded_store.h"
#include "store/embedded/frames_for_test.h"
#include "store/embedded/fuse_filter.h"
#include "store/embedded/reference_reader_for_test.h"
#include "store/embedded/row_group.h"
#include "store/embedded/row_group_for_test.h"
#include "store/embedded/skeleton.h"
#include "store/embedded/summary_pages.h"
#include "store/embedded/trace_pages.h"
#include "store/embedded/wal_format.h"
#include "store/testing.h"

namespace fluoro::store {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the suite of this module

const char* const kCompat = "src/store/testdata/compat";
const char* const kCompatEncrypted = "src/store/testdata/compat_encrypted";
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

// Of the golden files: no secrets.
const reference::Keys kTestKeys{{"compat-1", std::string(32, 'c')},
                                {"compat-2", std::string(32, 'd')}};

std::shared_ptr<crypto::Keyring> TestKeyring() {
  auto keys = std::make_shared<crypto::Keyring>();
  for (const auto& [name, bytes] : kTestKeys) {
    (void)keys->Add(name, crypto::Secret(std::span<const std::uint8_t, crypto::kKeyBytes>(
                              reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size())));
  }
  (void)keys->Use("compat-1");
  return keys;
}

EmbeddedOptions Options() {
  EmbeddedOptions options;
  options.folder = "data";
  options.background_thread = false;
  options.wal_allocate_bytes = 512;
  options.retention_ns = 400LL * 24 * 3600 * kNsPerSecond;
  options.merge.window_ns[0] = 10 * kNsPerSecond;
  options.merge.window_ns[1] = 100'000 * kNsPerSecond;
  options.merge.fan_in = 2;
  options.merge.copy_spans = 4;
  return options;
}

std::string Describe(const model::AttributeValue& value) {
  std::string bytes;
  model::EncodeAnyValue(value, bytes);
  return ToHex({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

std::string Describe(const std::vector<model::Attribute>& attributes) {
  std::string text;
  for (const model::Attribute& attribute : attributes) {
    text += " " + attribute.key + (attribute.role == model::AttributeRole::kPlain ? "=" : "@") +
            Describe(attribute.value);
  }
  return text;
}

// Everything that a span holds: one line a span, event and link. Values as protobuf AnyValue.
std::string Describe(const model::Span& span) {
  const auto number = [](auto value) { return " " + std::to_string(value); };
  std::string text = span.trace_id.ToHex() + " " + span.span_id.ToHex() + " " +
                     span.parent_id.ToHex() + number(span.start_ns) + number(span.end_ns) + " '" +
                     span.name + "'" + number(static_cast<int>(span.kind)) +
                     number(static_cast<int>(span.status)) + number(static_cast<int>(span.source)) +
                     number(span.flags) + number(span.otel_flags) + " '" + span.trace_state +
                     "' '" + span.status_message + "'" + number(span.dropped_attributes) +
                     number(span.dropped_events) + number(span.dropped_links) + " '" +
                     span.document + "'" + Describe(span.attributes) + "\n";
  text += "  resource" + number(span.resource->dropped_attributes) + " '" +
          span.resource->schema_url + "' '" + span.resource->entity_refs + "'" +
          Describe(span.resource->attributes) + "\n";
  text += "  scope '" + span.scope->name + "' '" + span.scope->version + "'" +
          number(span.scope->dropped_attributes) + " '" + span.scope->schema_url + "'" +
          Describe(span.scope->attributes) + "\n";
  for (const model::Event& event : span.events) {
    text += "  event" + number(event.time_ns) + " '" + event.name + "'" +
            number(event.dropped_attributes) + Describe(event.attributes) + "\n";
  }
  for (const model::Link& link : span.links) {
    text += "  link " + link.trace_id.ToHex() + " " + link.span_id.ToHex() + " '" +
            link.trace_state + "'" + number(link.dropped_attributes) + number(link.otel_flags) +
            Describe(link.attributes) + "\n";
  }
  return text;
}

std::string Describe(TraceStore& store) {
  std::string text;
  const auto result = store.Search({}, [&](const Match& match) {
    const model::Trace& trace = *match.trace.trace;
    text += "trace " + trace.id.ToHex() + " revision " + std::to_string(trace.revision) +
            " last arrival " + std::to_string(trace.last_arrival_ns) + "\n";
    if (trace.kept != model::Kept()) {
      text += "  kept for '" + trace.kept.reason + "' with " +
              std::to_string(trace.kept.probability) + "\n";
    }
    for (const model::Span& span : trace.spans) text += Describe(span);
    return true;
  });
  for (const std::string& damage : result->damaged) text += "damaged: " + damage + "\n";
  (void)store.VisitDropped(INT64_MIN, INT64_MAX, [&](const DroppedTrace& trace) {
    text += "dropped " + trace.id.ToHex() + " " + std::to_string(trace.start_ns) + " " +
            std::to_string(trace.duration_ns) + " " + std::to_string(trace.arrival_ns) + " " +
            std::to_string(trace.shape) + " '" + std::string(trace.route) + "' '" +
            std::string(trace.reason) + "' " + std::to_string(trace.spans) + " " +
            std::to_string(trace.bytes) + " " + std::to_string(trace.outcomes);
    if (trace.root) {
      for (const auto field : query::RootRequestView::kFields)
        text += " '" + std::string((*trace.root).*field) + "'";
    }
    text += "\n";
    return true;
  });
  const auto calls = store.Calls({.period_ns = rollup::kMinuteNs});
  for (const auto& [series, sums] : rollup::testing::Print(calls->sums))
    text += "calls " + series + " = " + sums + "\n";
  const auto services = store.Services(1'000);
  for (const std::string& service : *services) {
    text += "service " + service + ":";
    const auto operations = store.Operations(service, 1'000);
    for (const auto& operation : *operations)
      text += " '" + operation.name + "' " + std::to_string(static_cast<int>(operation.kind));
    text += "\n";
  }
  return text;
}

// A span in which nothing is left out, so that every column holds something.
model::Span FullSpan(Rng& rng, std::uint64_t trace, std::uint64_t number) {
  model::Span span = RandomSpan(rng, MakeTraceId(trace), number);
  span.source = static_cast<model::SpanSource>(number % 5);
  span.dropped_events = static_cast<std::uint32_t>(number % 3);
  span.dropped_links = static_cast<std::uint32_t>(number % 2);
  if (number % 4 == 0) span.start_ns = -static_cast<std::int64_t>(number) * 1'000'000;
  if (number % 7 == 0) span.end_ns = INT64_MAX;
  const model::AttributeValue values[] = {
      {},
      {"text " + std::to_string(number)},
      {number % 2 == 0},
      {number % 3 == 0 ? INT64_MIN : static_cast<std::int64_t>(number) * 1'000'000},
      {-0.5 * static_cast<double>(number)},
      {model::AttributeValue::Bytes{std::string("\0\xff", 2)}},
      {model::AttributeValue::Array{{{std::string("a")}, {std::int64_t{-1}}}}},
      {model::AttributeValue::KvList{{{"k", {true}}}}}};
  for (const model::AttributeValue& value : values) {
    span.attributes.push_back({"all." + std::to_string(value.type() == model::AttributeType::kNull
                                                           ? 0
                                                           : static_cast<int>(value.type())),
                               value, model::AttributeRole::kPlain});
  }
  span.attributes.push_back(
      {"scaled", {static_cast<std::int64_t>(number) * 1'000'000}, model::AttributeRole::kPlain});
  span.links.push_back({MakeTraceId(77),
                        MakeSpanId(number),
                        "s=" + std::to_string(number % 2),
                        {{"link", {std::int64_t{7}}, {}}},
                        1,
                        2});
  if (number % 5 == 0) span.document = std::string(3'000, 'd') + std::to_string(number);
  return span;
}

// A log file's salt is random: another one, so that the folder is always the same.
std::string WithFixedSalt(const std::string& content) {
  WalHeader header = *DecodeWalHeader(content);
  const std::uint64_t seed = FrameSeed(header);
  header.salt.fill(9);
  std::string fixed = EncodeWalHeader(header);
  (void)WalkFrames(content, seed, [&](WalRecord& record) -> Result<void> {
    AppendFrames(*EncodeRecord(record.header.type, std::string(record.body)), record.header.lsn,
                 record.header.synced_lsn, record.header.flags, FrameSeed(header), fixed);
    return {};
  });
  fixed.resize(content.size(), '\0');
  return fixed;
}

// Blocks sealed and merged (once and twice), with deletions, and live records in the log: spans and
// a deletion.
std::map<std::string, std::string> MakeFolder(const std::shared_ptr<crypto::Keyring>& keys) {
  FaultyFs fs;
  ManualClock clock(kNow);
  Metrics metrics;
  EmbeddedOptions options = Options();
  options.keys = keys;
  auto store = *OpenEmbeddedStore(fs, clock, metrics, options);
  Rng rng(2026);
  std::uint64_t number = 0;
  const auto append = [&](std::uint64_t trace, std::size_t count, bool full = false) {
    std::vector<model::Span> spans;
    for (std::size_t i = 0; i < count; ++i) {
      ++number;
      spans.push_back(full ? FullSpan(rng, trace, number)
                           : RandomSpan(rng, MakeTraceId(trace), number));
    }
    (void)store->Append(MakeBatch(spans), Durability::kSynced);
  };
  // Two blocks of a window, merged to level 1 with a hole where a trace was deleted; again; and
  // these to level 2.
  for (const std::uint64_t base : {10U, 20U}) {
    append(base, 30, true);
    append(base + 1, 3);
    append(base + 2, 5, true);
    (void)store->SealAll();
    (void)store->Delete(std::vector{MakeTraceId(base + 1)});
    clock.Advance(kNsPerSecond);
    append(base, 6, true);
    append(base + 3, 2);
    (void)store->SealAll();
    clock.Advance(20 * kNsPerSecond);
    (void)store->RunMaintenance();
  }
  append(30, 9, true);
  append(30, 9);
  (void)store->SealAll();
  (void)store->RunMaintenance();
  clock.Advance(300'000 * kNsPerSecond);  // another window: what follows stays as it is sealed
  for (const std::uint64_t trace : {40U, 41U}) {
    append(trace, 5, true);
    (void)store->SealAll();
  }
  if (keys != nullptr)
    (void)store->SetWrappingKey("compat-2");  // older files get a file beside them
  (void)store->RunMaintenance();
  append(1, 5);
  append(2, 3, true);
  (void)store->SealAll();
  append(1, 2);
  append(3, 4, true);
  clock.Advance(kNsPerSecond);
  (void)store->Delete(std::vector{MakeTraceId(2), MakeTraceId(22)});
  append(4, 3, true);
  append(1, 1);
  fs.CrashAfter(1);
  store.reset();
  fs.Restart(PowerLoss::kDropAll, 1);
  auto files = fs.Snapshot();
  std::erase_if(files, [](const auto& file) { return file.first.starts_with("data/tmp/"); });
  for (auto& [path, content] : files) {
    if (path.ends_with(".wal") && keys == nullptr) content = WithFixedSalt(content);
  }
  return files;
}

// Blocks of which traces were judged: kept for several reasons, dropped, and waiting for a younger
// piece; with gaps where a row group was copied, and with nothing left but skeletons.
std::map<std::string, std::string> MakeJudgedFolder() {
  FaultyFs fs;
  ManualClock clock(kNow);
  Metrics metrics;
  EmbeddedOptions options = Options();
  options.live_window_ns = 100 * kNsPerSecond;
  sampling::TailPolicies policies;
  policies.policies.push_back({.name = "bad", .outcomes = sampling::kTailFault});
  policies.policies.push_back(
      {.name = "gold", .filter = "annotation.tenant = \"acme\"", .keep = 0.5});
  policies.policies.push_back({.name = "rest", .keep = 0.25});
  options.tail_policies =
      std::make_shared<const query::TailFilters>(*query::TailFilters::Compile(policies));
  auto store = *OpenEmbeddedStore(fs, clock, metrics, options);
  Rng rng(2027);
  std::uint64_t number = 0;
  const auto append = [&](std::uint64_t trace, std::size_t count, bool fault) {
    std::vector<model::Span> spans;
    for (std::size_t i = 0; i < count; ++i) {
      model::Span& span = spans.emplace_back(RandomSpan(rng, MakeTraceId(trace), ++number));
      span.flags = fault ? std::uint32_t{model::SpanFlag::kFault} : 0U;
      span.status = model::StatusCode::kOk;
      std::erase_if(span.attributes, [](const auto& a) { return a.key == "key.1"; });
      if (trace % 3 == 0)
        span.attributes.push_back({"tenant", {"acme"}, model::AttributeRole::kAnnotation});
      span.attributes.push_back(
          {"url.full", {"https://shop.example/orders/" + std::to_string(trace % 4) + "?page=2"}});
      span.attributes.push_back({"aws.xray.sampling_rule", {"orders"}});
    }
    (void)store->Append(MakeBatch(spans), Durability::kSynced);
  };
  for (std::uint64_t block = 0; block < 4; ++block) {
    for (std::uint64_t trace = 0; trace < 8; ++trace)
      append(100 * block + trace, 1 + trace % 3, trace == 5 || (block == 3 && trace % 3 != 1));
    append(7, 1, false);  // over all blocks
    (void)store->SealAll();
    clock.Advance(20 * kNsPerSecond);
    (void)store->RunMaintenance();
  }
  clock.Advance(60 * kNsPerSecond);
  append(302, 1, false);  // goes on
  (void)store->SealAll();
  for (int i = 0; i < 3; ++i) {
    clock.Advance(20 * kNsPerSecond);
    (void)store->RunMaintenance();
  }
  fs.CrashAfter(1);
  store.reset();
  fs.Restart(PowerLoss::kDropAll, 1);
  auto files = fs.Snapshot();
  std::erase_if(files, [](const auto& file) { return file.first.starts_with("data/tmp/"); });
  for (auto& [path, content] : files) {
    if (path.ends_with(".wal")) content = WithFixedSalt(content);
  }
  return files;
}

// Blocks with calls: sealed, in pieces, merged, and gone but for their sums.
std::map<std::string, std::string> MakeCallsFolder() {
  FaultyFs fs;
  ManualClock clock(kNow);
  Metrics metrics;
  auto store = *OpenEmbeddedStore(fs, clock, metrics, Options());
  Rng rng(2028);
  const auto append = [&](std::uint64_t trace, std::size_t count) {
    std::vector<model::Span> spans;
    for (std::size_t i = 0; i < count; ++i)
      spans.push_back(rollup::testing::RandomCallSpan(rng, MakeTraceId(trace), 1 + rng.Below(12)));
    (void)store->Append(MakeBatch(spans), Durability::kSynced);
  };
  for (std::uint64_t block = 0; block < 6; ++block) {
    for (std::uint64_t trace = 0; trace < 8; ++trace) append(block / 2 * 4 + trace, 5);
    (void)store->SealAll();
    clock.Advance(kNsPerSecond);
    if (block == 1) (void)store->DropBefore(clock.UnixNs());
    if (block == 3) {
      clock.Advance(20 * kNsPerSecond);
      (void)store->RunMaintenance();
    }
  }
  append(1, 5);
  fs.CrashAfter(1);
  store.reset();
  fs.Restart(PowerLoss::kDropAll, 1);
  auto files = fs.Snapshot();
  std::erase_if(files, [](const auto& file) { return file.first.starts_with("data/tmp/"); });
  for (auto& [path, content] : files) {
    if (path.ends_with(".wal")) content = WithFixedSalt(content);
  }
  return files;
}

// What of the format occurs in these files.
std::set<std::string> SeenIn(const std::map<std::string, std::string>& files) {
  std::set<std::string> seen;
  for (const auto& [path, content] : files) {
    if (path.ends_with(".flb")) {
      const auto block = reference::ReadBlock(content, kTestKeys);
      EXPECT_TRUE(block) << path << ": " << block.error().message;
      if (!block) continue;
      seen.insert(block->seen.begin(), block->seen.end());
      seen.insert("level " + std::to_string(block->level));
    }
    if (path.ends_with(".wal")) {
      const auto wal = reference::ReadWal(content, kTestKeys);
      EXPECT_TRUE(wal) << path << ": " << wal.error().message;
      if (wal) seen.insert(wal->seen.begin(), wal->seen.end());
    }
    if (path.starts_with("data/rollup/")) seen.insert("rollup");
    if (path.ends_with(".del")) seen.insert("deletions");
    if (path.ends_with(".key")) seen.insert("wrapped key");
  }
  return seen;
}

void WriteColumnCorpora(const std::filesystem::path& corpus) {
  const auto ints = [&](const char* name, const std::vector<std::uint64_t>& values) {
    std::string bytes{'\0', static_cast<char>(values.size()), '\0'};
    EncodeInts(values, bytes);
    WriteFile(corpus / name, bytes);
  };
  ints("ints_constant", {7, 7, 7});
  ints("ints_packed", {1, 5, 3, std::uint64_t{1} << 40});
  ints("ints_scaled", {3'000'000, 5'000'000, 9'000'000});
  ints("ints_extremes", {0, UINT64_MAX, 1});
  const auto texts = [&](const char* name, const std::vector<std::string>& values) {
    TextColumn column;
    for (const std::string& value : values) column.Add(value);
    std::string bytes{'\1', static_cast<char>(values.size()), '\0'};
    column.Encode(bytes);
    WriteFile(corpus / name, bytes);
  };
  texts("texts_plain", {"a", "bc", ""});
  texts("texts_dictionary", {"alpha", "alpha", "beta", "alpha", "beta", "alpha", "alpha", "alpha"});
}

// Blocks without header, sums and trailer, as block_file_fuzz takes them.
void WriteBlockFileCorpora(const std::filesystem::path& corpus,
                           const std::map<std::string, std::string>& files) {
  for (const auto& [path, content] : files) {
    if (!path.ends_with(".flb") || content.size() > 20'000) continue;
    const auto trailer = DecodeTrailer(
        std::string_view(content).substr(content.size() - kBlockTrailerBytes), content.size());
    std::string bytes;
    ByteWriter out(bytes);
    out.PutFixed16(static_cast<std::uint16_t>(trailer->offset - kBlockHeaderBytes));
    out.PutBytes(std::string_view(content).substr(
        kBlockHeaderBytes, content.size() - kBlockHeaderBytes - kBlockTrailerBytes));
    WriteFile(corpus / ("v1.2-" + std::filesystem::path(path).stem().string()), bytes);
  }
}

void WriteCorpora(const std::map<std::string, std::string>& files) {
  const std::filesystem::path corpus(kCorpus);
  WriteColumnCorpora(corpus / "columns");
  WriteBlockFileCorpora(corpus / "block_file", files);
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
  const std::vector<EncodedColumn> columns = testing::FinishInMemory(builder, operations);
  for (const EncodedColumn& column : columns) {
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
  const std::vector<TraceEntry> traces{{.id = MakeTraceId(1), .rows = 1'000, .kept = 1}};
  WriteFile(corpus / "block/trace_page", "\11\1" + EncodeTracePage(traces, 9));
  for (const EncodedColumn& column : columns) {
    if (column.id == static_cast<std::uint32_t>(RowColumn::kZones))
      WriteFile(corpus / "block/zones", "\13" + column.bytes);
  }
  const model::SummaryTexts texts{
      .texts = {"GET /"}, .keys = {{"web", "", ""}, {"db", "remote", "1"}}, .sets = {{0, 1}, {}}};
  const model::StoredSummary summary{.duration_ns = 9,
                                     .response_ns = 7,
                                     .status = 502,
                                     .bits = model::kSummaryKnown | model::kRootFault,
                                     .name = 1,
                                     .entry = 1,
                                     .services = {1, 1, 2, 2}};
  WriteFile(corpus / "block/summary_header", "\15" + EncodeSummaryHeader(texts));
  WriteFile(corpus / "block/summary_page", "\16\1" + EncodeSummaryPage({&summary, 1}, traces));
  WriteFile(corpus / "block/text_filter", "\14" + FuseFilter::Encode({1, 2, 3}));
  WriteFile(corpus / "block/id_page",
            "\12\2" + EncodeIdPage({.ids = {MakeTraceId(1), MakeTraceId(2)}, .places = {1, 0}}));
  WriteFile(corpus / "block/services", "\3" + EncodeServices(operations));
  WriteFile(corpus / "block/filter", "\4" + TraceFilter::Encode(traces));
  WriteFile(corpus / "block/trailer", "\5" + EncodeTrailer({.offset = 64, .bytes = 1}));
  WriteFile(corpus / "block/deletions", "\6" + EncodeDeletions({MakeTraceId(1)}));
  SkeletonEncoder skeletons([&](std::string_view chunk, std::size_t) -> Result<void> {
    WriteFile(corpus / "block/skeletons", "\10" + std::string(chunk));
    return {};
  });
  (void)skeletons.Add({.id = MakeTraceId(1), .route = "web /cart", .reason = "rest", .spans = 3});
  (void)skeletons.Finish();
}

// Parts of the format that the golden files must have in them.
std::vector<std::string> Missing(const std::string& version, const std::set<std::string>& seen) {
  using Parts = std::vector<std::string>;
  // Of all folders of spans, whatever the version.
  const Parts spans{"section 1",   "section 2",       "section 5",   "section 6",   "section 9",
                    "codec 0",     "codec 1",         "ints 0",      "ints 1",      "ints 2",
                    "texts 0",     "texts 1",         "attribute 0", "attribute 1", "attribute 2",
                    "attribute 3", "attribute 4",     "attribute 5", "attribute 6", "attribute 7",
                    "type 1",      "type 2",          "level 0",     "level 1",     "level 2",
                    "deletions",   "rows of no trace"};
  const Parts judged{"section 10", "section 11", "not judged", "level 0", "rows of no trace"};
  const Parts table{"section 3", "section 4", "section 7", "section 8"};
  const Parts judged_table{"section 4", "section 7", "section 8"};
  const Parts pages{"section 12", "section 13", "section 14"};
  const Parts calls{"section 9", "section 16", "level 0", "level 1", "rollup"};
  const Parts summaries{"section 17", "no summary"};
  const std::map<std::string, std::vector<Parts>> wanted{
      {"v1", {spans, table}},
      {"v1-judged", {judged, judged_table}},
      {"v1.1", {spans, pages}},
      {"v1.1-judged", {judged, pages}},
      {"v1.1-calls", {calls, pages}},
      {"v1.2", {spans, pages, summaries}},
      {"v1.2-judged", {judged, pages, summaries}},
      {"v1.2-roots",
       {{"section 10", "section 11", "not judged", "rows of no trace", "roots of skeletons"},
        pages,
        summaries}},
      {"v1.2-calls", {calls, pages}},
  };
  const auto of_version = wanted.find(version);
  if (of_version == wanted.end()) return {"what the version has in it"};
  std::vector<std::string> missing;
  for (const Parts& parts : of_version->second) {
    std::ranges::copy_if(parts, std::back_inserter(missing),
                         [&](const std::string& part) { return !seen.contains(part); });
  }
  return missing;
}

std::map<std::string, std::string> ReadFolder(const std::filesystem::path& version) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(version / "data")) {
    if (entry.is_regular_file())
      files[std::filesystem::relative(entry.path(), version).string()] = ReadText(entry.path());
  }
  return files;
}

void WriteFolder(const char* name, const std::map<std::string, std::string>& files) {
  const std::filesystem::path folder = std::filesystem::path(kCompat) / name;
  std::filesystem::remove_all(folder);
  FaultyFs fs;
  for (const auto& [path, content] : files) WriteFile(folder / path, content);
  fs.Load(files);
  ManualClock clock(kNow);
  Metrics metrics;
  auto store = *OpenEmbeddedStore(fs, clock, metrics, Options());
  WriteFile(folder / "expected.txt", Describe(*store));
}

// An input of call_fuzz: the header of a block's calls and their first chunk.
void WriteCallsCorpus(const std::map<std::string, std::string>& files) {
  FaultyFs fs;
  fs.Load(files);
  Metrics metrics;
  BlockCache cache(metrics, "test", 1 << 20);
  for (const auto& [path, content] : files) {
    std::uint64_t id = 0;
    const std::filesystem::path file(path);
    if (!ParseBlockFileName(file.filename().string(), id)) continue;
    const auto block = Block::Open(fs, cache, path, id);
    std::string parts[2];
    const auto take = [&](std::uint32_t part, std::string_view bytes) -> Result<void> {
      if (part < 2) parts[part] = bytes;
      return {};
    };
    if (!block || !(*block)->ReadSums(SectionType::kCalls, take) || parts[0].empty()) continue;
    std::string input;
    ByteWriter(input).PutFixed16(static_cast<std::uint16_t>(parts[0].size()));
    WriteFile(std::filesystem::path(kCorpus) / "calls" / file.stem(), input + parts[0] + parts[1]);
  }
}

// What summaries tell is what the spans say.
void ExpectSummariesOf(TraceStore& store) {
  std::vector<Outline> told;
  std::vector<Outline> read;
  EXPECT_TRUE(store.List({}, [&](const Outline& outline) {
    told.push_back(outline);
    return true;
  }));
  EXPECT_TRUE(store.Search({}, [&](const Match& match) {
    read.push_back(OutlineOf(match.trace, match.view.summary()));
    return true;
  }));
  EXPECT_EQ(told, read);
}

TEST(Compat, FoldersOfEveryVersionOpenAndHoldWhatTheyHeld) {
  const char* const update = std::getenv("FLUORO_UPDATE_GOLDEN");
  const std::string_view updates = update == nullptr ? "" : update;
  if (updates == "1") {
    // Those of earlier versions stay as they were written.
    const auto files = MakeFolder(nullptr);
    WriteFolder("v1.2", files);
    WriteCorpora(files);
  }
  // v1.2-judged is from before skeletons had roots.
  if (updates == "1" || updates == "roots") WriteFolder("v1.2-roots", MakeJudgedFolder());
  if (updates == "1" || updates == "calls") {
    const auto files = MakeCallsFolder();
    WriteFolder("v1.2-calls", files);
    WriteCallsCorpus(files);
  }
  std::size_t versions = 0;
  for (const auto& version : std::filesystem::directory_iterator(kCompat)) {
    SCOPED_TRACE(version.path().string());
    ++versions;
    const auto files = ReadFolder(version.path());
    FaultyFs fs;
    fs.Load(files);
    const auto report = VerifyFolder(fs, "data");
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->ok());
    EXPECT_EQ(Missing(version.path().filename().string(), SeenIn(files)),
              std::vector<std::string>());
    ManualClock clock(kNow);
    Metrics metrics;
    auto store = OpenEmbeddedStore(fs, clock, metrics, Options());
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_EQ(Describe(**store), ReadText(version.path() / "expected.txt"));
    ExpectSummariesOf(**store);
    // And they can be written on.
    Rng rng(1);
    EXPECT_TRUE(
        (*store)->Append(MakeBatch({RandomSpan(rng, MakeTraceId(50), 999)}), Durability::kSynced));
    EXPECT_TRUE((*store)->SealAll());
  }
  EXPECT_GE(versions, 9U);
}

// FLUORO_UPDATE_GOLDEN=encrypted writes the folder anew: its keys and nonces are random, so that it
// differs each time.
TEST(Compat, EncryptedFoldersOpenWithTheirKeys) {
  const char* const update = std::getenv("FLUORO_UPDATE_GOLDEN");
  if (update != nullptr && std::string_view(update) == "encrypted") {
    const std::filesystem::path folder = std::filesystem::path(kCompatEncrypted) / "v1.2";
    std::filesystem::remove_all(folder);
    FaultyFs fs;
    const auto files = MakeFolder(TestKeyring());
    for (const auto& [path, content] : files) WriteFile(folder / path, content);
    fs.Load(files);
    ManualClock clock(kNow);
    Metrics metrics;
    EmbeddedOptions options = Options();
    options.keys = TestKeyring();
    auto store = *OpenEmbeddedStore(fs, clock, metrics, options);
    WriteFile(folder / "expected.txt", Describe(*store));
  }
  for (const auto& version : std::filesystem::directory_iterator(kCompatEncrypted)) {
    SCOPED_TRACE(version.path().string());
    const auto files = ReadFolder(version.path());
    const auto seen = SeenIn(files);
    EXPECT_TRUE(seen.contains("encrypted"));
    EXPECT_TRUE(seen.contains("wrapped key"));
    FaultyFs fs;
    fs.Load(files);
    EmbeddedOptions options = Options();
    options.keys = TestKeyring();
    const auto report = VerifyFolder(fs, "data", options.keys.get());
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->ok());
    ManualClock clock(kNow);
    Metrics metrics;
    auto store = OpenEmbeddedStore(fs, clock, metrics, options);
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_EQ(Describe(**store), ReadText(version.path() / "expected.txt"));
  }
}

}  // namespace
}  // namespace fluoro::store
