#include "cli/bench/server_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <simdjson.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "base/fs.h"
#include "cli/json_read.h"
#include "net/http_client.h"

extern char** environ;

namespace fluoro::cli::bench {
namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

// Of a process that runs. Files in /proc have no size to read by, so the C library reads them.
std::uint64_t PeakRssBytes(pid_t pid) {
  std::FILE* const file = std::fopen(("/proc/" + std::to_string(pid) + "/status").c_str(), "r");
  if (file == nullptr) return 0;
  std::string text(4096, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  constexpr std::string_view kField = "VmHWM:";
  const auto at = text.find(kField);
  if (at == std::string::npos) return 0;
  return std::strtoull(text.c_str() + at + kField.size(), nullptr, 10) * 1024;
}

using VisitFile = std::function<void(const std::filesystem::directory_entry&)>;

void ForEachFile(const std::string& folder, const VisitFile& visit) {
  std::error_code failure;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, failure)) {
    if (entry.is_regular_file(failure)) visit(entry);
  }
}

std::uint64_t BytesOf(const std::string& folder) {
  std::uint64_t bytes = 0;
  ForEachFile(folder, [&bytes](const std::filesystem::directory_entry& file) {
    std::error_code failure;
    const auto size = file.file_size(failure);
    if (!failure) bytes += size;
  });
  return bytes;
}

bool DropCaches() {
  const int fd = ::open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ::sync();
  const bool done = ::write(fd, "3", 1) == 1;
  ::close(fd);
  return done;
}

}  // namespace

ServerProcess::ServerProcess(std::string folder, const std::optional<Cores>& cores)
    : folder_(std::move(folder)), cores_(cores) {}

Result<std::unique_ptr<ServerProcess>> ServerProcess::Start(const std::optional<Cores>& cores) {
  const char* parent = std::getenv("TMPDIR");
  std::string folder = std::string(parent == nullptr ? "/tmp" : parent) + "/fluoro-bench-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr)
    return Fail(ErrorCode::kIo, "cannot make a folder like " + folder);
  std::unique_ptr<ServerProcess> process(new ServerProcess(std::move(folder), cores));
  FLUORO_CHECK_OK(process->Serve());
  return process;
}

Result<void> ServerProcess::Spawn(std::vector<std::string> words) {
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  // Its lines would stand between those of the table.
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, (folder_ + "/log").c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0600);
  pid_t pid = 0;
  if (cores_) RunOn(cores_->server);
  const int failure =
      posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, arguments.data(), environ);
  if (cores_) RunOn(cores_->load);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) return Fail(ErrorCode::kInternal, "cannot start a server");
  pid_ = pid;
  return {};
}

Result<void> ServerProcess::Serve() {
  const std::string ports_path = folder_ + "/ports.json";
  std::error_code ignored;
  std::filesystem::remove(ports_path, ignored);
  FLUORO_CHECK_OK(
      Spawn({"/proc/self/exe", "serve", "--data", data_folder(), "--http", "127.0.0.1:0", "--udp",
             "127.0.0.1:0", "--otlp-http", "127.0.0.1:0", "--otlp-grpc", "127.0.0.1:0",
             "--ports-file", ports_path, "--log-level", "error"}));
  const auto fs = MakePosixFs();
  for (int i = 0; i < 6'000 && !fs->Exists(ports_path); ++i) {
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
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
  ports_ = {ReadText(ports, "http"), ReadText(ports, "udp"), ReadText(ports, "otlp_http"),
            ReadText(ports, "otlp_grpc")};
  return {};
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
  Cost cost{.cpu_seconds = 0, .peak_rss_bytes = PeakRssBytes(pid_)};
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(pid_, &clock) == 0 && ::clock_gettime(clock, &used) == 0)
    cost.cpu_seconds = static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
  return cost;
}

double ServerProcess::ThreadSeconds(std::string_view name) const {
  double seconds = 0;
  std::error_code ignored;
  for (const auto& thread :
       std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid_), ignored)) {
    std::string its_name;
    std::ifstream(thread.path() / "comm") >> its_name;
    std::uint64_t ns = 0;
    if (its_name == name && std::ifstream(thread.path() / "schedstat") >> ns)
      seconds += static_cast<double>(ns) * 1e-9;
  }
  return seconds;
}

Result<ServerProcess::Cost> ServerProcess::Stop() {
  kill(pid_, SIGTERM);
  return WaitForEnd("the server");
}

Result<ServerProcess::Cost> ServerProcess::Merge() {
  FLUORO_CHECK_OK(Spawn({"/proc/self/exe", "bench", "merge-ahead", data_folder()}));
  return WaitForEnd("merging");
}

Result<ServerProcess::Cost> ServerProcess::WaitForEnd(std::string_view who) {
  // The kernel's own maximum would count this process too, as it was before the child's exec; so
  // the child's is read until it ends.
  Cost cost;
  int status = 0;
  rusage usage{};
  while (wait4(pid_, &status, WNOHANG, &usage) == 0) {
    cost.peak_rss_bytes = std::max(cost.peak_rss_bytes, PeakRssBytes(pid_));
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  cost.cpu_seconds = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
  pid_ = 0;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return Fail(ErrorCode::kInternal, std::string(who) + " did not end cleanly");
  return cost;
}

ServerProcess::ColdBy ServerProcess::MakeCold() const {
  if (DropCaches()) return ColdBy::kDropCaches;
  ForEachFile(data_folder(), [](const std::filesystem::directory_entry& file) {
    const int fd = ::open(file.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    (void)::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    ::close(fd);
  });
  return ColdBy::kAdvice;
}

std::uint64_t ServerProcess::BlockBytes() const { return BytesOf(data_folder() + "/blocks"); }
std::uint64_t ServerProcess::FolderBytes() const { return BytesOf(data_folder()); }

std::vector<double> ServerProcess::Metrics(std::span<const std::string_view> names) const {
  std::vector<double> sums(names.size());
  net::HttpCall call;
  call.url = "http://" + ports_.http + "/metrics";
  const auto answer = net::Call(call);
  if (!answer) return sums;
  std::string_view text = answer->body;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (line.starts_with(names[i]) && line.size() > names[i].size() &&
          (line[names[i].size()] == '{' || line[names[i].size()] == ' '))
        sums[i] += std::strtod(std::string(line.substr(line.rfind(' ') + 1)).c_str(), nullptr);
    }
  }
  return sums;
}

}  // namespace fluoro::cli::bench
