// What was decoded from blocks and may be wanted again. Bounded by bytes, least recently used goes
// first.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/metrics.h"
#include "base/mutex.h"

namespace fluoro::store {

/// Thread-safe. Values are shared: an evicted one lives as long as someone reads it.
class BlockCache {
 public:
  enum class Kind : std::uint8_t { kPart, kTracePage, kIdPage };
  struct Key {
    std::uint64_t block = 0;
    std::uint32_t part = 0;  ///< kTablePart, kServicesPart, ... or a row group; or a page
    Kind kind = Kind::kPart;
    bool operator==(const Key&) const = default;
  };
  static constexpr std::uint32_t kTablePart = UINT32_MAX;
  static constexpr std::uint32_t kServicesPart = UINT32_MAX - 1;
  static constexpr std::uint32_t kRollupPart = UINT32_MAX - 2;
  static constexpr std::uint32_t kReasonsPart = UINT32_MAX - 3;
  static constexpr std::uint32_t kCallsPart = UINT32_MAX - 4;
  static constexpr std::uint32_t kSummariesPart = UINT32_MAX - 5;
  static constexpr std::uint32_t kCallHoursPart = UINT32_MAX - 64;  ///< and those behind it

  /// `user`: who reads through it, "questions" or "merges".
  BlockCache(Metrics& metrics, const std::string& user, std::uint64_t bytes_max)
      : bytes_max_(bytes_max),
        hits_(metrics.GetCounter("fluoro_store_cache_hits_total", "Decoded parts found in memory.",
                                 {{"user", user}})),
        misses_(metrics.GetCounter("fluoro_store_cache_misses_total",
                                   "Decoded parts read from disk.", {{"user", user}})),
        bytes_gauge_(metrics.GetGauge("fluoro_store_cache_bytes", "Decoded parts in memory.",
                                      {{"user", user}})) {}

  /// Null if absent. The caller knows the type from the part.
  std::shared_ptr<const void> Get(Key key) {
    auto value = Peek(key);
    (value ? hits_ : misses_).Add();
    return value;
  }

  /// As Get, for those who do without it if it is not there: counts neither as hit nor as miss.
  std::shared_ptr<const void> Peek(Key key) {
    MutexLock lock(mutex_);
    const auto at = entries_.find(key);
    if (at == entries_.end()) return nullptr;
    order_.splice(order_.begin(), order_, at->second);
    return at->second->value;
  }

  void Clear() {
    MutexLock lock(mutex_);
    entries_.clear();
    order_.clear();
    bytes_ = 0;
    bytes_gauge_.Set(0);
  }

  void Put(Key key, std::shared_ptr<const void> value, std::uint64_t bytes) {
    MutexLock lock(mutex_);
    if (bytes > bytes_max_ / 2 || entries_.contains(key)) return;
    order_.push_front({key, std::move(value), bytes});
    entries_[key] = order_.begin();
    bytes_ += bytes;
    while (bytes_ > bytes_max_) {
      bytes_ -= order_.back().bytes;
      entries_.erase(order_.back().key);
      order_.pop_back();
    }
    bytes_gauge_.Set(static_cast<double>(bytes_));
  }

 private:
  struct Entry {
    Key key;
    std::shared_ptr<const void> value;
    std::uint64_t bytes;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return (key.block * 0x9e3779b97f4a7c15ULL) ^
             ((key.part + (std::uint64_t{static_cast<std::uint8_t>(key.kind)} << 32)) *
              0xff51afd7ed558ccdULL);
    }
  };
  const std::uint64_t bytes_max_;
  Mutex mutex_;
  std::list<Entry> order_ FLUORO_GUARDED_BY(mutex_);
  std::unordered_map<Key, std::list<Entry>::iterator, KeyHash> entries_ FLUORO_GUARDED_BY(mutex_);
  std::uint64_t bytes_ FLUORO_GUARDED_BY(mutex_) = 0;
  Counter hits_, misses_;
  Gauge bytes_gauge_;
};

}  // namespace fluoro::store
