// Turns a request into a caller: by signature, by bearer key, or by nothing while keys are off.
#pragma once

#include <array>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "auth/caller.h"
#include "auth/sigv4_verifier.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "control/repository.h"

namespace fluoro::auth {

struct GateOptions {
  std::string account = "000000000000";
  bool keys = false;  ///< off: everybody is root of the account
  bool tls = false;   ///< the listeners speak TLS only
};

/// What somebody asks with.
struct GateRequest {
  const HttpRequestView& http;
  std::string_view peer{};                       ///< "127.0.0.1:51234"
  std::span<const std::string_view> services{};  ///< names that a signature's scope may have
  /// An SDK may ask without a signature, if it is on this machine: sampling rules and targets.
  bool unsigned_sampling = false;
};

/// True for 127.0.0.0/8 and [::1], also where IPv4 is mapped into IPv6.
bool IsLoopbackPeer(std::string_view peer);

/// Thread-safe. Metrics: fluoro_auth_requests_total{outcome}, fluoro_auth_signing_keys.
class Gatekeeper {
 public:
  using Outcome = std::expected<Caller, SignatureError>;

  Gatekeeper(control::Repository& repository, const Clock& clock, Metrics& metrics,
             const GateOptions& options);
  ~Gatekeeper();

  [[nodiscard]] Outcome Identify(const GateRequest& request);
  /// By the text of an Authorization header alone: bearer keys.
  [[nodiscard]] Outcome IdentifyBearer(std::string_view authorization);
  /// Counts what a caller was refused for want of a policy.
  void CountDenied();

  [[nodiscard]] const GateOptions& options() const { return options_; }

 private:
  class Table;
  std::shared_ptr<const Table> CurrentTable();
  Outcome Count(Outcome outcome);

  control::Repository& repository_;
  const Clock& clock_;
  const GateOptions options_;
  SigV4Verifier verifier_;
  Counter accepted_;
  Counter denied_;
  std::array<Counter, 5> faults_;
  Gauge signing_keys_;
  Mutex mutex_;
  std::shared_ptr<const Table> table_ FLUORO_GUARDED_BY(mutex_);
};

}  // namespace fluoro::auth
