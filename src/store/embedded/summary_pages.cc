#include "store/embedded/summary_pages.h"

#include <algorithm>
#include <utility>

#include "store/embedded/columns.h"

namespace fluoro::store {
namespace {

using model::StoredSummary;
using model::SummaryTexts;

constexpr std::uint8_t kVersion = 1;

std::unexpected<Error> Bad(const char* what) {
  return Fail(ErrorCode::kCorruption, std::string("trace summaries: ") + what);
}

// What is stored beside the table's own times.
std::uint64_t Unsigned(std::int64_t value) { return static_cast<std::uint64_t>(value); }

class PageEncoder {
 public:
  explicit PageEncoder(std::span<const StoredSummary> summaries)
      : summaries_(summaries), column_(summaries.size()) {}
  // @param get  asked for traces that have a summary; of others 0 is stored.
  template <class Get>
  void Put(const Get& get) {
    for (std::size_t i = 0; i < column_.size(); ++i)
      column_[i] = summaries_[i].is_known() ? get(summaries_[i], i) : std::uint64_t{0};
    EncodeInts(column_, bytes_);
  }
  std::string Take() { return std::move(bytes_); }

 private:
  std::span<const StoredSummary> summaries_;
  std::vector<std::uint64_t> column_;
  std::string bytes_;
};

}  // namespace

std::uint64_t SummaryTable::MemoryBytes() const {
  std::uint64_t bytes = 64 + traces.size() * sizeof(StoredSummary);
  for (const std::string& text : texts.texts) bytes += sizeof text + text.capacity();
  for (const model::ServiceKey& key : texts.keys) {
    bytes += sizeof key + key.name.capacity() + key.type.capacity() + key.account_id.capacity();
  }
  for (const auto& set : texts.sets) bytes += sizeof set + set.capacity() * sizeof set[0];
  return bytes;
}

std::string EncodeSummaryHeader(const SummaryTexts& texts) {
  std::string bytes;
  ByteWriter out(bytes);
  out.PutU8(kVersion);
  out.PutVarint(texts.texts.size());
  for (const std::string& text : texts.texts) out.PutText(text);
  out.PutVarint(texts.keys.size());
  for (const model::ServiceKey& key : texts.keys) {
    for (const std::string* text : {&key.name, &key.type, &key.account_id}) out.PutText(*text);
  }
  out.PutVarint(texts.sets.size());
  for (const std::vector<std::uint32_t>& set : texts.sets) {
    out.PutVarint(set.size());
    std::uint32_t before = 0;
    for (const std::uint32_t place : set) out.PutVarint(place - std::exchange(before, place));
  }
  return bytes;
}

Result<SummaryTexts> DecodeSummaryHeader(std::string_view bytes) {
  ByteReader in(bytes);
  FLUORO_TRY(const std::uint8_t version, in.TakeU8());
  if (version != kVersion)
    return Fail(ErrorCode::kUnsupported, "trace summaries of a newer version");
  SummaryTexts texts;
  const auto take = [&in](std::string& to) -> Result<void> {
    FLUORO_TRY(const std::string_view text, in.TakeText());
    if (text.size() > kSummaryTextBytesMax) return Bad("a text is too long");
    to = text;
    return {};
  };
  FLUORO_TRY(const std::uint64_t texts_count, in.TakeCount(kSummaryTextsMax));
  for (std::uint64_t i = 0; i < texts_count; ++i) FLUORO_CHECK_OK(take(texts.texts.emplace_back()));
  FLUORO_TRY(const std::uint64_t keys_count, in.TakeCount(kSummaryKeysMax));
  for (std::uint64_t i = 0; i < keys_count; ++i) {
    model::ServiceKey& key = texts.keys.emplace_back();
    for (std::string* text : {&key.name, &key.type, &key.account_id}) FLUORO_CHECK_OK(take(*text));
  }
  FLUORO_TRY(const std::uint64_t sets_count, in.TakeCount(kSummarySetsMax));
  for (std::uint64_t i = 0; i < sets_count; ++i) {
    std::vector<std::uint32_t>& set = texts.sets.emplace_back();
    FLUORO_TRY(const std::uint64_t count, in.TakeCount(kSummarySetKeysMax));
    std::uint64_t place = 0;
    for (std::uint64_t k = 0; k < count; ++k) {
      FLUORO_TRY(const std::uint64_t step, in.TakeCount(kSummaryKeysMax));
      if (k > 0 && step == 0) return Bad("a set of services is not in order");
      place += step;
      if (place >= texts.keys.size()) return Bad("a set has a service that is not there");
      set.push_back(static_cast<std::uint32_t>(place));
    }
  }
  if (!in.done()) return Bad("the header is longer than what it holds");
  return texts;
}

std::string EncodeSummaryPage(std::span<const StoredSummary> summaries,
                              std::span<const TraceEntry> traces) {
  PageEncoder page(summaries);
  page.Put([](const StoredSummary& of, std::size_t) { return std::uint64_t{of.bits}; });
  page.Put([](const StoredSummary& of, std::size_t) { return std::uint64_t{of.name}; });
  page.Put([](const StoredSummary& of, std::size_t) { return std::uint64_t{of.entry}; });
  page.Put([&](const StoredSummary& of, std::size_t i) {
    return Unsigned(WrapSub(of.start_ns, traces[i].start_ns));
  });
  page.Put([&](const StoredSummary& of, std::size_t i) {
    return Unsigned(WrapSub(WrapSub(traces[i].end_ns, of.start_ns), of.duration_ns));
  });
  page.Put([](const StoredSummary& of, std::size_t) {
    return of.Has(model::kRootInProgress) ? std::uint64_t{0}
                                          : Unsigned(WrapSub(of.duration_ns, of.response_ns));
  });
  page.Put([](const StoredSummary& of, std::size_t) {
    return static_cast<std::uint64_t>(of.status + 1);
  });
  for (std::size_t set = 0; set < model::kServiceSets; ++set) {
    page.Put(
        [set](const StoredSummary& of, std::size_t) { return std::uint64_t{of.services[set]}; });
  }
  return page.Take();
}

Result<void> DecodeSummaryPage(std::string_view bytes, const SummaryTexts& texts,
                               std::span<const TraceEntry> traces, std::span<StoredSummary> to) {
  ByteReader in(bytes);
  std::vector<std::uint64_t> column(traces.size());
  const auto take = [&](std::uint64_t limit, const auto& set) -> Result<void> {
    FLUORO_CHECK_OK(DecodeIntsBelow(in, limit, column));
    for (std::size_t i = 0; i < to.size(); ++i) set(to[i], static_cast<std::uint32_t>(column[i]));
    return {};
  };
  FLUORO_CHECK_OK(take(model::kSummaryBits + 1,
                       [](StoredSummary& of, std::uint32_t value) { of = {.bits = value}; }));
  FLUORO_CHECK_OK(take(texts.texts.size() + 1,
                       [](StoredSummary& of, std::uint32_t value) { of.name = value; }));
  FLUORO_CHECK_OK(take(texts.keys.size() + 1,
                       [](StoredSummary& of, std::uint32_t value) { of.entry = value; }));
  FLUORO_CHECK_OK(DecodeInts(in, column));
  for (std::size_t i = 0; i < to.size(); ++i)
    to[i].start_ns = WrapAdd(traces[i].start_ns, static_cast<std::int64_t>(column[i]));
  FLUORO_CHECK_OK(DecodeInts(in, column));
  for (std::size_t i = 0; i < to.size(); ++i) {
    to[i].duration_ns =
        WrapSub(WrapSub(traces[i].end_ns, to[i].start_ns), static_cast<std::int64_t>(column[i]));
  }
  FLUORO_CHECK_OK(DecodeInts(in, column));
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (!to[i].Has(model::kRootInProgress))
      to[i].response_ns = WrapSub(to[i].duration_ns, static_cast<std::int64_t>(column[i]));
  }
  FLUORO_CHECK_OK(take(model::kSummaryStatusMax + 2, [](StoredSummary& of, std::uint32_t value) {
    of.status = static_cast<std::int32_t>(value) - 1;
  }));
  for (std::size_t set = 0; set < model::kServiceSets; ++set) {
    FLUORO_CHECK_OK(take(texts.sets.size() + 1, [set](StoredSummary& of, std::uint32_t value) {
      of.services[set] = value;
    }));
  }
  if (!in.done()) return Bad("a page is longer than its traces");
  for (StoredSummary& of : to) {
    if (!of.is_known()) of = {};
  }
  return {};
}

}  // namespace fluoro::store
