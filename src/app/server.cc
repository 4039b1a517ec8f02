#include "app/server.h"

#include <fmt/format.h>

#include <atomic>

#include "api/grafana/jaeger_query.h"
#include "api/iam/iam_api.h"
#include "api/insights/insight_service.h"
#include "api/ui/ui_api.h"
#include "api/xray/xray_api.h"
#include "app/budget_alert.h"
#include "app/gate.h"
#include "app/memory_return.h"
#include "app/metering.h"
#include "app/record_follower.h"
#include "app/routes.h"
#include "auth/gatekeeper.h"
#include "auth/records.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/uuid.h"
#include "cli/at_rest_key.h"
#include "cli/redaction_file.h"
#include "cli/tail_policy_file.h"
#include "control/profile.h"
#include "control/repository.h"
#include "control/settings.h"
#include "control/tail_policies.h"
#include "cost/meter.h"
#include "ingest/otlp_grpc.h"
#include "ingest/otlp_http.h"
#include "ingest/pipeline.h"
#include "ingest/zipkin_http.h"
#include "net/grpc_server.h"
#include "net/http_server.h"
#include "net/udp_receiver.h"
#include "store/embedded/embedded_store.h"

namespace fluoro::app {
namespace {

constexpr std::int64_t kDrainDeadlineNs = 5 * kNsPerSecond;

log::Level LogLevel(std::string_view name) {
  if (name == "debug") return log::Level::kDebug;
  if (name == "warn") return log::Level::kWarn;
  if (name == "error") return log::Level::kError;
  if (name == "off") return log::Level::kOff;
  return log::Level::kInfo;
}

// The profile's records, and the file's tail policies instead of those.
Result<void> SetRecords(control::Repository& control, const cli::ServeConfig& config) {
  FLUORO_CHECK_OK(control::ApplyProfile(control, config.profile));
  if (config.tail_policy.empty()) return {};
  FLUORO_TRY(const sampling::TailPolicies policies, cli::ReadTailPolicyFile(config.tail_policy));
  if (policies == control::ReadTailPolicies(*control.Read())) return {};
  const auto put = control.Write("file/" + config.tail_policy, [&](control::Transaction& change) {
    return control::PutTailPolicies(change, policies);
  });
  if (!put) return std::unexpected(put.error().With(config.tail_policy));
  return {};
}

store::EmbeddedOptions StoreOptions(const cli::ServeConfig& config) {
  store::EmbeddedOptions options;
  options.live_window_ns = config.live_window_ns;
  options.folder = config.data;
  options.sync = config.sync;
  options.retention_ns = config.retention_ns;
  options.retention_bytes = config.retention_bytes;
  options.memory_bytes = config.memory_bytes;
  return options;
}

ingest::Options IngestOptions(const cli::ServeConfig& config) {
  ingest::Options options;
  options.limits.body_bytes_max = config.max_body_bytes;
  options.limits.document_bytes_max = config.max_document_bytes;
  options.limits.batch_bytes_max = config.memory_bytes / 40 * 9;  // what the store takes at once
  options.in_flight_bytes_max = config.memory_bytes / 4;
  options.accept_age_ns = config.accept_age_ns;
  return options;
}

/// A server that nobody can talk to helps nobody.
Result<void> CheckKeys(control::Repository& control, const cli::ServeConfig& config) {
  if (config.keys && control.Read()->List(auth::kAccessKeyKind).empty()) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("--keys on, and there is no key yet. Make one first: fluoro keys create "
                    "--policy AdministratorAccess --data {}",
                    config.data));
  }
  if (config.keys && !cli::IsLoopback(config.udp)) {
    log::Warn("datagrams carry no keys: whoever reaches the port can write", {{"udp", config.udp}});
  }
  return {};
}

api::insights::WebhookOptions WebhookOptionsOf(const cli::ServeConfig& config) {
  return {.url = config.webhook, .allowed = config.webhook_allow};
}

/// Members stand in order of construction; Stop goes backwards: first who brings work, last who
/// keeps it.
class Server final : public cli::RunningServer {
 public:
  static Result<std::unique_ptr<cli::RunningServer>> Start(const cli::ServeConfig& config) {
    FLUORO_CHECK_OK(api::insights::Webhook::Check(WebhookOptionsOf(config)));
    auto server = std::make_unique<Server>();
    server->memory_.emplace(config.memory_bytes / 2);
    store::EmbeddedOptions store_options = StoreOptions(config);
    FLUORO_TRY(server->keys_, cli::LoadAtRestKeys(config.at_rest_key, config.data));
    // Without keys there may be some later.
    if (!server->keys_) server->keys_ = std::make_shared<crypto::Keyring>();
    store_options.keys = server->keys_;
    FLUORO_TRY(server->store_, store::OpenEmbeddedStore(*server->fs_, server->clock_,
                                                        server->metrics_, store_options));
    FLUORO_TRY(server->control_,
               control::Repository::Open(config.data + "/control.db", server->clock_));
    FLUORO_CHECK_OK(SetRecords(*server->control_, config));
    FLUORO_CHECK_OK(server->UseRecordedKey());
    server->pipeline_.emplace(*server->store_, server->clock_, server->metrics_,
                              IngestOptions(config));
    FLUORO_TRY(auto redaction, cli::UseRedaction(config.data, config.content, server->keys_.get(),
                                                 *server->control_));
    server->pipeline_->SetRedaction(std::move(redaction));
    server->follower_.emplace(*server->control_, *server->store_, *server->pipeline_);
    cost::MeterOptions meter_options{.folder = config.data + "/usage"};
    meter_options.place = {.account_id = config.account, .region = config.region};
    meter_options.on_alert = [running = server.get(),
                              place = meter_options.place](const cost::BudgetAlert& alert) {
      running->insights_->Tell(BudgetAlertBody(alert, NewUuid(), running->clock_.UnixNs(), place));
    };
    server->meter_.emplace(*server->store_, *server->control_, *server->fs_, server->clock_,
                           server->metrics_, std::move(meter_options));
    server->xray_.emplace(*server->store_, *server->pipeline_, *server->control_, server->clock_,
                          server->metrics_, server->XRayOptionsOf(config));
    server->ui_.emplace(*server->store_, &*server->pipeline_, *server->control_, *server->meter_,
                        server->clock_, server->metrics_);
    server->insights_.emplace(*server->store_, *server->control_, server->clock_, server->metrics_,
                              api::insights::InsightOptions{
                                  .place = {.account_id = config.account, .region = config.region},
                                  .webhook = WebhookOptionsOf(config)});
    // From here on budgets are watched, which insights' webhook tells.
    server->metering_.emplace(*server->meter_, *server->pipeline_);
    server->jaeger_.emplace(*server->store_, server->clock_);
    FLUORO_CHECK_OK(CheckKeys(*server->control_, config));
    server->gate_.emplace(
        *server->control_, server->clock_, server->metrics_,
        auth::GateOptions{
            .account = config.account, .keys = config.keys, .tls = !config.tls_cert.empty()});
    server->iam_.emplace(*server->control_, server->clock_, server->metrics_, config.account);
    if (auto listening = server->Listen(config); !listening) {
      // The destructor stops what did start.
      return std::unexpected(std::move(listening).error());
    }
    server->insights_->Start();
    server->ready_.store(true, std::memory_order_relaxed);
    log::Info("serving",
              {{"data", config.data}, {"memory", fmt::format("{}", config.memory_bytes)}});
    return server;
  }

  ~Server() override {
    if (stopped_) return;
    if (const auto stopped = Stop(); !stopped)
      log::Error("stopping", {{"error", stopped.error().message}});
  }

  [[nodiscard]] const cli::BoundPorts& ports() const override { return ports_; }

  Result<void> Stop() override {
    stopped_ = true;
    ready_.store(false, std::memory_order_relaxed);
    if (udp_) udp_->Stop();
    if (ui_) ui_->Stop();
    if (grpc_) grpc_->Stop(kDrainDeadlineNs);
    if (otlp_http_) otlp_http_->Stop(kDrainDeadlineNs);
    if (http_) http_->Stop(kDrainDeadlineNs);
    if (insights_) insights_->Stop();
    follower_.reset();
    metering_.reset();
    if (!store_) return {};
    auto closed = store_->Close();
    log::Info("stopped");
    return closed;
  }

 private:
  api::xray::Options XRayOptionsOf(const cli::ServeConfig& config) {
    api::xray::Options options;
    options.account_id = config.account;
    options.region = config.region;
    options.aws_quotas = config.aws_quotas;
    options.segments_per_second = config.segments_per_second;
    options.counters = &meter_->counters();
    options.at_rest.used = [this] { return store_->wrapping_key(); };
    options.at_rest.use = [this, folder = config.data](std::string_view name) -> Result<void> {
      if (!name.empty() && !keys_->Find(name))
        FLUORO_CHECK_OK(cli::MakeAtRestKey(*keys_, folder, name));
      return store_->SetWrappingKey(name);
    };
    return options;
  }

  // What PutEncryptionConfig decided outlives the flag.
  Result<void> UseRecordedKey() {
    const auto setting = control::ReadEncryption(*control_->Read());
    if (!setting.is_set) return {};
    auto used = store_->SetWrappingKey(setting.key_name());
    if (!used) return std::unexpected(std::move(used).error().With("encryption configuration"));
    return used;
  }

  Result<void> Listen(const cli::ServeConfig& config) {
    const net::TlsFiles tls{config.tls_cert, config.tls_key};
    const net::HttpHandler otlp = ingest::MakeOtlpHttpHandler(*pipeline_);
    const net::HttpErrorAnswer otlp_error = ingest::MakeOtlpHttpErrorAnswer();
    if (config.http != "off") {
      const net::HttpHandler routes = MakeRoutes(
          {*gate_, *xray_, *iam_, *ui_, *jaeger_, otlp, ingest::MakeZipkinHttpHandler(*pipeline_),
           metrics_, [this] { return ready_.load(std::memory_order_relaxed); },
           &meter_->counters()});
      FLUORO_TRY(http_, net::HttpServer::Start(HttpOptions(config.http, "http", config, tls),
                                               routes, MakeErrorAnswer(otlp_error), metrics_));
      ports_.http = http_->address();
    }
    if (config.otlp_http != "off") {
      FLUORO_TRY(otlp_http_,
                 net::HttpServer::Start(HttpOptions(config.otlp_http, "otlp_http", config, tls),
                                        GateOtlp(*gate_, otlp), otlp_error, metrics_));
      ports_.otlp_http = otlp_http_->address();
    }
    if (config.otlp_grpc != "off") {
      net::GrpcServerOptions options;
      options.address = config.otlp_grpc;
      options.message_bytes_max = config.max_body_bytes;
      options.queued_bytes_max = config.memory_bytes / 8;
      options.overload_details = ingest::MakeOtlpOverloadDetails();
      options.tls = tls;
      FLUORO_TRY(grpc_,
                 net::GrpcServer::Start(
                     options, GateGrpc(*gate_, ingest::MakeOtlpGrpcHandler(*pipeline_)), metrics_));
      ports_.otlp_grpc = grpc_->address();
    }
    if (config.udp != "off") {
      net::UdpReceiverOptions options;
      options.address = config.udp;
      FLUORO_TRY(udp_, net::UdpReceiver::Start(
                           options,
                           [this](std::span<const std::string_view> datagrams) {
                             pipeline_->PutDatagrams(datagrams);
                           },
                           metrics_));
      ports_.udp = udp_->address();
    }
    return {};
  }

  static net::HttpServerOptions HttpOptions(const std::string& address, std::string name,
                                            const cli::ServeConfig& config,
                                            const net::TlsFiles& tls) {
    net::HttpServerOptions options;
    options.address = address;
    options.name = std::move(name);
    options.body_bytes_max = config.max_body_bytes;
    options.queued_bytes_max = config.memory_bytes / 8;
    options.tls = tls;
    return options;
  }

  std::optional<MemoryReturn> memory_;
  std::unique_ptr<Fs> fs_ = MakePosixFs();
  SystemClock clock_;
  Metrics metrics_;
  cli::BoundPorts ports_;
  std::atomic<bool> ready_{false};  ///< read by /readyz; no other memory hangs on it
  bool stopped_ = false;
  std::shared_ptr<crypto::Keyring> keys_;
  std::unique_ptr<store::EmbeddedStore> store_;
  std::unique_ptr<control::Repository> control_;
  std::optional<ingest::Pipeline> pipeline_;
  std::optional<RecordFollower> follower_;
  std::optional<cost::CostMeter> meter_;
  std::optional<api::xray::XRayApi> xray_;
  std::optional<api::ui::UiApi> ui_;
  std::optional<api::insights::InsightService> insights_;
  std::optional<Metering> metering_;
  std::optional<api::grafana::JaegerQuery> jaeger_;
  std::optional<auth::Gatekeeper> gate_;
  std::optional<api::iam::IamApi> iam_;
  std::unique_ptr<net::HttpServer> http_;
  std::unique_ptr<net::HttpServer> otlp_http_;
  std::unique_ptr<net::GrpcServer> grpc_;
  std::unique_ptr<net::UdpReceiver> udp_;
};

}  // namespace

Result<std::unique_ptr<cli::RunningServer>> StartServer(const cli::ServeConfig& config) {
  log::SetLevel(LogLevel(config.log_level));
  return Server::Start(config);
}

}  // namespace fluoro::app
