// The demo's request graph: real HTTP services on loopback that call each other.
//
//   client -> gateway -> assistant -> retriever -> llm (embeds), documents (SQLite)
//                |           |------> reranker
//                |           |------> llm (streams tokens), before the tools and after them
//                |           |------> tools (weather, calculator) -> tool data (SQLite)
//                |           '------> answer cache
//                '-> accounts (SQLite)
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "base/metrics.h"
#include "cli/demo/recorder.h"
#include "cli/demo/scenario.h"

namespace fluoro::cli::demo {

class Services {
 public:
  static Result<std::unique_ptr<Services>> Start(Recorder& recorder, Metrics& metrics);
  ~Services();
  struct Answer {
    int status = 0;
    std::string trace_id;
  };
  /// One user's request, through the gateway.
  Result<Answer> Ask(const std::string& tenant, const std::string& question,
                     const Carried& carried);
  void Stop();

 private:
  struct Impl;
  explicit Services(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fluoro::cli::demo
