// What stays of a trace that a tail policy dropped: 64 bytes, for replaying other policies.
// docs/formats/block.md.
//
// chunk    := count:varint text*  count:varint skeleton*  [count:varint root*]
// skeleton := id:16 start:8 duration:8 shape:8 arrival:4 route:4 reason:4 spans:4 bytes:4
//             outcomes:1 root:3
// root     := service type host method path resource tenant rule     places among the texts
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
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
  std::uint32_t RootNumberOf(const query::RootRequestView& root);

  Put put_;
  std::vector<std::string> texts_;
  std::size_t text_bytes_ = 0;
  std::unordered_map<std::string, std::uint32_t> numbers_;
  /// Places of their texts, by the order of RootRequest::kFields.
  using Root = std::array<std::uint32_t, query::RootRequest::kFields.size()>;
  std::vector<Root> roots_;
  std::map<Root, std::uint32_t> root_numbers_;
  std::string records_;
};

}  // namespace fluoro::store
