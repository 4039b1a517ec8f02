#include "net/http_client.h"

#include <openssl/ssl.h>

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <charconv>
#include <chrono>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "net/body_sink.h"

namespace fluoro::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using beast::error_code;
using Parser = http::response_parser<SinkBody>;

constexpr std::uint32_t kHeaderBytesMax = 256 << 10;
constexpr std::size_t kBufferBytesMax = 512 << 10;

struct Url {
  bool tls = false;
  std::string host;
  std::string port;
  std::string authority;
  std::string target;
};

Result<Url> ParseUrl(std::string_view text) {
  const auto bad = [&] {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is no URL: http://HOST:PORT or https://HOST:PORT wanted", text));
  };
  Url url;
  std::string_view rest = text;
  if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else if (rest.starts_with("https://")) {
    url.tls = true;
    rest.remove_prefix(8);
  } else {
    return bad();
  }
  const std::size_t path = rest.find_first_of("/?#");
  const std::string_view authority = rest.substr(0, path);
  std::string_view target = path == std::string_view::npos ? std::string_view{} : rest.substr(path);
  target = target.substr(0, target.find('#'));
  url.target = target.starts_with('/') ? std::string(target) : "/" + std::string(target);
  url.authority = authority;
  std::size_t colon = authority.rfind(':');
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return bad();
    url.host = authority.substr(1, end - 1);
    colon = end + 1 < authority.size() ? end + 1 : std::string_view::npos;
    if (colon != std::string_view::npos && authority[colon] != ':') return bad();
  } else {
    url.host = authority.substr(0, colon);
  }
  url.port = colon == std::string_view::npos ? (url.tls ? "443" : "80")
                                             : std::string(authority.substr(colon + 1));
  const bool clean = url.authority.find_first_of(" \r\n@") == std::string::npos &&
                     url.target.find_first_of(" \r\n") == std::string::npos;
  if (url.host.empty() || url.port.empty() || !clean) return bad();
  return url;
}

std::unexpected<Error> ErrorOf(const error_code& error, const Url& url, std::string_view doing) {
  if (error == beast::error::timeout) {
    return Fail(ErrorCode::kDeadlineExceeded, fmt::format("{}: no answer in time", url.authority));
  }
  if (error == http::error::body_limit) {
    return Fail(ErrorCode::kTooLarge, fmt::format("{}: the answer is too large", url.authority));
  }
  const bool is_http =
      error.category() == http::make_error_code(http::error::bad_method).category();
  const bool cut = error == http::error::partial_message || error == http::error::end_of_stream;
  if (is_http && !cut) {
    return Fail(ErrorCode::kCorruption,
                fmt::format("{}: the answer is not HTTP: {}", url.authority, error.message()));
  }
  return Fail(ErrorCode::kUnreachable,
              fmt::format("{}: {}: {}", url.authority, doing, error.message()));
}

std::string RequestHead(const HttpCall& call, const Url& url) {
  std::string out = fmt::format("{} {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", call.method,
                                url.target, url.authority);
  for (const auto& [name, value] : call.headers) {
    out += fmt::format("{}: ", name);
    for (const char c : value) out.push_back(c == '\r' || c == '\n' ? ' ' : c);
    out += "\r\n";
  }
  if (!call.body.empty() || (call.method != "GET" && call.method != "HEAD")) {
    out += fmt::format("content-length: {}\r\n", call.body.size());
  }
  return out + "\r\n";
}

/// Runs one call; each step is an asynchronous operation that the loop runs to its end, since
/// Beast's deadlines work on those only.
template <class Stream>
class Exchange {
 public:
  template <class... Args>
  Exchange(asio::io_context& io, const HttpCall& call, const Url& url, Args&&... args)
      : io_(io), call_(call), url_(url), stream_(io, std::forward<Args>(args)...) {}

  Stream& stream() { return stream_; }

  Result<void> Connect() {
    error_code error;
    tcp::resolver resolver(io_);
    const auto resolved = resolver.resolve(url_.host, url_.port, error);
    if (error) return ErrorOf(error, url_, "cannot resolve the name");
    std::vector<tcp::endpoint> endpoints;
    for (const auto& entry : resolved) {
      const tcp::endpoint& endpoint = entry.endpoint();
      if (!call_.may_connect ||
          call_.may_connect(url_.host, endpoint.address().to_string(), endpoint.port()))
        endpoints.push_back(endpoint);
    }
    if (endpoints.empty()) {
      return Fail(ErrorCode::kPermissionDenied,
                  fmt::format("{}: what the name resolves to is not allowed", url_.authority));
    }
    Lowest().expires_after(std::chrono::nanoseconds(call_.timeout_ns));
    Lowest().async_connect(endpoints,
                           [&](const error_code& e, const tcp::endpoint&) { error = e; });
    RunLoop();
    if (error) return ErrorOf(error, url_, "cannot connect");
    error_code ignored;
    Lowest().socket().set_option(tcp::no_delay(true), ignored);
    Lowest().socket().set_option(asio::socket_base::keep_alive(true), ignored);
    return {};
  }

  Result<HttpResponse> Talk(const std::function<bool(std::string_view)>& piece) {
    error_code error;
    const std::string head = RequestHead(call_, url_);
    const std::array<asio::const_buffer, 2> pieces = {asio::buffer(head), asio::buffer(call_.body)};
    error_code write_error;
    asio::async_write(stream_, pieces, [&](const error_code& e, std::size_t) { write_error = e; });
    RunLoop();
    // A server that refuses early answers and closes; its answer counts, not the failed write.
    if (write_error == beast::error::timeout) return ErrorOf(write_error, url_, "cannot send");

    beast::flat_buffer buffer(kBufferBytesMax);
    Parser parser;
    parser.header_limit(kHeaderBytesMax);
    parser.body_limit(call_.body_bytes_max);
    parser.skip(call_.method == "HEAD");
    BodySink& sink = parser.get().body();
    sink.bytes_max = call_.body_bytes_max;
    http::async_read_header(stream_, buffer, parser,
                            [&](const error_code& e, std::size_t) { error = e; });
    RunLoop();
    if (error) return ErrorOf(write_error ? write_error : error, url_, "no answer");

    HttpResponse response;
    response.status = static_cast<int>(parser.get().result_int());
    for (const auto& field : parser.get()) {
      const auto name = field.name_string();
      const auto value = field.value();
      auto [at, fresh] = response.headers.try_emplace(LowerCase({name.data(), name.size()}),
                                                      std::string(value.data(), value.size()));
      if (!fresh) at->second += ", " + std::string(value.data(), value.size());
    }
    const bool streaming = piece && response.status == 200;
    bool stopped = false;
    if (streaming) {
      Lowest().expires_never();
      parser.body_limit(boost::none);
      sink.piece = [&](std::string_view bytes) {
        stopped = stopped || !piece(bytes);
        return !stopped;
      };
    }
    while (!error && !parser.is_done()) {
      http::async_read_some(stream_, buffer, parser,
                            [&](const error_code& e, std::size_t) { error = e; });
      RunLoop();
    }
    if (error && !stopped) return ErrorOf(error, url_, "the answer broke off");
    response.body = std::move(sink.data);
    return response;
  }

  Result<void> Handshake() {
    error_code error;
    stream_.async_handshake(asio::ssl::stream_base::client,
                            [&](const error_code& e) { error = e; });
    RunLoop();
    if (error) return ErrorOf(error, url_, "TLS");
    return {};
  }

 private:
  beast::tcp_stream& Lowest() { return beast::get_lowest_layer(stream_); }
  void RunLoop() {
    io_.restart();
    io_.run();
  }

  asio::io_context& io_;
  const HttpCall& call_;
  const Url& url_;
  Stream stream_;
};

Result<HttpResponse> CallTls(asio::io_context& io, const HttpCall& call, const Url& url,
                             const std::function<bool(std::string_view)>& piece) {
  error_code error;
  asio::ssl::context context(asio::ssl::context::tls_client);
  if (call.ca_path.empty()) {
    context.set_default_verify_paths(error);
  } else {
    context.load_verify_file(call.ca_path, error);
  }
  if (error) {
    return Fail(ErrorCode::kIo,
                fmt::format("cannot read trusted roots {}: {}", call.ca_path, error.message()));
  }
  Exchange<asio::ssl::stream<beast::tcp_stream>> exchange(io, call, url, context);
  exchange.stream().set_verify_mode(asio::ssl::verify_peer, error);
  if (!error) {
    exchange.stream().set_verify_callback(asio::ssl::host_name_verification(url.host), error);
  }
  if (error) return Fail(ErrorCode::kInternal, "cannot check certificates: " + error.message());
  SSL_set_tlsext_host_name(exchange.stream().native_handle(), url.host.c_str());
  FLUORO_CHECK_OK(exchange.Connect());
  FLUORO_CHECK_OK(exchange.Handshake());
  return exchange.Talk(piece);
}

Result<HttpResponse> Run(const HttpCall& call, const std::function<bool(std::string_view)>& piece) {
  FLUORO_TRY(const Url url, ParseUrl(call.url));
  asio::io_context io(1);
  if (url.tls) return CallTls(io, call, url, piece);
  Exchange<beast::tcp_stream> exchange(io, call, url);
  FLUORO_CHECK_OK(exchange.Connect());
  return exchange.Talk(piece);
}

}  // namespace

Result<UrlTarget> TargetOf(std::string_view url) {
  FLUORO_TRY(const Url parsed, ParseUrl(url));
  UrlTarget target{.host = parsed.host};
  const char* const end = parsed.port.data() + parsed.port.size();
  const auto [stop, error] = std::from_chars(parsed.port.data(), end, target.port);
  if (error != std::errc() || stop != end || target.port == 0) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is no URL: the port is no number", url));
  }
  return target;
}

Result<HttpResponse> Call(const HttpCall& call) { return Run(call, {}); }

Result<HttpResponse> CallStreaming(const HttpCall& call,
                                   const std::function<bool(std::string_view piece)>& piece) {
  return Run(call, piece);
}

}  // namespace fluoro::net
