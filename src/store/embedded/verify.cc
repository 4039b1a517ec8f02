// VerifyFolder: every checksum of a data folder, without changing anything.
#include <algorithm>

#include "store/embedded/batch_codec.h"
#include "store/embedded/store_impl.h"

namespace fluoro::store {
namespace {

void AddProblem(VerifyReport::Item& item, const std::string& problem) {
  if (!item.problem.empty()) item.problem += "; ";
  item.problem += problem;
}

VerifyReport::Item VerifyBlock(Fs& fs, BlockCache& cache, const std::string& path,
                               const std::string& shown, std::uint64_t id) {
  VerifyReport::Item item{.file = shown, .problem = {}};
  const auto block = Block::Open(fs, cache, path, id);
  if (!block) {
    item.problem = block.error().message;
    return item;
  }
  item.bytes = (*block)->file_bytes();
  item.spans = (*block)->meta().spans;
  item.traces = (*block)->meta().traces;
  const auto verified =
      (*block)->Verify([&](const std::string& problem) { AddProblem(item, problem); });
  if (!verified) AddProblem(item, verified.error().message);
  return item;
}

VerifyReport::Item VerifyLogFile(Fs& fs, const std::string& path, const std::string& shown) {
  VerifyReport::Item item{.file = shown, .problem = {}};
  const auto content = ReadFile(fs, path);
  if (!content) {
    item.problem = content.error().message;
    return item;
  }
  item.bytes = content->size();
  const auto header = DecodeWalHeader(*content);
  if (!header) {
    item.problem = header.error().message;
    return item;
  }
  if (std::string_view(*content).substr(0, kWalHeaderBytes) != EncodeWalHeader(*header)) {
    item.problem = "a copy of the header is damaged";
  }
  std::uint64_t expected = 0;
  const auto walk =
      WalkFrames(*content, FrameSeed(*header), [&](WalRecord& record) -> Result<void> {
        const std::uint64_t lsn = record.header.lsn;
        const bool rewritten = (record.header.flags & kFrameRewritten) != 0;
        if (!rewritten) {
          if (expected != 0 && lsn != expected) {
            AddProblem(item, "records " + std::to_string(expected) + " to " +
                                 std::to_string(lsn - 1) + " are missing");
          }
          expected = lsn + 1;
        }
        if (record.header.type == FrameType::kSpans) {
          const auto decoded = DecodeBatch(record.body);
          if (decoded) {
            item.spans += decoded->batch.size();
          } else {
            AddProblem(item, "record " + std::to_string(lsn) + ": " + decoded.error().message);
          }
        } else if (const auto tombstone = DecodeTombstone(record.body); !tombstone) {
          AddProblem(item, "record " + std::to_string(lsn) + ": " + tombstone.error().message);
        }
        return {};
      });
  if (walk->garbage_bytes > 0) {
    AddProblem(item, std::to_string(walk->garbage_bytes) + " bytes are not records");
  }
  return item;
}

}  // namespace

bool VerifyReport::ok() const {
  return std::all_of(items.begin(), items.end(),
                     [](const Item& item) { return item.problem.empty(); });
}

Result<VerifyReport> VerifyFolder(Fs& fs, std::string_view folder) {
  const Layout layout{std::string(folder)};
  VerifyReport report;
  FLUORO_TRY(const std::string format, ReadFile(fs, layout.format));
  VerifyReport::Item format_item{.file = "FORMAT", .problem = {}, .bytes = format.size()};
  if (auto checked = CheckFormat(format); !checked) format_item.problem = checked.error().message;
  report.items.push_back(std::move(format_item));
  Metrics metrics;
  BlockCache cache(metrics, "questions", 0);
  FLUORO_TRY(const auto blocks, fs.List(layout.blocks));
  for (const std::string& name : blocks) {
    const std::string path = layout.blocks + "/" + name;
    std::uint64_t id = 0;
    if (ParseBlockFileName(name, id)) {
      report.items.push_back(VerifyBlock(fs, cache, path, "blocks/" + name, id));
    } else if (name.ends_with(".del")) {
      VerifyReport::Item item{.file = "blocks/" + name, .problem = {}};
      const auto content = ReadFile(fs, path);
      const auto ids = content ? DecodeDeletions(*content) : std::unexpected(content.error());
      if (content) item.bytes = content->size();
      if (!ids) item.problem = ids.error().message;
      report.items.push_back(std::move(item));
    }
  }
  if (const auto sums = fs.List(layout.rollup)) {
    for (const std::string& name : *sums) {
      std::uint64_t id = 0;
      if (!ParseBlockFileName(name, id)) continue;
      report.items.push_back(
          VerifyBlock(fs, cache, layout.rollup + "/" + name, "rollup/" + name, id));
    }
  }
  FLUORO_TRY(const auto files, fs.List(layout.wal));
  for (const std::string& name : files) {
    if (ParseWalFileName(name) == 0) continue;
    report.items.push_back(VerifyLogFile(fs, layout.wal + "/" + name, "wal/" + name));
  }
  if (const auto aside = fs.List(layout.quarantine)) {
    for (const std::string& name : *aside) {
      report.items.push_back({.file = "quarantine/" + name, .problem = "set aside as damaged"});
    }
  }
  return report;
}

}  // namespace fluoro::store
