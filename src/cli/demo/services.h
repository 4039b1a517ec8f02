// The demo's request graph: real HTTP services on loopback that call each other.
//
//   client -> gateway -> assistant -> retriever -> documents (SQLite)
//                |           |------> reranker
//                |           |------> llm (streams tokens)
//                |           |------> tools (weather, calculator) -> tool data (SQLite)
//                |           '------> answer cache
//                '-> accounts (SQLite)
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/metrics.h"
#include "cli/demo/recorder.h"

namespace fluoro::cli::demo {

/// What happens on the way of a question; carried in the header x-demo-scenario.
enum class Scenario : std::uint8_t {
  kPlain,
  kCacheHit,        ///< the same question as before
  kModelThrottled,  ///< the model answers 429 once; retried
  kToolTimeout,     ///< a tool hangs; the attempt times out and is retried
  kToolFault,       ///< a tool fails twice; the request fails
  kLongAnswer,      ///< the model streams many tokens
  kBadRequest,      ///< no question in it
};
inline constexpr int kScenariosCount = 7;

class Services {
 public:
  static Result<std::unique_ptr<Services>> Start(Recorder& recorder, Metrics& metrics);
  ~Services();
  struct Answer {
    int status = 0;
    std::string trace_id;
  };
  /// One user's request, through the gateway.
  Result<Answer> Ask(const std::string& tenant, const std::string& question, Scenario scenario);
  void Stop();

 private:
  struct Impl;
  explicit Services(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fluoro::cli::demo
