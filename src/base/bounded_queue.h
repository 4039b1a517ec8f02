// A bounded multi-producer, multi-consumer queue; full means refused, and the caller counts it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <optional>
#include <stop_token>
#include <utility>

#include "base/mutex.h"

namespace fluoro {

/// Thread-safe. Bounded by items.
template <class T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t items_max) : items_max_(items_max) {}

  /// False when full or closed; the item is left untouched then.
  [[nodiscard]] bool TryPush(T&& item) {
    {
      MutexLock lock(mutex_);
      if (closed_ || items_.size() >= items_max_) return false;
      items_.push_back(std::move(item));
    }
    ready_.notify_one();
    return true;
  }

  /// Waits for an item; nullopt when stopped, or closed and drained.
  std::optional<T> Pop(const std::stop_token& stop) FLUORO_NO_THREAD_SAFETY_ANALYSIS {
    MutexLock lock(mutex_);
    ready_.wait(lock, stop,
                [this]() FLUORO_NO_THREAD_SAFETY_ANALYSIS { return closed_ || !items_.empty(); });
    if (items_.empty()) return std::nullopt;
    T item = std::move(items_.front());
    items_.pop_front();
    return item;
  }

  /// Refuses new items; waiting consumers drain what is left.
  void Close() {
    {
      MutexLock lock(mutex_);
      closed_ = true;
    }
    ready_.notify_all();
  }

  [[nodiscard]] std::size_t size() const {
    MutexLock lock(mutex_);
    return items_.size();
  }

 private:
  const std::size_t items_max_;
  mutable Mutex mutex_;
  std::condition_variable_any ready_;
  std::deque<T> items_ FLUORO_GUARDED_BY(mutex_);
  bool closed_ FLUORO_GUARDED_BY(mutex_) = false;
};

}  // namespace fluoro
