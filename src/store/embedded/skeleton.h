// What stays of a trace that a tail policy dropped: 64 bytes, for replaying other policies.
// docs/formats/block.md.
//
// chunk    := count:varint text*  count:varint skeleton*
// skeleton := id:16 start:8 duration:8 shape:8 arrival:4 route:4 reason:4 spans:4 bytes:4
//             outcomes:1 zero:3
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "store/trace_store.h"

namespace fluoro::store {

inline constexpr std::size_t kSkeletonBytes = 64;
/// Of one chunk, so that chunks are read, copied and written one at a time.
inline constexpr std::size_t kSkeletonsInChunkMax = 16'384;

/// Errors: kCorruption. Texts of the traces point into `chunk`.
Result<void> DecodeSkeletons(std::string_view chunk,
                             const std::function<void(const DroppedTrace&)>& use);

/// Gathers skeletons and gives them out in chunks. Not thread-safe.
class SkeletonEncoder {
 public:
  using Put = std::function<Result<void>(std::string_view chunk, std::size_t skeletons)>;
  explicit SkeletonEncoder(Put put) : put_(std::move(put)) {}
  Result<void> Add(const DroppedTrace& trace);
  /// Gives out the rest.
  Result<void> Finish();

 private:
  std::uint32_t NumberOf(std::string_view text);

  Put put_;
  std::vector<std::string> texts_;
  std::unordered_map<std::string, std::uint32_t> numbers_;
  std::string records_;
};

}  // namespace fluoro::store
