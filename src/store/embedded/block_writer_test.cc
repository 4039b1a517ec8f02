#include "store/embedded/block_writer.h"

#include <gtest/gtest.h>

#include "base/memory_fs.h"
#include "store/testing.h"

namespace fluoro::store {
namespace {

using testing::MakeSpanId;
using testing::MakeTraceId;

/// One trace whose spans have a text of `text_bytes` each, where `put` puts it.
TraceRows TraceOf(std::size_t spans, std::size_t text_bytes,
                  const std::function<void(model::Span&, std::string)>& put) {
  Rng rng(5);
  auto batch = std::make_shared<model::SpanBatch>();
  const auto resource = std::make_shared<const model::Resource>();
  const auto scope = std::make_shared<const model::Scope>();
  for (std::size_t i = 0; i < spans; ++i) {
    model::Span span;
    span.trace_id = MakeTraceId(1);
    span.span_id = MakeSpanId(i + 1);
    span.resource = resource;
    span.scope = scope;
    std::string text(text_bytes, '\0');
    for (char& c : text) c = static_cast<char>('a' + rng.Below(26));
    put(span, std::move(text));
    batch->AppendSpan(span);
  }
  TraceRows trace;
  trace.id = MakeTraceId(1);
  for (std::uint32_t i = 0; i < spans; ++i) trace.rows.push_back({batch.get(), i});
  trace.batches.push_back(std::move(batch));
  return trace;
}

BlockMeta NewMeta() {
  BlockMeta meta;
  meta.id = 1;
  return meta;
}

// A row group is what a reader must hold, and a writer three times.
// A block of this trace alone. The file is as long as the writer says.
Result<BlockMeta> Write(const TraceRows& trace) {
  MemoryFs fs;
  FLUORO_CHECK_OK(fs.MakeDirs("d"));
  FLUORO_TRY(const auto file, fs.Open("d/b", Fs::OpenMode::kCreate));
  BlockWriter writer(*file, NewMeta());
  FLUORO_CHECK_OK(writer.AddTrace(trace));
  FLUORO_TRY(BlockMeta meta, writer.Finish());
  FLUORO_TRY(const std::uint64_t bytes, file->Size());
  EXPECT_EQ(bytes, writer.bytes());
  return meta;
}

TEST(BlockWriter, FewSpansOfMuchTextAreChainedOverRowGroups) {
  const std::map<std::string, std::function<void(model::Span&, std::string)>> places = {
      {"attribute",
       [](model::Span& span, std::string text) {
         span.attributes.push_back({.key = "blob", .value = {std::move(text)}});
       }},
      {"event",
       [](model::Span& span, std::string text) {
         span.events.push_back(
             {.name = "e", .attributes = {{.key = "blob", .value = {std::move(text)}}}});
       }},
      {"document", [](model::Span& span, std::string text) { span.document = std::move(text); }},
  };
  for (const auto& [where, put] : places) {
    const TraceRows trace = TraceOf(40, std::size_t{1} << 20, put);
    const auto meta = Write(trace);
    ASSERT_TRUE(meta) << meta.error().message;
    EXPECT_GE(meta->row_groups.size(), 5U) << where;
    for (const std::uint64_t spans : meta->row_groups) EXPECT_LE(spans, 9U) << where;
    for (const Section& section : meta->sections) {
      EXPECT_LE(section.raw, std::size_t{10} << 20) << where;
    }
  }
}

TEST(BlockWriter, ManySmallSpansShareARowGroup) {
  const TraceRows trace = TraceOf(8'000, 10, [](model::Span& span, std::string text) {
    span.attributes.push_back({.key = "small", .value = {std::move(text)}});
  });
  const auto meta = Write(trace);
  ASSERT_TRUE(meta) << meta.error().message;
  EXPECT_EQ(meta->row_groups, std::vector<std::uint64_t>{8'000});
}

}  // namespace
}  // namespace fluoro::store
