#include "base/faulty_fs.h"

#include <algorithm>

#include "base/path.h"

namespace fluoro {
namespace {

constexpr std::size_t kSectorBytes = 512;

}  // namespace

// Counts a changing call and says whether it may happen.
Result<void> FaultyFs::BeginChange(State& state, std::string_view what) {
  if (state.crashed) return Fail(ErrorCode::kIo, std::string(what) + ": the power is off");
  ++state.changes;
  if (state.changes >= state.crash_at) state.crashed = true;  // this one still happens
  const bool hit = state.fail_change_lasting ? state.changes >= state.fail_change_at
                                             : state.changes == state.fail_change_at;
  if (!hit) return {};
  if (state.fault == Fault::kNoSpace)
    return Fail(ErrorCode::kNoSpace, std::string(what) + ": no space left");
  return Fail(ErrorCode::kIo, std::string(what) + ": input/output error");
}

Result<void> FaultyFs::CheckPower(const State& state) {
  if (state.crashed) return Fail(ErrorCode::kIo, "the power is off");
  return {};
}

// Counts a call that only looks.
Result<void> FaultyFs::Look(State& state, std::string_view what) {
  FLUORO_CHECK_OK(CheckPower(state));
  ++state.looks;
  const bool hit = state.fail_look_lasting ? state.looks >= state.fail_look_at
                                           : state.looks == state.fail_look_at;
  if (hit) return Fail(ErrorCode::kIo, std::string(what) + ": input/output error");
  return {};
}

void FaultyFs::Apply(const Change& change, std::string& content) {
  if (change.resize) {
    if (!change.grow_only || content.size() < change.offset) content.resize(change.offset, '\0');
    return;
  }
  if (content.size() < change.offset + change.data.size()) {
    content.resize(change.offset + change.data.size(), '\0');
  }
  change.data.copy(content.data() + change.offset, change.data.size());
}

template <class Survives>
void FaultyFs::ApplyTorn(const Change& change, std::string& content, Survives&& survives) {
  for (std::size_t begin = 0; begin < change.data.size();) {
    const std::size_t end = std::min<std::size_t>(
        begin + kSectorBytes - (change.offset + begin) % kSectorBytes, change.data.size());
    if (survives()) {
      Apply({.offset = change.offset + begin, .data = change.data.substr(begin, end - begin)},
            content);
    }
    begin = end;
  }
}

void FaultyFs::ApplyName(const NameChange& change, Names& names,
                         std::set<std::string, std::less<>>& folders) {
  switch (change.kind) {
    case NameChange::Kind::kLink:
      names.insert_or_assign(change.path, change.node);
      break;
    case NameChange::Kind::kUnlink:
      names.erase(change.path);
      break;
    case NameChange::Kind::kRename:
      names.erase(change.from);
      names.insert_or_assign(change.path, change.node);
      break;
    case NameChange::Kind::kFolder:
      folders.insert(change.path);
      break;
  }
}

std::uint64_t FaultyFs::UsedBytes(const State& state) {
  std::uint64_t bytes = 0;
  for (const auto& [path, node] : state.names) bytes += node->current.size();
  return bytes;
}

class FaultyFs::OpenFile final : public File {
 public:
  OpenFile(std::shared_ptr<State> state, std::shared_ptr<Node> node, std::string path,
           bool writable)
      : state_(std::move(state)),
        node_(std::move(node)),
        path_(std::move(path)),
        writable_(writable),
        epoch_(state_->epoch) {}

  [[nodiscard]] Result<std::string> ReadAt(std::uint64_t offset, std::size_t bytes) const override {
    MutexLock lock(state_->mutex);
    FLUORO_CHECK_OK(Alive());
    ++state_->reads;
    const bool hit = state_->fail_read_lasting ? state_->reads >= state_->fail_read_at
                                               : state_->reads == state_->fail_read_at;
    if (hit) return Fail(ErrorCode::kIo, path_ + ": read: input/output error");
    const std::size_t size = node_->current.size();
    if (offset > size || bytes > size - offset) {
      return Fail(ErrorCode::kCorruption,
                  path_ + ": byte " + std::to_string(size) + ": more bytes wanted, file ends");
    }
    return node_->current.substr(offset, bytes);
  }

  Result<void> WriteAt(std::uint64_t offset, std::string_view data) override {
    MutexLock lock(state_->mutex);
    FLUORO_CHECK_OK(Writable());
    auto begun = BeginChange(*state_, path_ + ": write");
    if (!begun && state_->crashed) return begun;
    if (!begun && state_->fault == Fault::kTornWrite) {
      PutTorn({.offset = offset, .data = std::string(data)});
      return begun;
    }
    if (!begun && state_->fault != Fault::kShortWrite) return begun;
    if (!begun) data = data.substr(0, data.size() / 2);
    const std::uint64_t size = node_->current.size();
    const std::uint64_t growth = offset + data.size() > size ? offset + data.size() - size : 0;
    const std::uint64_t used = UsedBytes(*state_);
    const std::uint64_t room = state_->capacity > used ? state_->capacity - used : 0;
    if (growth > room) {
      // As a real disk: what fits is written.
      const std::uint64_t end = std::max(size + room, offset);
      data = data.substr(0, std::min<std::uint64_t>(data.size(), end - offset));
      begun = Fail(ErrorCode::kNoSpace, path_ + ": write: no space left");
    }
    if (!data.empty()) Put({.offset = offset, .data = std::string(data)});
    return begun;
  }

  Result<void> Sync() override {
    if (state_->before_sync) state_->before_sync(path_);
    MutexLock lock(state_->mutex);
    FLUORO_CHECK_OK(Writable());
    FLUORO_CHECK_OK(BeginChange(*state_, path_ + ": fdatasync"));
    if (++state_->syncs == state_->fail_sync_at) {
      // As Linux does: the pages count as clean although they never reached the disk.
      node_->unsynced.clear();
      return Fail(ErrorCode::kIo, path_ + ": fdatasync: input/output error");
    }
    if (state_->ignore_syncs) return {};
    for (const Change& change : node_->unsynced) Apply(change, node_->durable);
    node_->unsynced.clear();
    return {};
  }

  Result<void> Truncate(std::uint64_t bytes) override {
    MutexLock lock(state_->mutex);
    FLUORO_CHECK_OK(Writable());
    FLUORO_CHECK_OK(BeginChange(*state_, path_ + ": truncate"));
    Put({.offset = bytes, .data = {}, .resize = true});
    return {};
  }

  Result<void> Allocate(std::uint64_t bytes) override {
    MutexLock lock(state_->mutex);
    FLUORO_CHECK_OK(Writable());
    FLUORO_CHECK_OK(BeginChange(*state_, path_ + ": allocate"));
    const std::uint64_t size = node_->current.size();
    if (bytes > size && UsedBytes(*state_) + (bytes - size) > state_->capacity) {
      return Fail(ErrorCode::kNoSpace, path_ + ": allocate: no space left");
    }
    Put({.offset = bytes, .data = {}, .resize = true, .grow_only = true});
    return {};
  }

  [[nodiscard]] Result<std::uint64_t> Size() const override {
    MutexLock lock(state_->mutex);
    FLUORO_CHECK_OK(Alive());
    FLUORO_CHECK_OK(Look(*state_, path_ + ": size"));
    return node_->current.size();
  }

 private:
  [[nodiscard]] Result<void> Alive() const {
    if (state_->crashed || state_->epoch != epoch_)
      return Fail(ErrorCode::kIo, path_ + ": the power went off");
    return {};
  }
  [[nodiscard]] Result<void> Writable() const {
    FLUORO_CHECK_OK(Alive());
    if (!writable_) return Fail(ErrorCode::kIo, path_ + ": opened for reading");
    return {};
  }
  void Put(Change change) {
    FaultyFs::Apply(change, node_->current);
    node_->unsynced.push_back(std::move(change));
  }
  void PutTorn(const Change& change) {
    Rng rng(state_->changes);
    std::string content = node_->current;
    FaultyFs::ApplyTorn(change, content, [&] { return rng.Chance(0.5); });
    const std::size_t begin = std::min<std::size_t>(change.offset, content.size());
    const std::string data = content.substr(begin, change.data.size());
    if (!data.empty()) Put({.offset = begin, .data = data});
  }

  std::shared_ptr<State> state_;
  std::shared_ptr<Node> node_;
  std::string path_;
  bool writable_;
  std::uint64_t epoch_;
};

class FaultyFs::HeldLock final : public FileLock {
 public:
  HeldLock(std::shared_ptr<State> state, std::string path)
      : state_(std::move(state)), path_(std::move(path)), epoch_(state_->epoch) {}
  ~HeldLock() override {
    MutexLock lock(state_->mutex);
    if (state_->epoch == epoch_) state_->locks.erase(path_);
  }
  HeldLock(const HeldLock&) = delete;
  HeldLock& operator=(const HeldLock&) = delete;

 private:
  std::shared_ptr<State> state_;
  std::string path_;
  std::uint64_t epoch_;
};

FaultyFs::FaultyFs() : state_(std::make_shared<State>()) {}

void FaultyFs::CrashAfter(std::uint64_t calls) {
  MutexLock lock(state_->mutex);
  state_->crash_at = state_->changes + calls;
}

void FaultyFs::CutPower() {
  MutexLock lock(state_->mutex);
  state_->crashed = true;
}

void FaultyFs::FailChange(std::uint64_t call, Fault fault, bool lasting) {
  MutexLock lock(state_->mutex);
  state_->fail_change_at = state_->changes + call;
  state_->fault = fault;
  state_->fail_change_lasting = lasting;
}

void FaultyFs::FailSync(std::uint64_t call) {
  MutexLock lock(state_->mutex);
  state_->fail_sync_at = state_->syncs + call;
}

void FaultyFs::FailRead(std::uint64_t call, bool lasting) {
  MutexLock lock(state_->mutex);
  state_->fail_read_at = state_->reads + call;
  state_->fail_read_lasting = lasting;
}

void FaultyFs::FailLook(std::uint64_t call, bool lasting) {
  MutexLock lock(state_->mutex);
  state_->fail_look_at = state_->looks + call;
  state_->fail_look_lasting = lasting;
}

void FaultyFs::ClearFaults(State& state) {
  state.crash_at = state.fail_change_at = state.fail_sync_at = state.fail_read_at =
      state.fail_look_at = UINT64_MAX;
  state.fail_change_lasting = state.fail_read_lasting = state.fail_look_lasting = false;
}

void FaultyFs::ClearFaults() {
  MutexLock lock(state_->mutex);
  ClearFaults(*state_);
  state_->capacity = UINT64_MAX;
}

void FaultyFs::IgnoreSyncs(bool ignore) {
  MutexLock lock(state_->mutex);
  state_->ignore_syncs = ignore;
}

void FaultyFs::SetCapacity(std::uint64_t bytes) {
  MutexLock lock(state_->mutex);
  state_->capacity = bytes;
}

// What a power loss leaves of one file.
void FaultyFs::Lose(Node& node, PowerLoss loss, Rng& rng) {
  const auto half = [&] { return rng.Chance(0.5); };
  std::vector<Change> changes = std::move(node.unsynced);
  node.unsynced.clear();
  if (loss == PowerLoss::kDropAll) changes.clear();
  if (loss == PowerLoss::kReorder) {
    for (std::size_t i = changes.size(); i > 1; --i)
      std::swap(changes[i - 1], changes[rng.Below(i)]);
    changes.resize(rng.Below(changes.size() + 1));
  }
  for (const Change& change : changes) {
    if (loss == PowerLoss::kTearWrites && !change.resize) {
      ApplyTorn(change, node.durable, half);
    } else if (loss == PowerLoss::kKeepAll || loss == PowerLoss::kReorder || half()) {
      Apply(change, node.durable);
    }
  }
  node.current = node.durable;
}

void FaultyFs::Restart(PowerLoss loss, std::uint64_t seed) {
  MutexLock lock(state_->mutex);
  State& s = *state_;
  Rng rng(seed);
  const auto survives = [&] {
    return loss == PowerLoss::kKeepAll || (loss != PowerLoss::kDropAll && rng.Chance(0.5));
  };
  for (const NameChange& change : s.unsynced_names) {
    if (survives()) ApplyName(change, s.durable_names, s.durable_folders);
  }
  s.unsynced_names.clear();
  std::set<Node*> done;
  for (Names* names : {&s.names, &s.durable_names}) {
    for (const auto& [path, node] : *names) {
      if (!done.insert(node.get()).second) continue;
      Lose(*node, loss, rng);
    }
  }
  std::erase_if(s.durable_names, [&](const auto& name) {
    return !s.durable_folders.contains(ParentPath(name.first));
  });
  s.names = s.durable_names;
  s.folders = s.durable_folders;
  s.locks.clear();
  s.crashed = false;
  ClearFaults(s);
  ++s.epoch;
}

void FaultyFs::EndProcess() {
  MutexLock lock(state_->mutex);
  state_->locks.clear();
  state_->crashed = false;
  ClearFaults(*state_);
  ++state_->epoch;
}

std::uint64_t FaultyFs::changes() const {
  MutexLock lock(state_->mutex);
  return state_->changes;
}

std::uint64_t FaultyFs::syncs() const {
  MutexLock lock(state_->mutex);
  return state_->syncs;
}

std::uint64_t FaultyFs::reads() const {
  MutexLock lock(state_->mutex);
  return state_->reads;
}

std::uint64_t FaultyFs::looks() const {
  MutexLock lock(state_->mutex);
  return state_->looks;
}

bool FaultyFs::crashed() const {
  MutexLock lock(state_->mutex);
  return state_->crashed;
}

std::vector<std::string> FaultyFs::Files() const {
  MutexLock lock(state_->mutex);
  std::vector<std::string> paths;
  for (const auto& [path, node] : state_->names) paths.push_back(path);
  return paths;
}

void FaultyFs::FlipBit(std::string_view path, std::uint64_t bit) {
  MutexLock lock(state_->mutex);
  const auto at = state_->names.find(path);
  if (at == state_->names.end()) return;
  for (std::string* content : {&at->second->current, &at->second->durable}) {
    if (bit / 8 >= content->size()) continue;
    char& byte = (*content)[bit / 8];
    byte = static_cast<char>(static_cast<unsigned char>(byte) ^ (1U << (bit % 8)));
  }
}

std::map<std::string, std::string> FaultyFs::Snapshot() const {
  MutexLock lock(state_->mutex);
  std::map<std::string, std::string> files;
  for (const auto& [path, node] : state_->names) files[path] = node->current;
  return files;
}

void FaultyFs::Load(const std::map<std::string, std::string>& files) {
  MutexLock lock(state_->mutex);
  State& s = *state_;
  s.names.clear();
  s.unsynced_names.clear();
  for (const auto& [path, content] : files) {
    auto node = std::make_shared<Node>();
    node->current = node->durable = content;
    s.names.emplace(path, std::move(node));
    for (std::string folder = ParentPath(path); s.folders.insert(folder).second;)
      folder = ParentPath(folder);
  }
  s.durable_names = s.names;
  s.durable_folders = s.folders;
  s.locks.clear();
  s.crashed = false;
  ++s.epoch;
}

Result<std::unique_ptr<File>> FaultyFs::Open(std::string_view path, OpenMode mode) {
  MutexLock lock(state_->mutex);
  FLUORO_CHECK_OK(CheckPower(*state_));
  const auto at = state_->names.find(path);
  if (mode != OpenMode::kCreate) {
    if (at == state_->names.end())
      return Fail(ErrorCode::kNotFound, std::string(path) + ": open: no such file");
    FLUORO_CHECK_OK(Look(*state_, std::string(path) + ": open"));
    return std::make_unique<OpenFile>(state_, at->second, std::string(path),
                                      mode == OpenMode::kReadWrite);
  }
  if (at != state_->names.end())
    return Fail(ErrorCode::kAlreadyExists, std::string(path) + ": open: exists");
  if (!state_->folders.contains(ParentPath(path)))
    return Fail(ErrorCode::kNotFound, std::string(path) + ": open: no such folder");
  FLUORO_CHECK_OK(BeginChange(*state_, std::string(path) + ": create"));
  auto node = std::make_shared<Node>();
  state_->names.emplace(path, node);
  state_->unsynced_names.push_back({.kind = NameChange::Kind::kLink,
                                    .folder = ParentPath(path),
                                    .path = std::string(path),
                                    .from = {},
                                    .node = node});
  return std::make_unique<OpenFile>(state_, std::move(node), std::string(path), true);
}

Result<void> FaultyFs::Rename(std::string_view from, std::string_view to) {
  MutexLock lock(state_->mutex);
  FLUORO_CHECK_OK(CheckPower(*state_));
  const auto at = state_->names.find(from);
  if (at == state_->names.end())
    return Fail(ErrorCode::kNotFound, std::string(from) + ": rename: no such file");
  if (!state_->folders.contains(ParentPath(to)))
    return Fail(ErrorCode::kNotFound, std::string(to) + ": rename: no such folder");
  FLUORO_CHECK_OK(BeginChange(*state_, std::string(from) + ": rename"));
  NameChange change{.kind = NameChange::Kind::kRename,
                    .folder = ParentPath(to),
                    .path = std::string(to),
                    .from = std::string(from),
                    .node = at->second};
  ApplyName(change, state_->names, state_->folders);
  state_->unsynced_names.push_back(std::move(change));
  return {};
}

void FaultyFs::BeforeSync(std::function<void(std::string_view path)> what) {
  state_->before_sync = std::move(what);
}

Result<void> FaultyFs::Remove(std::string_view path) {
  if (before_remove_) before_remove_(path);
  MutexLock lock(state_->mutex);
  FLUORO_CHECK_OK(CheckPower(*state_));
  const auto at = state_->names.find(path);
  if (at == state_->names.end())
    return Fail(ErrorCode::kNotFound, std::string(path) + ": remove: no such file");
  FLUORO_CHECK_OK(BeginChange(*state_, std::string(path) + ": remove"));
  NameChange change{.kind = NameChange::Kind::kUnlink,
                    .folder = ParentPath(path),
                    .path = std::string(path),
                    .from = {},
                    .node = nullptr};
  ApplyName(change, state_->names, state_->folders);
  state_->unsynced_names.push_back(std::move(change));
  return {};
}

Result<void> FaultyFs::MakeDirs(std::string_view path) {
  MutexLock lock(state_->mutex);
  FLUORO_CHECK_OK(CheckPower(*state_));
  if (state_->names.contains(path))
    return Fail(ErrorCode::kIo, std::string(path) + ": make folder: a file is there");
  if (state_->folders.contains(path)) return {};
  FLUORO_CHECK_OK(BeginChange(*state_, std::string(path) + ": make folder"));
  std::vector<std::string> made;
  for (std::string folder(path); state_->folders.insert(folder).second;) {
    made.push_back(folder);
    folder = ParentPath(folder);
  }
  for (auto folder = made.rbegin(); folder != made.rend(); ++folder) {
    state_->unsynced_names.push_back({.kind = NameChange::Kind::kFolder,
                                      .folder = ParentPath(*folder),
                                      .path = *folder,
                                      .from = {},
                                      .node = nullptr});
  }
  return {};
}

Result<std::vector<std::string>> FaultyFs::List(std::string_view path) {
  MutexLock lock(state_->mutex);
  FLUORO_CHECK_OK(Look(*state_, std::string(path) + ": list"));
  if (!state_->folders.contains(path))
    return Fail(ErrorCode::kNotFound, std::string(path) + ": list: no such folder");
  std::set<std::string> names;
  for (const auto& [name, node] : state_->names) {
    if (ParentPath(name) == path) names.insert(BaseName(name));
  }
  for (const std::string& name : state_->folders) {
    if (name != path && ParentPath(name) == path) names.insert(BaseName(name));
  }
  return std::vector<std::string>(names.begin(), names.end());
}

Result<void> FaultyFs::SyncDir(std::string_view path) {
  MutexLock lock(state_->mutex);
  FLUORO_CHECK_OK(CheckPower(*state_));
  if (!state_->folders.contains(path))
    return Fail(ErrorCode::kNotFound, std::string(path) + ": sync folder: no such folder");
  FLUORO_CHECK_OK(BeginChange(*state_, std::string(path) + ": sync folder"));
  if (state_->ignore_syncs) return {};
  std::set<std::string> moved;
  std::erase_if(state_->unsynced_names, [&](const NameChange& change) {
    if (change.folder != path) return false;
    ApplyName(change, state_->durable_names, state_->durable_folders);
    if (change.kind == NameChange::Kind::kRename) moved.insert(change.from);
    return true;
  });
  // What was moved away durably was made before: that it was made cannot come to light later.
  std::erase_if(state_->unsynced_names, [&](const NameChange& change) {
    return change.kind == NameChange::Kind::kLink && moved.contains(change.path) &&
           !state_->names.contains(change.path);
  });
  return {};
}

bool FaultyFs::Exists(std::string_view path) {
  MutexLock lock(state_->mutex);
  return !state_->crashed && (state_->names.contains(path) || state_->folders.contains(path));
}

Result<std::unique_ptr<FileLock>> FaultyFs::Lock(std::string_view path) {
  MutexLock lock(state_->mutex);
  FLUORO_CHECK_OK(Look(*state_, std::string(path) + ": lock"));
  if (!state_->folders.contains(ParentPath(path)))
    return Fail(ErrorCode::kNotFound, std::string(path) + ": no such folder");
  if (!state_->locks.insert(std::string(path)).second) {
    return Fail(ErrorCode::kAlreadyExists,
                std::string(path) + ": another process holds this folder");
  }
  if (!state_->names.contains(path)) state_->names.emplace(path, std::make_shared<Node>());
  return std::make_unique<HeldLock>(state_, std::string(path));
}

Result<Fs::Space> FaultyFs::DiskSpace(std::string_view path) {
  MutexLock lock(state_->mutex);
  FLUORO_CHECK_OK(Look(*state_, std::string(path) + ": disk space"));
  const std::uint64_t used = UsedBytes(*state_);
  const std::uint64_t total = std::min(state_->capacity, std::uint64_t{1} << 40);
  return Space{.total_bytes = total, .free_bytes = total > used ? total - used : 0};
}

}  // namespace fluoro
