// A mutex that Clang's thread-safety analysis understands (std::mutex it skips).
#pragma once

#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define FLUORO_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define FLUORO_THREAD_ANNOTATION(x)
#endif
#define FLUORO_CAPABILITY(x) FLUORO_THREAD_ANNOTATION(capability(x))
#define FLUORO_SCOPED_CAPABILITY FLUORO_THREAD_ANNOTATION(scoped_lockable)
#define FLUORO_GUARDED_BY(x) FLUORO_THREAD_ANNOTATION(guarded_by(x))
#define FLUORO_REQUIRES(...) FLUORO_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define FLUORO_ACQUIRE(...) FLUORO_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define FLUORO_RELEASE(...) FLUORO_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define FLUORO_EXCLUDES(...) FLUORO_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define FLUORO_NO_THREAD_SAFETY_ANALYSIS FLUORO_THREAD_ANNOTATION(no_thread_safety_analysis)

namespace fluoro {

class FLUORO_CAPABILITY("mutex") Mutex {
 public:
  void lock() FLUORO_ACQUIRE() { mutex_.lock(); }
  void unlock() FLUORO_RELEASE() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

/// Holds the mutex for a scope. Works with std::condition_variable_any through lock()/unlock().
class FLUORO_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) FLUORO_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() FLUORO_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;
  /// For std::condition_variable_any only: a wait hands the mutex back before it returns.
  void lock() FLUORO_NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); }
  void unlock() FLUORO_NO_THREAD_SAFETY_ANALYSIS { mutex_.unlock(); }

 private:
  Mutex& mutex_;
};

}  // namespace fluoro
