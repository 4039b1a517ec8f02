#include "net/http_server.h"

#include <fcntl.h>
#include <openssl/sha.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstring>
#include <list>
#include <thread>
#include <vector>

#include "base/bounded_queue.h"
#include "base/hex.h"
#include "base/thread_name.h"
#include "net/http_core.h"
#include "net/inflate.h"
#include "net/socket.h"
#include "net/tls.h"

namespace fluoro::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kLanesCount = 2;
constexpr std::size_t kReservedDescriptors = 48;
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

std::size_t ProcessConnectionsMax() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    return std::numeric_limits<std::size_t>::max();
  }
  const std::size_t reserved =
      std::max<std::size_t>(kReservedDescriptors, static_cast<std::size_t>(limit.rlim_cur) / 4);
  return std::max<std::size_t>(8, limit.rlim_cur > reserved ? limit.rlim_cur - reserved : 0);
}

std::string FormatPeer(const tcp::socket& socket) {
  error_code error;
  const auto endpoint = socket.remote_endpoint(error);
  if (error) return "?";
  sockaddr_storage storage{};
  std::memcpy(&storage, endpoint.data(), endpoint.size());
  return FormatAddress(storage);
}

/// AWS signatures are over the body as sent; the hash of a body that stays is left to who checks.
bool IsSigned(const HttpRequest& request) {
  return request.Header("authorization").starts_with("AWS4-") ||
         request.query.find("X-Amz-Signature") != std::string::npos;
}

std::string Sha256Hex(std::string_view bytes) {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): OpenSSL's bytes
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return ToHex(digest);
}

}  // namespace

struct HttpServer::Impl {
  Impl(const HttpServerOptions& server_options, HttpHandler request_handler,
       HttpErrorAnswer error_handler, Metrics& metrics)
      : core(server_options, std::move(request_handler), std::move(error_handler), metrics),
        queue(std::max<std::size_t>(1, server_options.queued_requests_max)),
        acceptor(lanes[0].io),
        accept_timer(lanes[0].io) {}

  Result<void> Start() {
    if (!core.options.tls.empty()) {
      FLUORO_TRY(tls, MakeServerTls(core.options.tls));
    }
    FLUORO_TRY(BoundSocket bound, Bind(core.options.address, SOCK_STREAM));
    address = bound.address;
    reserve = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    error_code error;
    acceptor.assign(bound.family == AF_INET6 ? tcp::v6() : tcp::v4(), bound.fd.get(), error);
    if (error) {
      return Fail(ErrorCode::kIo, "cannot listen on " + address + ": " + error.message());
    }
    [[maybe_unused]] const int owned_by_acceptor = bound.fd.Release();

    core.enqueue = [this](HttpJob&& job) { return queue.TryPush(std::move(job)); };
    core.start_stream = [this](std::function<bool(const StreamWriter&)> stream,
                               std::shared_ptr<StreamChannel> channel) {
      return StartStream(std::move(stream), std::move(channel));
    };
    Accept();
    for (HttpLane& lane : lanes) {
      guards.emplace_back(lane.io.get_executor());
      lane_threads.emplace_back([&lane] {
        NameThread("http-io");
        lane.io.run();
      });
    }
    for (std::size_t i = 0; i < std::max<std::size_t>(1, core.options.worker_threads); ++i) {
      workers.emplace_back([this](const std::stop_token& stop) {
        NameThread("http-worker");
        while (auto job = queue.Pop(stop)) Run(*std::move(job));
      });
    }
    return {};
  }

  // Accepting; on the first lane.

  void Accept() {
    HttpLane& lane = lanes.at(next_lane);
    next_lane = (next_lane + 1) % lanes.size();
    acceptor.async_accept(lane.io, [this, &lane](const error_code& error, tcp::socket socket) {
      if (!acceptor.is_open()) return;
      if (error == asio::error::operation_aborted) return;
      if (error) return AcceptFailed(error);
      Take(lane, std::move(socket));
      Accept();
    });
  }

  void Take(HttpLane& lane, tcp::socket socket) {
    bool full = false;
    {
      MutexLock lock(core.mutex);
      full = core.connections >= core.options.connections_max;
    }
    // Only the number matters; see ProcessConnections.
    full = full || ProcessConnections().load(std::memory_order_relaxed) >= process_connections_max;
    if (full) {
      core.metrics.Refused(Refusal::kConnections);
      error_code ignored;
      socket.close(ignored);
      return;
    }
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    std::string peer = FormatPeer(socket);
    auto session = MakeSession(core, lane, std::move(socket), std::move(peer), tls.get());
    asio::post(lane.io, [session = std::move(session)] { session->Start(); });
  }

  /// Out of descriptors: the spare one lets one waiting client in to be turned away, so that the
  /// listening socket does not stay readable and the loop does not spin.
  void AcceptFailed(const error_code& error) {
    const bool descriptors = error == asio::error::no_descriptors ||
                             error == boost::system::errc::too_many_files_open_in_system;
    if (descriptors && reserve.get() >= 0) {
      reserve.Close();
      const Fd shed(::accept4(acceptor.native_handle(), nullptr, nullptr, SOCK_CLOEXEC));
      if (shed.get() >= 0) core.metrics.Refused(Refusal::kDescriptors);
    }
    if (reserve.get() < 0) reserve = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    accept_timer.expires_after(reserve.get() >= 0 && descriptors ? std::chrono::milliseconds(1)
                                                                 : kAcceptPause);
    accept_timer.async_wait([this](const error_code& cancelled) {
      if (!cancelled && acceptor.is_open()) Accept();
    });
  }

  // Handling; on the workers.

  void Run(HttpJob job) {
    if (abandon.load(std::memory_order_acquire)) {
      core.metrics.in_flight.Add(-1);
      return;
    }
    if (job.coding != Coding::kIdentity) {
      if (IsSigned(job.request)) job.request.received_sha256 = Sha256Hex(job.request.body);
      auto inflated = Inflate(
          job.coding, job.request.body,
          {.bytes_max = core.options.body_bytes_max, .ratio_max = core.options.inflation_ratio_max},
          job.charge);
      if (!inflated) {
        job.charge.Clear();  // a client that has its answer may send the next request at once
        return Refuse(job, inflated.error());
      }
      job.request.body = *std::move(inflated);
      job.request.undone_encoding = job.request.Header("content-encoding");
      job.request.headers.erase("content-encoding");
    }
    HttpResponse response = core.handler(std::move(job.request));
    job.charge.Clear();
    job.session->Answer(std::move(response));
  }

  static void Refuse(const HttpJob& job, const Error& error) {
    switch (error.code) {
      case ErrorCode::kTooLarge:
        return job.session->AnswerError(413, Refusal::kBodyTooLarge, error.message);
      case ErrorCode::kUnavailable:
        return job.session->AnswerError(503, Refusal::kBytesFull, error.message);
      default:
        return job.session->AnswerError(400, Refusal::kEncoding,
                                        "Content-Encoding: " + error.message);
    }
  }

  // Streaming; a thread for each streamed answer.

  bool StartStream(std::function<bool(const StreamWriter&)> stream,
                   std::shared_ptr<StreamChannel> channel) {
    MutexLock lock(streams_mutex);
    std::erase_if(streams,
                  [](const Streaming& one) { return one.done->load(std::memory_order_acquire); });
    if (streams.size() >= core.options.streams_max) return false;
    auto done = std::make_shared<std::atomic<bool>>(false);
    std::thread thread([stream = std::move(stream), channel = std::move(channel), done] {
      NameThread("http-stream");
      channel->Finish(stream([&channel](std::string_view piece) { return channel->Write(piece); }));
      // Partner: the acquire in StartStream, after which the thread is joined at once.
      done->store(true, std::memory_order_release);
    });
    streams.emplace_back(std::move(thread), std::move(done));
    return true;
  }

  void Stop(std::int64_t deadline_ns) {
    const auto deadline = std::chrono::steady_clock::now() +
                          std::chrono::nanoseconds(std::max<std::int64_t>(0, deadline_ns));
    // Partner: the acquire loads of the sessions, which close instead of waiting for a request.
    if (core.stopping.exchange(true, std::memory_order_acq_rel)) return;
    asio::post(lanes[0].io, [this] {
      error_code ignored;
      acceptor.close(ignored);
      accept_timer.cancel();
    });
    ForEachSession([](Session& session) { session.Stop(); });
    {
      MutexLock lock(core.mutex);
      core.all_closed.wait_until(lock, deadline, [this]() FLUORO_NO_THREAD_SAFETY_ANALYSIS {
        return core.connections == 0;
      });
    }
    // Partner: the acquire in Run; jobs not begun by now are dropped unanswered.
    abandon.store(true, std::memory_order_release);
    ForEachSession([](Session& session) { session.Close(); });
    queue.Close();
    workers.clear();
    {
      MutexLock lock(streams_mutex);
      streams.clear();
    }
    // With every socket and timer closed the loops run out of work by themselves; stopping them
    // would leave handlers behind that hold sessions.
    guards.clear();
    lane_threads.clear();
  }

  void ForEachSession(const std::function<void(Session&)>& action) {
    for (HttpLane& lane : lanes) {
      asio::post(lane.io, [&lane, action] {
        const auto sessions = lane.sessions;
        for (const auto& session : sessions) action(*session);
      });
    }
  }

  struct Streaming {
    Streaming(std::thread stream_thread, std::shared_ptr<std::atomic<bool>> is_done)
        : thread(std::move(stream_thread)), done(std::move(is_done)) {}
    Streaming(Streaming&&) = default;
    Streaming& operator=(Streaming&&) = default;
    ~Streaming() {
      if (thread.joinable()) thread.join();
    }
    std::thread thread;
    std::shared_ptr<std::atomic<bool>> done;
  };

  std::array<HttpLane, kLanesCount> lanes;  // outlives whatever holds sessions
  std::unique_ptr<asio::ssl::context> tls;
  HttpCore core;
  BoundedQueue<HttpJob> queue;
  const std::size_t process_connections_max = ProcessConnectionsMax();
  std::string address;
  Fd reserve;
  tcp::acceptor acceptor;
  asio::steady_timer accept_timer;
  std::size_t next_lane = 0;
  std::atomic<bool> abandon = false;
  Mutex streams_mutex;
  std::list<Streaming> streams FLUORO_GUARDED_BY(streams_mutex);
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> guards;
  std::vector<std::jthread> lane_threads;
  std::vector<std::jthread> workers;
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() {
  if (impl_ != nullptr) impl_->Stop(0);
}

Result<std::unique_ptr<HttpServer>> HttpServer::Start(const HttpServerOptions& options,
                                                      HttpHandler handler,
                                                      HttpErrorAnswer error_answer,
                                                      Metrics& metrics) {
  auto impl = std::make_unique<Impl>(options, std::move(handler), std::move(error_answer), metrics);
  FLUORO_CHECK_OK(impl->Start());
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

const std::string& HttpServer::address() const { return impl_->address; }

void HttpServer::Stop(std::int64_t deadline_ns) { impl_->Stop(deadline_ns); }

}  // namespace fluoro::net
