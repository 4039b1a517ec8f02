// VerifyFolder: every checksum of a data folder, without changing anything.
#include <algorithm>

#include "store/embedded/attribute_file.h"
#include "store/embedded/batch_codec.h"
#include "store/embedded/store_impl.h"

namespace fluoro::store {
namespace {

void AddProblem(VerifyReport::Item& item, const std::string& problem) {
  if (!item.problem.empty()) item.problem += "; ";
  item.problem += problem;
}

void NoteError(VerifyReport::Item& item, const Error& error) {
  item.problem = error.message;
  item.is_locked = error.code == ErrorCode::kPermissionDenied;
}

// Nullopt: it cannot be read, and the item says why.
std::optional<std::string> ReadInto(Fs& fs, const std::string& path, VerifyReport::Item& item) {
  auto content = ReadFile(fs, path);
  if (!content) {
    item.problem = content.error().message;
    return std::nullopt;
  }
  item.bytes = content->size();
  return *std::move(content);
}

// A small file that is decoded whole.
template <class Decode>
VerifyReport::Item VerifySmall(Fs& fs, const std::string& path, const std::string& shown,
                               const Decode& decode) {
  VerifyReport::Item item{.file = shown, .problem = {}};
  const auto content = ReadInto(fs, path, item);
  if (!content) return item;
  if (const auto decoded = decode(*content); !decoded) item.problem = decoded.error().message;
  return item;
}

VerifyReport::Item VerifyBlock(Fs& fs, BlockCache& cache, const std::string& path,
                               const std::string& shown, std::uint64_t id,
                               const crypto::Keyring* keys) {
  VerifyReport::Item item{.file = shown, .problem = {}};
  const auto block = Block::Open(fs, cache, path, id, keys);
  if (!block) {
    NoteError(item, block.error());
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

// Blocks, and what stands beside them. `folder`: with its slash.
void VerifyBlocks(Fs& fs, BlockCache& cache, const std::vector<std::string>& names,
                  const std::string& folder, const std::string& shown, const crypto::Keyring* keys,
                  VerifyReport& report) {
  for (const std::string& name : names) {
    const std::string path = folder + name;
    std::uint64_t id = 0;
    if (ParseBlockFileName(name, id)) {
      report.items.push_back(VerifyBlock(fs, cache, path, shown + name, id, keys));
    } else if (name.ends_with(".del")) {
      report.items.push_back(VerifySmall(fs, path, shown + name, DecodeDeletions));
    } else if (name.ends_with(".key")) {
      report.items.push_back(VerifySmall(fs, path, shown + name, DecodeRewrap));
    }
  }
}

VerifyReport::Item VerifyLogFile(Fs& fs, const std::string& path, const std::string& shown,
                                 const crypto::Keyring* keys) {
  VerifyReport::Item item{.file = shown, .problem = {}};
  const auto content = ReadInto(fs, path, item);
  if (!content) return item;
  const auto header = DecodeWalHeader(*content);
  if (!header) {
    item.problem = header.error().message;
    return item;
  }
  if (std::string_view(*content).substr(0, kWalHeaderBytes) != EncodeWalHeader(*header)) {
    item.problem = "a copy of the header is damaged";
  }
  std::shared_ptr<const FileCipher> cipher;
  if (header->envelope) {
    auto found = FileCipher::Of(keys, *header->envelope, FileKind::kLog, header->file_number);
    if (found) {
      cipher = *std::move(found);
    } else {
      NoteError(item, found.error());
    }
  }
  std::uint64_t expected = 0;
  const auto walk = WalkFrames(
      *content, FrameReading(FrameSeed(*header), cipher.get(), item.is_locked),
      [&](WalRecord& record) -> Result<void> {
        const std::uint64_t lsn = record.header.lsn;
        const bool rewritten = (record.header.flags & kFrameRewritten) != 0;
        if (!rewritten) {
          if (expected != 0 && lsn != expected) {
            AddProblem(item, "records " + std::to_string(expected) + " to " +
                                 std::to_string(lsn - 1) + " are missing");
          }
          expected = lsn + 1;
        }
        if (item.is_locked) return {};
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

Result<VerifyReport> VerifyFolder(Fs& fs, std::string_view folder, const crypto::Keyring* keys) {
  const Layout layout{std::string(folder)};
  VerifyReport report;
  FLUORO_TRY(const std::string format, ReadFile(fs, layout.format));
  VerifyReport::Item format_item{.file = "FORMAT", .problem = {}, .bytes = format.size()};
  if (auto version = DecodeFormat(format); !version) format_item.problem = version.error().message;
  report.items.push_back(std::move(format_item));
  Metrics metrics;
  BlockCache cache(metrics, "questions", 0);
  FLUORO_TRY(const auto blocks, fs.List(layout.blocks));
  VerifyBlocks(fs, cache, blocks, layout.blocks + "/", "blocks/", keys, report);
  if (const auto sums = fs.List(layout.rollup))
    VerifyBlocks(fs, cache, *sums, layout.rollup + "/", "rollup/", keys, report);
  FLUORO_TRY(const auto files, fs.List(layout.wal));
  for (const std::string& name : files) {
    if (ParseWalFileName(name) == 0) continue;
    report.items.push_back(VerifyLogFile(fs, layout.wal + "/" + name, "wal/" + name, keys));
  }
  if (const auto locked = fs.List(layout.locked)) {
    for (const std::string& name : *locked) {
      const std::string path = layout.locked + "/" + name;
      report.items.push_back(ParseWalFileName(name) != 0
                                 ? VerifyLogFile(fs, path, "locked/" + name, keys)
                                 : VerifySmall(fs, path, "locked/" + name, DecodeHeldDeletions));
    }
  }
  if (const std::string path = AttributeFilePath(layout.root); fs.Exists(path)) {
    VerifyReport::Item item{.file = "ATTRIBUTES", .problem = {}};
    if (const auto content = ReadInto(fs, path, item)) {
      if (const auto state = DecodeAttributeFile(*content, keys); !state)
        NoteError(item, state.error());
    }
    report.items.push_back(std::move(item));
  }
  if (const auto aside = fs.List(layout.quarantine)) {
    for (const std::string& name : *aside) {
      if (name.ends_with(".key")) continue;  // belongs to a block
      report.items.push_back({.file = "quarantine/" + name, .problem = "set aside as damaged"});
    }
  }
  return report;
}

}  // namespace fluoro::store
