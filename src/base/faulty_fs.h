// A disk that fails: what was not synced may be lost, reordered or torn; calls fail when told; bits
// flip.
//
// Content is durable after File::Sync, a name after Fs::SyncDir of its folder, nothing before.
// Calls that change something are counted, so that a test can stop the machine after each of them
// in turn.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/fs.h"
#include "base/mutex.h"
#include "base/rng.h"

namespace fluoro {

/// What a power loss leaves of changes that were not synced.
enum class PowerLoss : std::uint8_t {
  kDropAll,     ///< none of them
  kKeepSome,    ///< each call's change survives or not, independently
  kTearWrites,  ///< each 512-byte sector of each write survives or not, independently
  kReorder,     ///< a file's writes reach the disk in another order; the last of them do not
  kKeepAll,     ///< all of them, as after the end of the process alone
};

/// Thread-safe.
class FaultyFs final : public Fs {
 public:
  enum class Fault : std::uint8_t {
    kIo,
    kNoSpace,
    kShortWrite,  ///< the first half of a write is done
    kTornWrite,   ///< each 512-byte sector of a write is done or not; other calls fail as kIo
  };

  FaultyFs();

  // Faults. Counts start at 1 for the next call.
  /// The n-th changing call from now is the last that happens; then every call fails until Restart.
  void CrashAfter(std::uint64_t calls);
  /// Now: every call fails until Restart.
  void CutPower();
  /// The n-th changing call from now fails; `lasting`: and every one after it.
  void FailChange(std::uint64_t call, Fault fault, bool lasting);
  /// The n-th Sync of a file from now fails, and its unsynced content is lost although later reads
  /// show it.
  void FailSync(std::uint64_t call);
  /// The n-th ReadAt from now fails; `lasting`: and every one after it.
  void FailRead(std::uint64_t call, bool lasting);
  /// The n-th call from now that only looks fails with kIo: Open of a file that is there, List,
  /// Lock, DiskSpace, File::Size. `lasting`: and every one after it.
  void FailLook(std::uint64_t call, bool lasting);
  void ClearFaults();
  /// Sync and SyncDir say yes and do nothing: to show that a test would notice.
  void IgnoreSyncs(bool ignore);
  /// Called by each Remove before it does anything, so that a test can do something at that moment.
  /// Not to be changed while others use the files.
  void BeforeRemove(std::function<void(std::string_view path)> what) {
    before_remove_ = std::move(what);
  }
  /// Called by each Sync of a file before it does anything: a disk that takes its time. Not to be
  /// changed while others use the files.
  void BeforeSync(std::function<void(std::string_view path)> what);
  /// Bytes of all files together; beyond it writes fail with kNoSpace.
  void SetCapacity(std::uint64_t bytes);

  /// The power comes back: open files are dead, locks are free, unsynced changes are treated as
  /// told.
  void Restart(PowerLoss loss, std::uint64_t seed);

  /// The process ends and the machine runs on: open files are dead and locks are free, but what was
  /// written is there to be read, and what was not synced may still be lost to a later Restart.
  void EndProcess();

  [[nodiscard]] std::uint64_t changes() const;  ///< changing calls so far
  [[nodiscard]] std::uint64_t syncs() const;    ///< File::Sync calls among them
  [[nodiscard]] std::uint64_t reads() const;    ///< ReadAt calls so far
  [[nodiscard]] std::uint64_t looks() const;    ///< calls that FailLook counts
  [[nodiscard]] bool crashed() const;
  /// Paths of all files there are now.
  [[nodiscard]] std::vector<std::string> Files() const;
  /// Inverts one bit of a file, durably.
  void FlipBit(std::string_view path, std::uint64_t bit);
  /// The folder's state apart from this one, to come back to: files only, all durable.
  [[nodiscard]] std::map<std::string, std::string> Snapshot() const;
  void Load(const std::map<std::string, std::string>& files);

  Result<std::unique_ptr<File>> Open(std::string_view path, OpenMode mode) override;
  Result<void> Rename(std::string_view from, std::string_view to) override;
  Result<void> Remove(std::string_view path) override;
  Result<void> MakeDirs(std::string_view path) override;
  Result<std::vector<std::string>> List(std::string_view path) override;
  Result<void> SyncDir(std::string_view path) override;
  [[nodiscard]] bool Exists(std::string_view path) override;
  Result<std::unique_ptr<FileLock>> Lock(std::string_view path) override;
  Result<Space> DiskSpace(std::string_view path) override;

 private:
  std::function<void(std::string_view)> before_remove_;
  struct Change {
    std::uint64_t offset = 0;
    std::string data;
    bool resize = false;  ///< to `offset` bytes
    bool grow_only = false;
  };
  struct Node {
    std::string current;
    std::string durable;
    std::vector<Change> unsynced;
  };
  struct NameChange {
    enum class Kind : std::uint8_t { kLink, kUnlink, kRename, kFolder } kind;
    std::string folder;  ///< whose sync makes it durable
    std::string path;
    std::string from;
    std::shared_ptr<Node> node;
  };
  using Names = std::map<std::string, std::shared_ptr<Node>, std::less<>>;
  struct State {
    std::function<void(std::string_view path)> before_sync;
    Mutex mutex;
    Names names;
    Names durable_names;
    std::set<std::string, std::less<>> folders{"/", "."};
    std::set<std::string, std::less<>> durable_folders{"/", "."};
    std::vector<NameChange> unsynced_names;
    std::set<std::string> locks;
    std::uint64_t epoch = 0;
    bool crashed = false;
    bool ignore_syncs = false;
    std::uint64_t changes = 0;
    std::uint64_t crash_at = UINT64_MAX;
    std::uint64_t fail_change_at = UINT64_MAX;
    bool fail_change_lasting = false;
    Fault fault = Fault::kIo;
    std::uint64_t syncs = 0;
    std::uint64_t fail_sync_at = UINT64_MAX;
    std::uint64_t reads = 0;
    std::uint64_t fail_read_at = UINT64_MAX;
    bool fail_read_lasting = false;
    std::uint64_t looks = 0;
    std::uint64_t fail_look_at = UINT64_MAX;
    bool fail_look_lasting = false;
    std::uint64_t capacity = UINT64_MAX;
  };
  class OpenFile;
  class HeldLock;

  static Result<void> BeginChange(State& state, std::string_view what);
  static Result<void> Look(State& state, std::string_view what);
  static Result<void> CheckPower(const State& state);
  static void Apply(const Change& change, std::string& content);
  /// Those 512-byte sectors of a write that `survives` says do.
  template <class Survives>
  static void ApplyTorn(const Change& change, std::string& content, Survives&& survives);
  static void ApplyName(const NameChange& change, Names& names,
                        std::set<std::string, std::less<>>& folders);
  static std::uint64_t UsedBytes(const State& state);
  static void Lose(Node& node, PowerLoss loss, Rng& rng);
  static void ClearFaults(State& state);

  std::shared_ptr<State> state_;  ///< shared with open files and locks
};

}  // namespace fluoro
