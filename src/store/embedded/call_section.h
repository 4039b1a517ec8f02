// Sums of calls by minute as bytes: chunks of rows in order of minutes, and a header that says what
// their series are, sums them all, and says which minutes each chunk holds. docs/formats/block.md,
// "Calls".
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "rollup/call_sums.h"
#include "store/embedded/rollup_section.h"

namespace fluoro::store {

inline constexpr std::size_t kCallChunkRowsMax = 4'096;
/// A reader refuses more series in one header, and more bytes in a header or a chunk.
inline constexpr std::size_t kCallSeriesMax = 200'000;
inline constexpr std::size_t kCallBytesMax = std::size_t{64} << 20;

/// What a header says.
struct CallTable {
  /// Over all minutes; its series are numbered as the chunks number them.
  rollup::CallSums total{0};
  std::int64_t first_ns = INT64_MAX;  ///< of the ends of all calls that went in
  std::int64_t last_ns = INT64_MIN;
  using Chunk = RollupTable::Chunk;
  std::vector<Chunk> chunks;
  [[nodiscard]] std::size_t bytes() const { return total.bytes() + chunks.size() * sizeof(Chunk); }
};

/// Takes sums by minute in ascending order, gives chunks. Memory: one chunk and the total.
class CallEncoder {
 public:
  using Put = std::function<Result<void>(std::uint32_t chunk, std::string_view bytes)>;
  explicit CallEncoder(Put put);
  /// Its first minute must lie behind the last of those before. Errors: those of `put`.
  Result<void> Add(const rollup::CallSums& minutes);
  /// Widens the extent, also by what was taken away again.
  void AddExtent(std::int64_t first_ns, std::int64_t last_ns);
  /// Nothing came: there is nothing to write.
  [[nodiscard]] bool empty() const { return table_.first_ns > table_.last_ns; }
  /// The header; chunks are put before.
  Result<std::string> Finish();

 private:
  Result<void> FlushChunk();

  Put put_;
  CallTable table_;
  std::string chunk_;
  std::uint32_t chunk_rows_ = 0;
  std::int64_t chunk_first_ns_ = 0;
  std::int64_t chunk_last_ns_ = 0;
};

/// Errors: kCorruption, kUnsupported (a later version). Pure.
Result<CallTable> DecodeCallTable(std::string_view bytes);
/// Adds those rows of a chunk to `to` whose minutes start in `minutes`. Errors: kCorruption.
Result<void> AddCallChunk(std::string_view bytes, const CallTable& table, std::size_t chunk,
                          const rollup::RollupWindow& minutes, rollup::CallSums& to);

}  // namespace fluoro::store
