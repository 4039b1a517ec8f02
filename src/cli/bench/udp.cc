#include "cli/bench/udp.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/clock.h"
#include "base/json.h"
#include "cli/bench/http_connection.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/terminal.h"
#include "cli/units.h"

namespace fluoro::cli::bench {
namespace {

constexpr std::string_view kHeader = "{\"format\":\"json\",\"version\":1}\n";
constexpr std::size_t kBurstMax = 64;  // datagrams of one sendmmsg
constexpr double kTrialSeconds = 3;
constexpr double kProofSeconds = 15;
constexpr std::uint64_t kTrialMin = 1'000;
constexpr double kFirstRate = 10'000;
constexpr double kRateMax = 1'000'000;
constexpr double kPrecision = 1.04;  // the search ends between two rates this close
constexpr double kKeptUp = 0.97;     // of the offered rate: below that the sender was the limit
constexpr double kStored = 0.93;     // likewise: below that a backlog grew, which a buffer hid
constexpr double kQuietLoad = 0.9;
constexpr std::uint64_t kFoundTraces = 1'000;

std::int64_t NowNs() { return SystemClock().MonotonicNs(); }

void PutHex(std::uint64_t value, std::size_t digits, char* out) {
  for (std::size_t i = 0; i < digits; ++i)
    out[i] = "0123456789abcdef"[value >> (4 * (digits - 1 - i)) & 0xf];
}

/// The generated spans as datagrams, each a segment of a trace of its own.
class Datagrams {
 public:
  Datagrams(const LoadOptions& options) : rng_(options.seed) {
    TraceStream traces(options, SystemClock().UnixNs());
    for (auto trace = traces.Next(); !trace.empty(); trace = traces.Next())
      for (const auto& span : trace)
        if (texts_.size() < options.spans)
          texts_.push_back(std::string(kHeader) + SegmentDocument(span));
  }
  /// New ids for the first `count`, so that the server cannot tell them for sent before.
  void Renew(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      char* const text = texts_[i].data() + kHeader.size();
      PutHex(rng_.Next() | 1, 16, text + kDocumentIdAt);
      PutHex(rng_.Next(), 12, text + kDocumentTraceIdAt);
      PutHex(rng_.Next(), 12, text + kDocumentTraceIdAt + 12);
    }
  }
  [[nodiscard]] std::uint64_t size() const { return texts_.size(); }
  [[nodiscard]] std::string& operator[](std::uint64_t index) { return texts_[index]; }
  [[nodiscard]] std::string TraceIdOf(std::uint64_t index) const {
    return texts_[index].substr(kHeader.size() + kDocumentTraceIdAt - 11, 35);
  }
  [[nodiscard]] double BytesEach() const {
    std::uint64_t bytes = 0;
    for (const auto& text : texts_) bytes += text.size();
    return static_cast<double>(bytes) / static_cast<double>(texts_.size());
  }
  Rng& rng() { return rng_; }

 private:
  std::vector<std::string> texts_;
  Rng rng_;
};

struct Trial {
  double offered = 0;    // segments a second
  double kept = 0;       // what the sender reached
  double queryable = 0;  // stored by the second, from the first byte until the last is stored
  std::uint64_t sent = 0;
  std::uint64_t stored = 0;
  std::uint64_t kernel_drops = 0;
  std::uint64_t rejected = 0;
  double cpu_seconds = 0;
  [[nodiscard]] std::uint64_t lost() const { return sent - stored; }
  [[nodiscard]] bool holds() const { return lost() == 0 && queryable >= kept * kStored; }
};

struct Counts {
  std::uint64_t stored = 0;
  std::uint64_t kernel_drops = 0;
  std::uint64_t rejected = 0;
  [[nodiscard]] std::uint64_t all() const { return stored + kernel_drops + rejected; }
};
Counts CountsOf(const ServerProcess& server) {
  static constexpr std::array<std::string_view, 3> kNames{
      "fluoro_ingest_spans_total", "fluoro_udp_kernel_drops_total", "fluoro_ingest_rejected_total"};
  const auto values = server.Metrics(kNames);
  return {.stored = static_cast<std::uint64_t>(values[0]),
          .kernel_drops = static_cast<std::uint64_t>(values[1]),
          .rejected = static_cast<std::uint64_t>(values[2])};
}

// Until the server does next to nothing: what is left of an earlier trial must not weigh on the
// next.
void WaitUntilIdle(const ServerProcess& server) {
  double before = server.CostNow().cpu_seconds;
  for (int i = 0; i < 300; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const double now = server.CostNow().cpu_seconds;
    if (now - before < 0.01) return;
    before = now;
  }
}

// Evenly, in bursts as small as the clock lets the sender make them.
void SendAtRate(int fd, Datagrams& datagrams, std::uint64_t count, double rate) {
  std::array<iovec, kBurstMax> pieces;
  std::array<mmsghdr, kBurstMax> messages{};
  for (std::size_t i = 0; i < kBurstMax; ++i) {
    messages[i].msg_hdr.msg_iov = &pieces[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const std::int64_t begin_ns = NowNs();
  for (std::uint64_t sent = 0; sent < count;) {
    const auto due = std::min(
        count, static_cast<std::uint64_t>(static_cast<double>(NowNs() - begin_ns) * 1e-9 * rate));
    if (due <= sent) {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
      continue;
    }
    const std::uint64_t burst = std::min<std::uint64_t>(due - sent, kBurstMax);
    for (std::size_t i = 0; i < burst; ++i) {
      std::string& text = datagrams[sent + i];
      pieces[i] = {.iov_base = text.data(), .iov_len = text.size()};
    }
    const int done = ::sendmmsg(fd, messages.data(), static_cast<unsigned>(burst), 0);
    sent += static_cast<std::uint64_t>(std::max(done, 0));
  }
}

Result<Trial> Offer(const ServerProcess& server, int fd, Datagrams& datagrams, std::uint64_t count,
                    double rate) {
  WaitUntilIdle(server);
  datagrams.Renew(count);
  const Counts before = CountsOf(server);
  const double cpu_before = server.CostNow().cpu_seconds;
  Trial trial{.offered = rate, .sent = count};
  const std::int64_t begin_ns = NowNs();
  // The last one waits: the kernel tells of drops with the datagrams that follow.
  SendAtRate(fd, datagrams, count - 1, rate);
  std::int64_t stored_ns = NowNs();
  trial.kept = static_cast<double>(count - 1) / (static_cast<double>(stored_ns - begin_ns) * 1e-9);
  Counts now = CountsOf(server);
  std::uint64_t counted = now.all();
  const auto wait_for = [&](std::uint64_t wanted) {
    for (int quiet = 0; now.all() - before.all() < wanted && quiet < 100;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      now = CountsOf(server);
      quiet = now.all() == counted ? quiet + 1 : 0;
      if (now.all() != counted) stored_ns = NowNs();
      counted = now.all();
    }
  };
  wait_for(count - 1);
  trial.queryable = static_cast<double>(now.stored - before.stored) /
                    (static_cast<double>(stored_ns - begin_ns) * 1e-9);
  std::string& last = datagrams[count - 1];
  if (::send(fd, last.data(), last.size(), 0) < 0)
    return Fail(ErrorCode::kIo, "cannot send a datagram");
  wait_for(count);
  trial.cpu_seconds = server.CostNow().cpu_seconds - cpu_before;
  trial.stored = now.stored - before.stored;
  trial.kernel_drops = now.kernel_drops - before.kernel_drops;
  trial.rejected = now.rejected - before.rejected;
  if (now.all() - before.all() != count) {
    return Fail(ErrorCode::kCorruption,
                fmt::format("{} segments were sent; {} are stored, {} were dropped by the kernel "
                            "and {} refused, which is not all",
                            count, trial.stored, trial.kernel_drops, trial.rejected));
  }
  return trial;
}

void PrintTrial(std::string_view name, const Trial& trial, double bytes, bool json) {
  const double cpu_per_million =
      trial.cpu_seconds / static_cast<double>(std::max<std::uint64_t>(trial.stored, 1)) * 1e6;
  if (!json) {
    Print(fmt::format("{:<14}{:>12.0f}{:>14.0f}{:>10}{:>10}{:>10}{:>9}{:>14.2f}{:>12.0f}\n", name,
                      trial.offered, trial.queryable, trial.sent, trial.stored, trial.kernel_drops,
                      trial.rejected, cpu_per_million, bytes));
    return;
  }
  JsonWriter out;
  out.BeginObject().Key("name").String(name).Key("offered_per_second").Double(trial.offered);
  out.Key("segments_per_second").Double(trial.queryable);
  out.Key("sent").Uint(trial.sent).Key("stored").Uint(trial.stored).Key("lost").Uint(trial.lost());
  out.Key("kernel_drops").Uint(trial.kernel_drops).Key("rejected").Uint(trial.rejected);
  out.Key("cpu_seconds_per_million").Double(cpu_per_million);
  out.Key("wire_bytes_per_segment").Double(bytes).EndObject();
  Print(out.Take() + "\n");
}

Result<void> FindSegments(const ServerProcess& server, Datagrams& datagrams, std::uint64_t count) {
  std::vector<Sample::Trace> traces;
  traces.reserve(kFoundTraces);
  for (std::uint64_t i = 0; i < kFoundTraces; ++i)
    traces.push_back(
        {.id = datagrams.TraceIdOf(datagrams.rng().Below(count)), .spans = 1, .request_id = {}});
  return FindAgain(server, traces);
}

struct Best {
  Trial trial;
  bool sender_was_the_limit = false;
};

// Doubles the rate until something is lost, then halves the distance.
Result<Best> FindHighest(const ServerProcess& server, int fd, Datagrams& datagrams, bool quiet) {
  Progress progress("trying rates");
  Best best;
  double bad = kRateMax;
  for (double rate = kFirstRate; rate < kRateMax && best.trial.offered * kPrecision < bad;) {
    const auto wanted = static_cast<std::uint64_t>(rate * kTrialSeconds);
    const std::uint64_t count =
        std::min(std::max(kTrialMin, datagrams.size() / 2), std::max(kTrialMin, wanted));
    FLUORO_TRY(const Trial trial, Offer(server, fd, datagrams, count, rate));
    if (!quiet) progress.Update(fmt::format("{:.0f}/s: {} lost", rate, trial.lost()));
    if (!trial.holds()) {
      bad = rate;
    } else if (trial.kept < rate * kKeptUp) {
      best = {.trial = trial, .sender_was_the_limit = true};
      best.trial.offered = trial.kept;
      break;
    } else {
      best.trial = trial;
    }
    if (best.trial.offered == 0) {
      rate /= 2;
      if (rate < 100) break;
    } else {
      rate = bad == kRateMax ? rate * 2 : (best.trial.offered + bad) / 2;
    }
  }
  if (best.trial.offered == 0)
    return Fail(ErrorCode::kUnavailable, "segments are lost, or pile up, at every rate");
  return best;
}

Result<void> Udp(const BenchOptions& options) {
  Datagrams datagrams(options.load);
  FLUORO_TRY(const auto server, ServerProcess::Start(options.cores));
  FLUORO_TRY(const net::Fd socket, Connect(server->ports().udp, SOCK_DGRAM));
  FLUORO_TRY(Best best, FindHighest(*server, socket.get(), datagrams, options.json));
  if (!options.json)
    Print(fmt::format("{:<14}{:>12}{:>14}{:>10}{:>10}{:>10}{:>9}{:>14}{:>12}\n", "load",
                      "offered/s", "queryable/s", "sent", "stored", "dropped", "refused", "CPU-s/M",
                      "wire B each"));
  // A long run at 90 % is the proof; where it loses some, the short runs had found too high a rate.
  for (int attempt = 0;; ++attempt) {
    const double rate = best.trial.offered * kQuietLoad;
    const std::uint64_t count = std::min(
        datagrams.size(), std::max(kTrialMin, static_cast<std::uint64_t>(rate * kProofSeconds)));
    FLUORO_TRY(const Trial quiet, Offer(*server, socket.get(), datagrams, count, rate));
    if (!quiet.holds() && attempt < 8) {
      best.trial.offered *= 0.93;
      best.trial.queryable = std::min(best.trial.queryable, best.trial.offered);
      continue;
    }
    FLUORO_CHECK_OK(FindSegments(*server, datagrams, count));
    PrintTrial(best.sender_was_the_limit ? "sender's limit" : "highest", best.trial,
               datagrams.BytesEach(), options.json);
    PrintTrial("at 90 %", quiet, datagrams.BytesEach(), options.json);
    if (quiet.lost() > 0)
      return Fail(ErrorCode::kUnavailable, fmt::format("{} were lost at 90 %", quiet.lost()));
    return {};
  }
}

}  // namespace

int BenchUdp(const BenchOptions& options) {
  const auto done = Udp(options);
  return done ? kDone : Report(done.error());
}

}  // namespace fluoro::cli::bench
