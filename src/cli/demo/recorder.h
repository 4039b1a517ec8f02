// How the demo's services record their work: each span is really timed, and sent as X-Ray segment
// documents over UDP or as OTLP.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/mutex.h"
#include "base/rng.h"
#include "model/span.h"
#include "net/http.h"
#include "propagation/context.h"

namespace fluoro::cli::demo {

/// Sends what the services recorded. Thread-safe.
class Recorder {
 public:
  /// `udp_address`: daemon address "127.0.0.1:2000"; `otlp_url`: "http://127.0.0.1:4318/v1/traces".
  static Result<std::unique_ptr<Recorder>> Open(const std::string& udp_address,
                                                std::string otlp_url);
  ~Recorder();
  void SendDocument(std::string_view json);
  void AddSpan(model::Span span);
  /// Sends the OTLP spans that wait. Errors: the server did not take them.
  Result<void> Flush();
  model::SpanId NewSpanId();
  model::TraceId NewTraceId();

  struct Sent {
    std::uint64_t documents = 0;
    std::uint64_t spans = 0;
  };
  [[nodiscard]] Sent sent() const;

 private:
  Recorder(int socket, std::string otlp_url);
  const int socket_;
  const std::string otlp_url_;
  mutable Mutex mutex_;
  Rng rng_ FLUORO_GUARDED_BY(mutex_);
  std::vector<model::Span> waiting_ FLUORO_GUARDED_BY(mutex_);
  Sent sent_ FLUORO_GUARDED_BY(mutex_);
};

enum class Protocol : std::uint8_t { kXRay, kOtlp };

struct Service {
  std::string name;
  Protocol protocol = Protocol::kOtlp;
};

/// One timed piece of work. Ends when destroyed; children end before their parent. Attributes carry
/// OpenTelemetry's names; X-Ray services write them as the members and annotations of segment
/// documents.
class Scope {
 public:
  /// The work of a service on one request.
  Scope(Recorder& recorder, const Service& service, const propagation::Context& caller,
        const std::string& name);
  ~Scope();
  Scope(Scope&&) noexcept;
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  Scope Child(std::string name, model::SpanKind kind);
  void Set(std::string key, std::string value);
  void Set(std::string key, std::int64_t value);
  void Set(std::string key, bool value);
  void Set(std::string key, double value);
  /// The answer's status: 4xx is an error, 5xx a fault.
  void SetStatus(int http_status);
  void Fail(std::string type, std::string message);
  void AddEvent(std::string name);
  /// Headers that carry this span to a callee: X-Amzn-Trace-Id and traceparent.
  [[nodiscard]] net::Headers Propagate() const;
  [[nodiscard]] std::string trace_id() const;

 private:
  struct Node;
  Scope(Recorder& recorder, const Service& service, std::shared_ptr<Node> node,
        std::shared_ptr<Node> parent);
  Recorder* recorder_;
  const Service* service_;
  std::shared_ptr<Node> node_;
  std::shared_ptr<Node> parent_;
  friend struct DocumentWriter;
};

}  // namespace fluoro::cli::demo
