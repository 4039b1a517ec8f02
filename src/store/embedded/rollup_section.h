// Rollups by minute as bytes: chunks of rows in order of minutes, and a header that says what their
// series are, sums them all, and says which minutes each chunk holds. docs/formats/block.md.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "rollup/rollup.h"

namespace fluoro::store {

inline constexpr std::size_t kRollupChunkRowsMax = 4'096;
/// A reader refuses more series in one header, and more bytes in a header or a chunk.
inline constexpr std::size_t kRollupSeriesMax = 200'000;
inline constexpr std::size_t kRollupBytesMax = std::size_t{64} << 20;

/// What a header says.
struct RollupTable {
  rollup::Rollup total{0};  ///< over all minutes; its series are numbered as the chunks number them
  std::int64_t first_ns = INT64_MAX;  ///< of the instants of all samples that went in
  std::int64_t last_ns = INT64_MIN;
  struct Chunk {
    std::int64_t first_minute_ns = 0;
    std::int64_t last_minute_ns = 0;
    std::uint32_t rows = 0;
  };
  std::vector<Chunk> chunks;
  [[nodiscard]] std::size_t bytes() const { return total.bytes() + chunks.size() * sizeof(Chunk); }
};

/// Takes rollups with minutes in ascending order, gives chunks. Memory: one chunk and the total.
class RollupEncoder {
 public:
  using Put = std::function<Result<void>(std::uint32_t chunk, std::string_view bytes)>;
  explicit RollupEncoder(Put put);
  /// Its first minute must lie behind the last of those before. Errors: those of `put`.
  Result<void> Add(const rollup::Rollup& minutes);
  /// Widens the extent of instants, also by what was taken away again.
  void AddExtent(std::int64_t first_ns, std::int64_t last_ns);
  /// The header; chunks are put before.
  Result<std::string> Finish();

 private:
  Result<void> FlushChunk();

  Put put_;
  RollupTable table_;
  std::string chunk_;
  std::uint32_t chunk_rows_ = 0;
  std::int64_t chunk_first_ns_ = 0;
  std::int64_t chunk_last_ns_ = 0;
};

/// Errors: kCorruption, kUnsupported (a later version). Pure.
Result<RollupTable> DecodeRollupTable(std::string_view bytes);
/// Adds those rows of a chunk to `to` whose minutes start in `minutes`. `numbers` translates series
/// and is kept between the chunks of one table: start with an empty one. Errors: kCorruption.
Result<void> AddRollupChunk(std::string_view bytes, const RollupTable& table, std::size_t chunk,
                            const rollup::RollupWindow& minutes,
                            std::vector<std::uint32_t>& numbers, rollup::Rollup& to);

}  // namespace fluoro::store
