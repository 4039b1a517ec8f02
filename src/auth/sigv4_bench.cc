// What verifying costs, and whether its time tells anything: Welch's t of refusals for one cause
// against another, and of secrets that differ early against late. |t| < 4.5 over a million tries is
// taken for no difference.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cmath>
#include <utility>

#include "auth/signed_request_for_test.h"

namespace fluoro::auth {
namespace {

TestRequest Sent(const TestContext& context) {
  return SignedBy(context,
                  {.path = "/TraceSegments",
                   .headers = {{"host", "127.0.0.1:2000"}, {"content-type", "application/json"}},
                   .body = std::string(1'000, 'x')},
                  false);
}

TestRequest WithWrongSignature(TestRequest request) {
  std::string& header = *request.Find("authorization");
  header.back() = header.back() == '0' ? '1' : '0';
  return request;
}

TestRequest WithUnknownKey(TestRequest request) {
  std::string& header = *request.Find("authorization");
  header.replace(header.find("AKIDEXAMPLE"), 11, "AKIDEXAMPL2");
  return request;
}

void Verify(benchmark::State& state, const TestRequest& request) {
  const TestContext context;
  SigV4Verifier verifier;
  benchmark::DoNotOptimize(context.Verify(verifier, Sent(context)));
  for (auto _ : state) benchmark::DoNotOptimize(context.Verify(verifier, request));
}

struct Moments {
  double count = 0, mean = 0, squares = 0;
  void Add(double value) {
    ++count;
    const double off = value - mean;
    mean += off / count;
    squares += off * (value - mean);
  }
  [[nodiscard]] double ErrorSquared() const { return squares / (count - 1) / count; }
};

/// One code on one memory, whose content alone differs: prepare(second) is not timed, call() is.
/// Which comes first alternates; what an interrupt made long is left out.
template <class Prepare, class Call>
void Welch(benchmark::State& state, Prepare&& prepare, Call&& call) {
  Moments first, second;
  const auto time = [&](bool which) {
    prepare(which);
    const auto begin = std::chrono::steady_clock::now();
    call();
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin)
        .count();
  };
  std::uint64_t turn = 0;
  for (auto _ : state) {
    const bool swap = ++turn % 2 == 0;
    double one = time(swap);
    double other = time(!swap);
    if (swap) std::swap(one, other);
    if (turn < 1'000) continue;  // caches warm up
    const double bound = 3 * std::max(first.mean, 50.0);
    if (first.count > 100 && (one > bound || other > bound)) continue;
    first.Add(one);
    second.Add(other);
  }
  state.counters["t"] =
      (first.mean - second.mean) / std::sqrt(first.ErrorSquared() + second.ErrorSquared());
  state.counters["first_ns"] = first.mean;
  state.counters["second_ns"] = second.mean;
}

void UnknownAgainstWrong(benchmark::State& state) {
  const TestContext context;
  SigV4Verifier verifier;
  const TestRequest good = Sent(context);
  benchmark::DoNotOptimize(context.Verify(verifier, good));
  const std::string wrong = *WithWrongSignature(good).Find("authorization");
  const std::string unknown = *WithUnknownKey(good).Find("authorization");
  TestRequest request = good;
  std::string& header = *request.Find("authorization");
  Welch(
      state, [&](bool second) { header.assign(second ? wrong : unknown); },
      [&] { benchmark::DoNotOptimize(context.Verify(verifier, request)); });
}

void WrongEarlyAgainstLate(benchmark::State& state) {
  const TestContext context;
  SigV4Verifier verifier;
  const TestRequest good = Sent(context);
  benchmark::DoNotOptimize(context.Verify(verifier, good));
  TestRequest request = good;
  std::string& header = *request.Find("authorization");
  const std::size_t begin = header.size() - 64;
  const auto flip = [](char c) { return c == '0' ? '1' : '0'; };
  const std::string right = header;
  Welch(
      state,
      [&](bool second) {
        header.assign(right);
        char& digit = second ? header.back() : header[begin];
        digit = flip(digit);
      },
      [&] { benchmark::DoNotOptimize(context.Verify(verifier, request)); });
}

void EarlyAgainstLate(benchmark::State& state) {
  const std::string secret(64, 'a');
  std::string other = secret;
  Welch(
      state,
      [&](bool second) {
        other.assign(64, 'a');
        (second ? other.back() : other.front()) = 'b';
      },
      [&] {
        bool same = false;
        for (int i = 0; i < 50; ++i) same |= SameSecret(secret, other);
        benchmark::DoNotOptimize(same);
      });
}

BENCHMARK_CAPTURE(Verify, good, Sent(TestContext{}));
BENCHMARK_CAPTURE(Verify, wrong, WithWrongSignature(Sent(TestContext{})));
BENCHMARK_CAPTURE(Verify, unknown, WithUnknownKey(Sent(TestContext{})));
BENCHMARK(UnknownAgainstWrong)->Iterations(1'000'000);
BENCHMARK(WrongEarlyAgainstLate)->Iterations(1'000'000);
BENCHMARK(EarlyAgainstLate)->Iterations(1'000'000);

}  // namespace
}  // namespace fluoro::auth
