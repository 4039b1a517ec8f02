// One connection: idle -> header -> (100 Continue) -> body -> handler -> answer -> idle or closed.
#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <chrono>
#include <ctime>
#include <optional>

#include <fmt/format.h>

#include "net/body_sink.h"
#include "net/http_core.h"

namespace fluoro::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using beast::error_code;
using Parser = http::request_parser<SinkBody>;

constexpr std::size_t kReadBytes = 64 << 10;
constexpr std::size_t kFirstReadBytes = 4 << 10;
constexpr std::int64_t kSlowestBytesPerSecond = 64 << 10;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

bool IsHttpError(const error_code& error) {
  return error.category() == http::make_error_code(http::error::bad_method).category();
}

std::string_view View(beast::string_view text) { return {text.data(), text.size()}; }

/// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string HttpDate() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  static constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed",
                                                       "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT",
                     kDays.at(static_cast<std::size_t>(parts.tm_wday)), parts.tm_mday,
                     kMonths.at(static_cast<std::size_t>(parts.tm_mon)), parts.tm_year + 1900,
                     parts.tm_hour, parts.tm_min, parts.tm_sec);
}

/// Header text without anything that could start a line of its own.
void AppendHeader(std::string& out, std::string_view name, std::string_view value) {
  const auto append_clean = [&out](std::string_view text) {
    for (const char c : text) out.push_back(c == '\r' || c == '\n' || c == '\0' ? ' ' : c);
  };
  append_clean(name);
  out += ": ";
  append_clean(value);
  out += "\r\n";
}

bool MayHaveBody(int status) { return status >= 200 && status != 204 && status != 304; }

/// Method, path, query and headers of whatever was parsed so far.
HttpRequest HeadOf(const Parser& parser, const std::string& peer) {
  HttpRequest request;
  const auto& message = parser.get();
  request.peer = peer;
  request.method = View(message.method_string());
  std::string_view target = View(message.target());
  if (!target.starts_with('/')) {
    // Absolute form, as proxies send it: the path starts after the authority.
    if (const std::size_t scheme = target.find("://"); scheme != std::string_view::npos) {
      const std::size_t path = target.find('/', scheme + 3);
      target = path == std::string_view::npos ? std::string_view("/") : target.substr(path);
    }
  }
  const std::size_t question = target.find('?');
  request.path = target.substr(0, question);
  if (question != std::string_view::npos) request.query = target.substr(question + 1);
  for (const auto& field : message) {
    auto [at, fresh] =
        request.headers.try_emplace(LowerCase(View(field.name_string())), View(field.value()));
    if (!fresh) {
      auto repeated = std::ranges::find(request.repeated_headers, at->first,
                                        [](const auto& one) { return one.first; });
      if (repeated == request.repeated_headers.end()) {
        request.repeated_headers.emplace_back(at->first, std::vector<std::string>{at->second});
        repeated = request.repeated_headers.end() - 1;
      }
      repeated->second.emplace_back(View(field.value()));
      at->second += ", ";
      at->second += View(field.value());
    }
  }
  return request;
}

template <class Stream>
class StreamSession final : public Session {
 public:
  static constexpr bool kTls = !std::is_same_v<Stream, beast::tcp_stream>;

  template <class... Args>
  StreamSession(HttpCore& core, HttpLane& lane, std::string peer, Args&&... stream)
      : core_(core),
        lane_(lane),
        peer_(std::move(peer)),
        stream_(std::forward<Args>(stream)...),
        linger_timer_(lane.io),
        buffer_(core.options.header_bytes_max + kReadBytes) {
    {
      MutexLock lock(core_.mutex);
      ++core_.connections;
    }
    ProcessConnections().fetch_add(1, std::memory_order_relaxed);
    core_.metrics.connections.Add(1);
  }
  ~StreamSession() override {
    if (!closed_) Uncount();
  }
  StreamSession(const StreamSession&) = delete;
  StreamSession& operator=(const StreamSession&) = delete;

  void Start() override {
    lane_.sessions.insert(shared_from_this());
    if (core_.stopping.load(std::memory_order_acquire)) return Close();
    if constexpr (kTls) {
      Expire(core_.options.header_deadline_ns);
      stream_.async_handshake(asio::ssl::stream_base::server,
                              [self = Self()](const error_code& error) {
                                if (error) return self->CloseFor(error);
                                self->ReadFirst(self->core_.options.header_deadline_ns);
                              });
    } else {
      ReadFirst(core_.options.header_deadline_ns);
    }
  }

  void Answer(HttpResponse response) override {
    asio::post(lane_.io, [self = Self(), response = std::move(response)]() mutable {
      self->OnAnswer(std::move(response));
    });
  }

  void AnswerError(int status, Refusal why, std::string message) override {
    asio::post(lane_.io, [self = Self(), status, why, message = std::move(message)] {
      if (self->closed_) return self->LeaveFlight();
      self->core_.metrics.Refused(why);
      self->LeaveFlight();
      self->Send(self->core_.ErrorAnswer(self->head_, status, message), self->keep_alive_);
    });
  }

  void Stop() override {
    if (state_ == State::kIdle || state_ == State::kHeader || state_ == State::kStreaming ||
        state_ == State::kLinger) {
      Close();
    }
  }

  void Close() override {
    if (closed_) return;
    closed_ = true;
    if (channel_ != nullptr) channel_->MarkGone();
    channel_ = nullptr;
    linger_timer_.cancel();
    error_code ignored;
    Socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
    Socket().close(ignored);
    lane_.sessions.erase(shared_from_this());
    Uncount();
  }

 private:
  void Uncount() {
    core_.metrics.connections.Add(-1);
    ProcessConnections().fetch_sub(1, std::memory_order_relaxed);
    MutexLock lock(core_.mutex);
    --core_.connections;
    // Under the lock: the server may be gone as soon as the waiting side sees zero.
    core_.all_closed.notify_all();
  }

  enum class State : std::uint8_t { kIdle, kHeader, kBody, kHandler, kAnswer, kStreaming, kLinger };

  std::shared_ptr<StreamSession> Self() {
    return std::static_pointer_cast<StreamSession>(shared_from_this());
  }
  beast::tcp_stream& Tcp() { return beast::get_lowest_layer(stream_); }
  asio::ip::tcp::socket& Socket() { return Tcp().socket(); }
  void Expire(std::int64_t ns) { Tcp().expires_after(std::chrono::nanoseconds(ns)); }

  void CloseFor(const error_code& error) {
    if (error == beast::error::timeout) {
      if (state_ != State::kIdle) core_.metrics.Refused(Refusal::kDeadline);
    } else if (state_ == State::kHeader || state_ == State::kBody) {
      if (error != http::error::end_of_stream) core_.metrics.Refused(Refusal::kCut);
    }
    Close();
  }

  void ReadFirst(std::int64_t deadline_ns) {
    if (closed_) return;
    state_ = State::kIdle;
    parser_.reset();
    head_ = {};
    if (core_.stopping.load(std::memory_order_acquire)) return Close();
    if (buffer_.size() > 0) return ReadHeader();
    buffer_.shrink_to_fit();
    Expire(deadline_ns);
    stream_.async_read_some(buffer_.prepare(kFirstReadBytes),
                            [self = Self()](const error_code& error, std::size_t bytes) {
                              if (error) return self->CloseFor(error);
                              self->buffer_.commit(bytes);
                              self->ReadHeader();
                            });
  }

  void ReadHeader() {
    if (closed_) return;
    state_ = State::kHeader;
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(core_.options.header_bytes_max));
    parser_->body_limit(core_.options.body_bytes_max);
    parser_->get().body().charge = ByteCharge(core_.budget);
    parser_->get().body().bytes_max = core_.options.body_bytes_max;
    Expire(core_.options.header_deadline_ns);
    http::async_read_header(
        stream_, buffer_, *parser_,
        [self = Self()](const error_code& error, std::size_t) { self->OnHeader(error); });
  }

  void OnHeader(const error_code& error) {
    if (closed_) return;
    if (error == http::error::end_of_stream || error == http::error::partial_message ||
        (error && !IsHttpError(error))) {
      return CloseFor(error);
    }
    head_ = HeadOf(*parser_, peer_);
    if (error == http::error::body_limit) return RefuseTooLarge();
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      return Refuse(431, Refusal::kHeaderTooLarge, "request header is too large");
    }
    if (error) return Refuse(400, Refusal::kBadRequest, "bad request: " + error.message());

    const auto& message = parser_->get();
    const std::string_view transfer = head_.Header("transfer-encoding");
    // Anything but plain "chunked" is where two readers could disagree about the body's end.
    if (message.count(http::field::transfer_encoding) > 0 &&
        (LowerCase(transfer) != "chunked" || message.version() < 11)) {
      return Refuse(400, Refusal::kBadRequest, "bad request: unsupported Transfer-Encoding");
    }
    if (message.count(http::field::host) > 1) {
      return Refuse(400, Refusal::kBadRequest, "bad request: more than one Host");
    }
    if (message.version() != 10 && message.version() != 11) {
      return Refuse(400, Refusal::kBadRequest, "bad request: HTTP/1.0 or HTTP/1.1 wanted");
    }
    const auto coding = ParseCoding(head_.Header("content-encoding"));
    if (!coding) return Refuse(415, Refusal::kEncoding, coding.error().message);
    coding_ = *coding;
    keep_alive_ = parser_->keep_alive();

    const std::string_view expect = head_.Header("expect");
    if (!expect.empty() && LowerCase(expect) != "100-continue") {
      return Refuse(417, Refusal::kBadRequest, "only Expect: 100-continue is understood");
    }
    if (parser_->is_done()) return Dispatch();
    state_ = State::kBody;
    if (expect.empty() || message.version() < 11 || buffer_.size() > 0) return ReadBody();
    Expire(core_.options.body_deadline_ns);
    asio::async_write(stream_, asio::buffer(kContinue),
                      [self = Self()](const error_code& failure, std::size_t) {
                        if (self->closed_) return;
                        if (failure) return self->CloseFor(failure);
                        self->ReadBody();
                      });
  }

  void ReadBody() {
    if (const auto bytes = parser_->content_length()) {
      Expire(core_.options.body_deadline_ns);
      return ReadKnownBody(static_cast<std::size_t>(*bytes));
    }
    // Beast reads as much at once as the buffer has room for without growing.
    buffer_.reserve(kReadBytes);
    Expire(core_.options.body_deadline_ns);
    http::async_read(
        stream_, buffer_, *parser_,
        [self = Self()](const error_code& error, std::size_t) { self->OnBody(error); });
  }

  /// Of a known length, which Beast has held against the limit: straight to where it is kept.
  void ReadKnownBody(std::size_t bytes) {
    BodySink& sink = parser_->get().body();
    while (sink.filled < bytes) {
      const std::span<char> room = sink.Room(bytes);
      if (room.empty()) return RefuseBytesFull();
      if (buffer_.size() == 0) {
        stream_.async_read_some(asio::buffer(room.data(), room.size()),
                                [self = Self(), bytes](const error_code& error, std::size_t got) {
                                  if (self->closed_) return;
                                  if (error) return self->CloseFor(error);
                                  self->parser_->get().body().filled += got;
                                  self->ReadKnownBody(bytes);
                                });
        return;
      }
      const std::size_t taken =
          asio::buffer_copy(asio::buffer(room.data(), room.size()), buffer_.data());
      buffer_.consume(taken);
      sink.filled += taken;
    }
    Dispatch();
  }

  void RefuseBytesFull() {
    Refuse(503, Refusal::kBytesFull, "too many request bytes in flight; try again");
  }

  void OnBody(const error_code& error) {
    if (closed_) return;
    if (error) {
      if (parser_->get().body().budget_full) return RefuseBytesFull();
      if (error == http::error::body_limit) return RefuseTooLarge();
      if (error == http::error::buffer_overflow) {
        return Refuse(400, Refusal::kBadRequest, "bad request: chunk header is too large");
      }
      if (!IsHttpError(error) || error == http::error::partial_message ||
          error == http::error::end_of_stream) {
        return CloseFor(error);
      }
      return Refuse(400, Refusal::kBadRequest, "bad request: " + error.message());
    }
    Dispatch();
  }

  void Dispatch() {
    BodySink& sink = parser_->get().body();
    core_.metrics.received_bytes.Add(static_cast<double>(sink.data.size()));
    state_ = State::kHandler;
    Tcp().expires_never();
    HttpJob job{.session = shared_from_this(),
                .request = head_,
                .coding = coding_,
                .charge = std::move(sink.charge)};
    job.request.body = std::move(sink.data);
    core_.metrics.in_flight.Add(1);
    if (!core_.enqueue(std::move(job))) {
      core_.metrics.Refused(Refusal::kQueueFull);
      LeaveFlight();
      Send(core_.ErrorAnswer(head_, 503, "too many requests are waiting; try again"), keep_alive_);
    }
  }

  void LeaveFlight() { core_.metrics.in_flight.Add(-1); }

  void OnAnswer(HttpResponse response) {
    LeaveFlight();
    if (closed_) return;
    if (response.stream && head_.method != "HEAD") return StartStream(std::move(response));
    Send(std::move(response), keep_alive_);
  }

  void RefuseTooLarge() {
    Refuse(413, Refusal::kBodyTooLarge,
           fmt::format("request body is larger than {} bytes", core_.options.body_bytes_max));
  }

  /// Answers without having read the whole request, and closes.
  void Refuse(int status, Refusal why, std::string_view message) {
    core_.metrics.Refused(why);
    parser_->get().body().charge.Clear();
    linger_ = true;
    Send(core_.ErrorAnswer(head_, status, message), false);
  }

  std::string Head(const HttpResponse& response, bool keep_alive) const {
    std::string out =
        fmt::format("HTTP/1.1 {} {}\r\n", response.status, StatusReason(response.status));
    for (const auto& [name, value] : response.headers) {
      const std::string lower = LowerCase(name);
      if (lower == "content-length" || lower == "transfer-encoding" || lower == "connection") {
        continue;
      }
      AppendHeader(out, name, value);
    }
    AppendHeader(out, "date", HttpDate());
    if (!keep_alive) {
      AppendHeader(out, "connection", "close");
    } else if (parser_ && parser_->get().version() == 10) {
      AppendHeader(out, "connection", "keep-alive");
    }
    return out;
  }

  void Send(HttpResponse response, bool keep_alive) {
    if (closed_) return;
    state_ = State::kAnswer;
    keep_alive_ = keep_alive && !core_.stopping.load(std::memory_order_acquire);
    core_.metrics.Answered(response.status);
    out_ = Head(response, keep_alive_);
    if (MayHaveBody(response.status)) {
      AppendHeader(out_, "content-length", std::to_string(response.body.size()));
    } else {
      response.body.clear();
    }
    out_ += "\r\n";
    if (head_.method == "HEAD") response.body.clear();
    body_out_ = std::move(response.body);
    core_.metrics.sent_bytes.Add(static_cast<double>(out_.size() + body_out_.size()));
    ExpireForBytes(out_.size() + body_out_.size());
    const std::array<asio::const_buffer, 2> pieces = {asio::buffer(out_), asio::buffer(body_out_)};
    asio::async_write(stream_, pieces, [self = Self()](const error_code& error, std::size_t) {
      self->OnSent(error);
    });
  }

  void ExpireForBytes(std::size_t bytes) {
    Expire(core_.options.body_deadline_ns +
           static_cast<std::int64_t>(bytes) * 1'000'000'000 / kSlowestBytesPerSecond);
  }

  void OnSent(const error_code& error) {
    if (closed_) return;
    out_ = {};
    body_out_ = {};
    if (error) return CloseFor(error);
    if (keep_alive_) return ReadFirst(core_.options.idle_deadline_ns);
    Finish();
  }

  /// Ends a connection whose answer is sent. Closing with unread input would make the kernel reset
  /// the connection, and the client could lose the answer; so what it still sends is read away,
  /// within bounds.
  void Finish() {
    state_ = State::kLinger;
    if (core_.stopping.load(std::memory_order_acquire) && !linger_) return Close();
    Expire(std::min(core_.options.header_deadline_ns, core_.options.body_deadline_ns));
    linger_bytes_left_ = 2 * core_.options.body_bytes_max + kReadBytes;
    if constexpr (kTls) {
      if (!linger_) {
        return stream_.async_shutdown([self = Self()](const error_code&) { self->Close(); });
      }
    } else {
      error_code ignored;
      Socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    }
    buffer_.clear();
    Discard();
  }

  void Discard() {
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(kReadBytes),
                            [self = Self()](const error_code& error, std::size_t bytes) {
                              if (error || bytes >= self->linger_bytes_left_) return self->Close();
                              self->linger_bytes_left_ -= bytes;
                              self->Discard();
                            });
  }

  void StartStream(HttpResponse response) {
    const bool chunked = parser_->get().version() >= 11;
    auto self = Self();
    channel_ = std::make_shared<StreamChannel>(
        chunked, [self] { asio::post(self->lane_.io, [self] { self->Flush(); }); });
    state_ = State::kStreaming;
    // From now on the stream may write; it is sent once the header is out.
    if (!core_.start_stream(std::move(response.stream), channel_)) {
      channel_ = nullptr;
      core_.metrics.Refused(Refusal::kStreamsFull);
      return Send(core_.ErrorAnswer(head_, 503, "too many streamed answers; try again"),
                  keep_alive_);
    }
    core_.metrics.Answered(response.status);
    out_ = Head(response, false);
    if (chunked) AppendHeader(out_, "transfer-encoding", "chunked");
    out_ += "\r\n";
    header_out_ = true;
    // Pending without a deadline all along: it ends when the client leaves.
    Tcp().expires_never();
    Watch();
    Write();
  }

  void Watch() {
    stream_.async_read_some(buffer_.prepare(1024),
                            [self = Self()](const error_code& error, std::size_t bytes) {
                              if (self->closed_) return;
                              if (error) return self->Close();
                              self->buffer_.commit(bytes);
                              // A client that talks on is not read further; its leaving shows when
                              // writing fails.
                              if (self->buffer_.size() < kReadBytes) self->Watch();
                            });
  }

  void Write() {
    core_.metrics.sent_bytes.Add(static_cast<double>(out_.size()));
    ExpireForBytes(out_.size());
    asio::async_write(stream_, asio::buffer(out_),
                      [self = Self()](const error_code& error, std::size_t) {
                        if (self->closed_) return;
                        if (error) return self->CloseFor(error);
                        self->header_out_ = false;
                        self->writing_ = false;
                        self->Flush();
                      });
    writing_ = true;
  }

  void Flush() {
    if (closed_ || channel_ == nullptr || header_out_ || writing_) return;
    StreamChannel::Pending pending = channel_->TakePending();
    if (!pending.bytes.empty()) {
      out_ = std::move(pending.bytes);
      return Write();
    }
    if (!pending.finished) return;
    if (!pending.whole) return Close();
    channel_ = nullptr;
    // The watching read is still out, without a deadline: the end of the sending side makes the
    // client close, which ends it, or else the timer does.
    state_ = State::kLinger;
    error_code ignored;
    Socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    linger_timer_.expires_after(std::chrono::nanoseconds(core_.options.header_deadline_ns));
    linger_timer_.async_wait([self = Self()](const error_code& error) {
      if (!error) self->Close();
    });
  }

  HttpCore& core_;
  HttpLane& lane_;
  const std::string peer_;
  Stream stream_;
  asio::steady_timer linger_timer_;
  beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  HttpRequest head_;
  Coding coding_ = Coding::kIdentity;
  State state_ = State::kIdle;
  bool keep_alive_ = false;
  bool linger_ = false;
  bool closed_ = false;
  bool header_out_ = false;
  bool writing_ = false;
  std::size_t linger_bytes_left_ = 0;
  std::string out_;
  std::string body_out_;
  std::shared_ptr<StreamChannel> channel_;
};

}  // namespace

std::shared_ptr<Session> MakeSession(HttpCore& core, HttpLane& lane, asio::ip::tcp::socket socket,
                                     std::string peer, asio::ssl::context* tls) {
  if (tls == nullptr) {
    return std::make_shared<StreamSession<beast::tcp_stream>>(core, lane, std::move(peer),
                                                              std::move(socket));
  }
  return std::make_shared<StreamSession<asio::ssl::stream<beast::tcp_stream>>>(
      core, lane, std::move(peer), std::move(socket), *tls);
}

}  // namespace fluoro::net
