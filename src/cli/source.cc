#include "cli/source.h"

#include <simdjson.h>

#include <cstdlib>
#include <optional>

#include "api/ui/ui_api.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/metrics.h"
#include "cli/at_rest_key.h"
#include "cli/credentials.h"
#include "cli/redaction_file.h"
#include "control/attribute_settings.h"
#include "cost/meter.h"
#include "ingest/pipeline.h"
#include "net/http_client.h"
#include "store/attribute_census.h"
#include "store/embedded/embedded_store.h"

namespace fluoro::cli {
namespace {

class ServerSource final : public Source {
 public:
  explicit ServerSource(std::string url) : url_(std::move(url)) {
    while (url_.ends_with('/')) url_.pop_back();
  }

  Result<void> Stream(net::HttpRequest request,
                      const std::function<bool(std::string_view)>& piece) override {
    net::HttpCall call;
    call.method = request.method;
    call.url = url_ + request.path + (request.query.empty() ? "" : "?" + request.query);
    call.headers = std::move(request.headers);
    call.body = std::move(request.body);
    call.timeout_ns = 60 * kNsPerSecond;
    AddCredentials(
        call,
        [](const std::string& name) -> std::optional<std::string> {
          const char* value = std::getenv(name.c_str());
          if (value == nullptr) return std::nullopt;
          return value;
        },
        SystemClock().UnixNs() / kNsPerSecond);
    FLUORO_TRY(const net::HttpResponse answer, net::CallStreaming(call, piece));
    if (answer.status != 200) return std::unexpected(ErrorOfAnswer(answer.status, answer.body));
    return {};
  }

 private:
  std::string url_;
};

class FolderSource final : public Source {
 public:
  static Result<std::unique_ptr<Source>> Open(const SourceOptions& options) {
    auto source = std::make_unique<FolderSource>();
    if (!source->fs_->Exists(options.folder)) {
      return Fail(ErrorCode::kNotFound, "no such folder: " + options.folder);
    }
    store::EmbeddedOptions embedded;
    embedded.folder = options.folder;
    embedded.read_only = !options.writable;
    FLUORO_TRY(embedded.keys, LoadAtRestKeys(options.at_rest_key, options.folder));
    FLUORO_TRY(source->store_,
               store::OpenEmbeddedStore(*source->fs_, source->clock_, source->metrics_, embedded));
    if (options.writable)
      source->pipeline_.emplace(*source->store_, source->clock_, source->metrics_,
                                ingest::Options{});
    // A folder from before there were control records has none, and reading it makes none.
    const std::string records = options.folder + "/control.db";
    FLUORO_TRY(source->control_,
               control::Repository::Open(
                   source->fs_->Exists(records) || options.writable ? records : ":memory:",
                   source->clock_));
    if (source->pipeline_) {
      FLUORO_TRY(auto policy,
                 ReadRedaction(options.folder, embedded.keys.get(), *source->control_));
      source->pipeline_->SetRedaction(std::move(policy));
    }
    if (auto* census = store::AttributeCensus::Of(*source->store_))
      census->SetAttributeSettings(control::ReadAttributeSettings(*source->control_->Read()));
    source->cost_.emplace(
        *source->store_, *source->control_, *source->fs_, source->clock_, source->metrics_,
        cost::MeterOptions{.folder = options.folder + "/usage", .read_only = true});
    source->api_.emplace(*source->store_, source->pipeline_ ? &*source->pipeline_ : nullptr,
                         *source->control_, *source->cost_, source->clock_, source->metrics_);
    return source;
  }

  ~FolderSource() override {
    api_.reset();
    if (store_ != nullptr && pipeline_) (void)store_->Close();
  }

  Result<void> Stream(net::HttpRequest request,
                      const std::function<bool(std::string_view)>& piece) override {
    request.principal = "local";
    const net::HttpResponse answer = api_->Handle(request, auth::Caller::Root("local"));
    if (answer.status != 200) return std::unexpected(ErrorOfAnswer(answer.status, answer.body));
    if (answer.stream) {
      if (!answer.stream(piece))
        return Fail(ErrorCode::kIo, "the answer is incomplete: see fluoro verify");
    } else {
      piece(answer.body);
    }
    return {};
  }

 private:
  std::unique_ptr<Fs> fs_ = MakePosixFs();
  SystemClock clock_;
  Metrics metrics_;
  std::unique_ptr<store::EmbeddedStore> store_;
  std::unique_ptr<control::Repository> control_;
  std::optional<ingest::Pipeline> pipeline_;
  std::optional<cost::CostMeter> cost_;
  std::optional<api::ui::UiApi> api_;
};

Result<std::string> Whole(Source& source, net::HttpRequest request) {
  std::string body;
  FLUORO_CHECK_OK(source.Stream(std::move(request), [&body](std::string_view piece) {
    body += piece;
    return true;
  }));
  return body;
}

}  // namespace

Error ErrorOfAnswer(int status, std::string_view body) {
  std::string message;
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(body.substr(0, 1 << 20));
  simdjson::dom::element document;
  if (parser.parse(padded).get(document) == simdjson::SUCCESS) {
    std::string_view text;
    if (document["error"]["message"].get(text) == simdjson::SUCCESS ||
        document["Message"].get(text) == simdjson::SUCCESS)
      message = text;
  }
  if (message.empty()) message = "the server answered with status " + std::to_string(status);
  switch (status) {
    case 400:
    case 405:
    case 413:
    case 415:
      return {ErrorCode::kInvalidArgument, std::move(message)};
    case 404:
      return {ErrorCode::kNotFound, std::move(message)};
    case 401:
    case 403:
      return {ErrorCode::kPermissionDenied, std::move(message)};
    default:
      return {ErrorCode::kUnavailable, std::move(message)};
  }
}

Result<std::string> Source::Get(std::string path) {
  net::HttpRequest request;
  request.method = "GET";
  request.path = std::move(path);
  return Whole(*this, std::move(request));
}

Result<std::string> Source::Post(std::string path, std::string body) {
  net::HttpRequest request;
  request.method = "POST";
  request.path = std::move(path);
  request.headers["content-type"] = "application/json";
  request.body = std::move(body);
  return Whole(*this, std::move(request));
}

Result<std::unique_ptr<Source>> OpenSource(const SourceOptions& options) {
  if (!options.folder.empty()) return FolderSource::Open(options);
  return std::make_unique<ServerSource>(options.server);
}

}  // namespace fluoro::cli
