#include "cli/bench/server_process.h"

#include <fcntl.h>
#include <simdjson.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/fs.h"

extern char** environ;

namespace fluoro::cli::bench {
namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

std::string Field(std::string_view text, std::string_view name) {
  const auto at = text.find(name);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + name.size());
  return std::string(text.substr(0, text.find('\n')));
}

}  // namespace

ServerProcess::ServerProcess(std::string folder, std::vector<std::string> flags)
    : folder_(std::move(folder)), flags_(std::move(flags)) {}

Result<std::unique_ptr<ServerProcess>> ServerProcess::Start(const std::vector<std::string>& flags) {
  const char* parent = std::getenv("TMPDIR");
  std::string folder = std::string(parent == nullptr ? "/tmp" : parent) + "/fluoro-bench-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr)
    return Fail(ErrorCode::kIo, "cannot make a folder like " + folder);
  std::unique_ptr<ServerProcess> process(new ServerProcess(std::move(folder), flags));
  FLUORO_CHECK_OK(process->Spawn());
  return process;
}

Result<void> ServerProcess::Spawn() {
  const std::string ports_path = folder_ + "/ports.json";
  std::vector<std::string> words{"/proc/self/exe", "serve",       "--data",      folder_ + "/data",
                                 "--http",         "127.0.0.1:0", "--udp",       "127.0.0.1:0",
                                 "--otlp-http",    "127.0.0.1:0", "--otlp-grpc", "127.0.0.1:0",
                                 "--ports-file",   ports_path,    "--log-level", "error"};
  words.insert(words.end(), flags_.begin(), flags_.end());
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  // Its lines would stand between those of the table.
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, (folder_ + "/log").c_str(),
                                   O_WRONLY | O_CREAT, 0600);
  std::error_code ignored;
  std::filesystem::remove(ports_path, ignored);
  pid_t pid = 0;
  const int failure =
      posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) return Fail(ErrorCode::kInternal, "cannot start a server");
  pid_ = pid;
  const auto fs = MakePosixFs();
  for (int i = 0; i < 3'000 && !fs->Exists(ports_path); ++i) {
    if (waitpid(pid, nullptr, WNOHANG) == pid) {
      pid_ = 0;
      return Fail(ErrorCode::kInternal, "the server ended at its start");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  FLUORO_TRY(const std::string text, ReadFile(*fs, ports_path));
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(text);
  simdjson::dom::element ports;
  if (parser.parse(padded).get(ports) != simdjson::SUCCESS)
    return Fail(ErrorCode::kInternal, "the ports file is not JSON");
  const auto read = [&ports](const char* key) {
    std::string_view address;
    return ports[key].get(address) == simdjson::SUCCESS ? std::string(address) : std::string{};
  };
  ports_ = {read("http"), read("udp"), read("otlp_http"), read("otlp_grpc")};
  return {};
}

Result<void> ServerProcess::Restart() {
  FLUORO_CHECK_OK(Stop());
  ForEachBlock([](const std::filesystem::directory_entry& block) {
    const int fd = ::open(block.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    (void)::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    ::close(fd);
  });
  return Spawn();
}

ServerProcess::~ServerProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

ServerProcess::Cost ServerProcess::CostNow() const {
  Cost cost;
  const auto fs = MakePosixFs();
  // Files in /proc have no size to read by, so the C library reads them.
  const auto read = [this](const char* name) {
    std::string text(4096, '\0');
    std::FILE* file = std::fopen(("/proc/" + std::to_string(pid_) + "/" + name).c_str(), "r");
    if (file == nullptr) return std::string{};
    text.resize(std::fread(text.data(), 1, text.size(), file));
    std::fclose(file);
    return text;
  };
  const std::string stat = read("stat");
  const auto after_name = stat.rfind(')');
  if (after_name != std::string::npos) {
    unsigned long user = 0, system = 0;
    // Fields 14 and 15, counted from 1; the second ends at the last ')'.
    std::sscanf(stat.c_str() + after_name + 2,
                "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    cost.cpu_seconds =
        static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  }
  cost.peak_rss_bytes = std::strtoull(Field(read("status"), "VmHWM:").c_str(), nullptr, 10) * 1024;
  return cost;
}

Result<ServerProcess::Cost> ServerProcess::Stop() {
  // The kernel's own maximum would count this process too, as it was before the server's exec; so
  // the server's is read until it ends.
  Cost cost = CostNow();
  kill(pid_, SIGTERM);
  int status = 0;
  rusage usage{};
  while (wait4(pid_, &status, WNOHANG, &usage) == 0) {
    cost.peak_rss_bytes = std::max(cost.peak_rss_bytes, CostNow().peak_rss_bytes);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  cost.cpu_seconds = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
  pid_ = 0;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return Fail(ErrorCode::kInternal, "the server did not end cleanly");
  }
  return cost;
}

void ServerProcess::ForEachBlock(
    const std::function<void(const std::filesystem::directory_entry&)>& visit) const {
  std::error_code failure;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(folder_ + "/data/blocks", failure)) {
    if (entry.is_regular_file(failure)) visit(entry);
  }
}

std::uint64_t ServerProcess::BlockBytes() const {
  std::uint64_t bytes = 0;
  ForEachBlock([&bytes](const std::filesystem::directory_entry& block) {
    std::error_code failure;
    bytes += block.file_size(failure);
  });
  return bytes;
}

}  // namespace fluoro::cli::bench
