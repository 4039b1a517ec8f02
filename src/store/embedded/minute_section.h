// Sums by minute as bytes: chunks of rows in order of minutes, and a header that says what their
// series are, sums them all, and says which minutes each chunk holds. docs/formats/block.md,
// sections 9 and 16. What is summed is said by rollup_section.h and call_section.h.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "rollup/rollup.h"

namespace fluoro::store {

inline constexpr std::size_t kMinuteChunkRowsMax = 4'096;
/// A reader refuses more series in one header, and more bytes in a header or a chunk.
inline constexpr std::size_t kMinuteSeriesMax = 200'000;
inline constexpr std::size_t kMinuteBytesMax = std::size_t{64} << 20;

struct MinuteChunk {
  std::int64_t first_minute_ns = 0;
  std::int64_t last_minute_ns = 0;
  std::uint32_t rows = 0;
};

/// What a header says. `Sums`: rollup::Rollup or rollup::CallSums.
template <class Sums>
struct MinuteTable {
  Sums total{0};  ///< over all minutes; its series are numbered as the chunks number them
  std::int64_t first_ns = INT64_MAX;  ///< of the instants of all that went in; first > last: none
  std::int64_t last_ns = INT64_MIN;
  std::vector<MinuteChunk> chunks;
  [[nodiscard]] std::size_t bytes() const {
    return total.bytes() + chunks.size() * sizeof(MinuteChunk);
  }
};

/// Takes sums by minute in ascending order, gives chunks. Memory: one chunk and the total.
template <class Sums>
class MinuteEncoder {
 public:
  using Put = std::function<Result<void>(std::uint32_t chunk, std::string_view bytes)>;
  explicit MinuteEncoder(Put put);
  /// Its first minute must lie behind the last of those before. Errors: those of `put`.
  Result<void> Add(const Sums& minutes);
  /// Widens the extent of instants, also by what was taken away again.
  void AddExtent(std::int64_t first_ns, std::int64_t last_ns);
  /// Nothing came.
  [[nodiscard]] bool empty() const { return table_.first_ns > table_.last_ns; }
  /// The header; chunks are put before.
  Result<std::string> Finish();

 private:
  Result<void> FlushChunk();

  Put put_;
  MinuteTable<Sums> table_;
  std::string chunk_;
  std::uint32_t chunk_rows_ = 0;
  std::int64_t chunk_first_ns_ = 0;
  std::int64_t chunk_last_ns_ = 0;
};

/// Errors: kCorruption, kUnsupported (a later version). Pure.
template <class Sums>
Result<MinuteTable<Sums>> DecodeMinuteTable(std::string_view bytes);
/// Adds those rows of a chunk to `to` whose minutes start in `minutes`. `numbers` translates series
/// and is kept between the chunks of one table: start with an empty one. Errors: kCorruption.
template <class Sums>
Result<void> AddMinuteChunk(std::string_view bytes, const MinuteTable<Sums>& table,
                            std::size_t chunk, const rollup::RollupWindow& minutes,
                            std::vector<std::uint32_t>& numbers, Sums& to);

}  // namespace fluoro::store
