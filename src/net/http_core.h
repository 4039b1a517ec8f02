// What the sessions of one HTTP server share. Internal to net.
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/metrics.h"
#include "base/mutex.h"
#include "net/byte_budget.h"
#include "net/http.h"
#include "net/http_server.h"
#include "net/inflate.h"

namespace boost::asio::ssl {
class context;  // NOLINT(readability-identifier-naming): Asio's name
}

namespace fluoro::net {

/// Why a connection or a request never reached the handler.
enum class Refusal : std::uint8_t {
  kBadRequest,
  kHeaderTooLarge,
  kBodyTooLarge,
  kEncoding,
  kQueueFull,
  kBytesFull,
  kStreamsFull,
  kConnections,
  kDescriptors,
  kDeadline,
  kCut,
};
inline constexpr std::size_t kRefusalsCount = 11;

/// Values of one listener, made once.
struct HttpMetrics {
  HttpMetrics(Metrics& metrics, const std::string& listener);

  void Answered(int status);
  void Refused(Refusal why) { refused.at(static_cast<std::size_t>(why)).Add(); }

  std::array<Counter, 5> answers;  ///< "1xx" to "5xx"
  std::array<Counter, kRefusalsCount> refused;
  Counter received_bytes;
  Counter sent_bytes;
  Gauge in_flight;
  Gauge connections;
};

/// Connections of all servers of the process: files, logs and other sockets need descriptors too.
std::atomic<std::size_t>& ProcessConnections();

class Session;
class StreamChannel;

/// One thread with its own event loop; a session lives on one lane and is touched by no other
/// thread, so that sessions need no locks.
struct HttpLane {
  boost::asio::io_context io{1};
  std::unordered_set<std::shared_ptr<Session>> sessions;
};

/// A whole request on its way to the handler.
struct HttpJob {
  std::shared_ptr<Session> session;
  HttpRequest request;
  Coding coding = Coding::kIdentity;
  ByteCharge charge;
};

struct HttpCore {
  HttpCore(const HttpServerOptions& server_options, HttpHandler request_handler,
           HttpErrorAnswer error_handler, Metrics& metrics_registry)
      : options(server_options),
        handler(std::move(request_handler)),
        error_answer(std::move(error_handler)),
        metrics(metrics_registry, server_options.name),
        budget(server_options.queued_bytes_max) {}

  const HttpServerOptions options;
  const HttpHandler handler;
  const HttpErrorAnswer error_answer;
  HttpMetrics metrics;
  ByteBudget budget;
  /// False when the queue is full; the job is untouched then.
  std::function<bool(HttpJob&&)> enqueue;
  /// False when too many streams run.
  std::function<bool(std::function<bool(const StreamWriter&)>, std::shared_ptr<StreamChannel>)>
      start_stream;

  // Seen by sessions when they become idle; the answer to a late reader is a closed connection.
  std::atomic<bool> stopping = false;

  Mutex mutex;
  std::condition_variable_any all_closed;
  std::size_t connections FLUORO_GUARDED_BY(mutex) = 0;

  [[nodiscard]] HttpResponse ErrorAnswer(const HttpRequest& head, int status,
                                         std::string_view message) const;
};

/// Between the thread that writes a streamed body and the session that sends it. Thread-safe.
class StreamChannel {
 public:
  /// `wake` makes the session call TakePending on its own thread.
  StreamChannel(bool chunked, std::function<void()> wake)
      : chunked_(chunked), wake_(std::move(wake)) {}

  // The writing side.
  /// Blocks while much is unsent; false once the client left.
  bool Write(std::string_view piece);
  /// `whole`: the body may be ended properly; otherwise the connection is cut.
  void Finish(bool whole);

  // The session's side.
  struct Pending {
    std::string bytes;
    bool finished = false;
    bool whole = false;
  };
  /// What to send next; empty and unfinished: nothing yet, `wake` comes later.
  Pending TakePending();
  void MarkGone();

 private:
  const bool chunked_;
  const std::function<void()> wake_;
  Mutex mutex_;
  std::condition_variable_any changed_;
  std::string pending_ FLUORO_GUARDED_BY(mutex_);
  bool awake_ FLUORO_GUARDED_BY(mutex_) = false;
  bool finished_ FLUORO_GUARDED_BY(mutex_) = false;
  bool whole_ FLUORO_GUARDED_BY(mutex_) = false;
  bool gone_ FLUORO_GUARDED_BY(mutex_) = false;
};

/// One connection. All members but Answer belong to the session's lane.
class Session : public std::enable_shared_from_this<Session> {
 public:
  virtual ~Session() = default;
  virtual void Start() = 0;
  /// The handler's answer; from any thread.
  virtual void Answer(HttpResponse response) = 0;
  /// A failure found by a worker (damaged or too large after inflation); from any thread.
  virtual void AnswerError(int status, Refusal why, std::string message) = 0;
  /// Closes if no request is under way; cuts streamed answers.
  virtual void Stop() = 0;
  virtual void Close() = 0;
};

/// `tls`: null for plain TCP; must outlive the session.
std::shared_ptr<Session> MakeSession(HttpCore& core, HttpLane& lane,
                                     boost::asio::ip::tcp::socket socket, std::string peer,
                                     boost::asio::ssl::context* tls);

}  // namespace fluoro::net
