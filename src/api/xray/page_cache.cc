#include "api/xray/page_cache.h"

#include <algorithm>
#include <utility>

namespace fluoro::api::xray {
namespace {

// position := list id:8 first item:4
constexpr std::size_t kPositionBytes = 12;

}  // namespace

std::string Page::Json() const {
  std::string json = "[";
  for (std::size_t i = begin; i < end; ++i) {
    if (i != begin) json += ',';
    json += (*list)[i];
  }
  return json + "]";
}

ApiResult<Page> PageCache::Get(std::optional<std::string_view> token,
                               const Fingerprint& fingerprint, std::size_t items_max,
                               const std::function<ApiResult<std::vector<std::string>>()>& make) {
  Page page;
  std::optional<std::uint64_t> id;
  if (token) {
    auto position = PositionReader::Open(*token, fingerprint, kPositionBytes);
    if (!position) return std::unexpected(std::move(position).error());
    id = position->Take(8);
    page.begin = position->Take(4);
    page.list = Find(*id);
  }
  if (!page.list) {
    auto items = make();
    if (!items) return std::unexpected(std::move(items).error());
    page.list = std::make_shared<const std::vector<std::string>>(*std::move(items));
    id.reset();
  }
  page.begin = std::min(page.begin, page.list->size());
  page.end = std::min(page.list->size(), page.begin + items_max);
  if (page.end < page.list->size()) {
    if (!id) id = Keep(page.list);
    page.next_token = PositionWriter().Add(*id, 8).Add(page.end, 4).Token(fingerprint);
  }
  return page;
}

ItemList PageCache::Find(std::uint64_t id) {
  const MutexLock lock(mutex_);
  const auto found = std::ranges::find(kept_, id, &Kept::id);
  return found == kept_.end() ? nullptr : found->list;
}

std::uint64_t PageCache::Keep(const ItemList& list) {
  std::size_t bytes = 0;
  for (const std::string& item : *list) bytes += item.capacity() + sizeof(std::string);
  const MutexLock lock(mutex_);
  const std::uint64_t id = next_id_++;
  if (bytes > kBytesMax) return id;
  kept_.push_back({.id = id, .list = list, .bytes = bytes});
  kept_bytes_ += bytes;
  while (kept_.size() > kListsMax || kept_bytes_ > kBytesMax) {
    kept_bytes_ -= kept_.front().bytes;
    kept_.pop_front();
  }
  return id;
}

}  // namespace fluoro::api::xray
