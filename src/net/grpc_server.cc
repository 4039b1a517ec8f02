#include "net/grpc_server.h"

#include <grpc/support/log.h>
#include <grpcpp/alarm.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/support/byte_buffer.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <iterator>
#include <limits>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include "base/bounded_queue.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/thread_name.h"
#include "net/byte_budget.h"
#include "net/http.h"
#include "net/inflate.h"
#include "net/socket.h"

// Exported by libgrpc, declared in none of the headers that Debian installs. Nothing public tells
// whether a message came with the compressed flag. Goes when gRPC offers another way.
std::uint32_t grpc_call_test_only_get_message_flags(grpc_call* call);
grpc_compression_algorithm grpc_call_test_only_get_compression_algorithm(grpc_call* call);

namespace fluoro::net {
namespace {

/// "127.0.0.1:51234" of "ipv4:127.0.0.1:51234"; brackets of IPv6 come percent-encoded.
std::string PeerOf(std::string_view peer) {
  for (const std::string_view scheme : {"ipv4:", "ipv6:"}) {
    if (peer.starts_with(scheme)) peer.remove_prefix(scheme.size());
  }
  return PercentDecode(peer, false);
}

/// Value of a header; where it is repeated there is none that could be trusted.
std::string MetadataOf(const grpc::GenericCallbackServerContext& context, const char* name) {
  const auto [begin, end] = context.client_metadata().equal_range(name);
  if (begin == end || std::next(begin) != end) return {};
  return {begin->second.data(), begin->second.size()};
}

Result<std::string> ReadPem(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file || text.empty()) return Fail(ErrorCode::kIo, "cannot read " + path);
  return text;
}

/// How a message is compressed; nothing if that is by none of the codings that we take.
/// gRPC's own decompression knows no bound on the result, so it is switched off and messages come
/// as sent. A grpc-encoding that gRPC does not know is dropped by it, zstd and foreign ones alike:
/// then the first bytes decide, as they do for clients that forget the flag. Neither magic can
/// begin an OTLP request: 0x1f is a tag of an invalid wire type, and 0x28 is a varint field 5 that
/// no exporter sends and whose value would not end in 0xfd.
std::optional<Coding> CodingOf(std::string_view message, bool compressed,
                               grpc_compression_algorithm algorithm) {
  if (compressed && algorithm == GRPC_COMPRESS_GZIP) return Coding::kGzip;
  if (compressed && algorithm == GRPC_COMPRESS_DEFLATE) return Coding::kDeflate;
  if (message.starts_with("\x1f\x8b")) return Coding::kGzip;
  if (message.starts_with("\x28\xb5\x2f\xfd")) return Coding::kZstd;
  if (compressed) return std::nullopt;
  return Coding::kIdentity;
}

/// gRPC writes its own lines to standard error, some of them whenever a client errs.
void RouteGrpcLog() {
  gpr_set_log_function(
      [](gpr_log_func_args* args) { log::Debug("grpc", {{"text", std::string(args->message)}}); });
}

constexpr int kAnswerBytesMax = 4 << 20;
constexpr int kHandshakeMs = 10'000;

}  // namespace

struct GrpcServer::Impl {
  Impl(const GrpcServerOptions& server_options, GrpcHandler call_handler, Metrics& metrics);

  static Counter Refused(Metrics& metrics, const char* reason) {
    return metrics.GetCounter("fluoro_grpc_refused_total", "Calls that never reached a handler",
                              {{"reason", reason}});
  }

  class Service;
  class Call;

  Result<void> Start();
  void Stop(std::int64_t deadline_ns);
  void Run(Call& call);
  GrpcAnswer Handle(Call& call, ByteCharge& charge);
  [[nodiscard]] GrpcAnswer Overloaded(std::string_view message) const;

  const GrpcServerOptions options;
  const GrpcHandler handler;
  ByteBudget budget;
  BoundedQueue<Call*> queue;
  Counter answered;
  Counter failed;
  Counter refused_calls;
  Counter refused_bytes;
  Counter refused_size;
  Counter refused_coding;
  Counter received_bytes;
  Gauge in_flight;
  std::string address;
  std::atomic<bool> stopping = false;
  std::unique_ptr<Service> service;
  std::unique_ptr<grpc::Server> server;
  std::vector<std::jthread> workers;
};

/// One call. gRPC keeps it alive until OnDone, which comes after Finish only.
class GrpcServer::Impl::Call final : public grpc::ServerGenericBidiReactor {
 public:
  Call(Impl& impl, grpc::GenericCallbackServerContext& context)
      : method(context.method()),
        peer(PeerOf(context.peer())),
        authorization(MetadataOf(context, "authorization")),
        impl_(impl),
        call_(context.c_call()) {
    if (impl_.stopping.load(std::memory_order_acquire)) {
      End(impl_.Overloaded("the server stops"));
      return;
    }
    impl_.in_flight.Add(1);
    in_flight_ = true;
    // A call that sends no message must not stay for ever.
    watch_->context = &context;
    alarm_.Set(std::chrono::system_clock::now() +
                   std::chrono::nanoseconds(impl_.options.message_deadline_ns),
               [watch = watch_](bool expired) {
                 MutexLock lock(watch->mutex);
                 if (expired && watch->context != nullptr) watch->context->TryCancel();
               });
    StartRead(&message);
  }

  void OnReadDone(bool ok) override {
    {
      MutexLock lock(watch_->mutex);
      watch_->context = nullptr;
    }
    alarm_.Cancel();
    if (!ok) {
      // Too large (gRPC has ended the call with RESOURCE_EXHAUSTED), none sent, or the client left.
      return End(
          {.code = grpc::StatusCode::INVALID_ARGUMENT, .message = "one request message wanted"});
    }
    constexpr std::uint32_t kCompressed = 1U << 31;  // GRPC_WRITE_INTERNAL_COMPRESS
    compressed = (grpc_call_test_only_get_message_flags(call_) & kCompressed) != 0;
    algorithm = grpc_call_test_only_get_compression_algorithm(call_);
    if (!impl_.queue.TryPush(this)) {
      impl_.refused_calls.Add();
      End(impl_.Overloaded("too many calls at once; try again"));
    }
  }

  // Partner: the load in Run.
  void OnCancel() override { cancelled.store(true, std::memory_order_relaxed); }

  void OnSendInitialMetadataDone(bool /*ok*/) override { Finish(status_); }

  void OnDone() override {
    if (in_flight_) impl_.in_flight.Add(-1);
    delete this;  // NOLINT(cppcoreguidelines-owning-memory): the end of a reactor's life
  }

  void End(const GrpcAnswer& answer) {
    if (answer.code != 0) {
      impl_.failed.Add();
      status_ = grpc::Status(static_cast<grpc::StatusCode>(answer.code), answer.message,
                             answer.status_details);
      // Headers and status that are sent at once become trailers only, which lack
      // grpc-accept-encoding.
      if (answer.code == grpc::StatusCode::UNIMPLEMENTED) return StartSendInitialMetadata();
      return Finish(status_);
    }
    impl_.answered.Add();
    const grpc::Slice slice(answer.body);
    answer_ = grpc::ByteBuffer(&slice, 1);
    StartWriteAndFinish(&answer_, grpc::WriteOptions(), grpc::Status::OK);
  }

  const std::string method;
  const std::string peer;
  const std::string authorization;
  grpc::ByteBuffer message;
  bool compressed = false;                                    ///< the flag of the message
  grpc_compression_algorithm algorithm = GRPC_COMPRESS_NONE;  ///< grpc-encoding, as far as known
  std::atomic<bool> cancelled = false;

 private:
  struct Watch {
    Mutex mutex;
    grpc::GenericCallbackServerContext* context FLUORO_GUARDED_BY(mutex) = nullptr;
  };

  Impl& impl_;
  grpc_call* const call_;
  bool in_flight_ = false;
  grpc::ByteBuffer answer_;
  grpc::Status status_;
  std::shared_ptr<Watch> watch_ = std::make_shared<Watch>();
  grpc::Alarm alarm_;
};

class GrpcServer::Impl::Service final : public grpc::CallbackGenericService {
 public:
  explicit Service(Impl& impl) : impl_(impl) {}
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    return new Call(impl_, *context);  // NOLINT(cppcoreguidelines-owning-memory): see OnDone
  }

 private:
  Impl& impl_;
};

// Here, because the members need the whole Service.
GrpcServer::Impl::Impl(const GrpcServerOptions& server_options, GrpcHandler call_handler,
                       Metrics& metrics)
    : options(server_options),
      handler(std::move(call_handler)),
      budget(server_options.queued_bytes_max),
      queue(std::max<std::size_t>(1, server_options.calls_max)),
      answered(
          metrics.GetCounter("fluoro_grpc_requests_total", "Calls answered", {{"status", "ok"}})),
      failed(metrics.GetCounter("fluoro_grpc_requests_total", "Calls answered",
                                {{"status", "error"}})),
      refused_calls(Refused(metrics, "calls")),
      refused_bytes(Refused(metrics, "bytes_full")),
      refused_size(Refused(metrics, "body_too_large")),
      refused_coding(Refused(metrics, "encoding")),
      received_bytes(metrics.GetCounter("fluoro_grpc_received_bytes_total",
                                        "Message bytes received, before inflation")),
      in_flight(metrics.GetGauge("fluoro_grpc_requests_in_flight", "Calls under way")) {}

Result<void> GrpcServer::Impl::Start() {
  // gRPC reports no reason when it cannot listen, so the address is tried first.
  std::string host;
  {
    FLUORO_TRY(const BoundSocket probe, Bind(options.address, SOCK_STREAM));
    host = probe.address.substr(0, probe.address.rfind(':'));
  }
  FLUORO_TRY(const HostPort wanted, ParseHostPort(options.address));

  std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials();
  if (!options.tls.empty()) {
    FLUORO_TRY(std::string certificate, ReadPem(options.tls.certificate_path));
    FLUORO_TRY(std::string key, ReadPem(options.tls.key_path));
    grpc::SslServerCredentialsOptions tls;
    tls.pem_key_cert_pairs.push_back({std::move(key), std::move(certificate)});
    credentials = grpc::SslServerCredentials(tls);
  }

  service = std::make_unique<Service>(*this);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(host + ":" + wanted.port, credentials, &port);
  builder.RegisterCallbackGenericService(service.get());
  builder.SetMaxReceiveMessageSize(static_cast<int>(
      std::min<std::size_t>(options.message_bytes_max, std::numeric_limits<int>::max())));
  builder.SetMaxSendMessageSize(kAnswerBytesMax);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, static_cast<int>(options.calls_max));
  grpc::ResourceQuota quota("fluoro");
  quota.Resize(options.queued_bytes_max + options.message_bytes_max);
  builder.SetResourceQuota(quota);
  server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    return Fail(ErrorCode::kIo, "cannot listen on " + options.address + ": gRPC refuses");
  }
  address = host + ":" + std::to_string(port);
  for (std::size_t i = 0; i < std::max<std::size_t>(1, options.worker_threads); ++i) {
    workers.emplace_back([this](const std::stop_token& stop) {
      NameThread("grpc-worker");
      while (const auto call = queue.Pop(stop)) Run(**call);
    });
  }
  return {};
}

void GrpcServer::Impl::Run(Call& call) {
  if (call.cancelled.load(std::memory_order_relaxed)) {
    return call.End({.code = grpc::StatusCode::CANCELLED, .message = "cancelled by the client"});
  }
  GrpcAnswer answer;
  {
    // Given back before the client hears: who was just answered must not find its own bytes in the
    // way.
    ByteCharge charge(budget);
    answer = Handle(call, charge);
  }
  call.End(answer);
}

GrpcAnswer GrpcServer::Impl::Handle(Call& call, ByteCharge& charge) {
  received_bytes.Add(static_cast<double>(call.message.Length()));
  if (!charge.Grow(call.message.Length())) {
    refused_bytes.Add();
    return Overloaded("too many request bytes in flight; try again");
  }
  grpc::Slice slice;
  if (!call.message.TrySingleSlice(&slice).ok() && !call.message.DumpToSingleSlice(&slice).ok()) {
    return {.code = grpc::StatusCode::INVALID_ARGUMENT, .message = "unreadable request message"};
  }
  const std::string_view raw(reinterpret_cast<const char*>(slice.begin()), slice.size());  // NOLINT
  const std::optional<Coding> coding = CodingOf(raw, call.compressed, call.algorithm);
  if (!coding) {
    refused_coding.Add();
    return {.code = grpc::StatusCode::UNIMPLEMENTED,
            .message = "grpc-encoding is not supported; use gzip, deflate, zstd or identity"};
  }
  if (coding == Coding::kIdentity)
    return handler({call.method, raw, call.peer, call.authorization});
  const auto body = Inflate(
      *coding, raw,
      {.bytes_max = options.message_bytes_max, .ratio_max = options.inflation_ratio_max}, charge);
  if (body) return handler({call.method, *body, call.peer, call.authorization});
  switch (body.error().code) {
    case ErrorCode::kTooLarge:
      refused_size.Add();
      return {.code = grpc::StatusCode::RESOURCE_EXHAUSTED, .message = body.error().message};
    case ErrorCode::kUnavailable:
      refused_bytes.Add();
      return Overloaded(body.error().message);
    default:
      refused_coding.Add();
      return {.code = grpc::StatusCode::INVALID_ARGUMENT,
              .message = "compressed message: " + body.error().message};
  }
}

GrpcAnswer GrpcServer::Impl::Overloaded(std::string_view message) const {
  return {.code = grpc::StatusCode::UNAVAILABLE,
          .message = std::string(message),
          .status_details = options.overload_details,
          .body = {}};
}

void GrpcServer::Impl::Stop(std::int64_t deadline_ns) {
  if (stopping.exchange(true, std::memory_order_acq_rel)) return;
  if (server != nullptr) {
    server->Shutdown(std::chrono::system_clock::now() +
                     std::chrono::nanoseconds(std::max<std::int64_t>(0, deadline_ns)));
  }
  queue.Close();
  workers.clear();
  server.reset();
}

GrpcServer::GrpcServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

GrpcServer::~GrpcServer() {
  if (impl_ != nullptr) impl_->Stop(0);
}

Result<std::unique_ptr<GrpcServer>> GrpcServer::Start(const GrpcServerOptions& options,
                                                      GrpcHandler handler, Metrics& metrics) {
  RouteGrpcLog();
  auto impl = std::make_unique<Impl>(options, std::move(handler), metrics);
  FLUORO_CHECK_OK(impl->Start());
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(impl)));
}

const std::string& GrpcServer::address() const { return impl_->address; }

void GrpcServer::Stop(std::int64_t deadline_ns) { impl_->Stop(deadline_ns); }

}  // namespace fluoro::net
