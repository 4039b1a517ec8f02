// Replays every file of the folders given as arguments through a fuzz target: the corpus as a plain
// test. With FLUORO_FUZZ_SECONDS it goes on with changed copies of those files; FLUORO_SEED and the
// number of the input, which a crash prints, give the same input again.
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Bytes = std::vector<char>;

std::uint64_t seed = 0;
std::uint64_t input_number = 0;

std::uint64_t FromEnvironment(const char* name) {
  const char* const text = std::getenv(name);
  return text == nullptr ? 0 : std::strtoull(text, nullptr, 10);
}

void Run(const Bytes& input) {
  // Of its own size, so that a sanitizer sees a read beyond the end.
  const Bytes copy(input.begin(), input.end());
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(copy.data()), copy.size());
}

void SayInput(int signal) {
  char text[120];
  const int bytes = std::snprintf(text, sizeof text, "input %llu of FLUORO_SEED=%llu\n",
                                  static_cast<unsigned long long>(input_number),
                                  static_cast<unsigned long long>(seed));
  if (write(STDERR_FILENO, text, static_cast<std::size_t>(bytes)) < 0) std::_Exit(2);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

/// Flips, overwrites, cuts, doubles and splices.
Bytes Change(const std::vector<Bytes>& corpus, std::uint64_t number) {
  std::mt19937_64 random(seed * 1'000'003 + number);
  const auto below = [&](std::size_t bound) { return bound == 0 ? 0 : random() % bound; };
  Bytes input = corpus[below(corpus.size())];
  for (std::size_t changes = 1 + below(8); changes > 0; --changes) {
    const std::size_t at = below(input.size());
    const auto here = input.begin() + static_cast<std::ptrdiff_t>(at);
    switch (below(6)) {
      case 0:
        if (!input.empty()) *here = static_cast<char>(*here ^ (1 << below(8)));
        break;
      case 1:
        if (!input.empty()) *here = static_cast<char>(random());
        break;
      case 2:
        input.resize(at);
        break;
      case 3:
        input.insert(here, static_cast<char>(random()));
        break;
      case 4: {
        const Bytes piece(here, here + static_cast<std::ptrdiff_t>(below(input.size() - at)));
        input.insert(input.begin() + static_cast<std::ptrdiff_t>(below(input.size())),
                     piece.begin(), piece.end());
        break;
      }
      default: {
        const Bytes& other = corpus[below(corpus.size())];
        input.resize(at);
        input.insert(input.end(), other.begin() + static_cast<std::ptrdiff_t>(below(other.size())),
                     other.end());
      }
    }
  }
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<Bytes> corpus;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      corpus.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
      Run(corpus.back());
    }
  }
  std::printf("%zu corpus files replayed\n", corpus.size());
  if (corpus.empty()) return 1;
  const std::chrono::seconds seconds(FromEnvironment("FLUORO_FUZZ_SECONDS"));
  if (seconds.count() == 0) return 0;
  seed = FromEnvironment("FLUORO_SEED");
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE}) std::signal(signal, SayInput);
  const auto end = std::chrono::steady_clock::now() + seconds;
  for (; std::chrono::steady_clock::now() < end; ++input_number) Run(Change(corpus, input_number));
  std::printf("%llu changed inputs of FLUORO_SEED=%llu\n",
              static_cast<unsigned long long>(input_number), static_cast<unsigned long long>(seed));
  return 0;
}
