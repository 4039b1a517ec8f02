// A blocking gRPC client of unary methods on raw message bytes, for our own commands and tests.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace fluoro::net {

/// One channel. Thread-safe.
class GrpcClient {
 public:
  /// `address`: "127.0.0.1:4317", plain text.
  explicit GrpcClient(const std::string& address);
  ~GrpcClient();
  struct Answer {
    int code = 0;  ///< grpc::StatusCode
    std::string message;
    std::string body;
  };
  /// `method`: "/package.Service/Method". Errors: kDeadlineExceeded, kUnreachable; any other status
  /// is an Answer.
  Result<Answer> Call(const std::string& method, std::string_view body,
                      std::int64_t timeout_ns = 30'000'000'000);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fluoro::net
