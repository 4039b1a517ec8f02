// Any bytes as a whole block file whose sums are right, so that everything behind them is reached:
// refused, or safe to read and verify.
// input := sections_bytes:u16 sections footer
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/memory_fs.h"
#include "base/metrics.h"
#include "store/embedded/block.h"

namespace {

using namespace fluoro;         // NOLINT(google-build-using-namespace): one purpose
using namespace fluoro::store;  // NOLINT(google-build-using-namespace): one purpose

constexpr std::uint64_t kSpansMax = 10'000;
constexpr std::uint64_t kRawBytesMax = 1 << 20;

Metrics& SharedMetrics() {
  static Metrics metrics;
  return metrics;
}

// Empty: the footer is refused.
std::string MakeFile(std::string_view sections, std::string_view footer_bytes) {
  const std::uint64_t footer_offset = kBlockHeaderBytes + sections.size();
  auto meta = DecodeFooter(footer_bytes, footer_offset);
  if (!meta || meta->spans > kSpansMax) return {};
  for (Section& section : meta->sections) {
    if (section.raw > kRawBytesMax) return {};
    section.sum = SectionSum(sections.substr(section.offset - kBlockHeaderBytes, section.stored),
                             meta->id, section.offset);
  }
  const std::string footer = EncodeFooter(*meta);
  Trailer trailer{.offset = footer_offset, .bytes = footer.size()};
  trailer.sum = FooterSum(footer, trailer);
  return EncodeBlockHeader(meta->id) + std::string(sections) + footer + EncodeTrailer(trailer);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::size_t sections_bytes = std::min<std::size_t>(data[0] + 256U * data[1], rest.size());
  const std::string content = MakeFile(rest.substr(0, sections_bytes), rest.substr(sections_bytes));
  if (content.empty()) return 0;
  MemoryFs fs;
  if (const auto file = fs.Open("block", Fs::OpenMode::kCreate);
      !file || !(*file)->WriteAt(0, content)) {
    return 0;
  }
  ByteReader header(std::string_view(content).substr(16, 8));
  BlockCache cache(SharedMetrics(), "questions", 0);
  const auto block = Block::Open(fs, cache, "block", *header.TakeFixed64());
  if (!block) return 0;
  (void)(*block)->MayContain({});
  (void)(*block)->Services();
  (void)(*block)->Verify([](const std::string&) {});
  const auto table = (*block)->Table();
  if (!table) return 0;
  (void)(*table)->Find({});
  for (const TraceEntry& trace : (*table)->traces) {
    (void)(*block)->RowsOf(trace);
    (void)(*block)->Find(trace.id);
  }
  for (std::uint32_t group = 0; group < (*block)->meta().row_groups.size(); ++group) {
    if (!(*table)->traces.empty()) (void)(*block)->ReadKeys((*table)->traces.front(), group);
    const auto batch = (*block)->RowGroup(**table, group);
    if (!batch) continue;
    model::SpanReader reader(**batch);
    for (std::uint32_t i = 0; i < (*batch)->size(); ++i) (void)reader.Read(i);
  }
  return 0;
}
