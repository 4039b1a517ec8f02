// Answers given in pages whose items are computed together: graphs and time series.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/xray/errors.h"
#include "api/xray/page_token.h"
#include "base/mutex.h"

namespace fluoro::api::xray {

/// All items of one answer, each one JSON value.
using ItemList = std::shared_ptr<const std::vector<std::string>>;

struct Page {
  ItemList list;
  std::size_t begin = 0;
  std::size_t end = 0;
  std::optional<std::string> next_token;

  /// The items of this page as a JSON array.
  [[nodiscard]] std::string Json() const;
};

/// Keeps the lists that were answered in part, so that the pages of one listing agree. Bounded by
/// kListsMax and kBytesMax, least recently made first; a listing that lost its list is computed
/// again and continues at its place. Thread-safe.
class PageCache {
 public:
  static constexpr std::size_t kListsMax = 16;
  static constexpr std::size_t kBytesMax = std::size_t{32} << 20;

  /// `first_id`: any number; ids of another run must not name lists of this one.
  explicit PageCache(std::uint64_t first_id) : next_id_(first_id) {}

  /// The page that `token` (absent: the first) names. `make` computes all items; it is not called
  /// if they are kept. Errors: InvalidRequestException (bad token), those of `make`.
  ApiResult<Page> Get(std::optional<std::string_view> token, const Fingerprint& fingerprint,
                      std::size_t items_max,
                      const std::function<ApiResult<std::vector<std::string>>()>& make);

 private:
  struct Kept {
    std::uint64_t id = 0;
    ItemList list;
    std::size_t bytes = 0;
  };
  ItemList Find(std::uint64_t id) FLUORO_EXCLUDES(mutex_);
  std::uint64_t Keep(const ItemList& list) FLUORO_EXCLUDES(mutex_);

  Mutex mutex_;
  std::deque<Kept> kept_ FLUORO_GUARDED_BY(mutex_);
  std::size_t kept_bytes_ FLUORO_GUARDED_BY(mutex_) = 0;
  std::uint64_t next_id_ FLUORO_GUARDED_BY(mutex_);
};

}  // namespace fluoro::api::xray
