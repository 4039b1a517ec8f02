// The calls of IAM and STS that Terraform makes for our resources, in AWS's Query protocol at
// POST /. Source: AWS IAM and STS API references; docs/auth.md lists the calls.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "auth/caller.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "control/repository.h"
#include "net/http.h"

namespace fluoro::api::iam {

/// Thread-safe. Metric: fluoro_iam_api_requests_total{action, status}.
class IamApi {
 public:
  /// `account`: 12 digits, in every ARN.
  IamApi(control::Repository& repository, const Clock& clock, Metrics& metrics,
         std::string account);
  /// `caller` must be allowed iam:<Action> on the role or policy; everybody who is known may ask
  /// who they are.
  net::HttpResponse Handle(const net::HttpRequest& request, const auth::Caller& caller);

  /// Names of all calls.
  static std::span<const std::string_view> Actions();

 private:
  control::Repository& repository_;
  const Clock& clock_;
  Metrics& metrics_;
  const std::string account_;
};

/// <ErrorResponse> in the namespace of the service that the request is for.
net::HttpResponse ErrorAnswer(const net::HttpRequest& request, int status, std::string_view code,
                              std::string_view message);

}  // namespace fluoro::api::iam
