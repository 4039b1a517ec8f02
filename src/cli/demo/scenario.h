// What is to happen on the way of one request of the demo.
#pragma once

#include <cstdint>

#include "net/http.h"

namespace fluoro::cli::demo {

enum class Scenario : std::uint8_t {
  kPlain,
  kCacheHit,        ///< the same question as before
  kModelThrottled,  ///< the model answers 429 once; retried
  kModelTimeout,    ///< the model hangs once; the attempt times out and is retried
  kToolTimeout,     ///< a tool hangs; the attempt times out and is retried
  kToolFault,       ///< a tool fails twice; the request fails
  kLongAnswer,      ///< the model streams many tokens, and stalls on the way
  kBadRequest,      ///< no question in it
};
inline constexpr int kScenariosCount = 8;

/// What a request carries from service to service besides its trace.
struct Carried {
  Scenario scenario = Scenario::kPlain;
  bool short_context = false;  ///< arm B of the experiment: the reranker passes fewer passages on
  int attempt = 0;             ///< 0-based
};
Carried CarriedBy(const net::HttpRequest& request);
void Carry(const Carried& carried, net::Headers& headers);

}  // namespace fluoro::cli::demo
