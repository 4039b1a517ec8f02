#include <zstd.h>

#include <algorithm>
#include <optional>

#include "store/embedded/reference_footer_for_test.h"
#include "store/embedded/reference_reader_for_test.h"
#include "store/embedded/reference_row_group_for_test.h"
#include "store/embedded/reference_summaries_for_test.h"
#include "store/embedded/reference_traces_for_test.h"
#include "store/embedded/reference_values_for_test.h"

namespace fluoro::store::reference {
namespace {

struct Trailer {
  std::uint64_t footer_offset = 0, footer_length = 0, footer_sum = 0, major = 0, minor = 0;
  [[nodiscard]] bool is_encrypted() const { return major == 2; }
};

Result<Trailer> ReadTrailer(std::string_view file) {
  if (file.size() < 104) return Wrong("the file is too short");
  Cursor in(file.substr(file.size() - 40));
  Trailer trailer;
  trailer.footer_offset = in.Fixed(8);
  trailer.footer_length = in.Fixed(8);
  trailer.footer_sum = in.Fixed(8);
  trailer.major = in.Fixed(2);
  trailer.minor = in.Fixed(2);
  const std::uint64_t zero = in.Fixed(4);
  if (in.Bytes(8) != "FLOREND1" || (trailer.major != 1 && trailer.major != 2) || zero != 0)
    return Wrong("the trailer");
  if (trailer.footer_offset < 64 || trailer.footer_offset > file.size() - 40 ||
      trailer.footer_length != file.size() - 40 - trailer.footer_offset)
    return Wrong("where the footer is");
  return trailer;
}

// @param unsealer  filled if the file is encrypted.
Result<std::string> FooterBytes(std::string_view file, const Trailer& trailer, const Keys& keys,
                                std::optional<Unsealer>& unsealer) {
  std::string footer(file.substr(trailer.footer_offset, trailer.footer_length));
  std::string covered;
  for (const std::uint64_t part : {trailer.footer_offset, trailer.footer_length, trailer.minor})
    covered += Little(part, 8);
  if (Sum(footer, Sum(covered, 0)) != trailer.footer_sum) return Wrong("the footer's sum");
  if (!trailer.is_encrypted()) return footer;
  Cursor id(file.substr(16, 8));
  FLUORO_TRY(unsealer, Unsealer::Of(file.substr(64, 208), 2, id.Fixed(8), keys));
  const std::string what = std::string(file.substr(0, 64)) + Little(trailer.footer_offset, 8) +
                           Little(trailer.footer_length, 8) + Little(trailer.major, 2) +
                           Little(trailer.minor, 2);
  return unsealer->Open(trailer.footer_offset, what, footer);
}

bool IsHeader(std::string_view file, const Trailer& trailer, const Block& block) {
  Cursor in(file.substr(0, 64));
  return in.Bytes(8) == "FLORBLK1" && in.Fixed(2) == trailer.major &&
         in.Fixed(2) == trailer.minor && in.Fixed(4) == 0 && in.Fixed(8) == block.id &&
         in.Fixed(8) == (trailer.is_encrypted() ? block.sealed_lsn : 0) &&
         in.Bytes(32) == std::string(32, '\0');
}

Result<std::string> Content(std::string_view file, const Block& block, const Section& section,
                            const Unsealer* unsealer) {
  if (section.offset > file.size() || section.stored > file.size() - section.offset)
    return Wrong("a section lies outside the file");
  std::string stored(file.substr(section.offset, section.stored));
  if (Sum(stored, (block.id * 0x9e3779b97f4a7c15ULL) ^ section.offset) != section.sum)
    return Wrong("a section's sum");
  if (unsealer != nullptr) {
    const std::string what = Little(section.type, 1) + Little(section.codec, 1) +
                             Little(section.row_group, 4) + Little(section.column, 4) +
                             Little(section.raw, 8);
    FLUORO_TRY(stored, unsealer->Open(section.offset, what, stored));
  }
  if (section.codec == 0 && section.raw == stored.size()) return stored;
  if (section.codec != 1 || section.raw > (std::uint64_t{1} << 30))
    return Wrong("a section's codec");
  std::string raw(section.raw, '\0');
  if (ZSTD_decompress(raw.data(), raw.size(), stored.data(), stored.size()) != section.raw)
    return Wrong("a section's zstd frame");
  return raw;
}

Result<void> ReadServices(const std::string& bytes, Block& block) {
  Cursor in(bytes);
  for (std::uint64_t service = in.Count(); service > 0; --service) {
    auto& operations = block.services[in.Text()];
    for (std::uint64_t operation = in.Count(); operation > 0; --operation) {
      std::string name = in.Text();
      operations.emplace(std::move(name), static_cast<int>(in.Fixed(1)));
    }
  }
  if (in.failed() || !in.done()) return Wrong("the services");
  return {};
}

Result<void> ReadSkeletons(const std::string& bytes, Block& block) {
  Cursor in(bytes);
  std::vector<std::string> texts(in.Count());
  for (std::string& text : texts) text = in.Text();
  const std::size_t first = block.skeletons.size();
  std::vector<std::uint64_t> root_of;
  for (std::uint64_t i = in.Count(); i > 0; --i) {
    Skeleton& skeleton = block.skeletons.emplace_back();
    skeleton.id = TakeId<model::TraceId>(in);
    skeleton.start_ns = static_cast<std::int64_t>(in.Fixed(8));
    skeleton.duration_ns = static_cast<std::int64_t>(in.Fixed(8));
    skeleton.shape = in.Fixed(8);
    skeleton.arrival_s = in.Fixed(4);
    const std::uint64_t route = in.Fixed(4);
    const std::uint64_t reason = in.Fixed(4);
    skeleton.spans = in.Fixed(4);
    skeleton.bytes = in.Fixed(4);
    skeleton.outcomes = in.Fixed(1);
    root_of.push_back(in.Fixed(3));
    if (route >= texts.size() || reason >= texts.size()) in.Fail();
    if (in.failed()) return Wrong("skeletons");
    skeleton.route = texts[route];
    skeleton.reason = texts[reason];
  }
  std::vector<std::vector<std::string>> roots;
  if (!in.done()) {
    block.seen.insert("roots of skeletons");
    roots.resize(in.Count());
    for (auto& root : roots) {
      for (int i = 0; i < 8 && !in.failed(); ++i) {
        const std::uint64_t place = in.Varint();
        if (place >= texts.size()) return Wrong("skeletons");
        root.push_back(texts[place]);
      }
    }
  }
  for (std::size_t i = 0; i < root_of.size(); ++i) {
    if (root_of[i] > roots.size()) return Wrong("skeletons");
    if (root_of[i] > 0) block.skeletons[first + i].root = roots[root_of[i] - 1];
  }
  if (in.failed() || !in.done()) return Wrong("skeletons");
  return {};
}

// What is read once all sections are there.
struct Parts {
  std::map<std::uint64_t, GroupSections> groups;
  std::string index, lsns, kept;
  std::vector<std::uint64_t> codes;  // reasons, by trace
  std::vector<std::uint64_t> by_id;  // places of traces
  std::uint64_t chunks = 0;          // of skeletons
  Columns rollup, calls, summaries;
};

Result<void> TakeSection(const Section& section, const std::string& content, std::uint64_t traces,
                         Parts& parts, Block& block) {
  switch (section.type) {
    case 1:
      parts.groups[section.row_group].columns[section.column] = content;
      break;
    case 2: {
      Cursor in(content);
      while (!in.done()) {
        const std::uint64_t column = in.Varint();
        parts.groups[section.row_group].columns[column] = in.Text();
      }
      if (in.failed()) return Wrong("a pack");
      break;
    }
    case 3:
    case 8:
      return ReadTraces(content, traces, section.type == 8, block);
    case 4:
      parts.index = content;
      break;
    case 5:
      block.filter = content;
      break;
    case 6:
      return ReadServices(content, block);
    case 7:
      parts.lsns = content;
      break;
    case 9:
      parts.rollup[section.column] = content;
      break;
    case 10:
      parts.kept = content;
      break;
    case 11:
      if (section.column != parts.chunks++) return Wrong("the order of the skeletons");
      return ReadSkeletons(content, block);
    case 12:
      return ReadTracePage(content, section.column, traces, block, parts.codes);
    case 13:
      return ReadIdPage(content, section.column, traces, block, parts.by_id);
    case 14:
      parts.groups[section.row_group].zones = content;
      break;
    case 15:
      parts.groups[section.row_group].filters[section.column] = content;
      break;
    case 16:
      parts.calls[section.column] = content;
      break;
    case 17:
      parts.summaries[section.column] = content;
      break;
    default:
      break;  // of a later minor version
  }
  return {};
}

// What sections 4 and 7 say of the traces.
Result<void> CheckIndex(Parts& parts, Block& block) {
  const std::uint64_t traces = block.traces.size();
  std::vector<std::uint64_t>& by_id = parts.by_id;
  if (block.page_traces == 0) {
    Cursor places(parts.index);
    by_id = Ints(places, traces, block.seen);
  }
  if (std::set(by_id.begin(), by_id.end()).size() != traces) return Wrong("the index");
  for (std::size_t i = 0; i < by_id.size(); ++i) {
    if (by_id[i] >= traces || (i > 0 && block.traces[by_id[i]].id < block.traces[by_id[i - 1]].id))
      return Wrong("the index");
  }
  if (!parts.lsns.empty()) {
    Cursor in(parts.lsns);
    const auto behind = Ints(in, traces, block.seen);
    for (std::size_t i = 0; i < traces; ++i) block.traces[i].sealed_lsn -= behind[i];
    if (in.failed()) return Wrong("the sealed LSNs");
  }
  return {};
}

Result<void> ReadRows(const Parts& parts, Block& block) {
  std::vector<Trace*> by_row;
  for (Trace& trace : block.traces) by_row.push_back(&trace);
  std::ranges::sort(by_row, {}, &Trace::first_row);
  Trace nobody;  // whose rows belong to no trace
  std::size_t next = 0;
  std::uint64_t row = 0;
  for (std::uint64_t group = 0; group < block.row_groups.size(); ++group) {
    std::vector<Run> runs;
    const std::uint64_t group_end = row + block.row_groups[group];
    while (row < group_end) {
      while (next < by_row.size() && by_row[next]->first_row + by_row[next]->rows <= row) ++next;
      const std::uint64_t begin = next < by_row.size() ? by_row[next]->first_row : group_end;
      const bool is_free = begin > row;
      const std::uint64_t run_end = is_free ? begin : begin + by_row[next]->rows;
      runs.push_back(
          {.trace = is_free ? &nobody : by_row[next], .rows = std::min(run_end, group_end) - row});
      if (is_free) block.seen.insert("rows of no trace");
      row += runs.back().rows;
    }
    const auto sections = parts.groups.find(group);
    if (sections == parts.groups.end()) return Wrong("a row group has no columns");
    FLUORO_CHECK_OK(ReadRowGroup(sections->second, runs, block.seen));
  }
  std::uint64_t spans = 0;
  for (const Trace& trace : block.traces) {
    if (trace.spans.size() != trace.rows) return Wrong("rows beyond the row groups");
    spans += trace.rows;
  }
  if (spans != block.spans) return Wrong("the number of spans");
  return {};
}

}  // namespace

bool FilterMayContain(std::string_view filter, const model::TraceId& id) {
  static constexpr std::uint32_t kSalts[8] = {0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d,
                                              0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31};
  const std::uint64_t hash = Sum({reinterpret_cast<const char*>(id.bytes.data()), 16}, 0);
  const std::uint64_t blocks = filter.size() / 32;
  const std::uint64_t block = ((hash >> 32) * blocks) >> 32;
  for (std::uint64_t word = 0; word < 8; ++word) {
    Cursor in(filter.substr(block * 32 + word * 4, 4));
    const std::uint32_t bit = (static_cast<std::uint32_t>(hash) * kSalts[word]) >> 27;
    if (((in.Fixed(4) >> bit) & 1) == 0) return false;
  }
  return true;
}

Result<Block> ReadBlock(std::string_view file, const Keys& keys) {
  FLUORO_TRY(const Trailer trailer, ReadTrailer(file));
  std::optional<Unsealer> unsealer;
  FLUORO_TRY(const std::string bytes, FooterBytes(file, trailer, keys, unsealer));
  Block block;
  if (unsealer) block.seen.insert("encrypted");
  FLUORO_TRY(const Footer footer, ReadFooter(bytes, block));
  if (!IsHeader(file, trailer, block)) return Wrong("the header");

  Parts parts;
  std::uint64_t end = unsealer ? 272 : 64;
  for (const Section& section : footer.sections) {
    if (section.offset != end) return Wrong("a gap between sections");
    end += section.stored;
    FLUORO_TRY(const std::string content,
               Content(file, block, section, unsealer ? &*unsealer : nullptr));
    block.seen.insert("section " + std::to_string(section.type));
    block.seen.insert("codec " + std::to_string(section.codec));
    FLUORO_CHECK_OK(TakeSection(section, content, footer.traces, parts, block));
  }
  if (end != trailer.footer_offset) return Wrong("bytes between the sections and the footer");
  if (block.traces.size() != footer.traces) return Wrong("there is no trace table");
  if (block.skeletons.size() != footer.skeletons) return Wrong("the number of skeletons");
  FLUORO_CHECK_OK(ReadKept(parts.kept, std::move(parts.codes), block));
  FLUORO_CHECK_OK(CheckIndex(parts, block));
  FLUORO_CHECK_OK(ReadSummaries(parts.summaries, block));
  FLUORO_CHECK_OK(ReadRows(parts, block));
  if (parts.rollup.contains(0)) {
    FLUORO_TRY(block.rollup, ReadRollup(parts.rollup));
  }
  if (parts.calls.contains(0)) {
    FLUORO_TRY(block.calls, ReadCalls(parts.calls));
  }
  return block;
}

Result<std::vector<model::TraceId>> ReadDeletions(std::string_view file) {
  Cursor in(file);
  const bool is_list = in.Bytes(8) == "FLORDEL1" && in.Fixed(2) == 1;
  in.Fixed(2);
  std::vector<model::TraceId> ids(std::min<std::uint64_t>(in.Fixed(4), file.size() / 16));
  for (model::TraceId& id : ids) id = TakeId<model::TraceId>(in);
  const std::uint64_t sum = in.Fixed(8);
  if (!is_list || in.failed() || !in.done() || sum != Sum(file.substr(0, file.size() - 8), 0))
    return Wrong("a list of deletions");
  return ids;
}

}  // namespace fluoro::store::reference
